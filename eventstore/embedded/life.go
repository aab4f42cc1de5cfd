package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/cockroachdb/pebble/v2"

	"consentledger/eventstore"
)

// ErrClosed says that the database was closed.
var ErrClosed = errors.New("embedded: the database is closed")

// Close waits for the writes that have begun, ends every Follow, and closes the
// files. After it the write-ahead log holds nothing but a watermark, which tells the
// next Open whether the MANIFEST is whole; on a full disk it stays as it is.
func (d *DB) Close() error {
	d.quitOnce.Do(func() { close(d.quit) })
	if err := d.idle(); err != nil {
		return err
	}

	d.open.Lock()
	defer d.open.Unlock()
	if d.closed {
		return nil
	}

	d.closed = true
	return d.attempt(func() (err error) {
		if d.full() == nil {
			d.phase.Store(flushing)
			err = d.pebble.Flush()
			d.writeWatermark()
		}
		d.phase.Store(closing)
		return errors.Join(err, d.pebble.Close())
	})
}

// attempt calls f, which Pebble may never return from, and returns an error if
// the store died instead.
func (d *DB) attempt(f func() error) error {
	done := make(chan error, 1)
	go func() {
		d.guard(func() { done <- f() })
	}()
	select {
	case err := <-done:
		return err
	case <-d.dead:
		return d.deadWith
	}
}

// guard calls f, and kills the store if f panics: so does Pebble on a write
// behind one that failed.
func (d *DB) guard(f func()) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case error:
			d.die(fmt.Errorf("pebble panicked: %w", p))
		default:
			d.die(fmt.Errorf("pebble panicked: %v", p))
		}
	}()
	f()
}

// giveUp closes what could not be opened, unless it died.
func (d *DB) giveUp() error {
	if d.Dead() {
		return nil
	}
	return d.attempt(d.pebble.Close)
}

// idle waits until the lane has ended.
func (d *DB) idle() error {
	ended := make(chan struct{})
	go func() { d.working.Wait(); close(ended) }()
	select {
	case <-ended:
		return nil
	case <-d.dead:
		return d.deadWith
	}
}

// reading runs f while the database cannot be closed.
func (d *DB) reading(f func() error) error {
	d.open.RLock()
	defer d.open.RUnlock()
	if d.closed {
		return ErrClosed
	}
	return f()
}

// die marks the store dead. Only the first cause is kept.
func (d *DB) die(cause error) {
	d.dieOnce.Do(func() {
		d.diedFull = Full(cause) || d.full() != nil
		d.deadWith = fmt.Errorf("embedded: the store is dead until it is opened again: %w", cause)
		d.log.Error("the store is dead until it is opened again", "cause", cause)
		close(d.dead)
	})
}

// refusal is the error of a write that comes after the store died.
func (d *DB) refusal() error {
	if d.diedFull {
		return fmt.Errorf("%w, %w", eventstore.ErrFull, d.deadWith)
	}
	return d.deadWith
}

// Dead reports whether d takes no write any more until it is opened again.
func (d *DB) Dead() bool {
	select {
	case <-d.dead:
		return true
	default:
		return false
	}
}

// alive returns an error if d cannot take writes.
func (d *DB) alive(ctx context.Context) error {
	select {
	case <-d.dead:
		return d.refusal()
	case <-d.quit:
		return ErrClosed
	default:
		return ctx.Err()
	}
}

// A logger hands Pebble's messages on. Its Fatalf kills the store and, as
// Pebble relies on, does not return: whoever called it waits for ever.
type logger struct{ d *DB }

func (l logger) Infof(format string, args ...any)  { l.d.log.Debug(fmt.Sprintf(format, args...)) }
func (l logger) Errorf(format string, args ...any) { l.d.log.Error(fmt.Sprintf(format, args...)) }
func (l logger) Fatalf(format string, args ...any) {
	err := fmt.Errorf(format, args...)
	for _, arg := range args {
		if cause, is := arg.(error); is && !errors.Is(err, cause) {
			err = fmt.Errorf("%w (%w)", err, cause) // %v has lost what it is
		}
	}
	l.d.die(err)
	select {}
}

func (d *DB) listener() *pebble.EventListener {
	return &pebble.EventListener{
		WALCreated:      func(i pebble.WALCreateInfo) { d.walNum.Store(uint64(i.FileNum)) },
		BackgroundError: d.trouble,
		DataCorruption: func(i pebble.DataCorruptionInfo) {
			d.log.Error("pebble", "corruption", i.Details, "path", i.Path)
		},
	}
}

// closeInto closes c and reports its error unless there is one already.
func closeInto(c io.Closer, err *error) {
	if e := c.Close(); *err == nil {
		*err = e
	}
}
