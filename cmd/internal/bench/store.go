package bench

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"consentledger/cmd/internal/views"
	"consentledger/eventstore"
	"consentledger/eventstore/embedded"
	"consentledger/projections"
	"consentledger/projections/readmodel"
	"consentledger/projections/transparency"
)

// recordBytes is the size of the records that appendAlone writes: about that of
// an event without personal details.
const recordBytes = 600

// appendAlone measures the store without NATS, ledger and projections.
func (b *bench) appendAlone(ctx context.Context) (err error) {
	db, err := embedded.Open(b.dataDir("append"), embedded.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	for _, writers := range b.counts(1, 256) {
		stop, err := b.profile.start()
		if err != nil {
			return err
		}
		var rates sample
		for range b.rounds {
			s, err := appendFor(ctx, db.Store(), writers, b.slice)
			if err != nil {
				return err
			}
			rates.add(s.rate())
		}
		if err := stop(true); err != nil {
			return err
		}
		b.report.add("append", writers, "rate", "1/s",
			fmt.Sprintf("Append of one record of %d bytes, synced; every writer moves to a new stream after ten",
				recordBytes), rates...)
	}
	return nil
}

// appendFor has writers append to s, each one record after the other.
func appendFor(ctx context.Context, s eventstore.Store, writers int, long time.Duration) (stint, error) {
	return repeat(ctx, writers, long, func() func(context.Context) error {
		var stream eventstore.Stream
		revision := eventstore.Revision(10)
		return func(ctx context.Context) error {
			if revision == 10 {
				stream, revision = eventstore.Stream(fmt.Sprintf("subject-bench-%016x%016x", rand.Uint64(),
					rand.Uint64())), 0
			}
			_, err := s.Append(ctx, stream, revision, someRecord())
			revision++
			return err
		}
	})
}

// A stint is how often something was done, and how long that took.
type stint struct {
	done int
	took time.Duration
}

func (s stint) rate() float64 { return float64(s.done) / s.took.Seconds() }

// repeat has so many clients at once do something again and again, each what
// newClient returned for it. The first error of each ends it.
func repeat(
	ctx context.Context, clients int, long time.Duration, newClient func() func(context.Context) error,
) (stint, error) {
	var workers sync.WaitGroup
	var done atomic.Int64
	failed := make(chan error, clients)
	begun := time.Now()
	for range clients {
		do := newClient()
		workers.Go(func() {
			for time.Since(begun) < long {
				if err := do(ctx); err != nil {
					failed <- err
					return
				}
				done.Add(1)
			}
		})
	}

	workers.Wait()
	close(failed)
	return stint{int(done.Load()), time.Since(begun)}, <-failed
}

func someRecord() eventstore.Record {
	r := eventstore.Record{Type: "bench.v1", Data: make([]byte, recordBytes)}
	binary.BigEndian.PutUint64(r.ID[:], rand.Uint64()|1)
	for i := 0; i < recordBytes; i += 8 {
		binary.BigEndian.PutUint64(r.Data[i:], rand.Uint64())
	}
	return r
}

// replay measures reading the whole history.
func (b *bench) replay(ctx context.Context) error {
	return b.server(ctx, "replay", func(m *measuredServer) error {
		if err := b.fill(m, personalLoad, b.events); err != nil {
			return err
		}
		stop, err := b.profile.start()
		if err != nil {
			return err
		}
		var rates sample
		for range b.rounds {
			rate, err := replayAll(m)
			if err != nil {
				return err
			}
			rates.add(rate)
		}
		b.report.add("replay", 0, "rate", "1/s", fmt.Sprintf("ledger.Replay of %d events", b.events), rates...)
		return stop(true)
	})
}

func replayAll(m *measuredServer) (float64, error) {
	begun, n := time.Now(), 0
	for _, err := range m.Dir.Ledger.Replay(m.ctx, 0) {
		if err != nil {
			return 0, err
		}
		n++
	}
	return float64(n) / time.Since(begun).Seconds(), nil
}

// rebuild measures building each projection from nothing.
func (b *bench) rebuild(ctx context.Context) error {
	return b.server(ctx, "rebuild", func(m *measuredServer) error {
		if err := b.fill(m, personalLoad, b.events); err != nil {
			return err
		}
		stop, err := b.profile.start()
		if err != nil {
			return err
		}
		if err := b.rebuildAll(m); err != nil {
			return err
		}
		return stop(true)
	})
}

func (b *bench) rebuildAll(m *measuredServer) error {
	for _, p := range views.All {
		var rates sample
		for i := range min(b.rounds, 3) {
			dir := filepath.Join(b.dataDir("rebuild"), fmt.Sprintf("%s-%d", p.Name, i))
			rate, err := rebuildOne(m, dir, p)
			if err != nil {
				return fmt.Errorf("projection %s: %w", p.Name, err)
			}
			rates.add(rate)
		}
		b.report.add("rebuild", 0, p.Name, "1/s",
			fmt.Sprintf("projections.Run over %d events into an empty directory", b.events), rates...)
	}

	var rates sample
	for range min(b.rounds, 3) {
		rate, err := rebuildLogs(m, b.dataDir("rebuild-log"))
		if err != nil {
			return fmt.Errorf("transparency: %w", err)
		}
		rates.add(rate)
	}

	b.report.add("rebuild", 0, "transparency", "1/s",
		fmt.Sprintf("tiles of %d events, hashed, signed and published into an empty directory", b.events), rates...)
	return nil
}

// rebuildLogs builds the transparency logs anew, under another key.
func rebuildLogs(m *measuredServer, dir string) (rate float64, err error) {
	defer os.RemoveAll(dir)
	keep, err := transparency.OpenKeep(filepath.Join(dir, "log"), "", nil)
	if err != nil {
		return 0, err
	}

	logs, err := transparency.Open(m.ctx,
		transparency.Config{Records: m.Dir.Store, Keep: keep, Dir: filepath.Join(dir, "tiles")})
	if err != nil {
		return 0, err
	}

	head, err := m.Dir.Ledger.Head(m.ctx)
	if err != nil {
		return 0, err
	}

	begun := time.Now()
	defer runLogs(m.ctx, logs)()
	if err := coveredUpTo(m.ctx, logs, head); err != nil {
		return 0, err
	}
	return float64(head) / time.Since(begun).Seconds(), nil
}

func rebuildOne(m *measuredServer, dir string, view views.Kind) (rate float64, err error) {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	p, err := view.Open(m.ctx, readmodel.Dir(dir), m.Dir.Ledger)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	head, err := m.Dir.Ledger.Head(m.ctx)
	if err != nil {
		return 0, err
	}

	ctx, stop := context.WithCancel(m.ctx)
	defer stop()
	begun := time.Now()
	var took time.Duration
	err = projections.Run(ctx, m.Dir.Ledger, p, func(at eventstore.Position) {
		if at >= head && took == 0 {
			took = time.Since(begun)
			stop()
		}
	})
	if took == 0 {
		return 0, err
	}
	return float64(head) / took.Seconds(), nil
}
