package intern_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"consentledger/eventstore/intern"
)

func TestATableMakesTheSameOnce(t *testing.T) {
	var table intern.Table[*string]
	made := 0
	of := func(kind, text string) *string {
		v, ok := table.Of(kind, []byte(text), func() (*string, bool) {
			made++
			v := kind + " " + text
			return &v, text != "bad"
		})
		if ok == (text == "bad") {
			t.Errorf("%q: %v", text, ok)
		}
		return v
	}

	one := of("a", "one")
	if of("a", "one") != one || made != 1 {
		t.Errorf("it was made %d times", made)
	}
	if other := of("b", "one"); other == one || *other != "b one" {
		t.Errorf("of another kind it is %q", *other)
	}

	made = 0
	long := strings.Repeat("x", intern.LongestKey+1)
	for range 2 {
		of("a", "bad")
		of("a", long)
	}
	if made != 4 {
		t.Errorf("what fails, or is long, was made %d times of 4", made)
	}
}

func TestATableNeverReturnsWhatWasMadeOfOtherBytes(t *testing.T) {
	var table intern.Table[string]
	var workers sync.WaitGroup
	for range 4 {
		workers.Go(func() {
			for i := range 5000 { // more than are remembered
				text := fmt.Sprint("text ", i%3000)
				b := []byte(text)
				got, _ := table.Of("", b, func() (string, bool) { return string(b), true })
				copy(b, strings.Repeat("?", len(b))) // the caller uses them again
				if got != text {
					t.Errorf("%q, want %q", got, text)
				}
			}
		})
	}
	workers.Wait()
}
