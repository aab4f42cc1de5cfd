package vault

import (
	"fmt"
	"testing"
)

func TestEpochsAndWhole(t *testing.T) {
	rows, keys := newRows(), NewMemoryKeys()
	v := open(t, rows, keys)
	for i := range 3 {
		enrol(t, v, Lookup{"smartkey", "device", fmt.Sprint(i)})
	}
	said := func() string {
		by, err := v.Epochs(t.Context())
		return fmt.Sprint(by, err)
	}
	if got := said(); got != "map[1:5] <nil>" { // check, app, three people
		t.Fatal(got)
	}
	ok(t, keys.Advance())
	enrol(t, v, Lookup{"smartkey", "device", "3"})
	if got := said(); got != "map[1:5 2:1] <nil>" {
		t.Fatal(got)
	}
	if n, err := v.Whole(t.Context()); n != 6 || err != nil {
		t.Fatal(n, err)
	}

	// Who destroys an epoch too early has lost what it wraps, and is told.
	ok(t, keys.Retire())
	_, err := v.Whole(t.Context())
	want(t, err, ErrWrongKeys)
}

func TestRewrapTellsHowFarItIs(t *testing.T) {
	rows, keys := newRows(), NewMemoryKeys()
	v := open(t, rows, keys)
	const people = 2*rewrapAtOnce + 8
	for i := range people {
		enrol(t, v, Lookup{"smartkey", "device", fmt.Sprint(i)})
	}
	ok(t, keys.Advance())
	var told []int
	n, err := v.RewrapTelling(t.Context(), func(n int) {
		if len(told) > 0 && n < told[len(told)-1] {
			t.Errorf("%d after %v", n, told)
		}
		told = append(told, n)
	})
	if err != nil || n != people+2 || told[len(told)-1] != n || told[0] != 1 || len(told) < 5 {
		t.Fatal(n, err, told)
	}
}
