package esdb_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base32"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	"consentledger/eventstore/esdb"
)

// The environment of the suite for a real server. See docs/esdb.md.
const (
	serverVariable  = "CONSENTLEDGER_ESDB"       // its connection string
	chaosVariable   = "CONSENTLEDGER_ESDB_CHAOS" // a directory of commands
	longVariable    = "CONSENTLEDGER_ESDB_LONG"  // if set, outages last up to five minutes
	answersVariable = "CONSENTLEDGER_ANSWERS"    // a table of recorded answers

	// Of the processes in which its parts run.
	partVariable = "CONSENTLEDGER_TEST_PART"
	runVariable  = "CONSENTLEDGER_TEST_RUN"
)

// A part of the suite runs in a process of its own, which is ended when it takes
// too long: nothing that one part does to itself keeps the others from running.
type part struct {
	name  string
	limit time.Duration
	run   func(*testing.T, *site)
}

var suite = []part{
	{"connect", 4 * time.Minute, connects},
	{"contract-batch", 15 * time.Minute, contractByBatch},
	{"contract-unary", 15 * time.Minute, contractByUnary},
	{"answers", 20 * time.Minute, recordedAnswers},
	{"processes", 20 * time.Minute, threeProcesses},
	{"network", 20 * time.Minute, networkFails},
	{"cut", 5 * time.Minute, streamIsCut},
	{"nodes", 40 * time.Minute, nodesFail},
	{"processes-nodes", 30 * time.Minute, nodesFailUnderProcesses},
	{"restore", 10 * time.Minute, backupIsRestored},
}

// total is how long all of it may take, unless -test.timeout says otherwise.
const total = 90 * time.Minute

// A site is the server that the suite is run against.
type site struct {
	connection string
	address    *esdb.Address
	run        string // what the names of this run have in common
	part       string
	chaos      *chaos // nil: there are no commands
	long       bool
}

func newSite(t testing.TB) *site {
	t.Helper()
	w := &site{connection: os.Getenv(serverVariable), run: os.Getenv(runVariable), part: os.Getenv(partVariable), long: os.Getenv(longVariable) != ""}
	var err error
	if w.address, err = esdb.ParseAddress(w.connection); err != nil {
		t.Fatal(err)
	}
	if dir := os.Getenv(chaosVariable); dir != "" {
		w.chaos = &chaos{dir: dir, hosts: w.address.Hosts()}
	}
	return w
}

// name returns what a store of this part is called; no two are called alike.
func (w *site) name(n int64) string { return fmt.Sprintf("suite-%s-%.12s-%d", w.run, w.part, n) }

// What a part tells the table: a line that begins with one of these.
const (
	noteMark   = "## " // what it has seen
	differMark = "!! " // what differed
	unrunMark  = "-- " // why it did not run
	scanMark   = "~~ " // how long a look through the whole database takes
	countMark  = "++ " // how many cases that are no subtests
)

func note(format string, args ...any)   { fmt.Println(noteMark + oneLine(format, args...)) }
func differ(format string, args ...any) { fmt.Println(differMark + oneLine(format, args...)) }
func unrun(format string, args ...any)  { fmt.Println(unrunMark + oneLine(format, args...)) }
func counted(cases int)                 { fmt.Println(countMark + strconv.Itoa(cases)) }

func oneLine(format string, args ...any) string {
	return strings.Join(strings.Fields(fmt.Sprintf(format, args...)), " ")
}

// A row is what came of a part.
type row struct {
	name           string
	ran, failed    int // cases
	took           time.Duration
	ok             bool
	notes, differs []string
	unrun          string
	output         []byte
}

// runSuite holds the server that the environment names to everything, prints what
// came of it, and returns the exit code: 1 if anything failed.
func runSuite() int {
	flag.Parse()
	limit, only := total, flag.Lookup("test.run").Value.String()
	if given := flag.Lookup("test.timeout").Value.(flag.Getter).Get().(time.Duration); given > 0 {
		limit = given
	}
	wanted, err := regexp.Compile(only)
	if err != nil {
		fmt.Printf("-test.run %q: %v\n", only, err)
		return 2
	}
	if !slices.ContainsFunc(suite, func(p part) bool { return wanted.MatchString(p.name) }) {
		fmt.Printf("-test.run %q: no part is called so; there are %s\n", only, partNames())
		return 2
	}
	connection := os.Getenv(serverVariable)
	address, err := esdb.ParseAddress(connection)
	if err != nil {
		fmt.Printf("%s: %v\n", serverVariable, err)
		return 2
	}
	var c *chaos
	if dir := os.Getenv(chaosVariable); dir != "" {
		c = &chaos{dir: dir, hosts: address.Hosts()}
		if err := c.check(); err != nil {
			fmt.Printf("%s: %v\n", chaosVariable, err)
			return 2
		}
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	r := &runner{ctx: ctx, connection: connection, run: randomName(), chaos: c, began: time.Now()}
	fmt.Printf("run %s against %s, at most %v; everything it writes is in streams that begin with suite-%s\n", r.run, address, limit, r.run)
	for _, p := range suite {
		if p.name != "connect" && !wanted.MatchString(p.name) {
			continue
		}
		if done := r.do(p); p.name == "connect" && !done.ok {
			break
		}
	}
	return r.report()
}

func partNames() string {
	var names []string
	for _, p := range suite {
		names = append(names, p.name)
	}
	return strings.Join(names, ", ")
}

func randomName() string {
	var b [5]byte
	if _, err := rand.Read(b[:]); err != nil {
		panic(err)
	}
	return strings.ToLower(base32.StdEncoding.EncodeToString(b[:]))
}

// A runner runs parts.
type runner struct {
	ctx        context.Context
	connection string
	run        string
	chaos      *chaos
	began      time.Time
	rows       []*row
}

// do runs a part in a process of its own.
func (r *runner) do(p part) *row {
	out := &row{name: p.name}
	r.rows = append(r.rows, out)
	if r.ctx.Err() != nil {
		out.unrun = "no time was left"
		return out
	}
	fmt.Printf("%-16s ...\n", p.name)
	ctx, cancel := context.WithTimeout(r.ctx, p.limit)
	defer cancel()
	args := []string{"-test.run=^TestSuite$", "-test.v", fmt.Sprint("-test.timeout=", p.limit-10*time.Second)}
	if testing.Short() {
		args = append(args, "-test.short")
	}
	cmd := exec.CommandContext(ctx, myself(), args...)
	cmd.Env = append(os.Environ(), partVariable+"="+p.name, runVariable+"="+r.run, serverVariable+"="+r.connection)
	cmd.WaitDelay = 5 * time.Second // processes of its own may hold its output open
	var all bytes.Buffer
	cmd.Stdout = io.Writer(&all)
	if testing.Verbose() {
		cmd.Stdout = io.MultiWriter(&all, os.Stdout)
	}
	cmd.Stderr = cmd.Stdout

	began := time.Now()
	err := cmd.Run()
	out.took, out.output = time.Since(began), all.Bytes()
	out.read()
	out.ok = err == nil && out.failed == 0
	if err != nil && ctx.Err() != nil {
		out.failed, out.differs = max(out.failed, 1), append(out.differs, fmt.Sprintf("it was ended after %v: %v", out.took.Round(time.Second), ctx.Err()))
	}
	if err != nil && out.failed == 0 {
		out.failed, out.differs = 1, append(out.differs, err.Error())
	}
	if r.chaos != nil {
		r.chaos.heal()
	}
	r.slow(out)
	if !out.ok {
		fmt.Printf("%s failed, its output:\n%s\n", p.name, last(out.output, 60_000))
	}
	fmt.Printf("%-16s %s\n", p.name, out.state())
	return out
}

// slow gives calls more time, if a look through the whole database takes long.
func (r *runner) slow(out *row) {
	for _, line := range strings.Split(string(out.output), "\n") {
		text, is := strings.CutPrefix(line, scanMark)
		took, err := time.ParseDuration(text)
		if !is || err != nil || took < time.Second || strings.Contains(strings.ToLower(r.connection), "defaultdeadline") {
			continue
		}
		sign := "?"
		if strings.Contains(r.connection, "?") {
			sign = "&"
		}
		r.connection += fmt.Sprintf("%sdefaultDeadline=%d", sign, 5*took.Milliseconds())
		fmt.Printf("it takes %v to look through the database, since so much is in it: calls are given %v each\n", took, 5*took)
	}
}

// last returns the last n bytes.
func last(b []byte, n int) []byte {
	if len(b) > n {
		return append([]byte("... "), b[len(b)-n:]...)
	}
	return b
}

var caseLine = regexp.MustCompile(`^ +--- (PASS|FAIL): \S+`)

// read finds out what a part has printed.
func (out *row) read() {
	for s := bufio.NewScanner(bytes.NewReader(out.output)); s.Scan(); {
		line := s.Text()
		if m := caseLine.FindStringSubmatch(line); m != nil {
			out.ran++
			if m[1] == "FAIL" {
				out.failed++
			}
		}
		if text, is := strings.CutPrefix(line, noteMark); is {
			out.notes = append(out.notes, text)
		}
		if text, is := strings.CutPrefix(line, differMark); is {
			out.differs = append(out.differs, text)
		}
		if text, is := strings.CutPrefix(line, unrunMark); is {
			out.unrun = text
		}
		if text, is := strings.CutPrefix(line, countMark); is {
			n, _ := strconv.Atoi(text)
			out.ran += n
		}
	}
}

func (out *row) state() string {
	switch {
	case out.ran == 0 && out.ok && out.unrun != "":
		return "not run: " + out.unrun
	case out.unrun != "" && out.output == nil:
		return "not run: " + out.unrun
	case !out.ok:
		return "FAILED"
	case len(out.differs) > 0:
		return "ok, with differences"
	}
	return "ok"
}

// report prints the table.
func (r *runner) report() int {
	fmt.Printf("\nrun %s, %v\n\n", r.run, time.Since(r.began).Round(time.Second))
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "part\tcases\tfailed\ttime\tresult\twhat was seen")
	failed := 0
	for _, out := range r.rows {
		if !out.ok && out.output != nil {
			failed++
		}
		notes := slices.Clone(out.notes)
		if len(notes) == 0 {
			notes = []string{""}
		}
		fmt.Fprintf(w, "%s\t%d\t%d\t%v\t%s\t%s\n", out.name, out.ran, out.failed, out.took.Round(time.Second), out.state(), notes[0])
		for _, more := range notes[1:] {
			fmt.Fprintf(w, "\t\t\t\t\t%s\n", more)
		}
	}
	_ = w.Flush()
	fmt.Print("\nwhat differed:\n")
	none := true
	for _, out := range r.rows {
		for _, text := range out.differs {
			none = false
			fmt.Printf("  %s: %s\n", out.name, text)
		}
		for _, name := range out.failures() {
			none = false
			fmt.Printf("  %s: FAILED %s\n", out.name, name)
		}
	}
	if none {
		fmt.Println("  nothing")
	}
	if failed > 0 {
		fmt.Printf("\n%d of %d parts failed\n", failed, len(r.rows))
		return 1
	}
	fmt.Printf("\nno part failed\n")
	return 0
}

var failLine = regexp.MustCompile(`(?m)^ +--- FAIL: TestSuite/(\S+)`)

// failures returns the names of the cases that failed, as they are printed.
func (out *row) failures() (names []string) {
	for _, m := range failLine.FindAllSubmatch(out.output, -1) {
		names = append(names, string(m[1]))
	}
	return names
}

// TestSuite runs, in a process of the suite, the part that it is told. Else it runs
// the whole suite against processes of ours that speak the servers' protocol, as
// anybody runs it against theirs.
func TestSuite(t *testing.T) {
	if name := os.Getenv(partVariable); name != "" {
		i := slices.IndexFunc(suite, func(p part) bool { return p.name == name })
		leavesNothing(t)
		suite[i].run(t, newSite(t))
		return
	}
	leavesNothing(t)
	for _, tt := range []struct {
		name    string
		config  clusterConfig
		setting string
		parts   string // that run there; with [longVariable] all that can
		without string // those that cannot
	}{
		{"one node", clusterConfig{Nodes: freePorts(t, 1), Gossip: []string{"node1.invalid:2113"}}, "?tls=false",
			"connect contract-batch processes cut restore", ""},
		{"one node of KurrentDB with TLS and users, without commands", clusterConfig{Nodes: freePorts(t, 1), Users: true, Kurrent: true}, "",
			"connect contract-unary answers", "nodes processes-nodes restore"},
		{"three nodes", clusterConfig{Nodes: freePorts(t, 3)}, "?tls=false", "connect network nodes", "restore"},
	} {
		if os.Getenv(longVariable) != "" {
			tt.parts = strings.Join(slices.DeleteFunc(strings.Split(partNames(), ", "), func(name string) bool {
				return slices.Contains(strings.Fields(tt.without), name)
			}), " ")
		}
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel() // most of the time they wait
			commands := processes(t, tt.config)
			connection := "esdb://" + strings.Join(tt.config.Nodes, ",") + tt.setting
			if tt.config.Users {
				ca := strings.TrimSuffix(commands, "commands") + "cert.pem"
				connection = "esdb://admin:changeit@" + strings.Join(tt.config.Nodes, ",") + "?tlsCaFile=" + ca
				commands = ""
			}
			s := open(t, connection, esdb.Options{Name: "another"})
			if err := s.Ready(t.Context()); err != nil {
				t.Fatal(err)
			}
			if host, _, err := s.Leader(t.Context()); err != nil || !tt.config.Users {
				writeForeign(t, host)
			}
			out := runItself(t, connection, commands, "^("+strings.ReplaceAll(tt.parts, " ", "|")+")$")
			t.Logf("%s", out)
			for name := range strings.FieldsSeq(tt.parts) {
				if !regexp.MustCompile(`(?m)^` + name + ` +[1-9]\d* +0 .* ok `).MatchString(out) {
					t.Errorf("%s did not run, or not well", name)
				}
			}
		})
	}
}

// writeForeign writes what others may have in a database before us.
func writeForeign(t *testing.T, host string) {
	t.Helper()
	c := anybodyBy(t, host, tcp)
	for n := range 100 {
		c.append(fmt.Sprint("other-", n%7), "x", `{"n":1}`)
		c.append("$ce-other", "$>", fmt.Sprintf("%d@other-%d", n/7, n%7))
		c.append("$stats-1.2.3.4:2113", "$statsCollected", `{"proc":{"cpu":1}}`)
	}
	c.append("suite", "x", "no JSON")
	c.append("suite-a", "$metadata", `{"$maxCount":1}`)
	c.append("$$other-1", "$metadata", `{"$maxCount":2}`)
	c.append("$settings", "$settings", `{"$userStreamAcl":{}}`)
	c.delete("other-2")
	c.tombstone("other-3")
}

// runItself runs parts in this binary against a server, in short form, and returns
// what it prints.
func runItself(t *testing.T, connection, commands, parts string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), myself(), "-test.short", "-test.run="+parts)
	cmd.Env = append(os.Environ(), serverVariable+"="+connection, chaosVariable+"="+commands)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if !strings.Contains(string(out), "what differed:\n  nothing\n\nno part failed") || strings.Contains(string(out), "FAILED") {
		t.Errorf("the suite says:\n%s", out)
	}
	return string(out)
}
