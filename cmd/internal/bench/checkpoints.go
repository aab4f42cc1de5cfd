package bench

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"time"

	"consentledger/cmd/internal/demo"
	"consentledger/cmd/internal/server"
	"consentledger/domain/ident"
	"consentledger/eventstore"
	"consentledger/projections/transparency"
	"consentledger/projections/transparency/verify"
)

// checkpoints measures what signing checkpoints costs the record path: one server is loaded in
// turns, while its transparency logs are written and while they are not.
func (b *bench) checkpoints(ctx context.Context) error {
	for _, clients := range b.counts(64, 256) {
		err := b.serverWithout(ctx, "seal", []string{"logs"}, func(m *measuredServer) error {
			if err := b.fill(m, newcomerLoad, b.population); err != nil {
				return err
			}
			return b.checkpointRow(m, clients)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// A checkpointRow gathers the rounds of a measurement of checkpoints.
type checkpointRow struct {
	rate, rateWithout, ratio, self, work, workWithout, lag sample
}

// checkpointRow measures rounds of four slices: without, with, with, without, so that
// what a ledger loses by growing weighs on both alike.
func (b *bench) checkpointRow(m *measuredServer, clients int) error {
	o := order{Subject: recordSubject, Load: plainLoad, Clients: clients, For: b.slice}
	var r checkpointRow
	for range b.rounds {
		before, err := m.measure(o)
		if err != nil {
			return err
		}
		var with [2]slice
		if err := m.withCheckpoints(func() (err error) {
			for i := range with {
				if with[i], err = m.sendCovered(o, &r.lag); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			return err
		}
		after, err := m.measure(o)
		if err != nil {
			return err
		}
		r.add(before, with, after)
	}

	add := func(name, unit, how string, s sample) { b.report.add("seal", clients, name, unit, how, s...) }
	add("rate", "1/s", "events recorded over NATS while checkpoints are signed", r.rate)
	add("rate unsealed", "1/s", "the same while none is signed, before and after", r.rateWithout)
	add("ratio", "of unsealed", "rate / rate unsealed, round by round", r.ratio)
	add("ratio unsealed", "of unsealed", "unsealed after / unsealed before: how far rates differ by themselves", r.self)
	add("CPU", "µs", "of this process for an event, projections and checkpoints included", r.work)
	add("CPU unsealed", "µs", "the same without checkpoints", r.workWithout)
	add("lag", "s", "from a durable record to the published checkpoint that covers it, asked every 50 ms under that "+
		"load", r.lag)
	return nil
}

func (r *checkpointRow) add(before slice, with [2]slice, after slice) {
	rate, without := (with[0].rate()+with[1].rate())/2, (before.rate()+after.rate())/2
	r.rate.add(rate)
	r.rateWithout.add(without)
	r.ratio.add(rate / without)
	r.self.add(after.rate() / before.rate())
	r.work.add((with[0].work + with[1].work) / 2)
	r.workWithout.add((before.work + after.work) / 2)
}

// withCheckpoints runs the transparency logs while f runs, which begins when they are
// up to date.
func (m *measuredServer) withCheckpoints(f func() error) error {
	if err := m.OpenLogs(m.ctx); err != nil {
		return err
	}
	defer runLogs(m.ctx, m.Logs)()
	if _, err := m.coverAll(); err != nil {
		return err
	}
	return f()
}

// runLogs runs logs until stop is called. What they fail of, whoever waits until
// something is covered is told.
func runLogs(ctx context.Context, logs *transparency.Log) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() { defer close(ended); _ = logs.Run(ctx) }()
	return func() { cancel(); <-ended }
}

// sendCovered sends an order, and meanwhile asks how long it takes until a checkpoint covers all.
func (m *measuredServer) sendCovered(o order, lags *sample) (slice, error) {
	type result struct {
		slice
		err error
	}
	sent := make(chan result, 1)
	go func() {
		t, err := m.measure(o)
		sent <- result{t, err}
	}()
	for {
		took, err := m.coverAll()
		if err != nil {
			return slice{}, errors.Join(err, (<-sent).err)
		}
		lags.add(took.Seconds())
		select {
		case r := <-sent:
			return r.slice, r.err
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// coverAll waits until all that is durable now is covered, and returns how long
// that took.
func (m *measuredServer) coverAll() (time.Duration, error) {
	begun := time.Now()
	head, err := m.Dir.Ledger.Head(m.ctx)
	if err != nil {
		return 0, err
	}
	err = coveredUpTo(m.ctx, m.Logs, head)
	return time.Since(begun), err
}

// coveredUpTo waits until a position is covered. It looks a hundred times a second:
// more often it would be a load of its own.
func coveredUpTo(ctx context.Context, logs *transparency.Log, head eventstore.Position) error {
	for {
		at, err := logs.Covered()
		if err == nil {
			err = context.Cause(ctx)
		}
		if err != nil || at >= head {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// verify measures verify log over a data directory, on one core.
func (b *bench) verify(ctx context.Context) error {
	return b.server(ctx, "verify", func(m *measuredServer) error {
		if err := b.fill(m, plainLoad, b.events); err != nil {
			return err
		}
		if _, err := m.coverAll(); err != nil {
			return err
		}
		key, err := server.VerifierKeyOf(ctx, m.Config.Data, ident.AppName(demo.App))
		if err != nil {
			return err
		}
		v, origin, err := server.VerifierOf(key, "")
		if err != nil {
			return err
		}
		source := &server.StoredLog{DirSource: server.DirSource(filepath.Join(server.TileDir(m.Config.Data), demo.App)),
			App: demo.App, Records: m.Dir.Store}
		defer source.Close()
		log := verify.Log{Source: source, Verifier: v, Origin: origin, App: demo.App}
		stop, err := b.profile.start()
		if err != nil {
			return err
		}
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
		var rates sample
		for range b.rounds {
			begun := time.Now()
			report, err := log.Verify(ctx)
			if err == nil && report.Verdict != "" {
				err = fmt.Errorf("%s: %v", report.Verdict, report.Findings)
			}
			if err != nil {
				return err
			}
			rates.add(float64(report.Records) / time.Since(begun).Seconds())
		}
		b.report.add("verify", 0, "rate", "1/s",
			fmt.Sprintf("verify log over a data directory with about %d records, on one core", b.events), rates...)
		return stop(true)
	})
}
