package ledger

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

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
	App    ident.AppName   // must be registered
	Person ident.PersonKey // wants App
	// as in consent.given, whatever its version; obligation.opened: also of facts that say what is
	// owed since; none: all
	Types    []string
	From, To deadline.Instant
	After    eventstore.Position
	Until    eventstore.Position // zero: to the last there is
	// with the records of who replayed; they are left out otherwise, unless Types ask for them
	Replays bool
	Access  []domain.AccessKind // of records of accesses, only those of these kinds; none: all
	Last    int                 // only the newest so many; of several types or kinds so many of each; zero: all
}

// names returns under which names an [Index] keeps what s asks for; none: whatever there is.
func (s Selection) names() (names []string) {
	for _, kind := range s.Types {
		if kind != accessType || len(s.Access) == 0 {
			names = append(names, kind)
			continue
		}
		for _, access := range s.Access {
			names = append(names, PlaceOf(access))
		}
	}
	return names
}

// isUnder reports whether an [Index] keeps an entry under a name.
func isUnder(e *codec.Entry, name string) bool {
	if access, is := strings.CutPrefix(name, accessType+"/"); is {
		a, accessed := e.Event.(domain.DataAccessed)
		return accessed && string(a.Kind) == access
	}
	return e.Kind() == name || name == "obligation.opened" && len(e.Owing) > 0
}

// An Index knows where the records of a type lie in the log, as far as it has read it.
type Index interface {
	// Places returns the positions of an app's records of a type, or, empty, of any, behind one
	// position and up to another:
	// the newest of them, at most limit, in their order; whether there are more; and how far the index
	// has read the log. Of accesses it may be asked for those of one kind, see [PlaceOf].
	Places(ctx context.Context, app ident.AppName, kind string, after, until eventstore.Position, limit int) (
		places []eventstore.Position, more bool, asOf eventstore.Position, err error)
}

// PlaceOf returns under which name an [Index] keeps accesses of a kind, beside their type.
func PlaceOf(kind domain.AccessKind) string { return accessType + "/" + string(kind) }

const accessType = "data.accessed"

// scattered is how many records of one type are read one by one: of more than these the log is read
// from one end to the other, which costs less for each.
const scattered = 20_000

// Select finds the entries of s, which come oldest first, and stops reading
// where its span ends. An app that is not registered is a refusal. Somebody
// who is not known has no entries.
func (l *Ledger) Select(ctx context.Context, s Selection) (iter.Seq2[codec.Entry, error], error) {
	return l.SelectBy(ctx, s, nil)
}

// SelectBy is [Ledger.Select] that reads records of some types where an index says that they lie, and
// the log itself where the index cannot tell, or has not read it yet. Nil is no index.
func (l *Ledger) SelectBy(ctx context.Context, s Selection, index Index) (iter.Seq2[codec.Entry, error], error) {
	if s.App != "" {
		if _, err := l.reference(ctx, s.App); err != nil {
			return nil, err
		}
	}

	after, until, err := l.between(ctx, s)
	if err != nil {
		return nil, err
	}

	var all iter.Seq2[codec.Entry, error]
	switch {
	case s.Person != (ident.PersonKey{}):
		all = l.History(ctx, s.App, s.Person)
	case index != nil && s.App != "" && (len(s.Types) > 0 || s.Last > 0):
		all = l.ofTypes(ctx, s, after, until, index)
	default:
		all = l.Replay(ctx, after)
	}

	names := s.names()
	found := func(yield func(codec.Entry, error) bool) {
		for e, err := range all {
			if err == nil && e.Position > until {
				return
			}
			if err == nil && (e.Position <= after || !s.lets(&e, names)) {
				continue
			}
			if !yield(e, err) {
				return
			}
		}
	}
	if s.Last > 0 {
		return newest(found, names, s.Last), nil
	}
	return found, nil
}

// A Stored is an entry, and the bytes that the store has of it.
type Stored struct {
	codec.Entry
	Record []byte
}

// WithRecords yields entries with their bytes, which it reads from the store, so many at a time.
func (l *Ledger) WithRecords(
	ctx context.Context, all iter.Seq2[codec.Entry, error],
) iter.Seq2[Stored, error] {
	const atATime = 100

	return func(yield func(Stored, error) bool) {
		some := make([]codec.Entry, 0, atATime)
		for e, err := range all {
			if err == nil {
				some = append(some, e)
			}
			if err == nil && len(some) < atATime {
				continue
			}
			if !l.readRecords(ctx, some, yield) {
				return
			}
			if some = some[:0]; err != nil {
				yield(Stored{}, err)
				return
			}
		}
		l.readRecords(ctx, some, yield)
	}
}

// readRecords yields some entries with their bytes, and returns whether there may be more.
func (l *Ledger) readRecords(ctx context.Context, some []codec.Entry, yield func(Stored, error) bool) bool {
	if len(some) == 0 {
		return true
	}
	places := make([]eventstore.Position, len(some))
	for i, e := range some {
		places[i] = e.Position
	}

	read := 0
	for r, err := range l.store.ReadAt(ctx, places...) {
		if err == nil && (read == len(some) || r.Position != places[read]) {
			err = fmt.Errorf("the store gave record %d, which was not asked for", r.Position)
		}
		if err != nil {
			yield(Stored{}, err)
			return false
		}
		if !yield(Stored{some[read], r.Data}, nil) {
			return false
		}
		read++
	}

	if read < len(some) {
		yield(Stored{}, fmt.Errorf("record %d is not where it was a moment ago", places[read]))
		return false
	}
	return true
}

// ofTypes yields the entries of types where an index says that they lie, and then whatever was
// recorded since the index was written. An index that is away, or that is not to be asked yet, costs
// time and no answer.
func (l *Ledger) ofTypes(
	ctx context.Context, s Selection, after, until eventstore.Position, index Index,
) iter.Seq2[codec.Entry, error] {
	limit := scattered
	if s.Last > 0 {
		limit = s.Last
	}
	names := s.names()
	if len(names) == 0 {
		names = []string{""}
	}

	var places []eventstore.Position
	asOf := ^eventstore.Position(0)
	for _, name := range names {
		some, more, read, err := index.Places(ctx, s.App, name, after, until, limit)
		if err != nil || s.Last == 0 && (more || len(places)+len(some) > scattered) {
			return l.Replay(ctx, after)
		}
		places, asOf = append(places, some...), min(asOf, read)
	}

	// An entry lies under several names, and what lies behind the least position that was read for
	// one of them comes with the rest of the log.
	slices.Sort(places)
	places = slices.Compact(places)
	places = slices.DeleteFunc(places, func(p eventstore.Position) bool { return p > asOf })

	return func(yield func(codec.Entry, error) bool) {
		for some := range slices.Chunk(places, eventstore.MaxBatch) {
			for e, err := range entries(l.store.ReadAt(ctx, some...)) {
				if !yield(e, err) || err != nil {
					return
				}
			}
		}
		for e, err := range l.Replay(ctx, max(after, asOf)) {
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// newest yields the last entries of all, or of each name those that are under it.
func newest(all iter.Seq2[codec.Entry, error], names []string, count int) iter.Seq2[codec.Entry, error] {
	return func(yield func(codec.Entry, error) bool) {
		last := make([][]codec.Entry, max(1, len(names)))
		for e, err := range all {
			if err != nil {
				yield(e, err)
				return
			}
			for i := range last {
				if len(names) > 0 && !isUnder(&e, names[i]) {
					continue
				}
				if last[i] = append(last[i], e); len(last[i]) == 2*count {
					last[i] = append(last[i][:0], last[i][count:]...)
				}
			}
		}

		for i := range last {
			last[i] = last[i][max(0, len(last[i])-count):]
		}
		list := slices.Concat(last...)
		slices.SortFunc(list, func(a, b codec.Entry) int { return cmp.Compare(a.Position, b.Position) })
		list = slices.CompactFunc(list, func(a, b codec.Entry) bool { return a.Position == b.Position })
		for _, e := range list {
			if !yield(e, nil) {
				return
			}
		}
	}
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

// lets reports whether an entry is asked for, where names are those of s.
func (s Selection) lets(e *codec.Entry, names []string) bool {
	if s.App != "" && e.Stream.App != s.App {
		return false
	}
	if len(names) > 0 {
		return slices.ContainsFunc(names, func(name string) bool { return isUnder(e, name) })
	}
	a, access := e.Event.(domain.DataAccessed)
	return !access || a.Kind != domain.AccessReplay || s.Replays // or whoever asks for what is new would make it
}

// IsType reports whether records of the type with that name exist.
func IsType(name string) bool {
	_, note := catalog.NoteRuleOf(catalog.Note(name))
	_, step := catalog.StepRuleOf(catalog.Step(name))
	return note || step || slices.ContainsFunc(codec.Types(),
		func(shape string) bool { return codec.KindOf(shape) == name })
}
