package server

import (
	"context"
	"time"

	"consentledger/api/clock"
)

// watchClock holds the wall clock against the one that only counts.
func (h *Server) watchClock(ctx context.Context) {
	began := time.Now()
	w := &clock.Watch{
		Ledger: h.Dir.Ledger, Apps: h.Logs.Logged, Log: h.Log,
		Wall: Now, Count: func() time.Duration { return time.Since(began) },
	}
	if err := w.Run(ctx); err != nil {
		h.Log.Error("the clock is watched no more", "error", err)
	}
}
