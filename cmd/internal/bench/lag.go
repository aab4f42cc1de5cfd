package bench

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// lag sends at a fixed rate and measures, every tenth of a second, how long it
// takes until every projection has applied what was durable then.
func (b *bench) lag(ctx context.Context) error {
	return b.server(ctx, "lag", func(m *measuredServer) error {
		if err := b.fill(m, newcomerLoad, b.population); err != nil {
			return err
		}
		stop, err := b.profile.start()
		if err != nil {
			return err
		}
		p := probes{server: m}
		ended := make(chan struct{})
		var probing sync.WaitGroup
		probing.Go(func() { p.probe(ended) })
		t, err := m.send(order{Subject: recordSubject, Load: personalLoad, Clients: 256, For: b.lagFor, Rate: b.rate})
		close(ended)
		probing.Wait()
		if err != nil {
			return err
		}
		if err := stop(true); err != nil {
			return err
		}
		if p.failed != nil {
			return p.failed
		}
		b.reportLag(t, &p)
		return nil
	})
}

func (b *bench) reportLag(t tally, p *probes) {
	asked := fmt.Sprintf("asked for %d events a second for %v by NATS request, at most 256 at once", b.rate, b.lagFor)
	b.report.add("lag", 0, "rate", "1/s", asked, t.rate())
	b.report.add("lag", 0, "p99 of a receipt", "ms", "from request to answer, at that rate", t.P99)
	b.report.add("lag", 0, "lag", "s",
		"from being durable until every projection has applied it, sampled ten times a second", p.lags...)
	b.report.add("lag", 0, "lag at the end", "s", "the same, of the last event", p.last)
}

// probes measure the lag of the slowest projection.
type probes struct {
	server *measuredServer

	mu     sync.Mutex
	lags   sample
	failed error

	last float64
}

// probe takes samples until ended is closed, and then the last.
func (p *probes) probe(ended <-chan struct{}) {
	var workers sync.WaitGroup
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for going := true; going; {
		select {
		case <-tick.C:
			workers.Go(func() { p.take() })
		case <-ended:
			going = false
		}
	}
	p.last = p.take()
	workers.Wait()
}

func (p *probes) take() float64 {
	took, err := p.server.settle()
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		p.failed = err
	}
	p.lags.add(took.Seconds())
	return took.Seconds()
}
