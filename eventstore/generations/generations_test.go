package generations_test

import (
	"testing"

	"consentledger/eventstore/generations"
)

func TestWhatIsAskedForIsRemembered(t *testing.T) {
	r := generations.Map[int, string]{Each: 2}
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
	r.Put(0, "kept")
	r.Delete(0)
	if _, ok := r.Peek(0); ok {
		t.Error("what was deleted is remembered")
	}
	r.Put(0, "kept")
	r.Clear()
	if _, ok := r.Get(0); ok {
		t.Error("it forgot nothing")
	}
}
