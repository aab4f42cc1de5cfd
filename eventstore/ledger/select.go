package ledger

import (
	"context"
	"iter"
	"slices"

	"consentledger/domain"
	"consentledger/domain/catalog"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
)

// A Selection says which entries a replay is about. Zero fields let all
// through.
//
// From and To cut the log in two places, and everything between them is in the
// span: the first record that was recorded at From or later begins it, the
// first at To or later ends it. So spans that meet share no record and leave
// none out, although times run a little behind positions now and then.
type Selection struct {
	App      ident.AppName   // must be registered
	Person   ident.PersonKey // wants App
	Type     string          // as in consent.given, whatever its version; obligation.opened: also of facts that say what is owed since
	From, To deadline.Instant
	After    eventstore.Position
	Until    eventstore.Position // zero: to the last there is
	Replays  bool                // with the records of who replayed; they are left out otherwise, unless Type asks for them
}

// Select finds the entries of s, which come oldest first, and stops reading
// where its span ends. An app that is not registered is a refusal. Somebody
// who is not known has no entries.
func (l *Ledger) Select(ctx context.Context, s Selection) (iter.Seq2[codec.Entry, error], error) {
	if s.App != "" {
		if _, err := l.reference(ctx, s.App); err != nil {
			return nil, err
		}
	}

	after, until, err := l.between(ctx, s)
	if err != nil {
		return nil, err
	}

	all := l.Replay(ctx, after)
	if s.Person != (ident.PersonKey{}) {
		all = l.History(ctx, s.App, s.Person)
	}

	return func(yield func(codec.Entry, error) bool) {
		for e, err := range all {
			if err == nil && e.Position > until {
				return
			}
			if err == nil && (e.Position <= after || !s.lets(e)) {
				continue
			}
			if !yield(e, err) {
				return
			}
		}
	}, nil
}

// between returns the positions that s lies between: after the first, up to
// the second.
func (l *Ledger) between(ctx context.Context, s Selection) (after, until eventstore.Position, err error) {
	if err := l.Place(s.After); err != nil {
		return 0, 0, err
	}

	after, until = s.After, ^eventstore.Position(0)
	if s.Until != 0 {
		until = s.Until
	}

	if s.From != 0 {
		from, err := l.known.position(ctx, l.store, s.From-1)
		if err != nil {
			return 0, 0, err
		}
		after = max(after, from)
	}

	if s.To != 0 {
		to, err := l.known.position(ctx, l.store, s.To-1)
		if err != nil {
			return 0, 0, err
		}
		until = min(until, to)
	}
	return after, until, nil
}

func (s Selection) lets(e codec.Entry) bool {
	if a, access := e.Event.(domain.DataAccessed); access && a.Kind == domain.AccessReplay && !s.Replays &&
		s.Type == "" {
		return false // or whoever asks for what is new would make what is new
	}
	opens := len(e.Owing) > 0 && s.Type == "obligation.opened"
	return (s.App == "" || e.Stream.App == s.App) && (s.Type == "" || e.Kind() == s.Type || opens)
}

// IsType reports whether records of the type with that name exist.
func IsType(name string) bool {
	_, note := catalog.NoteRuleOf(catalog.Note(name))
	_, step := catalog.StepRuleOf(catalog.Step(name))
	return note || step || slices.ContainsFunc(codec.Types(),
		func(shape string) bool { return codec.KindOf(shape) == name })
}
