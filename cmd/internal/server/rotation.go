package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"consentledger/cmd/internal/exit"
	"consentledger/eventstore"
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
// Where several processes share the vault, the file gets its epoch where it is handed out, and
// a row of the vault says that it wraps: see [WrapUnderNewest]. That is the commit point then.
//
// It also sweeps tombstones that have expired.
type rotation struct {
	vault *vault.Vault
	keys  *vault.FileKeys
	log   *slog.Logger
	wake  chan struct{} // of size one

	// Of several processes, see [rotation.among].
	rows    eventstore.Rows // nil: no other process has the vault
	process string
	turn    func() bool

	digits   string // of the row that is there while this process has its name; keepUp's
	named    bool   // it was made; keepUp's
	replaced bool   // another process has the name; keepUp's

	mu      sync.Mutex
	total   int64 // to be wrapped anew, when that began
	done    int64
	running bool
	failed  string // why the last try ended
	swept   int64

	wraps    uint32 // the epoch that wraps, as a row says; zero: not known
	missing  error  // that the keys lack it; nil: they have it
	heard    map[string]heard
	finished uint32 // the epoch under which everything was wrapped by this process
}

// A KeysReport is the answer to GET /v1/vault/keys.
type KeysReport struct {
	State   string           `json:"state" enum:"current,waiting,rewrapping,rewrapped" doc:"waiting: a newer epoch does not wrap yet; rewrapped: an older epoch wraps nothing, and is still there"`
	Epoch   uint32           `json:"epoch" doc:"the one that wraps"`
	Epochs  []uint32         `json:"epochs"`
	Wrapped map[uint32]int64 `json:"wrapped" doc:"how many keys each epoch wraps"`
	Sum     string           `json:"sum" doc:"of the file of the keys"`
	Total   int64            `json:"total,omitzero" doc:"to be wrapped anew, when that began"`
	Done    int64            `json:"done,omitzero"`
	Error   string           `json:"error,omitzero" doc:"why the last try ended"`
	Swept   int64            `json:"swept" doc:"tombstones, since the server started"`

	Processes []KeysOf `json:"processes,omitzero" doc:"that share the vault, and were heard of in the last two minutes"`
}

const (
	keysCurrent    = "current"    // one epoch
	keysWaiting    = "waiting"    // a newer one does not wrap yet
	keysRewrapping = "rewrapping" // an older one still wraps
	keysRewrapped  = "rewrapped"  // an older one wraps nothing, and is still there
)

func newRotation(d *DataDir, log *slog.Logger) *rotation {
	return &rotation{vault: d.Vault, keys: d.Keys, log: log, wake: make(chan struct{}, 1)}
}

// openRotation makes the rotation of the vault's keys. Where several processes share the vault
// a row says from now on which epoch wraps.
func (h *Server) openRotation(ctx context.Context) error {
	h.rotation = newRotation(h.Dir, h.Log)
	if h.Dir.shared == nil {
		return nil
	}
	h.rotation.among(h.Dir.shared, h.process, h.turns.turn(workFollowUps))
	return h.Dir.Vault.Share(ctx)
}

// alone reports whether no other process has the vault.
func (r *rotation) alone() bool { return r.rows == nil }

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
		if !r.alone() { // the turn may be this process's by then
			again = time.After(keysLookEvery)
		}
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

// goOn wraps anew what older epochs wrap. Of several processes the one that has the turn does
// it. That two do it for a moment is harmless, see [vault.Vault.Rewrap].
func (r *rotation) goOn(ctx context.Context) (err error) {
	epochs := r.keys.Epochs()
	if !r.isDue(epochs) {
		return nil
	}
	if r.alone() {
		// A vault that was moved from several processes to one has a row that says which wraps.
		if err := r.vault.WrapUnder(ctx, epochs[len(epochs)-1]); err != nil {
			return err
		}
	}
	wraps, old, err := r.older(ctx, r.wrapped)
	if err != nil {
		return err
	}
	if old == 0 {
		r.finish(wraps)
		return nil
	}
	r.begin(old)
	defer func() { r.end(err) }()

	began := time.Now()
	n, err := r.vault.RewrapTelling(ctx, r.told)
	if err == nil {
		r.finish(wraps)
		r.log.Info("keys were wrapped under the newest epoch", "keys", n, "took", time.Since(began).String())
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

// finish takes note that nothing is to be done until another epoch than this one wraps.
func (r *rotation) finish(wraps uint32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.finished = wraps
}

// wrapped says how many keys each epoch wraps. Of a vault that others write, too, they are counted.
func (r *rotation) wrapped(ctx context.Context) (map[uint32]int64, error) {
	if r.alone() {
		return r.vault.Wrapped(ctx)
	}
	return r.vault.Epochs(ctx)
}

// older returns which epoch wraps, and how many keys another one wraps, as count says.
func (r *rotation) older(
	ctx context.Context, count func(context.Context) (map[uint32]int64, error),
) (wraps uint32, n int64, err error) {
	wraps, err = r.vault.Wraps(ctx)
	if err != nil {
		return 0, 0, err
	}
	if epochs := r.keys.Epochs(); wraps == 0 {
		wraps = epochs[len(epochs)-1]
	}
	by, err := count(ctx)
	for number, keys := range by {
		if number != wraps {
			n += keys
		}
	}
	return wraps, n, err
}

func (r *rotation) sweep(ctx context.Context) {
	n, err := r.vault.Sweep(ctx, time.Now())
	if err != nil && ctx.Err() == nil {
		r.log.Warn("tombstones that have expired were not swept, and it is tried again", "error", err)
	}
	if err := r.forgetProcesses(ctx); err != nil && ctx.Err() == nil {
		r.log.Warn("processes that are gone were not forgotten, and it is tried again", "error", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.swept += int64(n)
}

// rotate begins an epoch; of several processes, it has the one wrap that all of them were given.
func (r *rotation) rotate(ctx context.Context) error {
	if !r.alone() {
		if err := wrapUnderNewest(ctx, r.vault, r.keys, r.present); err != nil {
			return err
		}
		wraps, err := r.vault.Wraps(ctx)
		r.log.Info("a newer epoch of the keys wraps in the vault, for all processes", "epoch", wraps)
		r.sees(wraps, err)
		return nil
	}

	r.mu.Lock()
	defer r.mu.Unlock()
	if epochs := r.keys.Epochs(); len(epochs) > 1 {
		return exit.Conflict(fmt.Errorf("the keys have %d epochs already: destroy the older ones first, with "+
			"consentledger keys rotate --retire COPY", len(epochs)))
	}
	if err := keysConflict(r.keys.Advance()); err != nil {
		return err
	}

	r.log.Info("the keys of the vault have a new epoch", "epoch", r.keys.Epochs()[1])
	r.wakeUp()
	return nil
}

// keysConflict tells why keys are not changed, to whoever asked.
func keysConflict(err error) error {
	switch {
	case errors.Is(err, vault.ErrKeysChanged):
		return exit.Conflict(err)
	case errors.Is(err, vault.ErrKeysGiven):
		return exit.Conflict(fmt.Errorf("the keys are in %s, where no server can change them: start it with a file of "+
			"the same text instead, by --vault-keys, rotate them, and give the new text afterwards", KeysTextVariable))
	}
	return err
}

// wakeUp has run look what is to be done.
func (r *rotation) wakeUp() {
	select {
	case r.wake <- struct{}{}:
	default: // it is awake
	}
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

	// What is destroyed does not come back: they are counted for it.
	wraps, old, err := r.older(ctx, r.vault.Epochs)
	if err != nil {
		return err
	}

	if newest := epochs[len(epochs)-1]; wraps != newest { // a vault that was moved here, see goOn
		return exit.Conflict(fmt.Errorf("epoch %d wraps still, and not %d: wait until consentledger keys show says "+
			"rewrapped", wraps, newest))
	}
	if r.running || old > 0 {
		return exit.Conflict(fmt.Errorf("%d keys are still wrapped under an older epoch: wait until consentledger "+
			"keys show says rewrapped", old))
	}
	if err := keysConflict(r.keys.Retire()); err != nil {
		return err
	}

	r.log.Info("older epochs of the vault's keys are destroyed: older backups of the vault open for nobody",
		"epochs", epochs[:len(epochs)-1])
	return nil
}

// report says how far it is.
func (r *rotation) report(ctx context.Context) (KeysReport, error) {
	by, err := r.wrapped(ctx)
	if err != nil {
		return KeysReport{}, err
	}
	wraps, missing := r.vault.Wraps(ctx)
	if missing != nil && !errors.Is(missing, vault.ErrMissingEpoch) {
		return KeysReport{}, missing
	}
	var processes []KeysOf
	if !r.alone() {
		if processes, err = r.present(ctx); err != nil {
			return KeysReport{}, err
		}
	}

	r.mu.Lock()
	defer r.mu.Unlock()
	k := KeysReport{
		Epochs: r.keys.Epochs(), Wrapped: by, Sum: r.keys.Sum(), Error: r.failed, Swept: r.swept, Processes: processes,
	}
	newest := k.Epochs[len(k.Epochs)-1]
	if k.Epoch = wraps; wraps == 0 {
		k.Epoch = newest
	}
	if missing != nil {
		k.Error = missing.Error()
	}

	total := int64(0)
	for _, n := range by {
		total += n
	}
	switch {
	case r.alone() && r.running:
		k.State, k.Total, k.Done = keysRewrapping, r.total, r.done
	case by[k.Epoch] < total: // of several processes another one may be at it
		k.State, k.Total, k.Done = keysRewrapping, total, by[k.Epoch]
	case newest > k.Epoch:
		k.State = keysWaiting
	case len(k.Epochs) > 1:
		k.State = keysRewrapped
	default:
		k.State = keysCurrent
	}
	return k, nil
}
