package domain

// A Personal is text that says something about a person. It belongs to one
// person, is kept sealed, and prints as "[personal]".
type Personal string

func (Personal) String() string { return "[personal]" }

// GoString keeps %#v from showing p.
func (Personal) GoString() string { return "[personal]" }

// Reveal returns the text. Every call is a place to look at in a review.
func (p Personal) Reveal() string { return string(p) }
