package rest

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"testing"
)

// Who hangs up is no fault of the ledger: an import that is killed leaves no errors in the log.
func TestARequestThatNobodyWaitsForIsNoFailure(t *testing.T) {
	hungUp, hangUp := context.WithCancel(t.Context())
	hangUp()
	for _, tt := range []struct {
		ctx    context.Context
		err    error
		logged bool
	}{
		{hungUp, fmt.Errorf("vault: %w", context.Canceled), false},
		{hungUp, fmt.Errorf("vault: the disk is broken"), true},
		{t.Context(), fmt.Errorf("vault: %w", context.Canceled), true},
	} {
		var out bytes.Buffer
		s := &server{Config: Config{Log: slog.New(slog.NewTextHandler(&out, nil))}}
		if p := s.problem(tt.ctx, "record-events", tt.err); p.Status != 503 && p.Status != 500 {
			t.Errorf("%v: status %d", tt.err, p.Status)
		}
		if (out.Len() > 0) != tt.logged {
			t.Errorf("%v: logged %q, want something %v", tt.err, &out, tt.logged)
		}
	}
}
