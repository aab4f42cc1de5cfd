package server

import (
	"context"
	"errors"
	"time"

	"consentledger/projections"
)

// answersWithin is how old the oldest record may be that a projection has not
// read, so that what it answers still counts as an answer.
const answersWithin = 30 * time.Second

// openReach takes down how long the log is before anything follows it.
func (h *Server) openReach(ctx context.Context) error {
	head, err := h.Dir.Ledger.Head(ctx)
	h.Reach = projections.Reach{Log: h.Dir.Ledger, Start: head}
	return err
}

// answers returns an error as long as what a runner runs has not read enough
// of the log to be asked.
func (h *Server) answers(r *projections.Runner) func(context.Context) error {
	reach := h.Reach
	reach.Most = answersWithin
	return func(ctx context.Context) error {
		at, err := r.State()
		return reach.Check(ctx, "projection "+r.Projection.Name(), at, err)
	}
}

// logsAreRead returns an error as long as the transparency logs do not cover
// what was there at the start, or if they stopped.
func (h *Server) logsAreRead(ctx context.Context) error {
	at, err := h.Logs.Covered()
	if err != nil {
		return err // nothing is signed any more, wherever it stands
	}
	return h.Reach.Check(ctx, "transparency", at, nil)
}

// followUpHasRead returns an error until the follow-up process knows all that
// was recorded before the start: nothing falls due before that.
func (h *Server) followUpHasRead(ctx context.Context) error {
	state, err := h.FollowUp.State()
	if err != nil {
		return err
	}
	return h.Reach.Check(ctx, "reactor", state.Position, nil)
}

// Reading returns who still reads what was there at the start, in words. What
// has stopped reads no more.
func (h *Server) Reading(ctx context.Context) (still []string) {
	checks := []func(context.Context) error{h.logsAreRead, h.followUpHasRead}
	for _, r := range h.Runners {
		checks = append(checks, h.answers(r))
	}
	for _, check := range checks {
		if behind, is := errors.AsType[*projections.BehindError](check(ctx)); is && behind.Stopped == nil &&
			behind.At < h.Reach.Start {
			still = append(still, behind.Progress())
		}
	}
	return still
}

// awaitReading returns once all that was there at the start is read, and says
// from time to time what is not.
func (h *Server) awaitReading(ctx context.Context) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	say := time.NewTicker(10 * time.Second)
	defer say.Stop()
	for {
		still := h.Reading(ctx)
		if len(still) == 0 {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-say.C:
			h.Log.Info("the log is being read; until that is done, lists and reports answer 503", "reading", still)
		case <-tick.C:
		}
	}
}
