package main

import (
	"context"
	"time"

	"consentledger/api/clock"
)

// watchClock holds the wall clock against the one that only counts.
func (h *house) watchClock(ctx context.Context) {
	began := time.Now()
	w := &clock.Watch{
		Ledger: h.dir.ledger, Apps: h.logs.Logged, Log: h.log,
		Wall: now, Count: func() time.Duration { return time.Since(began) },
	}
	if err := w.Run(ctx); err != nil {
		h.log.Error("the clock is watched no more", "error", err)
	}
}
