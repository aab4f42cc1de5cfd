package transparency

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"consentledger/domain/ident"
	"consentledger/eventstore"
	"consentledger/projections/transparency/merkle"
)

// ask asks for the bundle n of the app demo, of a tree of a size.
func (s *site) ask(n, size int64) ([]byte, error) {
	return s.log.Tile(s.t.Context(), "demo", merkle.At(-1, n, size))
}

// TestWhatWasNotSignedIsNotServed: whatever happens to a record in the store
// while the logs run, it is never given out as if it had been signed. Whoever asks
// for it finds out, and the server is told. What was not touched can still be had.
func TestWhatWasNotSignedIsNotServed(t *testing.T) {
	last := func(s *shelf) { s.records[699].Data = []byte("not this") }
	for name, c := range map[string]struct {
		tamper func(*shelf)
		index  int64 // of a record that is another since
	}{
		"changed":               {tampers["changed"], 400},
		"swapped":               {tampers["swapped"], 401},
		"moved":                 {tampers["removed"], 450},
		"slipped in before it":  {tampers["inserted"], 400},
		"changed at the edge":   {last, 699},
		"a byte of it":          {func(s *shelf) { s.records[300].Data = bytes.Clone(s.records[300].Data); s.records[300].Data[7] ^= 1 }, 300},
		"all its bytes":         {func(s *shelf) { s.records[0].Data = nil }, 0},
		"gone from its place":   {func(s *shelf) { s.records = append(s.records[:300:300], s.records[301:]...) }, 300},
		"gone from the end":     {func(s *shelf) { s.records = s.records[:699] }, 699},
		"its place is another":  {func(s *shelf) { s.records[300].Position++ }, 300},
		"of another app, moved": {func(s *shelf) { s.records[300].Data = []byte("of the other app") }, 300},
	} {
		for _, how := range []string{"bundle", "proof"} {
			t.Run(name+", "+how, func(t *testing.T) {
				s := filled(t, 700)
				s.start()
				s.covered("demo")
				s.shelf.mu.Lock()
				c.tamper(s.shelf)
				s.shelf.mu.Unlock()

				var err error
				if how == "bundle" {
					_, err = s.ask(c.index/merkle.Width, 700)
				} else {
					_, err = s.log.Proof(t.Context(), "demo", c.index)
				}
				if _, is := errors.AsType[*FaultError](err); !is {
					t.Errorf("asked for record %d: %v", c.index, err)
				}
				if fault, is := errors.AsType[*FaultError](s.failed()); !is || fault.App != "demo" {
					t.Errorf("the logs go on: %v", fault)
				}
				if s.end(); len(s.halted) == 0 {
					t.Error("the server was not told")
				}
				if _, err := s.ask(2, 700); c.index < 512 && name != "moved" && name != "slipped in before it" && name != "gone from its place" && err != nil {
					t.Errorf("what was not touched: %v", err)
				}
			})
		}
	}
}

// TestFilesDamagedMeanwhile: a file of a log that runs is damaged or gone.
// Whoever comes upon it is told to ask again, and it is built again from the
// store. Nobody is accused. After each case the log is as it was, and the next has it.
func TestFilesDamagedMeanwhile(t *testing.T) {
	s := filled(t, 66_000)
	want := s.everything()
	flip := func(b []byte) []byte { b[40] ^= 1; return b }
	flipFirstRow := func(b []byte) []byte { b[len(runHeader)+7] ^= 1; return b }
	for name, c := range map[string]struct {
		file   string
		change func([]byte) []byte // nil: it is removed
		ask    func(s *site) error
	}{
		"a tile flipped": {"tile/0/001", flip, func(s *site) error { _, err := s.ask(1, 66_000); return err }},
		"a tile cut":     {"tile/0/001", func(b []byte) []byte { return b[:100] }, func(s *site) error { _, err := s.ask(1, 66_000); return err }},
		"a tile gone":    {"tile/0/001", nil, func(s *site) error { _, err := s.ask(1, 66_000); return err }},
		"a tile gone, asked": {"tile/0/001", nil, func(s *site) error {
			_, err := s.log.Tile(s.t.Context(), "demo", merkle.Tile{H: 8, N: 1, W: 256})
			return err
		}},
		"the index flipped":     {"index/000000", flipFirstRow, func(s *site) error { _, err := s.ask(0, 66_000); return err }},
		"the index cut":         {"index/000000", func(b []byte) []byte { return b[:100] }, func(s *site) error { _, err := s.ask(7, 66_000); return err }},
		"the index gone":        {"index/000000", nil, func(s *site) error { _, err := s.log.Proof(s.t.Context(), "demo", 7); return err }},
		"the index gone, an id": {"index/000000", nil, func(s *site) error { _, err := s.log.Find(s.t.Context(), "demo", idOf(7)); return err }},
		"the index cut, an id":  {"index/000000", func(b []byte) []byte { return b[:100] }, func(s *site) error { _, err := s.log.Find(s.t.Context(), "demo", idOf(7)); return err }},
	} {
		t.Run(name, func(t *testing.T) {
			s.t = t
			s.start()
			s.covered("demo")
			file := filepath.Join(s.dir, "tiles", "demo", c.file)
			if c.change == nil {
				os.Remove(file)
			} else {
				b, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				os.WriteFile(file, c.change(b), 0o600)
			}
			if err := c.ask(s); !errors.Is(err, ErrNotReady) {
				t.Errorf("asked: %v", err)
			}
			s.whole(want)
			if err := s.log.Await(t.Context(), func() error { return c.ask(s) }); err != nil {
				t.Errorf("asked again: %v", err)
			}
			if s.end(); len(s.halted) > 0 {
				t.Errorf("halted by %v", s.halted)
			}
		})
	}
}

// A brokenShelf cannot be read at some place.
type brokenShelf struct {
	*shelf
	broken atomic.Bool
}

var errBroken = errors.New("record 801: bad sector")

func (s *brokenShelf) ReadAt(ctx context.Context, positions ...eventstore.Position) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		for r, err := range s.shelf.ReadAt(ctx, positions...) {
			if s.broken.Load() && r.Position == 801 {
				yield(eventstore.Recorded{}, errBroken)
				return
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

// TestUnreadableStoreStops: a record that cannot be read is not skipped: nothing
// more is signed, and whoever looks is told why.
func TestUnreadableStoreStops(t *testing.T) {
	s := filled(t, 700)
	b := &brokenShelf{shelf: s.shelf}
	if err := s.open(); err != nil {
		t.Fatal(err)
	}
	s.log.Records = b
	s.run()
	s.covered("demo")
	b.broken.Store(true)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.log.Tile(gone, "demo", merkle.At(-1, 1, 700)); err == nil {
		t.Error("somebody who is gone was answered")
	}
	if _, err := s.log.Covered(); err != nil {
		t.Errorf("somebody who is gone stopped the logs: %v", err)
	}
	if _, err := s.ask(1, 700); !errors.Is(err, errBroken) {
		t.Errorf("asked: %v", err)
	}
	if err := s.failed(); !errors.Is(err, errBroken) {
		t.Errorf("stopped by %v", err)
	}
	s.end()
}

// TestManyReadersAtOnce: bundles are asked for by many at once, of every width,
// while the log grows.
func TestManyReadersAtOnce(t *testing.T) {
	s := newSite(t)
	s.shelf.add("demo", numbered(0, 65_400)...)
	s.start()
	s.covered("demo")
	var workers sync.WaitGroup
	for k := range 12 {
		workers.Go(func() {
			for i := range 60 {
				size := s.checkpoint("demo").Size
				n := (size/merkle.Width*int64(k) + int64(i)) % (size/merkle.Width + 1)
				tile := merkle.At(-1, n, size)
				if tile.W == 0 {
					continue
				}
				bundle, err := s.log.Tile(t.Context(), "demo", tile)
				var want []byte
				for _, record := range numbered(n*merkle.Width, n*merkle.Width+int64(tile.W)) {
					want = merkle.AppendEntry(want, record)
				}
				if err != nil || !bytes.Equal(bundle, want) {
					t.Errorf("%s is not its records: %v", merkle.Path(tile), err)
				}
			}
		})
	}
	for i := int64(65_400); i < 66_000; i += 3 { // over the end of a run
		s.shelf.add("demo", numbered(i, i+3)...)
	}
	workers.Wait()
	s.covered("demo")
	s.end()
}

// TestReadersWaitTheirTurn: no more than some have records read for them at once,
// and whoever does not want to wait need not.
func TestReadersWaitTheirTurn(t *testing.T) {
	s := filled(t, 300)
	s.start()
	s.covered("demo")
	for range readersLimit {
		s.log.readers <- struct{}{}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := s.log.Tile(ctx, "demo", merkle.At(-1, 0, 300)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("one too many: %v", err)
	}
	<-s.log.readers
	if _, err := s.ask(0, 300); err != nil {
		t.Errorf("one less: %v", err)
	}
	s.end()
}

// TestNothingIsReadAgain: whoever starts reads one record that was signed before,
// the last, and those that were not. It is so after an orderly end and after a
// kill, whatever the sizes, and with many apps. Only Check reads the rest.
func TestNothingIsReadAgain(t *testing.T) {
	for _, size := range []int64{1, 256, 700, 65_536, 66_000} {
		for _, more := range []int64{0, 1, 300} {
			for _, killed := range []bool{false, true} {
				if size > 1000 && (more != 1 || !killed) {
					continue // takes long, and is no other way
				}
				t.Run(fmt.Sprintf("%d and %d, killed %t", size, more, killed), func(t *testing.T) {
					s := newSite(t)
					s.shelf.add("demo", numbered(0, size)...)
					for i := range 5 {
						s.shelf.add(fmt.Sprint("app", i), numbered(0, 3)...)
					}
					s.start()
					s.covered("demo")
					at := s.dir
					if killed { // what lies there then is all that is left
						at = t.TempDir()
						if err := os.CopyFS(at, os.DirFS(s.dir)); err != nil {
							t.Fatal(err)
						}
						os.Chmod(filepath.Join(at, "keep", "demo.key"), 0o600)
						for i := range 5 {
							os.Chmod(filepath.Join(at, "keep", fmt.Sprintf("app%d.key", i)), 0o600)
						}
					}
					s.end()
					s.dir = at
					s.shelf.add("demo", numbered(size, size+more)...)
					s.shelf.counts()

					s.start()
					if c := s.covered("demo"); c.Size != size+more {
						t.Errorf("covered %d records", c.Size)
					}
					if followed, read, looked := s.shelf.counts(); int64(followed) != more || read != 0 || looked > 1 {
						t.Errorf("%d records were followed, %d read, %d looked at; want %d, 0 and 1 at most", followed, read, looked, more)
					}
					if n, err := s.log.Check(t.Context()); err != nil || n != size+15 {
						t.Errorf("checked %d records: %v", n, err)
					}
					s.end()
				})
			}
		}
	}
}

// TestAnotherLastRecord: the store was exchanged for another of the same length
// while nobody looked: the first look finds out.
func TestAnotherLastRecord(t *testing.T) {
	for name, tamper := range map[string]func(*shelf){
		"changed": tampers["changed at the edge"],
		"moved":   func(s *shelf) { s.records[699].Position++ },
	} {
		t.Run(name, func(t *testing.T) {
			s := filled(t, 700)
			before := s.signedNow()
			tamper(s.shelf)
			s.start()
			if fault, is := errors.AsType[*FaultError](s.failed()); !is || fault.App != ident.AppName("demo") {
				t.Errorf("the logs go on: %v", fault)
			}
			if s.end(); len(s.halted) == 0 || s.signedNow() != before {
				t.Errorf("halted by %v", s.halted)
			}
		})
	}
}
