// Package progress tells who waits how far something is.
package progress

import (
	"fmt"
	"io"
	"time"
)

// To says every few seconds how far it is, how fast, and how long it
// will take.
func To(out io.Writer) func(done, all int64) {
	began, told := time.Now(), time.Now()
	return func(done, all int64) {
		if time.Since(told) < 2*time.Second {
			return
		}
		told = time.Now()
		rate := float64(done) / time.Since(began).Seconds()
		left := time.Duration(float64(all-done) / rate * float64(time.Second)).Round(time.Second)
		fmt.Fprintf(out, "%d of %d records (%d%%), %.0f/s, %s left\n", done, all, done*100/all, rate, left)
	}
}
