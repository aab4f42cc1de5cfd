package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"consentledger/domain"
	"consentledger/eventstore"
	"consentledger/projections/transparency"
	"consentledger/projections/transparency/verify"
)

// seal measures what sealing costs the record path: two houses, of which one
// has no transparency logs, are loaded in turns.
func (b *bench) seal(ctx context.Context) error {
	for _, clients := range b.counts(64, 256) {
		err := b.house(ctx, "seal", func(m *measuredHouse) (err error) {
			plain, err := openHouseAs(ctx, b.dataDir("unsealed"), false)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, plain.close(), os.RemoveAll(plain.config.data)) }()
			return b.sealRow(m, plain, clients)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) sealRow(sealed, plain *measuredHouse, clients int) error {
	for _, m := range []*measuredHouse{sealed, plain} {
		if err := b.fill(m, newcomerLoad, b.population); err != nil {
			return err
		}
	}
	if _, err := sealed.sealAll(); err != nil {
		return err
	}
	var with, without, ratio, work, workWithout, lags sample
	o := order{Subject: recordSubject, Load: plainLoad, Clients: clients, For: b.slice}
	for range b.rounds {
		before, err := plain.measure(o)
		if err != nil {
			return err
		}
		t, err := sealed.sealedSend(o, &lags)
		if err != nil {
			return err
		}
		after, err := plain.measure(o)
		if err != nil {
			return err
		}
		mean := (before.rate() + after.rate()) / 2
		with.add(t.rate())
		without.add(mean)
		ratio.add(t.rate() / mean)
		work.add(t.work)
		workWithout.add((before.work + after.work) / 2)
	}
	b.report.add("seal", clients, "rate", "1/s", "events recorded over NATS by a ledger that seals them", with...)
	b.report.add("seal", clients, "rate unsealed", "1/s", "the same by one without transparency logs, before and after", without...)
	b.report.add("seal", clients, "ratio", "of unsealed", "rate / rate unsealed, round by round", ratio...)
	b.report.add("seal", clients, "CPU", "µs", "of this process for an event, projections and sealing included", work...)
	b.report.add("seal", clients, "CPU unsealed", "µs", "the same without sealing", workWithout...)
	b.report.add("seal", clients, "lag", "s", "from a durable record to the published checkpoint that covers it, asked every 50 ms under that load", lags...)
	return nil
}

// sealedSend sends an order, and meanwhile asks how long sealing takes.
func (m *measuredHouse) sealedSend(o order, lags *sample) (slice, error) {
	type result struct {
		slice
		err error
	}
	sent := make(chan result, 1)
	m.crew.Go(func() {
		t, err := m.measure(o)
		sent <- result{t, err}
	})
	for {
		took, err := m.sealAll()
		if err != nil {
			return slice{}, err
		}
		lags.add(took.Seconds())
		select {
		case r := <-sent:
			return r.slice, r.err
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// sealAll waits until all that is durable now is sealed, and returns how long
// that took.
func (m *measuredHouse) sealAll() (time.Duration, error) {
	begun := time.Now()
	head, err := m.dir.ledger.Head(m.ctx)
	if err != nil {
		return 0, err
	}
	err = sealedUpTo(m.ctx, m.logs, head)
	return time.Since(begun), err
}

// sealedUpTo waits until a position is sealed. It looks a hundred times a second:
// more often it would be a load of its own.
func sealedUpTo(ctx context.Context, logs *transparency.Log, head eventstore.Position) error {
	for {
		at, err := logs.Sealed()
		if err == nil {
			err = context.Cause(ctx)
		}
		if err != nil || at >= head {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// verify measures verify log over the files of a log, on one core.
func (b *bench) verify(ctx context.Context) error {
	return b.house(ctx, "verify", func(m *measuredHouse) error {
		if err := b.fill(m, plainLoad, b.events); err != nil {
			return err
		}
		if _, err := m.sealAll(); err != nil {
			return err
		}
		key, err := verifierKeyOf(m.config.data, domain.AppName(demoApp))
		if err != nil {
			return err
		}
		v, origin, err := verifierOf(key, "")
		if err != nil {
			return err
		}
		log := verify.Log{Source: dirSource(filepath.Join(tileDir(m.config.data), demoApp)), Verifier: v, Origin: origin, App: demoApp}
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
		b.report.add("verify", 0, "rate", "1/s", fmt.Sprintf("verify log over the files of a log of about %d records, on one core", b.events), rates...)
		return stop(true)
	})
}
