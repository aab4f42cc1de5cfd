package auditreport

import (
	"fmt"

	"consentledger/projections/requests"
)

// promised says in plain words what was promised.
func (s speaker) promised(r Report) []string {
	if len(r.Promises.Policies) == 0 {
		return []string{s.say("promised.nothing")}
	}

	consent := 0
	for _, p := range r.Promises.Purposes {
		if p.Basis == "consent" {
			consent++
		}
	}

	text := []string{s.say("promised.purposes", s.handler(r.App), len(r.Promises.Purposes), consent)}
	for _, p := range r.Promises.Policies {
		text = append(text, s.say("promised.policy", s.of(p.Version).policy(p.Name), p.Effective, p.Version))
	}

	own, law := 0, 0
	for _, x := range r.Rules {
		switch {
		case x.Policy == "": // promised by nobody
		case x.Law:
			law++
		default:
			own++
		}
	}
	return append(text, s.say("promised.no"), s.say("promised.rules", own, law))
}

// kept says what was kept.
func (s speaker) kept(r Report) []string {
	var text []string
	if r.Consents.Given+r.Noes.Refused+r.Noes.Withdrawn+r.Noes.Permissions == 0 {
		text = append(text, s.say("kept.silence"))
	} else {
		text = append(text, s.say("kept.said", r.Consents.Given, r.Noes.Refused, r.Noes.Withdrawn+r.Noes.Permissions))
	}

	if r.Answers.Yes+r.Answers.No == 0 {
		text = append(text, s.say("kept.no-answers"))
	} else {
		text = append(text, s.say("kept.answers", r.Answers.Yes, r.Answers.No))
	}

	q := r.Requests
	switch {
	case q.Obligations == 0:
		text = append(text, s.say("kept.nothing-owed"))
	case q.OnTime == "":
		text = append(text, s.say("kept.nothing-due", q.Obligations))
	default:
		text = append(text, s.say("kept.owed", q.Obligations, q.Met, q.OnTime))
	}
	return text
}

// broken says what was not kept.
func (s speaker) broken(r Report) []string {
	var text []string
	add := func(n int64, key string) {
		if n > 0 {
			text = append(text, s.say(key, n))
		}
	}

	add(r.Requests.Overdue, "broken.overdue")
	add(r.Requests.Late, "broken.late")
	if n := r.unpromised(); n > 0 {
		text = append(text, s.say("broken.unpromised", n, s.types(r.Unpromised)))
	}

	add(r.undated(), "broken.undated")
	text = append(text, s.rules(r)...)
	add(r.TooSoon, "broken.soon")
	short, waiting, doubtful := int64(0), int64(0), int64(0)
	for _, c := range r.Consents.Short {
		short += c.Count
	}

	for _, c := range r.Changes {
		waiting += c.Waiting
	}

	for _, x := range r.Exemptions {
		if x.Doubtful {
			doubtful++
		}
	}

	add(short, "broken.short")
	for _, q := range r.Consents.Evidence {
		if q.Name == "weak" {
			text = append(text, s.say("broken.weak", q.Count, r.Consents.Given))
		}
	}

	add(waiting, "broken.waiting")
	add(doubtful, "broken.doubtful")
	add(int64(len(r.Incidents)), "broken.incidents")
	add(r.unfiltered(), "broken.unfiltered")
	add(int64(len(r.Voids)), "broken.voids")
	add(r.Disputed, "broken.disputed")
	if r.Outside.Rejected != nil {
		add(int64(*r.Outside.Rejected), "broken.rejected")
	}
	if len(text) == 0 {
		text = append(text, s.say("broken.nothing"))
	}

	add(int64(len(r.Gaps)), "broken.gaps")
	return text
}

// rules says which promises and limits were not kept, and how often.
func (s speaker) rules(r Report) (text []string) {
	for _, x := range r.Rules {
		if x.Kept.Late+x.Kept.Overdue == 0 {
			continue
		}
		key := "broken.promise"
		if x.Law {
			key = "broken.law"
		}
		text = append(text, s.say(key, x.ID, s.source(x.Source), s.length(x), x.Kept.Obligations, x.Kept.Overdue,
			x.Kept.Late))
	}
	return text
}

// know says how anybody can know.
func (s speaker) know(r Report) []string {
	i := r.Outside.Integrity
	text := []string{s.say("know.log", i.Size, orText(i.Origin, s.say("unknown")))}
	switch {
	case i.Fault != "":
		text = append(text, s.say("know.fault", i.Fault))
	case i.Derived:
		text = append(text, s.say("know.derived", r.Outside.Made, i.Root, r.Outside.Software))
	default:
		text = append(text, s.say("know.not-derived"))
	}

	if len(i.Witnesses) == 0 {
		text = append(text, s.say("know.no-witness"))
	} else {
		text = append(text, s.say("know.witnesses", len(i.Witnesses)))
	}

	if r.App.Environment == "test" {
		text = append(text, s.say("know.environment"))
	}
	if r.Tests.Persons > 0 {
		text = append(text, s.say("know.tests", r.Tests.Persons, r.Tests.Records))
	}
	return append(text, s.say("know.check", r.App.Name))
}

// unpromised returns how often something was asked for which no policy promises
// a date.
func (r Report) unpromised() (n int64) {
	for _, c := range r.Unpromised {
		n += c.Count
	}
	return n
}

// undated returns how much was owed at the end of the span without a date.
func (r Report) undated() (n int64) {
	for _, x := range r.Requests.States {
		if x.State == requests.StateNotStarted.String() || x.State == requests.StatePaused.String() {
			n += x.Obligations
		}
	}
	return n
}

// types writes types of requests with how often each was asked for.
func (s speaker) types(list []Count) string {
	var all []string
	for _, c := range list {
		all = append(all, fmt.Sprintf("%s %d", s.requestType(c.Name), c.Count))
	}
	return s.list(all)
}
