package followup

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"

	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
)

// A share is what a checkpoint says of one app, or a part of that: of each list at
// most some items, so that none takes much memory to write. Of an app there is at
// least one, which says also what there is one of. What is open stands in shares of its
// own: see [Process.openShares].
type share struct {
	app     ident.AppName
	reached []string // duties and rules that a count of persons has opened

	began    []begun
	steps    []recordPlace
	owed     []owing
	held     []ident.StreamID
	agreed   []string
	linked   []string
	crossing []crossing
	done     []doneThen
	goOn     []goingOn
	ended    []string
	in       []gone

	open     []string // the rows of the [shelf]
	openings []keptOpening
	opened   []keptOpening // the one that opened last, if any, by this request
	request  [16]byte

	ages   []age
	untold []untold
}

// The items of maps.
type (
	begun struct {
		incident, kind string
		at             deadline.Instant
	}
	owing    struct{ incident, what string }
	doneThen struct {
		person string
		at     deadline.Instant
	}
	goingOn struct{ request, in string }
	gone    struct {
		in   string
		from []ident.StreamID
	}
)

// A keptOpening is an [opening]: the facts that it knows are read again.
type keptOpening struct {
	wanted
	since []recordPlace
}

// An age is the record that has a person's birth date, and the band of age that was
// recorded last.
type age struct {
	fact recordPlace
	band domain.AgeBand
}

// shareItems is how many items of a list stand in one share.
const shareItems = 1000

// openItems is how many rows of what is open do: they are longer.
const openItems = 200

// items returns about how many items a checkpoint would have.
func (r *Process) items() int {
	n := len(r.birthdays) + r.shelf.streams
	for _, a := range r.apps {
		n += len(a.agreed) + len(a.done) + len(a.crossed) + len(a.places) + len(a.duplicates.ended)
	}
	return n
}

// shares returns all that is remembered, but for what is open and what [Process.learnApp]
// is told again.
func (r *Process) shares(yield func(share) bool) {
	ages, told := r.ages(), r.toBeTold()
	for _, name := range slices.Sorted(maps.Keys(r.apps)) {
		s := r.apps[name].share()
		s.app, s.ages, s.untold = name, ages[name], told[name]
		for part := range s.parts {
			if !yield(part) {
				return
			}
		}
	}
}

// openShares yields what is open.
func (r *Process) openShares(ctx context.Context) iter.Seq2[share, error] {
	return func(yield func(share, error) bool) {
		for _, name := range slices.Sorted(maps.Keys(r.apps)) {
			s := share{app: name}
			for row, err := range r.shelf.open(ctx, name) {
				if err != nil {
					yield(share{}, err)
					return
				}
				if s.open = append(s.open, string(row)); len(s.open) < openItems {
					continue
				}
				if !yield(s, nil) {
					return
				}
				s.open = nil
			}
			if len(s.open) > 0 && !yield(s, nil) {
				return
			}
		}
	}
}

// ages returns the records of birth dates, by app.
func (r *Process) ages() map[ident.AppName][]age {
	list := map[ident.AppName][]age{}
	for stream, b := range r.birthdays {
		list[stream.App] = append(list[stream.App], age{b.fact, b.band})
	}
	for _, l := range list {
		slices.SortFunc(l, func(x, y age) int { return cmp.Compare(x.fact.position, y.fact.position) })
	}
	return list
}

// toBeTold returns what is to be told to groups, by app.
func (r *Process) toBeTold() map[ident.AppName][]untold {
	list := map[ident.AppName][]untold{}
	for _, e := range r.waiting.heap {
		if t, is := e.todo.(telling); is {
			list[t.fact.Stream.App] = append(list[t.fact.Stream.App], untold{placeIn(t.fact), t.apps})
		}
	}
	for _, l := range list {
		slices.SortFunc(l, func(x, y untold) int { return cmp.Compare(x.record.position, y.record.position) })
	}
	return list
}

// share returns what an app remembers.
func (a *app) share() share {
	s := share{
		reached: sorted(a.reached),
		agreed:  sorted(a.agreed),
		linked:  sorted(a.linked),
		ended:   sorted(a.duplicates.ended),
		request: a.request,
	}
	for incident, kinds := range byKey(a.began) {
		for kind, at := range byKey(kinds) {
			s.began = append(s.began, begun{incident, kind, at})
		}
	}

	for _, steps := range byKey(a.steps) {
		s.steps = append(s.steps, placesIn(steps)...)
	}

	for incident, what := range byKey(a.owed) {
		for key := range byKey(what) {
			s.owed = append(s.owed, owing{incident, key})
		}
	}

	for person, at := range byKey(a.done) {
		s.done = append(s.done, doneThen{person, at})
	}

	for request, in := range byKey(a.duplicates.goOn) {
		s.goOn = append(s.goOn, goingOn{request, in})
	}

	for in, from := range byKey(a.duplicates.in) {
		s.in = append(s.in, gone{in, from})
	}

	s.held = slices.SortedFunc(maps.Keys(a.held), compareStreams)
	s.crossing = slices.SortedFunc(maps.Keys(a.crossed), func(x, y crossing) int {
		return cmp.Or(cmp.Compare(x.history, y.history), slices.Compare(x.optOut[:], y.optOut[:]))
	})
	for _, id := range slices.SortedFunc(maps.Keys(a.places), compareStreams) {
		for _, o := range a.places[id].openings {
			s.openings = append(s.openings, o.kept())
		}
	}

	if a.opened != nil {
		s.opened = []keptOpening{a.opened.kept()}
	}
	return s
}

func (o *opening) kept() keptOpening { return keptOpening{o.wanted, placesIn(o.facts)} }

func compareStreams(x, y ident.StreamID) int {
	return cmp.Or(cmp.Compare(x.Noun, y.Noun), cmp.Compare(x.App, y.App), cmp.Compare(x.ID, y.ID))
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// byKey yields the items of a map in the order of its keys.
func byKey[V any](m map[string]V) iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		for _, key := range slices.Sorted(maps.Keys(m)) {
			if !yield(key, m[key]) {
				return
			}
		}
	}
}

// parts returns a share in parts of so many items of each list.
func (s *share) parts(yield func(share) bool) {
	part := share{app: s.app, opened: s.opened, request: s.request}
	for more := true; more; {
		more = false
		for _, left := range []bool{
			cut(&s.reached, &part.reached), cut(&s.began, &part.began), cut(&s.steps, &part.steps),
			cut(&s.owed, &part.owed), cut(&s.held, &part.held), cut(&s.agreed, &part.agreed),
			cut(&s.linked, &part.linked), cut(&s.crossing, &part.crossing), cut(&s.done, &part.done),
			cut(&s.goOn, &part.goOn),
			cut(&s.ended, &part.ended), cut(&s.in, &part.in),
			cut(&s.openings, &part.openings),
			cut(&s.ages, &part.ages), cut(&s.untold, &part.untold),
		} {
			more = more || left
		}
		if !yield(part) {
			return
		}
		part = share{app: s.app}
	}
}

// cut moves the first items of a list to part, and reports whether there are more.
func cut[T any](list, part *[]T) bool {
	n := min(len(*list), shareItems)
	*part, *list = (*list)[:n:n], (*list)[n:]
	return len(*list) > 0
}

// recall takes up what a share says.
func (r *Process) recall(ctx context.Context, s *share) error {
	a := r.apps[s.app]
	a.recall(s)
	steps, err := r.records(ctx, s.steps)
	if err != nil {
		return err
	}

	for _, e := range steps {
		a.steps[e.Stream.ID] = append(a.steps[e.Stream.ID], e)
	}
	if err := r.recallOpenings(ctx, a, s); err != nil {
		return err
	}

	for _, x := range s.untold {
		e, err := r.record(ctx, x.record)
		if err != nil {
			return err
		}
		r.tellLater(e, x.apps)
	}

	for _, x := range s.ages {
		e, err := r.record(ctx, x.fact)
		if err != nil {
			return err
		}
		born, _, err := r.bornOn(ctx, e)
		if err != nil {
			return err
		}
		if !born.IsZero() {
			r.birthdays[e.Stream] = birthday{born: born, fact: x.fact}
			r.schedule(e.Stream, x.band)
		}
	}
	return nil
}

// recallOpen puts what is open into the rows of the shelf.
func (r *Process) recallOpen(ctx context.Context, s *share) error {
	a := r.app(s.app)
	for _, row := range s.open {
		b, err := readBundle([]byte(row))
		if err != nil {
			return fmt.Errorf("%w: %w", errNone, err)
		}
		stream := b.open[0].stream
		a.streams[streamKey(stream)] = &shelved{stream: stream, open: b.open}
	}
	return r.shelve(ctx)
}

// recall takes up what needs no record.
func (a *app) recall(s *share) {
	for _, key := range s.reached {
		a.reached[key] = true
	}

	for _, x := range s.began {
		a.firsts(x.incident)[x.kind] = x.at
	}

	for _, x := range s.owed {
		a.owedFor(x.incident)[x.what] = true
	}

	for _, x := range s.held {
		a.held[x] = true
	}

	for _, person := range s.agreed {
		a.agreed[person] = struct{}{}
	}

	for _, person := range s.linked {
		a.linked[person] = struct{}{}
	}

	for _, x := range s.crossing {
		a.crossed[x] = struct{}{}
	}

	for _, x := range s.done {
		a.done[x.person] = x.at
	}

	for _, id := range s.ended {
		a.duplicates.ended[id] = true
	}

	for _, x := range s.goOn {
		a.duplicates.goOn[x.request] = x.in
	}

	for _, x := range s.in {
		a.duplicates.in[x.in] = x.from
	}
}

// recallOpenings takes up what shall open, and what opened last.
func (r *Process) recallOpenings(ctx context.Context, a *app, s *share) error {
	var opened []*opening
	for _, x := range slices.Concat(s.openings, s.opened) {
		since, err := r.records(ctx, x.since)
		if err != nil {
			return err
		}
		opened = append(opened, &opening{x.wanted, since})
	}

	for _, o := range opened[:len(s.openings)] {
		a.await(o)
	}
	if len(s.opened) > 0 {
		a.opened, a.request = opened[len(s.openings)], s.request
	}
	return nil
}
