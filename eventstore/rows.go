package eventstore

import (
	"context"
	"errors"
	"iter"
)

// A Row is one key and its value. What the vault and the blobs keep are rows.
type Row struct{ Key, Value []byte }

// A Change is what one [Rows.Write] does: all of it or nothing.
type Change struct {
	Present [][]byte // keys that must exist
	Absent  [][]byte // keys that must not exist
	Put     []Row
	Delete  [][]byte
}

// ErrCondition says that a [Change] was not made because a key that must exist
// does not, or the other way round.
var ErrCondition = errors.New("a key is not as the change requires")

// Rows is a small ordered map beside a [Store]. Unlike records, rows can be
// changed and deleted: what a person may have forgotten lives here.
//
// Its methods may be called concurrently. Writes are serializable: a Change
// whose conditions hold sees no other Change between condition and effect. A
// read sees every Write that returned before it.
type Rows interface {
	// Get returns the value of key and whether there is one.
	Get(ctx context.Context, key []byte) (value []byte, ok bool, err error)

	// Write makes a change, or returns an error that wraps [ErrCondition]. On
	// any other error it may or may not have been made. A change that was made
	// survives a crash no later than any record whose Append, on the store
	// that the rows lie beside, began after Write returned: the two need not
	// be synced apart. A caller with no record to follow uses Sync.
	Write(ctx context.Context, c Change) error

	// Sync returns once every change made before it survives a crash.
	Sync(ctx context.Context) error

	// Purge returns once no table of the files holds a byte of the rows that were
	// deleted before it and whose keys begin with one of the prefixes. What lives
	// stays. It is slow, and for what has to be gone. Logs from which tables are
	// made may hold such bytes until they are opened the next time.
	Purge(ctx context.Context, prefixes ...[]byte) error

	// Scan yields the rows whose key begins with prefix, in order of key.
	Scan(ctx context.Context, prefix []byte) iter.Seq2[Row, error]
}

// WriteDurably makes a change as [Rows.Write] does, and returns once it survives a crash.
// After an error that wraps [ErrCondition] it was not made.
func WriteDurably(ctx context.Context, rows Rows, c Change) error {
	if err := rows.Write(ctx, c); err != nil {
		return err
	}
	return rows.Sync(ctx)
}
