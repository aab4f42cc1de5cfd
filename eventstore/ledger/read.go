package ledger

import (
	"context"
	"encoding/json"
	"iter"
	"slices"

	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/refusal"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/vault"
)

// An AsOf is a moment in what the ledger knew. The zero AsOf is now.
type AsOf struct {
	KnownAt deadline.Instant

	// Cached takes what this process knows, which may lack what another has just
	// recorded: enough for whoever takes only an opt-out from it. See [State.Cached].
	Cached bool
}

// A State is what the ledger knows of one person, as of a position.
type State struct {
	Subject   domain.Subject
	Reference domain.Reference
	Position  eventstore.Position // the last record of the person that counts; zero: none
	Stream    string              // empty if the person is not known
	// another process may have recorded more: no grant may be taken from it; set with an error too
	Cached bool
}

// State answers from the ledger's own fold: it is never behind. Somebody who
// is not known has the zero Subject. An error means that nothing can be said.
func (l *Ledger) State(ctx context.Context, app ident.AppName, who ident.PersonKey, asOf AsOf) (State, error) {
	ctx, cancel := l.fresh.patiently(ctx)
	defer cancel()
	s := State{Cached: asOf.Cached && l.fresh.shared}
	if !asOf.Cached {
		if err := l.fresh.now(ctx); err != nil {
			return s, err
		}
	}

	until := eventstore.Position(0)
	if asOf.KnownAt != 0 {
		var err error
		if until, err = l.known.position(ctx, l.store, asOf.KnownAt); err != nil {
			return s, err
		}
	}

	ref, err := l.referenceUntil(ctx, app, asOf.KnownAt != 0, until)
	if err != nil {
		return s, err
	}

	s.Reference = ref
	p, ok, err := l.find(ctx, app, who)
	if err != nil || !ok {
		return s, err
	}

	stream := subjectStream(p)
	f, err := l.foldAsOf(ctx, stream, asOf.KnownAt != 0, until)
	if err != nil {
		return s, err
	}

	s.Position, s.Stream = f.position, stream.String()
	s.Subject, err = l.withLinks(ctx, stream, f.subject, asOf.KnownAt != 0, until)
	return s, err
}

// find returns the person that an outside id leads to. If the history of whom the
// vault remembers has ended, another process may know the id by the next person's.
func (l *Ledger) find(ctx context.Context, app ident.AppName, who ident.PersonKey) (*vault.Person, bool, error) {
	p, ok, err := l.vault.Find(ctx, lookup(app, who))
	if err != nil || !ok || !l.fresh.shared {
		return p, ok, err
	}
	f, err := l.fold(ctx, subjectStream(p))
	if err != nil || f.subject.Ended() == 0 {
		return p, true, err
	}
	return l.vault.FindAnew(ctx, lookup(app, who))
}

// foldAsOf returns the fold of a stream now, or as it was at a position. Where
// nothing was recorded in the stream since, that is the fold of now, which need not
// be read.
func (l *Ledger) foldAsOf(
	ctx context.Context, stream ident.StreamID, past bool, until eventstore.Position,
) (*fold, error) {
	switch {
	case !past:
		return l.fold(ctx, stream)
	case until == 0:
		return newFold(), nil
	}
	if f, ok := l.folds.unchanged(stream, until); ok {
		return f, nil
	}
	return l.foldUntil(ctx, stream, until)
}

// reference returns what decisions of an app look up now. An app that is not
// registered is a refusal.
func (l *Ledger) reference(ctx context.Context, app ident.AppName) (domain.Reference, error) {
	return l.referenceUntil(ctx, app, false, 0)
}

func (l *Ledger) referenceUntil(
	ctx context.Context, app ident.AppName, past bool, until eventstore.Position,
) (domain.Reference, error) {
	service, err := l.fold(ctx, ident.ServiceStream(app))
	if err != nil {
		return domain.Reference{}, err
	}

	if !service.service.Registered() {
		return domain.Reference{}, refusal.Refusal{Code: refusal.UnknownApp,
			Text: "the app " + refusal.Quote(string(app)) + " is not registered; see consentledger app add"}
	}

	policies, err := l.foldAsOf(ctx, ident.PolicyStream(app), past, until)
	if err != nil {
		return domain.Reference{}, err
	}

	surfaces, err := l.foldAsOf(ctx, ident.SurfaceStream(app), past, until)
	if err != nil {
		return domain.Reference{}, err
	}

	calendars, err := l.foldAsOf(ctx, ident.CalendarStream(app), past, until)
	if err != nil {
		return domain.Reference{}, err
	}

	ref := domain.Reference{Service: service.service, Policies: policies.policies, Surfaces: surfaces.surfaces,
		Calendars: calendars.calendars}
	if past {
		known, err := l.foldAsOf(ctx, ident.ServiceStream(app), past, until)
		if err != nil {
			return domain.Reference{}, err
		}
		ref.Service = known.service
		ref.Service.App = service.service.App // registered or not is no question of then
	}
	return ref, nil
}

// App returns what is known about an app and its policies.
func (l *Ledger) App(ctx context.Context, app ident.AppName) (domain.Reference, error) {
	if err := l.fresh.now(ctx); err != nil {
		return domain.Reference{}, err
	}
	return l.reference(ctx, app)
}

// Groups returns which of some apps are in which group, in the order of apps. An app that is
// not registered is in none.
func (l *Ledger) Groups(ctx context.Context, apps []ident.AppName) (map[string][]ident.AppName, error) {
	if err := l.fresh.now(ctx); err != nil {
		return nil, err
	}

	groups := map[string][]ident.AppName{}
	for _, app := range apps {
		service, err := l.fold(ctx, ident.ServiceStream(app))
		if err != nil {
			return nil, err
		}
		if name := service.service.App.Group; name != "" {
			groups[name] = append(groups[name], app)
		}
	}
	return groups, nil
}

// Subject returns what is known of the person of a stream.
func (l *Ledger) Subject(ctx context.Context, stream ident.StreamID) (domain.Subject, error) {
	f, err := l.fold(ctx, stream)
	return f.subjectOrNone(), err
}

// SubjectAt is [Ledger.Subject] as of a position up to which the caller follows
// the log: what this process knows of the stream is looked at first.
func (l *Ledger) SubjectAt(
	ctx context.Context, stream ident.StreamID, at eventstore.Position,
) (domain.Subject, error) {
	if f, ok := l.folds.get(stream); ok && f.position <= at {
		return f.subjectOrNone(), nil
	}
	f, err := l.foldAsOf(ctx, stream, true, at)
	return f.subjectOrNone(), err
}

// Whole is [Ledger.Subject] with what crosses the person's links.
func (l *Ledger) Whole(ctx context.Context, stream ident.StreamID) (domain.Subject, error) {
	s, err := l.Subject(ctx, stream)
	if err != nil {
		return s, err
	}
	return l.withLinks(ctx, stream, s, false, 0)
}

// History yields the entries of one person, oldest first, and those of their
// requests. Somebody who is not known has none.
func (l *Ledger) History(ctx context.Context, app ident.AppName, who ident.PersonKey) iter.Seq2[codec.Entry, error] {
	return func(yield func(codec.Entry, error) bool) {
		err := l.fresh.now(ctx)
		if err != nil {
			yield(codec.Entry{}, err)
			return
		}
		p, ok, err := l.find(ctx, app, who)
		if err != nil {
			yield(codec.Entry{}, err)
		}
		if err != nil || !ok {
			return
		}
		subject := subjectStream(p)
		f, err := l.fold(ctx, subject)
		if err != nil {
			yield(codec.Entry{}, err)
			return
		}
		streams := []ident.StreamID{subject}
		for _, id := range f.subject.Requests() {
			streams = append(streams, ident.RequestStream(app, id))
		}
		l.merged(ctx, streams, yield)
	}
}

// merged yields the entries of several streams in the order of their positions.
func (l *Ledger) merged(ctx context.Context, streams []ident.StreamID, yield func(codec.Entry, error) bool) {
	type head struct {
		codec.Entry
		next func() (codec.Entry, error, bool)
	}
	var heads []head
	for _, s := range streams {
		next, stop := iter.Pull2(l.readStream(ctx, s))
		defer stop()
		e, err, ok := next()
		if err != nil {
			yield(e, err)
			return
		}
		if ok {
			heads = append(heads, head{e, next})
		}
	}

	for len(heads) > 0 {
		first := 0
		for i := range heads {
			if heads[i].Position < heads[first].Position {
				first = i
			}
		}
		if !yield(heads[first].Entry, nil) {
			return
		}
		e, err, ok := heads[first].next()
		if err != nil {
			yield(e, err)
			return
		}
		if heads[first].Entry = e; !ok {
			heads = slices.Delete(heads, first, first+1)
		}
	}
}

// Pseudonym returns the name that the log has for a person, and whether it has
// one.
func (l *Ledger) Pseudonym(ctx context.Context, app ident.AppName, who ident.PersonKey) (string, bool, error) {
	p, ok, err := l.find(ctx, app, who)
	if err != nil || !ok {
		return "", false, err
	}
	return p.Pseudonym.String(), true, nil
}

func (l *Ledger) readStream(ctx context.Context, stream ident.StreamID) iter.Seq2[codec.Entry, error] {
	return entries(l.store.ReadStream(ctx, eventstore.Stream(stream.String()), 0))
}

// Stream yields the entries of one stream, oldest first.
func (l *Ledger) Stream(ctx context.Context, stream ident.StreamID) iter.Seq2[codec.Entry, error] {
	return l.readStream(ctx, stream)
}

// Replay yields the entries after position, then stops.
func (l *Ledger) Replay(ctx context.Context, after eventstore.Position) iter.Seq2[codec.Entry, error] {
	return entries(l.store.ReadAll(ctx, after))
}

// KnownAt returns the position up to which records count that were known at a
// moment; zero if none were.
func (l *Ledger) KnownAt(ctx context.Context, at deadline.Instant) (eventstore.Position, error) {
	if err := l.fresh.now(ctx); err != nil {
		return 0, err
	}
	return l.known.position(ctx, l.store, at)
}

// Head returns the position of the last durable record.
func (l *Ledger) Head(ctx context.Context) (eventstore.Position, error) { return l.store.Head(ctx) }

// Place returns a refusal if a position that somebody kept, to go on from there, is of
// a store that the ledger was in before it moved to this one: no record has it here.
func (l *Ledger) Place(at eventstore.Position) error {
	if at == 0 || at > eventstore.Before(l.store) {
		return nil
	}
	return refusal.Refusal{Code: refusal.Malformed,
		Text: "the ledger has moved to another store since this position or cursor was given out: ask again without " +
			"it, from the beginning"}
}

// entries reads records as entries and stops at the first it cannot read.
func entries(records iter.Seq2[eventstore.Recorded, error]) iter.Seq2[codec.Entry, error] {
	return func(yield func(codec.Entry, error) bool) {
		for r, err := range records {
			var e codec.Entry
			if err == nil {
				e, err = codec.Decode(r)
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// bindingOf returns the part that ties the first record of a stream to who the
// person is outside, so that a swapped vault entry is caught.
func bindingOf(who vault.Lookup, p *vault.Person) []codec.Plain {
	text, err := json.Marshal(map[string]string{"app": who.App, "id": who.ID, "kind": who.Kind,
		"pseudonym": p.Pseudonym.String()})
	if err != nil {
		panic("ledger: four strings do not make JSON: " + err.Error())
	}
	return []codec.Plain{{Role: "binding", Text: text}}
}
