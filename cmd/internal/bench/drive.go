package bench

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A Slice is one slice of a measurement.
type Slice struct {
	Done    int           // requests that were answered
	Took    time.Duration // all of it
	Latency [3]float64    // of a request: p50, p95, p99 in milliseconds
}

// Rate returns the requests of a second.
func (s Slice) Rate() float64 { return float64(s.Done) / s.Took.Seconds() }

// drive has clients call do again and again, each one call after the other,
// until the time is over or so many calls were made; zero: no such limit. The
// first error ends it.
func drive(
	ctx context.Context, clients int, long time.Duration, count int, do func(context.Context) error,
) (Slice, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)

	var taken atomic.Int64
	begun := time.Now()
	more := func() bool {
		n := taken.Add(1)
		return ctx.Err() == nil && (count == 0 || n <= int64(count)) && (long == 0 || time.Since(begun) < long)
	}

	times := make([][]time.Duration, clients)
	var workers sync.WaitGroup
	for i := range clients {
		workers.Go(func() {
			for more() {
				sent := time.Now()
				if err := do(ctx); err != nil {
					stop(err)
					return
				}
				times[i] = append(times[i], time.Since(sent))
			}
		})
	}
	workers.Wait()
	if err := context.Cause(ctx); err != nil {
		return Slice{}, err
	}

	all := slices.Concat(times...)
	s := Slice{Done: len(all), Took: time.Since(begun)}
	slices.Sort(all)
	for i, q := range []float64{0.50, 0.95, 0.99} {
		if len(all) > 0 {
			s.Latency[i] = float64(all[int(q*float64(len(all)-1))]) / 1e6
		}
	}
	return s, nil
}

// client keeps enough connections for all clients of a measurement.
var client = &http.Client{
	Timeout:   2 * time.Minute,
	Transport: &http.Transport{MaxIdleConns: 512, MaxIdleConnsPerHost: 512},
}

// post sends a body to a route of the app, and reads the whole answer. A batch
// in which an event was refused is an error.
func (p *Program) post(ctx context.Context, route, kind string, body []byte) error {
	url := p.url + "/v1/apps/" + App + "/" + route
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", kind)

		answer, err := client.Do(req)
		if err != nil {
			return err
		}
		text, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil {
			return err
		}
		switch {
		case answer.StatusCode == http.StatusTooManyRequests || bytes.Contains(text, []byte(`"code":"overloaded"`)):
			// It pushes back: a well-behaved client waits.
			select {
			case <-time.After(50 * time.Millisecond):
			case <-ctx.Done():
				return ctx.Err()
			}
			continue
		case answer.StatusCode >= 300:
			return fmt.Errorf("%s: POST %s: %s: %.300s", p.Name, route, answer.Status, text)
		case bytes.Contains(text, []byte(`"problem":{`)):
			return fmt.Errorf("%s: POST %s: an event was not taken: %.300s", p.Name, route, text)
		}
		return nil
	}
}

// The routes that are loaded.
func (p *Program) record(c *Crowd) func(context.Context) error {
	return func(ctx context.Context) error {
		return p.post(ctx, "events", "application/cloudevents+json", c.Event())
	}
}

func (p *Program) batch(next func() []byte) func(context.Context) error {
	return func(ctx context.Context) error {
		return p.post(ctx, "events", "application/cloudevents-batch+json", next())
	}
}

func (p *Program) check(c *Crowd) func(context.Context) error {
	return func(ctx context.Context) error {
		return p.post(ctx, "check", "application/json", c.Question())
	}
}
