package policy

import (
	"fmt"
	"slices"
	"strings"

	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/internal/form"
)

// A Problem is something that keeps a Document from being one: two parts of
// one name, or a name that nothing bears. Path says where, as in
// "purposes[2].categories[0]".
type Problem struct{ Path, Message string }

func (p Problem) String() string { return p.Path + ": " + p.Message }

// Check returns what is wrong with d; nothing, when d can be published. It
// does not judge what the policy says.
func (d *Document) Check() []Problem {
	c := checker{doc: d, seen: map[string]string{}}
	c.head()
	c.processing()
	c.recipients()
	c.grounds()
	c.promises()
	return c.problems
}

// A checker collects problems. Ids are seen under "kind id".
type checker struct {
	doc      *Document
	seen     map[string]string
	problems []Problem
}

func (c *checker) report(path, format string, args ...any) {
	c.problems = append(c.problems, Problem{path, fmt.Sprintf(format, args...)})
}

// require reports text that is missing.
func (c *checker) require(path, text string) {
	if text == "" {
		c.report(path, "is missing")
	}
}

// declare reports an id that is malformed or taken, and takes it.
func (c *checker) declare(path, kind, id string, ok bool) {
	if !ok {
		c.report(path, "%q is no id of a %s", id, kind)
		return
	}
	if first, taken := c.seen[kind+" "+id]; taken {
		c.report(path, "%s %q is already declared by %s", kind, id, first)
		return
	}
	c.seen[kind+" "+id] = path
}

// refer reports an id that was not declared.
func (c *checker) refer(path, kind, id string) {
	if _, ok := c.seen[kind+" "+id]; !ok {
		c.report(path, "there is no %s %q", kind, id)
	}
}

// oneOf reports an enumeration that was left at no value.
func oneOf[E ~uint8](c *checker, path string, e E) {
	if e == 0 {
		c.report(path, "is missing")
	}
}

// distinct reports what stands twice in one list.
func distinct[E comparable](c *checker, path string, list []E) {
	seen := map[E]bool{}
	for i, e := range list {
		if seen[e] {
			c.report(fmt.Sprintf("%s[%d]", path, i), "%v stands twice", e)
		}
		seen[e] = true
	}
}

func (c *checker) head() {
	d := c.doc
	if !form.IsName(d.Name, 32) {
		c.report("name", `%q is no name: 1 to 32 of a-z, 0-9 and "-"`, d.Name)
	}

	c.require("jurisdiction", d.Jurisdiction)
	if d.Jurisdiction != "" && !form.IsJurisdiction(d.Jurisdiction) {
		c.report("jurisdiction", `%q is no jurisdiction: want one as in "CN", "DE" or "EU"`, d.Jurisdiction)
	}

	c.require("timezone", d.TimeZone)
	if len(d.Title) == 0 {
		c.report("title", "is missing")
	}

	for i, t := range d.Title {
		c.declare(fmt.Sprintf("title[%d].locale", i), "title", t.Locale, t.Locale != "")
	}
	if len(d.Texts) == 0 {
		c.report("texts", "is missing: a policy is read before it is agreed to")
	}

	for i, t := range d.Texts {
		path := fmt.Sprintf("texts[%d]", i)
		c.declare(path+".locale", "text", t.Locale, t.Locale != "")
		oneOf(c, path+".standing", t.Force)
		if t.Hash == (content.Hash{}) {
			c.report(path+".hash", "is missing")
		}
	}
}

func (c *checker) processing() {
	d := c.doc
	for i, x := range d.Categories {
		path := fmt.Sprintf("categories[%d]", i)
		c.declare(path+".id", "category", string(x.ID), form.IsName(string(x.ID), 64))
		c.require(path+".title", x.Title)
	}

	if len(d.Purposes) == 0 {
		c.report("purposes", "is missing")
	}

	for i, p := range d.Purposes {
		c.purpose(fmt.Sprintf("purposes[%d]", i), p)
	}

	for i, x := range d.Permissions {
		path := fmt.Sprintf("permissions[%d]", i)
		c.declare(path+".id", "permission", string(x.ID), form.IsName(string(x.ID), 64))
		c.require(path+".title", x.Title)
		for j, id := range x.Purposes {
			c.refer(fmt.Sprintf("%s.purposes[%d]", path, j), "purpose", string(id))
		}
		distinct(c, path+".purposes", x.Purposes)
	}

	for i, x := range d.Acts {
		path := fmt.Sprintf("acts[%d]", i)
		c.declare(path+".id", "act", string(x.ID), form.IsName(string(x.ID), 64))
		c.require(path+".title", x.Title)
		for j, id := range x.Purposes {
			c.refer(fmt.Sprintf("%s.purposes[%d]", path, j), "purpose", string(id))
		}
		distinct(c, path+".purposes", x.Purposes)
	}
}

func (c *checker) purpose(path string, p Purpose) {
	c.declare(path+".id", "purpose", string(p.ID), form.IsName(string(p.ID), 64))
	c.require(path+".title", p.Title)
	for j, id := range p.Categories {
		c.refer(fmt.Sprintf("%s.categories[%d]", path, j), "category", string(id))
	}
	distinct(c, path+".categories", p.Categories)
	if len(p.Actions) == 0 {
		c.report(path+".actions", "is missing")
	}
	distinct(c, path+".actions", p.Actions)
	oneOf(c, path+".basis", p.Basis)

	switch {
	case p.KeepMonths == 0 && p.KeepDays == 0 && p.KeepAfter == "":
	case p.KeepMonths < 0 || p.KeepDays < 0 || (p.KeepMonths == 0) == (p.KeepDays == 0):
		c.report(path+".keep_months", "say for how many months or days data are kept, one of the two")
	case !slices.Contains(retentionEnds, p.KeepAfter):
		c.report(path+".keep_after", "is one of %s: the kind of fact that ends the purpose",
			strings.Join(retentionEnds, ", "))
	}

	if p.ConsentLasts < 0 {
		c.report(path+".consent_lasts_months", "is less than nothing")
	}
}

// recipients checks who gets data, for which purposes.
func (c *checker) recipients() {
	for i, r := range c.doc.Recipients {
		path := fmt.Sprintf("recipients[%d]", i)
		c.declare(path+".id", "recipient", string(r.ID), form.IsName(string(r.ID), 64))
		c.require(path+".title", r.Title)
		for j, id := range r.Purposes {
			c.refer(fmt.Sprintf("%s.purposes[%d]", path, j), "purpose", string(id))
		}
	}

	if c.doc.Over == c.doc.Name && c.doc.Over != "" {
		c.report("over", "a policy does not prevail over itself")
	}
	if c.doc.QuietHours < 0 {
		c.report("quiet_hours", "is less than nothing")
	}
}

// grounds checks that no two grounds of the document share a code.
func (c *checker) grounds() {
	d := c.doc
	for _, list := range []struct {
		path    string
		grounds []Ground
	}{
		{"exemptions_collect", d.ExemptionsCollect}, {"exemptions_provide", d.ExemptionsProvide},
		{"rejections", d.Rejections}, {"disclosures", d.Disclosures},
		{"material_kinds", d.MaterialKinds}, {"principles", d.Principles}, {"measures", d.Measures},
		{"incident_notice", d.IncidentNotice}, {"identity_elements", d.IdentityElements},
		{"minors.rules", d.Minors.Rules},
	} {
		for i, g := range list.grounds {
			path := fmt.Sprintf("%s[%d]", list.path, i)
			c.declare(path+".code", "ground", g.Code, g.Code != "")
			c.require(path+".title", g.Title)
		}
	}
}

func (c *checker) promises() {
	d := c.doc
	for i, r := range d.DeadlineRules {
		c.deadlineRule(fmt.Sprintf("deadline_rules[%d]", i), r)
	}

	for i, x := range d.Rights {
		path := fmt.Sprintf("rights[%d]", i)
		c.declare(path+".id", "right", string(x.ID), form.IsName(string(x.ID), 64))
		c.require(path+".title", x.Title)
		for j, id := range x.Deadlines {
			c.refer(fmt.Sprintf("%s.deadlines[%d]", path, j), "deadline rule", string(id))
		}
	}

	for i, x := range d.Duties {
		c.duty(fmt.Sprintf("duties[%d]", i), x)
	}

	for i, x := range d.Channels {
		path := fmt.Sprintf("channels[%d]", i)
		c.declare(path+".id", "channel", string(x.ID), form.IsName(string(x.ID), 64))
		oneOf(c, path+".kind", x.Kind)
		distinct(c, path+".uses", x.Uses)
	}

	m := d.Minors
	if m.ChildBelowPolicy < 0 || m.ChildBelowLaw < 0 || m.ChildBelowPolicy > m.AdultAge ||
		m.ChildBelowLaw > m.AdultAge {
		c.report("minors", "a child's age lies between 0 and the adult age")
	}
}

func (c *checker) duty(path string, x DutyRule) {
	c.declare(path+".id", "duty", x.ID, form.IsName(x.ID, 64))
	if len(x.On) == 0 {
		c.report(path+".on", "is missing: name the kinds of facts that open it")
	}
	if !form.IsName(string(x.Kind), 64) {
		c.report(path+".kind", "%q is no kind of duty: a name as in stop, delete, tell-persons", x.Kind)
	}
	if len(x.Rules) == 0 {
		c.report(path+".rules", "is missing: without a rule there is no date")
	}

	for j, id := range x.Rules {
		c.refer(fmt.Sprintf("%s.rules[%d]", path, j), "deadline rule", string(id))
	}

	for j, m := range x.MetBy {
		if !isMet(m) {
			c.report(fmt.Sprintf("%s.met_by[%d]", path, j),
				"%q is no fact that meets it: a kind, and after it members, "+
					"as in audit.finished minors=yes", m)
		}
	}
}

// isMet reports whether a text says by which facts a duty is met, see [MeetsBy].
func isMet(text string) bool {
	words := strings.Fields(text)
	if len(words) == 0 || strings.Join(words, " ") != text {
		return false
	}

	isMember := func(word string) bool { return strings.Contains(word, "=") }
	return !slices.ContainsFunc(words[1:], func(w string) bool { return !isMember(w) })
}

func (c *checker) deadlineRule(path string, r deadline.Rule) {
	c.declare(path+".id", "deadline rule", string(r.ID), r.ID != "")
	oneOf(c, path+".unit", r.Unit)
	c.require(path+".timezone", r.TimeZone)
	c.require(path+".clock_start", r.ClockStart)
	if r.Length <= 0 {
		c.report(path+".length", "is at least 1")
	}
	if r.ExtendedLength != 0 && r.ExtendedLength <= r.Length {
		c.report(path+".extended_length", "is longer than the length")
	}
	if r.Persons < 0 {
		c.report(path+".persons", "is less than nobody")
	}

	if _, err := deadline.ParseYearDay(string(r.YearDay)); r.YearDay != "" && err != nil {
		c.report(path+".year_day", "%v", err)
	} else if r.YearDay != "" && (r.Unit != deadline.UnitYear || r.Direction == deadline.Backward) {
		c.report(path+".year_day", "is of rules in years that count forward")
	}

	counts := r.Unit == deadline.UnitWorkingDay || r.Roll == deadline.RollNextWorkingDay
	if counts && r.Calendar == "" {
		c.report(path+".calendar", "is missing: the rule counts working days")
	}
	neverRolls := r.Unit == deadline.UnitWorkingDay || r.Unit == deadline.UnitHour || r.Direction == deadline.Backward
	if r.Roll != deadline.RollNone && neverRolls {
		c.report(path+".roll", "only calendar days, months and years that count forward roll")
	}
}

// RetentionEnds are the kinds of facts that a period of retention may run from.
var retentionEnds = []string{"consent.withdrawn", "subject.closed", "purpose.achieved"}
