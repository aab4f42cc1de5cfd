package intake

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// retireOldStream empties and deletes an incoming stream of the older kind,
// which kept what was taken for seven days: JetStream does not make a work
// queue of it, nor another stream beside it that listens to the same subjects.
//
// The old one is closed to writers first (JetStream calls that sealed), so that
// nothing comes in behind its last message: until the new one stands a publisher is refused, and sends again. If
// this dies in between, the old stream is still there and the next start goes
// on. It is not for two ledgers at once.
func retireOldStream(ctx context.Context, c Config, js jetstream.JetStream) error {
	old, err := js.Stream(ctx, InStream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil
	}
	if err != nil {
		return err
	}

	config := old.CachedInfo().Config
	if config.Retention != jetstream.LimitsPolicy || len(config.Subjects) != 1 || config.Subjects[0] != inSubjects {
		return nil
	}

	if !config.Sealed {
		config.Sealed = true
		if _, err := js.UpdateStream(ctx, config); err != nil {
			return err
		}
	}

	in, err := openStream(ctx, c, js, nil, false)
	if err != nil {
		return err
	}

	err = in.wait(ctx)
	in.end()
	if err != nil {
		return err
	}
	return js.DeleteStream(ctx, InStream)
}

// wait waits until the ledger has taken everything that the stream holds.
func (in *incoming) wait(ctx context.Context) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		info, err := in.consumer.Info(ctx)
		if err == nil && info.NumPending == 0 && info.NumAckPending == 0 {
			return nil
		}
		if err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
