package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"consentledger/cmd/internal/exit"
	"consentledger/eventstore/vault"
)

// A rotation gives the vault of a running server new keys. What it has done is in the file
// of the keys and in the vault, and nowhere else, so a server that starts again goes on:
//
//  1. The file has a new epoch, which wraps from then on. That is the commit point.
//  2. What older epochs wrap is wrapped anew, in the background.
//  3. The operator keeps a copy of the file, and proves it by its sum. Then the older
//     epochs are destroyed: not before, since a disk that dies then would take the only
//     copy of the keys with it.
//
// It also sweeps tombstones that have expired.
type rotation struct {
	vault *vault.Vault
	keys  *vault.FileKeys
	log   *slog.Logger
	wake  chan struct{} // of size one
	alone bool          // no other process has the vault

	mu      sync.Mutex
	total   int64 // to be wrapped anew, when that began
	done    int64
	running bool
	failed  string // why the last try ended
	swept   int64
}

// A KeysReport is the answer to GET /v1/vault/keys.
type KeysReport struct {
	State   string           `json:"state" enum:"current,rewrapping,rewrapped" doc:"rewrapped: an older epoch wraps nothing, and is still there"`
	Epoch   uint32           `json:"epoch" doc:"the current one"`
	Epochs  []uint32         `json:"epochs"`
	Wrapped map[uint32]int64 `json:"wrapped" doc:"how many keys each epoch wraps"`
	Sum     string           `json:"sum" doc:"of the file of the keys"`
	Total   int64            `json:"total,omitzero" doc:"to be wrapped anew, when that began"`
	Done    int64            `json:"done,omitzero"`
	Error   string           `json:"error,omitzero" doc:"why the last try ended"`
	Swept   int64            `json:"swept" doc:"tombstones, since the server started"`
}

const (
	keysCurrent    = "current"    // one epoch
	keysRewrapping = "rewrapping" // an older one still wraps
	keysRewrapped  = "rewrapped"  // an older one wraps nothing, and is still there
)

func newRotation(d *DataDir, log *slog.Logger) *rotation {
	return &rotation{vault: d.Vault, keys: d.Keys, log: log, wake: make(chan struct{}, 1), alone: d.shared == nil}
}

const (
	rotationRetry = time.Minute
	sweepEvery    = 24 * time.Hour
)

// run goes on with what is not finished, and sweeps, until ctx is done.
func (r *rotation) run(ctx context.Context) {
	sweep := time.NewTimer(0)
	defer sweep.Stop()
	for ctx.Err() == nil {
		var again <-chan time.Time
		if err := r.goOn(ctx); err != nil && ctx.Err() == nil {
			r.log.Error("keys of persons could not be wrapped anew, and it is tried again", "error", err)
			again = time.After(rotationRetry)
		}
		select {
		case <-ctx.Done():
		case <-r.wake:
		case <-again:
		case <-sweep.C:
			r.sweep(ctx)
			sweep.Reset(sweepEvery)
		}
	}
}

// goOn wraps anew what older epochs wrap. Of a vault that several processes share, keys
// retire does it, once all of them have the new epoch.
func (r *rotation) goOn(ctx context.Context) (err error) {
	if !r.alone || len(r.keys.Epochs()) < 2 {
		return nil
	}
	old, err := r.older(ctx)
	if err != nil || old == 0 {
		return err
	}
	r.begin(old)
	defer func() { r.end(err) }()

	began := time.Now()
	n, err := r.vault.RewrapTelling(ctx, r.told)
	if err == nil {
		r.log.Info("keys were wrapped under the newest epoch", "keys", n, "took", time.Since(began))
	}
	return err
}

func (r *rotation) begin(total int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.total, r.done, r.running, r.failed = total, 0, true, ""
}

func (r *rotation) told(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done = int64(n)
}

func (r *rotation) end(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.running = false; err != nil {
		r.failed = err.Error()
	}
}

// older returns how many keys an older epoch wraps.
func (r *rotation) older(ctx context.Context) (n int64, err error) {
	epochs := r.keys.Epochs()
	by, err := r.vault.Epochs(ctx)
	for number, count := range by {
		if number != epochs[len(epochs)-1] {
			n += count
		}
	}
	return n, err
}

func (r *rotation) sweep(ctx context.Context) {
	n, err := r.vault.Sweep(ctx, time.Now())
	if err != nil && ctx.Err() == nil {
		r.log.Warn("tombstones that have expired were not swept, and it is tried again", "error", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.swept += int64(n)
}

// rotate begins an epoch.
func (r *rotation) rotate() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if epochs := r.keys.Epochs(); len(epochs) > 1 {
		return exit.Conflict(fmt.Errorf("the keys have %d epochs already: destroy the older ones first, with "+
			"consentledger keys rotate --retire COPY", len(epochs)))
	}
	if err := r.keys.Advance(); err != nil {
		return err
	}

	r.log.Info("the keys of the vault have a new epoch", "epoch", r.keys.Epochs()[1])
	select {
	case r.wake <- struct{}{}:
	default: // it is awake
	}
	return nil
}

// retire destroys all epochs but the current one, for somebody who has a copy of the file.
func (r *rotation) retire(ctx context.Context, sum string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	epochs := r.keys.Epochs()
	if len(epochs) < 2 {
		return exit.Conflict(errors.New("the keys have one epoch: there is none to destroy"))
	}

	if sum != r.keys.Sum() {
		return exit.Conflict(errors.New("the copy is not one of the keys as they are now: copy the file again, and " +
			"keep it where the backups are not"))
	}

	old, err := r.older(ctx)
	if err != nil {
		return err
	}

	if r.running || old > 0 {
		return exit.Conflict(fmt.Errorf("%d keys are still wrapped under an older epoch: wait until consentledger "+
			"keys show says rewrapped", old))
	}
	if err := r.keys.Retire(); err != nil {
		return err
	}

	r.log.Info("older epochs of the vault's keys are destroyed: older backups of the vault open for nobody",
		"epochs", epochs[:len(epochs)-1])
	return nil
}

// report says how far it is.
func (r *rotation) report(ctx context.Context) (KeysReport, error) {
	by, err := r.vault.Epochs(ctx)
	if err != nil {
		return KeysReport{}, err
	}

	r.mu.Lock()
	defer r.mu.Unlock()
	k := KeysReport{Epochs: r.keys.Epochs(), Wrapped: by, Sum: r.keys.Sum(), Error: r.failed, Swept: r.swept}
	k.Epoch = k.Epochs[len(k.Epochs)-1]
	switch {
	case len(k.Epochs) == 1:
		k.State = keysCurrent
	case r.running || slices.ContainsFunc(k.Epochs, func(n uint32) bool { return n != k.Epoch && by[n] > 0 }):
		k.State, k.Total, k.Done = keysRewrapping, r.total, r.done
	default:
		k.State = keysRewrapped
	}
	return k, nil
}
