package server

import (
	"errors"
	"testing"

	"consentledger/eventstore"
	"consentledger/eventstore/codec"
)

// TestAReadingIsReportedWhileItLasts looks at the report between two entries.
func TestAReadingIsReportedWhileItLasts(t *testing.T) {
	var all readings
	x, end := all.begin("a question")
	other, endOther := all.begin("another")
	log := noted(x, func(yield func(codec.Entry, error) bool) {
		_ = yield(codec.Entry{Position: 7}, nil) && yield(codec.Entry{}, errors.New("the end"))
	}, positionOf)
	seen := 0
	for _, err := range log {
		list := all.report()
		if len(list) != 2 || list[0].What != "a question" || list[0].Position != "7" || list[0].Started == "" || list[1].Position != "0" {
			t.Errorf("after %v: %+v", err, list)
		}
		seen++
	}
	if seen != 2 {
		t.Errorf("%d steps", seen)
	}
	end()
	if list := all.report(); len(list) != 1 || list[0].What != other.what {
		t.Errorf("once it is over: %+v", list)
	}
	if endOther(); all.report() != nil {
		t.Error("nothing is read, and something is reported")
	}
}

// TestALogThatIsReadAheadIsTheSame: in its order, with its error at the end, and whoever has
// enough waits until nothing is read any more.
func TestALogThatIsReadAheadIsTheSame(t *testing.T) {
	const records = 3*aheadBatch + 1
	broken := errors.New("the end")
	read, ended := 0, false
	log := func(yield func(eventstore.Recorded, error) bool) {
		defer func() { ended = true }()
		for read = 1; read <= records; read++ {
			if !yield(eventstore.Recorded{Position: eventstore.Position(read)}, nil) {
				return
			}
		}
		yield(eventstore.Recorded{}, broken)
	}

	for _, enough := range []int{0, 1, aheadBatch, records, records + 1} {
		seen, last := 0, error(nil)
		for r, err := range ahead(log) {
			if last = err; err != nil {
				break
			}
			if seen++; r.Position != eventstore.Position(seen) {
				t.Fatalf("record %d comes as number %d", r.Position, seen)
			}
			if seen == enough {
				break
			}
		}
		if !ended {
			t.Errorf("after %d the log is still read", enough)
		}
		if whole := enough == 0 || enough > records; whole != errors.Is(last, broken) || whole && seen != records {
			t.Errorf("of %d asked for %d came, and then %v", enough, seen, last)
		}
		ended = false
	}
}

// TestAReadingThatPanicsEndsItsReader: and not the process, as a goroutine's panic would.
func TestAReadingThatPanicsEndsItsReader(t *testing.T) {
	log := func(yield func(eventstore.Recorded, error) bool) {
		yield(eventstore.Recorded{Position: 1}, nil)
		panic("the store broke")
	}
	defer func() {
		if p := recover(); p != "the store broke" {
			t.Errorf("it ended with %v", p)
		}
	}()
	for range ahead(log) { // whoever reads is told at the end
	}
	t.Error("it ended as if the log were whole")
}
