package transparency

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"consentledger/eventstore"
)

// An index finds the records of one app's log: by what they are called, and
// where they lie in the store. On disk it is a cache:
//
//	index/<run>         of 65,536 records their positions and ids, about seven bytes a record
//	index/<run>.rows    of the records behind the last full run id, position and checksum
type index struct {
	dir     string
	settled int64 // the run whose rows are the only ones on disk; -1: not known

	mu        sync.Mutex
	size      int64                        // how many records are in it
	rows      []byte                       // of the rows file what was not written yet
	positions []eventstore.Position        // of the records that are in no run yet
	recent    map[eventstore.EventID]int64 // the places of the same records
}

// runLength is how many records a run has.
const runLength = 1 << 16

// rowSize is that of an id, a position and a checksum.
const rowSize = 16 + 8 + 4

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// openIndex opens the index of the log in dir as it was with so many records.
func openIndex(dir string, size int64) (*index, error) {
	x := &index{dir: filepath.Join(dir, "index"), settled: -1, size: size, recent: map[eventstore.EventID]int64{}}
	if size == 0 {
		return x, os.MkdirAll(x.dir, 0o700)
	}
	if err := convertIndex(dir, size); err != nil {
		return nil, err
	}

	first := size / runLength * runLength
	if first == size {
		return x, nil
	}
	f, err := os.Open(x.rowsFile())
	if err != nil {
		return nil, err
	}
	defer f.Close()
	rows := make([]byte, (size-first)*rowSize)
	if _, err := f.ReadAt(rows, 0); err != nil {
		return nil, fmt.Errorf("%s ends before record %d: %w", f.Name(), size-1, err)
	}
	for i := first; i < size; i, rows = i+1, rows[rowSize:] {
		id, at, ok := parseRow(rows)
		if !ok {
			return nil, fmt.Errorf("%s: the row of record %d is damaged", f.Name(), i)
		}
		x.positions = append(x.positions, at)
		x.recent[id] = i
	}
	return x, nil
}

func (x *index) rowsFile() string { return x.runFile(x.size/runLength) + ".rows" }

func (x *index) runFile(n int64) string { return filepath.Join(x.dir, filepath.Base(runName(n))) }

func runName(n int64) string { return fmt.Sprintf("index/%06d", n) }

// appendRow appends the row that parseRow reads.
func appendRow(rows []byte, id eventstore.EventID, at eventstore.Position) []byte {
	begin := len(rows)
	rows = binary.BigEndian.AppendUint64(append(rows, id[:]...), uint64(at))
	return binary.BigEndian.AppendUint32(rows, crc32.Checksum(rows[begin:], castagnoli))
}

func parseRow(row []byte) (eventstore.EventID, eventstore.Position, bool) {
	same := crc32.Checksum(row[:24], castagnoli) == binary.BigEndian.Uint32(row[24:])
	return eventstore.EventID(row), eventstore.Position(binary.BigEndian.Uint64(row[16:])), same
}

// add adds the next record.
func (x *index) add(id eventstore.EventID, at eventstore.Position) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.rows = appendRow(x.rows, id, at)
	x.positions = append(x.positions, at)
	x.recent[id] = x.size
	if x.size++; x.size%runLength != 0 {
		return nil
	}

	ids := make([]eventstore.EventID, runLength)
	for id, i := range x.recent {
		ids[i%runLength] = id
	}
	if err := writeTile(x.runFile(x.size/runLength-1), formatRun(ids, x.positions)); err != nil {
		return err
	}
	// The rows on disk stay until [index.settle]: an older state may need them.
	clear(x.recent)
	x.rows, x.positions = x.rows[:0], x.positions[:0]
	return nil
}

// flush writes what is not in the rows file yet.
func (x *index) flush() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.rows) == 0 {
		return nil
	}

	f, err := os.OpenFile(x.rowsFile(), os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}

	_, err = f.WriteAt(x.rows, x.size%runLength*rowSize-int64(len(x.rows)))
	if err = errors.Join(err, f.Close()); err == nil {
		x.rows = x.rows[:0]
	}
	return err
}

// settle removes the rows that no state needs any more: the one on disk is of
// the index's size.
func (x *index) settle() error {
	if x.settled == x.size/runLength {
		return nil
	}

	names, err := filepath.Glob(filepath.Join(x.dir, "*.rows"))
	if err != nil {
		return err
	}

	for _, name := range names {
		if name == x.rowsFile() {
			continue
		}
		if err := os.Remove(name); err != nil {
			return err
		}
	}

	x.settled = x.size / runLength
	return nil
}

// places returns where n records in a row lie in the store. They are of one
// bundle, and the index has them.
func (x *index) places(first int64, n int) ([]eventstore.Position, error) {
	x.mu.Lock()
	if begin := x.size / runLength * runLength; first >= begin {
		defer x.mu.Unlock()
		return slices.Clone(x.positions[first-begin:][:n]), nil
	}
	x.mu.Unlock()
	return readPlaces(x.runFile(first/runLength), int(first%runLength), n)
}

// find returns the place of a record, and whether it has one. Runs have only the
// beginning of an id: is says whether the record at a place is the one.
func (x *index) find(id eventstore.EventID, is func(place int64) (bool, error)) (int64, bool, error) {
	x.mu.Lock()
	place, ok := x.recent[id]
	runs := x.size / runLength
	x.mu.Unlock()
	if ok {
		return place, true, nil
	}

	for n := runs - 1; n >= 0; n-- { // the newest are asked for most
		places, err := searchRun(x.runFile(n), id)
		if err != nil {
			return 0, false, err
		}
		for _, i := range places {
			if found, err := is(n*runLength + i); err != nil || found {
				return n*runLength + i, found, err
			}
		}
	}
	return 0, false, nil
}

// convertIndex makes the index of a log from the two files of an older program,
// and removes them:
//
//	records      of every record its id and position, 24 bytes
//	ids/<run>    the ids of 65,536 records in their order, each with its place
func convertIndex(dir string, size int64) error {
	old, made := filepath.Join(dir, "records"), filepath.Join(dir, "index")
	rows, err := os.ReadFile(old)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}

	if _, err := os.Stat(made); errors.Is(err, fs.ErrNotExist) {
		if err := convertRows(made, rows, size); err != nil {
			return fmt.Errorf("%s: %w", old, err)
		}
	}
	return errors.Join(os.RemoveAll(filepath.Join(dir, "ids")), os.Remove(old))
}

func convertRows(made string, rows []byte, size int64) error {
	const oldRow = 16 + 8
	if int64(len(rows)) < size*oldRow {
		return fmt.Errorf("it is shorter than %d records", size)
	}

	x := &index{dir: made + ".next", recent: map[eventstore.EventID]int64{}}
	if err := errors.Join(os.RemoveAll(x.dir), os.MkdirAll(x.dir, 0o700)); err != nil {
		return err
	}

	last := eventstore.Position(0)
	for i := range size {
		row := rows[i*oldRow:]
		at := eventstore.Position(binary.BigEndian.Uint64(row[16:]))
		if at <= last {
			return fmt.Errorf("record %d is at position %d, and the one before at %d", i, at, last)
		}
		if err := x.add(eventstore.EventID(row), at); err != nil {
			return err
		}
		last = at
	}
	return errors.Join(x.flush(), os.Rename(x.dir, made))
}
