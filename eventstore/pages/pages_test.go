package pages_test

import (
	"testing"

	"consentledger/eventstore"
	"consentledger/eventstore/pages"
)

func TestARingHoldsTheNewestPages(t *testing.T) {
	var r pages.Ring[eventstore.Position]
	if r.At(0) != nil || r.At(5) != nil {
		t.Error("an empty ring has a page")
	}
	const last = 3 * pages.Kept
	for p := eventstore.Position(1); p <= last; p++ {
		r.Open(p).Items[pages.Index(p)] = p
	}
	for p := eventstore.Position(1); p <= last; p++ {
		page := r.At(p)
		switch {
		case p > last-pages.Kept+pages.Length && (page == nil || page.Items[pages.Index(p)] != p):
			t.Fatalf("position %d is not there", p)
		case p <= last-pages.Kept && (page != nil || r.Open(p) != nil):
			t.Fatalf("position %d is there, and so is a newer one in its place", p)
		}
	}
}

func TestWhatWasGivenOutStays(t *testing.T) {
	var r pages.Ring[eventstore.Position]
	r.Open(7).Items[7] = 7
	part := r.At(7).Items[7:8]
	r.Open(7 + pages.Kept).Items[7] = 7 + pages.Kept
	if part[0] != 7 {
		t.Errorf("it became %d", part[0])
	}
}
