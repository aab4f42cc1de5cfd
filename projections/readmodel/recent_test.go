package readmodel_test

import (
	"testing"

	"consentledger/projections/readmodel"
)

func TestWhatIsAskedForIsRemembered(t *testing.T) {
	r := readmodel.Recent[int, string]{Most: 4}
	r.Put(0, "kept")
	for k := 1; k < 100; k++ {
		r.Put(k, "new")
		if v, ok := r.Get(0); !ok || v != "kept" {
			t.Fatalf("after %d: %q, %v", k, v, ok)
		}
		if v, ok := r.Get(k); !ok || v != "new" {
			t.Fatalf("%d was forgotten at once", k)
		}
	}
	kept := 0
	for k := range 100 {
		if _, ok := r.Get(k); ok {
			kept++
		}
	}
	if kept > 4 {
		t.Errorf("%d are remembered, want at most 4", kept)
	}
	if r.Forget(); kept > 0 {
		if _, ok := r.Get(0); ok {
			t.Error("it forgot nothing")
		}
	}
}
