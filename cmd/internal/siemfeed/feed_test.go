package siemfeed

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"consentledger/cmd/internal/exit"
)

// A ledger has events from 1 to its last, and gives two at a time.
type ledger struct {
	last  int
	fails []error // what it answers first
}

func (l *ledger) ask(_ context.Context, after string) ([]byte, string, error) {
	if len(l.fails) > 0 {
		err := l.fails[0]
		l.fails = l.fails[1:]
		return nil, "", err
	}
	at := 0
	if after != "" {
		if _, err := fmt.Sscanf(after, "%d-0", &at); err != nil {
			return nil, "", err
		}
	}
	var lines []byte
	for n := 0; n < 2 && at < l.last; n++ {
		at++
		lines = fmt.Appendf(lines, "{\"n\":%d}\n", at)
	}
	return lines, fmt.Sprintf("%d-0", at), nil
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Where it was stopped it goes on, and a file that was renamed meanwhile is left as it is.
func TestAFeedGoesOnWhereItWasAndLeavesARotatedFile(t *testing.T) {
	dir := t.TempDir()
	out, cursor := filepath.Join(dir, "siem.ndjson"), filepath.Join(dir, "cursor")
	l := &ledger{last: 3}
	f := Feed{Ask: l.ask, File: out, Cursor: cursor}
	if err := f.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := read(t, out); got != "{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n" || read(t, cursor) != "3-0\n" {
		t.Errorf("%q, at %q", got, read(t, cursor))
	}

	if err := os.Rename(out, out+".1"); err != nil {
		t.Fatal(err)
	}
	l.last = 4
	if err := f.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, before := read(t, out), read(t, out+".1"); got != "{\"n\":4}\n" || strings.Count(before, "\n") != 3 {
		t.Errorf("%q, and before %q", got, before)
	}

	// Without a file of its own it begins where it is told to, and prints.
	var printed bytes.Buffer
	if err := (Feed{Ask: l.ask, Out: &printed, After: "2-0"}).Run(t.Context()); err != nil || printed.String() != "{\"n\":3}\n{\"n\":4}\n" {
		t.Errorf("%q, %v", &printed, err)
	}
}

// A line that a crash cut off spoils only itself.
func TestALineThatWasCutOffIsEndedFirst(t *testing.T) {
	out := filepath.Join(t.TempDir(), "siem.ndjson")
	if err := os.WriteFile(out, []byte("{\"n\":1}\n{\"n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := (Feed{Ask: (&ledger{last: 2}).ask, File: out, After: "1-0"}).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := read(t, out); got != "{\"n\":1}\n{\"n\n{\"n\":2}\n" {
		t.Errorf("%q", got)
	}
}

// Who follows outlasts a server that is away or says that it cannot now, and nothing else.
func TestWhoFollowsOutlastsAServerThatIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		away := fmt.Errorf("%w at nowhere", exit.ErrUnreachable)
		l := &ledger{last: 3, fails: []error{away, away, &exit.ProblemError{Status: 503}, &exit.ProblemError{Status: 429}}}
		var printed bytes.Buffer
		var said []string
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		f := Feed{Ask: l.ask, Out: &printed, Follow: true, Every: time.Second, Away: func(err error) { said = append(said, fmt.Sprint(err)) }}
		if err := f.Run(ctx); err != nil {
			t.Error(err)
		}
		if strings.Count(printed.String(), "\n") != 3 || len(said) != 2 || said[1] != "<nil>" {
			t.Errorf("%q, said %q", &printed, said)
		}

		refused := &exit.ProblemError{Status: 403}
		l.fails = []error{refused}
		if err := f.Run(t.Context()); !errors.Is(err, refused) {
			t.Errorf("%v", err)
		}
		f.Follow, l.fails = false, []error{away}
		if err := f.Run(t.Context()); !errors.Is(err, exit.ErrUnreachable) {
			t.Errorf("%v", err)
		}
	})
}

// What could not be written is not remembered as written.
func TestNothingIsRememberedThatWasNotWritten(t *testing.T) {
	dir := t.TempDir()
	cursor := filepath.Join(dir, "cursor")
	f := Feed{Ask: (&ledger{last: 1}).ask, File: filepath.Join(dir, "nowhere", "siem.ndjson"), Cursor: cursor}
	if err := f.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "--to-file") {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(cursor); err == nil {
		t.Error("a cursor is remembered")
	}

	if err := os.WriteFile(cursor, []byte("something else\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := f.Run(t.Context()); exit.Code(t.Context(), err) != exit.CodeUsage {
		t.Errorf("%v", err)
	}
}
