package transparency

import (
	"context"
	"errors"
	"fmt"
)

// ErrStopped says that no more checkpoints are signed. Covered tells why.
var ErrStopped = errors.New("no more checkpoints are signed")

// Await calls try, and calls it again at every new checkpoint, whosever it is,
// until it says something else than [ErrNotThere] and [ErrNotReady]. When ctx is
// done it returns what try said last. What will never be there is waited for
// like what is not there yet: only ctx bounds it.
func (l *Log) Await(ctx context.Context, try func() error) error {
	for {
		next := l.next()
		_, ended := l.Covered()
		err := try()
		if !errors.Is(err, ErrNotThere) && !errors.Is(err, ErrNotReady) {
			return err
		}
		if ended != nil {
			return fmt.Errorf("%w: %w", ErrStopped, ended)
		}
		select {
		case <-next:
		case <-ctx.Done():
			return err
		}
	}
}

// next returns what is closed at the next checkpoint, or when none will come.
func (l *Log) next() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.news == nil {
		l.news = make(chan struct{})
	}
	return l.news
}

// tell wakes all who wait.
func (l *Log) tell() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.news != nil {
		close(l.news)
		l.news = nil
	}
}
