package server

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"consentledger/cmd/internal/exit"
	"consentledger/eventstore/postgres"
	"consentledger/eventstore/postgres/turn"
)

// Several processes may serve one ledger: one event store, one vault, one NATS. Each
// answers requests, decides, and computes the logs' tiles. What one process does at a
// time is work that it takes turns at, see package turn. None of it rests on there
// being one: two that do it for a moment, as when one slept and does not know that its
// turn is over, do it once.
//
//   - work intake: a term's row and consumer, see package intake
//   - work follow-ups: ids that derive from cause and target, see package followup; what is
//     told on NATS is told behind the last message alone, see package outbox
//   - work checkpoints: each is signed behind the one before, see package transparency
type work string

const (
	workIntake      work = "intake"
	workFollowUps   work = "follow-ups"
	workCheckpoints work = "checkpoints"
)

// Works are all of them.
var Works = []work{workIntake, workFollowUps, workCheckpoints}

// turns are the turns of this process. Of a ledger that one process serves, it has all
// of them.
type turns struct {
	at   *postgres.Address // where processes take turns; nil: there is one process
	log  *slog.Logger
	held map[work]*atomic.Bool
}

func newTurns(at *postgres.Address, log *slog.Logger) *turns {
	t := &turns{at: at, log: log, held: map[work]*atomic.Bool{}}
	for _, w := range Works {
		t.held[w] = new(atomic.Bool)
	}
	return t
}

// many reports whether other processes may serve the ledger, too.
func (t *turns) many() bool { return t.at != nil }

// has reports whether it is this process's turn.
func (t *turns) has(w work) bool { return !t.many() || t.held[w].Load() }

// turn is has of one work, for whoever asks again and again; nil: there is one process.
func (t *turns) turn(w work) func() bool {
	if !t.many() {
		return nil
	}
	return func() bool { return t.has(w) }
}

// during runs do while it is this process's turn, again and again until ctx is done.
func (t *turns) during(ctx context.Context, w work, do func(context.Context) error) error {
	if !t.many() {
		return do(ctx)
	}

	one := turn.Turn{At: t.at, Name: string(w), Tell: func(err error) {
		t.log.Warn("a turn was lost, or cannot be had, and is tried again", "work", w, "error", err)
	}}
	for {
		err := one.Run(ctx, func(ctx context.Context) error {
			t.held[w].Store(true)
			defer t.held[w].Store(false)
			t.log.Info("this process has the turn", "work", w)
			defer t.log.Info("this process has the turn no more", "work", w)
			return do(ctx)
		})
		if err != nil && ctx.Err() == nil {
			t.log.Error("turns cannot be had until somebody mends it", "work", w, "error", err)
		}
		select {
		case <-time.After(turnPause):
		case <-ctx.Done():
			return nil
		}
	}
}

// turnPause is how long a process rests that gave a turn away by itself, or cannot have
// one.
const turnPause = time.Second

// names are the works whose turn it is; nil: there is one process.
func (t *turns) names() (names []string) {
	if !t.many() {
		return nil
	}
	for _, w := range Works {
		if t.has(w) {
			names = append(names, string(w))
		}
	}
	return names
}

// ProcessVariable names the process, where no flag does.
const ProcessVariable = "CONSENTLEDGER_PROCESS"

var processPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)

// processName returns what a process is called among those that serve one ledger: by a
// flag or the environment, or its host and something random.
func processName(flag string) (string, error) {
	name := flag
	if name == "" {
		name = os.Getenv(ProcessVariable)
	}

	if name == "" {
		host, err := os.Hostname()
		if err != nil || host == "" {
			host = "process"
		}
		host = strings.Trim(regexp.MustCompile(`[^A-Za-z0-9.-]+`).ReplaceAllString(host, "-"), ".-")
		return fmt.Sprintf("%.40s-%s", host, strings.ToLower(rand.Text()[:6])), nil
	}

	if !processPattern.MatchString(name) {
		return "", exit.Usage(fmt.Errorf("--process, %s: want 1 to 63 letters, digits, dots, dashes and underscores, "+
			"as in ledger-1", ProcessVariable))
	}
	return name, nil
}
