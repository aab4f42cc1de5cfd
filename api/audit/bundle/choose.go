package bundle

import (
	"slices"
	"strings"

	"consentledger/domain/ident"
)

// A chooser says which records of a log are selected. It sees all of them, in
// their order: a request belongs to whom its first record says.
type chooser struct {
	Selection
	streams map[string]bool // of the person, beside their own
}

func newChooser(s Selection) *chooser { return &chooser{s, map[string]bool{}} }

// wants reports whether a record is selected. Whose a record is is learned
// before its time is looked at: a request that came before the span goes on in
// it, and the record that says whose it is comes along.
func (c *chooser) wants(s stored) bool {
	noun, _, _ := strings.Cut(s.Stream, "-")
	known := c.streams[s.Stream]
	before := isPublished(ident.Noun(noun))
	if !before && !c.belongs(s) {
		return false
	}
	before = before || c.streams[s.Stream] != known
	return (c.To == 0 || s.Recorded < c.To) && (before || c.From == 0 || s.Recorded >= c.From)
}

// asked reports whether a record that is wanted is of what was asked for. What the
// app published before it, and the record that says whose a request is, come along
// so that the others can be understood: they are no records of the span or the
// person.
func (c *chooser) asked(s stored) bool {
	noun, _, _ := strings.Cut(s.Stream, "-")
	inSpan := (c.From == 0 || s.Recorded >= c.From) && (c.To == 0 || s.Recorded < c.To)
	return inSpan && (c.Subject == "" || !isPublished(ident.Noun(noun)))
}

// isPublished reports whether a stream holds what an app published.
func isPublished(n ident.Noun) bool {
	switch n {
	case ident.PolicyNoun, ident.SurfaceNoun, ident.ServiceNoun, ident.CalendarNoun:
		return true
	case ident.SubjectNoun, ident.AccessNoun, ident.RequestNoun, ident.IncidentNoun, ident.ObligationNoun:
	}
	return false
}

// isOf reports whether a pseudonym is of the person who is selected.
func (c *chooser) isOf(pseudonym string) bool {
	return pseudonym != "" && (pseudonym == c.Subject || slices.Contains(c.Linked, pseudonym))
}

// belongs reports whether a record is of the person: what their own streams
// tell, and what is theirs elsewhere.
func (c *chooser) belongs(s stored) bool {
	if c.Subject == "" {
		return true
	}

	noun, rest, _ := strings.Cut(s.Stream, "-")
	_, id, _ := strings.Cut(rest, "-")
	switch ident.Noun(noun) {
	case ident.SubjectNoun:
		if c.isOf(id) {
			return true
		}
	case ident.AccessNoun:
		if c.isOf(id) || c.isOf(s.Data.Subject) {
			return true
		}
	case ident.RequestNoun, ident.ObligationNoun:
		if owner, _, _ := strings.Cut(id, "-"); c.isOf(owner) {
			return true // what becomes of what a record of theirs says is owed
		}
		if c.isOf(s.Data.Subject) || c.isOf(s.Data.Cause.Subject) {
			c.streams[s.Stream] = true
		}
		return c.streams[s.Stream]
	case ident.PolicyNoun, ident.SurfaceNoun, ident.ServiceNoun, ident.CalendarNoun, ident.IncidentNoun:
	}
	return slices.ContainsFunc(s.Parts, func(p storedPart) bool { return c.isOf(p.Ref) })
}

// A Show says which personal parts shall be shown. The zero Show shows none.
type Show struct {
	All    bool
	Events []string // only of these records, if there are any
	Roles  []string // only in these roles, if there are any
}

// parts returns which parts of a record shall be shown.
func (c *chooser) parts(s stored, show Show) []storedPart {
	var parts []storedPart
	if !show.All || len(show.Events) > 0 && !slices.Contains(show.Events, s.ID) {
		return nil
	}
	for _, p := range s.Parts {
		if (c.Subject == "" || c.isOf(p.Ref)) && (len(show.Roles) == 0 || slices.Contains(show.Roles, p.Role)) {
			parts = append(parts, p)
		}
	}
	return parts
}
