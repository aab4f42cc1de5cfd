package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"consentledger/api/wire/wiretest"
	"consentledger/cmd/internal/exit"
	"consentledger/eventstore/freeport"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// asRoot runs the test once more as root of a namespace of its own, where it may
// mount, unless it is root. It reports whether the test was run there.
func asRoot(t *testing.T) (elsewhere bool) {
	t.Helper()
	if os.Geteuid() == 0 {
		return false
	}
	c := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	c.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	out, err := c.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Fatalf("in a user namespace, since only root mounts the small disk that this test fills: %v\n%s", err, out)
	}
	return true
}

// smallDisk mounts a file system of 60 MB of its own.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=60m"); err != nil {
		t.Fatalf("mount: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fillUp leaves nothing free.
func fillUp(t *testing.T, disk string) {
	t.Helper()
	f, err := os.Create(filepath.Join(disk, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for block := make([]byte, 1<<20); len(block) > 0; {
		if _, err := f.Write(block); errors.Is(err, syscall.ENOSPC) {
			block = block[:len(block)/2]
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// A crowd records batches of grants, and remembers whose were acknowledged.
type crowd struct {
	url   string
	mu    sync.Mutex
	acked []string
	full  int // answers that said that the disk is full
	odd   map[string]bool
}

func (l *crowd) run(ctx context.Context, name string) {
	for i := 0; ctx.Err() == nil; i++ {
		var events []string
		for k := range 20 {
			id := fmt.Sprintf("%s-%d-%d", name, i, k)
			events = append(events, given(id, id))
		}
		resp, err := http.Post(l.url+"/v1/apps/smartkey/events", "application/cloudevents-batch+json", strings.NewReader("["+strings.Join(events, ",")+"]"))
		if err != nil {
			time.Sleep(20 * time.Millisecond) // it starts anew
			continue
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		l.note(name, i, body)
	}
}

func (l *crowd) note(name string, i int, body []byte) {
	var rows struct {
		Results []struct {
			Status  int
			Receipt map[string]any
			Problem struct{ Code string }
		}
	}
	if json.Unmarshal(body, &rows) != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for k, row := range rows.Results {
		switch {
		case row.Status == 200:
			l.acked = append(l.acked, fmt.Sprintf("%s-%d-%d", name, i, k))
		case row.Problem.Code == "disk-full":
			l.full++
		default:
			l.odd[fmt.Sprint(row.Status, " ", row.Problem.Code)] = true
		}
	}
}

func (l *crowd) counts() (acked, full int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.acked), l.full
}

// TestAFullDisk fills the disk of a ledger under load. It says so, answers what it
// knows, goes on by itself once there is room, and has all that it acknowledged.
func TestAFullDisk(t *testing.T) {
	if asRoot(t) {
		return
	}
	disk := smallDisk(t)
	program, web, road := build(t), freeport.Address(t), freeport.Address(t)
	c, _, err := launchChild(program, os.Environ(), disk, "--data", "data", "--http", web, "--nats-listen", road)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.cmd.Process.Kill()
		<-c.done
		if strings.Contains(c.stderr.String(), "panic") || t.Failed() {
			t.Errorf("the server said: %s", &c.stderr)
		}
	})
	r := &running{http: "http://" + web, nats: "nats://" + road}
	furnish(t, r)
	recordYes(t, r, "ada")
	nc, err := nats.Connect(r.nats, nats.Timeout(patience), nats.MaxReconnects(-1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)

	l := &crowd{url: r.http, odd: map[string]bool{}}
	ctx, stop := context.WithCancel(t.Context())
	var workers sync.WaitGroup
	for n := range 4 {
		workers.Go(func() { l.run(ctx, fmt.Sprint("u", n)) })
	}
	eventually(t, "true", func() string { acked, _ := l.counts(); return fmt.Sprint(acked > 200) })
	fillUp(t, disk)
	eventually(t, "true", func() string { _, full := l.counts(); return fmt.Sprint(full > 200) })
	whileItIsFull(t, r, nc)

	if err := os.Remove(filepath.Join(disk, "filler")); err != nil {
		t.Fatal(err)
	}
	_, before := l.counts()
	eventually(t, "200", func() string { return readyOrDown(r) })
	eventually(t, "true", func() string {
		_, err := cli(t, r, "record", "--app", "smartkey", "--type", "consent.given", "--subject", "bo", "--data", `{"act":"agree-popup"}`)
		return fmt.Sprint(err == nil)
	})
	stop()
	workers.Wait()
	acked, full := l.counts()
	t.Logf("%d acknowledged, %d refused (%d while it was full), else %v", acked, full, before, l.odd)
	nothingIsLost(t, r, l.acked)
	startsOnAFullDisk(t, c, program, disk)
}

// readyOrDown says what /readyz says, if anything does.
func readyOrDown(r *running) string {
	resp, err := http.Get(r.http + "/readyz")
	if err != nil {
		return "down"
	}
	resp.Body.Close()
	return fmt.Sprint(resp.StatusCode)
}

func whileItIsFull(t *testing.T, r *running, nc *nats.Conn) {
	t.Helper()
	_, err := cli(t, r, "record", "--app", "smartkey", "--type", "consent.withdrawn", "--subject", "ada", "--data", `{"all":true}`)
	if exit.Code(t.Context(), err) != exit.CodeUnavailable || !strings.Contains(err.Error(), "disk-full: the ledger's disk is full") {
		t.Errorf("recorded on a full disk: %v", err)
	}
	if m, err := nc.Request("consent.v1.smartkey.record", []byte(given("n1", "cy")), patience); err != nil || m.Header.Get("Nats-Service-Error-Code") != "503" || !wiretest.Holds(string(m.Data), `"code":"disk-full"`) || !wiretest.Holds(string(m.Data), `"outcome":"unknown"`) {
		t.Errorf("over NATS: %v, %v", m, err)
	}
	if code, v := get(t, r.http+"/readyz?verbose"); code != 503 || !strings.Contains(fmt.Sprint(v), "the disk is full") {
		t.Errorf("readyz: %d %v", code, v)
	}
	if got := may(t, r, "ada", "personalisation"); got != "given" {
		t.Errorf("what it knows on a full disk: %s", got)
	}
	if code, v := get(t, r.http+"/livez"); code != 200 {
		t.Errorf("livez: %d %v", code, v)
	}
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if ack, err := js.Publish(ctx, "consent.v1.smartkey.in.consent.given", []byte(given("n2", "dee"))); err == nil {
		t.Errorf("JetStream acknowledged a message on a full disk: %+v", ack)
	}
}

// nothingIsLost wants everybody whose grant was acknowledged.
func nothingIsLost(t *testing.T, r *running, acked []string) {
	t.Helper()
	for _, who := range acked {
		resp, err := http.Post(r.http+"/v1/apps/smartkey/check", "application/json", strings.NewReader(`{"subject":"`+who+`","purpose":"personalisation"}`))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || !wiretest.Holds(string(body), `"status":"given"`) {
			t.Fatalf("the grant of %s was acknowledged, and is %s, %v", who, body, err)
		}
	}
}

// startsOnAFullDisk kills the ledger and starts it without any room.
func startsOnAFullDisk(t *testing.T, c *launched, program, disk string) {
	t.Helper()
	if err := c.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	err := <-c.done
	c.done <- err
	fillUp(t, disk)
	for _, data := range []string{"data", "another"} {
		var said bytes.Buffer
		again := exec.Command(program, "serve", "--data", data, "--http", "127.0.0.1:0", "--nats-listen", "127.0.0.1:0")
		again.Dir, again.Stderr = disk, &said
		if err := again.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- again.Wait() }()
		select {
		case <-ended:
			if code := again.ProcessState.ExitCode(); code != exit.CodeUnavailable || !strings.Contains(said.String(), "disk full: the ledger cannot run on "+data) {
				t.Errorf("started %s with exit code %d: %s", data, code, &said)
			}
		case <-time.After(time.Minute):
			_ = again.Process.Kill()
			t.Errorf("a start of %s on a full disk hangs: %s", data, &said)
		}
	}
	if err := os.Remove(filepath.Join(disk, "filler")); err != nil {
		t.Fatal(err)
	}
	back, addr, err := launchChild(program, os.Environ(), disk, "--data", "data")
	if err != nil {
		t.Fatal(err)
	}
	if got := may(t, &running{http: addr["HTTP"]}, "ada", "personalisation"); got != "given" {
		t.Errorf("after the start: %s", got)
	}
	if err := back.end(); err != nil {
		t.Error(err)
	}
}
