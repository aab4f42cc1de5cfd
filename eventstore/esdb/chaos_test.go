package esdb_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"consentledger/eventstore"
	"consentledger/eventstore/esdb"
)

// Chaos is a directory of commands by which nodes are killed, paused and started. Each
// is an executable file; N is a node's place in the connection string, from 1:
//
//	kill-N    ends the process as kill -9 does, and returns once it has ended
//	start-N   starts it if it does not run; it may return before the node is ready
//	pause-N   stops it as SIGSTOP does
//	resume-N  lets it go on; it does nothing if the node is not paused
//	backup    remembers the database as it is; of a single node
//	restore   puts that copy in place of what is there, and starts the node
//	fresh     starts a new, empty node without TLS, in place of the one that it
//	          started before, and prints its address as host:port
//
// The last three may be missing.
type chaos struct {
	dir   string
	hosts []string
}

var errNoCommand = errors.New("there is no such command")

// check looks whether the commands are there.
func (c *chaos) check() error {
	for n := range c.hosts {
		for _, verb := range []string{"kill", "start", "pause", "resume"} {
			if !c.has(fmt.Sprintf("%s-%d", verb, n+1)) {
				return fmt.Errorf("%s has no executable file %s-%d, and the connection string names %d nodes: %s",
					c.dir, verb, n+1, len(c.hosts), strings.Join(c.hosts, ", "))
			}
		}
	}
	if c.has(fmt.Sprintf("kill-%d", len(c.hosts)+1)) {
		return fmt.Errorf("%s has commands for more nodes than the connection string names: name them all there, in the order of their numbers", c.dir)
	}
	return nil
}

func (c *chaos) has(name string) bool {
	info, err := os.Stat(filepath.Join(c.dir, name))
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// call runs a command, for at most two minutes, and returns what it prints.
func (c *chaos) call(name string) (string, error) {
	if !c.has(name) {
		return "", fmt.Errorf("%s: %w", name, errNoCommand)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	path, err := filepath.Abs(filepath.Join(c.dir, name))
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, path)
	cmd.WaitDelay = time.Second // a node that it started may hold its output open
	var out, wrong bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &wrong
	if err := cmd.Run(); err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		return "", fmt.Errorf("the command %s: %w: %s%s", name, err, out.String(), wrong.String())
	}
	return strings.TrimSpace(out.String()), nil
}

// do runs a command for nodes, and fails t if it does not work. A node that cannot be
// killed or paused may just have ended by itself: then it is started first.
func (c *chaos) do(t testing.TB, verb string, nodes ...int) {
	t.Helper()
	for _, n := range nodes {
		name := fmt.Sprintf("%s-%d", verb, n)
		_, err := c.call(name)
		if err != nil && (verb == "kill" || verb == "pause") {
			_, _ = c.call(fmt.Sprint("start-", n)) // what counts is whether the next works
			c.listens(t, n)
			_, err = c.call(name)
		}
		if err != nil {
			t.Error(err)
		}
	}
}

// listens waits until a node does.
func (c *chaos) listens(t testing.TB, n int) {
	t.Helper()
	eventually(t, fmt.Sprintf("node %d listens", n), func() bool {
		conn, err := tcp(context.Background(), c.hosts[n-1])
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
}

// heal brings every node back, as well as it can.
func (c *chaos) heal() {
	for n := range c.hosts {
		for _, verb := range []string{"resume", "start"} {
			if _, err := c.call(fmt.Sprintf("%s-%d", verb, n+1)); err != nil {
				fmt.Printf("healing: %v\n", err)
			}
		}
	}
}

// leads returns the number of the node that leads, by asking each of them: what they
// call themselves need not be what the connection string does.
func (c *chaos) leads(t testing.TB, s *esdb.Store) int {
	t.Helper()
	var last []string
	for range 60 {
		last = nil
		for n, host := range c.hosts {
			ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
			err := s.Leads(ctx, host)
			cancel()
			if err == nil {
				return n + 1
			}
			last = append(last, fmt.Sprintf("%s: %v", host, err))
		}
		time.Sleep(time.Second)
	}
	t.Errorf("none of the nodes leads: %s", strings.Join(last, "; "))
	return 0
}

// supervised starts nodes that have ended themselves, as whoever runs a cluster has to:
// a leader that was replaced ends with exit code 0. It does so until it is told to stop.
func (c *chaos) supervised() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	work.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-time.After(5 * time.Second):
			}
			for n := range c.hosts {
				_, _ = c.call(fmt.Sprint("start-", n+1)) // it is called again
			}
		}
	})
	return func() { cancel(); work.Wait() }
}

// whole waits until every node listens.
func (c *chaos) whole(t testing.TB) {
	t.Helper()
	c.heal()
	for _, n := range c.others(0) {
		c.listens(t, n)
	}
}

// others returns the numbers of all nodes but one.
func (c *chaos) others(one int) (all []int) {
	for n := range c.hosts {
		if n+1 != one {
			all = append(all, n+1)
		}
	}
	return all
}

// fresh returns the address of a new, empty server, or why there is none.
func (w *site) fresh() (address, why string) {
	if w.chaos == nil || !w.chaos.has("fresh") {
		return "", "they need a new, empty server, which a command called fresh would give"
	}
	address, err := w.chaos.call("fresh")
	if err != nil {
		return "", err.Error()
	}
	for range 600 {
		conn, err := tcp(context.Background(), address)
		if err == nil {
			_ = conn.Close()
			return address, ""
		}
		time.Sleep(100 * time.Millisecond)
	}
	return "", fmt.Sprintf("the new server at %q does not listen for a minute", address)
}

// A blow takes nodes away and brings them back.
type blow struct {
	name  string
	nodes int // at least
	short bool
	long  bool // only in the long form
	deal  func(t *testing.T, c *chaos, leader int)
}

// blows are dealt one after the other.
var blows = []blow{
	{"the leader is killed and started a second later", 1, true, false, func(t *testing.T, c *chaos, leader int) {
		c.do(t, "kill", leader)
		time.Sleep(time.Second)
		c.do(t, "start", leader)
	}},
	{"the leader is killed and started 30 s later", 1, false, false, func(t *testing.T, c *chaos, leader int) {
		c.do(t, "kill", leader)
		time.Sleep(30 * time.Second)
		c.do(t, "start", leader)
	}},
	{"the leader is paused for 15 s", 1, true, false, func(t *testing.T, c *chaos, leader int) {
		c.do(t, "pause", leader)
		time.Sleep(15 * time.Second)
		c.do(t, "resume", leader)
	}},
	{"a follower is killed and started 5 s later", 3, false, false, func(t *testing.T, c *chaos, leader int) {
		c.do(t, "kill", c.others(leader)[0])
		time.Sleep(5 * time.Second)
		c.do(t, "start", c.others(leader)[0])
	}},
	{"both others are paused for 15 s", 3, false, false, func(t *testing.T, c *chaos, leader int) {
		c.do(t, "pause", c.others(leader)...)
		time.Sleep(15 * time.Second)
		c.do(t, "resume", c.others(leader)...)
	}},
	{"two are killed, the leader among them, and started 10 s later", 3, true, false, func(t *testing.T, c *chaos, leader int) {
		two := []int{leader, c.others(leader)[0]}
		c.do(t, "kill", two...)
		time.Sleep(10 * time.Second)
		c.do(t, "start", two...)
	}},
	{"all are killed and started 30 s later", 3, false, false, func(t *testing.T, c *chaos, _ int) { allAway(t, c, 30*time.Second) }},
	{"all are killed and started 5 minutes later", 1, false, true, func(t *testing.T, c *chaos, _ int) { allAway(t, c, 5*time.Minute) }},
}

func allAway(t *testing.T, c *chaos, long time.Duration) {
	c.do(t, "kill", c.others(0)...)
	time.Sleep(long)
	c.do(t, "start", c.others(0)...)
}

// nodesFail deals each blow while a client is busy.
func nodesFail(t *testing.T, w *site) {
	if w.chaos == nil {
		unrun("%s names no directory of commands", chaosVariable)
		return
	}
	s := w.whole(t, esdb.Options{})
	for n, b := range blows {
		if b.nodes > len(w.chaos.hosts) || testing.Short() && !b.short || b.long && !w.long {
			continue
		}
		t.Run(b.name, func(t *testing.T) {
			w.chaos.whole(t)
			leader := w.chaos.leads(t, s)
			if leader == 0 {
				return
			}
			busy := keepBusy(t, s, eventstore.Stream(fmt.Sprint("blow", n)), 2*time.Second, slack)
			time.Sleep(time.Second)
			b.deal(t, w.chaos, leader)
			defer w.chaos.supervised()()
			took := busy.recovers(5 * time.Minute)
			note("%s (node %d led): all well %v later: %s", b.name, leader, took.Round(10*time.Millisecond), busy.settle())
		})
	}
}

// nodesFailUnderProcesses deals blows while three processes append.
func nodesFailUnderProcesses(t *testing.T, w *site) {
	if w.chaos == nil {
		unrun("%s names no directory of commands", chaosVariable)
		return
	}
	s := w.whole(t, esdb.Options{})
	done := make(chan struct{})
	var dealing sync.WaitGroup
	dealt := 0
	dealing.Go(func() {
		for _, b := range slices.Concat(blows, blows) {
			if b.nodes > len(w.chaos.hosts) || testing.Short() && !b.short || b.long {
				continue
			}
			w.chaos.heal()
			select {
			case <-done:
				return
			case <-time.After(2 * time.Second):
			}
			leader := w.chaos.leads(t, s)
			if leader == 0 {
				break
			}
			b.deal(t, w.chaos, leader)
			dealt++
		}
		defer w.chaos.supervised()()
		<-done
	})
	counted(3)
	line := severalProcesses(t, w.connection, w.name(stores.Add(1)), 3, size(3000, 30_000), 25*time.Minute)
	close(done)
	dealing.Wait()
	note("%s; %d blows meanwhile", line, dealt)
}

// backupIsRestored has an old copy of the database put in place.
func backupIsRestored(t *testing.T, w *site) {
	if w.chaos == nil || !w.chaos.has("backup") || !w.chaos.has("restore") {
		unrun("there are no commands called backup and restore")
		return
	}
	s := w.open(t, esdb.Options{})
	mustAppend(t, s, "kept", 0, record(1, "one"))
	if _, err := w.chaos.call("backup"); err != nil {
		t.Fatal(err)
	}
	b := keepBusy(t, s, "a", 2*time.Second, slack)
	time.Sleep(time.Second)
	if _, err := w.chaos.call("restore"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the open store turns red", func() bool { return s.Fault() != nil })
	b.stop()
	b.work.Wait()
	isRed(t, s)
}
