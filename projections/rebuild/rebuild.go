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

	"consentledger/domain"
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

// Check brings fresh, which is empty, to the position at which live stands now,
// and returns a row for every table of either, in the order of their names.
// Live may go on meanwhile: it is looked at once.
func Check(ctx context.Context, h History, live, fresh Model) ([]Row, error) {
	is, at, err := live.Hash(ctx)
	if err != nil {
		return nil, fmt.Errorf("projection %s: %w", live.Name(), err)
	}
	if err := fill(ctx, h, fresh, at); err != nil {
		return nil, fmt.Errorf("projection %s, built anew: %w", live.Name(), err)
	}
	want, reached, err := fresh.Hash(ctx)
	if err != nil {
		return nil, fmt.Errorf("projection %s, built anew: %w", live.Name(), err)
	}
	if reached != at {
		return nil, fmt.Errorf("projection %s answers as of position %d, and no record has it: the log ends, or is another, at %d", live.Name(), at, reached)
	}
	both := maps.Clone(is)
	maps.Copy(both, want)
	var rows []Row
	for _, table := range slices.Sorted(maps.Keys(both)) {
		rows = append(rows, Row{live.Name(), table, at, is[table], want[table]})
	}
	return rows, nil
}

// fill applies the history up to a position.
func fill(ctx context.Context, h History, to Model, until eventstore.Position) error {
	if until == 0 {
		return nil
	}
	var entries []codec.Entry
	for e, err := range h.Replay(ctx, 0) {
		if err != nil {
			return err
		}
		if e.Position > until {
			break
		}
		if entries = append(entries, e); len(entries) < batch && e.Position < until {
			continue
		}
		if err := to.Apply(ctx, entries); err != nil {
			return err
		}
		if entries = nil; e.Position == until {
			return nil
		}
	}
	if len(entries) == 0 {
		return nil
	}
	return to.Apply(ctx, entries)
}

// Trees derives the root of every app's log once more from the records, at the
// size that was signed, and returns a row for every app, in the order of their
// names. A log that the records do not fill has no rebuilt root.
func Trees(ctx context.Context, records Records, signed map[domain.AppName]merkle.Checkpoint) ([]Row, error) {
	trees := map[domain.AppName]*tree{}
	for app, c := range signed {
		trees[app] = &tree{want: c}
	}
	todo := len(trees)
	for app := range trees {
		if trees[app].done() {
			todo--
		}
	}
	if todo > 0 {
		for r, err := range records.ReadAll(ctx, 0) {
			if err != nil {
				return nil, err
			}
			stream, err := domain.ParseStreamID(string(r.Stream))
			if err != nil {
				return nil, fmt.Errorf("record %d: %w", r.Position, err)
			}
			t := trees[stream.App]
			if t == nil || t.done() {
				continue
			}
			t.edge.Append(r.Data, nothing)
			t.last = r.Position
			if t.done() {
				if todo--; todo == 0 {
					break
				}
			}
		}
	}
	var rows []Row
	for _, app := range slices.Sorted(maps.Keys(trees)) {
		t := trees[app]
		row := Row{Projection: "transparency", Table: string(app), Position: t.last, Live: readmodel.Sum(t.want.Root)}
		if t.done() {
			row.Rebuilt = readmodel.Sum(t.edge.Root())
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// A tree is a log that is derived once more.
type tree struct {
	want merkle.Checkpoint
	edge merkle.Edge
	last eventstore.Position
}

func (t *tree) done() bool { return t.edge.Size == t.want.Size }

func nothing(merkle.Tile, []byte) {}
