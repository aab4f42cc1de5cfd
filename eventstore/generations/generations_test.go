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

func TestWhatWeighsMoreTakesMoreRoom(t *testing.T) {
	m := generations.Map[int, int]{Each: 100, Weigh: func(_, v int) int { return v }}
	kept := func() (weight int) {
		for k := range 1000 {
			v, _ := m.Peek(k)
			weight += v
		}
		return weight
	}
	for k := range 300 {
		m.Put(k, 1+k%30)
		m.Put(k-1, 1+k%7) // again, and of another weight
		if w := kept(); w > 200 {
			t.Fatalf("after %d it holds %d, want at most 200", k, w)
		}
	}
	if w := kept(); w < 70 {
		t.Errorf("it holds %d, want about 100 at least", w)
	}
	m.Put(999, 500)
	if v, ok := m.Get(999); !ok || v != 500 {
		t.Error("what is more than a generation was not remembered")
	}
	m.DeleteFunc(func(k, _ int) bool { return k == 999 })
	if _, ok := m.Peek(999); ok {
		t.Error("what was to go is remembered")
	}
	for k := range 50 {
		m.Put(k, 1)
		m.Delete(k)
	}
	m.Put(500, 1)
	for k := range 90 {
		m.Put(k, 1)
	}
	if _, ok := m.Peek(500); !ok {
		t.Error("what was forgotten takes room")
	}
}

func TestWhatIsReplacedIsRememberedNoLonger(t *testing.T) {
	m := generations.Map[int, int]{Each: 10, Weigh: func(_, v int) int { return v }}
	m.Replace(1, 9)
	if v, ok := m.Get(1); ok {
		t.Errorf("%d was put where nothing was", v)
	}
	m.Put(1, 5)
	m.Replace(1, 6)
	m.Put(2, 4)
	m.Put(3, 10) // both are old now
	m.Replace(1, 7)
	if v, ok := m.Peek(1); !ok || v != 7 {
		t.Errorf("%d, %v", v, ok)
	}
	m.Put(4, 10)
	if v, ok := m.Peek(1); ok {
		t.Errorf("%d is remembered for longer", v)
	}
	if v, ok := m.Peek(3); !ok || v != 10 {
		t.Errorf("%d, %v", v, ok)
	}
}
