package transparency

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"slices"
	"sort"

	"consentledger/eventstore"
	"consentledger/projections/transparency/merkle"
)

// The file of a run is
//
//	runHeader
//	a row for each of its 256 bundles: the position of its first record, where
//	its deltas end, and a checksum of the position and the deltas
//	a row for each of its 65,536 records, in their order: the first four bytes
//	of the id, and the place in the run
//	the deltas of the bundles: how far each record's position lies behind the
//	one before, as uvarints
const (
	runHeader = "consentledger index v1\n"

	bundleRow   = 8 + 4 + 4
	idRow       = 4 + 2
	idsBegin    = len(runHeader) + runLength/merkle.Width*bundleRow
	deltasBegin = idsBegin + runLength*idRow
)

// formatRun returns the file of a run.
func formatRun(ids []eventstore.EventID, positions []eventstore.Position) []byte {
	run := append(make([]byte, 0, deltasBegin+2*runLength), runHeader...)
	var deltas []byte
	for bundle := range slices.Chunk(positions, merkle.Width) {
		begin := len(deltas)
		for i := range bundle[1:] {
			deltas = binary.AppendUvarint(deltas, uint64(bundle[i+1]-bundle[i]))
		}
		run = binary.BigEndian.AppendUint64(run, uint64(bundle[0]))
		run = binary.BigEndian.AppendUint32(run, uint32(len(deltas)))
		run = binary.BigEndian.AppendUint32(run, bundleSum(uint64(bundle[0]), deltas[begin:]))
	}

	rows := make([]uint64, len(ids))
	for place, id := range ids {
		rows[place] = uint64(binary.BigEndian.Uint32(id[:]))<<16 | uint64(place)
	}
	slices.Sort(rows)
	for _, row := range rows {
		run = binary.BigEndian.AppendUint32(run, uint32(row>>16))
		run = binary.BigEndian.AppendUint16(run, uint16(row))
	}
	return append(run, deltas...)
}

func bundleSum(first uint64, deltas []byte) uint32 {
	sum := crc32.Checksum(binary.BigEndian.AppendUint64(nil, first), castagnoli)
	return crc32.Update(sum, castagnoli, deltas)
}

var errIndexDamaged = errors.New("the index is damaged")

// readPlaces returns the positions of n records of a run from a place on. They
// are of one bundle.
func readPlaces(name string, place, n int) ([]eventstore.Position, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()

	// The deltas begin where those of the bundle before end.
	var rows [2 * bundleRow]byte
	bundle := place / merkle.Width
	before := rows[:bundleRow]
	row := rows[bundleRow:]
	if bundle == 0 {
		_, err = f.ReadAt(row, int64(len(runHeader)))
	} else {
		_, err = f.ReadAt(rows[:], int64(len(runHeader)+(bundle-1)*bundleRow))
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", name, errIndexDamaged, err)
	}
	begin, end := binary.BigEndian.Uint32(before[8:]), binary.BigEndian.Uint32(row[8:])
	if end < begin || end-begin > merkle.Width*binary.MaxVarintLen64 {
		return nil, fmt.Errorf("%s: %w: bundle %d has no deltas", name, errIndexDamaged, bundle)
	}
	deltas := make([]byte, end-begin)
	if _, err := f.ReadAt(deltas, int64(deltasBegin)+int64(begin)); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", name, errIndexDamaged, err)
	}

	at := binary.BigEndian.Uint64(row)
	if bundleSum(at, deltas) != binary.BigEndian.Uint32(row[12:]) {
		return nil, fmt.Errorf("%s: %w: the checksum of bundle %d is another", name, errIndexDamaged, bundle)
	}
	positions := []eventstore.Position{eventstore.Position(at)}
	for len(deltas) > 0 {
		delta, size := binary.Uvarint(deltas)
		if size <= 0 {
			break
		}
		at, deltas = at+delta, deltas[size:]
		positions = append(positions, eventstore.Position(at))
	}
	if len(positions) != merkle.Width {
		return nil, fmt.Errorf("%s: %w: bundle %d has %d records", name, errIndexDamaged, bundle, len(positions))
	}
	return positions[place%merkle.Width:][:n], nil
}

// searchRun returns the places in a run of the records whose ids begin as id
// does: nearly always one or none.
func searchRun(name string, id eventstore.EventID) ([]int64, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()

	// Ids are evenly spread: the window around the first guess nearly always
	// holds all that begin alike.
	prefix := binary.BigEndian.Uint32(id[:])
	guess := int(prefix >> 16)
	for _, window := range []struct{ from, to int }{{guess - 1024, guess + 1024}, {0, runLength}} {
		from, to := max(0, window.from), min(runLength, window.to)
		rows := make([]byte, (to-from)*idRow)
		if _, err := f.ReadAt(rows, int64(idsBegin+from*idRow)); err != nil {
			return nil, fmt.Errorf("%s: %w: %w", name, errIndexDamaged, err)
		}
		n := len(rows) / idRow
		at := func(i int) uint32 { return binary.BigEndian.Uint32(rows[i*idRow:]) }
		lo := sort.Search(n, func(i int) bool { return at(i) >= prefix })
		hi := lo + sort.Search(n-lo, func(i int) bool { return at(lo+i) > prefix })
		if lo == 0 && from > 0 || hi == n && to < runLength {
			continue // there may be more outside the window
		}
		var places []int64
		for i := lo; i < hi; i++ {
			places = append(places, int64(binary.BigEndian.Uint16(rows[i*idRow+4:])))
		}
		return places, nil
	}
	return nil, nil
}
