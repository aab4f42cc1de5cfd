package witness

import (
	"context"
	"log/slog"
	"time"

	"consentledger/domain/ident"
)

// schedule does something with every log, now and again, until ctx is done.
// What fails is logged and tried again the next time.
func schedule(ctx context.Context, every time.Duration, logs Logs, log *slog.Logger, failed string,
	do func(context.Context, ident.AppName) error) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		for _, app := range logs.Logged() {
			err := do(ctx, app)
			if ctx.Err() != nil {
				return nil
			}
			if err != nil {
				log.Warn(failed, "app", app, "error", err)
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}
