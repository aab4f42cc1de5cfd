package embedded

import "context"

// A lane runs one job at a time, like a mutex around each. Unlike a mutex it
// can be given up on: a job that Pebble never returns from leaves its caller
// free to say so.
type lane chan func()

// work runs jobs until quit is closed.
func (l lane) work(quit <-chan struct{}) {
	for {
		select {
		case job := <-l:
			job()
		case <-quit:
			return
		}
	}
}

// run returns once l has run job, or an error if it may not have. The caller
// may look at what job has written only after nil.
func (d *DB) run(ctx context.Context, l lane, job func()) error {
	if err := d.alive(ctx); err != nil {
		return err
	}
	done := make(chan struct{})
	select {
	case l <- func() { job(); close(done) }:
		return d.wait(ctx, done)
	case <-ctx.Done():
		return ctx.Err()
	case <-d.dead:
		return d.deadWith
	case <-d.quit:
		return ErrClosed
	}
}

// wait returns nil once done is closed.
func (d *DB) wait(ctx context.Context, done <-chan struct{}) error {
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-d.dead:
		return d.deadWith
	}
}
