package server

import (
	"errors"
	"testing"

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
