// Package embedded keeps records and rows in one Pebble database on a local
// disk.
//
// The keys:
//
//	'r' position                  the record: format byte 1, revision, event id,
//	                              length of stream, length of type, stream, type, data
//	's' stream 0x00 revision      the position of that record
//	'v' key                       a row
//
// Numbers are 8 bytes, big-endian; the two lengths are one byte each. Positions
// are 1, 2, 3 and so on without a gap, so a reader notices a missing record.
//
// What is assumed of the disk: what a Sync that returned nil covers is there
// after a crash. What was not synced may be there in part and in any order, but
// for the entries of a directory: of these a later one is not there without an
// earlier. (Where it is, Open refuses the directory.)
//
// A flipped bit in anything that was acknowledged is refused by [Open] or is an
// error where it is read, never a shorter or another history. So is any other
// damage to the log, but for the records acknowledged last, within some 3 ms
// before a kill: if more than one bit of them has changed, they look as if
// they had never been synced.
//
// The life of a write, be it an append, a change of rows or both together: its
// caller looks up the stream and waits; one goroutine, the lane, takes all who
// wait, checks their conditions and revisions one after the other, assigns the
// positions and hands Pebble one batch, so that the order in the write-ahead log
// is that of the positions. If there is an append in it, the lane waits for the
// log's sync, which is the commit point, and moves the durable mark. Then it
// wakes those whom it took. Who comes meanwhile is in the next batch. Readers of
// records stop at the mark.
//
// A disk that is nearly full is not written to: there is a reserve, see [Room].
// Append and Write return [eventstore.ErrFull] until there is room again, reads
// go on, and Open refuses.
//
// After the first write or sync that fails nobody knows what the disk holds.
// The store is then dead: every Append, waiting or later, returns an error,
// until the database is opened again; what is there can still be read.
// [DB.Close] of a dead store gives nothing back; end the process.
package embedded

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"

	"consentledger/eventstore"
)

// Options configure a [DB]. The zero Options are those for production.
type Options struct {
	FS         vfs.FS       // where the files are; nil: the real disk
	Logger     *slog.Logger // nil: silent
	CacheBytes int64        // for blocks read from disk; zero: 64 MB

	// Synced is told how many records one sync made durable, by the one goroutine that
	// writes: it returns at once. Nil: nobody counts.
	Synced func(records int)
}

// A DB is an open database. It holds a lock on its directory until Close.
type DB struct {
	pebble *pebble.DB
	log    *slog.Logger
	fs     vfs.FS
	dir    string
	synced func(records int) // nil: nobody counts
	phase  atomic.Int32

	lane    *lane // orders all writes; owns last and present, and all puts into heads
	present present
	last    eventstore.Position
	heads   heads
	walNum  atomic.Uint64 // of the write-ahead log that is written now

	mark mark

	dead     chan struct{} // closed by die
	dieOnce  sync.Once
	deadWith error         // set before dead is closed, as diedFull
	diedFull bool          // it died of a full disk
	quit     chan struct{} // closed by Close
	quitOnce sync.Once
	working  sync.WaitGroup // the lane
	open     sync.RWMutex   // held for reading while Pebble is read
	closed   bool           // under open
}

// Open opens the database in dir, or makes one. It returns a [*CorruptError]
// if a byte that was once synced has changed; nothing is repaired or cut off. If
// the disk is full the error wraps [eventstore.ErrFull].
func Open(dir string, o Options) (_ *DB, err error) {
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = 64 << 20
	}
	defer func() {
		if Full(err) && !errors.Is(err, eventstore.ErrFull) {
			err = fmt.Errorf("embedded: open %s: %w: %w", dir, eventstore.ErrFull, err)
		}
	}()
	room, err := RoomAt(o.FS, dir)
	if err == nil {
		err = room.Full(room.Needed())
	}
	if err != nil {
		return nil, fmt.Errorf("embedded: open %s: %w", dir, err)
	}

	found, err := scanDir(o.FS, dir)
	if err != nil {
		return nil, err
	}

	if found.doubtful {
		if err := rehearse(dir, o, found); err != nil {
			return nil, err
		}
	}

	d := newDB(dir, o)
	if err := d.openPebble(dir, o, room, false); err != nil {
		return nil, err
	}
	if err := d.recover(dir, found); err != nil {
		return nil, errors.Join(err, d.giveUp())
	}

	d.phase.Store(running)
	d.working.Go(func() { d.guard(func() { d.lane.work(d.quit, d.writeAll, watermarkAfter, d.writeWatermark) }) })
	return d, nil
}

func newDB(dir string, o Options) *DB {
	return &DB{
		log:    o.Logger,
		fs:     o.FS,
		dir:    dir,
		synced: o.Synced,
		lane:   newLane(),
		dead:   make(chan struct{}),
		quit:   make(chan struct{}),
	}
}

// rehearse opens the database without writing anything, to see whether what
// the watermark says is there: once Pebble has opened it for good, it deletes the files
// that it holds for needless.
func rehearse(dir string, o Options, found logs) error {
	d := newDB(dir, o)
	if err := d.openPebble(dir, o, Room{}, true); err != nil {
		return err
	}
	return errors.Join(d.checkWatermark(dir, found), d.pebble.Close())
}

// openPebble opens the files. Pebble panics or calls Fatalf on some damaged
// files; that is an error here.
func (d *DB) openPebble(dir string, o Options, room Room, readOnly bool) error {
	opened := make(chan error, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				opened <- fmt.Errorf("embedded: open %s: pebble panicked: %v", dir, p)
			}
		}()
		var err error
		if d.pebble, err = pebble.Open(dir, d.options(o, room, readOnly)); err != nil {
			err = fmt.Errorf("embedded: open %s: %w", dir, err)
		}
		opened <- err
	}()
	select {
	case err := <-opened:
		return err
	case <-d.dead:
		return fmt.Errorf("embedded: open %s: %w", dir, d.deadWith)
	}
}

func (d *DB) options(o Options, room Room, readOnly bool) *pebble.Options {
	opts := &pebble.Options{
		FS:                          roomy{o.FS, d},
		Logger:                      logger{d},
		EventListener:               d.listener(),
		CacheSize:                   o.CacheBytes,
		FormatMajorVersion:          pebble.FormatNewest,
		MemTableSize:                room.table(),
		MemTableStopWritesThreshold: 3,
		MaxOpenFiles:                200,
		ReadOnly:                    readOnly,
	}
	Layout(opts)
	return opts
}

// Layout sets how the tables of a store lie on the disk. A block of Pebble's usual 4 KB
// holds few records and has little to repeat; of blocks longer than these, who reads one
// row reads too much. Zstandard would save another quarter of the disk, but a person who
// is not in memory would cost three times 15 µs more.
func Layout(o *pebble.Options) {
	for i := range o.Levels {
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
		o.Levels[i].BlockSize = 16 << 10
	}
}

// recover finds the last position. What Pebble has read from the log may have
// reached the disk only in part, so it is made durable before anyone sees it.
func (d *DB) recover(dir string, found logs) error {
	if found.changes > 0 {
		if err := d.attempt(d.pebble.Flush); err != nil {
			return fmt.Errorf("embedded: flush %s: %w", dir, err)
		}
	}
	if err := d.checkWatermark(dir, found); err != nil {
		return err
	}
	d.mark.position, d.mark.watermark.position = d.last, d.last
	return nil
}

// checkWatermark sets last, and returns an error if it is not what the watermark says.
func (d *DB) checkWatermark(dir string, found logs) error {
	last, err := d.lastPosition()
	if err != nil {
		return fmt.Errorf("embedded: %s: last position: %w", dir, err)
	}
	if last < found.watermark.position {
		return &CorruptError{File: found.watermarkFile, Err: fmt.Errorf(
			"record %d was durable, but the last that can be read is %d", found.watermark.position, last)}
	}
	d.last = last
	return nil
}

func (d *DB) lastPosition() (last eventstore.Position, err error) {
	it, err := d.pebble.NewIter(&pebble.IterOptions{LowerBound: []byte{'r'}, UpperBound: []byte{'s'}})
	if err != nil {
		return 0, err
	}
	defer closeInto(it, &err)
	if it.Last() {
		return parseRecordKey(it.Key())
	}
	return 0, it.Error()
}

// Store returns the records of d.
func (d *DB) Store() eventstore.Joint { return store{d} }

// Rows returns the rows of d, which lie beside its records.
func (d *DB) Rows() eventstore.Rows { return rows{d} }
