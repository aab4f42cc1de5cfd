package policy

import (
	"fmt"
	"slices"
	"strings"

	"consentledger/domain/deadline"
)

// deadlines compares promises with a date: a longer one reduces rights, and so
// does less notice of what is to come, and a further reason to pause.
func (c *Comparison) deadlines(old, new Document) {
	was, is := map[string]deadline.Rule{}, map[string]deadline.Rule{}
	a, b := map[string]string{}, map[string]string{}
	for _, r := range old.DeadlineRules {
		was[string(r.ID)], a[string(r.ID)] = r, describeRule(r)
	}
	for _, r := range new.DeadlineRules {
		is[string(r.ID)], b[string(r.ID)] = r, describeRule(r)
	}

	for _, name := range names(a, b) {
		if a[name] == b[name] {
			continue
		}

		c.add(Difference{
			Section: "deadlines", Name: name, Old: a[name], New: b[name], Material: MaterialRights,
			Reduces: b[name] == "" || a[name] != "" && promisesLess(is[name], was[name]),
		})
	}
}

// promisesLess reports whether a rule may give less than it did. Of two units,
// starts, calendars or days of the year nobody can say which comes first.
func promisesLess(r, was deadline.Rule) bool {
	longer := r.Length > was.Length || r.ExtendedLength > max(was.ExtendedLength, was.Length) ||
		r.Roll != deadline.RollNone && was.Roll == deadline.RollNone
	if r.Direction == deadline.Backward {
		longer = r.Length < was.Length
	}

	other := r.Unit != was.Unit || r.Direction != was.Direction || r.ClockStart != was.ClockStart ||
		r.Calendar != was.Calendar || r.YearDay != was.YearDay
	return longer || other || r.Persons > was.Persons || !subset(r.Pause, was.Pause)
}

// describeRule says what a rule promises, for whoever compares two versions.
func describeRule(r deadline.Rule) string {
	text := fmt.Sprintf("%d %s %s from %s, extended %d, pauses %s, rolls %s",
		r.Length, r.Unit, r.Direction, r.ClockStart, r.ExtendedLength, strings.Join(r.Pause, " "), r.Roll)
	if r.Calendar != "" {
		text += ", calendar " + r.Calendar
	}
	if r.YearDay != "" {
		text += ", on " + string(r.YearDay)
	}
	if r.Persons != 0 {
		text += fmt.Sprintf(", from %d persons on", r.Persons)
	}
	return text
}

// rightDeadlines compares by which rules a right is answered: all of them open
// and the earliest binds, so one less is a later answer.
func (c *Comparison) rightDeadlines(old, new Document) {
	for _, is := range new.Rights {
		i := slices.IndexFunc(old.Rights, func(r Right) bool { return r.ID == is.ID })
		if i < 0 || slices.Equal(old.Rights[i].Deadlines, is.Deadlines) {
			continue
		}

		was := old.Rights[i].Deadlines
		c.add(Difference{
			Section: "deadlines of a right", Name: string(is.ID), Material: MaterialRights,
			Old: fmt.Sprint(was), New: fmt.Sprint(is.Deadlines),
			Reduces: !asSoon(old.RulesOf(was), new.RulesOf(is.Deadlines)),
		})
	}
}

// asSoon reports whether for each of the old rules there is a new one that
// promises no less.
func asSoon(old, new []deadline.Rule) bool {
	return !slices.ContainsFunc(old, func(o deadline.Rule) bool {
		return !slices.ContainsFunc(new, func(n deadline.Rule) bool { return !promisesLess(n, o) })
	})
}

// duties compares what is owed without being asked for: what is owed less is
// material, what is owed besides is not.
func (c *Comparison) duties(old, new Document) {
	was, is := map[string]DutyRule{}, map[string]DutyRule{}
	a, b := map[string]string{}, map[string]string{}
	for _, d := range old.Duties {
		was[d.ID], a[d.ID] = d, d.describe()
	}
	for _, d := range new.Duties {
		is[d.ID], b[d.ID] = d, d.describe()
	}

	for _, name := range names(a, b) {
		if a[name] == b[name] {
			continue
		}

		o, n := was[name], is[name]
		d := Difference{Section: "duties", Name: name, Old: a[name], New: b[name]}
		if b[name] == "" || a[name] != "" && (n.owesLess(o) || !asSoon(old.RulesOf(o.Rules), new.RulesOf(n.Rules))) {
			d.Material, d.Reduces = MaterialRights, true
		}
		c.add(d)
	}
}

// owesLess reports whether a duty opens for less than it did, or is met by more.
func (d DutyRule) owesLess(was DutyRule) bool {
	if !subset(was.On, d.On) || !subset(d.When, was.When) || d.Each < was.Each {
		return true
	}

	isNew := func(m string) bool { return !slices.Contains(was.MetBy, m) && !slices.Contains(was.MetBy, kindOf(m)) }
	return slices.ContainsFunc(d.MetBy, isNew) || d.Kind != was.Kind || d.Start != was.Start
}

// kindOf returns the kind of one of the facts that meet a duty.
func kindOf(metBy string) string {
	kind, _, _ := strings.Cut(metBy, " ")
	return kind
}

// describe says what is owed, for whoever compares two versions.
func (d DutyRule) describe() string {
	return fmt.Sprintf("%s on %v when %v, by %v from %q, for %s, met by %v",
		d.Kind, d.On, d.When, d.Rules, d.Start, d.Each, d.MetBy)
}

// subset reports whether every one of a is among b.
func subset[E comparable](a, b []E) bool {
	return !slices.ContainsFunc(a, func(x E) bool { return !slices.Contains(b, x) })
}

// AddScope adds a stale scope to a list. If the list has one of the same purpose, it
// is completed by what it leaves out.
func AddScope(all []StaleScope, s StaleScope) []StaleScope {
	i := slices.IndexFunc(all, func(t StaleScope) bool { return t.Purpose == s.Purpose })
	if i < 0 {
		return append(slices.Clip(all), s)
	}

	out := slices.Clone(all)
	for _, a := range s.Actions {
		if !slices.Contains(out[i].Actions, a) {
			out[i].Actions = append(slices.Clip(out[i].Actions), a)
		}
	}
	for _, k := range s.Categories {
		if !slices.Contains(out[i].Categories, k) {
			out[i].Categories = append(slices.Clip(out[i].Categories), k)
		}
	}

	return out
}
