package audit

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"

	"consentledger/api/audit/bundle"
	"consentledger/api/audit/receipt"
	"consentledger/api/wire"
	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/ident"
	"consentledger/domain/published"
	"consentledger/domain/refusal"
	"consentledger/eventstore"
	"consentledger/eventstore/blobs"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/codec/policydoc"
	"consentledger/eventstore/ledger"
	"consentledger/projections/transparency/merkle"
)

// A ReceiptRequest asks for the receipt of an answer.
type ReceiptRequest struct {
	Event    string `json:"event" doc:"of a consent.given, consent.refused or consent.withdrawn, or of a permission.revoked that withdraws"`
	Form     string `json:"form,omitzero" doc:"kantara (default) or iso27560"`
	Disclose bool   `json:"disclose,omitzero" doc:"with the person's own words, for the person"`
	Cosigned bool   `json:"cosigned,omitzero" doc:"proven in the newest tree that a quorum of witnesses signed"`
	wire.Accessor
}

// Receipt returns the receipt of a person's answer, in a form that others read.
func (x *Exporter) Receipt(
	ctx context.Context, app ident.AppName, ask ReceiptRequest, principal string,
) ([]byte, error) {
	if ask.Form == "" {
		ask.Form = receipt.Kantara
	}

	id, err := eventstore.ParseEventID(ask.Event)
	if err != nil {
		return nil, malformed("event: an event id is written as in 01234567-89ab-cdef-0123-456789abcdef")
	}

	index, err := x.Logs.Find(ctx, app, id)
	if err != nil {
		return nil, err
	}

	p, err := prove(ctx, x.Logs, x.Witnesses, app, index, ask.Cosigned)
	if err != nil {
		return nil, err
	}

	c, err := x.consent(ctx, app, p)
	if err != nil {
		return nil, err
	}

	if ask.Disclose {
		if c.Parts, err = x.words(ctx, c.Entry, ask, principal); err != nil {
			return nil, err
		}
	}

	text, err := receipt.Write(ask.Form, c)
	if err != nil {
		err = malformed(err.Error())
	}
	return text, err
}

// consent collects what a receipt is written from.
func (x *Exporter) consent(ctx context.Context, app ident.AppName, p merkle.Proof) (c receipt.Consent, err error) {
	if c.Entry, err = entryOf(p.Extra); err != nil {
		return c, err
	}
	version, ok := receipt.Version(c.Entry)
	if !ok {
		return c, malformed("event: the record is a " + c.Entry.Kind() +
			": receipts are of consents given, refused and withdrawn")
	}
	ref, err := x.Ledger.App(ctx, app)
	if err != nil {
		return c, err
	}
	c.App, c.Proof = ref.Service.App, p.Format()
	if c.Key, err = x.Logs.VerifierKey(app); err != nil {
		return c, err
	}

	if version != (content.Hash{}) {
		c.Policy, _ = ref.Policies.Version(version)
		if c.Document, err = x.document(ctx, c.Policy, version); err != nil {
			return c, err
		}
	}
	c.State, err = x.state(ctx, c, ref)
	return c, err
}

// state says where the person stands now with what the record is about, and with
// what was refused in the same act.
func (x *Exporter) state(ctx context.Context, c receipt.Consent, ref domain.Reference) (*receipt.State, error) {
	if x.Stand == nil {
		return nil, nil
	}
	s, now, err := x.Stand(ctx, c.Entry.Stream)
	if err != nil {
		return nil, err
	}

	state := &receipt.State{AsOf: now.String(), Purposes: []receipt.Purpose{}}
	if state.Voided, err = x.void(ctx, s, ref, c.Entry.Stream, ident.EventID(c.Entry.ID)); err != nil {
		return nil, err
	}
	ids := receipt.Purposes(c.Entry, c.Policy.Document)
	for _, f := range s.SameAct(ident.EventID(c.Entry.ID)) {
		r, about := receipt.RefusalOf(f, c.Policy.Document)
		if r.Voided, err = x.void(ctx, s, ref, c.Entry.Stream, f.ID); err != nil {
			return nil, err
		}
		state.Refused = append(state.Refused, r)
		for _, id := range about {
			if !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	for _, id := range ids {
		state.Purposes = append(state.Purposes, receipt.PurposeOf(id, s.Standing(id, now, ref)))
	}
	return state, nil
}

// void returns what voided an answer of a history; nil: nothing did. The fold
// knows whether; only then the record that says so is looked for.
func (x *Exporter) void(
	ctx context.Context, s domain.Subject, ref domain.Reference, history ident.StreamID, id ident.EventID,
) (*receipt.Void, error) {
	build, is := s.Voided(id, ref)
	if !is {
		return nil, nil
	}
	if build != (ident.EventID{}) {
		history = ident.StreamID{Noun: ident.ServiceNoun, App: history.App, ID: "main"}
	}

	for e, err := range x.Ledger.Stream(ctx, history) {
		if err != nil {
			return nil, err
		}
		v, ok := receipt.VoidOf(e)
		if !ok {
			continue
		}
		if r, one := e.Event.(domain.RecordVoided); ident.EventID(e.ID) == build ||
			one && slices.Contains(r.Records, id) {
			return v, nil
		}
	}
	return nil, fmt.Errorf("event %s was voided, and %s has no record that says so", eventstore.EventID(id), history)
}

// document returns a policy's document as it was published. Where its bytes were
// not kept, as older programs' demos did not, they are written again from the
// record: it holds all that the document says, and the version is their hash.
func (x *Exporter) document(ctx context.Context, p published.Policy, version content.Hash) ([]byte, error) {
	text, found, err := x.Blobs.Get(ctx, blobs.Hash(version))
	if err != nil || found {
		return text, err
	}
	if text, err = policydoc.Marshal(p.Document); err == nil && sha256.Sum256(text) == version {
		return text, nil
	}
	return nil, refusal.Refusal{Code: refusal.UnknownText,
		Text: "the policy document " + version.String() +
			", which the record names, is not kept here: no receipt can be made"}
}

// words opens what a consent holds of the person's own.
func (x *Exporter) words(
	ctx context.Context, e codec.Entry, ask ReceiptRequest, principal string,
) ([]bundle.Part, error) {
	access := wire.AccessOf(ask.Accessor, domain.AccessReceipt)
	access.Subject, access.Events, access.Records = e.Stream.ID, []ident.EventID{ident.EventID(e.ID)}, 1
	for _, p := range e.Parts {
		if p.Ref == e.Stream.ID {
			access.Parts++
		}
	}

	opened, err := x.Ledger.Access(ctx,
		ledger.Access{App: e.Stream.App, ID: rand.Text(), Actor: string(ident.Operator), RecordedBy: principal,
			DataAccessed: access})
	if err != nil {
		return nil, err
	}
	return disclosed(ctx, opened, e)
}

// entryOf decodes a record as a log has it.
func entryOf(record []byte) (codec.Entry, error) {
	var name struct{ ID, Type, Stream string }
	if err := json.Unmarshal(record, &name); err != nil {
		return codec.Entry{}, err
	}
	id, err := eventstore.ParseEventID(name.ID)
	if err != nil {
		return codec.Entry{}, err
	}
	return codec.Decode(eventstore.Recorded{Record: eventstore.Record{ID: id, Type: name.Type, Data: record},
		Stream: eventstore.Stream(name.Stream)})
}
