package client

import (
	"context"
	"strings"
	"sync"
	"time"

	"consentledger/eventstore/generations"
)

// An outbound knows what this process says of whom, so that an opt-out counts here at
// once and no remembered answer outlives what was said after it.
type outbound struct {
	mu         sync.Mutex
	optingOut  map[string]int     // by person: opt-outs that the ledger may not have yet
	asking     map[string]*asking // by person
	remembered generations.Map[string, map[Question]remembered]
	away       bool // what the ledger tells is to be heard, and cannot be
}

// personOf returns the whole name of a person: "17" is "account:17" for the ledger.
func personOf(subject string) string {
	if strings.Contains(subject, ":") {
		return subject
	}
	return "account:" + subject
}

// asking is how many questions about a person are on their way, and whether something
// was said of them since.
type asking struct {
	questions int
	said      bool
}

type remembered struct {
	answer Answer
	until  time.Time
}

// maxQuestions bounds how many answers are remembered of one person.
const maxQuestions = 100

// begin notes that e is being said. Call what it returns once the ledger has e, or
// refused it.
func (o *outbound) begin(e Event) (done func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	who := personOf(e.Subject)
	o.forget(who)
	optOut := optOuts[e.Type]
	if optOut {
		if o.optingOut == nil {
			o.optingOut = map[string]int{}
		}
		o.optingOut[who]++
	}

	return func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		if optOut {
			if o.optingOut[who]--; o.optingOut[who] == 0 {
				delete(o.optingOut, who)
			}
		}
		o.forget(who) // what was answered on the way may be from before e
	}
}

// forget drops what is remembered of a person. The lock is held.
func (o *outbound) forget(who string) {
	o.remembered.Delete(who)
	if a := o.asking[who]; a != nil {
		a.said = true
	}
}

// Allowed is [Client.Check] for code that only wants to know whether to go on: it never
// fails. An opt-out that this process has said and the ledger may not have yet is
// "withdrawn" here. Within Config.Remember an answer is repeated without asking.
func (c *Client) Allowed(ctx context.Context, q Question) Answer {
	answer, known, asked := c.said.ask(q)
	if known {
		return answer
	}
	answer, err := c.Check(ctx, q)
	remember := c.config.Remember
	if err != nil {
		remember = 0
	}
	return c.said.answered(q, asked, answer, remember)
}

// ask looks whether the answer is known. If it is not, the question is on its way until
// [outbound.answered].
func (o *outbound) ask(q Question) (a Answer, known bool, asked *asking) {
	o.mu.Lock()
	defer o.mu.Unlock()
	who := personOf(q.Subject)
	if o.optingOut[who] > 0 {
		return optedOut(q), true, nil
	}
	answers, _ := o.remembered.Get(who)
	if r, ok := answers[q]; ok && time.Now().Before(r.until) {
		return r.answer, true, nil
	}

	asked = o.asking[who]
	if asked == nil || asked.said { // who asks after something was said shares nothing with who asked before
		if o.asking == nil {
			o.asking = map[string]*asking{}
		}
		asked = new(asking)
		o.asking[who] = asked
	}
	asked.questions++
	return Answer{}, false, asked
}

// answered remembers an answer for a time, unless something was said since it was asked
// for, and returns what the caller may be told.
func (o *outbound) answered(q Question, asked *asking, a Answer, remember time.Duration) Answer {
	o.mu.Lock()
	defer o.mu.Unlock()
	who := personOf(q.Subject)
	if asked.questions--; asked.questions == 0 && o.asking[who] == asked {
		delete(o.asking, who)
	}
	if o.optingOut[who] > 0 {
		return optedOut(q) // said while the ledger was being asked
	}
	if remember <= 0 || asked.said || o.away {
		return a
	}

	answers, ok := o.remembered.Get(who)
	if !ok || len(answers) >= maxQuestions {
		answers = map[Question]remembered{}
		o.remembered.Put(who, answers)
	}
	answers[q] = remembered{answer: a, until: time.Now().Add(remember)}
	return a
}

func optedOut(q Question) Answer {
	return Answer{
		Status: "withdrawn", Why: "said-here", Reason: "The person opted out here, and the ledger may not have it yet.",
		Purpose: q.Purpose, Action: q.Action, Events: []string{},
	}
}
