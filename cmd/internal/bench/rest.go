package bench

import (
	"context"
	"net/http"
	"time"
)

// A program is at rest once it used nearly no CPU for some looks in a row: that
// is all that a program says of itself whatever build it is.
const (
	lookEvery = 200 * time.Millisecond
	atRest    = 20 * time.Millisecond // of CPU time between two looks
	looks     = 3
)

// settle waits until the program is at rest, so that no program and no peer pays
// for what another left to do.
func (p *Program) settle(ctx context.Context) error {
	last, err := p.CPU()
	for quiet := 0; err == nil && quiet < looks; {
		if err := pause(ctx, lookEvery); err != nil {
			return err
		}
		var used time.Duration
		if used, err = p.CPU(); used-last > atRest {
			quiet = 0
		} else {
			quiet++
		}
		last = used
	}
	return err
}

// ready waits until the program says that it can answer.
func (p *Program) ready(ctx context.Context) error {
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"/readyz", nil)
		if err != nil {
			return err
		}
		if answer, err := client.Do(req); err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return nil
			}
		}
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
