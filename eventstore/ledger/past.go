package ledger

import (
	"context"
	"iter"
	"slices"
	"strings"

	"consentledger/domain"
	"consentledger/domain/ident"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
)

// A Past tells what was known of one app and its persons at positions of the
// log. It knows the app's policies as far as the log went when it was made, and
// keeps the newest that it folded; persons it folds anew whenever it is asked.
// It is used by one goroutine.
type Past struct {
	ledger *Ledger
	app    ident.AppName
	marks  []eventstore.Position // of all that a reference is made of

	mark eventstore.Position // whose reference ref is; zero: none yet
	ref  domain.Reference
}

// Past returns the past of an app. One that is not registered is a refusal.
func (l *Ledger) Past(ctx context.Context, app ident.AppName) (*Past, error) {
	if err := l.fresh.now(ctx); err != nil {
		return nil, err
	}
	if _, err := l.reference(ctx, app); err != nil {
		return nil, err
	}

	p := &Past{ledger: l, app: app}
	for e, err := range p.entries(ctx, ident.OwnStreams(app)) {
		if err != nil {
			return nil, err
		}
		p.marks = append(p.marks, e.Position)
	}
	return p, nil
}

// App returns the app.
func (p *Past) App() ident.AppName { return p.app }

// entries yields what streams hold, in the order of the log.
func (p *Past) entries(ctx context.Context, streams []ident.StreamID) iter.Seq2[codec.Entry, error] {
	return func(yield func(codec.Entry, error) bool) { p.ledger.merged(ctx, streams, yield) }
}

// Reference returns what decisions looked up once the record at a position was
// there.
func (p *Past) Reference(ctx context.Context, until eventstore.Position) (domain.Reference, error) {
	i, found := slices.BinarySearch(p.marks, until)
	if found {
		i++
	}
	if i == 0 {
		return domain.Reference{}, nil
	}

	if mark := p.marks[i-1]; p.mark != mark {
		ref, err := p.ledger.referenceUntil(ctx, p.app, true, mark)
		if err != nil {
			return ref, err
		}
		p.mark, p.ref = mark, ref
	}
	return p.ref, nil
}

// Subject returns what was known then of the person with a pseudonym, with what
// crosses their links. Of nobody nothing is known.
func (p *Past) Subject(ctx context.Context, pseudonym string, until eventstore.Position) (domain.Subject, error) {
	if pseudonym == "" {
		return domain.Subject{}, nil
	}
	stream := ident.SubjectStream(p.app, pseudonym)
	f, err := p.ledger.foldAsOf(ctx, stream, true, until)
	if err != nil {
		return domain.Subject{}, err
	}
	return p.ledger.withLinks(ctx, stream, f.subject, true, until)
}

// Changes yields what may change the answers about a person, between two
// positions: after the first, up to the second. That is what was recorded of
// the person and of whom they are linked to, and of the app and its policies.
func (p *Past) Changes(
	ctx context.Context, pseudonym string, after, until eventstore.Position,
) iter.Seq2[codec.Entry, error] {
	return func(yield func(codec.Entry, error) bool) {
		streams := []ident.StreamID{ident.ServiceStream(p.app), ident.PolicyStream(p.app)}
		if pseudonym != "" {
			s, err := p.Subject(ctx, pseudonym, until)
			if err != nil {
				yield(codec.Entry{}, err)
				return
			}
			all, err := s.Reached(pseudonym, p.ledger.histories(ctx, p.app, true, until))
			if err != nil {
				yield(codec.Entry{}, err)
				return
			}
			streams = append(streams, ident.SubjectStream(p.app, pseudonym))
			for _, r := range all {
				streams = append(streams, ident.SubjectStream(p.app, r.Other))
			}
		}
		for e, err := range p.entries(ctx, streams) {
			switch {
			case err == nil && e.Position <= after:
				continue
			case err == nil && e.Position > until:
				return
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// Log yields what may be a finding, after a position and up to another: the first record
// of each of the app's persons, and every answer about one of them; or these of one person.
// Of a long log it decodes nothing else.
func (p *Past) Log(
	ctx context.Context, pseudonym string, after, until eventstore.Position,
) iter.Seq2[codec.Entry, error] {
	mine := ofApp(p.app)
	all := entries(picked(p.ledger.store.ReadAll(ctx, after), func(r eventstore.Recorded) bool {
		first := r.Revision == 1 && strings.HasPrefix(string(r.Stream), string(ident.SubjectNoun)+"-")
		return r.Position > until || (first || codec.KindOf(r.Type) == "check.answered") && mine(r)
	}))
	if pseudonym != "" {
		all = p.entries(ctx, []ident.StreamID{ident.SubjectStream(p.app, pseudonym),
			ident.AccessStream(p.app, pseudonym)})
	}

	return func(yield func(codec.Entry, error) bool) {
		for e, err := range all {
			switch {
			case err != nil:
				yield(e, err)
				return
			case e.Position > until:
				return
			case e.Position <= after:
				continue
			}
			if !yield(e, nil) {
				return
			}
		}
	}
}

// Find returns a record of a person's or of the app's, and whether it is there.
func (p *Past) Find(
	ctx context.Context, pseudonym string, id ident.EventID, until eventstore.Position,
) (found codec.Entry, ok bool, err error) {
	for e, err := range p.Changes(ctx, pseudonym, 0, until) {
		if err != nil {
			return found, false, err
		}
		if ident.EventID(e.ID) == id {
			return e, true, nil
		}
	}
	return found, false, nil
}
