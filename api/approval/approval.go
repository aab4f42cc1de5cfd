// Package approval is how two authenticated principals decide together: one proposes a
// command, the other approves or declines it. Which commands take two says the table of
// package auth; what a proposal may become says package domain; this package reads
// commands, puts the two principals where a command names persons, and finishes what was
// interrupted.
//
// A command is an operator's event, as it is sent to the route of operators, the order
// to erase a person, or what becomes of the proof that is kept of somebody. It names nobody
// itself: who proposes and who approves is known.
package approval

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"consentledger/api/wire/parse"
	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/proposal"
	"consentledger/domain/refusal"
	"consentledger/eventstore"
	"consentledger/eventstore/ledger"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// A Wish is what somebody proposes: an event, an erasure, or what becomes of a proof.
type Wish struct {
	Event   jsontext.Value `json:"event,omitempty" doc:"an operator's CloudEvent, whose data name neither of the two"`
	Erasure *Erasure       `json:"erasure,omitempty" doc:"instead: the order to erase a person"`
	Proof   *Proof         `json:"proof,omitempty" doc:"instead: what is to become of the proof that is kept of somebody who is erased"`
	Reason  string         `json:"reason,omitempty" doc:"for whoever decides, in the clear, 1 to 500 bytes; absent: the reason in the event's data, or what else it says"`
	Until   string         `json:"until,omitempty" format:"date-time" doc:"when it expires, 31 days from now at most; absent: in seven days"`
}

// An Erasure is the order to erase a person, as two principals give it.
type Erasure struct {
	ID       string `json:"id" doc:"names the order: with the same id it is given once"`
	Subject  string `json:"subject" doc:"account:ID, device:ID or ID"`
	Reason   string `json:"reason" doc:"a code; kept in the clear"`
	Evidence string `json:"evidence,omitempty" doc:"sha256:... of the request or the decision"`
}

// ErasureKind is the type of what an [Erasure] records.
const ErasureKind = "erasure.ordered"

// A Ledger is what this package uses of [ledger.Ledger].
type Ledger interface {
	Propose(ctx context.Context, p ledger.Proposing, read ledger.ReadCommand) (proposal.Proposal, error)
	Approve(ctx context.Context, d ledger.Decision, read ledger.ReadCommand) (proposal.Proposal, error)
	Decline(ctx context.Context, d ledger.Decision) (proposal.Proposal, error)
	TakeBack(ctx context.Context, d ledger.Decision) (proposal.Proposal, error)
	FinishProposal(ctx context.Context, app ident.AppName, id string, read ledger.ReadCommand) (proposal.Proposal,
		error)
	Proposals(ctx context.Context, app ident.AppName) ([]proposal.Proposal, error)
	ProposalsAt(ctx context.Context, app ident.AppName, until eventstore.Position) ([]proposal.Proposal, error)
	Proposed(ctx context.Context, app ident.AppName, id string) (proposal.Proposal, error)
	Command(ctx context.Context, app ident.AppName, p proposal.Proposal, a ledger.Access) ([]byte, bool, error)
	SealProofsOf(ctx context.Context, app ident.AppName, who ident.PersonKey) ([]byte, error)
	Now() deadline.Instant
}

// Approvals decide. The zero Approvals with a Ledger asks for two where the table does.
type Approvals struct {
	Ledger Ledger

	// Needs says whether a type of event takes two in an app; nil: none does.
	Needs func(app ident.AppName, kind string) bool

	// Same reports whether two pseudonyms are of one person, as far as it is known: they
	// may have got keys under one name. Nil: different pseudonyms are different persons.
	Same func(a, b string) bool
}

// Propose records that a principal proposes something.
func (a Approvals) Propose(ctx context.Context, app ident.AppName, w Wish, by string) (proposal.Proposal, error) {
	p := ledger.Proposing{App: app, By: by}
	c, err := w.command()
	if err != nil {
		return proposal.Proposal{}, err
	}

	if c.Proof != nil {
		if err := c.Proof.hide(ctx, app, a.Ledger); err != nil {
			return proposal.Proposal{}, err
		}
	}

	read := a.commandOf(app)
	cmd, err := c.request(app, [2]string{by, ledger.PendingApprover})
	if err != nil {
		return proposal.Proposal{}, err
	}

	p.Kind, p.Source, p.ID = ledger.KindOfCommand(cmd.Command), cmd.Source, cmd.ID
	if a.Needs == nil || !a.Needs(app, p.Kind) {
		return proposal.Proposal{}, refusal.Refusal{Code: refusal.WrongStream, Path: "event.type",
			Text: "event.type: this takes one person here: send it as an operator's event, and not as a proposal"}
	}

	if p.Reason, err = c.reason(w.Reason); err != nil {
		return proposal.Proposal{}, err
	}

	if w.Until != "" {
		if p.Until, err = deadline.ParseInstant(w.Until); err != nil {
			return proposal.Proposal{}, malformed("until", err.Error())
		}
	}

	if p.Kept, err = json.Marshal(c, json.Deterministic(true)); err != nil {
		return proposal.Proposal{}, fmt.Errorf("approval: a command does not make JSON: %w", err)
	}
	made, err := a.Ledger.Propose(ctx, p, read)
	if c.Proof != nil {
		err = c.Proof.explain(err)
	}
	return made, err
}

// Approve records that another principal approves a proposal, and what was proposed.
func (a Approvals) Approve(ctx context.Context, d ledger.Decision) (proposal.Proposal, error) {
	if err := a.checkOther(ctx, d); err != nil {
		return proposal.Proposal{}, err
	}
	return a.Ledger.Approve(ctx, d, a.commandOf(d.App))
}

// Decline records that another principal declines a proposal, for a reason.
func (a Approvals) Decline(ctx context.Context, d ledger.Decision) (proposal.Proposal, error) {
	if d.Reason == "" {
		return proposal.Proposal{}, refusal.Refusal{Code: refusal.ReasonMissing, Path: "reason",
			Text: "reason: say why, in 1 to 500 bytes, for whoever proposed it"}
	}
	if err := a.checkOther(ctx, d); err != nil {
		return proposal.Proposal{}, err
	}
	return a.Ledger.Decline(ctx, d)
}

// TakeBack records that who made a proposal withdraws it.
func (a Approvals) TakeBack(ctx context.Context, d ledger.Decision) (proposal.Proposal, error) {
	return a.Ledger.TakeBack(ctx, d)
}

// checkOther refuses a decision of somebody who has a key under the name of whoever
// proposed it. That pseudonyms differ is checked where the decision is recorded.
func (a Approvals) checkOther(ctx context.Context, d ledger.Decision) error {
	p, err := a.Ledger.Proposed(ctx, d.App, d.ID)
	if err != nil {
		return err
	}
	if a.Same != nil && p.By != d.By && a.Same(p.By, d.By) {
		return refusal.Refusal{Code: refusal.SamePrincipal,
			Text: "who proposed this has a key under the same name: both are one person, and it takes another one"}
	}
	return nil
}

// Finish executes what was approved in some apps and not executed, because a process died.
// What is refused has lapsed, and is no error.
func (a Approvals) Finish(ctx context.Context, apps []ident.AppName) error {
	var failed error
	for _, app := range apps {
		all, err := a.Ledger.Proposals(ctx, app)
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		for _, p := range all {
			if p.Decided != proposal.Approved {
				continue
			}
			_, err := a.Ledger.FinishProposal(ctx, app, p.ID, a.commandOf(app))
			if _, refused := errors.AsType[refusal.Refusal](err); err != nil && !refused {
				failed = errors.Join(failed, err)
			}
		}
	}
	return failed
}

// A command is what is kept of a proposal.
type command struct {
	Event   jsontext.Value `json:"event,omitempty"`
	Erasure *Erasure       `json:"erasure,omitempty"`
	Proof   *Proof         `json:"proof,omitempty"`
}

// commandOf returns what makes requests of an app of what was kept.
func (a Approvals) commandOf(app ident.AppName) ledger.ReadCommand {
	return func(kept []byte, by [2]string) (ledger.Request, error) {
		var c command
		if err := json.Unmarshal(kept, &c); err != nil {
			return ledger.Request{}, errors.New("approval: what was kept of a proposal is no command")
		}
		return c.request(app, by)
	}
}

// command returns what a wish is about, if it is one thing.
func (w Wish) command() (command, error) {
	event := len(w.Event) > 0 && w.Event.Kind() != 'n'
	things := 0
	for _, is := range []bool{event, w.Erasure != nil, w.Proof != nil} {
		if is {
			things++
		}
	}
	switch {
	case things != 1:
		return command{}, malformed("event", "propose one event, or one erasure, or one proof, and nothing beside it")
	case w.Erasure != nil:
		return command{Erasure: w.Erasure}, nil
	case w.Proof != nil:
		proof := *w.Proof
		return command{Proof: &proof}, proof.check()
	}

	if len(w.Event) > parse.MaxEvent {
		return command{}, refusal.Refusal{Code: refusal.TooLarge, Path: "event",
			Text: "event: an event has at most 262144 bytes; keep documents elsewhere and name their hash"}
	}

	canonical := bytes.Clone(w.Event)
	if err := (*jsontext.Value)(&canonical).Canonicalize(); err != nil {
		return command{}, malformed("event", "event: must be a CloudEvent, a JSON object")
	}
	return command{Event: canonical}, nil
}

// request reads a command, with the two who decide in the places that it has for them.
func (c command) request(app ident.AppName, by [2]string) (ledger.Request, error) {
	if c.Erasure != nil {
		return c.Erasure.request(app, by)
	}
	if c.Proof != nil {
		return c.Proof.request(app, by)
	}
	event, err := named(c.Event, by)
	if err != nil {
		return ledger.Request{}, err
	}
	r, err := parse.OperatorEvent(app, event)
	r.RecordedBy = by[0]
	return r, err
}

// places are the members of data in which types of event name persons who decide.
var places = map[string]string{
	"record.voided": "by", "build.voided": "by", // both
	"exemption.invoked": "approver", "disclosure.made": "approver", "access.approved": "approver",
	"request.rejected": "approved_by",
}

// named returns an event with the two in it. An event that names somebody itself is
// refused: where principals are authenticated, names are not taken for them.
func named(event jsontext.Value, by [2]string) ([]byte, error) {
	var members map[string]jsontext.Value
	if err := json.Unmarshal(event, &members); err != nil || members == nil {
		return nil, malformed("event", "event: must be a CloudEvent, a JSON object")
	}
	var kind string
	_ = json.Unmarshal(members["type"], &kind) // what is no text has no type, and is refused as an event
	place := places[parse.Canonical(kind)]
	if place == "" {
		return event, nil
	}
	data := map[string]jsontext.Value{}
	if v := members["data"]; len(v) > 0 && json.Unmarshal(v, &data) != nil {
		return event, nil // which is refused as an event
	}
	if _, names := data[place]; names {
		return nil, refusal.Refusal{Code: refusal.NamesNotTaken, Path: "data." + place,
			Text: "data." + place + ": leave it out: the two are who proposes this and who approves it, and they are " +
				"authenticated"}
	}

	value := any(by[1])
	if place == "by" {
		value = by
	}
	var err error
	if data[place], err = json.Marshal(value); err == nil {
		members["data"], err = json.Marshal(data, json.Deterministic(true))
	}
	if err != nil {
		return nil, fmt.Errorf("approval: an event does not make JSON: %w", err)
	}
	return json.Marshal(members, json.Deterministic(true))
}

// request reads an order to erase.
func (e Erasure) request(app ident.AppName, by [2]string) (ledger.Request, error) {
	who, err := ident.ParsePersonKey(e.Subject)
	if err != nil {
		return ledger.Request{}, malformed("erasure.subject", "erasure.subject: "+err.Error())
	}

	if e.ID == "" || len(e.ID) > 512 {
		return ledger.Request{}, malformed("erasure.id",
			"erasure.id: is missing or too long: give 1 to 512 bytes of text")
	}

	cmd := domain.OrderErasure{Reason: e.Reason, By: by}
	if e.Evidence != "" {
		if cmd.Evidence, err = content.ParseNamedHash(e.Evidence); err != nil {
			return ledger.Request{}, malformed("erasure.evidence",
				"erasure.evidence: a hash is written sha256: and 64 lower-case hex digits")
		}
	}

	body, err := json.Marshal(struct {
		Erasure
		By [2]string `json:"by"`
	}{e, by}, json.Deterministic(true))
	if err != nil {
		return ledger.Request{}, fmt.Errorf("approval: an erasure does not make JSON: %w", err)
	}

	return ledger.Request{
		App: app, Person: who, Source: "erasure", ID: e.ID, Body: body,
		Actor: string(ident.Operator), RecordedBy: by[0], Command: cmd,
	}, nil
}

// reasons are the members of data that say why, in the order in which they are looked for.
var reasons = []string{"reason", "codes", "what", "ground"}

// reason returns what whoever decides is told, if it was not said: what the command itself
// says in the clear.
func (c command) reason(said string) (string, error) {
	if said == "" && c.Erasure != nil {
		said = c.Erasure.Reason
	}

	if said == "" && c.Proof != nil {
		said = c.Proof.Reason
	}

	if said == "" && len(c.Event) > 0 {
		var event struct {
			Data map[string]jsontext.Value `json:"data"`
		}
		_ = json.Unmarshal(c.Event, &event) // it was read before
		i := slices.IndexFunc(reasons,
			func(name string) bool { return json.Unmarshal(event.Data[name], &said) == nil && said != "" })
		if i < 0 {
			said = ""
		}
	}

	said = strings.TrimSpace(said)
	if said == "" || len(said) > proposal.MaxReason {
		return "", refusal.Refusal{Code: refusal.ReasonMissing, Path: "reason",
			Text: "reason: say why, in 1 to 500 bytes, for whoever decides"}
	}

	if ident.HoldsPersonal(said) {
		return "", malformed("reason",
			"reason: is kept in the clear, and holds what looks like a phone number, an identity-card number or an "+
				"e-mail address: leave it out")
	}
	return said, nil
}

func malformed(path, text string) error {
	return refusal.Refusal{Code: refusal.Malformed, Path: path, Text: text}
}
