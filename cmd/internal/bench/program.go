package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// App is the app that is measured: the sample app, with the sample policy.
const App = "smartkey"

// A Program is one build of the ledger, and the data directory that it works on.
type Program struct {
	Name  string   // as tables show it
	Path  string   // of its executable file
	Dir   string   // its data directory
	Flags []string // more of serve's; with --nats among them it has no server of its own

	cmd   *exec.Cmd
	url   string // of HTTP; empty while it is stopped
	pipes sync.WaitGroup
}

// Prepare makes the data directory: the app, and its policy from a file.
func (p *Program) Prepare(ctx context.Context, policy string) error {
	if err := p.Start(ctx); err != nil {
		return err
	}
	if _, err := p.Verb(ctx, "app", "add", App, "--handler", "Bench"); err != nil {
		return errors.Join(err, p.Stop())
	}
	_, err := p.Verb(ctx, "policy", "publish", policy, "--app", App)
	if err != nil {
		return errors.Join(err, p.Stop())
	}
	return nil
}

// Start runs serve, and returns once it says where it listens.
func (p *Program) Start(ctx context.Context) error {
	flags := []string{"serve", "--data", p.Dir, "--http", "127.0.0.1:0"}
	if !slices.Contains(p.Flags, "--nats") {
		flags = append(flags, "--nats-listen", "127.0.0.1:0")
	}
	cmd := exec.CommandContext(ctx, p.Path, append(flags, p.Flags...)...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 30 * time.Second

	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	said := new(tail)
	cmd.Stderr = said
	if err := cmd.Start(); err != nil {
		return err
	}
	p.cmd, p.url = cmd, ""

	lines := bufio.NewScanner(out)
	for p.url == "" && lines.Scan() {
		if _, url, ok := strings.Cut(lines.Text(), "HTTP  "); ok {
			p.url = strings.TrimSpace(url)
		}
	}
	p.pipes.Go(func() { _, _ = io.Copy(io.Discard, out) })
	if p.url == "" {
		return errors.Join(fmt.Errorf("%s did not say where it listens: %s", p.Path, said), p.Kill())
	}
	return nil
}

// Stop ends the program as an operator does.
func (p *Program) Stop() error { return p.end(syscall.SIGTERM) }

// Kill ends it as a power cut does.
func (p *Program) Kill() error { return p.end(syscall.SIGKILL) }

func (p *Program) end(signal syscall.Signal) error {
	if p.cmd == nil {
		return nil
	}
	cmd := p.cmd
	p.cmd, p.url = nil, ""
	if err := cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	p.pipes.Wait()

	err := cmd.Wait()
	if _, exited := errors.AsType[*exec.ExitError](err); exited && signal == syscall.SIGKILL {
		return nil
	}
	return err
}

// Verb runs another verb of the program against its server, and returns how long
// it took.
func (p *Program) Verb(ctx context.Context, args ...string) (time.Duration, error) {
	cmd := exec.CommandContext(ctx, p.Path, append(args, "--server", p.url)...)
	said := new(tail)
	cmd.Stderr = said

	begun := time.Now()
	err := cmd.Run()
	if err != nil {
		err = fmt.Errorf("%s %s: %w: %s", p.Name, strings.Join(args, " "), err, said)
	}
	return time.Since(begun), err
}

// CPU returns the CPU time that the server has used.
func (p *Program) CPU() (time.Duration, error) {
	name := fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid)
	text, err := os.ReadFile(name)
	if err != nil {
		return 0, fmt.Errorf("CPU time is read on Linux only: %w", err)
	}

	// The second member is the program's name in brackets; the times are the
	// 14th and the 15th, in hundredths of a second.
	_, rest, _ := strings.Cut(string(text), ") ")
	members := strings.Fields(rest)
	if len(members) < 13 {
		return 0, fmt.Errorf("%s: want 15 members or more", name)
	}
	user, err1 := strconv.ParseInt(members[11], 10, 64)
	system, err2 := strconv.ParseInt(members[12], 10, 64)
	return time.Duration(user+system) * 10 * time.Millisecond, errors.Join(err1, err2)
}

// Resident returns the bytes of memory that the server has.
func (p *Program) Resident() (int64, error) {
	name := fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid)
	text, err := os.ReadFile(name)
	if err != nil {
		return 0, fmt.Errorf("memory is read on Linux only: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			n, err := strconv.ParseInt(strings.Fields(value)[0], 10, 64)
			return n << 10, err
		}
	}
	return 0, fmt.Errorf("%s has no VmRSS", name)
}

// OnDisk returns the bytes of the files in the data directory.
func (p *Program) OnDisk() (total int64, err error) {
	err = filepath.Walk(p.Dir, func(_ string, f os.FileInfo, err error) error {
		if errors.Is(err, os.ErrNotExist) {
			return nil // the server has just removed it
		}
		if err == nil && f.Mode().IsRegular() {
			total += f.Size()
		}
		return err
	})
	return total, err
}

// A tail keeps the last bytes that were written to it.
type tail struct {
	mu   sync.Mutex
	text []byte
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, b...)
	t.text = t.text[max(0, len(t.text)-1000):]
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.text))
}
