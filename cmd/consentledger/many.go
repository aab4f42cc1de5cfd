package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"consentledger/api/audit/witness"
	"consentledger/api/rest"
	"consentledger/domain"
	"consentledger/eventstore"
	"consentledger/eventstore/postgres"
	"consentledger/eventstore/postgres/turn"
	"consentledger/eventstore/vault"
	"consentledger/projections/transparency"
)

// Several processes may serve one ledger: one event store, one vault, one NATS. Each
// answers requests, decides, and computes the logs' tiles. What one process does at a
// time is work that it takes turns at, see package turn. None of it rests on there
// being one: two that do it for a moment, as when one slept and does not know that its
// turn is over, do it once.
//
//   - work intake: a term's row and consumer, see package intake
//   - work follow-ups: ids that derive from cause and target, see package react; what is
//     told on NATS is told behind the last message alone, see package outbox
//   - work checkpoints: each is signed behind the one before, see package transparency
type work string

const (
	workIntake      work = "intake"
	workFollowUps   work = "follow-ups"
	workCheckpoints work = "checkpoints"
)

// works are all of them.
var works = []work{workIntake, workFollowUps, workCheckpoints}

// turns are the turns of this process. Of a ledger that one process serves, it has all
// of them.
type turns struct {
	at   *postgres.Address // where processes take turns; nil: there is one process
	log  *slog.Logger
	held map[work]*atomic.Bool
}

func newTurns(at *postgres.Address, log *slog.Logger) *turns {
	t := &turns{at: at, log: log, held: map[work]*atomic.Bool{}}
	for _, w := range works {
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
	for _, w := range works {
		if t.has(w) {
			names = append(names, string(w))
		}
	}
	return names
}

// processVariable names the process, where no flag does.
const processVariable = "CONSENTLEDGER_PROCESS"

var processPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)

// processName returns what a process is called among those that serve one ledger: by a
// flag or the environment, or its host and something random.
func processName(flag string) (string, error) {
	name := flag
	if name == "" {
		name = os.Getenv(processVariable)
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
		return "", usageError{fmt.Errorf("--process, %s: want 1 to 63 letters, digits, dots, dashes and underscores, as in ledger-1", processVariable)}
	}
	return name, nil
}

// feedKeyRow is where the key of the calendar feeds is, where several processes serve
// them: its value is a version byte and the key, sealed. Whoever deletes it ends every
// feed address that was given out.
var feedKeyRow = []byte("f/1")

// feedKeyApp owns the key that seals that of the feeds. It is no app's name.
const feedKeyApp = "feeds"

// openFeedKey reads the key of the calendar feeds from where it is.
func (h *house) openFeedKey(ctx context.Context) ([]byte, error) {
	if h.dir.shared != nil {
		return sharedFeedKey(ctx, h.dir, h.dir.shared)
	}
	return openFeedKey(h.config.data)
}

// sharedFeedKey reads the key of the calendar feeds from rows, and makes one if there
// is none. Of processes that begin at once one makes it.
func sharedFeedKey(ctx context.Context, d *dataDir, rows eventstore.Rows) ([]byte, error) {
	value, ok, err := rows.Get(ctx, feedKeyRow)
	if err == nil && !ok {
		key := make([]byte, 32)
		rand.Read(key)
		var sealed []byte
		if sealed, err = sealAs(ctx, d.vault, feedKeyApp, "feed key", []byte(hex.EncodeToString(key))); err != nil {
			return nil, err
		}
		err = rows.Write(ctx, eventstore.Change{Absent: [][]byte{feedKeyRow}, Put: []eventstore.Row{{Key: feedKeyRow, Value: append([]byte{1}, sealed...)}}})
		if err == nil || errors.Is(err, eventstore.ErrCondition) {
			value, ok, err = rows.Get(ctx, feedKeyRow)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("the key of the calendar feeds: %w", err)
	}
	if !ok || len(value) == 0 || value[0] != 1 {
		return nil, errors.New("the key of the calendar feeds is of a version that this program does not know: use the version that wrote it, or a newer one")
	}
	text, err := unsealAs(ctx, d.vault, feedKeyApp, "feed key", value[1:])
	if err != nil {
		return nil, fmt.Errorf("the key of the calendar feeds: %w", err)
	}
	return hex.DecodeString(string(text))
}

// sealAs seals what is no person's under an app's key, and for one purpose.
func sealAs(ctx context.Context, v *vault.Vault, app, purpose string, plain []byte) ([]byte, error) {
	k, err := v.AppKey(ctx, app)
	if err != nil {
		return nil, err
	}
	return k.Seal([]byte(purpose), plain), nil
}

func unsealAs(ctx context.Context, v *vault.Vault, app, purpose string, sealed []byte) ([]byte, error) {
	k, err := v.AppKey(ctx, app)
	if err != nil {
		return nil, err
	}
	return k.Unseal([]byte(purpose), sealed)
}

// openSharedKeep opens what the processes of a ledger share of its logs.
func openSharedKeep(ctx context.Context, rows eventstore.Rows, v *vault.Vault, origin string) (*transparency.Keep, error) {
	const purpose = "log signing key"
	return transparency.OpenShared(ctx, transparency.Shared{
		Rows: rows,
		Seal: func(ctx context.Context, app string, text []byte) ([]byte, error) {
			return sealAs(ctx, v, app, purpose, text)
		},
		Unseal: func(ctx context.Context, app string, sealed []byte) ([]byte, error) {
			return unsealAs(ctx, v, app, purpose, sealed)
		},
	}, origin)
}

// isShared reports whether a data directory is of one of several processes: what it
// has of the logs can be built again, and the rest is in the rows that all share.
func isShared(data string) bool {
	_, err := os.Stat(filepath.Join(data, vaultPlace.file))
	return err == nil
}

// openRowsOf opens the rows that processes share, for a verb that reads them while
// these run. Where they are the environment says.
func openRowsOf(ctx context.Context) (rows *postgres.Rows, v *vault.Vault, err error) {
	at, err := addressesOf(dirOptions{})
	if err != nil {
		return nil, nil, err
	}
	if at.vault == "" {
		return nil, nil, usageError{fmt.Errorf("this directory is one of several processes, and what is asked for is in the vault that they share: say where, with %s or %s", vaultVariable, vaultFileVariable)}
	}
	address, err := postgres.ParseAddress(at.vault)
	if err != nil {
		return nil, nil, usageError{fmt.Errorf("%s: %w", vaultVariable, err)}
	}
	keys, err := at.openKeys("", false)
	if err != nil {
		return nil, nil, err
	}
	if rows, err = postgres.OpenRows(address, postgres.Options{}); err != nil {
		return nil, nil, err
	}
	if v, err = vault.Open(ctx, rows, keys); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("the vault at %s: %w", address, err), rows.Close())
	}
	return rows, v, nil
}

// sharedKeyOf is [verifierKeyOf] where processes share the keys.
func sharedKeyOf(ctx context.Context, app domain.AppName) (_ string, err error) {
	rows, v, err := openRowsOf(ctx)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	keep, err := openSharedKeep(ctx, rows, v, "")
	if err != nil {
		return "", err
	}
	apps, err := keep.Apps()
	if err != nil {
		return "", err
	}
	if !slices.Contains(apps, app) {
		return "", notFound{fmt.Errorf("the app %s has no log yet: it begins with the app's first record", app)}
	}
	if _, err := keep.Newest(ctx, app); err != nil {
		return "", err
	}
	return keep.VerifierKey(app)
}

// shelfOf returns where what witnesses signed is, of a data directory.
func shelfOf(ctx context.Context, data string) (_ witness.Shelf, done func() error, err error) {
	if !isShared(data) {
		return witness.Dir(cosignedDir(data)), func() error { return nil }, nil
	}
	rows, _, err := openRowsOf(ctx)
	if err != nil {
		return nil, nil, err
	}
	return witness.RowShelf{Rows: rows}, rows.Close, nil
}

// checkMany refuses half of what several processes need: what one of them would have
// for itself, and the others would not see.
func (s serveConfig) checkMany() error {
	vault, err := vaultPlace.address(s.vault)
	switch {
	case err != nil:
		return err
	case vault == "" && s.process != "":
		return usageError{errors.New("--process names one of several processes, which share a vault: name it with --vault, or leave --process away")}
	case vault == "":
		return nil
	case s.nats.url == "":
		return usageError{errors.New("--vault shares persons with other processes, and the embedded NATS server is this one's alone: name the NATS servers that all of them use, with --nats")}
	case s.demo:
		return usageError{errors.New("--demo plays on a ledger that one process serves: leave --vault away")}
	}
	_, err = processName(s.process)
	return err
}

// openTurns says what this process is called, and where it takes turns with others.
func (h *house) openTurns() (err error) {
	var at *postgres.Address
	if h.dir.shared != nil {
		if h.process, err = processName(h.config.process); err != nil {
			return err
		}
		at = h.dir.shared.at.Called("consentledger " + h.process)
		h.log = h.log.With("process", h.process)
	}
	h.turns = newTurns(at, h.log)
	return nil
}

// processReport says what this process is among others; nil: there are none.
func (h *house) processReport() *rest.Process {
	if !h.turns.many() {
		return nil
	}
	return &rest.Process{Name: h.process, Turns: h.turns.names()}
}
