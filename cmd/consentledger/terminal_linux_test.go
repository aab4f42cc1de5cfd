package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/jedib0t/go-pretty/v6/text"
	"golang.org/x/sys/unix"
)

// On a real terminal what a verb prints is as wide as that, and its times are local.
func TestWhatIsPrintedFitsTheTerminalThatItIsPrintedOn(t *testing.T) {
	t.Parallel()
	const width = 80
	ours, theirs := pseudoTerminal(t, width)

	c := exec.CommandContext(t.Context(), os.Args[0], "deadline", "compute", "--rule", "eu.gdpr33.breach",
		"--start", "2026-03-01T23:30:00Z")
	c.Args[0] = "consentledger"
	c.Env = append(os.Environ(), "TZ=Asia/Shanghai")
	c.Stdout = theirs
	var said bytes.Buffer
	c.Stderr = &said
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	theirs.Close()

	// The terminal ends with an error when its last writer is gone.
	var out bytes.Buffer
	_, _ = out.ReadFrom(ours)
	if err := c.Wait(); err != nil {
		t.Fatalf("%v: %s", err, &said)
	}

	for line := range strings.Lines(out.String()) {
		if w := text.StringWidth(strings.TrimRight(line, "\r\n")); w > width {
			t.Errorf("a line is %d wide on a terminal of %d: %s", w, width, line)
		}
	}
	if !strings.Contains(out.String(), "CST") || strings.Contains(out.String(), "00Z") {
		t.Errorf("times are not local:\n%s", &out)
	}
}

// pseudoTerminal returns both ends of a terminal of so many columns.
func pseudoTerminal(t *testing.T, width uint16) (ours, theirs *os.File) {
	t.Helper()
	ours, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ours.Close() })

	fd := int(ours.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: width}); err != nil {
		t.Fatal(err)
	}

	theirs, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { theirs.Close() })
	return ours, theirs
}
