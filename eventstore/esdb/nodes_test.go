package esdb_test

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"consentledger/eventstore/esdb/esdbserver"
	"consentledger/eventstore/freeport"
)

// What this binary is when it is started again, and the directory and number that
// it is told then.
const (
	roleVariable   = "CONSENTLEDGER_TEST_ROLE"
	dirVariable    = "CONSENTLEDGER_TEST_DIR"
	numberVariable = "CONSENTLEDGER_TEST_NUMBER"
)

// roles are what it may be.
var roles = map[string]func() error{
	"core":    func() error { return runCore(os.Getenv(dirVariable)) },
	"node":    func() error { return runNode(os.Getenv(dirVariable), number()) },
	"tell":    func() error { return tellCore(os.Getenv(dirVariable), os.Getenv(numberVariable)) },
	"fresh":   func() error { return runFresh(os.Getenv(dirVariable)) },
	"process": runProcess,
}

func number() int {
	n, err := strconv.Atoi(os.Getenv(numberVariable))
	if err != nil {
		panic(err)
	}
	return n
}

// A cluster of processes is one that keeps the database, and one for each node,
// through which all of that node's connections go: what kill -9 and SIGSTOP do to
// it they do to the node. Each tells the first one ten times a second that it lives;
// one that does not is replaced, and what it had stored stays, as on a disk.
type clusterConfig struct {
	Nodes   []string // where they listen
	Gossip  []string // what they call themselves; empty: as above
	Kurrent bool
	Users   bool // TLS with cert.pem and key.pem, and the user admin
}

func readConfig(dir string) (c clusterConfig, err error) {
	data, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		return c, err
	}
	return c, json.Unmarshal(data, &c)
}

// A listener is handed its connections.
type listener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
	at     net.Addr
}

func newListener(at net.Addr) *listener {
	return &listener{conns: make(chan net.Conn), closed: make(chan struct{}), at: at}
}

func (d *listener) Accept() (net.Conn, error) {
	select {
	case c := <-d.conns:
		return c, nil
	case <-d.closed:
		return nil, net.ErrClosed
	}
}

func (d *listener) Close() error { d.once.Do(func() { close(d.closed) }); return nil }

func (d *listener) Addr() net.Addr { return d.at }

// hand gives a connection to whoever serves, and reports whether anybody does.
func (d *listener) hand(c net.Conn) bool {
	select {
	case d.conns <- c:
		return true
	case <-d.closed:
		return false
	}
}

// A core keeps the database and elects leaders.
type core struct {
	mu      sync.Mutex
	nodes   []*coreNode
	leader  int // -1: nobody
	missing time.Time
	backup  esdbserver.Backup
}

type coreNode struct {
	server   *esdbserver.Server
	listener *listener
	life     net.Conn // by which its process says that it lives; nil: there is none
	heard    time.Time
	stale    bool      // it was replaced while it slept
	awake    time.Time // since when it is back
}

// What a cluster takes for dead, how long it takes to elect, and how long a leader
// that slept goes on to think that it leads.
const (
	deadAfter  = 1500 * time.Millisecond
	electAfter = 500 * time.Millisecond
	staleFor   = time.Second
)

func runCore(dir string) error {
	config, err := readConfig(dir)
	if err != nil {
		return err
	}
	o := esdbserver.Options{Kurrent: config.Kurrent}
	if config.Users {
		pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))
		if err != nil {
			return err
		}
		o.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
		o.Users = []esdbserver.User{{Name: "admin", Password: "changeit", Admin: true}}
	}
	c := &core{leader: -1}
	for i, s := range esdbserver.NewCluster(len(config.Nodes), o) {
		at := config.Nodes[i]
		if i < len(config.Gossip) {
			at = config.Gossip[i]
		}
		s.Advertise(at)
		s.Become(esdbserver.Unknown)
		c.nodes = append(c.nodes, &coreNode{server: s})
	}
	for _, n := range c.nodes {
		n.serve()
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go c.watch()
	if err := writeWhole(filepath.Join(dir, "core"), l.Addr().String()); err != nil {
		return err
	}
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		go c.greet(conn)
	}
}

// writeWhole writes a file that nobody finds half written.
func writeWhole(name, text string) error {
	if err := os.WriteFile(name+".new", []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(name+".new", name)
}

func (n *coreNode) serve() {
	n.listener = newListener(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1})
	go func() { _ = n.server.Serve(n.listener) }()
}

// greet reads what a connection is for: one line, "call 2", "life 2" or "do backup".
func (c *core) greet(conn net.Conn) {
	what, which, _ := strings.Cut(readLine(conn), " ")
	n, _ := strconv.Atoi(which)
	switch {
	case what == "do":
		_, _ = io.WriteString(conn, c.do(which)+"\n")
		_ = conn.Close()
	case what == "call" && n >= 1 && n <= len(c.nodes):
		c.mu.Lock()
		d := c.nodes[n-1].listener
		c.mu.Unlock()
		if !d.hand(conn) {
			_ = conn.Close()
		}
	case what == "life" && n >= 1 && n <= len(c.nodes):
		c.live(c.nodes[n-1], conn)
	default:
		_ = conn.Close()
	}
}

func readLine(conn net.Conn) string {
	var line []byte
	for one := make([]byte, 1); ; {
		if _, err := conn.Read(one); err != nil || one[0] == '\n' || len(line) > 100 {
			return string(line)
		}
		line = append(line, one[0])
	}
}

// live has a node be there as long as its process is.
func (c *core) live(n *coreNode, conn net.Conn) {
	c.mu.Lock()
	if n.life != nil {
		c.mu.Unlock()
		_ = conn.Close()
		return
	}
	n.life, n.heard = conn, time.Now()
	c.mu.Unlock()
	for beat := make([]byte, 16); ; {
		if _, err := conn.Read(beat); err != nil {
			break
		}
		c.mu.Lock()
		n.heard = time.Now()
		c.mu.Unlock()
	}

	n.server.Exit()
	c.mu.Lock()
	defer c.mu.Unlock()
	n.server, n.life, n.stale = n.server.Again(), nil, false
	if len(c.nodes) > 1 {
		n.server.Become(esdbserver.Follower)
	}
	n.serve()
	_ = conn.Close()
}

func (c *core) do(what string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch what {
	case "backup":
		c.backup = c.nodes[0].server.Backup()
	case "restore":
		c.nodes[0].server.Restore(c.backup)
	default:
		return "nobody knows how to " + what
	}
	return "done"
}

// watch holds elections.
func (c *core) watch() {
	for range time.Tick(50 * time.Millisecond) {
		c.mu.Lock()
		c.step()
		c.mu.Unlock()
	}
}

func (c *core) step() {
	now := time.Now()
	var up []int
	for i, n := range c.nodes {
		if n.life != nil && now.Sub(n.heard) < deadAfter {
			up = append(up, i)
		}
		c.wake(n, now)
	}
	switch {
	case c.leader >= 0 && (len(c.nodes) == 1 && c.nodes[0].life != nil || now.Sub(c.nodes[c.leader].heard) < deadAfter && c.nodes[c.leader].life != nil && 2*len(up) > len(c.nodes)):
		c.missing = time.Time{}
	case 2*len(up) <= len(c.nodes):
		for _, n := range c.nodes {
			n.server.Become(esdbserver.Unknown)
		}
		c.leader, c.missing = -1, now
	case c.missing.IsZero():
		c.missing = now
	case now.Sub(c.missing) > electAfter:
		c.elect(up)
	}
}

// elect makes another node the leader. One that sleeps does not know it.
func (c *core) elect(up []int) {
	old := c.leader
	for _, i := range up {
		if i != old && !c.nodes[i].stale {
			c.leader = i
			break
		}
	}
	if c.leader == old {
		return
	}
	c.missing = time.Time{}
	c.nodes[c.leader].server.Elect()
	if old >= 0 && c.nodes[old].life != nil {
		n := c.nodes[old]
		n.stale, n.awake = true, time.Time{}
		n.server.SetFaults(esdbserver.Faults{Lagging: true, Deposed: true, Wait: 100 * time.Millisecond})
		n.server.Become(esdbserver.Leader)
	}
}

// wake has a leader that was replaced end itself, some time after it woke.
func (c *core) wake(n *coreNode, now time.Time) {
	switch {
	case !n.stale || n.life == nil || now.Sub(n.heard) >= deadAfter:
		n.awake = time.Time{}
	case n.awake.IsZero():
		n.awake = now
	case now.Sub(n.awake) > staleFor:
		n.stale = false
		n.server.SetFaults(esdbserver.Faults{})
		n.server.Become(esdbserver.Follower)
		_, _ = io.WriteString(n.life, "end\n")
	}
}

// reachCore connects to the core, for what a line says.
func reachCore(dir, line string) (net.Conn, error) {
	at, err := os.ReadFile(filepath.Join(dir, "core"))
	if err != nil {
		return nil, err
	}
	conn, err := net.Dial("tcp", string(at))
	if err != nil {
		return nil, err
	}
	_, err = io.WriteString(conn, line+"\n")
	return conn, err
}

func tellCore(dir, what string) error {
	conn, err := reachCore(dir, "do "+what)
	if err != nil {
		return err
	}
	if answer := readLine(conn); answer != "done" {
		return fmt.Errorf("%s", answer)
	}
	return nil
}

// runNode is the process of a node. If there is one already it does nothing.
func runNode(dir string, n int) error {
	config, err := readConfig(dir)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", config.Nodes[n-1])
	if err != nil {
		return nil
	}
	file := filepath.Join(dir, fmt.Sprintf("node-%d.pid", n))
	if err := writeWhole(file, strconv.Itoa(os.Getpid())); err != nil {
		return err
	}
	life, err := reachCore(dir, fmt.Sprint("life ", n))
	if err != nil {
		return err
	}
	go func() {
		_ = readLine(life) // it is told to end, as a leader does that was replaced, or the core is gone
		_ = os.Remove(file)
		os.Exit(0)
	}()
	go func() {
		for range time.Tick(100 * time.Millisecond) {
			_, _ = life.Write([]byte{'.'})
		}
	}()
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		go pass(conn, dir, n)
	}
}

// pass hands bytes on, both ways, until one side ends.
func pass(conn net.Conn, dir string, n int) {
	defer func() { _ = conn.Close() }()
	inner, err := reachCore(dir, fmt.Sprint("call ", n))
	if err != nil {
		return
	}
	done := make(chan struct{}, 2)
	for _, way := range [][2]net.Conn{{conn, inner}, {inner, conn}} {
		go func() { _, _ = io.Copy(way[0], way[1]); done <- struct{}{} }()
	}
	<-done
	_ = inner.Close()
}

// runFresh is a node with an empty database, instead of the one before.
func runFresh(dir string) error {
	file := filepath.Join(dir, "fresh.pid")
	if old, err := os.ReadFile(file); err == nil {
		if pid, err := strconv.Atoi(string(old)); err == nil {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if err := writeWhole(file, strconv.Itoa(os.Getpid())); err != nil {
		return err
	}
	if err := writeWhole(filepath.Join(dir, "fresh.at"), l.Addr().String()); err != nil {
		return err
	}
	return esdbserver.New(esdbserver.Options{}).Serve(l)
}

// processes starts a cluster, and returns where its directory of commands is. What
// was started ends with t.
func processes(t *testing.T, config clusterConfig) (commands string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "consentledger-nodes-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// Nodes are nobody's children here, and what ends or has just begun writes a file yet.
		eventually(t, "the directory of the nodes is gone", func() bool {
			endNodes(dir)
			return os.RemoveAll(dir) == nil
		})
	})
	data, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	if config.Users {
		writeCertificate(t, dir)
	}
	core := exec.Command(myself())
	core.Env = append(os.Environ(), roleVariable+"=core", dirVariable+"="+dir)
	core.Stdout, core.Stderr = os.Stdout, os.Stderr
	if err := core.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = core.Process.Kill()
		_ = core.Wait()
	})
	eventually(t, "the database's process is there", func() bool {
		_, err := os.Stat(filepath.Join(dir, "core"))
		return err == nil
	})

	commands = filepath.Join(dir, "commands")
	writeCommands(t, dir, commands, len(config.Nodes))
	for n := range config.Nodes {
		if out, err := exec.Command(filepath.Join(commands, fmt.Sprintf("start-%d", n+1))).CombinedOutput(); err != nil {
			t.Fatalf("start-%d: %v\n%s", n+1, err, out)
		}
	}
	return commands
}

// eventually waits for something for as long as a slow machine takes.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for range 3000 {
		if is() {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("in a minute it was not so that %s", what)
}

// endNodes ends every process that left its number in dir.
func endNodes(dir string) {
	files, _ := filepath.Glob(filepath.Join(dir, "*.pid"))
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		if pid, err := strconv.Atoi(string(text)); err == nil {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// writeCommands writes what the suite calls to have nodes killed, paused and
// started.
func writeCommands(t *testing.T, dir, commands string, nodes int) {
	t.Helper()
	if err := os.Mkdir(commands, 0o700); err != nil {
		t.Fatal(err)
	}
	script := func(name, text string) {
		if err := os.WriteFile(filepath.Join(commands, name), []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	role := func(role, number string) string {
		return fmt.Sprintf("CONSENTLEDGER_ESDB= %s=%s %s='%s' %s=%s '%s'", roleVariable, role, dirVariable, dir, numberVariable, number, myself())
	}
	for n := 1; n <= nodes; n++ {
		file := fmt.Sprintf("'%s/node-%d.pid'", dir, n)
		pid := `"$(cat ` + file + `)"`
		script(fmt.Sprint("kill-", n), "[ -e "+file+" ] || exit 0\nkill -9 "+pid+"; rm -f "+file) // it may have ended by itself
		script(fmt.Sprint("pause-", n), "kill -STOP "+pid)
		script(fmt.Sprint("resume-", n), "kill -CONT "+pid+" 2>/dev/null || true")
		script(fmt.Sprint("start-", n), role("node", strconv.Itoa(n))+fmt.Sprintf(" >>'%s/node-%d.log' 2>&1 </dev/null &", dir, n))
	}
	if nodes == 1 {
		script("backup", role("tell", "backup"))
		script("restore", role("tell", "restore"))
	}
	at := dir + "/fresh.at"
	script("fresh", fmt.Sprintf("rm -f '%s'\n%s >>'%s/fresh.log' 2>&1 </dev/null &\nuntil [ -s '%s' ]; do sleep 0.05; done\ncat '%s'",
		at, role("fresh", "0"), dir, at, at))
}

// freePorts returns addresses at which nobody listens.
func freePorts(t testing.TB, n int) (all []string) {
	t.Helper()
	for len(all) < n {
		if address := freeport.Address(t); !slices.Contains(all, address) {
			all = append(all, address)
		}
	}
	return all
}
