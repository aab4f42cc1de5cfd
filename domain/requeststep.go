package domain

import (
	"slices"
	"strings"
)

// take takes a step.
func (r Request) take(cmd TakeStep, ref Reference, at, recorded Instant) ([]Event, error) {
	if err := ref.By.checkDoor(cmd); err != nil {
		return nil, err
	}
	rule, err := r.Marks.check(cmd, RequestNoun)
	if err != nil {
		return nil, err
	}
	if rule.Found {
		return nil, refuse(IllegalMove, "a request is found to repeat an earlier one when it comes in, by a rule: nobody says so")
	}
	if err := r.checkStep(cmd, ref); err != nil {
		return nil, err
	}
	follows, err := r.follow(cmd, rule, ref, at, recorded)
	return append([]Event{Stepped(cmd)}, follows...), err
}

// follow returns what a step does to the clocks.
func (r Request) follow(cmd TakeStep, rule StepRule, ref Reference, at, recorded Instant) ([]Event, error) {
	early, late, k := min(at, recorded), max(at, recorded), ref.Calendars
	switch {
	case rule.Pauses == "*":
		events, err := r.Duties.pause(fieldOf(cmd.Fields, "reason"), late, k)
		if err == nil && len(events) == 0 {
			err = refuseAt(NotPausable, "data.reason", "no rule of this request stands still for that reason")
		}
		return events, err
	case rule.Pauses != "":
		return r.Duties.pause(rule.Pauses, late, k)
	case rule.Resumes == "*":
		return r.resumeAll(early, k)
	case rule.Resumes != "":
		return r.goOn(rule, early, k)
	case rule.Starts != "":
		return r.Duties.start(rule.Starts, early, k)
	case cmd.Kind == "request.extended":
		return r.extend(cmd, recorded, k)
	case cmd.Kind == "request.reopened":
		return r.reopen(ref, early)
	case rule.Closes:
		return r.reply(cmd, doneAt(at, recorded, cmd.Evidence)), nil
	case rule.Voids:
		return r.Duties.void(strings.TrimPrefix(string(cmd.Kind), "request.")), nil
	}
	return nil, nil
}

// goOn lets clocks go on, and starts those that waited for the same.
func (r Request) goOn(rule StepRule, at Instant, k Calendars) ([]Event, error) {
	resumed, err := r.Duties.resume(rule.Resumes, at, k)
	if err != nil || rule.Starts == "" {
		return resumed, err
	}
	started, err := r.Duties.start(rule.Starts, at, k)
	return append(resumed, started...), err
}

// resumeAll ends the pause that an operator made.
func (r Request) resumeAll(at Instant, k Calendars) ([]Event, error) {
	return r.Duties.move(MovedResumed, EventID{}, k, func(_ *Duty, c *clock) bool {
		resumed := false
		for i, p := range c.pauses {
			if p.To == 0 && p.Reason != "identity_verification" && p.Reason != "clarification" {
				c.pauses[i].To, resumed = max(at, p.From), true
			}
		}
		return resumed
	})
}

// reply meets the obligations whose types all have their answer now.
func (r Request) reply(cmd TakeStep, met Instant) []Event {
	done := slices.Concat(r.Done, typesOf(cmd.Fields, r.left()))
	return r.Duties.meet(met, Cause{Kind: string(cmd.Kind)}, cmd.Evidence, func(x Duty) bool {
		return x.Kind == DutyReply && !slices.ContainsFunc(x.Types, func(t RequestType) bool { return !slices.Contains(done, t) })
	})
}

// reopen opens the request's rules anew, in the version that they had. Clocks
// begin at the reopening, also those that waited for proof of identity if there
// was such: a person proves once who they are. What waits for facts to be
// verified waits again, since the answer that rested on them did not stand.
func (r Request) reopen(ref Reference, at Instant) ([]Event, error) {
	v, ok := ref.Policies.Version(r.Received.Version)
	if !ok {
		return nil, refuse(UnknownVersion, "the version whose promises bind is not there any more")
	}
	again := r.Received
	again.Authenticated = again.Authenticated || r.Marks.Has("identity-known")
	return again.open(v.Document, "."+itoa(r.rounds+1), at, ref)
}
