package main

import (
	"context"
	"fmt"
	"iter"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"consentledger/api/audit/witness"
	"consentledger/eventstore"
	"consentledger/eventstore/ledger"
	"consentledger/projections/transparency"
)

// sealPace is how long the logs rest after a checkpoint that covers all: it
// bounds how many are signed, and is most of how far they are behind.
const sealPace = 200 * time.Millisecond

// keepDir is where a data directory has the logs' signing keys.
func keepDir(data string) string { return filepath.Join(data, "log") }

// tileDir is where a data directory has the logs' tiles, an app a directory.
func tileDir(data string) string { return filepath.Join(data, "views", "transparency") }

// cosignedDir is where a data directory has what witnesses signed.
func cosignedDir(data string) string { return filepath.Join(data, "log", "witness") }

// stampDir is where a data directory has what time-stamping authorities signed.
func stampDir(data string) string { return filepath.Join(data, "log", "timestamp") }

// openWitnesses reads whom the logs are shown to. Without a policy it is nobody.
func (h *house) openWitnesses() error {
	if h.config.witnesses == "" {
		return nil
	}
	policy, err := policyOf(h.config.witnesses, readOwnFile)
	if err != nil {
		return usageError{fmt.Errorf("--witnesses: %w", err)}
	}
	if !slices.ContainsFunc(policy.Witnesses, func(w witness.Witness) bool { return w.URL != "" }) {
		return usageError{fmt.Errorf("--witnesses: %s names no witness with an address, as in: witness north KEY https://north.example.org/", h.config.witnesses)}
	}
	h.witnesses = &witness.Witnesses{
		Logs: h.logs, Policy: policy, Shelf: h.shelf(cosignedDir(h.config.data)), Every: h.config.witnessEvery, Now: time.Now, Log: h.log,
	}
	return nil
}

// openStamps reads who stamps checkpoints, if anybody does.
func (h *house) openStamps() error {
	if h.config.authority == "" {
		return nil
	}
	roots, err := rootsOf(h.config.authorityRoots, readOwnFile)
	if err != nil {
		return usageError{fmt.Errorf("--timestamp-roots: %w", err)}
	}
	h.stamps = &witness.Stamps{
		Logs: h.logs, URL: h.config.authority, Roots: roots, Shelf: h.shelf(stampDir(h.config.data)), Every: h.config.stampEvery, Log: h.log,
	}
	return nil
}

// shelf is where what others say of the logs is kept: a directory, or what all
// processes share.
func (h *house) shelf(dir string) witness.Shelf {
	if h.dir.shared != nil {
		return witness.RowShelf{Rows: h.dir.shared}
	}
	return witness.Dir(dir)
}

// showLogs shows the logs to witnesses and to who stamps them, until ctx is done.
func (h *house) showLogs(ctx context.Context) error {
	var both sync.WaitGroup
	both.Go(func() { h.runWitnesses(ctx) })
	both.Go(func() { h.runStamps(ctx) })
	both.Wait()
	<-ctx.Done() // the turn is that of signing, too
	return nil
}

// runStamps has the checkpoints stamped, if there is an authority.
func (h *house) runStamps(ctx context.Context) {
	if h.stamps == nil {
		return
	}
	if err := h.stamps.Run(ctx); err != nil {
		h.log.Error("checkpoints are stamped no more", "error", err)
	}
}

// runWitnesses shows the logs to their witnesses, if they have any.
func (h *house) runWitnesses(ctx context.Context) {
	if h.witnesses == nil {
		return
	}
	if err := h.witnesses.Run(ctx); err != nil {
		h.log.Error("the witnesses are asked no more", "error", err)
	}
}

// logConfig returns what the logs of a data directory stand on.
func (d *dataDir) logConfig(ctx context.Context, origin string) (transparency.Config, error) {
	if d.shared != nil {
		keep, err := openSharedKeep(ctx, d.shared, d.vault, origin)
		return transparency.Config{Records: d.store, Keep: keep, Dir: tileDir(d.path)}, err
	}
	register, err := transparency.OpenRegister(ctx, d.rows())
	if err != nil {
		return transparency.Config{}, err
	}
	keep, err := transparency.OpenKeep(keepDir(d.path), origin, register)
	return transparency.Config{Records: d.store, Keep: keep, Dir: tileDir(d.path)}, err
}

// fed is the store, but that whoever follows it is told of what the ledger has read.
type fed struct {
	eventstore.Store
	ledger *ledger.Ledger
}

func (f fed) Follow(ctx context.Context, after eventstore.Position) iter.Seq2[[]eventstore.Recorded, error] {
	return f.ledger.FollowRecords(ctx, after)
}

func (h *house) openLogs(ctx context.Context) error {
	c, err := h.dir.logConfig(ctx, h.config.origin)
	if err != nil {
		return err
	}
	c.Records = fed{h.dir.store, h.dir.ledger}
	c.Pace, c.Log, c.Halt, c.Turn = sealPace, h.log, h.dir.brake.pull, h.turns.turn(workCheckpoints)
	if h.logs, err = transparency.Open(ctx, c); err != nil {
		return err
	}
	if err := h.openStamps(); err != nil {
		return err
	}
	return h.openWitnesses()
}

func (h *house) runLogs(ctx context.Context) {
	if err := h.logs.Run(ctx); err != nil && ctx.Err() == nil {
		h.log.Error("the transparency logs stopped", "error", err)
	}
}

// checkLogs checks the whole of what was there at the start, behind everything
// else.
func (h *house) checkLogs(ctx context.Context) {
	n, err := h.logs.Check(ctx)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		h.log.Error("the transparency logs could not be checked", "error", err)
	case n > 0:
		h.log.Info("the transparency logs were checked from their first record", "records", n)
	}
}
