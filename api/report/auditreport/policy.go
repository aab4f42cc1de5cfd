package auditreport

import (
	"slices"
	"strings"

	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/policy"
	"consentledger/domain/published"
)

// inForce returns the versions that bind at a moment, in the order in which
// their policies were first published.
func inForce(p domain.Policies, at deadline.Instant) []published.Policy {
	var list []published.Policy
	var seen []string
	for _, v := range p.Versions() {
		if slices.Contains(seen, v.Document.Name) {
			continue
		}
		seen = append(seen, v.Document.Name)
		if now, ok := p.InForce(v.Document.Name, at); ok {
			list = append(list, now)
		}
	}
	return list
}

// promised says what the policies promise.
func promised(p domain.Policies, at deadline.Instant) Promises {
	out := Promises{[]Policy{}, []Purpose{}}
	for _, v := range inForce(p, at) {
		out.Policies = append(out.Policies, Policy{v.Document.Name, hash(v.Version), moment(v.Effective)})
		for _, x := range v.Document.Purposes {
			out.Purposes = append(out.Purposes, purposeOf(v.Document, x))
		}
	}
	return out
}

func purposeOf(d policy.Document, x policy.Purpose) Purpose {
	p := Purpose{
		ID: string(x.ID), Title: x.Title, Section: x.Section, Policy: d.Name, Basis: x.Basis.String(),
		Categories: texts(x.Categories), Actions: []string{}, Recipients: []string{},
		Retention: x.Retention, Sensitive: x.Sensitive, Separate: x.Separate, Automated: x.Automated,
	}
	for _, a := range x.Actions {
		p.Actions = append(p.Actions, a.String())
	}

	for _, r := range d.Recipients {
		if slices.Contains(r.Purposes, x.ID) {
			p.Recipients = append(p.Recipients, string(r.ID))
		}
	}
	return p
}

func rulesOf(p domain.Policies, at deadline.Instant) []Rule {
	rules := []Rule{}
	for _, v := range inForce(p, at) {
		for _, r := range v.Document.DeadlineRules {
			rules = append(rules, Rule{Policy: v.Document.Name, ID: string(r.ID), Source: r.Source, Length: r.Length,
				Unit: r.Unit.String(), Law: r.Law, Version: hash(v.Version), Set: p.RuleSet(v.Version).String()})
		}
	}
	return rules
}

// The gaps, by codes that never change. What each means is in the catalogue.
const (
	gapHandler   = "handler-not-named"
	gapRetention = "retention-not-said"
	gapSeparate  = "sensitive-without-separate-consent"
	gapSensitive = "sensitive-by-law-only"
	gapAct       = "act-gives-no-consent"
	gapProcedure = "right-without-procedure"
	gapDeadline  = "right-without-deadline"
	gapLonger    = "promise-longer-than-law"
	gapDoubtful  = "doubtful-ground"
	gapAge       = "age-differs-from-law"
	gapText      = "no-authoritative-text"
)

// gapsOf holds the policies in force against the law, as far as their data say.
func gapsOf(p domain.Policies, handler string, at deadline.Instant) []Gap {
	gaps := []Gap{}
	for _, v := range inForce(p, at) {
		d := v.Document
		add := func(code, section, about string) { gaps = append(gaps, Gap{d.Name, section, code, about}) }
		if d.Handler.Name == "" {
			add(gapHandler, "", handler)
		}
		for _, x := range d.Purposes {
			if x.Retention == "" {
				add(gapRetention, x.Section, string(x.ID))
			}
			if x.Sensitive && x.Basis == policy.BasisConsent && !x.Separate {
				add(gapSeparate, x.Section, string(x.ID))
			}
		}
		for _, c := range d.Categories {
			if c.SensitiveByLaw && !c.SensitiveByPolicy {
				add(gapSensitive, c.Section, string(c.ID))
			}
		}
		for _, a := range d.Acts {
			if a.Counts == policy.NoConsent {
				add(gapAct, a.Section, string(a.ID))
			}
		}
		rightGaps(&d, add)
		groundGaps(d, add)
	}
	return gaps
}

func rightGaps(d *policy.Document, add func(code, section, about string)) {
	for _, r := range d.Rights {
		if r.Procedure == "" {
			add(gapProcedure, r.Section, string(r.ID))
		}
		if len(r.Deadlines) == 0 {
			add(gapDeadline, r.Section, string(r.ID))
		}
		for _, longer := range longerThanLaw(d, r) {
			add(gapLonger, r.Section, string(r.ID)+": "+longer)
		}
	}
}

// longerThanLaw returns the promises of a right that count the same as a law's
// ceiling, from the same moment, and go beyond it.
func longerThanLaw(d *policy.Document, r policy.Right) (ids []string) {
	for _, id := range r.Deadlines {
		promise, ok := d.DeadlineRule(id)
		if !ok || promise.Law {
			continue
		}
		for _, other := range r.Deadlines {
			law, ok := d.DeadlineRule(other)
			if ok && law.Law && law.Unit == promise.Unit && law.ClockStart == promise.ClockStart &&
				law.Length < promise.Length {
				ids = append(ids, string(id)+" > "+string(other))
			}
		}
	}
	return ids
}

func groundGaps(d policy.Document, add func(code, section, about string)) {
	for _, list := range [][]policy.Ground{d.ExemptionsCollect, d.ExemptionsProvide, d.Rejections, d.Disclosures} {
		for _, g := range list {
			if g.Doubtful {
				add(gapDoubtful, g.Section, strings.TrimSpace(g.Code+" "+g.Title))
			}
		}
	}
	if d.Minors.ChildBelowPolicy != d.Minors.ChildBelowLaw {
		add(gapAge, "", "")
	}
	if !slices.ContainsFunc(d.Texts, func(t policy.Text) bool { return t.Force == policy.Authoritative }) {
		add(gapText, "", "")
	}
}
