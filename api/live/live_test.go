package live

import (
	"errors"
	"fmt"
	"sync"
	"testing"
)

func TestNobodyHasMoreStreamsThanOneMayHave(t *testing.T) {
	s := &Streams{Each: 2, All: 3}
	var ends []func()
	begin := func(who string, want error) {
		t.Helper()
		end, err := s.Begin(who)
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", who, err, want)
		}
		ends = append(ends, end)
	}
	begin("ann", nil)
	begin("ann", nil)
	begin("ann", ErrMany)
	begin("ben", nil)
	begin("cem", ErrFull)
	ends[0]()
	ends[0]() // twice is once
	begin("cem", nil)
	begin("ann", ErrFull)
	for _, end := range ends {
		if end != nil {
			end()
		}
	}
	if s.Open() != 0 || len(s.of) != 0 {
		t.Errorf("%d are left, of %v", s.Open(), s.of)
	}
}

func TestStreamsAreCountedTogether(t *testing.T) {
	var s Streams
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			for range 100 {
				if end, err := s.Begin(fmt.Sprint(i % 10)); err == nil {
					end()
				}
			}
		})
	}
	all.Wait()
	if s.Open() != 0 {
		t.Errorf("%d are left", s.Open())
	}
}
