package transparency

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"consentledger/eventstore"
)

// An index finds the records of one app's log by what they are called. It is
// two things on disk, a cache both:
//
//	records      of every record its id and position, 24 bytes
//	ids/<run>    the ids of 65,536 records in their order, each with its place
type index struct {
	dir string

	mu     sync.Mutex
	size   int64                        // how many records are in it
	tail   []byte                       // of the records file what was not written yet
	recent map[eventstore.EventID]int64 // the records that are in no run yet
}

const (
	recordSize = 16 + 8
	idSize     = 16 + 4
	runLength  = 1 << 16
	placeBits  = runLength - 1
)

// openIndex opens the index in dir as it was with so many records.
func openIndex(dir string, size int64) (*index, error) {
	x := &index{dir: dir, size: size, recent: map[eventstore.EventID]int64{}}
	if size == 0 {
		return x, nil
	}
	f, err := os.OpenFile(x.records(), os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || info.Size() < size*recordSize {
		return nil, errors.Join(err, fmt.Errorf("%s is shorter than %d records", x.records(), size))
	}
	if err := f.Truncate(size * recordSize); err != nil {
		return nil, err
	}
	first := size / runLength * runLength
	rows := make([]byte, (size-first)*recordSize)
	if _, err := f.ReadAt(rows, first*recordSize); err != nil {
		return nil, err
	}
	for i := range size - first {
		x.recent[eventstore.EventID(rows[i*recordSize:])] = first + i
	}
	return x, nil
}

func (x *index) records() string { return filepath.Join(x.dir, "records") }

func (x *index) run(n int64) string { return filepath.Join(x.dir, runName(n)) }

func runName(n int64) string { return fmt.Sprintf("ids/%06d", n) }

// add adds the next record.
func (x *index) add(id eventstore.EventID, at eventstore.Position) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.tail = append(x.tail, id[:]...)
	x.tail = binary.BigEndian.AppendUint64(x.tail, uint64(at))
	x.recent[id] = x.size
	if x.size++; x.size%runLength != 0 {
		return nil
	}
	ids := make([]eventstore.EventID, runLength)
	for id, i := range x.recent {
		ids[i%runLength] = id
	}
	if err := writeTile(x.run(x.size/runLength-1), sortedRun(ids)); err != nil {
		return err
	}
	clear(x.recent)
	return nil
}

// sortedRun returns the bytes of a run. It sorts numbers: the first 48 bits of
// an id and its place. Few ids have those in common.
func sortedRun(ids []eventstore.EventID) []byte {
	keys := make([]uint64, len(ids))
	for i, id := range ids {
		keys[i] = binary.BigEndian.Uint64(id[:])&^placeBits | uint64(i)
	}
	slices.Sort(keys)
	run := make([]byte, 0, len(ids)*idSize)
	for len(keys) > 0 {
		n := 1
		for n < len(keys) && keys[n]&^placeBits == keys[0]&^placeBits {
			n++
		}
		if n > 1 {
			slices.SortFunc(keys[:n], func(a, b uint64) int { return bytes.Compare(ids[a&placeBits][:], ids[b&placeBits][:]) })
		}
		for _, k := range keys[:n] {
			run = binary.BigEndian.AppendUint32(append(run, ids[k&placeBits][:]...), uint32(k&placeBits))
		}
		keys = keys[n:]
	}
	return run
}

// flush writes what is not in the records file yet.
func (x *index) flush() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.tail) == 0 {
		return nil
	}
	f, err := os.OpenFile(x.records(), os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(x.tail, x.size*recordSize-int64(len(x.tail)))
	if err = errors.Join(err, f.Close()); err == nil {
		x.tail = x.tail[:0]
	}
	return err
}

// find returns the place of a record, and whether it has one.
func (x *index) find(id eventstore.EventID) (int64, bool, error) {
	x.mu.Lock()
	place, ok := x.recent[id]
	runs := x.size / runLength
	x.mu.Unlock()
	for n := runs - 1; n >= 0 && !ok; n-- { // the newest are asked for most
		i, found, err := search(x.run(n), id)
		if err != nil {
			return 0, false, err
		}
		place, ok = n*runLength+i, found
	}
	return place, ok, nil
}

// search looks for an id in a run. Ids are evenly spread, so that the first
// guess is near.
func search(name string, id eventstore.EventID) (int64, bool, error) {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, false, fmt.Errorf("%s is gone: it comes back when the tree is built again", name)
	}
	if err != nil {
		return 0, false, err
	}
	defer f.Close()
	// The window around the guess nearly always holds the id, if any does.
	guess := int(binary.BigEndian.Uint16(id[:]))
	for _, window := range []struct{ from, to int }{{guess - 1024, guess + 1024}, {0, runLength}} {
		from, to := max(0, window.from), min(runLength, window.to)
		rows := make([]byte, (to-from)*idSize)
		if _, err := f.ReadAt(rows, int64(from*idSize)); err != nil && err != io.EOF {
			return 0, false, err
		}
		if i, found := searchRows(rows, id); found {
			return i, true, nil
		}
		if to > from && bytes.Compare(rows[:16], id[:]) < 0 && bytes.Compare(rows[len(rows)-idSize:len(rows)-4], id[:]) > 0 {
			return 0, false, nil // it would be here
		}
	}
	return 0, false, nil
}

func searchRows(rows []byte, id eventstore.EventID) (int64, bool) {
	lo, hi := 0, len(rows)/idSize
	for lo < hi {
		mid := (lo + hi) / 2
		row := rows[mid*idSize:]
		switch bytes.Compare(row[:16], id[:]) {
		case 0:
			return int64(binary.BigEndian.Uint32(row[16:])), true
		case -1:
			lo = mid + 1
		case 1:
			hi = mid
		}
	}
	return 0, false
}
