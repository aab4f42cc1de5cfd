package outbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"consentledger/api/wire"
	"consentledger/domain"
	"consentledger/domain/cases"
	"consentledger/domain/ident"
	"consentledger/eventstore/codec"
)

// A Topic is what events are about. Each has a stream of its own.
type Topic uint8

const (
	// Obligations: what is owed. Its events hold nothing personal.
	Obligations Topic = iota
	// Consents: what persons said. Its events name persons as their app does.
	Consents
)

// An Event is a CloudEvent that an app is told.
type Event struct {
	App       ident.AppName
	ID, Type  string
	Pseudonym string // of the person whom a consent is of; empty: it is of none
	Body      []byte
}

// Events returns what is told of an entry about a topic, in order.
func Events(ctx context.Context, l Ledger, t Topic, e codec.Entry) (all []Event, err error) {
	for _, part := range t.parts(e) {
		event, err := t.event(ctx, l, part)
		if err != nil {
			return nil, err
		}
		all = append(all, event)
	}
	return all, nil
}

// parts returns of what in an entry is told: each is an event.
func (t Topic) parts(e codec.Entry) []codec.Entry {
	if t == Obligations {
		return wire.Told(e)
	}
	if wire.IsConsentChange(e) {
		return []codec.Entry{e}
	}
	return nil
}

func (t Topic) event(ctx context.Context, l Ledger, e codec.Entry) (Event, error) {
	if t == Obligations {
		return obligationEvent(ctx, l, e)
	}
	return consentEvent(ctx, l, e)
}

func obligationEvent(ctx context.Context, l Ledger, e codec.Entry) (Event, error) {
	duties, err := dutiesOf(ctx, l, e)
	if err != nil {
		return Event{}, err
	}
	out, ok := wire.OutgoingOf(e, duties)
	if !ok {
		return Event{}, &codec.UnreadableError{
			Position: e.Position, Type: e.Type,
			Err: errors.New("it is about an obligation that its stream does not know"),
		}
	}
	return Event{App: ident.AppName(out.Data.App), ID: out.ID, Type: out.Type, Body: written(out)}, nil
}

// consentEvent looks up who is meant when the event is sent: whoever was erased by then is
// not named.
func consentEvent(ctx context.Context, l Ledger, e codec.Entry) (Event, error) {
	who, _, err := l.Outside(ctx, e.Stream.App, e.Stream.ID)
	if err != nil {
		return Event{}, fmt.Errorf("record %d: whose it is: %w", e.Position, err)
	}
	out := wire.ConsentChangeOf(e, who)
	return Event{App: e.Stream.App, ID: out.ID, Type: out.Type, Pseudonym: e.Stream.ID, Body: written(out)}, nil
}

func written(event any) []byte {
	body, err := json.Marshal(event)
	if err != nil {
		panic("outbox: an event does not make JSON: " + err.Error())
	}
	return body
}

// dutiesOf returns those that e is of. The fact that opens one says all of it.
func dutiesOf(ctx context.Context, l Ledger, e codec.Entry) (cases.Duties, error) {
	if _, opens := e.Event.(domain.ObligationOpened); opens {
		duties, _ := cases.Duties{}.Evolve(e.Fact())
		return duties, nil
	}
	return l.Duties(ctx, e.Stream)
}
