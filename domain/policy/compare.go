package policy

import (
	"fmt"
	"slices"
	"strconv"
)

// The six kinds of material change, by the codes of policy section XI(II).
const (
	MaterialService     = "MAT-1" // purposes, kinds of data, ways of use
	MaterialOwner       = "MAT-2"
	MaterialRecipients  = "MAT-3"
	MaterialRights      = "MAT-4" // rights, and how they are exercised
	MaterialResponsible = "MAT-5" // who answers, and by which channel
	MaterialRisk        = "MAT-6" // an assessment shows high risk: nobody can read that off a text
)

// A Difference is one thing that differs between two versions.
type Difference struct {
	Section  string // of the document: purposes, methods, recipients, deadlines, rights, texts ...
	Name     string
	Old, New string // empty: it is not there
	Material string // the kind of material change; empty: none
	Reduces  bool   // rights of persons
}

// A Comparison is what differs between two versions, and what follows.
type Comparison struct {
	Differences   []Difference
	Material      []string // sorted
	Stale         []PurposeID
	Scopes        []StaleScope
	RightsReduced bool
}

// Compare finds what differs between an old and a new version.
func Compare(old, new Document) Comparison {
	var c Comparison
	c.purposes(old, new)
	c.list("categories", "", neither, titles(old.Categories), titles(new.Categories))
	c.list("recipients", MaterialRecipients, neither, titles(old.Recipients), titles(new.Recipients))
	c.list("permissions", MaterialService, neither, titles(old.Permissions), titles(new.Permissions))
	c.list("acts", "", neither, titles(old.Acts), titles(new.Acts))
	c.list("rights", MaterialRights, loss, titles(old.Rights), titles(new.Rights))
	c.list("channels", MaterialResponsible, loss, titles(old.Channels), titles(new.Channels))
	c.deadlines(old, new)
	c.rightDeadlines(old, new)
	c.duties(old, new)
	c.list("handler", MaterialOwner, neither,
		map[string]string{"name": old.Handler.Name}, map[string]string{"name": new.Handler.Name})
	c.list("handler", MaterialResponsible, neither,
		map[string]string{"address": old.Handler.Address, "contact": old.Handler.Contact},
		map[string]string{"address": new.Handler.Address, "contact": new.Handler.Contact})
	c.list("rejection grounds", MaterialRights, gain, grounds(old.Rejections), grounds(new.Rejections))
	c.list("exemptions, collection", MaterialRights, gain, grounds(old.ExemptionsCollect),
		grounds(new.ExemptionsCollect))
	c.list("exemptions, provision", MaterialRights, gain, grounds(old.ExemptionsProvide),
		grounds(new.ExemptionsProvide))
	c.list("disclosure grounds", MaterialRecipients, gain, grounds(old.Disclosures), grounds(new.Disclosures))
	c.list("minors", MaterialRights, either, ages(old.Minors), ages(new.Minors))
	c.list("minors", MaterialRights, loss, grounds(old.Minors.Rules), grounds(new.Minors.Rules))
	c.list("texts", "", neither, texts(old.Texts), texts(new.Texts))

	c.conclude()
	return c
}

// add records a difference.
func (c *Comparison) add(d Difference) {
	c.Differences = append(c.Differences, d)
}

// A reduction says which of the differences in a list take something from
// persons.
type reduction uint8

const (
	neither reduction = iota
	loss              // what is no longer there: a right
	gain              // what is there now: a ground to refuse
	either            // any: nobody can say who gains by it
)

func (r reduction) by(was, is string) bool {
	switch r {
	case neither:
		return false
	case loss:
		return is == ""
	case gain:
		return was == ""
	case either:
		return true
	}
	panic(fmt.Sprintf("policy: reduction %d has no case", r))
}

// list compares things that are known by a name.
func (c *Comparison) list(section, material string, reduces reduction, old, new map[string]string) {
	for _, name := range names(old, new) {
		if was, is := old[name], new[name]; was != is {
			c.add(Difference{
				Section: section, Name: name, Old: was, New: is, Material: material, Reduces: reduces.by(was, is),
			})
		}
	}
}

// names returns the keys of all the maps, in order.
func names(maps ...map[string]string) []string {
	var all []string
	for _, m := range maps {
		for name := range m {
			if !slices.Contains(all, name) {
				all = append(all, name)
			}
		}
	}
	slices.Sort(all)
	return all
}

// purposes compares what is done, with what, for what. A purpose whose meaning
// changed is stale as a whole; one that only grew is stale in what was added.
func (c *Comparison) purposes(old, new Document) {
	c.list("purposes", MaterialService, neither, titles(old.Purposes), titles(new.Purposes))
	for _, is := range new.Purposes {
		was, ok := old.Purpose(is.ID)
		if !ok {
			continue
		}

		whole, s := Uncovered(was, is)
		for _, a := range s.Actions {
			c.add(Difference{Section: "methods", Name: string(is.ID), New: a.String(), Material: MaterialService})
		}
		for _, k := range s.Categories {
			c.add(Difference{
				Section: "categories of a purpose", Name: string(is.ID), New: string(k), Material: MaterialService,
			})
		}
		c.lost(was, is)

		switch {
		case is.Basis != BasisConsent:
		case whole:
			c.Stale = append(c.Stale, is.ID)
		case s.Purpose != "":
			c.Scopes = append(c.Scopes, s)
		}
	}
}

// Uncovered returns what a consent to a purpose as it was does not cover of what the
// purpose is now: all of it, if it means something else, and what was added to it.
func Uncovered(was, is Purpose) (whole bool, added StaleScope) {
	for _, a := range is.Actions {
		if !slices.Contains(was.Actions, a) {
			added.Actions = append(added.Actions, a)
		}
	}
	for _, k := range is.Categories {
		if !slices.Contains(was.Categories, k) {
			added.Categories = append(added.Categories, k)
		}
	}
	if len(added.Actions)+len(added.Categories) > 0 {
		added.Purpose = is.ID
	}

	return meaning(was) != meaning(is), added
}

// lost adds what a purpose does no more. To do less is no material change.
func (c *Comparison) lost(was, is Purpose) {
	for _, a := range was.Actions {
		if !slices.Contains(is.Actions, a) {
			c.add(Difference{Section: "methods", Name: string(is.ID), Old: a.String()})
		}
	}
	for _, k := range was.Categories {
		if !slices.Contains(is.Categories, k) {
			c.add(Difference{Section: "categories of a purpose", Name: string(is.ID), Old: string(k)})
		}
	}

	if a, b := terms(was), terms(is); a != b {
		c.add(Difference{
			Section: "terms of a purpose", Name: string(is.ID), Old: a, New: b, Material: MaterialService,
		})
	}
}

// meaning is what a person consented to, besides methods and data.
func meaning(p Purpose) string {
	return fmt.Sprint(p.Title, p.Basis, p.Separate, p.Automated)
}

// terms is what else a purpose says of itself.
func terms(p Purpose) string {
	return fmt.Sprintf("basis %s, separate %t, sensitive %t, necessary %t, automated %t, retention %q, lasts %d months",
		p.Basis, p.Separate, p.Sensitive, p.Necessary, p.Automated, p.Retention, p.ConsentLasts)
}

// conclude finds the kinds of material change among the differences.
func (c *Comparison) conclude() {
	for _, d := range c.Differences {
		if d.Material != "" && !slices.Contains(c.Material, d.Material) {
			c.Material = append(c.Material, d.Material)
		}
		c.RightsReduced = c.RightsReduced || d.Reduces
	}
	slices.Sort(c.Material)
}

// titles describes what has an id.
func titles[T titled](list []T) map[string]string {
	m := map[string]string{}
	for _, x := range list {
		name, text := x.title()
		m[name] = text
	}
	return m
}

type titled interface{ title() (name, text string) }

func (p Purpose) title() (string, string)  { return string(p.ID), p.Title }
func (c Category) title() (string, string) { return string(c.ID), c.Title }

func (a Act) title() (string, string) {
	text := a.Title + " (" + a.Counts.String() + ")"
	if len(a.Purposes) > 0 {
		text += " for " + fmt.Sprint(a.Purposes)
	}
	return string(a.ID), text
}

func (p Permission) title() (string, string) {
	return string(p.ID), p.Title + " for " + fmt.Sprint(p.Purposes)
}

func (r Right) title() (string, string) { return string(r.ID), r.Title + ", by: " + r.Procedure }

func (c Channel) title() (string, string) {
	return string(c.ID), c.Title + " for " + fmt.Sprint(c.Uses)
}

func (r Recipient) title() (string, string) {
	text := r.Title + " for " + fmt.Sprint(r.Purposes)
	if r.Abroad {
		text += ", abroad"
	}
	return string(r.ID), text
}

// grounds describes an enumeration.
func grounds(list []Ground) map[string]string {
	m := map[string]string{}
	for _, g := range list {
		m[g.Code] = g.Title
	}
	return m
}

// ages describes who is a child and who an adult.
func ages(m Minors) map[string]string {
	return map[string]string{
		"adult_age":          strconv.Itoa(m.AdultAge),
		"child_below_policy": strconv.Itoa(m.ChildBelowPolicy),
		"child_below_law":    strconv.Itoa(m.ChildBelowLaw),
	}
}

// texts describes what people read.
func texts(list []Text) map[string]string {
	m := map[string]string{}
	for _, t := range list {
		m[t.Locale] = t.Force.String() + " " + t.Hash.String()
	}
	return m
}

// AddDifference adds a difference, and what kind of change it is.
func (c *Comparison) AddDifference(d Difference) {
	c.add(d)
	if !slices.Contains(c.Material, d.Material) {
		c.Material = append(c.Material, d.Material)
		slices.Sort(c.Material)
	}
}

// AddStale adds what is stale besides, as far as the new document declares it and
// rests it on consent.
func (c *Comparison) AddStale(is Document, stale []PurposeID, scopes []StaleScope) {
	for _, id := range stale {
		if q, declared := is.Purpose(id); declared && q.Basis == BasisConsent && !slices.Contains(c.Stale, id) {
			c.Stale = append(c.Stale, id)
		}
	}

	for _, s := range scopes {
		q, _ := is.Purpose(s.Purpose)
		s.Actions, s.Categories = both(s.Actions, q.Actions), both(s.Categories, q.Categories)
		if q.Basis == BasisConsent && !slices.Contains(c.Stale, s.Purpose) && len(s.Actions)+len(s.Categories) > 0 {
			c.Scopes = AddScope(c.Scopes, s)
		}
	}

	// What is stale as a whole is not stale in part.
	c.Scopes = slices.DeleteFunc(c.Scopes, func(s StaleScope) bool { return slices.Contains(c.Stale, s.Purpose) })
}

// both returns what of a is in b too.
func both[E comparable](a, b []E) []E {
	return slices.DeleteFunc(slices.Clone(a), func(x E) bool { return !slices.Contains(b, x) })
}

// AddRenewed adds purposes that are declared again after they were given up. Consents
// to them are stale, whatever else changed of them.
func (c *Comparison) AddRenewed(again []Purpose) {
	for _, q := range again {
		c.AddDifference(Difference{
			Section: "purposes declared again", Name: string(q.ID), New: q.Title, Material: MaterialService,
		})
		if !slices.Contains(c.Stale, q.ID) {
			c.Stale = append(c.Stale, q.ID)
		}
		c.Scopes = slices.DeleteFunc(c.Scopes, func(s StaleScope) bool { return s.Purpose == q.ID })
	}
}

// A StaleScope is what a version adds to a purpose: consents to what was there
// before still cover that.
type StaleScope struct {
	Purpose    PurposeID
	Actions    []Action
	Categories []CategoryID
}
