package siemfeed

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// rsyslogd returns the path of the collector of Debian; the first use installs it.
func rsyslogd(t *testing.T) string {
	t.Helper()
	const path = "/usr/sbin/rsyslogd"
	if _, err := os.Stat(path); err == nil {
		return path
	}

	// The lock's time limit is for tests that install something at the same time.
	c := exec.Command("sh", "-c",
		"apt-get update -q && apt-get install -qy --no-install-recommends -o DPkg::Lock::Timeout=600 rsyslog")
	c.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("apt-get install rsyslog: %v: %s", err, out)
	}
	return path
}

// example returns the configuration of rsyslog in the docs, for other places than those there.
func example(t *testing.T, places ...string) string {
	t.Helper()
	page := read(t, "../../../docs/siem.md")
	_, rest, has := strings.Cut(page, "# rsyslog\n")
	text, _, closed := strings.Cut(rest, "```")
	if !has || !closed {
		t.Fatal("docs/siem.md has no example for rsyslog")
	}
	for i := 0; i < len(places); i += 2 {
		if strings.Count(text, places[i]) != 1 {
			t.Fatalf("the example names %s %d times", places[i], strings.Count(text, places[i]))
		}
		text = strings.Replace(text, places[i], places[i+1], 1)
	}
	return text
}

// The example of the docs, in rsyslog itself: a SIEM that takes syslog gets every event once,
// whole and in order, also those behind a file that was renamed and those that are longer
// than rsyslog takes by itself.
func TestRsyslogSendsEveryEventOnAsTheDocsSay(t *testing.T) {
	program, dir := rsyslogd(t), t.TempDir()
	siem, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer siem.Close()
	_, port, _ := net.SplitHostPort(siem.Addr().String())

	out, config := filepath.Join(dir, "siem.ndjson"), filepath.Join(dir, "rsyslog.conf")
	text := example(t, "/var/spool/rsyslog", dir, "/var/log/consentledger/siem.ndjson", out,
		"siem.example.com", "127.0.0.1", `"6514"`, strconv.Quote(port))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if said, err := exec.Command(program, "-N1", "-f", config).CombinedOutput(); err != nil {
		t.Fatalf("rsyslog does not take the example: %v: %s", err, said)
	}

	var log bytes.Buffer
	c := exec.CommandContext(t.Context(), program, "-n", "-f", config, "-i", filepath.Join(dir, "pid"))
	c.Stdout, c.Stderr = &log, &log
	c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) }
	c.WaitDelay = 20 * time.Second
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = c.Process.Signal(syscall.SIGTERM) // what it ends with says nothing
		_ = c.Wait()
	}()

	var events []string
	for n := range 6 {
		events = append(events, fmt.Sprintf(`{"class_uid":3004,"message":"%d 张 %s","metadata":{"uid":"u-%d"}}`,
			n, strings.Repeat("long ", n*1000), n))
	}
	feed := func(lines []string) {
		t.Helper()
		f := Feed{File: out, Cursor: filepath.Join(dir, "cursor"),
			Ask: func(_ context.Context, after string) ([]byte, string, error) {
				if len(lines) == 0 {
					return nil, after, nil
				}
				sent := strings.Join(lines, "\n") + "\n"
				lines = nil
				return []byte(sent), fmt.Sprintf("%d-0", time.Now().UnixNano()), nil
			}}
		if err := f.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
	}

	feed(events[:4])
	if err := siem.(*net.TCPListener).SetDeadline(time.Now().Add(2 * time.Minute)); err != nil {
		t.Fatal(err)
	}
	conn, err := siem.Accept()
	if err != nil {
		t.Fatalf("rsyslog did not come: %v", err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(2 * time.Minute)); err != nil {
		t.Fatal(err)
	}

	from := bufio.NewReader(conn)
	for n, want := range events {
		if n == 4 {
			if err := os.Rename(out, out+".1"); err != nil {
				t.Fatal(err)
			}
			feed(events[4:])
		}
		head, event, has := strings.Cut(frame(t, from), " consentledger - - - ")
		if !has || !strings.HasPrefix(head, "<110>1 ") || event != want {
			t.Fatalf("event %d came as %.200s %.200s (%d bytes), want %.200s (%d bytes)",
				n, head, event, len(event), want, len(want))
		}
	}
}

// frame reads a message that is framed as RFC 6587 says: its length, a space, and itself.
func frame(t *testing.T, from *bufio.Reader) string {
	t.Helper()
	length, err := from.ReadString(' ')
	if err != nil {
		t.Fatalf("the next message: %v", err)
	}
	n, err := strconv.Atoi(strings.TrimSpace(length))
	if err != nil {
		t.Fatalf("a message begins with %q", length)
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(from, text); err != nil {
		t.Fatal(err)
	}
	return string(text)
}
