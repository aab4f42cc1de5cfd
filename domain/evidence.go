package domain

import (
	"consentledger/domain/content"
	"consentledger/domain/internal/form"
	"consentledger/domain/policy"
	"consentledger/domain/surface"
)

// A Quality is how much a recorded grant proves when somebody disputes it.
type Quality uint8

const (
	NoQuality Quality = iota // a fact from before there was a rule
	Imported                 // taken from elsewhere: proves what was imported
	Weak                     // what was shown, or what was touched, is not known
	Partial                  // something lesser is not known
	Strong
)

var qualities = form.Codes{"", "imported", "weak", "partial", "strong"}

func (q Quality) String() string { return qualities.Name(uint8(q)) }

// ParseQuality reads what [Quality.String] writes.
func ParseQuality(s string) (Quality, error) {
	return form.ParseCode[Quality](s, qualities, "a quality of evidence")
}

// Evidence is the quality of a grant, and what it lacks.
type Evidence struct {
	Quality Quality
	Missing []Lack
}

// A Lack is something that evidence should have, by a code that never changes.
type Lack string

// A LackRule is a row of the table of what a grant needs to prove what it says.
type LackRule struct {
	Lack  Lack
	Grave bool // without it the evidence is weak
	Says  string
	lacks func(y *grant) bool
}

// LackRules is the table.
var LackRules = []LackRule{
	{"presentation", true, "which presentation the person answered", func(y *grant) bool { return y.notice == nil }},
	{"surface", true, "which screen of which build was shown", func(y *grant) bool { return y.surface == nil }},
	{"text", true, "which text was shown", func(y *grant) bool { return y.cmd.Text == (content.Hash{}) }},
	{"control", true, "which control was used", func(y *grant) bool { return y.control == nil }},
	{"initial-state", true, "what the control showed before it was touched", func(y *grant) bool { return y.initial == surface.Unknown }},
	{"locale", false, "in which language it was shown", func(y *grant) bool { return y.cmd.Locale == "" }},
	{"screenshot", false, "a picture of the screen in that language", func(y *grant) bool { return y.surface != nil && y.shown.Screenshot == (content.Hash{}) }},
	{"authoritative-text", false, "that the text binds: it is a translation or a sample", func(y *grant) bool { return !y.authoritative() }},
	{"refuse-option", false, "that refusing was no further away", func(y *grant) bool { return y.surface != nil && !y.refusable() }},
	{"principal", false, "who recorded it: nobody is authenticated and nothing is signed", func(y *grant) bool { return y.ref.By.Anonymous() }},
}

// evidence finds what y lacks.
func (y *grant) evidence() Evidence {
	if y.cmd.Import {
		return Evidence{Quality: Imported}
	}

	e := Evidence{Quality: Strong}
	for _, r := range LackRules {
		if !r.lacks(y) {
			continue
		}
		e.Missing = append(e.Missing, r.Lack)
		if r.Grave {
			e.Quality = Weak
		} else {
			e.Quality = min(e.Quality, Partial)
		}
	}
	return e
}

// authoritative reports whether the text that was shown binds, or is not known
// to be another.
func (y *grant) authoritative() bool {
	for _, t := range y.version.Document.Texts {
		if t.Hash == y.cmd.Text && t.Force == policy.Authoritative {
			return true
		}
	}
	return false
}

// refusable reports whether some control of the surface refuses and is no
// further away than the one that was used.
func (y *grant) refusable() bool {
	for _, c := range y.surface.Controls {
		if c.Refuses && (y.control == nil || c.Steps <= y.control.Steps) {
			return true
		}
	}
	return false
}
