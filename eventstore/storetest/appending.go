package storetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"consentledger/eventstore"
)

// RunAppending tests what [eventstore.Appending] returns for the store and the
// rows that open returns. Each call of open is an empty store and its rows.
func RunAppending(t *testing.T, open func(*testing.T) (eventstore.Store, eventstore.Rows)) {
	for _, tt := range []struct {
		clause string
		test   func(*testing.T, both)
	}{
		{"the records and the change are there once it returns", bothThere},
		{"without a change it is an append", noChange},
		{"a change whose condition fails appends nothing and makes no part of itself", unmetAppend},
		{"an append on another revision is a conflict and appends nothing", conflictWith},
		{"what breaks a bound appends nothing and changes nothing", boundWith},
		{"of many writers that need a key absent one wins, and the losers can read its row", onlyOneWith},
		{"whoever reads a record reads what was changed with it", neverWithout},
		{"once a key is gone, no change is made that needs it", goneIsGone},
		{"a joint store knows its rows", knowsRows},
		{"who knows where a record stands reads on behind it, and nobody behind what is not there", readsBehind},
	} {
		t.Run(tt.clause, func(t *testing.T) {
			store, rows := open(t)
			tt.test(t, both{store, rows, eventstore.Appending(store, rows)})
		})
	}
}

// both is a store and its rows.
type both struct {
	store  eventstore.Store
	rows   eventstore.Rows
	append eventstore.AppendWith
}

// joint reports whether they lie in one database.
func (b both) joint() bool {
	j, ok := b.store.(eventstore.Joint)
	return ok && j.Beside(b.rows)
}

func (b both) add(t *testing.T, c eventstore.Change, stream eventstore.Stream, expected eventstore.Revision,
	records ...eventstore.Record) eventstore.Position {
	t.Helper()
	pos, err := b.append(t.Context(), c, stream, expected, records...)
	if err != nil {
		t.Fatal(err)
	}
	return pos
}

func bothThere(t *testing.T, b both) {
	write(t, b.rows, eventstore.Change{Put: []eventstore.Row{row("entry", "1"), row("old", "2")}})
	for i := range 3 {
		pos := b.add(t, eventstore.Change{
			Present: keys("entry"), Absent: keys(fmt.Sprint("part", i)),
			Put: []eventstore.Row{row(fmt.Sprint("part", i), "p")}, Delete: keys("old"),
		}, "a", eventstore.Revision(2*i), rec(2*i), rec(2*i+1))
		if got := all(t, b.store, 0); len(got) != 2*i+2 || got[2*i+1].Position != pos {
			t.Fatalf("read %+v, want %d records, the last at %d", got, 2*i+2, pos)
		}
	}

	checkRows(t, b.rows, "", row("entry", "1"), row("part0", "p"), row("part1", "p"), row("part2", "p"))
	for i, r := range stream(t, b.store, "a", 0) {
		checkRecorded(t, r, "a", eventstore.Revision(i+1), rec(i))
	}
}

func noChange(t *testing.T, b both) {
	b.add(t, eventstore.Change{}, "a", 0, rec(0))
	add(t, b.store, "a", 1, rec(1))
	b.add(t, eventstore.Change{}, "a", 2, rec(2))
	if got := all(t, b.store, 0); len(got) != 3 {
		t.Errorf("read %d records, want 3", len(got))
	}
	checkRows(t, b.rows, "")
}

func unmetAppend(t *testing.T, b both) {
	write(t, b.rows, eventstore.Change{Put: []eventstore.Row{row("a", "1")}})
	for _, c := range []eventstore.Change{{Present: keys("a", "x")}, {Absent: keys("a")}} {
		c.Put, c.Delete = []eventstore.Row{row("n", "9")}, keys("a")
		for _, expected := range []eventstore.Revision{0, 7} { // the conditions are looked at first
			if _, err := b.append(t.Context(), c, "s", expected, rec(0)); !errors.Is(err, eventstore.ErrCondition) {
				t.Errorf("present %q, absent %q, on %d: got %v, want %v", c.Present, c.Absent, expected, err,
					eventstore.ErrCondition)
			}
		}
	}
	checkRows(t, b.rows, "", row("a", "1"))
	b.add(t, eventstore.Change{}, "s", 0, rec(0)) // the stream is as it was
}

func conflictWith(t *testing.T, b both) {
	add(t, b.store, "a", 0, rec(0))
	c := eventstore.Change{Put: []eventstore.Row{row("k", "1")}}
	_, err := b.append(t.Context(), c, "a", 0, rec(1))
	want := eventstore.ConflictError{Stream: "a", Expected: 0, Actual: 1}
	if got, ok := errors.AsType[*eventstore.ConflictError](err); !ok || *got != want {
		t.Errorf("got %v, want %v", err, &want)
	}
	if n := len(all(t, b.store, 0)); n != 1 {
		t.Errorf("the store holds %d records, want 1", n)
	}
	if b.joint() {
		checkRows(t, b.rows, "")
	}

	b.add(t, c, "a", 1, rec(1))
	checkRows(t, b.rows, "", row("k", "1"))
}

func boundWith(t *testing.T, b both) {
	c := eventstore.Change{Put: []eventstore.Row{row("k", "1")}}
	for _, stream := range []eventstore.Stream{"", "a\x00b"} {
		if _, err := b.append(t.Context(), c, stream, 0, rec(0)); err == nil {
			t.Errorf("stream %q was taken", stream)
		}
	}
	if _, err := b.append(t.Context(), c, "a", 0); err == nil {
		t.Error("an append of nothing was taken")
	}
	checkRows(t, b.rows, "")
	if n := len(all(t, b.store, 0)); n != 0 {
		t.Errorf("the store holds %d records, want none", n)
	}
}

func onlyOneWith(t *testing.T, b both) {
	var wg sync.WaitGroup
	won := make([]bool, 16)
	for i := range won {
		wg.Go(func() {
			c := eventstore.Change{Absent: keys("a"), Put: []eventstore.Row{row("a", fmt.Sprint(i))}}
			_, err := b.append(t.Context(), c, eventstore.Stream(fmt.Sprint("s", i)), 0, rec(i))
			won[i] = err == nil
			if err != nil && !errors.Is(err, eventstore.ErrCondition) {
				t.Errorf("writer %d: %v", i, err)
			}
			if _, ok := get(t, b.rows, "a"); !ok {
				t.Errorf("writer %d reads no row after its append", i)
			}
		})
	}

	wg.Wait()
	got, row := all(t, b.store, 0), scanned(t, b.rows, "a")
	if len(got) != 1 || len(row) != 1 {
		t.Fatalf("there are %d records and %d rows, want one each", len(got), len(row))
	}

	for i, w := range won {
		if w != (got[0].ID == rec(i).ID) || w != (string(row[0].Value) == fmt.Sprint(i)) {
			t.Errorf("writer %d won: %t, but the store holds %s and the row %s", i, w, got[0].Data, row[0].Value)
		}
	}
}

func neverWithout(t *testing.T, b both) {
	const writers, each = 8, 20
	var wg sync.WaitGroup
	defer wg.Wait()
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				r := rec(w*each + i)
				c := eventstore.Change{Put: []eventstore.Row{{Key: r.ID[:], Value: r.Data}}}
				if _, err := b.append(t.Context(), c, eventstore.Stream(fmt.Sprint("s", w)), eventstore.Revision(i),
					r); err != nil {
					t.Error(err)
				}
			}
		})
	}

	read := 0
	for batch, err := range b.store.Follow(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range batch {
			if v, ok := get(t, b.rows, string(r.ID[:])); !ok || v != string(r.Data) {
				t.Errorf("record %s was read, and its row is %q, %t", r.Data, v, ok)
			}
		}
		if read += len(batch); read == writers*each {
			return
		}
	}
}

func goneIsGone(t *testing.T, b both) {
	write(t, b.rows, eventstore.Change{Put: []eventstore.Row{row("entry", "1")}})
	var wg sync.WaitGroup
	begun := make(chan struct{}, 8)
	for w := range cap(begun) {
		wg.Go(func() {
			for i := 0; ; i++ {
				r := rec(1000*w + i)
				c := eventstore.Change{Present: keys("entry"),
					Put: []eventstore.Row{{Key: append([]byte("part"), r.ID[:]...), Value: r.Data}}}
				_, err := b.append(t.Context(), c, eventstore.Stream(fmt.Sprint("s", w)), eventstore.Revision(i), r)
				if i == 0 {
					begun <- struct{}{}
				}
				if err != nil {
					if !errors.Is(err, eventstore.ErrCondition) {
						t.Error(err)
					}
					return
				}
			}
		})
	}

	for range cap(begun) {
		<-begun
	}

	write(t, b.rows, eventstore.Change{Delete: keys("entry")})
	then := scanned(t, b.rows, "part")
	wg.Wait()
	if now := scanned(t, b.rows, "part"); len(then) == 0 || len(now) != len(then) {
		t.Errorf("there were %d rows when the key was gone, and are %d", len(then), len(now))
	}
}

func knowsRows(t *testing.T, b both) {
	j, ok := b.store.(eventstore.Joint)
	if !ok {
		return
	}
	if !j.Beside(b.rows) || j.Beside(struct{ eventstore.Rows }{b.rows}) || j.Beside(nil) {
		t.Error("it takes its own rows for others, or others for its own")
	}
}

func readsBehind(t *testing.T, b both) {
	if !b.joint() {
		return // whoever is not has no such method
	}
	var at []eventstore.Position
	for i := range 3 {
		b.add(t, eventstore.Change{}, "other", eventstore.Revision(i), rec(10+i))
		at = append(at, b.add(t, eventstore.Change{}, "a", eventstore.Revision(i), rec(i)))
	}

	for _, tt := range []struct {
		stream eventstore.Stream
		after  eventstore.Revision
		at     eventstore.Position // zero: it has no such record
		want   int                 // records behind it
	}{
		{"a", 1, at[0], 2}, {"a", 2, at[1], 1}, {"a", 3, at[2], 0}, {"other", 3, at[2] - 1, 0},
		{"a", 4, 0, 0}, {"a", 0, 0, 0}, {"nobody", 1, 0, 0},
	} {
		stands, rest, err := b.store.(eventstore.Joint).ReadBehind(t.Context(), tt.stream, tt.after)
		if err != nil || stands != tt.at {
			t.Errorf("revision %d of %s stands at %d, %v; want %d", tt.after, tt.stream, stands, err, tt.at)
		}
		n := 0
		for r, err := range rest {
			if err != nil {
				t.Fatal(err)
			}
			if n++; r.Revision != tt.after+eventstore.Revision(n) || r.Position != at[r.Revision-1] {
				t.Errorf("behind %d of %s it yields revision %d at %d", tt.after, tt.stream, r.Revision, r.Position)
			}
		}
		if n != tt.want {
			t.Errorf("behind %d of %s: %d records, want %d", tt.after, tt.stream, n, tt.want)
		}
	}
}
