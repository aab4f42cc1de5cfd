package transparency

import (
	"cmp"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io/fs"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"consentledger/domain/ident"
	"consentledger/eventstore"
	"consentledger/eventstore/memory"
	"consentledger/projections/transparency/merkle"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// A shelf is records in memory, which a test may tamper with.
type shelf struct {
	mu      sync.Mutex
	records []eventstore.Recorded
	grown   chan struct{}
	slice   int // how many records Follow yields at once

	followed, read, looked int // records that were yielded by Follow, ReadAll and ReadAt
}

func (s *shelf) add(app string, data ...[]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range data {
		r := eventstore.Recorded{Stream: eventstore.Stream("subject-" + app + "-00ff"), Position: eventstore.Position(len(s.records)*2 + 1)}
		r.ID = idOf(len(s.records))
		r.Data = d
		s.records = append(s.records, r)
	}
	if s.grown != nil {
		close(s.grown)
	}
	s.grown = make(chan struct{})
}

// idOf returns ids that are spread as ours are.
func idOf(i int) (id eventstore.EventID) {
	r := rand.New(rand.NewPCG(1, uint64(i)))
	binary.BigEndian.PutUint64(id[:], r.Uint64())
	binary.BigEndian.PutUint64(id[8:], r.Uint64())
	return id
}

func (s *shelf) after(p eventstore.Position) ([]eventstore.Recorded, chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.grown == nil {
		s.grown = make(chan struct{})
	}
	return s.records[min(len(s.records), int(p+1)/2):], s.grown
}

func (s *shelf) Follow(ctx context.Context, after eventstore.Position) iter.Seq2[[]eventstore.Recorded, error] {
	return func(yield func([]eventstore.Recorded, error) bool) {
		for {
			some, grown := s.after(after)
			if len(some) == 0 {
				select {
				case <-grown:
					continue
				case <-ctx.Done():
					yield(nil, ctx.Err())
					return
				}
			}
			n := min(len(some), 1000)
			if s.slice > 0 {
				n = min(n, 1+rand.IntN(s.slice))
			}
			s.count(&s.followed, n)
			if !yield(some[:n], nil) {
				return
			}
			after = some[n-1].Position
		}
	}
}

func (s *shelf) ReadAll(ctx context.Context, after eventstore.Position) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		some, _ := s.after(after)
		for _, r := range some {
			s.count(&s.read, 1)
			if !yield(r, nil) {
				return
			}
		}
	}
}

func (s *shelf) ReadAt(ctx context.Context, positions ...eventstore.Position) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		all, _ := s.after(0)
		for _, at := range positions {
			i, there := slices.BinarySearchFunc(all, at, func(r eventstore.Recorded, at eventstore.Position) int { return cmp.Compare(r.Position, at) })
			if !there {
				continue
			}
			s.count(&s.looked, 1)
			if !yield(all[i], nil) {
				return
			}
		}
	}
}

func (s *shelf) count(n *int, more int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*n += more
}

// counts returns how many records were yielded so far by Follow, ReadAll and
// ReadAt, and begins to count anew.
func (s *shelf) counts() (followed, read, looked int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func() { s.followed, s.read, s.looked = 0, 0, 0 }()
	return s.followed, s.read, s.looked
}

func (s *shelf) Head(context.Context) (eventstore.Position, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.records) == 0 {
		return 0, nil
	}
	return s.records[len(s.records)-1].Position, nil
}

func numbered(from, to int64) (all [][]byte) {
	for i := from; i < to; i++ {
		all = append(all, binary.BigEndian.AppendUint64(nil, uint64(i)))
	}
	return all
}

// A site is a place for logs, and what runs there.
type site struct {
	t      *testing.T
	dir    string
	shelf  *shelf
	rows   memory.Rows
	log    *Log
	mu     sync.Mutex // of halted: a reader and Run may find the same fault at once
	halted []error
	stop   func()
}

func newSite(t *testing.T) *site {
	return &site{t: t, dir: t.TempDir(), shelf: &shelf{}}
}

func (s *site) open() error {
	register, err := OpenRegister(s.t.Context(), &s.rows)
	if err != nil {
		return err
	}
	keep, err := OpenKeep(filepath.Join(s.dir, "keep"), "example.com/logs", register)
	if err != nil {
		return err
	}
	s.log, err = Open(s.t.Context(), Config{
		Records: s.shelf, Keep: keep, Dir: filepath.Join(s.dir, "tiles"), Halt: s.halt,
	})
	return err
}

func (s *site) halt(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.halted = append(s.halted, err)
}

func (s *site) start() {
	s.t.Helper()
	if err := s.open(); err != nil {
		s.t.Fatal(err)
	}
	s.run()
}

func (s *site) run() {
	ctx, cancel := context.WithCancel(s.t.Context())
	done := make(chan error, 1)
	log := s.log
	go func() { done <- log.Run(ctx) }()
	s.stop = func() {
		cancel()
		<-done
	}
	s.t.Cleanup(s.end)
}

func (s *site) end() {
	if s.stop != nil {
		s.stop()
		s.stop = nil
	}
}

// covered waits until all is covered and returns the checkpoint of an app.
func (s *site) covered(app ident.AppName) merkle.Checkpoint {
	s.t.Helper()
	s.wait()
	return s.checkpoint(app)
}

// wait waits until all is covered.
func (s *site) wait() {
	s.t.Helper()
	head, _ := s.shelf.Head(s.t.Context())
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		at, err := s.log.Covered()
		if err != nil {
			s.t.Fatal(err)
		}
		if at >= head {
			break
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("covered up to %d of %d", at, head)
		}
	}
}

func (s *site) checkpoint(app ident.AppName) merkle.Checkpoint {
	s.t.Helper()
	signed, err := s.log.Checkpoint(app)
	if err != nil {
		s.t.Fatal(err)
	}
	c, err := merkle.Open(signed, s.verifier(app), "example.com/logs/"+string(app))
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

func (s *site) verifier(app ident.AppName) note.Verifier {
	s.t.Helper()
	vkey, err := s.log.Keep.VerifierKey(app)
	if err != nil {
		s.t.Fatal(err)
	}
	v, err := note.NewVerifier(vkey)
	if err != nil {
		s.t.Fatal(err)
	}
	return v
}

// failed waits until the logs stop and returns why.
func (s *site) failed() error {
	s.t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if _, err := s.log.Covered(); err != nil {
			return err
		}
	}
	s.t.Fatal("the logs did not stop")
	return nil
}

// known are roots over the records 0, 1, 2 ... as eight bytes big-endian, by
// another program in another language; see package merkle.
var known = map[int64]string{
	0:     "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	1:     "3e7077fd2f66d689e0cee6a7cf5b37bf2dca7c979af356d0a31cbc5c85605c7d",
	255:   "bb3b9743e08118ea583ae77df04a1449a0601cde6f75146d79c2cab6366ce210",
	256:   "15e2dd4973ae44de8c8cf3048fd98d17adaaea6287f4e0606a55a643617408c0",
	257:   "d418c0873259bce7d0561ab004486112416c1c4490865415342bfe06e673146c",
	65536: "bc9bca909516d5bf148c2bf2dea0a0d9f717ce4987d2fe7504d6694363b41598",
	70000: "0759167a0f98e35e802d46ff7c7d29d2c3f03a63a256deb6abbff357a91b63b1",
}

// TestKnownAnswers grows a log through the sizes where tiles begin and end.
func TestKnownAnswers(t *testing.T) {
	s := newSite(t)
	s.shelf.slice = 700
	s.start()
	before := int64(0)
	for _, size := range []int64{1, 255, 256, 257, 65_536, 70_000} {
		s.shelf.add("demo", numbered(before, size)...)
		before = size
		c := s.covered("demo")
		if c.Size != size || hex.EncodeToString(c.Root[:]) != known[size] {
			t.Errorf("%d records have the root %x, want %s", c.Size, c.Root, known[size])
		}
		s.wantFiles("demo", size)
	}
}

// wantFiles wants exactly the tiles of hashes of a tree of a size on disk, but
// for the partial ones of checkpoints before, and all of them right. No file has
// a record in it.
func (s *site) wantFiles(app string, size int64) {
	s.t.Helper()
	dir := filepath.Join(s.dir, "tiles", app)
	for _, t := range tlog.NewTiles(merkle.Height, 0, size) {
		data, err := os.ReadFile(filepath.Join(dir, merkle.Path(t)))
		if err != nil || len(data) != t.W*merkle.HashSize {
			s.t.Errorf("%s has %d bytes: %v", merkle.Path(t), len(data), err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "tile", "entries")); !errors.Is(err, fs.ErrNotExist) {
		s.t.Errorf("entries are kept as files: %v", err)
	}
	for n := int64(0); n*merkle.Width < size; n++ {
		t := merkle.At(-1, n, size)
		data, err := s.log.Tile(s.t.Context(), ident.AppName(app), t)
		var want []byte
		for _, record := range numbered(n*merkle.Width, n*merkle.Width+int64(t.W)) {
			want = merkle.AppendEntry(want, record)
		}
		if err != nil || string(data) != string(want) {
			s.t.Errorf("%s is not its records: %v", merkle.Path(t), err)
		}
	}
	partial := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.Contains(path, ".p"+string(filepath.Separator)) {
			partial++
		}
		return err
	})
	if err != nil || partial > 8 {
		s.t.Errorf("%d partial tiles lie about: %v", partial, err)
	}
}

func TestReadersSeeEveryWidth(t *testing.T) {
	s := newSite(t)
	s.shelf.add("demo", numbered(0, 700)...)
	s.start()
	s.covered("demo")
	for n := range int64(3) {
		for w := 1; w <= merkle.At(0, n, 700).W; w++ {
			hashes, err := s.log.Tile(t.Context(), "demo", merkle.Tile{H: 8, L: 0, N: n, W: w})
			bundle, err2 := s.log.Tile(t.Context(), "demo", merkle.Tile{H: 8, L: -1, N: n, W: w})
			if err != nil || err2 != nil {
				t.Fatal(err, err2)
			}
			for i := range int64(w) {
				record, rest, err := merkle.CutEntry(bundle)
				if bundle = rest; err != nil || merkle.Hash(hashes[i*32:]) != tlog.RecordHash(record) {
					t.Fatalf("entry %d of tile %d of width %d: %v", i, n, w, err)
				}
			}
			if len(bundle) > 0 || len(hashes) != w*32 {
				t.Fatalf("tile %d of width %d has too much", n, w)
			}
		}
	}
	for _, tile := range []merkle.Tile{{H: 8, L: 0, N: 2, W: 189}, {H: 8, L: 0, N: 3, W: 1}, {H: 8, L: -1, N: 2, W: 256}, {H: 8, L: 1, N: 0, W: 3}, {H: 8, L: 2, W: 1}} {
		if _, err := s.log.Tile(t.Context(), "demo", tile); !errors.Is(err, ErrNotThere) {
			t.Errorf("%s: %v", merkle.Path(tile), err)
		}
	}
	if _, err := s.log.Checkpoint("other"); !errors.Is(err, ErrNotThere) {
		t.Errorf("an app without records: %v", err)
	}
}

// TestWhatReadersHoldStays: a tile that somebody was given does not change when
// the log grows, at whatever sizes it was signed.
func TestWhatReadersHoldStays(t *testing.T) {
	s := newSite(t)
	s.start()
	var held [][]byte
	var was []string
	for size := int64(0); size < 5000; {
		n := size + 1 + rand.Int64N(600)
		s.shelf.add("demo", numbered(size, n)...)
		size = s.covered("demo").Size
		for level := -1; level < 2; level++ {
			tile := merkle.At(level, size>>(merkle.Height*(max(0, level)+1)), size)
			if tile.W == 0 {
				continue
			}
			data, err := s.log.Tile(t.Context(), "demo", tile)
			if err != nil {
				t.Fatalf("%s of %d records: %v", merkle.Path(tile), size, err)
			}
			held, was = append(held, data), append(was, string(data))
		}
	}
	for i, data := range held {
		if string(data) != was[i] {
			t.Errorf("tile %d of %d is not as it was given", i, len(held))
		}
	}
}

func TestProofs(t *testing.T) {
	s := newSite(t)
	s.shelf.add("demo", numbered(0, 66_000)...)
	s.start()
	c := s.covered("demo")
	v := s.verifier("demo")
	for _, i := range []int64{0, 1, 255, 256, 65_535, 65_536, 65_999, rand.Int64N(66_000), rand.Int64N(66_000)} {
		at, err := s.log.Find(t.Context(), "demo", idOf(int(i)))
		if err != nil || at != i {
			t.Errorf("record %d is found at %d: %v", i, at, err)
		}
		p, err := s.log.Proof(t.Context(), "demo", i)
		if err != nil {
			t.Fatal(err)
		}
		back, err := merkle.ParseProof(p.Format())
		if err != nil || !reflect.DeepEqual(back, p) {
			t.Errorf("the proof of %d is read as another: %v", i, err)
		}
		got, err := back.Verify(numbered(i, i+1)[0], v, "example.com/logs/demo")
		if err != nil || got != c {
			t.Errorf("the proof of %d: %v", i, err)
		}
		if _, err := back.Verify(numbered(i+1, i+2)[0], v, "example.com/logs/demo"); err == nil {
			t.Errorf("the proof of %d proves another record", i)
		}
		if back.Index++; back.Index < 66_000 {
			if _, err := back.Verify(numbered(i, i+1)[0], v, "example.com/logs/demo"); err == nil {
				t.Errorf("the proof of %d proves another place", i)
			}
		}
	}
	if _, err := s.log.Find(t.Context(), "demo", idOf(66_000)); !errors.Is(err, ErrNotThere) {
		t.Errorf("a record that is not there: %v", err)
	}
	for _, i := range []int64{-1, 66_000} {
		if _, err := s.log.Proof(t.Context(), "demo", i); !errors.Is(err, ErrNotThere) {
			t.Errorf("the proof of %d: %v", i, err)
		}
	}
}

// TestAwait: what is not there yet is tried again at every checkpoint, until the
// caller has waited long enough or nothing more comes.
func TestAwait(t *testing.T) {
	s := newSite(t)
	s.start()
	find := func() error {
		_, err := s.log.Find(t.Context(), "demo", idOf(700))
		return err
	}
	hurry, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.log.Await(hurry, find); !errors.Is(err, ErrNotThere) {
		t.Errorf("with no time to wait: %v", err)
	}
	odd := errors.New("odd")
	if err := s.log.Await(t.Context(), func() error { return odd }); err != odd {
		t.Errorf("what fails is tried again: %v", err)
	}
	found := make(chan error, 2)
	for range 2 {
		go func() { found <- s.log.Await(t.Context(), find) }()
	}
	s.shelf.add("other", numbered(0, 3)...)
	s.shelf.add("demo", numbered(0, 700)...)
	s.wait()
	s.shelf.add("demo", numbered(700, 701)...)
	for range 2 {
		if err := <-found; err != nil {
			t.Errorf("what came was not found: %v", err)
		}
	}
	never := make(chan error, 1)
	go func() {
		never <- s.log.Await(t.Context(), func() error { return ErrNotReady })
	}()
	s.end()
	if err := <-never; !errors.Is(err, ErrStopped) {
		t.Errorf("when the logs have ended: %v", err)
	}
}

// TestAppsApart: nobody's log holds a record of another app.
func TestAppsApart(t *testing.T) {
	s := newSite(t)
	s.start()
	for i := range int64(900) {
		s.shelf.add([]string{"one", "two", "three"}[i%3], numbered(i, i+1)...)
	}
	s.covered("one")
	for k, app := range []ident.AppName{"one", "two", "three"} {
		var e merkle.Edge
		for i := range int64(300) {
			e.Append(numbered(3*i+int64(k), 3*i+int64(k)+1)[0], func(merkle.Tile, []byte) {})
		}
		if c := s.checkpoint(app); c.Size != 300 || c.Root != e.Root() {
			t.Errorf("%s: %d records, root %s", app, c.Size, c.Root)
		}
	}
}

// everything returns the bytes of all files but for partial tiles.
func (s *site) everything() map[string]string {
	s.t.Helper()
	all, err := s.files()
	if err != nil {
		s.t.Fatal(err)
	}
	return all
}

// files is everything, while it may be on its way.
func (s *site) files() (map[string]string, error) {
	all := map[string]string{}
	err := filepath.WalkDir(filepath.Join(s.dir, "tiles"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && !strings.Contains(path, ".p"+string(filepath.Separator)) {
			var b []byte
			b, err = os.ReadFile(path)
			rel, _ := filepath.Rel(s.dir, path)
			all[rel] = string(b)
		}
		return err
	})
	return all, err
}

// TestRebuildAndRestart: live with restarts anywhere, and from nothing, the
// files are the same, the signed checkpoint too.
func TestRebuildAndRestart(t *testing.T) {
	s := newSite(t)
	s.shelf.slice = 90
	for i := int64(0); i < 3000; {
		n := min(3000, i+1+rand.Int64N(400))
		s.shelf.add([]string{"one", "two"}[rand.IntN(2)], numbered(i, n)...)
		i = n
		s.start()
		s.wait()
		s.end()
	}
	want := s.everything()
	s.start()
	if n, err := s.log.Check(t.Context()); err != nil || n != 3000 {
		t.Errorf("checked %d records: %v", n, err)
	}
	s.end()
	if err := os.RemoveAll(filepath.Join(s.dir, "tiles")); err != nil {
		t.Fatal(err)
	}
	s.start()
	s.covered("one")
	s.end()
	if got := s.everything(); !reflect.DeepEqual(got, want) {
		t.Errorf("built again there are %d files, before %d, or they differ", len(got), len(want))
	}
	if len(s.halted) > 0 {
		t.Error(s.halted)
	}
}

// TestAStandingIsVerifiedOnceItsRecordsWereRead: what this process built is, and what an earlier
// one left is not before Check has read it, also if more is signed meanwhile.
func TestAStandingIsVerifiedOnceItsRecordsWereRead(t *testing.T) {
	s := newSite(t)
	s.start()
	if all, fault := s.log.Standings(); len(all) != 0 || fault != nil {
		t.Errorf("without a record there are %v, %v", all, fault)
	}
	is := func(when string, size int64, verified bool) {
		t.Helper()
		root := s.covered("demo").Root
		all, fault := s.log.Standings()
		if fault != nil || len(all) != 1 {
			t.Fatalf("%s: %v, %v", when, all, fault)
		}
		got := all[0]
		if got.App != "demo" || got.Size != size || got.Root != root || got.Verified != verified || got.At.IsZero() == verified {
			t.Errorf("%s: %+v", when, got)
		}
	}

	s.shelf.add("demo", numbered(0, 300)...)
	is("built by this process", 300, true)
	s.end()

	s.start()
	is("left by an earlier process", 300, false)
	s.shelf.add("demo", numbered(300, 400)...)
	is("grown on what is not checked", 400, false)
	if n, err := s.log.Check(t.Context()); err != nil || n != 300 {
		t.Fatalf("checked %d: %v", n, err)
	}
	is("checked", 400, true)
	s.shelf.add("demo", numbered(400, 500)...)
	is("grown on what is checked", 500, true)
}

// TestAStandingOfAFaultIsNotVerified: the fault is told beside it.
func TestAStandingOfAFaultIsNotVerified(t *testing.T) {
	s := filled(t, 700)
	s.shelf.records[3].Data = []byte("another")
	if err := s.open(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.log.Check(t.Context()); err == nil {
		t.Fatal("Check found nothing")
	}
	all, fault := s.log.Standings()
	if fault == nil || fault.App != "demo" {
		t.Errorf("the fault is %v", fault)
	}
	for _, x := range all {
		if x.Verified || !x.At.IsZero() {
			t.Errorf("%+v", x)
		}
	}
}
