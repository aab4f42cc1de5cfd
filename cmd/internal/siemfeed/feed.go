// Package siemfeed brings the events of a ledger to where a collector reads them: to
// standard output, or to a file that somebody may rotate. It remembers how far it is, so
// that it goes on there when it is started again.
//
// Events are written first and remembered then. After a crash between the two the last of
// them are written again, with the same metadata.uid; none is missing.
package siemfeed

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"time"

	"consentledger/api/siem"
	"consentledger/cmd/internal/exit"
	"consentledger/eventstore/atomicfile"
)

// A Feed says from where to where events are brought.
type Feed struct {
	// Ask returns the next events after a cursor, and how far they go.
	Ask func(ctx context.Context, after string) (lines []byte, to string, err error)

	Out    io.Writer     // where they go; not used if there is a File
	File   string        // the file that they are appended to; empty: there is none
	Cursor string        // the file that remembers how far it is; empty: nothing does
	After  string        // where it begins if that file is not there; empty: at the beginning
	Follow bool          // it goes on when there is no more, until ctx is done
	Every  time.Duration // how often it asks then

	// Away is told when the server does not answer while it follows, and nil when it does again.
	Away func(error)
}

// Run brings events until there are no more, or until ctx is done if it follows.
func (f Feed) Run(ctx context.Context) error {
	at, err := f.remembered()
	if err != nil {
		return err
	}

	away := false
	for {
		lines, to, err := f.Ask(ctx, at)
		switch {
		case err != nil && f.Follow && passes(err) && ctx.Err() == nil:
			if !away {
				f.Away(err)
			}
			away = true
		case err != nil:
			return err
		case away:
			f.Away(nil)
			away = false
		}

		if err == nil {
			if err := f.write(lines, to); err != nil {
				return err
			}
			moved := to != at
			at = to
			if moved {
				continue
			}
			if !f.Follow {
				return nil
			}
		}

		select {
		case <-ctx.Done():
			return nil
		case <-time.After(f.Every):
		}
	}
}

// passes reports whether an error may be gone the next time: nobody answers, or the server
// says that it cannot now.
func passes(err error) bool {
	p, is := errors.AsType[*exit.ProblemError](err)
	return errors.Is(err, exit.ErrUnreachable) ||
		is && (p.Status >= http.StatusInternalServerError || p.Status == http.StatusTooManyRequests)
}

// maxCursor is more than a cursor has.
const maxCursor = 100

// remembered returns where to begin.
func (f Feed) remembered() (string, error) {
	if f.Cursor == "" {
		return f.After, nil
	}
	text, err := os.ReadFile(f.Cursor)
	if errors.Is(err, fs.ErrNotExist) {
		return f.After, nil
	}
	if err != nil {
		return "", fmt.Errorf("--cursor-file: %w", err)
	}

	at := strings.TrimSpace(string(text[:min(len(text), maxCursor)]))
	if _, err := siem.ParseCursor(at); err != nil {
		return "", exit.Usage(fmt.Errorf("--cursor-file: %s holds no cursor: name another file, or remove this one "+
			"to begin anew", f.Cursor))
	}
	return at, nil
}

// write writes events where they go, and then how far they go.
func (f Feed) write(lines []byte, to string) error {
	if len(lines) > 0 {
		if f.File == "" {
			if _, err := f.Out.Write(lines); err != nil {
				return err
			}
		} else if err := appendTo(f.File, lines); err != nil {
			return err
		}
	}
	if f.Cursor == "" {
		return nil
	}
	if err := atomicfile.Write(f.Cursor, []byte(to+"\n")); err != nil {
		return fmt.Errorf("--cursor-file: %w", err)
	}
	return nil
}

// appendTo appends whole lines to a file, and returns once they are on disk. The file is
// opened each time by its name: who rotates it renames it, and the next lines go into a
// new one. A line that a crash cut off is ended first, so that it spoils no other.
func appendTo(name string, lines []byte) (err error) {
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("--to-file: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()

	info, err := file.Stat()
	if err != nil {
		return err
	}
	if last := make([]byte, 1); info.Mode().IsRegular() && info.Size() > 0 {
		if _, err := file.ReadAt(last, info.Size()-1); err != nil {
			return err
		}
		if last[0] != '\n' {
			lines = append([]byte("\n"), bytes.Clone(lines)...)
		}
	}
	if _, err := file.Write(lines); err != nil {
		return fmt.Errorf("--to-file: %w", err)
	}
	return file.Sync()
}
