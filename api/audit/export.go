package audit

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"iter"
	"os"
	"slices"
	"strings"
	"time"

	"consentledger/api/audit/bundle"
	"consentledger/api/audit/witness"
	"consentledger/api/query"
	"consentledger/api/wire"
	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/refusal"
	"consentledger/eventstore"
	"consentledger/eventstore/blobs"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/ledger"
	"consentledger/eventstore/vault"
	"consentledger/projections/transparency/merkle"
)

// An Exporter makes evidence bundles of the logs, see package bundle, and
// receipts of single consents. What it opens of what is personal, and every
// bundle, is an access that is recorded first.
type Exporter struct {
	Logs interface {
		Logs
		VerifierKey(app ident.AppName) (string, error)
	}
	Ledger interface {
		Pseudonym(ctx context.Context, app ident.AppName, who ident.PersonKey) (string, bool, error)
		App(ctx context.Context, app ident.AppName) (domain.Reference, error)
		Subject(ctx context.Context, stream ident.StreamID) (domain.Subject, error)
		Stream(ctx context.Context, stream ident.StreamID) iter.Seq2[codec.Entry, error]
		Access(ctx context.Context, a ledger.Access) (ledger.Opened, error)
	}
	Proofs interface { // of persons who are erased
		OpenProof(
			ctx context.Context, name vault.Pseudonym, disclosure ident.EventID, a ledger.Access,
		) (ledger.OpenedProof, error)
	}
	Witnesses *witness.Witnesses // nil: nothing is cosigned
	Blobs     interface {
		Get(ctx context.Context, h blobs.Hash) ([]byte, bool, error)
	}

	// Stand returns what is known of a person now, with what crosses their links.
	// Nil: receipts say nothing of how things stand.
	Stand func(ctx context.Context, stream ident.StreamID) (domain.Subject, deadline.Instant, error)

	Rejected func(ctx context.Context, app ident.AppName) (n int, known bool) // messages that wait; nil: not known
	Software bundle.Software
	Now      func() time.Time
}

// An ExportRequest is what is asked: without a subject and a span, everything.
type ExportRequest struct {
	Subject  string   `json:"subject,omitzero" doc:"account:ID, device:ID or ID; with the histories that are linked to it"`
	From     string   `json:"from,omitzero" doc:"RFC 3339, of recording times"`
	To       string   `json:"to,omitzero" doc:"not included"`
	Disclose bool     `json:"disclose,omitzero" doc:"open the personal texts: of the subject, or of everybody"`
	Events   []string `json:"events,omitzero" doc:"open only the texts of these records"`
	Roles    []string `json:"roles,omitzero" doc:"open only the texts in these roles, as in details"`
	Lang     string   `json:"lang,omitzero" doc:"of the report: en, zh"`
	Cosigned bool     `json:"cosigned,omitzero" doc:"of the newest tree that a quorum of witnesses signed, which may lack the newest records"`
	wire.Accessor
}

// Export writes the bundle that was asked for into a file, which is the
// caller's to close and has no name any more.
func (x *Exporter) Export(
	ctx context.Context, app ident.AppName, ask ExportRequest, principal string,
) (_ *os.File, err error) {
	f, err := os.CreateTemp("", "consentledger-export-*")
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name())
	if err = x.write(ctx, f, app, ask, principal); err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func malformed(text string) error { return refusal.Refusal{Code: refusal.Malformed, Text: text} }

func (x *Exporter) write(
	ctx context.Context, w io.Writer, app ident.AppName, ask ExportRequest, principal string,
) error {
	if !ask.Disclose && len(ask.Events)+len(ask.Roles) > 0 {
		return malformed("events and roles say what to open: say disclose too")
	}
	if ask.Lang == "" {
		ask.Lang = "en"
	}
	if !slices.Contains([]string{"en", "zh"}, ask.Lang) {
		return malformed("lang: want en or zh")
	}

	m := bundle.Maker{
		Tiles: func(t merkle.Tile) ([]byte, error) { return x.Logs.Tile(ctx, app, t) }, Blob: x.blobOf(app),
		Software: x.Software, Now: x.Now(), Lang: ask.Lang,
		Show: bundle.Show{All: ask.Disclose, Events: ask.Events, Roles: ask.Roles},
	}
	var err error
	if m.Tree, m.Checkpoint, err = x.tree(app, ask.Cosigned); err != nil {
		return err
	}
	if m.Key, err = x.Logs.VerifierKey(app); err != nil {
		return err
	}

	s, err := x.selection(ctx, app, ask)
	if err != nil {
		return err
	}

	if x.Rejected != nil {
		if n, known := x.Rejected(ctx, app); known {
			m.Rejected = &n
		}
	}

	m.Open = func(ctx context.Context, records, parts int) (bundle.Opener, error) {
		return x.open(ctx, s, ask, principal, records, parts)
	}
	_, err = m.Write(ctx, w, s)
	return err
}

// tree returns the newest checkpoint, or the newest that a quorum of witnesses
// signed, and what was signed.
func (x *Exporter) tree(app ident.AppName, cosigned bool) (merkle.Checkpoint, []byte, error) {
	if cosigned {
		return cosignedOf(x.Witnesses, app)
	}
	signed, err := x.Logs.Checkpoint(app)
	if err != nil {
		return merkle.Checkpoint{}, nil, err
	}
	text, _, _ := strings.Cut(string(signed), "\n\n")
	c, err := merkle.ParseCheckpoint(text + "\n")
	return c, signed, err
}

// open records the access of a bundle, for each history of the person who is
// selected, and returns what opens its parts.
func (x *Exporter) open(
	ctx context.Context, s bundle.Selection, ask ExportRequest, principal string, records, parts int,
) (bundle.Opener, error) {
	access := wire.AccessOf(ask.Accessor, domain.AccessExport)
	access.From, access.To, access.Roles, access.Records, access.Parts = s.From, s.To, ask.Roles, records, parts
	for _, id := range ask.Events {
		e, err := eventstore.ParseEventID(id)
		if err != nil {
			return nil, malformed("events: an event id is written as in 01234567-89ab-cdef-0123-456789abcdef")
		}
		access.Events = append(access.Events, ident.EventID(e))
	}

	var all []ledger.Opened
	for _, subject := range append([]string{s.Subject}, s.Linked...) {
		access.Subject = subject
		opened, err := x.Ledger.Access(ctx,
			ledger.Access{App: s.App, ID: rand.Text(), Actor: string(ident.Operator), RecordedBy: principal,
				DataAccessed: access})
		if err != nil {
			return nil, err
		}
		all = append(all, opened)
	}

	return func(ctx context.Context, record []byte) ([]bundle.Part, error) {
		e, err := entryOf(record)
		if err != nil {
			return nil, err
		}
		var parts []bundle.Part
		for _, opened := range all {
			more, err := disclosed(ctx, opened, e)
			if err != nil {
				return nil, err
			}
			parts = append(parts, more...)
		}
		return parts, nil
	}, nil
}

// disclosed opens what an access covers of an entry.
func disclosed(ctx context.Context, opened ledger.Opened, e codec.Entry) ([]bundle.Part, error) {
	open, err := opened.Disclose(ctx, e)
	if err != nil {
		return nil, err
	}
	var parts []bundle.Part
	for _, d := range open {
		parts = append(parts, bundle.Part{Event: e.ID.String(), Role: d.Role, Ref: d.Ref, Text: []byte(d.Text.Reveal()),
			Opening: d.Opening[:]})
	}
	return parts, nil
}

func (x *Exporter) selection(ctx context.Context, app ident.AppName, ask ExportRequest) (bundle.Selection, error) {
	s := bundle.Selection{App: app}
	for _, t := range []struct {
		name, text string
		to         *deadline.Instant
	}{{"from", ask.From, &s.From}, {"to", ask.To, &s.To}} {
		var err error
		if t.text == "" {
			continue
		}
		if *t.to, err = deadline.ParseInstant(t.text); err != nil {
			return s, malformed(t.name + ": " + err.Error())
		}
		if *t.to, err = query.HasCome(t.name, *t.to, deadline.At(x.Now())); err != nil {
			return s, err
		}
	}
	if s.To != 0 && s.To < s.From {
		return s, malformed("to: is before from")
	}

	if ask.Subject == "" {
		return s, nil
	}
	who, err := ident.ParsePersonKey(ask.Subject)
	if err != nil {
		return s, malformed("subject: " + err.Error())
	}
	pseudonym, found, err := x.Ledger.Pseudonym(ctx, app, who)
	if err != nil {
		return s, err
	}
	if !found {
		return s, refusal.Refusal{Code: refusal.UnknownPerson,
			Text: "nothing is known of this person; who was erased is known by nobody's id", Path: "subject"}
	}
	s.Subject = pseudonym
	s.Linked, err = x.linked(ctx, app, pseudonym)
	return s, err
}

// linked returns the histories of the same person that are linked now, through
// each other too: what was said there may be why nothing is allowed here.
func (x *Exporter) linked(ctx context.Context, app ident.AppName, pseudonym string) ([]string, error) {
	history := func(of string) (domain.Subject, error) {
		return x.Ledger.Subject(ctx, ident.SubjectStream(app, of))
	}

	subject, err := history(pseudonym)
	if err != nil {
		return nil, err
	}

	reached, err := subject.Reached(pseudonym, history)
	if err != nil {
		return nil, err
	}

	var all []string
	for _, r := range reached {
		if r.Now {
			all = append(all, r.Other)
		}
	}

	slices.Sort(all)
	return all, nil
}

// blobOf returns what reads an app's texts. A policy's document that was not kept is
// written again from its record, see [Exporter.document].
func (x *Exporter) blobOf(app ident.AppName) func(ctx context.Context, hash string) ([]byte, bool, error) {
	return func(ctx context.Context, hash string) ([]byte, bool, error) {
		h, err := blobs.ParseHash(hash)
		if err != nil {
			return nil, false, nil
		}
		text, found, err := x.Blobs.Get(ctx, h)
		if err != nil || found {
			return text, found, err
		}

		ref, err := x.Ledger.App(ctx, app)
		if err != nil {
			return nil, false, err
		}
		p, published := ref.Policies.Version(content.Hash(h))
		if !published {
			return nil, false, nil
		}
		text, err = x.document(ctx, p, content.Hash(h))
		if wire.IsRefusal(err) {
			return nil, false, nil
		}
		return text, err == nil, err
	}
}
