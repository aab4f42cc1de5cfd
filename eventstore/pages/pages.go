// Package pages holds what stands at the newest positions of a log, page by
// page: who reads it is given a part of a page, which others share, and no copy.
package pages

import "consentledger/eventstore"

const (
	// Length is how many positions are on a page.
	Length = 256

	// Kept is how many positions a [Ring] holds at most.
	Kept = 4096
)

// A Page is what stands at so many positions, as far as it was put there. What
// was put on it stays: who was given a part of it goes on reading that.
type Page[T any] struct {
	number eventstore.Position
	Items  [Length]T // at their [Index]
}

// Index returns where on its page a position is.
func Index(p eventstore.Position) int { return int(p % Length) }

// A Ring is the newest pages. The zero Ring is empty. It is not safe for
// concurrent use; the parts of pages that it gave out are.
type Ring[T any] struct {
	pages [Kept / Length]*Page[T] // at their number modulo how many there are
}

func (r *Ring[T]) place(p eventstore.Position) **Page[T] {
	return &r.pages[p/Length%eventstore.Position(len(r.pages))]
}

// At returns the page that a position is on; nil if it is not there.
func (r *Ring[T]) At(p eventstore.Position) *Page[T] {
	if page := *r.place(p); page != nil && page.number == p/Length {
		return page
	}
	return nil
}

// Open is At, but that it makes the page, in the place of an older one; nil if
// there is a newer one already.
func (r *Ring[T]) Open(p eventstore.Position) *Page[T] {
	place := r.place(p)
	if *place == nil || (*place).number < p/Length {
		*place = &Page[T]{number: p / Length}
	}
	return r.At(p)
}
