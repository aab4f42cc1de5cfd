package transparency

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"consentledger/domain/ident"
	"consentledger/eventstore"
	"consentledger/projections/transparency/merkle"
)

// idsAlike are ids whose first bytes are the same.
func idsAlike(n, same int) []eventstore.EventID {
	ids := make([]eventstore.EventID, n)
	for i := range ids {
		ids[i] = idOf(i)
		clear(ids[i][:same])
		binary.BigEndian.PutUint32(ids[i][12:], uint32(i)*2654435761) // no two are alike
	}
	return ids
}

// TestIndex: every record is found by its id and at its place, in the runs that
// are full and behind them, at every size where the index was left, whether or
// not ids begin alike and however far apart the records lie.
func TestIndex(t *testing.T) {
	for name, c := range map[string]struct {
		same int                 // bytes that all ids begin with
		gap  eventstore.Position // at most between two records
		size int
	}{
		"as ours are":       {0, 3, 2*runLength + 700},
		"a run exactly":     {0, 1, runLength},
		"no run yet":        {0, 1 << 40, 300},
		"alike":             {2, 1, runLength + 1},
		"alike to the last": {12, 1, 600},
		"far apart":         {0, 1 << 40, runLength + 300},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			ids, positions := idsAlike(c.size, c.same), make([]eventstore.Position, c.size)
			x, err := openIndex(dir, 0)
			if err != nil {
				t.Fatal(err)
			}
			at, random := eventstore.Position(0), rand.New(rand.NewPCG(1, 2))
			for i, id := range ids {
				at += 1 + eventstore.Position(random.Uint64N(uint64(c.gap)))
				positions[i] = at
				if err := x.add(id, at); err != nil {
					t.Fatal(err)
				}
				if i%9973 == 0 || i == c.size-1 {
					if err := errors.Join(x.flush(), x.settle()); err != nil {
						t.Fatal(err)
					}
					if x, err = openIndex(dir, int64(i)+1); err != nil {
						t.Fatal(err)
					}
				}
			}
			for n := 0; n < 500; n++ {
				i := random.IntN(c.size)
				place, found, err := x.find(ids[i], func(place int64) (bool, error) { return ids[place] == ids[i], nil })
				if err != nil || !found || place != int64(i) {
					t.Fatalf("record %d is found at %d: %t, %v", i, place, found, err)
				}
				first := i / merkle.Width * merkle.Width
				have := min(merkle.Width, c.size-first)
				got, err := x.places(int64(i), first+have-i)
				if err != nil || !slices.Equal(got, positions[i:first+have]) {
					t.Fatalf("record %d and those behind it in the bundle are at %d, %v", i, got, err)
				}
			}
			other := idOf(c.size + 1)
			if place, found, err := x.find(other, func(int64) (bool, error) { return false, nil }); found || err != nil {
				t.Errorf("a record that is not there is found at %d, %v", place, err)
			}
			if names, _ := filepath.Glob(filepath.Join(dir, "index", "*.rows")); len(names) > 1 {
				t.Errorf("rows that nobody needs: %v", names)
			}
		})
	}
}

// TestIndexIsSmall: it has a few bytes a record.
func TestIndexIsSmall(t *testing.T) {
	positions := make([]eventstore.Position, runLength)
	for i := range positions {
		positions[i] = eventstore.Position(3 * i) // two other apps record as much
	}
	if n := len(formatRun(idsAlike(runLength, 0), positions)); n > 7*runLength+1<<13 {
		t.Errorf("%d bytes for %d records", n, runLength)
	}
}

// TestStateBehindTheIndex: the process died when a run was full and the state
// was older: the rows of that run are still there.
func TestStateBehindTheIndex(t *testing.T) {
	dir := t.TempDir()
	x, err := openIndex(dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	ids := idsAlike(runLength+10, 0)
	for i, id := range ids {
		if i == runLength-5 {
			if err := errors.Join(x.flush(), x.settle()); err != nil {
				t.Fatal(err)
			}
		}
		if err := x.add(id, eventstore.Position(i+1)); err != nil {
			t.Fatal(err)
		}
	}
	if err := x.flush(); err != nil {
		t.Fatal(err)
	}
	if x, err = openIndex(dir, runLength-5); err != nil {
		t.Fatal(err)
	}
	if got, err := x.places(runLength-6, 1); err != nil || got[0] != runLength-5 {
		t.Errorf("the last record is at %d, %v", got, err)
	}
	for i := runLength - 5; i < len(ids); i++ {
		if err := x.add(ids[i], eventstore.Position(i+1)); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := x.places(runLength+9, 1); err != nil || got[0] != runLength+10 {
		t.Errorf("when it has grown again the last record is at %d, %v", got, err)
	}
}

// TestDamagedRun: a byte of what says where records lie is another, and no wrong
// place is told.
func TestDamagedRun(t *testing.T) {
	dir := t.TempDir()
	x, err := openIndex(dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	for i, id := range idsAlike(runLength, 0) {
		if err := x.add(id, eventstore.Position(1+700*i)); err != nil {
			t.Fatal(err)
		}
	}
	whole, err := os.ReadFile(x.runFile(0))
	if err != nil {
		t.Fatal(err)
	}
	row := len(runHeader) + 7*bundleRow
	deltas := deltasBegin + int(binary.BigEndian.Uint32(whole[row-bundleRow+8:]))
	for _, at := range []int{row, row + 7, row + 8, row + 11, row + 12, row + 15, row - 8, deltas, deltas + 1, deltas + 500} {
		for bit := range 8 {
			bad := bytes.Clone(whole)
			bad[at] ^= 1 << bit
			if err := os.WriteFile(x.runFile(0), bad, 0o600); err != nil {
				t.Fatal(err)
			}
			if got, err := x.places(7*merkle.Width, merkle.Width); !errors.Is(err, errIndexDamaged) {
				t.Fatalf("with byte %d changed it tells %d places, %v", at, len(got), err)
			}
		}
	}
}

// asBefore makes of the logs in a directory what a program kept that had the
// entry bundles as files: see [convertIndex].
func (s *site) asBefore(app ident.AppName) {
	s.t.Helper()
	dir := filepath.Join(s.dir, "tiles", string(app))
	write := func(path string, data []byte) {
		if err := writeTile(filepath.Join(dir, path), data); err != nil {
			s.t.Fatal(err)
		}
	}
	var bundle, rows []byte
	var run [][]byte
	size := int64(0)
	for _, r := range s.shelf.records {
		if !strings.HasPrefix(string(r.Stream), "subject-"+string(app)+"-") {
			continue
		}
		size++
		bundle = merkle.AppendEntry(bundle, r.Data)
		rows = binary.BigEndian.AppendUint64(append(rows, r.ID[:]...), uint64(r.Position))
		run = append(run, binary.BigEndian.AppendUint32(bytes.Clone(r.ID[:]), uint32(len(run))))
		if size%merkle.Width == 0 {
			write(merkle.Path(merkle.At(-1, size/merkle.Width-1, size)), bundle)
			bundle = nil
		}
		if len(run) == runLength {
			slices.SortFunc(run, bytes.Compare)
			write(fmt.Sprintf("ids/%06d", size/runLength-1), bytes.Join(run, nil))
			run = nil
		}
	}
	if t := merkle.At(-1, size/merkle.Width, size); t.W > 0 {
		write(merkle.Path(t), bundle)
	}
	write("records", rows)
	if err := os.RemoveAll(filepath.Join(dir, "index")); err != nil {
		s.t.Fatal(err)
	}
}

// TestOlderFilesGoOn: the files of an older program, entry bundles and an index
// in another form, are taken as they are: no record is read for that. Once the
// whole tree was checked the bundles are gone, and what is there is as if it had
// been made today.
func TestOlderFilesGoOn(t *testing.T) {
	s := filled(t, 66_000)
	want := s.everything()
	s.asBefore("demo")
	s.shelf.counts()
	s.start()
	c := s.covered("demo")
	if followed, read, looked := s.shelf.counts(); followed != 0 || read != 0 || looked > 1 {
		t.Errorf("%d records were followed, %d read, %d looked at", followed, read, looked)
	}
	for _, i := range []int64{0, 65_535, 65_536, 65_999} {
		if at, err := s.log.Find(t.Context(), "demo", idOf(int(i))); err != nil || at != i {
			t.Errorf("record %d is found at %d, %v", i, at, err)
		}
		if p, err := s.log.Proof(t.Context(), "demo", i); err != nil || !bytes.Equal(p.Extra, numbered(i, i+1)[0]) {
			t.Errorf("the proof of %d: %v", i, err)
		}
	}
	entries := filepath.Join(s.dir, "tiles", "demo", "tile", "entries")
	if _, err := os.Stat(entries); err != nil {
		t.Errorf("before the tree was checked: %v", err)
	}
	if n, err := s.log.Check(t.Context()); err != nil || n != c.Size {
		t.Errorf("checked %d records: %v", n, err)
	}
	s.end()
	if got := s.everything(); !maps.Equal(got, want) {
		t.Errorf("there are the files %v, want %v", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	}
}

// TestOlderFilesOfAnotherStore: entries that an older program kept stay where
// they are if the store does not hold the same: they are the evidence.
func TestOlderFilesOfAnotherStore(t *testing.T) {
	s := filled(t, 700)
	s.asBefore("demo")
	s.shelf.records[400].Data = []byte("not this")
	if err := s.open(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.log.Check(t.Context()); err == nil {
		t.Error("Check found nothing")
	}
	bundle, err := os.ReadFile(filepath.Join(s.dir, "tiles", "demo", merkle.Path(merkle.At(-1, 1, 700))))
	if err != nil || !bytes.Contains(bundle, numbered(400, 401)[0]) {
		t.Errorf("the evidence is gone: %v", err)
	}
}

// TestOlderIndexCutShort: an index of an older program that is not whole is built
// again.
func TestOlderIndexCutShort(t *testing.T) {
	for name, cut := range map[string]func(b []byte) []byte{
		"cut":      func(b []byte) []byte { return b[:len(b)-1] },
		"no order": func(b []byte) []byte { b[24*100+23] = 0; return b },
	} {
		t.Run(name, func(t *testing.T) {
			s := filled(t, 700)
			want := s.everything()
			s.asBefore("demo")
			file := filepath.Join(s.dir, "tiles", "demo", "records")
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, cut(b), 0o600); err != nil {
				t.Fatal(err)
			}
			s.start()
			s.whole(want)
			s.end()
		})
	}
}
