package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"consentledger/api/nats/intake"
	"consentledger/api/wire"
	"consentledger/domain/rounds"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// kills is how often TestKill kills the server, unless CONSENTLEDGER_ROUNDS says so.
const kills = 12

// TestKill kills the real server at random moments under load, each time starts
// it again on the same directory, and at the end finds all that was promised,
// once.
func TestKill(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	bin, dir := build(t), filepath.Join(t.TempDir(), "data")
	b := &book{rng: rand.New(rand.NewPCG(seed, 0))}
	c := launch(t, bin, dir)
	prepare(t, c)
	a := &auditor{dir: dir}
	most := rounds.Of(t, kills)
	for range most {
		asked, sent := b.unknown()
		a.watch(c)
		b.load(t, c, asked, sent)
		c = launch(t, bin, dir)
		a.look(t, c)
		b.repeat(t, c, b.fresh())
	}
	t.Logf("%d checkpoints were seen, the last of %d records", len(a.seen), a.seen[len(a.seen)-1].Size)
	rejected := b.settle(t, c)
	b.repeat(t, c, b.answered())
	c.stop(t)
	b.log(t)
	checkDir(t, dir, b, rejected)
}

// A child is a server in a process of its own.
type child struct {
	running
	cmd    *exec.Cmd
	stderr bytes.Buffer // read once the process has ended
}

// launch starts a server and returns when it is ready.
func launch(t *testing.T, bin, dir string) *child {
	t.Helper()
	return launchWith(t, bin, "serve", "--data", dir, "--http", "127.0.0.1:0", "--nats-listen", "127.0.0.1:0")
}

// launchWith is launch with all arguments.
func launchWith(t *testing.T, bin string, args ...string) *child {
	t.Helper()
	return launchIn(t, nil, bin, args...)
}

// launchIn is launchWith, in an environment.
func launchIn(t *testing.T, env []string, bin string, args ...string) *child {
	t.Helper()
	c := &child{cmd: exec.Command(bin, args...)}
	c.cmd.Env, c.cmd.Stderr = env, &c.stderr
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if c.cmd.ProcessState == nil {
			c.kill(t)
		}
	})
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		name, value, _ := strings.Cut(strings.TrimSpace(lines.Text()), "  ")
		switch name {
		case "HTTP":
			c.http = value
		case "NATS":
			c.nats = value
		case "data":
			go io.Copy(io.Discard, stdout) // ends with the process
			return c
		}
	}
	t.Fatalf("serve ended before it was ready: %v\n%s", c.cmd.Wait(), &c.stderr)
	return nil
}

// kill is kill -9, of this process alone.
func (c *child) kill(t *testing.T) {
	t.Helper()
	if err := c.cmd.Process.Kill(); err != nil {
		t.Errorf("kill: %v", err)
	}
	_ = c.cmd.Wait() // it says "killed"
	c.checkLog(t)
}

// stop asks the server to end.
func (c *child) stop(t *testing.T) {
	t.Helper()
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Wait(); err != nil {
		t.Errorf("serve ended with %v\n%s", err, &c.stderr)
	}
	c.checkLog(t)
}

func (c *child) checkLog(t *testing.T) {
	t.Helper()
	if strings.Contains(c.stderr.String(), personPrefix) {
		t.Errorf("the log names a person:\n%s", &c.stderr)
	}
}

func (c *child) connect(t *testing.T) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(c.nats, nats.NoReconnect(), nats.Timeout(time.Minute))
	if err != nil {
		t.Fatalf("%v\n%s", err, &c.stderr)
	}
	return nc
}

// prepare registers the app and publishes its policy.
func prepare(t *testing.T, c *child) {
	t.Helper()
	for _, args := range [][]string{
		{"app", "add", "smartkey", "--handler", "Demo Ltd"},
		{"policy", "publish", "--app", "smartkey", "smartkey/policy.yaml"},
	} {
		if out, err := cli(t, &c.running, args...); err != nil {
			t.Fatalf("%v: %s %v", args, out, err)
		}
	}
}

// load has clients at work on both roads until the server is killed. They begin
// with what was left without an answer.
func (b *book) load(t *testing.T, c *child, asked, sent []*wish) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var workers sync.WaitGroup
	for _, r := range []struct {
		left    []*wish
		clients int
		work    func(context.Context, *nats.Conn, *wish) bool
		next    func() *wish
	}{
		{asked, 8, b.ask, func() *wish { return b.next(false) }},
		{sent, 3, b.send, func() *wish { return b.next(true) }},
	} {
		for n := range r.clients {
			nc := c.connect(t)
			defer nc.Close()
			workers.Go(func() {
				for i := n; i < len(r.left) && r.work(ctx, nc, r.left[i]); i += r.clients {
				}
				for r.work(ctx, nc, r.next()) {
				}
			})
		}
	}
	select {
	case <-time.After(b.moment()):
	case <-t.Context().Done():
	}
	c.kill(t)
	cancel()
	workers.Wait()
}

// ask sends w on the request road and notes the answer. It returns false if
// there was none.
func (b *book) ask(ctx context.Context, nc *nats.Conn, w *wish) bool {
	m, err := nc.RequestWithContext(ctx, "consent.v1.smartkey.record", w.body)
	if err != nil {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if m.Header.Get("Nats-Service-Error-Code") != "" {
		var p wire.Problem
		if err := json.Unmarshal(m.Data, &p); err != nil || p.Status >= 500 {
			return false // the outcome is unknown
		}
		w.refused = true
		return true
	}
	if err := json.Unmarshal(m.Data, &w.receipt); err != nil {
		return false
	}
	b.newest = append(b.newest, w)
	return true
}

// send publishes w to JetStream and notes its acknowledgement.
func (b *book) send(ctx context.Context, nc *nats.Conn, w *wish) bool {
	js, err := jetstream.New(nc)
	if err != nil {
		return false
	}
	ack, err := js.Publish(ctx, "consent.v1.smartkey.in."+w.kind, w.body)
	if err != nil {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	w.sequences = append(w.sequences, ack.Sequence)
	return true
}

// repeat sends wishes that have a receipt again, and wants the same receipt.
func (b *book) repeat(t *testing.T, c *child, wishes []*wish) {
	t.Helper()
	nc := c.connect(t)
	defer nc.Close()
	var workers sync.WaitGroup
	for n := range 16 {
		workers.Go(func() {
			for i := n; i < len(wishes); i += 16 {
				w := wishes[i]
				m, err := nc.RequestWithContext(t.Context(), "consent.v1.smartkey.record", w.body)
				if err != nil {
					t.Errorf("%s asked again: %v", w.id, err)
					return
				}
				var again wire.Receipt
				if err := json.Unmarshal(m.Data, &again); err != nil || again != w.receipt {
					t.Errorf("%s has the receipt %v, asked again: %s", w.id, w.receipt, m.Data)
				}
			}
		})
	}
	workers.Wait()
}

// settle waits until the stream is drained, and returns what was rejected.
func (b *book) settle(t *testing.T, c *child) []intake.RejectedMessage {
	t.Helper()
	nc := c.connect(t)
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	consumer, err := js.Consumer(t.Context(), intake.InStream, "ledger")
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "drained", func() string {
		info, err := consumer.Info(t.Context())
		if err != nil {
			t.Fatalf("%v\n%s", err, &c.stderr)
		}
		if info.NumPending+uint64(info.NumAckPending) > 0 {
			return "waiting"
		}
		return "drained"
	})
	return rejectedBy(t, &c.running)
}

// rejectedBy asks a server for the messages that it rejected.
func rejectedBy(t *testing.T, r *running) []intake.RejectedMessage {
	t.Helper()
	out, err := cli(t, r, "rejected", "list", "-o", "jsonl")
	if err != nil {
		t.Fatal(err)
	}
	var list []intake.RejectedMessage
	for d := json.NewDecoder(strings.NewReader(out)); ; {
		var m intake.RejectedMessage
		if err := d.Decode(&m); err == io.EOF {
			return list
		} else if err != nil {
			t.Fatal(err)
		}
		list = append(list, m)
	}
}
