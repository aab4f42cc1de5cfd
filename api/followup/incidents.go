package followup

import (
	"slices"
	"strings"

	"consentledger/domain"
	"consentledger/domain/catalog"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/obligation"
	"consentledger/domain/policy"
	"consentledger/eventstore/codec"
)

// The steps of an incident arrive in any order: who works on one records later
// what was done first. So a step meets what is owed although it came before what
// opened that, and a clock goes back to what it runs from when that arrives late.

// learnBegun remembers when a fact of every kind happened first in an incident,
// and under the empty kind when the incident began. Clocks that were started
// without it are started anew, if they began too late.
func (r *Process) learnBegun(a *app, e codec.Entry) {
	s, step := e.Event.(domain.Stepped)
	if e.Stream.Noun != ident.IncidentNoun || !step {
		return
	}

	firsts := a.firsts(e.Stream.ID)
	at, sooner := min(e.At, e.Recorded), false
	kinds := []string{e.Kind()}
	if rule, _ := catalog.StepRuleOf(s.Kind); rule.Opens() {
		kinds = append(kinds, "")
	}

	for _, kind := range kinds {
		if was, known := firsts[kind]; !known || at < was {
			firsts[kind], sooner = at, true
		}
	}

	if p := a.places[placeOf(e.Stream)]; p != nil && sooner {
		for _, o := range p.open {
			r.restart(a, o)
		}
	}
}

// firsts returns when a fact of every kind happened first in an incident.
func (a *app) firsts(incident string) map[string]deadline.Instant {
	if a.began[incident] == nil {
		a.began[incident] = map[string]deadline.Instant{}
	}
	return a.began[incident]
}

// learnReopened forgets that what follows from the end of an incident was owed: once
// it ends again, a summary is owed of all of it. What is open of that stays.
func (r *Process) learnReopened(a *app, e codec.Entry, s domain.Stepped) {
	if s.Kind != "incident.reopened" {
		return
	}

	p := a.places[placeOf(e.Stream)]
	for _, v := range a.policies.Versions() {
		for _, d := range v.Document.Duties {
			if !slices.Contains(d.On, "incident.closed") {
				continue
			}
			for _, rule := range d.Rules {
				if !p.owes(d.Kind, rule) {
					delete(a.owed[e.Stream.ID], string(d.Kind)+" "+string(rule))
				}
			}
			a.steps[e.Stream.ID] = slices.DeleteFunc(a.steps[e.Stream.ID], func(was codec.Entry) bool {
				return policy.MeetsBy(d.MetBy, was.Kind(), domain.Members(was.Event))
			})
		}
	}
}

// owes reports whether something is open in a place, or will be.
func (p *place) owes(kind policy.DutyKind, rule deadline.RuleID) bool {
	if p == nil {
		return false
	}

	for _, o := range p.open {
		if o.kind == kind && o.due.Rule == rule {
			return true
		}
	}

	for _, o := range p.openings {
		if o.kind == kind && o.rule == rule {
			return true
		}
	}
	return false
}

// keepStep remembers a step of an incident that may meet what opens after it.
func (a *app) keepStep(e codec.Entry) {
	if _, step := e.Event.(domain.Stepped); step && e.Stream.Noun == ident.IncidentNoun && domain.Meets(e.Event) {
		a.steps[e.Stream.ID] = append(a.steps[e.Stream.ID], e)
	}
}

// stepsBefore returns the steps of an incident that meet what opens only now.
func (a *app) stepsBefore(incident string, metBy []string) []codec.Entry {
	var steps []codec.Entry
	for _, e := range a.steps[incident] {
		if policy.MeetsBy(metBy, e.Kind(), domain.Members(e.Event)) {
			steps = append(steps, e)
		}
	}
	return steps
}

// learnIncident completes what is known of an obligation that follows from an
// incident.
func (r *Process) learnIncident(a *app, o *openDuty, x obligation.Obligation) {
	if o.cause.Noun != ident.IncidentNoun {
		return
	}
	o.notBefore = a.began[o.cause.ID][""]
	if d, ok := a.dutyOf(x, o.causeKind); ok {
		o.startsBy = d.Start
	}
	r.restart(a, o)
}

// restart starts the clock of an obligation of an incident at what it runs from,
// if it was started later than that.
func (r *Process) restart(a *app, o *openDuty) {
	from, runs := o.runsFrom()
	if !runs {
		return
	}
	began := a.began[o.cause.ID][from]
	if began == 0 || o.due.Start != 0 && began >= o.due.Start {
		return
	}
	r.follow(o.key("start"), 0, o.stream, "start "+o.id+" "+began.String(), 0,
		domain.StartObligation{ID: o.id, Start: began})
}

// runsFrom returns from which fact of an incident the clock of an obligation runs: that of
// a duty that starts with what opened it from the first of these, if that says that the
// incident was found. Only then may an earlier one be found later.
func (o *openDuty) runsFrom() (kind string, runs bool) {
	if o.cause.Noun != ident.IncidentNoun {
		return "", false
	}
	if o.startsBy == policy.StartOwn {
		rule, _ := catalog.StepRuleOf(catalog.Step(o.causeKind))
		return o.causeKind, rule.Opens()
	}
	return strings.TrimPrefix(o.startsBy, policy.StartStream), o.startsBy == policy.StartStream ||
		strings.Contains(o.startsBy, ".")
}
