package intake

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go/jetstream"
)

// restore makes again what somebody deleted while the ledger ran, and tells what was
// lost with it. It tries until it can, or ctx is done; health is red and names what
// is gone until the streams were looked at again. Ended closes the road that was
// open; nil if there was none.
//
// Nothing is taken from the new stream before everything in hand of the old one is
// finished: the two give out the same numbers, and an acknowledgement of one would
// count for the other.
func restore(ctx context.Context, c Config, js jetstream.JetStream, w *witness, ended func()) error {
	gone := missing(ctx, js, c.consumer())
	c.Watch.set(Settings, errDeleted(gone))
	c.Log.Error("somebody deleted what the ledger reads from; it is made again", "gone", gone)
	for ctx.Err() == nil {
		// The streams first: what is in hand may have to go to the rejected ones.
		err := makeStreams(ctx, c, js)
		if err == nil && ended != nil {
			ended()
			ended = nil
		}
		if err == nil {
			err = w.meet(ctx)
		}
		if err == nil {
			return nil
		}

		err = fmt.Errorf("%w, which does not succeed: %w", errDeleted(gone), permitted(c.Conn, err))
		if c.Conn.IsClosed() {
			return err
		}
		if ctx.Err() == nil {
			c.Watch.set(Settings, err)
		}
		pause(ctx, LookEvery)
	}
	if ended != nil {
		ended()
	}
	return nil
}

// errDeleted says what somebody deleted.
func errDeleted(gone string) error {
	return fmt.Errorf("%s was deleted, and is made again", gone)
}

// missing names what the ledger needs in JetStream and is not there.
func missing(ctx context.Context, js jetstream.JetStream, consumer string) string {
	in, rejected, kv := wanted()
	names := []string{in.Name, rejected.Name}
	for _, bucket := range kv {
		names = append(names, bucketStream(bucket).Name)
	}

	var gone []string
	for _, name := range names {
		if _, err := js.Stream(ctx, name); errors.Is(err, jetstream.ErrStreamNotFound) {
			gone = append(gone, "stream "+name)
		}
	}

	if len(gone) == 0 || gone[0] != "stream "+InStream {
		if _, err := js.Consumer(ctx, InStream, consumer); errors.Is(err, jetstream.ErrConsumerNotFound) {
			gone = append(gone, "consumer "+consumer+" of "+InStream)
		}
	}

	if len(gone) == 0 { // somebody made it again already
		return fmt.Sprintf("stream %s or its consumer", InStream)
	}
	return strings.Join(gone, ", ")
}
