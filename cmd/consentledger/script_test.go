package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/server"
	"consentledger/domain/deadline"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain lets the test program be the program itself. A program with the race
// detector would wait a second whenever it ends.
func TestMain(m *testing.M) {
	os.Setenv("GORACE", "atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	testscript.Main(suite{m}, map[string]func(){"consentledger": main, "started-anew": startedAnew})
}

// A suite removes in the end what build and deploy made.
type suite struct{ *testing.M }

func (s suite) Run() int {
	code := s.M.Run()
	os.RemoveAll(built.dir)
	os.RemoveAll(deployed.dir)
	return code
}

// built is the program that build made, once.
var built struct {
	sync.Once
	dir string
	err error
}

// build returns the program v9.9.9, built as for a release: without the race
// detector, which takes seven times as long. Scripts and the test of kills run hundreds of
// these; the other tests run what they test with it.
func build(t *testing.T) string {
	t.Helper()
	built.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "consentledger-built-"); built.err != nil {
			return
		}
		c := exec.Command("go", "build", "-buildvcs=false", "-ldflags", "-s -w -X main.version=v9.9.9", "-o", built.dir, ".")
		c.Env = append(os.Environ(), "CGO_ENABLED=0") // as a release is: one static file
		out, err := c.CombinedOutput()
		if err != nil {
			built.err = fmt.Errorf("go build: %w\n%s", err, out)
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return filepath.Join(built.dir, "consentledger")
}

// TestScripts runs testdata/*.txtar, each in a directory of its own.
func TestScripts(t *testing.T) {
	smartkey, err := filepath.Abs("smartkey")
	if err != nil {
		t.Fatal(err)
	}
	shop, err := filepath.Abs("testdata/shop")
	if err != nil {
		t.Fatal(err)
	}
	program, servers := build(t), &stores{t: t}
	noStoryStops(t)
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			e.Vars = append(e.Vars, "PROGRAM="+program, "PATH="+filepath.Dir(program)+string(filepath.ListSeparator)+e.Getenv("PATH"), "SMARTKEY="+smartkey, "SHOP="+shop, "NOW="+server.Now().String(), "GORACE="+os.Getenv("GORACE"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"serve": scriptServe, "halt": scriptHalt, "exits": scriptExits, "until": scriptUntil,
			"capture": scriptCapture, "moment": scriptMoment, "interrupted": scriptInterrupted, "flip": scriptFlip, "unzip": scriptUnzip, "replace": scriptReplace, "fill": scriptFill, "agrees": scriptAgrees, "sql": scriptSQL,
			"birthday": scriptBirthday, "ask": scriptAsk, "postgres": servers.scriptPostgres, "esdb": servers.scriptEsdb,
		},
	})
}

// noStoryStops: stop is a command of testscript, which ends a story as passed. Ours is
// halt.
func noStoryStops(t *testing.T) {
	t.Helper()
	stories, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range stories {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if regexp.MustCompile(`(?m)^stop\b`).Match(text) {
			t.Errorf("%s: stop ends the story; halt stops the server", name)
		}
	}
}

// A launched is a server that runs in a process of its own.
type launched struct {
	cmd    *exec.Cmd
	stderr bytes.Buffer
	done   chan error
}

var banners = regexp.MustCompile(`^  (HTTP|NATS|data)  (.*)$`)

// launchChild starts a server on free ports and waits until it says that it is
// ready.
func launchChild(program string, env []string, dir string, args ...string) (c *launched, addr map[string]string, err error) {
	args = append([]string{"serve", "--http", "127.0.0.1:0", "--nats-listen", "127.0.0.1:0"}, args...)
	c = &launched{cmd: exec.Command(program, args...), done: make(chan error, 1)}
	c.cmd.Dir, c.cmd.Env, c.cmd.Stderr = dir, env, &c.stderr
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, nil, err
	}
	addr = map[string]string{}
	lines := bufio.NewScanner(out)
	for addr["data"] == "" && lines.Scan() {
		if m := banners.FindStringSubmatch(lines.Text()); m != nil {
			addr[m[1]] = m[2]
		}
	}
	go func() {
		io.Copy(io.Discard, out)
		c.done <- c.cmd.Wait()
	}()
	if addr["data"] == "" {
		return nil, nil, fmt.Errorf("serve ended before it was ready: %v\n%s", <-c.done, &c.stderr)
	}
	return c, addr, nil
}

// end stops the server as a user would and says how it went.
func (c *launched) end() error {
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	err := <-c.done
	c.done <- err
	if err != nil {
		return fmt.Errorf("serve ended with %w\n%s", err, &c.stderr)
	}
	return nil
}

// children are the servers that scripts started; scripts run side by side.
var children sync.Map

// scriptServe starts a server on $WORK/data: serve [FLAG...]. It runs until
// stop, or the end of the script.
func scriptServe(ts *testscript.TestScript, neg bool, args []string) {
	env := append(os.Environ(), "HOME="+ts.Getenv("WORK"))
	c, addr, err := launchChild(ts.Getenv("PROGRAM"), env, ts.Getenv("WORK"), append([]string{"--data", "data"}, args...)...)
	ts.Check(err)
	children.Store(ts, c)
	ts.Defer(func() { ts.Check(c.end()) })
	ts.Setenv("CONSENTLEDGER_SERVER", addr["HTTP"])
}

// scriptHalt stops the server, which must end well.
func scriptHalt(ts *testscript.TestScript, neg bool, args []string) {
	c, ok := children.Load(ts)
	if !ok {
		ts.Fatalf("nothing was started")
	}
	ts.Check(c.(*launched).end())
}

// scriptExits runs a program and wants an exit code: exits CODE PROGRAM ARG...
func scriptExits(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got, err := 0, ts.Exec(args[1], args[2:]...)
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// scriptUntil runs a program until what it prints matches: until REGEXP
// PROGRAM ARG... What a projection answers comes a moment later. Between two tries it
// leaves the processor to the server: a program that starts takes a tenth of a second of it.
func scriptUntil(ts *testscript.TestScript, neg bool, args []string) {
	want, err := regexp.Compile(args[0])
	ts.Check(err)
	for late := time.Now().Add(5 * time.Minute); time.Now().Before(late); time.Sleep(50 * time.Millisecond) {
		err = ts.Exec(args[1], args[2:]...)
		if err == nil && want.MatchString(ts.ReadFile("stdout")) {
			return
		}
	}
	ts.Fatalf("it does not print what matches %s (%v)", want, err)
}

// scriptMoment sets a variable to the moment that is so far from now, as in
// "moment SOON 2s".
func scriptMoment(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: moment NAME DURATION")
	}
	d, err := time.ParseDuration(args[1])
	ts.Check(err)
	ts.Setenv(args[0], deadline.At(time.Now().Add(d)).String())
}

// scriptCapture sets a variable to what the last program printed: capture NAME
// REGEXP, of which the first group counts if there is one.
func scriptCapture(ts *testscript.TestScript, neg bool, args []string) {
	m := regexp.MustCompile(args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
	if m == nil {
		ts.Fatalf("no match of %s", args[1])
	}
	ts.Setenv(args[0], m[len(m)-1])
}

// scriptInterrupted runs the program against a server that never answers, and
// interrupts it once it has asked: interrupted ARG...
func scriptInterrupted(ts *testscript.TestScript, neg bool, args []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	defer l.Close()
	cmd := exec.Command(ts.Getenv("PROGRAM"), append(args, "--server", "http://"+l.Addr().String())...)
	ts.Check(cmd.Start())
	asked, err := l.Accept()
	ts.Check(err)
	defer asked.Close()
	ts.Check(cmd.Process.Signal(os.Interrupt))
	cmd.Wait()
	if got := cmd.ProcessState.ExitCode(); got != exit.CodeInterrupted {
		ts.Fatalf("exit code %d, want %d", got, exit.CodeInterrupted)
	}
}

// scriptFlip changes one byte in the middle of the largest file that matches:
// flip GLOB.
func scriptFlip(ts *testscript.TestScript, neg bool, args []string) {
	names, err := filepath.Glob(ts.MkAbs(args[0]))
	ts.Check(err)
	var largest string
	var bytes []byte
	for _, name := range names {
		if info, err := os.Stat(name); err == nil && info.IsDir() {
			continue
		}
		b, err := os.ReadFile(name)
		ts.Check(err)
		if len(b) > len(bytes) {
			largest, bytes = name, b
		}
	}
	if largest == "" {
		ts.Fatalf("no file matches %s", args[0])
	}
	bytes[len(bytes)/2] ^= 1
	ts.Check(os.WriteFile(largest, bytes, 0o600))
}

// scriptFill copies a file with the script's variables in it: fill FROM TO.
func scriptFill(ts *testscript.TestScript, neg bool, args []string) {
	b, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(os.Expand(string(b), ts.Getenv)), 0o600))
}

// scriptBirthday sets variables to the birth date of who was so many years old
// yesterday, and to a time some days before that birthday: birthday BORN BEFORE
// YEARS.
func scriptBirthday(ts *testscript.TestScript, neg bool, args []string) {
	years, err := strconv.Atoi(args[2])
	ts.Check(err)
	yesterday := time.Now().UTC().AddDate(0, 0, -1)
	ts.Setenv(args[0], yesterday.AddDate(-years, 0, 0).Format(time.DateOnly))
	ts.Setenv(args[1], yesterday.AddDate(0, 0, -3).Format(time.RFC3339))
}

// scriptAgrees records a grant of many people through one build: agrees N BUILD.
func scriptAgrees(ts *testscript.TestScript, neg bool, args []string) {
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	for first := 0; first < n; first += 1000 {
		var batch []string
		for i := first; i < min(first+1000, n); i++ {
			batch = append(batch, fmt.Sprintf(`{"specversion":"1.0","id":"%d","source":"script","type":"consent.given","subject":"buyer-%d","data":{"act":"agree","purposes":["ads"],"build":%q}}`, i, i, args[1]))
		}
		body := strings.NewReader("[" + strings.Join(batch, ",") + "]")
		resp, err := http.Post(ts.Getenv("CONSENTLEDGER_SERVER")+"/v1/apps/shop/events", "application/cloudevents-batch+json", body)
		ts.Check(err)
		text, err := io.ReadAll(resp.Body)
		ts.Check(errors.Join(err, resp.Body.Close()))
		if resp.StatusCode != http.StatusOK || bytes.Contains(text, []byte(`"code"`)) {
			ts.Fatalf("%d: %.300s", resp.StatusCode, text)
		}
	}
}
