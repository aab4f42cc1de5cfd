// Package rebuild holds projections against history: it builds each once more
// from the first record, up to the position that the live one answers as of,
// and compares what is in their tables.
package rebuild

import (
	"context"
	"encoding/hex"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sort"

	"consentledger/domain/ident"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/projections"
	"consentledger/projections/readmodel"
	"consentledger/projections/transparency/merkle"
)

// A Model is a projection whose tables can be compared.
type Model interface {
	projections.Projection
	Hash(ctx context.Context) (map[string]readmodel.Sum, eventstore.Position, error)
	Close() error
}

// A History is the ledger's log, decoded.
type History interface {
	Replay(ctx context.Context, after eventstore.Position) iter.Seq2[codec.Entry, error]
}

// Records is the ledger's log as it is stored.
type Records interface {
	ReadAll(ctx context.Context, after eventstore.Position) iter.Seq2[eventstore.Recorded, error]
}

// A Row is one table, as it is and as history makes it. The zero Sum is of a
// table that is not there.
type Row struct {
	Projection, Table string
	Position          eventstore.Position // that both are as of
	Live, Rebuilt     readmodel.Sum
}

// Same reports whether the table is what history makes of it.
func (r Row) Same() bool { return r.Live == r.Rebuilt && r.Live != (readmodel.Sum{}) }

// Text writes a sum in hexadecimal; of a table that is not there nothing.
func Text(s readmodel.Sum) string {
	if s == (readmodel.Sum{}) {
		return ""
	}
	return hex.EncodeToString(s[:])
}

// batch is how many entries a projection is given at once: it has no more of
// the history in memory.
const batch = 4096

// A Pair is a projection as it is, and the same again, which is empty.
type Pair struct{ Live, Fresh Model }

// A fill is the filling of one projection.
type fill struct {
	Pair
	is    map[string]readmodel.Sum
	until eventstore.Position // where the live one stands
}

// Check brings every fresh projection to the position at which the live one stands now,
// and returns a row for every table of either: projection by projection, in the order of
// the tables' names. It reads the history once for all. The live ones may go on
// meanwhile: each is looked at once.
func Check(ctx context.Context, h History, pairs ...Pair) (rows []Row, err error) {
	fills := make([]fill, len(pairs))
	for i, p := range pairs {
		f := &fills[i]
		f.Pair = p
		if f.is, f.until, err = p.Live.Hash(ctx); err != nil {
			return nil, fmt.Errorf("projection %s: %w", p.Live.Name(), err)
		}
	}
	if err := fillAll(ctx, h, fills); err != nil {
		return nil, err
	}

	for _, f := range fills {
		more, err := f.compare(ctx)
		if err != nil {
			return nil, err
		}
		rows = append(rows, more...)
	}
	return rows, nil
}

// fillAll applies the history, to each projection up to its position.
func fillAll(ctx context.Context, h History, fills []fill) error {
	until := eventstore.Position(0)
	for _, f := range fills {
		until = max(until, f.until)
	}

	var entries []codec.Entry
	for e, err := range h.Replay(ctx, 0) {
		if err != nil {
			return err
		}
		if e.Position <= until {
			entries = append(entries, e)
		}
		if len(entries) == batch || e.Position >= until {
			if err := applyAll(ctx, fills, entries); err != nil {
				return err
			}
			entries = nil
		}
		if e.Position >= until {
			return nil
		}
	}
	return applyAll(ctx, fills, entries)
}

func applyAll(ctx context.Context, fills []fill, entries []codec.Entry) error {
	for _, f := range fills {
		n := sort.Search(len(entries), func(i int) bool { return entries[i].Position > f.until })
		if n == 0 {
			continue
		}
		if err := f.Fresh.Apply(ctx, entries[:n]); err != nil {
			return fmt.Errorf("projection %s, built anew: %w", f.Live.Name(), err)
		}
	}
	return nil
}

// compare returns a row for every table of either.
func (f *fill) compare(ctx context.Context) (rows []Row, err error) {
	want, reached, err := f.Fresh.Hash(ctx)
	name := f.Live.Name()
	if err != nil {
		return nil, fmt.Errorf("projection %s, built anew: %w", name, err)
	}

	if reached != f.until {
		return nil, fmt.Errorf("projection %s answers as of position %d, and no record has it: the log ends, or is "+
			"another, at %d", name, f.until, reached)
	}

	both := maps.Clone(f.is)
	maps.Copy(both, want)
	for _, table := range slices.Sorted(maps.Keys(both)) {
		rows = append(rows, Row{name, table, f.until, f.is[table], want[table]})
	}
	return rows, nil
}

// Trees derives the root of every app's log once more from the records, at the
// size that was signed, and returns a row for every app, in the order of their
// names. A log that the records do not fill has no rebuilt root.
func Trees(ctx context.Context, records Records, signed map[ident.AppName]merkle.Checkpoint) ([]Row, error) {
	return Derive(signed).Finish(ctx, records)
}

// Roots are the roots of logs that are derived once more. Whoever reads the records for
// something else too adds them one by one, and finishes with what is left.
type Roots struct {
	trees map[ident.AppName]*tree
	todo  int                 // trees that are smaller than what was signed
	at    eventstore.Position // of the record that was added last
}

// A tree is a log that is derived once more.
type tree struct {
	want merkle.Checkpoint
	edge merkle.Edge
	last eventstore.Position
}

func (t *tree) done() bool { return t.edge.Size == t.want.Size }

// Derive begins to derive the roots of logs, at the sizes that were signed.
func Derive(signed map[ident.AppName]merkle.Checkpoint) *Roots {
	x := &Roots{trees: map[ident.AppName]*tree{}}
	for app, c := range signed {
		t := &tree{want: c}
		x.trees[app] = t
		if !t.done() {
			x.todo++
		}
	}
	return x
}

// Add adds the next record of the store.
func (x *Roots) Add(r eventstore.Recorded) error {
	x.at = r.Position
	if x.todo == 0 {
		return nil
	}

	stream, err := ident.ParseStreamID(string(r.Stream))
	if err != nil {
		return fmt.Errorf("record %d: %w", r.Position, err)
	}
	t := x.trees[stream.App]
	if t == nil || t.done() {
		return nil
	}

	t.edge.Append(r.Data, nothing)
	t.last = r.Position
	if t.done() {
		x.todo--
	}
	return nil
}

// Finish reads what was not added, as far as it is needed, and returns a row for every
// app, in the order of their names.
func (x *Roots) Finish(ctx context.Context, records Records) (rows []Row, err error) {
	if x.todo > 0 {
		for r, err := range records.ReadAll(ctx, x.at) {
			if err == nil {
				err = x.Add(r)
			}
			if err != nil {
				return nil, err
			}
			if x.todo == 0 {
				break
			}
		}
	}

	for _, app := range slices.Sorted(maps.Keys(x.trees)) {
		t := x.trees[app]
		row := Row{Projection: "transparency", Table: string(app), Position: t.last, Live: readmodel.Sum(t.want.Root)}
		if t.done() {
			row.Rebuilt = readmodel.Sum(t.edge.Root())
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func nothing(merkle.Tile, []byte) {}
