package followup

import (
	"context"

	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/obligation"
	"consentledger/domain/policy"
	"consentledger/eventstore/codec"
)

// learnOpened takes note of an obligation that opened, whoever opened it. Its stream is at
// hand.
func (r *Process) learnOpened(a *app, e codec.Entry, x domain.ObligationOpened) {
	if a.find(e.Stream, x.Obligation.ID) != nil {
		return
	}

	o := &openDuty{
		stream:    e.Stream,
		since:     x.Cause.Event,
		opened:    e.Position,
		id:        x.Obligation.ID,
		kind:      x.Obligation.Kind,
		target:    x.Obligation.Target,
		metBy:     x.Obligation.MetBy,
		due:       x.Due,
		causeKind: x.Cause.Kind,
		backward:  x.Obligation.Rule.Direction == deadline.Backward,
	}
	if cause, err := ident.ParseStreamID(x.Cause.Stream); err == nil {
		if cause.Noun == ident.SubjectNoun && x.Cause.Subject != "" {
			cause.ID = x.Cause.Subject // an opt-out may be owed for in a linked history
		}
		o.cause = placeOf(cause)
	}

	a.keep(o)
	before := a.arrived(o, e.Request.ID)
	r.learnIncident(a, o, x.Obligation)
	if before != nil {
		r.meetBefore(o, before)
	}

	r.watch(a, o)
	r.checkCalendar(a, o, e)
}

// meetBefore lets what came first count for an obligation that opened.
func (r *Process) meetBefore(o *openDuty, before *opening) {
	r.waiting.remove(before.key())
	o.about = before.about
	for _, fact := range before.facts {
		r.meetOne(o, fact.Kind(), fact)
		r.hold(o, fact)
	}
	if before.void != "" {
		r.voidOne(o, before.void)
	}
}

// learnChange takes note of what became of an obligation.
func (r *Process) learnChange(a *app, e codec.Entry) {
	switch x := e.Event.(type) {
	case domain.ObligationMoved:
		r.learnMoved(a, e, x)
	case domain.ObligationMet:
		r.close(a, a.find(e.Stream, x.ID))
	case domain.ObligationVoided:
		a.voided(a.find(e.Stream, x.ID))
		r.close(a, a.find(e.Stream, x.ID))
	case domain.ObligationAtRisk:
		if o := a.find(e.Stream, x.ID); o != nil {
			o.atRisk = x.Until
			r.watch(a, o)
		}
	case domain.ObligationOverdue:
		if o := a.find(e.Stream, x.ID); o != nil {
			o.overdue = x.Until
			r.watch(a, o)
		}
	}
}

func (r *Process) learnMoved(a *app, e codec.Entry, x domain.ObligationMoved) {
	r.forgetCalendar(e.Stream, x)
	o := a.find(e.Stream, x.ID)
	if o == nil {
		return
	}
	o.due = x.Due
	r.waiting.remove(o.key("start"))
	r.restart(a, o)
	r.watch(a, o)
	if x.By != a.newest || x.Why != obligation.MovedCalendar {
		r.checkCalendar(a, o, e)
	}
}

// close forgets an obligation, and what was to be done about it.
func (r *Process) close(a *app, o *openDuty) {
	if o == nil {
		return
	}
	a.drop(o)
	for _, what := range []string{"meet", "void", "start"} {
		r.waiting.remove(o.key(what))
	}
	o.unwatch()
}

func (o *openDuty) key(what string) string { return what + " " + o.stream.String() + " " + o.id }

// watch waits for the moments at which little time is left, and none, unless
// they were said before. Of what has no date there are none.
func (r *Process) watch(a *app, o *openDuty) {
	o.unwatch()
	if o.due.State != deadline.Running || o.overdue == o.due.Until {
		return
	}
	late := o.due.Until
	if o.due.Unit == deadline.UnitHour {
		late++ // what is done at that very instant is in time
	}
	o.lateAt = late
	if o.atRisk != o.due.Until && o.kind != policy.DutyKeep {
		o.riskAt = o.due.RiskAt(a.calendars)
	}
}

// unwatch waits for them no more.
func (o *openDuty) unwatch() { o.riskAt, o.lateAt = 0, 0 }

// A warning says that little time is left for an obligation, or none. It says the date
// that the obligation had when the warning was put on the timetable.
type warning struct {
	stream ident.StreamID
	id     string
	until  deadline.Instant
	late   bool
}

func (o *openDuty) warning(late bool) warning { return warning{o.stream, o.id, o.due.Until, late} }

func (w warning) on() ident.StreamID { return w.stream }

func (w warning) do(ctx context.Context, r *Process, due deadline.Instant) error {
	what := "risk"
	if w.late {
		what = "late"
	}
	id := what + " " + w.id + " " + w.until.String()
	return r.followNow(ctx, w.stream, id, due, domain.WarnObligation{ID: w.id, Until: w.until, Overdue: w.late})
}
