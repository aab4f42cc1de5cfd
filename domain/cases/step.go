package cases

import (
	"slices"
	"strconv"
	"strings"

	"consentledger/domain"
	"consentledger/domain/catalog"
	"consentledger/domain/deadline"
	"consentledger/domain/obligation"
	"consentledger/domain/policy"
	"consentledger/domain/refusal"
	"consentledger/domain/request"
)

// take takes a step.
func (r Request) take(cmd domain.TakeStep, ref Reference, at, recorded deadline.Instant) ([]domain.Event, error) {
	if err := domain.CheckSender(ref.By, cmd); err != nil {
		return nil, err
	}

	rule, err := catalog.CheckStep(cmd.Kind, cmd.Fields, catalog.Request)
	if err != nil {
		return nil, err
	}

	no := catalog.Allow(r.Marks, rule)
	late := no != nil && r.takesLate(rule, min(at, recorded))
	if no != nil && !late {
		return nil, no
	}

	if rule.Found {
		return nil, refusal.New(refusal.IllegalMove,
			"a request is found to repeat an earlier one when it comes in, by a rule: nobody says so")
	}

	if at < r.At {
		return nil, refusal.At(refusal.IllegalMove, "time",
			"the step is dated before the request was received, which was at "+r.At.String())
	}
	if err := r.checkStep(cmd, ref); err != nil {
		return nil, err
	}

	if late { // what it would have done to a clock is judged already
		cmd.Fields = policy.WithField(cmd.Fields, catalog.LateField, "yes")
		return []domain.Event{domain.Stepped(cmd)}, nil
	}

	if cmd.Kind == catalog.Reopened {
		return r.reopen(cmd, ref, min(at, recorded))
	}

	follows, err := r.follow(cmd, rule, ref, at, recorded)
	return append([]domain.Event{domain.Stepped(cmd)}, follows...), err
}

// takesLate reports whether a step that is not legal any more is kept, since it was
// legal when it happened. An answer takes the request out of what is open without
// a mark of its own, so the answers are looked at, too.
func (r Request) takesLate(rule catalog.StepRule, at deadline.Instant) bool {
	return rule.CanBeLate() && !rule.Found && catalog.Overtakes(r.taken, at) &&
		catalog.Allow(r.marksAt(at), rule) == nil
}

// marksAt returns the marks as they were at a moment.
func (r Request) marksAt(at deadline.Instant) catalog.Marks {
	m := catalog.MarksAt(marksOf(r.Received), at, r.taken)
	if !r.Marks.Has(catalog.Open) && !r.answeredAfter(at) && len(r.left()) == 0 {
		m = m.After(catalog.StepRule{Clears: []catalog.Mark{catalog.Open}})
	}
	return m
}

// answeredAfter reports whether the last answer came after a moment.
func (r Request) answeredAfter(at deadline.Instant) bool {
	return slices.ContainsFunc(r.answers, func(a answer) bool { return a.at > at })
}

// follow returns what a step does to the clocks.
func (r Request) follow(
	cmd domain.TakeStep, rule catalog.StepRule, ref Reference, at, recorded deadline.Instant,
) ([]domain.Event, error) {
	early, late, k := min(at, recorded), max(at, recorded), ref.Calendars
	switch {
	case rule.PausesAsSaid:
		events, err := moved(r.Duties.Pause(policy.FieldOf(cmd.Fields, "reason"), late, k))
		if err == nil && len(events) == 0 {
			err = refusal.At(refusal.NotPausable, "data.reason", "no rule of this request stands still for that reason")
		}
		return events, err
	case rule.Pauses != "":
		return moved(r.Duties.Pause(rule.Pauses, late, k))
	case rule.ResumesAll: // what the person was asked for is awaited still
		awaited := func(reason string) bool { return obligation.Awaits(r.Marks, reason) }
		return moved(r.Duties.ResumeUnless(awaited, early, k))
	case rule.Resumes != "":
		return r.goOn(rule, early, k)
	case rule.Starts != "":
		return moved(r.Duties.Start(rule.Starts, early, k))
	case cmd.Kind == "request.extended":
		return r.extend(cmd, recorded, k)
	case rule.Closes:
		return r.reply(cmd, doneAt(at, recorded, cmd.Evidence)), nil
	case rule.Voids:
		return voided(r.Duties.Void(strings.TrimPrefix(string(cmd.Kind), "request."))), nil
	}
	return nil, nil
}

// goOn lets clocks go on, and starts those that waited for the same.
func (r Request) goOn(rule catalog.StepRule, at deadline.Instant, k deadline.Calendars) ([]domain.Event, error) {
	resumed, err := moved(r.Duties.Resume(rule.Resumes, at, k))
	if err != nil || rule.Starts == "" {
		return resumed, err
	}
	started, err := moved(r.Duties.Start(rule.Starts, at, k))
	return append(resumed, started...), err
}

// reply meets the obligations whose types all have their answer now.
func (r Request) reply(cmd domain.TakeStep, at deadline.Instant) []domain.Event {
	done := slices.Concat(r.Done, request.NamedIn(cmd.Fields, r.left()))
	return met(r.Duties.Meet(at, obligation.Cause{Kind: string(cmd.Kind)}, cmd.Evidence, func(x obligation.Duty) bool {
		return x.Kind == policy.DutyReply &&
			!slices.ContainsFunc(x.Types, func(t request.Type) bool { return !slices.Contains(done, t) })
	}))
}

// reopen opens the request again. Of one that was answered the rules open anew,
// in the version that they had. Clocks begin at the reopening, also those that
// waited for proof of identity if there was such: a person proves once who they
// are. What waits for facts to be verified waits again, since the answer that
// rested on them did not stand.
//
// One that was closed without an answer is owed by the dates that it had: nobody
// gets a new period by closing a request and opening it again. The fact then
// names the types that are open again.
func (r Request) reopen(cmd domain.TakeStep, ref Reference, at deadline.Instant) ([]domain.Event, error) {
	if r.endedWithoutAnswer() && !r.answeredThere(ref) {
		types := r.left()
		restored, err := r.restore(types, ref.Calendars)
		step := domain.Stepped(cmd)
		step.Fields = policy.WithField(cmd.Fields, "types", request.NamesOf(types))
		return append([]domain.Event{step}, restored...), err
	}

	v, ok := ref.Policies.Version(r.Received.Version)
	if !ok {
		return nil, refusal.New(refusal.UnknownVersion, "the version whose promises bind is not there any more")
	}
	again := r.Received
	again.Authenticated = again.Authenticated || r.Marks.Has(catalog.IdentityKnown)
	opened, err := open(again, v.Document, "."+strconv.Itoa(r.rounds+1), at, ref.Reference)
	return append([]domain.Event{domain.Stepped(cmd)}, opened...), err
}

// answeredThere reports whether a duplicate had its answer in the request in
// which it went on: to open it again is to say that the answer did not stand.
func (r Request) answeredThere(ref Reference) bool {
	if r.GoesOnIn() == "" || ref.Original == nil {
		return false
	}
	return !slices.ContainsFunc(r.left(), func(t request.Type) bool { return !ref.Original.answered(t, r) })
}
