package server

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
)

func TestAnOldServerIsWarnedOf(t *testing.T) {
	for version, old := range map[string]bool{
		"2.15.0": false, "2.15.2": false, "2.16.0-dev": false, "3.0.0": false, "v2.15.0": false, "2.15.0-RC.1": false,
		"2.14.5": true, "2.9.25": true, "1.4.1": true, "": true, "latest": true,
	} {
		if err := OldServer(version); (err != nil) != old {
			t.Errorf("%q: %v", version, err)
		}
	}
}

func TestWhatTheServerRefusesIsSeen(t *testing.T) {
	denied := func(text string) error { return fmt.Errorf("%w: %s", nats.ErrPermissionViolation, text) }
	for _, c := range []struct {
		name string
		err  error
		red  bool
	}{
		{"an ack", denied(`Permissions Violation for Publish to "$JS.ACK.CONSENT_IN.ledger.1.2.3"`), true},
		{"what the ledger listens to", denied(`Permissions Violation for Subscription to "consent.v1.*.record" using queue "consentledger"`), true},
		{"an answer to a subject of somebody's own", denied(`Permissions Violation for Publish to "elsewhere"`), false},
		{"something else", nats.ErrSlowConsumer, false},
	} {
		r := rights{again: true} // no reconnection of a connection that is none
		if r.note(nil, c.err); (r.check() != nil) != c.red {
			t.Errorf("%s: %v", c.name, r.check())
		}
	}
}

// The embedded server logs each health check that fails, and it is asked all the time
// while a disk is full.
func TestAFailedHealthCheckFillsNoLog(t *testing.T) {
	var log strings.Builder
	l := natsLog{log: slog.New(slog.NewTextHandler(&log, nil))}
	l.Warnf("Healthcheck failed: %q", "no space left on device")
	l.Warnf("JetStream file resource limits exceeded for account: %q", "$G")
	if text := log.String(); strings.Contains(text, "Healthcheck") || !strings.Contains(text, "limits exceeded") {
		t.Errorf("logged: %s", text)
	}
}
