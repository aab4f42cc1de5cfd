package projections

import (
	"context"
	"fmt"
	"iter"
	"time"

	"consentledger/domain/deadline"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
)

// A Log says how far there is to go.
type Log interface {
	Head(ctx context.Context) (eventstore.Position, error)
	Replay(ctx context.Context, after eventstore.Position) iter.Seq2[codec.Entry, error]
	Now() deadline.Instant
}

// A Reach judges whether what follows the log has come far enough to be asked.
// What has not read a person's events yet would say that the person was never
// asked: that is no answer but the lack of one.
type Reach struct {
	Log   Log
	Start eventstore.Position // the head of the log when this process began to follow it
	Most  time.Duration       // how old the oldest record may be that was not read; zero: as old as it likes
}

// Check returns a [*BehindError] if what stands at a position may not be asked.
// It may not before it has read what was there at the start, nor while it is
// further behind than Most, nor if it stopped before the end. Stopped is why it
// reads no more; nil: it goes on.
func (r Reach) Check(ctx context.Context, name string, at eventstore.Position, stopped error) error {
	head, err := r.Log.Head(ctx)
	if err != nil {
		return err
	}

	behind := &BehindError{Name: name, At: at, Head: head, Stopped: stopped}
	switch {
	case at >= head && at >= r.Start:
		return nil
	case at < r.Start || stopped != nil:
		return behind
	case r.Most == 0:
		return nil
	}

	behind.Age, err = r.age(ctx, at)
	if err != nil {
		return err
	}
	if behind.Age <= r.Most {
		return nil
	}
	return behind
}

// age returns how long ago the first record after a position was recorded.
func (r Reach) age(ctx context.Context, at eventstore.Position) (time.Duration, error) {
	for e, err := range r.Log.Replay(ctx, at) {
		if err != nil {
			return 0, err
		}
		return time.Duration(r.Log.Now()-e.Recorded) * time.Millisecond, nil
	}
	return 0, nil
}

// A BehindError says that something cannot answer since it has not read enough
// of the log, and how far it is.
type BehindError struct {
	Name     string
	At, Head eventstore.Position
	Age      time.Duration // of the oldest record that was not read, where that is the reason; else zero
	Stopped  error         // why it reads no more; nil: it goes on
}

func (e *BehindError) Error() string {
	text := e.Progress()
	if e.Stopped != nil {
		text += ": " + e.Stopped.Error()
	}
	return text
}

// Unwrap returns why it stopped, if it did.
func (e *BehindError) Unwrap() error { return e.Stopped }

// Progress says how far it is, and nothing of what stopped it.
func (e *BehindError) Progress() string {
	far := fmt.Sprintf("it has read the log up to position %d of %d (%d %%)", e.At, e.Head, percent(e.At, e.Head))
	switch {
	case e.Stopped != nil:
		return fmt.Sprintf("%s stopped: %s", e.Name, far)
	case e.Age > 0:
		return fmt.Sprintf("%s is %s behind: %s", e.Name, e.Age.Round(time.Second), far)
	}
	return fmt.Sprintf("%s is being built: %s", e.Name, far)
}

func percent(at, head eventstore.Position) uint64 {
	if head == 0 {
		return 0
	}
	return uint64(at) * 100 / uint64(head)
}
