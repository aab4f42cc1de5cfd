package transparency

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"consentledger/domain/ident"
	"consentledger/eventstore"
	"consentledger/eventstore/memory"
	"consentledger/projections/transparency/merkle"
)

// notary keeps every change of rows that signs, and loses, refuses or delays some. It
// is what an outside checker sees of all that was ever signed.
type notary struct {
	eventstore.Rows
	away atomic.Bool // nothing answers
	lost atomic.Bool // a change is made, and its answer lost

	asked atomic.Int64 // reads of a row

	mu     sync.Mutex
	signed map[string][]string // the notes of an app, in the order in which they were made
}

var errAway = errors.New("the rows are away")

func (n *notary) Get(ctx context.Context, key []byte) ([]byte, bool, error) {
	n.asked.Add(1)
	if n.away.Load() {
		return nil, false, errAway
	}
	return n.Rows.Get(ctx, key)
}

func (n *notary) Scan(ctx context.Context, prefix []byte) iter.Seq2[eventstore.Row, error] {
	if n.away.Load() {
		return func(yield func(eventstore.Row, error) bool) { yield(eventstore.Row{}, errAway) }
	}
	return n.Rows.Scan(ctx, prefix)
}

func (n *notary) Write(ctx context.Context, c eventstore.Change) error {
	if n.away.Load() {
		return errAway
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.Rows.Write(ctx, c); err != nil {
		return err
	}
	for _, row := range c.Put {
		if !bytes.HasPrefix(row.Key, []byte(signedRows)) {
			continue
		}
		app, r, err := parseSignedRow(row)
		if err != nil {
			return err
		}
		_, note, _ := strings.Cut(r.text, "\n\n")
		n.signed[string(app)] = append(n.signed[string(app)], note)
	}
	if n.lost.CompareAndSwap(true, false) {
		return errors.New("the answer is lost")
	}
	return nil
}

// between are the processes of one ledger: each has tiles of its own, and all share
// the records and the rows.
type between struct {
	t      *testing.T
	shelf  *shelf
	rows   memory.Rows
	notary *notary
	sites  []*site
	turn   []*atomic.Bool
}

// mask stands for the vault: what it seals is not what it is given.
func mask(_ context.Context, app string, text []byte) ([]byte, error) {
	out := bytes.Clone(text)
	for i := range out {
		out[i] ^= 0x5a ^ app[i%len(app)]
	}
	return out, nil
}

func newBetween(t *testing.T, processes int) *between {
	b := &between{t: t, shelf: &shelf{slice: 50}}
	b.notary = &notary{Rows: &b.rows, signed: map[string][]string{}}
	for range processes {
		b.sites = append(b.sites, &site{t: t, dir: t.TempDir(), shelf: b.shelf})
		b.turn = append(b.turn, new(atomic.Bool))
	}
	return b
}

func (b *between) open(i int, origin string) error {
	s := b.sites[i]
	keep, err := OpenShared(b.t.Context(), Shared{Rows: b.notary, Seal: mask, Unseal: mask}, origin)
	if err != nil {
		return err
	}
	s.log, err = Open(b.t.Context(), Config{
		Records: s.shelf, Keep: keep, Dir: filepath.Join(s.dir, "tiles"), Halt: s.halt, Turn: b.turn[i].Load, Pace: time.Millisecond,
	})
	return err
}

func (b *between) start(i int) {
	b.t.Helper()
	if err := b.open(i, "example.com/logs"); err != nil {
		b.t.Fatal(err)
	}
	b.sites[i].run()
}

// check holds all that was ever signed of an app against its records.
func (b *between) check(app string) {
	b.t.Helper()
	var edge merkle.Edge
	roots := map[int64]merkle.Hash{0: edge.Root()}
	all, _ := b.shelf.after(0)
	for _, r := range all {
		if strings.HasPrefix(string(r.Stream), "subject-"+app+"-") {
			edge.Append(r.Data, func(merkle.Tile, []byte) {})
			roots[edge.Size] = edge.Root()
		}
	}

	b.notary.mu.Lock()
	defer b.notary.mu.Unlock()
	last := int64(-1)
	for _, note := range b.notary.signed[app] {
		c, err := merkle.Open([]byte(note), b.sites[0].verifier(ident.AppName(app)), "example.com/logs/"+app)
		if err != nil {
			b.t.Fatal(err)
		}
		if c.Size <= last {
			b.t.Errorf("app %s: %d records were signed after %d", app, c.Size, last)
		}
		if c.Root != roots[c.Size] {
			b.t.Errorf("app %s: another root than the records give was signed for %d", app, c.Size)
		}
		last = c.Size
	}
	if len(b.notary.signed[app]) < 3 {
		b.t.Errorf("app %s: %d checkpoints: this shows nothing", app, len(b.notary.signed[app]))
	}
}

// Three processes compute the trees, and whose turn it is signs: also two at once, or
// none for a while. Some are killed, and the rows go away and come back. All serve the
// same, and no size was ever signed twice or after a larger one.
func TestManyProcessesSignOneLine(t *testing.T) {
	b := newBetween(t, 3)
	for i := range b.sites {
		b.start(i)
	}
	rounds := 40
	for n := 0; n < rounds; n++ {
		for i := range b.turn {
			b.turn[i].Store(rand.IntN(2) == 0)
		}
		for _, app := range []string{"one", "two"} {
			b.shelf.add(app, numbered(int64(n*300), int64(n*300+1+rand.IntN(300)))...)
		}
		b.notary.lost.Store(rand.IntN(3) == 0)
		b.notary.away.Store(rand.IntN(4) == 0)
		b.shelf.add(fmt.Sprint("new", n), numbered(0, 3)...) // its key is made, now or later
		time.Sleep(time.Duration(rand.IntN(8)) * time.Millisecond)
		b.notary.away.Store(false)
		if i := rand.IntN(12); i < len(b.sites) {
			b.sites[i].end()
			b.start(i)
		}
		if n+1 == rounds && rounds < 1000 && b.fewest("one", "two") < 3 { // on a busy machine that was too quick
			rounds++
		}
	}
	for i := range b.turn {
		b.turn[i].Store(i == rounds%3)
	}
	for i, s := range b.sites {
		s.settled()
		for _, app := range []ident.AppName{"one", "two"} {
			if got, want := s.checkpoint(app), b.sites[0].checkpoint(app); got != want {
				t.Errorf("process %d serves %v, another %v", i, got, want)
			}
			s.served(app)
		}
		for n := range rounds {
			if c := s.checkpoint(ident.AppName(fmt.Sprint("new", n))); c.Size != 3 {
				t.Errorf("process %d serves %v", i, c)
			}
		}
		s.end()
	}
	b.check("one")
	b.check("two")
	for _, s := range b.sites {
		if len(s.halted) > 0 {
			t.Errorf("halted: %v", s.halted)
		}
	}
}

// fewest returns how often the app was signed that was signed least.
func (b *between) fewest(apps ...string) int {
	b.notary.mu.Lock()
	defer b.notary.mu.Unlock()
	least := len(b.notary.signed[apps[0]])
	for _, app := range apps[1:] {
		least = min(least, len(b.notary.signed[app]))
	}
	return least
}

// settled waits until all is covered, whatever is in trouble meanwhile.
func (s *site) settled() {
	s.t.Helper()
	head, _ := s.shelf.Head(s.t.Context())
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		at, err := s.log.Covered()
		if err == nil && at >= head {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("covered up to %d of %d: %v", at, head, err)
		}
	}
}

// served proves some records by what a process serves.
func (s *site) served(app ident.AppName) {
	s.t.Helper()
	c := s.checkpoint(app)
	for range 20 {
		i := rand.Int64N(c.Size)
		p, err := s.log.Proof(s.t.Context(), app, i)
		if err == nil {
			_, err = p.Verify(p.Extra, s.verifier(app), c.Origin)
		}
		if err != nil {
			s.t.Fatalf("record %d of %d: %v", i, c.Size, err)
		}
	}
	old := rand.Int64N(c.Size) + 1
	if _, err := s.log.Consistency(app, old, c.Size); err != nil {
		s.t.Error(err)
	}
}

// Processes whose records are all under a checkpoint seldom ask what the others signed,
// and are as quick as before once there is something to sign.
func TestWhoHasNothingToSignAsksSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBetween(t, 3)
		b.turn[0].Store(true)
		b.shelf.add("app", numbered(0, 30)...)
		for i := range b.sites {
			b.start(i)
		}
		time.Sleep(2 * saveAfter)
		before := b.notary.asked.Load()
		time.Sleep(time.Minute)
		busy := 3 * int64(time.Minute/(10*time.Millisecond))
		if n := b.notary.asked.Load() - before; n == 0 || n > busy/10 {
			t.Errorf("three processes without anything to sign asked %d times in a minute, busy ones do %d times", n, busy)
		}

		b.shelf.add("app", numbered(30, 40)...)
		time.Sleep(100 * time.Millisecond)
		for i, s := range b.sites {
			if c := s.checkpoint("app"); c.Size != 40 {
				t.Errorf("process %d serves a checkpoint of %d records 100 ms after there were 40", i, c.Size)
			}
			s.end()
		}
	})
}

// A process that has not the turn serves what another signed of a tree that its own
// has outgrown: every tile as wide as it was then.
func TestWhatOthersSignedIsServed(t *testing.T) {
	b := newBetween(t, 2)
	b.shelf.slice = 0
	b.turn[0].Store(true)
	b.shelf.add("app", numbered(0, 700)...)
	b.start(0)
	b.sites[0].settled()
	b.sites[0].end() // nobody signs any more
	b.shelf.add("app", numbered(700, 1500)...)
	b.start(1)
	s := b.sites[1]
	covered := eventstore.Position(0) // which is said once a round is over, and so after its tree is published
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		_, err := s.log.Checkpoint("app")
		published := err == nil && s.log.tree("app").published.Load().edge.Size == 1500
		if covered, err = s.log.Covered(); err == nil && published && covered >= 700*2 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("published is a tree that is ahead: %t; covered up to %d: %v", published, covered, err)
		}
	}
	if c := s.checkpoint("app"); c.Size != 700 {
		t.Fatalf("%d records are signed, want 700", c.Size)
	}
	s.served("app")
	for _, tile := range []merkle.Tile{{H: merkle.Height, L: 0, N: 2, W: 188}, {H: merkle.Height, L: 1, N: 0, W: 2}, {H: merkle.Height, L: 0, N: 0, W: 256}} {
		if data, err := s.log.Tile(t.Context(), "app", tile); err != nil || len(data) != tile.W*merkle.HashSize {
			t.Errorf("tile %v: %d bytes, %v", tile, len(data), err)
		}
	}
	if _, err := s.log.Tile(t.Context(), "app", merkle.Tile{H: merkle.Height, L: 0, N: 2, W: 189}); !errors.Is(err, ErrNotThere) {
		t.Errorf("a tile that was not signed: %v", err)
	}
	if covered != 700*2 {
		t.Errorf("covered up to %d, want %d", covered, 700*2)
	}

	s.end()
	trees := s.log.everyTree()
	if err := errors.Join(trees[0].flush(), s.log.saveState(trees)); err != nil {
		t.Fatal(err)
	}
	if at, _ := s.log.Covered(); at != 700*2 {
		t.Errorf("once its files are saved it is said to be covered up to %d, want %d", at, 700*2)
	}

	b.start(1) // it goes on from its files, which are ahead of what was signed
	b.turn[1].Store(true)
	s.settled()
	if c := s.checkpoint("app"); c.Size != 1500 {
		t.Errorf("%d records are signed, want 1500", c.Size)
	}
	s.end()
	if at := s.log.tree("app").signed.position; at != 1500*2-1 {
		t.Errorf("what was signed is said to end at %d, want %d", at, 1500*2-1)
	}
	if followed, _, _ := b.shelf.counts(); followed > 700+1500+1500+800 {
		t.Errorf("%d records were read", followed)
	}
}

// A process whose records are others than those that were signed signs nothing, says
// so and stops.
func TestAnotherRootThanOthersSigned(t *testing.T) {
	for name, tamper := range map[string]func(*shelf){
		"as many records":     func(s *shelf) { s.records[5].Data = []byte("forged") },
		"more records":        func(s *shelf) { s.records[5].Data = []byte("forged"); s.add("app", []byte("more")) },
		"a record is gone":    func(s *shelf) { s.remove(3); s.renumber() },
		"another last record": func(s *shelf) { s.records[len(s.records)-1].Data = []byte("forged") },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBetween(t, 2)
			b.turn[0].Store(true)
			b.shelf.add("app", numbered(0, 300)...)
			b.start(0)
			b.sites[0].settled()
			signed := len(b.notary.signed["app"])

			other := &shelf{}
			other.add("app", numbered(0, 300)...)
			tamper(other)
			b.sites[1].shelf = other
			b.turn[1].Store(true)
			err := b.open(1, "")
			if err == nil {
				b.sites[1].run()
				err = b.sites[1].failed()
				b.sites[1].end() // the fault is seen a moment before the process is told
			}
			if _, is := errors.AsType[*FaultError](err); !is && name != "a record is gone" {
				t.Errorf("got %v, want a fault", err)
			}
			if name != "a record is gone" && len(b.sites[1].halted) == 0 {
				t.Error("the process was not told to stop writing")
			}
			if err == nil || len(b.notary.signed["app"]) != signed {
				t.Errorf("%v, and %d more were signed", err, len(b.notary.signed["app"])-signed)
			}
		})
	}
}

// Of processes that begin at the same time one makes the origin, and one the key of a
// log.
func TestProcessesBeginTogether(t *testing.T) {
	b := newBetween(t, 4)
	b.shelf.add("app", numbered(0, 10)...)
	var together sync.WaitGroup
	for i := range b.sites {
		together.Go(func() {
			if err := b.open(i, ""); err != nil {
				t.Error(err)
			}
		})
	}
	together.Wait()
	if t.Failed() {
		return
	}
	for i, s := range b.sites {
		b.turn[i].Store(true)
		s.run()
	}
	keys := map[string]bool{}
	for _, s := range b.sites {
		s.settled()
		key, err := s.log.VerifierKey("app")
		if err != nil {
			t.Fatal(err)
		}
		keys[fmt.Sprint(s.log.Origin("app"), key)] = true
	}
	if len(keys) != 1 {
		t.Errorf("%d keys: %v", len(keys), keys)
	}
	for row, err := range b.rows.Scan(t.Context(), []byte("t/")) {
		if err != nil || bytes.Contains(row.Value, []byte("PRIVATE+KEY")) {
			t.Errorf("row %q holds a key in the clear, or %v", row.Key, err)
		}
	}
	if err := b.open(0, "example.com/other"); err == nil || !strings.Contains(err.Error(), "never changes") {
		t.Errorf("another origin: %v", err)
	}
}

// Rows that went back, as when a standby took over that had not all of them, are
// followed by the next checkpoint, not by one for a size that was seen signed.
func TestRowsGoBack(t *testing.T) {
	b := newBetween(t, 2)
	b.turn[0].Store(true)
	b.shelf.add("app", numbered(0, 5)...)
	b.start(0)
	b.start(1)
	b.sites[0].settled()
	b.sites[1].settled()
	var old eventstore.Row
	for row, err := range b.rows.Scan(t.Context(), []byte(signedRows)) {
		if err != nil {
			t.Fatal(err)
		}
		old = eventstore.Row{Key: bytes.Clone(row.Key), Value: bytes.Clone(row.Value)}
	}
	b.shelf.add("app", numbered(5, 9)...)
	b.sites[0].settled()
	b.sites[1].settled()

	b.turn[0].Store(false)
	change := eventstore.Change{Put: []eventstore.Row{old, newsOf()}, Delete: [][]byte{signedRowKey("app", 9)}}
	if err := b.rows.Write(t.Context(), change); err != nil {
		t.Fatal(err)
	}
	b.turn[1].Store(true)
	b.shelf.add("app", numbered(9, 12)...)
	for _, s := range b.sites {
		s.settled()
		if c := s.checkpoint("app"); c.Size != 12 {
			t.Errorf("%d records are signed, want 12", c.Size)
		}
		s.end()
		if len(s.halted) > 0 {
			t.Errorf("halted: %v", s.halted)
		}
	}
	b.check("app")
}

// A key that is gone while its log goes on is a fault, and no other is made.
func TestSharedKeyIsLost(t *testing.T) {
	b := newBetween(t, 2)
	b.turn[0].Store(true)
	b.shelf.add("app", numbered(0, 5)...)
	b.start(0)
	b.sites[0].settled()
	if err := b.rows.Write(t.Context(), eventstore.Change{Delete: [][]byte{[]byte(keyRows + "app")}}); err != nil {
		t.Fatal(err)
	}
	if err := b.open(1, ""); err != nil {
		t.Fatal(err)
	}
	_, err := b.sites[1].log.Covered()
	if _, lost := errors.AsType[*LostError](err); !lost {
		t.Errorf("got %v, want that the key is lost", err)
	}
}

// derived returns the roots of what a keep has, over all records of a store.
func derived(t *testing.T, keep *Keep, records *shelf) *Roots {
	t.Helper()
	roots, err := keep.Roots(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	all, _ := records.after(0)
	for _, r := range all {
		if err := roots.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := roots.Done(); err != nil {
		t.Fatal(err)
	}
	return roots
}

// The logs of one process go on when several serve them: under their origin, with
// their keys, behind what was signed last. Rows that have logs already take none. And
// they go on when one process serves them again.
func TestShare(t *testing.T) {
	alone := newSite(t)
	alone.shelf.add("one", numbered(0, 300)...)
	alone.shelf.add("two", numbered(0, 7)...)
	alone.start()
	before := map[ident.AppName]merkle.Checkpoint{"one": alone.covered("one"), "two": alone.covered("two")}
	key, err := alone.log.VerifierKey("one")
	if err != nil {
		t.Fatal(err)
	}
	alone.end()

	b := newBetween(t, 2)
	b.shelf = alone.shelf
	for _, s := range b.sites {
		s.shelf = alone.shelf
	}
	to := Shared{Rows: b.notary, Seal: mask, Unseal: mask}
	if keep, err := ReadShared(t.Context(), to); err != nil || keep != nil {
		t.Errorf("rows without logs have %v, %v", keep, err)
	}
	roots := derived(t, alone.log.Keep, alone.shelf)
	if err := roots.Share(t.Context(), to, 0); err != nil {
		t.Fatal(err)
	}
	if err := roots.Share(t.Context(), to, 0); !errors.Is(err, eventstore.ErrCondition) {
		t.Errorf("shared twice: %v", err)
	}
	b.start(0)
	s := b.sites[0]
	s.settled()
	for app, c := range before {
		if got := s.checkpoint(app); got != c {
			t.Errorf("serves %v, and %v was signed", got, c)
		}
	}
	if got, err := s.log.VerifierKey("one"); err != nil || got != key {
		t.Errorf("the key is %s, %v; it was %s", got, err, key)
	}
	b.turn[0].Store(true)
	b.shelf.add("one", numbered(300, 310)...)
	s.settled()
	newest := s.checkpoint("one")
	if newest.Size != 310 {
		t.Errorf("%d records are signed, want 310", newest.Size)
	}
	s.end()
	if len(s.halted) > 0 {
		t.Errorf("halted: %v", s.halted)
	}

	keep, err := ReadShared(t.Context(), to)
	if err != nil {
		t.Fatal(err)
	}
	again := newSite(t)
	again.shelf = b.shelf
	register, err := OpenRegister(t.Context(), new(memory.Rows))
	if err == nil {
		err = derived(t, keep, b.shelf).WriteTo(filepath.Join(again.dir, "keep"), register, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	if register.begun("one") != key {
		t.Errorf("the register has %q, and the key is %q", register.begun("one"), key)
	}
	again.start()
	again.settled()
	if got := again.checkpoint("one"); got != newest {
		t.Errorf("alone again it serves %v, and %v was signed", got, newest)
	}
	again.end()
}
