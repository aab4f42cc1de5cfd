package followup

import (
	"context"

	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore/codec"
)

// An opt-out may arrive after what it led to: an app without a network keeps it, and
// tells a system, which reports first. So what was done of a person's data meets what
// an opt-out opens later, if it was done since the opt-out. What was done before the
// opt-out does not: nobody says that it was not undone in between.

// doneKinds are the kinds of facts by which something is stopped or deleted, whatever
// a policy says.
var doneKinds = map[string]bool{"processing.stopped": true, "data.deleted": true, "restriction.applied": true}

// keepDone remembers that something was done of a person's data, and when: by the
// earlier of the two times, since no fast clock makes it later.
func (a *app) keepDone(e codec.Entry) {
	if e.Stream.Noun == ident.SubjectNoun && (doneKinds[e.Kind()] || a.meets[e.Kind()]) {
		a.done[e.Stream.ID] = max(a.done[e.Stream.ID], min(e.At, e.Recorded))
	}
}

// metBefore returns what was recorded earlier and meets what opens only now: steps
// of an incident, and of a person what was done since the start of its clock. The
// person's history is read only if there is any.
func (r *Process) metBefore(
	ctx context.Context, a *app, e occasion, start deadline.Instant, metBy []string,
) (since []codec.Entry, err error) {
	switch e.history.Noun {
	case ident.IncidentNoun:
		return a.stepsBefore(e.history.ID, metBy), nil
	case ident.SubjectNoun:
		if last, any := a.done[e.history.ID]; !any || start == 0 || last < start {
			return nil, nil
		}
	default:
		return nil, nil
	}

	for f, err := range r.Ledger.Stream(ctx, e.history) {
		if err != nil {
			return nil, err
		}
		if f.Position >= e.Position {
			break
		}
		if min(f.At, f.Recorded) >= start && domain.Meets(f.Event) &&
			policy.MeetsBy(metBy, f.Kind(), domain.Members(f.Event)) {
			since = append(since, f)
		}
	}
	return since, nil
}
