package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// record measures requests that record, each number of clients in a server of
// its own: those that the caller asked for, or else these.
func (b *bench) record(ctx context.Context, part string, load loadKind, clients ...int) error {
	for _, clients := range b.counts(clients...) {
		err := b.serverWithout(ctx, part, b.without, func(m *measuredServer) error {
			if err := b.fill(m, newcomerLoad, b.population); err != nil {
				return err
			}
			return b.row(m, part, order{Subject: recordSubject, Load: load, Clients: clients, For: b.slice})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// check measures questions about persons with some history.
func (b *bench) check(ctx context.Context) error {
	return b.server(ctx, "check", func(m *measuredServer) error {
		if err := b.fill(m, newcomerLoad, b.population); err != nil {
			return err
		}
		if err := b.fill(m, plainLoad, b.population); err != nil {
			return err
		}
		for _, clients := range b.counts(1, 64) {
			if err := b.row(m, "check", order{Subject: checkSubject, Load: checkLoad, Clients: clients,
				For: b.slice}); err != nil {
				return err
			}
		}
		return nil
	})
}

// server runs f with a server that is new, and removes it.
func (b *bench) server(ctx context.Context, part string, f func(*measuredServer) error) error {
	return b.serverWithout(ctx, part, nil, f)
}

// serverWithout is server, but that some [Followers] of the server do nothing.
func (b *bench) serverWithout(
	ctx context.Context, part string, without []string, f func(*measuredServer) error,
) (err error) {
	dir := filepath.Join(b.dir, part)
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	m, err := openServer(ctx, dir, without...)
	if err != nil {
		return err
	}
	return errors.Join(f(m), m.close())
}

// fill records some history before a measurement.
func (b *bench) fill(m *measuredServer, load loadKind, events int) error {
	if _, err := m.send(order{Subject: recordSubject, Load: load, Clients: 256, Count: int64(events)}); err != nil {
		return err
	}
	return m.rest()
}

// A benchRow gathers the rounds of one measurement against the echo.
type benchRow struct {
	rate, echo, ratio, p50, p95, p99, bytes, settle, work, echoWork sample
}

// row measures o in turns with the echo: echo, o, echo, o, ..., echo. A round's
// ratio is to the mean of the two echoes around it. Before an echo the
// projections catch up, so that it is not slowed by what the ledger owes.
func (b *bench) row(m *measuredServer, part string, o order) error {
	echo := o
	echo.Subject = echoSubject
	if _, err := m.measure(echo); err != nil { // warms up
		return err
	}

	before, err := m.measure(echo)
	if err != nil {
		return err
	}

	stop, err := b.profile.start()
	if err != nil {
		return err
	}

	var r benchRow
	for i := range b.rounds {
		did, err := m.measure(o)
		if err != nil {
			return err
		}
		after, last := before, i == b.rounds-1
		if b.profile == (profileConfig{}) || last { // a profile holds no echo
			if err := stop(last); err != nil {
				return err
			}
			if after, err = m.measure(echo); err != nil {
				return err
			}
		}
		r.add(did, before, after)
		before = after
	}

	b.report.row(part, o, r)
	fmt.Fprintf(b.progress, "  %d clients: %.0f/s, echo %.0f/s, ratio %.3f; CPU %.0f µs each, echo %.0f µs\n",
		o.Clients, r.rate.median(), r.echo.median(), r.ratio.median(), r.work.median(), r.echoWork.median())
	return nil
}

// A slice is one order, done.
type slice struct {
	tally
	settled time.Duration // how long the projections took afterwards
	work    float64       // CPU time of this process for a request, in µs
}

// measure sends o and lets the projections catch up.
func (m *measuredServer) measure(o order) (slice, error) {
	worked, err := cpuTime()
	if err != nil {
		return slice{}, err
	}

	t, err := m.send(o)
	if err != nil {
		return slice{}, err
	}

	settled, err := m.settle()
	if err == nil {
		err = m.rest()
	}
	if err != nil {
		return slice{}, err
	}

	until, err := cpuTime()
	return slice{t, settled, float64((until - worked).Microseconds()) / float64(t.Answered)}, err
}

func (r *benchRow) add(did, before, after slice) {
	echo := (before.rate() + after.rate()) / 2
	r.rate.add(did.rate())
	r.echo.add(echo)
	r.ratio.add(did.rate() / echo)
	r.p50.add(did.P50)
	r.p95.add(did.P95)
	r.p99.add(did.P99)
	r.bytes.add(did.Bytes)
	r.settle.add(did.settled.Seconds())
	r.work.add(did.work)
	r.echoWork.add((before.work + after.work) / 2)
}
