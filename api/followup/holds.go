package followup

import (
	"fmt"

	"consentledger/domain"
	"consentledger/domain/policy"
	"consentledger/eventstore/codec"
)

// learnHold lets a legal hold, or its end, stop or restart what is to be deleted
// of a person: what is open, and what shall open from now on.
func (r *Process) learnHold(a *app, e codec.Entry) {
	_, placed := e.Event.(domain.HoldPlaced)
	if placed {
		a.held[e.Stream] = true
	} else {
		delete(a.held, e.Stream)
	}

	p := a.places[e.Stream]
	if p == nil {
		return
	}

	for _, o := range p.open {
		r.hold(o, e)
	}

	for _, o := range p.openings {
		if o.kind == policy.DutyDelete {
			o.facts = append(o.facts, e)
		}
	}
}

// hold stops the clock of one obligation, from the later of the hold's times,
// or restarts it from the earlier of the release's. Done again it does nothing.
func (r *Process) hold(o *openDuty, e codec.Entry) {
	_, released := e.Event.(domain.HoldReleased)
	_, placed := e.Event.(domain.HoldPlaced)
	if o.kind != policy.DutyDelete || placed == released {
		return
	}
	at := max(e.At, e.Recorded)
	if released {
		at = min(e.At, e.Recorded)
	}
	id := fmt.Sprintf("hold %s by %s", o.id, e.ID)
	r.follow(o.key(id), 0, o.stream, id, at, domain.HoldObligation{ID: o.id, Released: released})
}
