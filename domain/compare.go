package domain

import (
	"fmt"
	"slices"
	"strings"
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
	Section  string // purposes, categories, methods, recipients, permissions, deadlines, rights, channels, handler, grounds, texts
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
	c.list("categories", "", false, titles(old.Categories), titles(new.Categories))
	c.list("recipients", MaterialRecipients, false, titles(old.Recipients), titles(new.Recipients))
	c.list("permissions", MaterialService, false, titles(old.Permissions), titles(new.Permissions))
	c.list("acts", "", false, titles(old.Acts), titles(new.Acts))
	c.list("rights", MaterialRights, true, titles(old.Rights), titles(new.Rights))
	c.list("channels", MaterialResponsible, true, titles(old.Channels), titles(new.Channels))
	c.deadlines(old, new)
	c.list("handler", MaterialOwner, false, map[string]string{"name": old.Handler.Name}, map[string]string{"name": new.Handler.Name})
	c.list("handler", MaterialResponsible, false,
		map[string]string{"address": old.Handler.Address, "contact": old.Handler.Contact},
		map[string]string{"address": new.Handler.Address, "contact": new.Handler.Contact})
	c.list("rejection grounds", MaterialRights, false, grounds(old.Rejections), grounds(new.Rejections))
	c.list("exemptions, collection", MaterialRights, false, grounds(old.ExemptionsCollect), grounds(new.ExemptionsCollect))
	c.list("exemptions, provision", MaterialRights, false, grounds(old.ExemptionsProvide), grounds(new.ExemptionsProvide))
	c.list("disclosure grounds", MaterialRecipients, false, grounds(old.Disclosures), grounds(new.Disclosures))
	c.list("texts", "", false, texts(old.Texts), texts(new.Texts))
	c.conclude()
	return c
}

// add records a difference.
func (c *Comparison) add(d Difference) {
	c.Differences = append(c.Differences, d)
}

// list compares things that are known by a name.
func (c *Comparison) list(section, material string, lossReduces bool, old, new map[string]string) {
	for _, name := range names(old, new) {
		was, is := old[name], new[name]
		if was != is {
			c.add(Difference{section, name, was, is, material, lossReduces && is == ""})
		}
	}
}

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
	c.list("purposes", MaterialService, false, titles(old.Purposes), titles(new.Purposes))
	for _, is := range new.Purposes {
		was, ok := old.Purpose(is.ID)
		if !ok {
			continue
		}
		s := StaleScope{Purpose: is.ID}
		for _, a := range is.Actions {
			if !has(was.Actions, a) {
				s.Actions = append(s.Actions, a)
				c.add(Difference{"methods", string(is.ID), "", a.String(), MaterialService, false})
			}
		}
		for _, k := range is.Categories {
			if !has(was.Categories, k) {
				s.Categories = append(s.Categories, k)
				c.add(Difference{"categories of a purpose", string(is.ID), "", string(k), MaterialService, false})
			}
		}
		c.lost(was, is)
		if is.Basis != BasisConsent {
			continue
		}
		if meaning(was) != meaning(is) {
			c.Stale = append(c.Stale, is.ID)
		} else if len(s.Actions)+len(s.Categories) > 0 {
			c.Scopes = append(c.Scopes, s)
		}
	}
}

// lost adds what a purpose does no more: less is no material change.
func (c *Comparison) lost(was, is Purpose) {
	for _, a := range was.Actions {
		if !has(is.Actions, a) {
			c.add(Difference{"methods", string(is.ID), a.String(), "", "", false})
		}
	}
	for _, k := range was.Categories {
		if !has(is.Categories, k) {
			c.add(Difference{"categories of a purpose", string(is.ID), string(k), "", "", false})
		}
	}
	if a, b := terms(was), terms(is); a != b {
		c.add(Difference{"terms of a purpose", string(is.ID), a, b, MaterialService, false})
	}
}

// meaning is what a yes to a purpose was a yes to, besides methods and data.
func meaning(p Purpose) string {
	return fmt.Sprint(p.Title, p.Basis, p.Separate, p.Automated)
}

// terms is what else a purpose says of itself.
func terms(p Purpose) string {
	return fmt.Sprintf("basis %s, separate %t, sensitive %t, necessary %t, automated %t, retention %q, lasts %d months",
		p.Basis, p.Separate, p.Sensitive, p.Necessary, p.Automated, p.Retention, p.ConsentLasts)
}

// deadlines compares promises with a date: a longer one reduces rights, and so
// does less notice of what is to come.
func (c *Comparison) deadlines(old, new Document) {
	was, is := map[string]DeadlineRule{}, map[string]DeadlineRule{}
	a, b := map[string]string{}, map[string]string{}
	for _, r := range old.DeadlineRules {
		was[string(r.ID)], a[string(r.ID)] = r, r.describe()
	}
	for _, r := range new.DeadlineRules {
		is[string(r.ID)], b[string(r.ID)] = r, r.describe()
	}
	for _, name := range names(a, b) {
		if a[name] == b[name] {
			continue
		}
		o, n := was[name], is[name]
		longer := o.Unit == n.Unit && n.Length > o.Length || n.ExtendedLength > max(o.ExtendedLength, o.Length)
		if n.Direction == Backward {
			longer = o.Unit == n.Unit && n.Length < o.Length
		}
		c.add(Difference{"deadlines", name, a[name], b[name], MaterialRights, b[name] == "" || a[name] != "" && (longer || o.Unit != n.Unit || o.ClockStart != n.ClockStart)})
	}
}

func (r DeadlineRule) describe() string {
	text := fmt.Sprintf("%d %s %s from %s, extended %d, pauses %s, rolls %s", r.Length, r.Unit, r.Direction, r.ClockStart,
		r.ExtendedLength, strings.Join(r.Pause, " "), r.Roll)
	if r.YearDay != "" {
		text += ", on " + string(r.YearDay)
	}
	if r.Persons != 0 {
		text += fmt.Sprintf(", from %d persons on", r.Persons)
	}
	return text
}

// conclude finds the kinds of material change among the differences.
func (c *Comparison) conclude() {
	for _, d := range c.Differences {
		if d.Material != "" && !has(c.Material, d.Material) {
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
func (a Act) title() (string, string)      { return string(a.ID), a.Title + " (" + a.Counts.String() + ")" }
func (p Permission) title() (string, string) {
	return string(p.ID), p.Title + " for " + fmt.Sprint(p.Purposes)
}
func (r Right) title() (string, string) { return string(r.ID), r.Title + ", by: " + r.Procedure }
func (c Channel) title() (string, string) {
	return string(c.ID), c.Title + " for " + fmt.Sprint(c.Uses)
}
func (r Recipient) title() (string, string) {
	return string(r.ID), r.Title + " for " + fmt.Sprint(r.Purposes) + map[bool]string{true: ", abroad"}[r.Abroad]
}

func grounds(list []Ground) map[string]string {
	m := map[string]string{}
	for _, g := range list {
		m[g.Code] = g.Title
	}
	return m
}

func texts(list []Text) map[string]string {
	m := map[string]string{}
	for _, t := range list {
		m[t.Locale] = t.Standing.String() + " " + t.Hash.String()
	}
	return m
}

// compare adds to e what differs from the version in force before it. The
// publisher declares material changes: may add, may not drop.
func (p Policies) compare(e *PolicyPublished) error {
	before, ok := p.InForce(e.Document.Name, e.Effective)
	if !ok {
		return nil
	}
	c := Compare(before.Document, e.Document)
	for _, kind := range c.Material {
		if !has(e.Material, kind) {
			return refuseAt(MaterialDropped, "material", fmt.Sprintf(
				"the change is material: declare %s (see consentledger policy diff), you may add kinds and may not drop one", strings.Join(c.Material, ", ")))
		}
	}
	for _, id := range c.Stale {
		if !has(e.Stale, id) {
			e.Stale = append(e.Stale[:len(e.Stale):len(e.Stale)], id)
		}
	}
	for _, s := range c.Scopes {
		if !slices.ContainsFunc(e.Scopes, func(t StaleScope) bool { return t.Purpose == s.Purpose }) {
			e.Scopes = append(e.Scopes[:len(e.Scopes):len(e.Scopes)], s)
		}
	}
	e.RightsReduced = e.RightsReduced || c.RightsReduced
	return nil
}
