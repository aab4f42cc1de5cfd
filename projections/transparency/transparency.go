// Package transparency answers: has anything been altered, removed or slipped
// in since? Every app has a log of its own, an RFC 6962 tree over the bytes of
// its records as they are stored, in their order. It is served as C2SP
// tlog-tiles, under checkpoints that are signed notes, so that anybody's
// program can read and check it.
//
// On disk are the tiles of hashes alone, and an index of some bytes a record:
// entry bundles are made from the store when somebody asks, and no record is
// given out whose hash is not the one that was signed. A record that the store
// does not hold as it was signed is a fault, whoever finds it.
//
// The tiles are a cache, built again when they are lost. What was signed last
// is not: it is kept apart, beside the signing keys, and is durable before
// anybody sees it. No checkpoint is ever signed for a smaller tree than one
// before, nor for the same size with another root. If the records do not give
// the tree that was signed, nothing more is signed until somebody has looked.
//
// This follows the store and not decoded events: what is signed is what is
// stored, whether or not this program can read it.
package transparency

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"consentledger/domain/ident"
	"consentledger/eventstore"
)

// Records is the store as a log sees it; see [eventstore.Store].
type Records interface {
	Follow(ctx context.Context, after eventstore.Position) iter.Seq2[[]eventstore.Recorded, error]
	ReadAll(ctx context.Context, after eventstore.Position) iter.Seq2[eventstore.Recorded, error]
	ReadAt(ctx context.Context, positions ...eventstore.Position) iter.Seq2[eventstore.Recorded, error]
	Head(ctx context.Context) (eventstore.Position, error)
}

// A Config is what the logs stand on.
type Config struct {
	Records Records
	Keep    *Keep
	Dir     string        // of the tiles
	Pace    time.Duration // how long to rest once all is covered, so that the next checkpoint covers more
	Log     *slog.Logger  // nil: nothing is logged

	// Halt is told of a [FaultError] before anything else happens. It may be told twice, also at once. Nil: nobody is.
	Halt func(error)

	// Turn says whether this process may sign now, where several share a keep. Nil: it always may.
	Turn func() bool
}

// A Log is the logs of all apps. Run and Check are called once each; the other
// methods by anybody, at any time.
type Log struct {
	Config
	at       eventstore.Position         // up to which the trees are complete; Run's
	fromZero bool                        // the trees were built by this process from the first record; Run's
	opened   map[ident.AppName]treeCheck // of the trees that an earlier process left; Check's

	mu      sync.Mutex
	trees   map[ident.AppName]*tree
	covered eventstore.Position // up to which all is signed and published
	ended   error
	news    chan struct{}           // closed at the next checkpoint, or when nothing more comes; nil: nobody waits
	stop    context.CancelCauseFunc // ends the round that is under way
	early   error                   // what would have ended a round before the first
	wake    func()                  // has Run look at the keys that sign; nil: it does not follow records yet
	rekeyed bool                    // these changed since it looked

	trouble error     // why nothing can be signed or published now; of a keep that is shared
	saved   time.Time // when the state was saved last; Run's, of a keep that is shared
	quiet   bool      // all is signed, published and saved, and nothing came meanwhile; likewise

	fault   atomic.Pointer[FaultError]
	readers chan struct{} // holds one for every reader whose records are read; see readersLimit
}

// A FaultError says that the records are not those that were signed, or that
// what they are signed with is lost. It does not go away by itself.
type FaultError struct {
	App ident.AppName
	Err error
}

func (e *FaultError) Error() string { return fmt.Sprintf("the log of %s: %v", e.App, e.Err) }

// Unwrap returns what is wrong.
func (e *FaultError) Unwrap() error { return e.Err }

// Open opens the logs. A store that holds less than was signed is refused by an
// [*OlderError].
// Tiles that are lost or damaged are removed, and Run builds them again. If
// what the logs are signed with is lost, that is a fault and nothing is touched.
func Open(ctx context.Context, c Config) (*Log, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	l := &Log{Config: c, readers: make(chan struct{}, readersLimit)}
	apps, err := c.Keep.known()
	if err != nil {
		return nil, err
	}
	var all []*signed
	for _, app := range apps {
		s, err := c.Keep.open(ctx, app)
		if lost, is := errors.AsType[*LostError](err); is {
			l.declareLost(lost)
			return l, nil
		}
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}

	// Behind what was signed: another process may sign more at any time.
	head, err := l.head(ctx)
	if err != nil {
		return nil, err
	}
	for i, s := range all {
		if s.position > head {
			return nil, &OlderError{App: apps[i], Head: head, Signed: s.position, Size: s.Size}
		}
	}
	err = l.openTrees(ctx)
	if lost, is := errors.AsType[*LostError](err); is {
		l.declareLost(lost)
		return l, nil
	}
	switch {
	case errors.Is(err, errRolledBack):
		return nil, err
	case err != nil:
		l.opened = nil
		if !errors.Is(err, fs.ErrNotExist) {
			c.Log.Warn("the tiles are built again", "why", err)
		}
		return l, l.begin(ctx)
	}
	return l, nil
}

func (l *Log) stateFile() string { return filepath.Join(l.Dir, "state") }

// openTrees opens every tree as the cache has it.
func (l *Log) openTrees(ctx context.Context) error {
	text, err := os.ReadFile(l.stateFile())
	if err != nil {
		return err
	}

	s, err := parseState(text)
	if err != nil {
		return err
	}

	apps, err := l.Keep.Apps()
	if err != nil {
		return err
	}

	l.trees, l.opened, l.at, l.covered = map[ident.AppName]*tree{}, map[ident.AppName]treeCheck{}, s.position,
		s.position
	for _, app := range apps {
		signed, err := l.Keep.open(ctx, app)
		if err != nil {
			return err
		}
		t, err := openTree(l.Dir, app, s.sizes[app], signed, l.Keep.shared != nil)
		if err != nil {
			return err
		}
		if t.edge.Size > t.signed.Size {
			l.covered = 0 // not known yet
		}
		t.unchecked.Store(t.edge.Size > 0)
		l.trees[app] = t
		l.opened[app] = treeCheck{dir: t.dir, size: t.edge.Size, root: t.edge.Root(), signed: t.proven &&
			t.edge.Size == t.signed.Size}
		delete(s.sizes, app)
	}

	for app := range s.sizes {
		return &LostError{app, l.Keep.file(app, ".key")}
	}
	return nil
}

// begin removes all tiles and makes a tree for every app that has a key.
// Readers are told to ask again before anything is gone.
func (l *Log) begin(ctx context.Context) error {
	for _, t := range l.trees {
		t.published.Store(nil)
	}
	if err := os.RemoveAll(l.Dir); err != nil {
		return err
	}

	apps, err := l.Keep.Apps()
	if err != nil {
		return err
	}

	trees := map[ident.AppName]*tree{}
	for _, app := range apps {
		if trees[app], err = l.newTree(ctx, app); err != nil {
			return err
		}
	}

	l.mu.Lock()
	defer l.mu.Unlock()
	l.trees, l.at, l.covered, l.fromZero = trees, 0, 0, true
	return nil
}

// newTree returns the empty tree of an app.
func (l *Log) newTree(ctx context.Context, app ident.AppName) (*tree, error) {
	s, err := l.Keep.open(ctx, app)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(l.Dir, string(app))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	return openTree(l.Dir, app, 0, s, l.Keep.shared != nil)
}

// tree returns an app's tree, nil if it has none.
func (l *Log) tree(app ident.AppName) *tree {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.trees[app]
}

// Covered returns the position up to which every record is in a published
// checkpoint, and what stopped the logs, if anything did.
func (l *Log) Covered() (eventstore.Position, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if f := l.fault.Load(); f != nil {
		return l.covered, f
	}
	return l.covered, cmp.Or(l.ended, l.trouble)
}

// halt declares a fault: nothing is signed from now on.
func (l *Log) halt(app ident.AppName, err error) error {
	f := &FaultError{app, err}
	l.fault.CompareAndSwap(nil, f)
	f = l.fault.Load()
	l.Log.Error("nothing more is signed", "app", app, "error", err)
	if l.Halt != nil {
		l.Halt(f)
	}
	l.interrupt(f)
	l.tell()
	return f
}

// interrupt ends the round of Run that is under way, or the first.
func (l *Log) interrupt(cause error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stop == nil {
		l.early = cause
		return
	}
	l.stop(cause)
}
