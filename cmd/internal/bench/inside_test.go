package bench

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestAMedianStandsInTheMiddle(t *testing.T) {
	for _, c := range []struct {
		of   sample
		want float64
	}{{sample{7}, 7}, {sample{9, 1}, 5}, {sample{9, 1, 2}, 2}, {sample{4, 1, 2, 100}, 3}} {
		if got := c.of.median(); got != c.want {
			t.Errorf("median of %v: %v", c.of, got)
		}
	}
}

func TestAHeapIsReadFromTheTrace(t *testing.T) {
	var h heapTrace
	h.follow(strings.NewReader(`gc 1 @0.012s 2%: 0.026+0.64+0.004 ms clock, 0.053+0.15/0.48/0.59+0.009 ms cpu, 3->4->1 MB, 4 MB goal, 0 MB stacks, 0 MB globals, 2 P
gc 2 @1.512s 2%: 0.026+0.64+0.004 ms clock, 0.053+0.15/0.48/0.59+0.009 ms cpu, 80->91->30 MB, 90 MB goal, 1 MB stacks, 0 MB globals, 2 P
gc 3 @2.812s 2%: 0.026+0.64+0.004 ms clock, 0.053+0.15/0.48/0.59+0.009 ms cpu, 60->61->31 MB, 62 MB goal, 1 MB stacks, 0 MB globals, 2 P (forced)
`))
	if live, peak := h.read(); live != 31 || peak != 91 {
		t.Errorf("live %v, peak %v", live, peak)
	}
}

func TestOneEventInTenIsOfSomebodyNew(t *testing.T) {
	m := newMix()
	seen := map[string]bool{}
	for range 1000 {
		var e struct{ Subject string }
		if err := json.Unmarshal(m.next(personalLoad), &e); err != nil {
			t.Fatal(err)
		}
		seen[e.Subject] = true
	}
	if len(seen) != 100 || m.persons.Load() != 100 {
		t.Errorf("%d persons, %d counted", len(seen), m.persons.Load())
	}
}
