package embedded

import (
	"errors"
	"fmt"
	iofs "io/fs"
	"path/filepath"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"consentledger/eventstore"
)

// The sizes of Pebble's memory table, in bytes: less on a small disk, where the
// write-ahead logs of three of them would be most of it.
const (
	largestTable  = 16 << 20
	smallestTable = 4 << 20
)

// Room is how much of a disk is free, and how much the store keeps free. Pebble
// takes a write that fails for its end, and what shares the disk stops on it
// too; so the store stops before, while there is room for what goes on in the
// background. Zero: the disk does not say.
type Room struct{ Free, Total uint64 }

// RoomAt returns the room of the disk that holds a file or directory, or will
// hold it once it is made.
func RoomAt(fs vfs.FS, path string) (Room, error) {
	usage, err := fs.GetDiskUsage(path)
	if up := fs.PathDir(path); errors.Is(err, iofs.ErrNotExist) && up != path {
		return RoomAt(fs, up)
	}
	if errors.Is(err, vfs.ErrUnsupported) {
		return Room{}, nil
	}
	if err != nil {
		return Room{}, fmt.Errorf("the room on the disk of %s: %w", path, err)
	}
	return Room{Free: usage.AvailBytes, Total: usage.TotalBytes}, nil
}

// table returns the size of a memory table.
func (r Room) table() uint64 {
	if r.Total == 0 {
		return largestTable
	}
	return min(largestTable, max(smallestTable, r.Total/64))
}

// Reserve is how much must be free so that anything is written.
func (r Room) Reserve() uint64 { return 4 * r.table() }

// Needed is how much must be free so that the store is opened: half of the
// reserve, so that what stopped writing can be opened again and read.
func (r Room) Needed() uint64 { return r.Reserve() / 2 }

// Full returns an error that wraps [eventstore.ErrFull] if less is free than a
// number of bytes.
func (r Room) Full(bytes uint64) error {
	if r.Total == 0 || r.Free >= bytes {
		return nil
	}
	return fmt.Errorf("%w: %s are free, and the ledger wants %s", eventstore.ErrFull, megabytes(r.Free),
		megabytes(bytes))
}

func megabytes(n uint64) string { return fmt.Sprintf("%.1f MB", float64(n)/(1<<20)) }

// Full reports whether an error says that a disk, or a quota on it, is full.
func Full(err error) bool {
	return errors.Is(err, eventstore.ErrFull) || vfs.IsNoSpaceError(err) || errors.Is(err, syscall.EDQUOT)
}

// Room returns the room of the disk that d is on.
func (d *DB) Room() (Room, error) { return RoomAt(d.fs, d.dir) }

// Writable returns why d takes no writes now; nil: it does.
func (d *DB) Writable() error {
	select {
	case <-d.dead:
		return d.refusal()
	case <-d.quit:
		return ErrClosed
	default:
		return d.full()
	}
}

// full returns an error if the disk has less room than is kept free. A disk
// that cannot be asked is taken to have some.
func (d *DB) full() error {
	room, err := d.Room()
	if err != nil {
		return nil
	}
	if err := room.Full(room.Reserve()); err != nil {
		return fmt.Errorf("embedded: nothing is written: %w", err)
	}
	return nil
}

// What a database is doing.
const (
	opening  = iota
	running  // and waiting for nothing
	flushing // to close it
	closing
)

// A roomy file system lets Pebble begin a table only if the disk has room for
// it. A table that cannot be written is tried again at once and for ever, so it
// waits before that; but whoever opens or closes the database is waiting too,
// and is told.
type roomy struct {
	vfs.FS
	d *DB
}

const roomEvery = 100 * time.Millisecond

// Create implements [vfs.FS].
func (f roomy) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	for filepath.Ext(name) == ".sst" {
		room, err := f.d.Room()
		if err != nil {
			break
		}
		full := room.Full(room.table())
		if full == nil {
			break
		}
		select {
		case <-f.d.dead:
			select {} // nobody waits for it any more, and it would be tried for ever
		default:
		}
		if f.d.phase.Load() != running {
			return nil, full
		}
		select {
		case <-f.d.quit:
			return nil, full
		case <-time.After(roomEvery):
		}
	}
	return f.FS.Create(name, category)
}

// Unwrap implements [vfs.FS].
func (f roomy) Unwrap() vfs.FS { return f.FS }

// trouble is told of what went wrong in the background. A full disk ends an
// opening or a flush, which would wait for ever.
func (d *DB) trouble(err error) {
	d.log.Error("pebble", "error", err)
	if phase := d.phase.Load(); Full(err) && (phase == opening || phase == flushing) {
		d.die(err)
	}
}
