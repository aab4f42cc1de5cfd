package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/cockroachdb/pebble/v2"
)

// ErrClosed says that the database was closed.
var ErrClosed = errors.New("embedded: the database is closed")

// Close waits for the writes that have begun, ends every Follow, and closes the
// files. After it the write-ahead log holds nothing but a seal, which tells the
// next Open whether the MANIFEST is whole.
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
	done := make(chan error, 1)
	go func() {
		err := d.pebble.Flush()
		d.seal()
		done <- errors.Join(err, d.pebble.Close())
	}()
	select {
	case err := <-done:
		return err
	case <-d.dead:
		return d.deadWith
	}
}

// idle waits until the lanes have ended.
func (d *DB) idle() error {
	ended := make(chan struct{})
	go func() { d.lanes.Wait(); close(ended) }()
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
		d.deadWith = fmt.Errorf("embedded: the store is dead until it is opened again: %w", cause)
		d.log.Error("the store is dead until it is opened again", "cause", cause)
		close(d.dead)
	})
}

// alive returns an error if d cannot take writes.
func (d *DB) alive(ctx context.Context) error {
	select {
	case <-d.dead:
		return d.deadWith
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
	l.d.die(fmt.Errorf(format, args...))
	select {}
}

func (d *DB) listener() *pebble.EventListener {
	return &pebble.EventListener{
		WALCreated:      func(i pebble.WALCreateInfo) { d.walNum.Store(uint64(i.FileNum)) },
		BackgroundError: func(err error) { d.log.Error("pebble", "error", err) },
		DataCorruption:  func(i pebble.DataCorruptionInfo) { d.log.Error("pebble", "corruption", i.Details, "path", i.Path) },
	}
}

// closeInto closes c and reports its error unless there is one already.
func closeInto(c io.Closer, err *error) {
	if e := c.Close(); *err == nil {
		*err = e
	}
}
