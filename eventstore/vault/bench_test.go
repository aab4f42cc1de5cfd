package vault

import (
	"strconv"
	"testing"

	"consentledger/eventstore"
	"consentledger/eventstore/memory"
)

func BenchmarkFindHot(b *testing.B) {
	v := open(b, new(memory.Rows), NewMemoryKeys())
	enrol(b, v, phone)
	b.ReportAllocs()
	for b.Loop() {
		if _, found, _ := v.Find(b.Context(), phone); !found {
			b.Fatal("not found")
		}
	}
}

func BenchmarkFindHotParallel(b *testing.B) {
	v := open(b, new(memory.Rows), NewMemoryKeys())
	enrol(b, v, phone)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			v.Find(b.Context(), phone)
		}
	})
}

func BenchmarkFindCold(b *testing.B) {
	v := open(b, new(memory.Rows), NewMemoryKeys())
	p := enrol(b, v, phone)
	b.ReportAllocs()
	for b.Loop() {
		v.people.forget(p)
		v.Find(b.Context(), phone)
	}
}

func BenchmarkEnrol(b *testing.B) {
	v := open(b, new(memory.Rows), NewMemoryKeys())
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i++
		enrol(b, v, Lookup{"smartkey", "device", strconv.Itoa(i)})
	}
}

func BenchmarkDerivations(b *testing.B) {
	p := enrol(b, open(b, new(memory.Rows), NewMemoryKeys()), phone)
	plain := make([]byte, 200)
	for name, f := range map[string]func(){
		"Commit":    func() { p.Commit(event1, "subject", plain) },
		"RequestID": func() { p.RequestID("backend", "request-1234567890") },
		"Digest":    func() { p.Digest(plain) },
		"Source":    func() { p.Source("backend") },
		"EventID":   func() { p.EventID([16]byte{1}, 1) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				f()
			}
		})
	}
}

func BenchmarkPut(b *testing.B) {
	v := open(b, new(memory.Rows), NewMemoryKeys())
	p := enrol(b, v, phone)
	part := Part{Event: eventstore.EventID{1}, Stream: "subject-1", Role: "subject", Plain: make([]byte, 200)}
	b.ReportAllocs()
	for b.Loop() {
		ok(b, v.Put(b.Context(), p, part))
	}
}

// BenchmarkWrapped says by which epochs the keys of 100,000 persons are wrapped: counted, and as it is
// kept while others come.
func BenchmarkWrapped(b *testing.B) {
	v := open(b, new(memory.Rows), NewMemoryKeys())
	for i := range 100_000 {
		enrol(b, v, Lookup{"smartkey", "device", strconv.Itoa(i)})
	}
	b.Run("counted", func(b *testing.B) {
		for b.Loop() {
			must[map[uint32]int64](b)(v.Epochs(b.Context()))
		}
	})
	b.Run("kept", func(b *testing.B) {
		must[map[uint32]int64](b)(v.Wrapped(b.Context()))
		for b.Loop() {
			must[map[uint32]int64](b)(v.Wrapped(b.Context()))
		}
	})
}
