package progress

import (
	"fmt"
	"io"
	"time"
)

// Bytes returns what counts the bytes that are written to it, and says every few seconds how
// many there were, how fast, and of how many, if that is known, and how long the rest will
// take. What says of what they are; all is zero if nobody knows how many come. For what is
// read it goes into an [io.TeeReader].
func Bytes(out io.Writer, what string, all int64) io.Writer {
	now := time.Now()
	return &counted{out: out, what: what, all: all, began: now, told: now}
}

type counted struct {
	out         io.Writer
	what        string
	done, all   int64
	began, told time.Time
}

// Write implements [io.Writer]. It never fails: who waits may close their terminal.
func (c *counted) Write(p []byte) (int, error) {
	c.done += int64(len(p))
	if time.Since(c.told) < 2*time.Second {
		return len(p), nil
	}

	c.told = time.Now()
	rate := float64(c.done) / time.Since(c.began).Seconds()
	if c.all == 0 {
		fmt.Fprintf(c.out, "%s: %.1f MB, %.1f MB/s\n", c.what, megabytes(c.done), rate/1e6)
		return len(p), nil
	}
	left := time.Duration(float64(c.all-c.done) / rate * float64(time.Second)).Round(time.Second)
	fmt.Fprintf(c.out, "%s: %.1f of %.1f MB (%d%%), %.1f MB/s, %s left\n", c.what, megabytes(c.done), megabytes(c.all),
		c.done*100/c.all, rate/1e6, left)
	return len(p), nil
}

func megabytes(n int64) float64 { return float64(n) / 1e6 }
