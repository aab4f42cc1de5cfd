package client

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// An Event is what a person said, or what was shown to them: a CloudEvent. What the
// types are and what their data hold is listed by the ledger at /v1/schemas.
type Event struct {
	ID       string    // who sends the same event again gives the same id; empty: a new one is made
	Type     string    // as in consent.given
	Subject  string    // whom it is about: account:ID, device:ID or ID
	Time     time.Time // when it happened; zero: now
	Sequence uint64    // the app's own number of it, growing with time; zero: none
	Data     any       // what the type asks for, a value that makes a JSON object; nil: nothing

	// Traceparent is the trace that it belongs to, as W3C Trace Context writes it, and is
	// kept with it; empty: that of the request that sends it, if there is one.
	Traceparent string

	source string
}

// optOuts are the types by which somebody says no, or takes something back.
var optOuts = map[string]bool{
	"consent.refused": true, "consent.withdrawn": true, "permission.denied": true, "permission.revoked": true,
}

// A cloudEvent is an Event in the structured form, in which it is sent and kept.
type cloudEvent struct {
	SpecVersion string          `json:"specversion"`
	ID          string          `json:"id"`
	Source      string          `json:"source"`
	Type        string          `json:"type"`
	Subject     string          `json:"subject,omitempty"`
	Time        string          `json:"time"`
	Sequence    string          `json:"sequence,omitempty"`
	Traceparent string          `json:"traceparent,omitempty"`
	Data        json.RawMessage `json:"data,omitempty"`
}

// timeForm has milliseconds, which is what the ledger keeps.
const timeForm = "2006-01-02T15:04:05.000Z"

// complete returns e with everything that sending it again must not change.
func (c *Client) complete(e Event) (Event, error) {
	if e.Type == "" {
		return e, errors.New(`client: an event has no Type: name one, as in "consent.given"`)
	}
	if e.ID == "" {
		e.ID = rand.Text()
	}
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	e.source = c.config.Source

	data, err := marshal(e.Data)
	if err != nil {
		return e, fmt.Errorf("client: the data of event %s: %w", e.Type, err)
	}
	if e.Data != nil {
		e.Data = json.RawMessage(data)
	}
	return e, nil
}

func (e Event) marshal() ([]byte, error) {
	ce := cloudEvent{
		SpecVersion: "1.0", ID: e.ID, Source: e.source, Type: e.Type, Subject: e.Subject,
		Time: e.Time.UTC().Format(timeForm), Traceparent: e.Traceparent,
	}
	if e.Sequence > 0 {
		ce.Sequence = strconv.FormatUint(e.Sequence, 10)
	}
	if data, is := e.Data.(json.RawMessage); is {
		ce.Data = data
	}
	return marshal(ce)
}

// parseEvent reads what [Event.marshal] wrote.
func parseEvent(b []byte) (Event, error) {
	var ce cloudEvent
	if err := json.Unmarshal(b, &ce); err != nil {
		return Event{}, err
	}
	e := Event{ID: ce.ID, Type: ce.Type, Subject: ce.Subject, Traceparent: ce.Traceparent, source: ce.Source}
	if ce.Data != nil {
		e.Data = ce.Data
	}

	var err error
	if e.Time, err = time.Parse(time.RFC3339, ce.Time); err != nil {
		return Event{}, fmt.Errorf("time: %w", err)
	}
	if ce.Sequence != "" {
		if e.Sequence, err = strconv.ParseUint(ce.Sequence, 10, 64); err != nil {
			return Event{}, fmt.Errorf("sequence: %w", err)
		}
	}
	return e, nil
}

// marshal writes v as JSON. It names no member's value in its error.
func marshal(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("this value of type %T makes no JSON", v)
	}
	return b, nil
}

// A Receipt says that an event is recorded. The same event gets the same receipt for ever.
type Receipt struct {
	EventID  string `json:"event_id"`
	Position string `json:"position"`           // an opaque token: "at least as new as this"
	Request  string `json:"request,omitempty"`  // of a request: its id
	Incident string `json:"incident,omitempty"` // of an incident: its id
	Counts   string `json:"counts,omitempty"`   // of a consent: yes, partly or no
	Short    string `json:"short,omitempty"`    // for which purposes it does not count, and why
	Rests    string `json:"rests,omitempty"`    // of an opt-out: purposes that rest on another basis than consent
	Repeats  bool   `json:"repeats,omitempty"`  // it was said before, and nothing new is recorded
	Reason   string `json:"reason,omitempty"`   // short, rests or repeats in sentences
	Unknown  string `json:"unknown,omitempty"`  // of an opt-out: purposes that no policy declares
	ID       string `json:"id,omitempty"`       // the event's, as it was understood
	Subject  string `json:"subject,omitempty"`  // whom it was understood to be about
	Near     string `json:"near,omitempty"`     // other persons whose id is nearly the same

	NotUnderstood string `json:"not_understood,omitempty"` // members of an opt-out that were not understood
}

// A Result is what became of one event of several.
type Result struct {
	Receipt Receipt
	Err     error // nil: it is recorded
}

// A Question is: may we do this with this person's data?
type Question struct {
	Subject   string `json:"subject"`
	Purpose   string `json:"purpose"`
	Action    string `json:"action,omitempty"`    // empty: use
	Category  string `json:"category,omitempty"`  // which data
	Recipient string `json:"recipient,omitempty"` // who gets them
	Version   string `json:"version,omitempty"`   // of the policy that the processing goes by; empty: the one in force
}

func (q Question) marshal() ([]byte, error) { return marshal(q) }

// An Answer is yes or no, and why. Everything but Allowed means no.
type Answer struct {
	Allowed  bool     `json:"allowed"`
	Status   string   `json:"status"` // given, refused, withdrawn, expired, stale, ..., or unknown
	Why      string   `json:"why"`
	Reason   string   `json:"reason"` // a sentence
	Purpose  string   `json:"purpose"`
	Action   string   `json:"action"`
	Basis    string   `json:"basis,omitempty"`
	Policy   string   `json:"policy,omitempty"`
	Version  string   `json:"version,omitempty"`
	Since    string   `json:"since,omitempty"`
	Until    string   `json:"until,omitempty"`
	Events   []string `json:"events"` // which prove it
	Position string   `json:"position"`
	ValidAt  string   `json:"valid_at"`

	Category  string `json:"category,omitempty"`
	Recipient string `json:"recipient,omitempty"`
	Band      string `json:"band,omitempty"`       // of age: under-14, 14, 15-17 or adult; empty: not known
	Guardian  bool   `json:"guardian,omitempty"`   // a guardian gave the consent
	Evidence  string `json:"evidence,omitempty"`   // how much the consent proves: strong, partial, weak or imported
	Short     string `json:"short,omitempty"`      // why the newest grant does not count
	Doubtful  bool   `json:"doubtful,omitempty"`   // allowed on a ground that the law does not clearly admit
	Disputed  bool   `json:"disputed,omitempty"`   // somebody says that an event behind the answer is wrong
	Signal    string `json:"signal,omitempty"`     // the machine's signal, such as gpc, by which the opt-out was said
	Opposed   string `json:"opposed_by,omitempty"` // a machine's signal that says no where the person agreed

	Sequences []uint64 `json:"sequences,omitempty"` // the numbers that their sources gave the events
}

func unknownAnswer(q Question) Answer {
	return Answer{
		Status: "unknown", Why: "unknown", Reason: "The ledger did not answer, and what is not known is not allowed.",
		Purpose: q.Purpose, Action: q.Action, Events: []string{},
	}
}

type promptRequest struct {
	Subject string `json:"subject"`
	Locale  string `json:"locale,omitempty"`
}

// A Prompt is everything that must be asked of a person, or shown to them.
type Prompt struct {
	Items    []PromptItem `json:"items"`
	Position string       `json:"position"`
	ValidAt  string       `json:"valid_at"`
}

// A PromptItem is one thing to ask or to show.
type PromptItem struct {
	Purpose   string     `json:"purpose,omitempty"` // empty: the policy as a whole
	Title     string     `json:"title"`
	Reason    string     `json:"reason"`
	Separate  bool       `json:"separate"` // by a control of its own
	Explicit  bool       `json:"explicit"` // by more than a general "Agree"
	NotBefore string     `json:"not_before,omitempty"`
	Policy    string     `json:"policy"`
	Version   string     `json:"version"`
	Text      PromptText `json:"text"`
}

// A PromptText is the policy's text in one language.
type PromptText struct {
	Locale   string `json:"locale"`
	Hash     string `json:"hash"`
	Standing string `json:"standing"`
	URL      string `json:"url"`
}
