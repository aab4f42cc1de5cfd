package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"consentledger/eventstore"
)

// RunRows tests the rows that open returns. Each call of open is one empty set
// of rows.
func RunRows(t *testing.T, open func(*testing.T) eventstore.Rows) {
	for _, tt := range []struct {
		clause string
		test   func(*testing.T, eventstore.Rows)
	}{
		{"a key that was never put is not there", missing},
		{"a read sees every write that returned before it", sees},
		{"a value comes back unchanged and is the reader's", value},
		{"a change is made if its keys are present and absent as required", holds},
		{"a change whose condition fails makes no part of it", unmet},
		{"of many writers that need a key absent one wins", onlyOne},
		{"a reader sees all of a change or nothing", whole},
		{"scan yields the keys with the prefix in order", scan},
		{"a scan may stop early", scanStops},
		{"sync returns", syncs},
		{"purging takes nothing that lives", purges},
	} {
		t.Run(tt.clause, func(t *testing.T) { tt.test(t, open(t)) })
	}
}

func missing(t *testing.T, r eventstore.Rows) {
	write(t, r, eventstore.Change{Put: []eventstore.Row{row("ab", "1")}})
	for _, key := range []string{"", "a", "abc", "b"} {
		if v, ok := get(t, r, key); ok || len(v) != 0 {
			t.Errorf("key %q holds %q, want nothing", key, v)
		}
	}
}

func sees(t *testing.T, r eventstore.Rows) {
	for _, want := range []string{"1", "2", ""} {
		write(t, r, eventstore.Change{Put: []eventstore.Row{row("a", want)}})
		if v, ok := get(t, r, "a"); !ok || v != want {
			t.Errorf("read %q, %t, want %q", v, ok, want)
		}
	}
	write(t, r, eventstore.Change{Delete: [][]byte{[]byte("a"), []byte("never was")}})
	if v, ok := get(t, r, "a"); ok {
		t.Errorf("a deleted key holds %q", v)
	}
}

func value(t *testing.T, r eventstore.Rows) {
	want := bytes.Repeat([]byte{0, 1, 0xff}, 30000)
	write(t, r, eventstore.Change{Put: []eventstore.Row{{Key: []byte{0, 0xff}, Value: want}}})
	for range 2 {
		got, ok, err := r.Get(t.Context(), []byte{0, 0xff})
		if err != nil || !ok || !bytes.Equal(got, want) {
			t.Fatalf("read %d bytes, %t, %v, want %d bytes", len(got), ok, err, len(want))
		}
		clear(got)
	}
}

func holds(t *testing.T, r eventstore.Rows) {
	write(t, r, eventstore.Change{Absent: keys("a", "b"), Put: []eventstore.Row{row("a", "1")}})
	write(t, r, eventstore.Change{Present: keys("a"), Absent: keys("b"), Put: []eventstore.Row{row("b", "2")}})
	write(t, r, eventstore.Change{Present: keys("a", "b"), Delete: keys("a"), Put: []eventstore.Row{row("c", "3")}})
	checkRows(t, r, "", row("b", "2"), row("c", "3"))
}

func unmet(t *testing.T, r eventstore.Rows) {
	write(t, r, eventstore.Change{Put: []eventstore.Row{row("a", "1"), row("b", "2")}})
	for _, c := range []eventstore.Change{
		{Present: keys("x")},
		{Present: keys("a", "x")},
		{Absent: keys("a")},
		{Absent: keys("x", "a")},
		{Present: keys("a"), Absent: keys("b")},
	} {
		c.Put, c.Delete = []eventstore.Row{row("a", "9"), row("n", "9")}, keys("b")
		if err := r.Write(t.Context(), c); !errors.Is(err, eventstore.ErrCondition) {
			t.Errorf("present %q, absent %q: got %v, want %v", c.Present, c.Absent, err, eventstore.ErrCondition)
		}
	}

	checkRows(t, r, "", row("a", "1"), row("b", "2"))
}

func onlyOne(t *testing.T, r eventstore.Rows) {
	var wg sync.WaitGroup
	errs := make([]error, 16)
	for i := range errs {
		wg.Go(func() {
			errs[i] = r.Write(t.Context(),
				eventstore.Change{Absent: keys("a"), Put: []eventstore.Row{row("a", fmt.Sprint(i))}})
		})
	}

	wg.Wait()
	got, _ := get(t, r, "a")
	for i, err := range errs {
		if err != nil && !errors.Is(err, eventstore.ErrCondition) {
			t.Error(err)
		}
		if (err == nil) != (got == fmt.Sprint(i)) {
			t.Errorf("writer %d: %v, but the key holds %q", i, err, got)
		}
	}
}

// whole moves one row to and fro between two keys, while a reader looks.
func whole(t *testing.T, r eventstore.Rows) {
	write(t, r, eventstore.Change{Put: []eventstore.Row{row("p1", "x")}})
	var wg sync.WaitGroup
	wg.Go(func() {
		from, to := "p1", "p2"
		for range 200 {
			err := r.Write(t.Context(), eventstore.Change{
				Present: keys(from), Absent: keys(to), Put: []eventstore.Row{row(to, "x")}, Delete: keys(from),
			})
			if err != nil {
				t.Error(err)
			}
			from, to = to, from
		}
	})
	for range 200 {
		if got := scanned(t, r, "p"); len(got) != 1 {
			t.Errorf("a scan saw %d rows, want 1", len(got))
		}
	}

	wg.Wait()
}

func scan(t *testing.T, r eventstore.Rows) {
	all := []eventstore.Row{row("\x00", "0"), row("a", "1"), row("a\x00", "2"), row("aa", "3"), row("ab", "4"),
		row("a\xff", "5"), row("a\xff\xff", "6"), row("b", "7"), row("\xff", "8"), row("\xff\xff", "9")}
	for i := range all {
		write(t, r, eventstore.Change{Put: []eventstore.Row{all[(i*3)%len(all)]}})
	}
	checkRows(t, r, "", all...)
	checkRows(t, r, "a", all[1:7]...)
	checkRows(t, r, "a\xff", all[5:7]...)
	checkRows(t, r, "\xff", all[8:]...)
	checkRows(t, r, "c")
	write(t, r, eventstore.Change{Delete: keys("aa"), Put: []eventstore.Row{row("ac", "n")}})
	checkRows(t, r, "a", all[1], all[2], all[4], row("ac", "n"), all[5], all[6])
}

func scanStops(t *testing.T, r eventstore.Rows) {
	write(t, r, eventstore.Change{Put: []eventstore.Row{row("a", "1"), row("b", "2")}})
	for got, err := range r.Scan(t.Context(), nil) {
		if err != nil || string(got.Key) != "a" {
			t.Errorf("first came %q, %v", got.Key, err)
		}
		break
	}
	write(t, r, eventstore.Change{Delete: keys("a", "b")})
}

func syncs(t *testing.T, r eventstore.Rows) {
	for i := range 3 {
		if err := r.Sync(t.Context()); err != nil {
			t.Fatal(err)
		}
		write(t, r, eventstore.Change{Put: []eventstore.Row{row("a", fmt.Sprint(i))}})
	}
}

func purges(t *testing.T, r eventstore.Rows) {
	write(t, r, eventstore.Change{Put: []eventstore.Row{row("a", "1"), row("b1", "2"), row("b2", "3"),
		row("b\xff\xff", "4"), row("c", "5")}})
	write(t, r, eventstore.Change{Delete: keys("b1")})
	for range 2 { // there is nothing to do the second time
		if err := r.Purge(t.Context(), keys("b", "nothing")...); err != nil {
			t.Fatal(err)
		}
		checkRows(t, r, "", row("a", "1"), row("b2", "3"), row("b\xff\xff", "4"), row("c", "5"))
	}
	write(t, r, eventstore.Change{Put: []eventstore.Row{row("b1", "6")}})
	checkRows(t, r, "b1", row("b1", "6"))
}

func row(key, value string) eventstore.Row {
	return eventstore.Row{Key: []byte(key), Value: []byte(value)}
}

func keys(names ...string) (all [][]byte) {
	for _, name := range names {
		all = append(all, []byte(name))
	}
	return all
}

func write(t *testing.T, r eventstore.Rows, c eventstore.Change) {
	t.Helper()
	if err := r.Write(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, r eventstore.Rows, key string) (string, bool) {
	t.Helper()
	v, ok, err := r.Get(t.Context(), []byte(key))
	if err != nil {
		t.Fatal(err)
	}
	return string(v), ok
}

func scanned(t *testing.T, r eventstore.Rows, prefix string) (rows []eventstore.Row) {
	t.Helper()
	for got, err := range r.Scan(t.Context(), []byte(prefix)) {
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, got)
	}
	return rows
}

func checkRows(t *testing.T, r eventstore.Rows, prefix string, want ...eventstore.Row) {
	t.Helper()
	same := func(a, b eventstore.Row) bool { return bytes.Equal(a.Key, b.Key) && bytes.Equal(a.Value, b.Value) }
	if got := scanned(t, r, prefix); !slices.EqualFunc(got, want, same) {
		t.Errorf("prefix %q holds %q, want %q", prefix, got, want)
	}
}
