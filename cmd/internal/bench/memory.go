package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"consentledger/cmd/internal/demo"
	"consentledger/cmd/internal/server"
)

// memory measures what serve, as a process of its own, takes of memory once it
// has recorded many persons.
func (b *bench) memory(ctx context.Context) error {
	dir := b.dataDir("memory")
	d, err := server.OpenDataDir(ctx, dir, "live", true)
	if err != nil {
		return err
	}
	if err := errors.Join(demo.Stage{Ledger: d.Ledger, Blobs: d.Blobs}.Prepare(ctx), d.Close()); err != nil {
		return err
	}

	s, err := startServe(ctx, "--data", dir)
	if err != nil {
		return err
	}

	err = b.recordPersons(ctx, s)
	return errors.Join(err, s.stop())
}

func (b *bench) recordPersons(ctx context.Context, s *served) error {
	if err := b.reportMemory(s, "memory", "at start", "once it is ready"); err != nil {
		return err
	}
	l, err := startLoader(ctx, s.url)
	if err != nil {
		return err
	}
	_, err = l.send(ctx, order{Subject: recordSubject, Load: newcomerLoad, Clients: 256, Count: int64(b.persons)})
	if err := errors.Join(err, l.close()); err != nil {
		return err
	}
	return b.reportMemory(s, "memory", "", fmt.Sprintf("once %d persons were recorded over NATS", b.persons))
}

// demo measures what serve --demo takes of memory after a while.
func (b *bench) demo(ctx context.Context) error {
	s, err := startServe(ctx, "--demo", "--data", b.dataDir("demo"))
	if err != nil {
		return err
	}
	select {
	case <-time.After(b.demoFor):
	case <-ctx.Done():
	}
	err = b.reportMemory(s, "demo", "", fmt.Sprintf("of serve --demo after %v", b.demoFor))
	return errors.Join(err, s.stop())
}

func (b *bench) reportMemory(s *served, part, state, when string) error {
	for _, m := range []struct{ field, name string }{{"VmRSS", "resident"}, {"VmHWM", "resident, peak"}} {
		bytes, err := residentOf(s.cmd.Process.Pid, m.field)
		if err != nil {
			return err
		}
		b.report.add(part, 0, strings.TrimSpace(m.name+" "+state), "MiB",
			m.field+" of serve, as a process of its own, "+when, float64(bytes)/(1<<20))
	}

	if state != "" {
		return nil
	}

	live, peak := s.heap.read()
	b.report.add(part, 0, "Go heap, live", "MiB", "what the last garbage collection left, "+when, live)
	b.report.add(part, 0, "Go heap, peak", "MiB",
		"the largest heap at the end of a garbage collection's marking, "+when, peak)
	return nil
}

// A served is serve, running as a process of its own.
type served struct {
	cmd   *exec.Cmd
	url   string // of NATS
	heap  heapTrace
	pipes sync.WaitGroup
}

func startServe(ctx context.Context, args ...string) (*served, error) {
	args = append([]string{"serve", "--http", "127.0.0.1:0", "--nats-listen", "127.0.0.1:0"}, args...)
	cmd, err := ownProcess(ctx, args...)
	if err != nil {
		return nil, err
	}

	cmd.Env = append(cmd.Env, "GODEBUG=gctrace=1")
	s := &served{cmd: cmd}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}

	trace, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}

	s.pipes.Go(func() { s.heap.follow(trace) })
	greeting := bufio.NewScanner(out)
	for greeting.Scan() && !strings.HasPrefix(greeting.Text(), "  data") {
		if _, url, ok := strings.Cut(greeting.Text(), "NATS  "); ok {
			s.url = url
		}
	}

	s.pipes.Go(func() { _, _ = io.Copy(io.Discard, out) })
	if s.url == "" {
		return nil, errors.Join(errors.New("serve did not become ready"), s.stop())
	}
	return s, nil
}

func (s *served) stop() error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	s.pipes.Wait()
	return s.cmd.Wait()
}

// residentOf reads a member of a process's status, in bytes.
func residentOf(pid int, field string) (int64, error) {
	name := fmt.Sprintf("/proc/%d/status", pid)
	text, err := os.ReadFile(name)
	if err != nil {
		return 0, fmt.Errorf("memory is measured on Linux only: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, field+":"); ok {
			n, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")), 10, 64)
			return n << 10, err
		}
	}
	return 0, fmt.Errorf("%s has no %s", name, field)
}

// A heapTrace is what a process that runs with GODEBUG=gctrace=1 says of its
// heap, in MiB.
type heapTrace struct {
	mu         sync.Mutex
	live, peak float64
}

var traced = regexp.MustCompile(`^gc \d+ @.* (\d+)->(\d+)->(\d+) MB,`)

// follow reads the trace; other lines are the process's log, and handed on.
func (h *heapTrace) follow(r io.Reader) {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		m := traced.FindStringSubmatch(lines.Text())
		if m == nil {
			if !strings.HasPrefix(lines.Text(), "gc ") {
				fmt.Fprintln(os.Stderr, lines.Text())
			}
			continue
		}
		before, _ := strconv.ParseFloat(m[2], 64) // digits, says the expression
		after, _ := strconv.ParseFloat(m[3], 64)
		h.mu.Lock()
		h.live, h.peak = after, max(h.peak, before)
		h.mu.Unlock()
	}
}

func (h *heapTrace) read() (live, peak float64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.live, h.peak
}
