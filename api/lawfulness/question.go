package lawfulness

import (
	"encoding/base64"
	"fmt"
	"hash/fnv"

	"consentledger/api/wire"
	"consentledger/api/wire/parse"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore"

	"github.com/go-json-experiment/json"
)

// A LawfulRequest asks whether a processing was lawful: at a moment, or in a
// span, of one person or of everybody.
type LawfulRequest struct {
	Subject string `json:"subject,omitzero" doc:"account:ID, device:ID or ID; absent: everybody"`
	Purpose string `json:"purpose"`
	Action  string `json:"action,omitzero" doc:"collect, use (the default), provide, publish or export"`
	At      string `json:"at,omitzero" format:"date-time" doc:"a moment that is past, instead of a span"`
	From    string `json:"from,omitzero" format:"date-time"`
	To      string `json:"to,omitzero" format:"date-time" doc:"included; not in the future"`
	Cursor  string `json:"cursor,omitzero" doc:"next of the page before"`
	Limit   int    `json:"limit,omitzero" doc:"at most so many findings on a page, up to 1000; 100 if not said"`
	wire.Accessor
}

// Lawful is a page of findings. Nothing in it counts what was not known at its
// time; what was learnt since stands under later.
type Lawful struct {
	App      string    `json:"app"`
	Purpose  string    `json:"purpose"`
	Action   string    `json:"action"`
	From     Moment    `json:"from"`
	To       Moment    `json:"to"`
	Now      string    `json:"now_position" doc:"as far as was looked for what was learnt later"`
	Nobody   Stand     `json:"nobody" doc:"the answer about somebody who never said anything, at the end: the purpose's basis, and the app's own exemptions"`
	Findings []Finding `json:"findings"`
	Next     string    `json:"next,omitzero" doc:"ask again with cursor= this; absent: there is no more"`
}

// A Finding is a person who said something about the purpose, or is exempt, or
// an answer that was given and recorded.
type Finding struct {
	Person  string        `json:"person" doc:"a pseudonym"`
	Test    bool          `json:"test,omitzero" doc:"no person but a test"`
	Answer  *Answered     `json:"answer,omitempty" doc:"an answer that was given and recorded; absent: the finding is where the person stood"`
	Stood   Stand         `json:"stood" doc:"as it was known then: of a span at its beginning, of an answer when it was given"`
	Changes []StandChange `json:"changes,omitempty" doc:"in the span, as they became known"`
	Later   *Later        `json:"later,omitempty" doc:"what was learnt since that says otherwise; it is not counted"`

	After *Withdrawn `json:"after_withdrawal,omitempty" doc:"the answer was yes although an opt-out that counts from before it is known by now"`
}

// An Answered is an answer as it was given.
type Answered struct {
	EventID   string   `json:"event_id"`
	Recorded  string   `json:"recorded" format:"date-time"`
	ValidAt   string   `json:"valid_at" format:"date-time" doc:"the moment that was asked about"`
	AskedBy   string   `json:"asked_by" doc:"the authenticated principal"`
	Allowed   bool     `json:"allowed"`
	Status    string   `json:"status"`
	Why       string   `json:"why"`
	Basis     string   `json:"basis,omitzero"`
	Version   string   `json:"version,omitzero"`
	Events    []string `json:"events"`
	Category  string   `json:"category,omitzero"`
	Recipient string   `json:"recipient,omitzero"`
}

// A StandChange is what an event changed, or time alone: a grant ran out, a version
// began to bind.
type StandChange struct {
	By    *ChangingEvent `json:"by,omitempty" doc:"absent: time alone"`
	Stood Stand          `json:"stood"`
}

// Later is what is known now of then.
type Later struct {
	Stood Stand           `json:"stood"`
	By    []ChangingEvent `json:"by" doc:"the events that came later and changed it"`
}

// Withdrawn is an opt-out that was there before "allowed" was answered.
type Withdrawn struct {
	Events []string `json:"events"`
	Known  bool     `json:"known_then" doc:"the ledger knew it when it answered"`
}

// ParseLawful reads a [LawfulRequest] from JSON.
func ParseLawful(data []byte) (LawfulRequest, error) {
	var r LawfulRequest
	if err := json.Unmarshal(data, &r, json.RejectUnknownMembers(true)); err != nil {
		return r, malformed(`the question is an object such as {"purpose": "marketing", "at": "2026-03-02T00:00:00Z"}; it has no other members than subject, purpose, action, at, from, to, cursor, limit, reason, why and by`)
	}
	return r, parse.NoEmpty(data)
}

// Check returns a refusal if r cannot be asked of any ledger. It begins with
// the name of the member that is wrong.
func (r LawfulRequest) Check() error {
	_, err := r.parse()
	return err
}

// A place is where a page ended, and what was known when the first began.
type place struct {
	After eventstore.Position `json:"a"`
	Now   eventstore.Position `json:"n"`
	Of    string              `json:"o"`
}

// most is how many findings a page has at most.
const most = 1000

func (r LawfulRequest) parse() (l lawful, err error) {
	if r.Subject != "" {
		if l.who, err = ident.ParsePersonKey(r.Subject); err != nil {
			return l, malformed("subject: " + err.Error())
		}
	}

	if l.q.Purpose = policy.PurposeID(r.Purpose); r.Purpose == "" || len(r.Purpose) > 64 {
		return l, malformed("purpose: name one of the policy's, as in marketing")
	}
	if l.q.Action, err = actionOf(r.Action); err != nil {
		return l, err
	}

	switch {
	case (r.At == "") == (r.From == "" && r.To == ""):
		return l, malformed("at: name a moment, or a span by from and to, and not both")
	case r.At != "":
		l.moment = true
		if l.from, err = deadline.ParseInstant(r.At); err != nil {
			return l, malformed("at: " + err.Error())
		}
		l.q.At = l.from
	default:
		if l.from, l.q.At, err = span(r.From, r.To); err != nil {
			return l, err
		}
	}

	l.to = l.q.At
	if l.limit = r.Limit; l.limit == 0 {
		l.limit = 100
	}
	if l.limit < 1 || l.limit > most {
		return l, malformed("limit: is 1 to 1000")
	}
	if r.Cursor == "" {
		return l, nil
	}

	text, err := base64.RawURLEncoding.DecodeString(r.Cursor)
	if err == nil {
		err = json.Unmarshal(text, &l.place, json.RejectUnknownMembers(true))
	}
	if err != nil || l.place.Of != r.sum() {
		return l, malformed("cursor: goes with the question whose page it came with: ask the same, or without it")
	}
	return l, nil
}

// sum sums up what is asked, but for the page.
func (r LawfulRequest) sum() string {
	h := fnv.New64a()
	fmt.Fprintf(h, "%q", []string{r.Subject, r.Purpose, r.Action, r.At, r.From, r.To})
	return fmt.Sprintf("%x", h.Sum64())
}

func (r LawfulRequest) next(p place) string {
	p.Of = r.sum()
	text, err := json.Marshal(p)
	if err != nil {
		panic("lawfulness: a cursor does not make JSON: " + err.Error())
	}
	return base64.RawURLEncoding.EncodeToString(text)
}
