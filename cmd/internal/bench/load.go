package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
	"github.com/spf13/cobra"
)

// maxConns is how many connections the load process spreads its clients over;
// fewer clients have one each. It is the same for the ledger and the echo.
const maxConns = 256

// An order says what the load process shall send. It ends after For, or after
// Count requests if that is greater than zero.
type order struct {
	Subject string        `json:"subject"`
	Load    loadKind      `json:"load"`
	Clients int           `json:"clients"`
	For     time.Duration `json:"for"`
	Count   int64         `json:"count"`
	Rate    int           `json:"rate"` // requests a second at most; zero: as many as are answered
}

// A tally says what became of an order. Times are milliseconds.
type tally struct {
	Answered int     `json:"answered"`
	Seconds  float64 `json:"seconds"`
	P50      float64 `json:"p50"`
	P95      float64 `json:"p95"`
	P99      float64 `json:"p99"`
	Bytes    float64 `json:"bytes"` // of a request, on average
	Error    string  `json:"error"`
}

func (t tally) rate() float64 { return float64(t.Answered) / t.Seconds }

// NewLoad is the process that bench starts to load a ledger. It takes
// orders on standard input, one JSON object a line, and ends with it.
func NewLoad() *cobra.Command {
	return &cobra.Command{Use: "bench-load URL", Hidden: true, Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			g, err := newGenerator(args[0])
			if err != nil {
				return err
			}
			defer g.close()
			in, out := json.NewDecoder(c.InOrStdin()), json.NewEncoder(c.OutOrStdout())
			for {
				var o order
				if err := in.Decode(&o); errors.Is(err, io.EOF) {
					return nil
				} else if err != nil {
					return err
				}
				if err := out.Encode(g.run(c.Context(), o)); err != nil {
					return err
				}
			}
		}}
}

// A generator sends requests over its connections.
type generator struct {
	conns []*nats.Conn
	mixes map[string]*mix // by subject and load: what the ledger knows is what was sent to it
}

func newGenerator(url string) (*generator, error) {
	g := &generator{mixes: map[string]*mix{}}
	for range maxConns {
		nc, err := nats.Connect(url, nats.Name("bench"))
		if err != nil {
			return nil, err
		}
		g.conns = append(g.conns, nc)
	}
	return g, nil
}

func (g *generator) close() {
	for _, nc := range g.conns {
		nc.Close()
	}
}

func (g *generator) run(ctx context.Context, o order) tally {
	name := o.Subject
	if o.Subject == checkSubject {
		name = recordSubject // it asks about those who were recorded
	}

	m := g.mixes[name]
	if m == nil {
		m = newMix()
		g.mixes[name] = m
	}

	r := &sending{order: o, mix: m, begun: time.Now()}
	times := make([][]time.Duration, o.Clients)
	var workers sync.WaitGroup
	for i := range o.Clients {
		nc := g.conns[i%min(o.Clients, maxConns)]
		workers.Go(func() { times[i] = r.client(ctx, nc) })
	}

	workers.Wait()
	return r.tally(slices.Concat(times...))
}

// A sending is an order under way.
type sending struct {
	order
	mix   *mix
	begun time.Time
	taken atomic.Int64 // requests that a client has begun
	bytes atomic.Int64

	mu     sync.Mutex
	failed error
}

// client sends one request after the other, and returns how long each took.
func (s *sending) client(ctx context.Context, nc *nats.Conn) (times []time.Duration) {
	for {
		n := s.taken.Add(1)
		if s.Count > 0 && n > s.Count || s.Count == 0 && time.Since(s.begun) >= s.For {
			return times
		}
		if !s.await(ctx, n) {
			return times
		}
		body := s.mix.next(s.Load)
		sent := time.Now()
		if err := request(ctx, nc, s.Subject, body); err != nil {
			s.fail(err)
			return times
		}
		times = append(times, time.Since(sent))
		s.bytes.Add(int64(len(body)))
	}
}

// await waits until the turn of request number n, if there is a rate. It says
// no if that would be after the end.
func (s *sending) await(ctx context.Context, n int64) bool {
	if s.Rate == 0 {
		return true
	}

	due := time.Duration(float64(n-1) / float64(s.Rate) * float64(time.Second))
	if s.Count == 0 && due >= s.For {
		return false
	}

	turn := time.NewTimer(time.Until(s.begun.Add(due)))
	defer turn.Stop()
	select {
	case <-turn.C:
	case <-ctx.Done(): // request says so
	}
	return true
}

func request(ctx context.Context, nc *nats.Conn, subject string, body []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	answer, err := nc.Request(subject, body, 30*time.Second)
	if err != nil {
		return err
	}
	if code := answer.Header.Get(micro.ErrorCodeHeader); code != "" {
		return fmt.Errorf("refused with %s: %s", code, answer.Data)
	}
	return nil
}

func (s *sending) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed == nil {
		s.failed = err
	}
}

func (s *sending) tally(times []time.Duration) tally {
	t := tally{Answered: len(times), Seconds: time.Since(s.begun).Seconds()}
	switch {
	case s.failed != nil:
		t.Error = s.failed.Error()
		return t
	case len(times) == 0:
		t.Error = "nothing was sent"
		return t
	}

	slices.Sort(times)
	at := func(q float64) float64 { return float64(times[int(q*float64(len(times)-1))]) / 1e6 }
	t.P50, t.P95, t.P99 = at(0.50), at(0.95), at(0.99)
	t.Bytes = float64(s.bytes.Load()) / float64(len(times))
	return t
}

// A loader is the load process, seen from bench.
type loader struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *json.Decoder
}

func startLoader(ctx context.Context, url string) (*loader, error) {
	cmd, err := ownProcess(ctx, "bench-load", url)
	if err != nil {
		return nil, err
	}

	l := &loader{cmd: cmd}
	if l.in, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}

	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}

	cmd.Stderr = os.Stderr
	l.out = json.NewDecoder(out)
	return l, cmd.Start()
}

func (l *loader) send(ctx context.Context, o order) (tally, error) {
	var t tally
	if err := json.NewEncoder(l.in).Encode(o); err != nil {
		return t, fmt.Errorf("the load process: %w", err)
	}
	if err := l.out.Decode(&t); err != nil { // ends with the process, which ends with ctx
		return t, errors.Join(ctx.Err(), fmt.Errorf("the load process: %w", err))
	}
	if t.Error != "" {
		return t, fmt.Errorf("the load process: %s: %s", o.Subject, t.Error)
	}
	return t, nil
}

func (l *loader) close() error {
	l.in.Close()
	return l.cmd.Wait()
}
