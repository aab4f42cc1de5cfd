package server

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"consentledger/api/nats/subject"

	"github.com/nats-io/nats.go"
)

// Rights are what a NATS server said of what the ledger may not do. The client
// library tells nobody else: who may no longer listen looks connected, and
// hears nothing.
type rights struct {
	mu     sync.Mutex
	denied error
	at     time.Time
	again  bool // a reconnection is under way, after which the ledger listens anew
}

// How long a refusal counts, and after how long the ledger tries to listen anew: a
// right that was given back is used only by who subscribes again.
const (
	deniedFor   = time.Minute
	listenAgain = 5 * time.Second
)

// note takes an error that has no caller.
func (r *rights) note(nc *nats.Conn, err error) {
	if !errors.Is(err, nats.ErrPermissionViolation) || !matters(err) {
		return
	}

	r.mu.Lock()
	defer r.mu.Unlock()
	r.denied, r.at = err, time.Now()
	if deaf(err) && !r.again {
		r.again = true
		time.AfterFunc(listenAgain, func() {
			r.mu.Lock()
			r.again = false
			r.mu.Unlock()
			_ = nc.ForceReconnect() // closed: then nobody listens on purpose
		})
	}
}

// matters reports whether a refusal is of something that the ledger needs, and
// not of the subject to which somebody wanted an answer.
func matters(err error) bool {
	for _, own := range []string{`"$JS.`, `"$KV.`, `"` + subject.Prefix, `"$SRV`, `"$SYS`} {
		if strings.Contains(err.Error(), own) {
			return true
		}
	}
	return deaf(err)
}

// deaf reports whether a refusal is of listening.
func deaf(err error) bool { return strings.Contains(err.Error(), "Subscription") }

// check returns what was refused a short while ago.
func (r *rights) check() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.denied == nil || time.Since(r.at) > deniedFor {
		return nil
	}
	return r.denied
}

// OldServer returns what is known to go wrong with a server of an old version;
// nil if nothing is.
func OldServer(version string) error {
	major, rest, _ := strings.Cut(strings.TrimPrefix(version, "v"), ".")
	minor, _, _ := strings.Cut(rest, ".")
	a, bad := strconv.Atoi(major)
	b, worse := strconv.Atoi(minor)
	if bad != nil || worse != nil {
		return fmt.Errorf("the NATS server says version %q, which is none: the ledger is tried with 2.15 and later",
			version)
	}
	if a < 2 || a == 2 && b < 15 {
		return fmt.Errorf("the NATS server is of version %s: before 2.15 a power failure can take acknowledged "+
			"messages away even with sync_interval: always, and a consumer can vanish or stall; use 2.15 or "+
			"later", version)
	}
	return nil
}
