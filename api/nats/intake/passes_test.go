package intake

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// An intake that starts while the cluster has no leader waits for it, says so, and opens
// both roads once there is one.
func TestAnIntakeThatStartsWithoutALeaderWaits(t *testing.T) {
	c := startCluster(t)
	d := c.ledger()
	for i := range 2 {
		c.stop(i)
	}
	ctx, stop := context.WithCancel(t.Context())
	ready, done := make(chan struct{}), make(chan error, 1)
	go func() { done <- Run(ctx, d.config, func() { close(ready) }) }()
	d.until("it says that the streams cannot be opened", func() bool {
		select {
		case err := <-done:
			t.Fatalf("it ended with %v", err)
		default:
		}
		return d.config.Watch.Trouble(Settings) != nil
	})
	for i := range 2 {
		c.start(i)
	}
	<-ready
	d.until("nothing is wrong any more", func() bool { return d.config.Watch.Trouble(Settings) == nil })
	s, err := d.js.Stream(t.Context(), InStream)
	if err != nil || s.CachedInfo().Config.Replicas != 3 {
		t.Errorf("the stream was made with less than three replicas: %+v, %v", s, err)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// What a cluster says while nodes are away passes; what it refuses does not, and neither
// does what is said of a connection that is closed.
func TestWhatPasses(t *testing.T) {
	nc := connect(t)
	said := func(code jetstream.ErrorCode) error {
		return fmt.Errorf("stream: %w", &jetstream.APIError{ErrorCode: code})
	}
	for _, c := range []struct {
		err  error
		want bool
	}{
		{said(10008), true},  // JetStream system temporarily unavailable
		{said(10118), true},  // stream is offline
		{said(10023), false}, // insufficient resources
		{said(10052), false}, // a setting that is none
		{fmt.Errorf("stream: %w", context.DeadlineExceeded), true},
		{nats.ErrNoResponders, true},
		{errors.New("stream CONSENT_IN: discard is Old"), false},
	} {
		if got := passes(nc, c.err); got != c.want {
			t.Errorf("%v passes: %v, want %v", c.err, got, c.want)
		}
	}
	nc.Close()
	if passes(nc, nats.ErrTimeout) {
		t.Error("of a closed connection something passes")
	}
}
