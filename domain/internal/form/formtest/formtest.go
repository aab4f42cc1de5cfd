// Package formtest tests the names of enumerations.
package formtest

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// Pairs checks that a value and its text name each other, and only each other.
func Pairs[E interface {
	~uint8
	fmt.Stringer
}](t *testing.T, parse func(string) (E, error), zero string, want ...string) {
	t.Helper()
	var got []string
	for i := range 256 {
		e := E(i)
		back, err := parse(e.String())
		if err == nil && back == e {
			got = append(got, e.String())
		} else if err == nil {
			t.Errorf("%T %d is written %q and read as %d", e, i, e.String(), back)
		}
	}

	if !reflect.DeepEqual(got, want) || E(0).String() != zero {
		t.Errorf("%T has %q, want %q", E(0), got, want)
	}

	for _, s := range []string{"", " ", strings.ToUpper(want[0]), "(9)"} {
		if e, err := parse(s); err == nil {
			t.Errorf("%q was read as %v", s, e)
		}
	}
}
