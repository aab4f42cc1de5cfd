package transparency

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"consentledger/domain/ident"
	"consentledger/eventstore"
	"consentledger/eventstore/memory"
	"consentledger/projections/transparency/merkle"

	"golang.org/x/mod/sumdb/note"
)

var changedAt = time.UnixMilli(1_767_225_600_000).UTC()

// opened reads a note with one key; nil: it carries no signature of that.
func opened(t *testing.T, text []byte, vkey string) *merkle.Checkpoint {
	t.Helper()
	v, err := note.NewVerifier(vkey)
	if err != nil {
		t.Fatal(err)
	}
	c, err := merkle.Open(text, v, v.Name())
	if err != nil {
		return nil
	}
	return &c
}

// signed returns the newest checkpoint of an app, once all is covered, and wants it to carry
// the signatures of some keys and not of others.
func (s *site) signedBy(app ident.AppName, size int64, by, notBy []string) []byte {
	s.t.Helper()
	s.settled()
	text, err := s.log.Checkpoint(app)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, vkey := range by {
		if c := opened(s.t, text, vkey); c == nil || c.Size != size {
			s.t.Fatalf("by the key %s it is %v, want %d records:\n%s", vkey, c, size, text)
		}
	}
	for _, vkey := range notBy {
		if opened(s.t, text, vkey) != nil {
			s.t.Fatalf("it carries a signature of the key %s:\n%s", vkey, text)
		}
	}
	return text
}

func (s *site) keys(app ident.AppName) LogKeys {
	s.t.Helper()
	keys, err := s.log.Keep.Keys(s.t.Context(), app)
	if err != nil {
		s.t.Fatal(err)
	}
	return keys
}

// While keys overlap every checkpoint carries both signatures, the newest one at once, with
// the size and the root that it had. Then the older key signs no more, what it signed still
// verifies, and all of that survives a restart.
func TestKeysOverlap(t *testing.T) {
	s := newSite(t)
	s.shelf.add("demo", numbered(0, 300)...)
	s.start()
	before := s.covered("demo")
	old := s.keys("demo").Current
	first, _ := s.log.Checkpoint("demo")
	if err := s.log.RetireKey(t.Context(), "demo", changedAt); !errors.Is(err, ErrNoOverlap) {
		t.Errorf("a key was retired that is the only one: %v", err)
	}

	if err := s.log.JoinKey(t.Context(), "demo", changedAt); err != nil {
		t.Fatal(err)
	}
	keys := s.keys("demo")
	both := []string{old, keys.Next}
	if keys.Current != old || !keys.Since.Equal(changedAt) {
		t.Errorf("the keys are %+v", keys)
	}
	text := s.signedBy("demo", 300, both, nil)
	if c := opened(t, text, keys.Next); *c != before {
		t.Errorf("signed again as %v, and it was %v", c, before)
	}
	if err := s.log.JoinKey(t.Context(), "demo", changedAt); !errors.Is(err, ErrOverlap) {
		t.Errorf("a third key joined: %v", err)
	}
	s.shelf.add("demo", numbered(300, 310)...)
	s.signedBy("demo", 310, both, nil)

	s.end()
	s.start()
	s.signedBy("demo", 310, both, nil)
	s.shelf.add("demo", numbered(310, 320)...)
	s.signedBy("demo", 320, both, nil)

	if err := s.log.RetireKey(t.Context(), "demo", changedAt.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	s.shelf.add("demo", numbered(320, 330)...)
	s.signedBy("demo", 330, both[1:], both[:1])
	if got, err := s.log.VerifierKey("demo"); err != nil || got != keys.Next {
		t.Errorf("the key is %s, %v", got, err)
	}
	after := s.keys("demo")
	if after.Current != keys.Next || after.Next != "" || len(after.Former) != 1 || after.Former[0].Key != old {
		t.Errorf("the keys are %+v", after)
	}
	s.end()
	s.start()
	s.shelf.add("demo", numbered(330, 331)...)
	s.signedBy("demo", 331, both[1:], both[:1])
	if opened(t, first, old) == nil {
		t.Error("what the older key signed does not verify any more")
	}
	if list := strings.Join(s.listed(), " "); strings.Contains(list, "next") {
		t.Errorf("there is %s", list)
	}
	s.end()
	if len(s.halted) > 0 {
		t.Errorf("halted: %v", s.halted)
	}
}

// A change of keys that a crash interrupts goes on at the next start, or was none.
func TestAChangeOfKeysStopsHalfWay(t *testing.T) {
	s := newSite(t)
	s.shelf.add("demo", numbered(0, 10)...)
	s.start()
	s.covered("demo")
	old := s.keys("demo").Current
	s.end()

	// The key was made, and nobody was told: it signs nothing, and is the one that joins.
	next, err := s.log.Keep.makeNext("demo")
	if err != nil {
		t.Fatal(err)
	}
	s.start()
	s.shelf.add("demo", numbered(10, 11)...)
	s.signedBy("demo", 11, []string{old}, []string{next})
	s.end()

	// It was said that it signs, and it has signed nothing.
	if err := s.log.Keep.join(t.Context(), "demo", changedAt); err != nil {
		t.Fatal(err)
	}
	if got := s.keys("demo").Next; got != next {
		t.Errorf("the key %s joined, and %s was made", got, next)
	}
	if err := s.log.Keep.retire(t.Context(), "demo", changedAt); !errors.Is(err, ErrNotSigned) {
		t.Errorf("retired, and nothing is signed by the next key: %v", err)
	}
	s.start()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		if both, err := s.log.SignedBy("demo", next); err == nil && both || time.Now().After(deadline) {
			break
		}
	}
	s.signedBy("demo", 11, []string{old, next}, nil)
	s.end()

	// It was said that the older one is retired, and its file is still there.
	if err := s.log.Keep.register.add(t.Context(), "demo", retired(old, changedAt)); err != nil {
		t.Fatal(err)
	}
	s.start()
	s.shelf.add("demo", numbered(11, 12)...)
	s.signedBy("demo", 12, []string{next}, []string{old})
	s.end()
	if list := strings.Join(s.listed(), " "); strings.Contains(list, "next") || len(s.halted) > 0 {
		t.Errorf("there is %s, halted: %v", list, s.halted)
	}

	// A key that signs is not made up in the place of one that is lost.
	s.start()
	if err := s.log.JoinKey(t.Context(), "demo", changedAt); err != nil {
		t.Fatal(err)
	}
	s.end()
	if err := os.Remove(filepath.Join(s.dir, "keep", "demo.next.key")); err != nil {
		t.Fatal(err)
	}
	s.start()
	if err := s.failed(); !strings.Contains(err.Error(), "demo.next.key is gone") {
		t.Errorf("without the key that joined: %v", err)
	}
}

// Of several processes all sign with both keys, whoever of them begins it, and one that
// has not heard of it signs nothing.
func TestKeysOverlapAmongProcesses(t *testing.T) {
	b := newBetween(t, 3)
	b.shelf.add("app", numbered(0, 300)...)
	for i := range b.sites {
		b.turn[i].Store(i == 1)
		b.start(i)
	}
	for _, s := range b.sites {
		s.settled()
	}
	old := b.sites[0].keys("app").Current
	asleep := b.sites[2]
	asleep.end()
	slept := asleep.log

	if err := b.sites[0].log.JoinKey(t.Context(), "app", changedAt); err != nil {
		t.Fatal(err)
	}
	next := b.sites[1].keys("app").Next
	both := []string{old, next}
	for _, s := range b.sites[:2] {
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
			if has, err := s.log.SignedBy("app", next); err == nil && has || time.Now().After(deadline) {
				break
			}
		}
		s.signedBy("app", 300, both, nil)
	}
	if err := b.sites[1].log.JoinKey(t.Context(), "app", changedAt); !errors.Is(err, ErrOverlap) {
		t.Errorf("a third key joined: %v", err)
	}

	// It believes that it is still its turn, and knows the row that is there by its size.
	d, err := slept.Keep.sign("app", slept.tree("app").signed, merkle.Checkpoint{Origin: "example.com/logs/app", Size: 301}, 1)
	if err == nil {
		err = slept.Keep.commitShared(t.Context(), []draft{d})
	}
	if !errors.Is(err, errOvertaken) {
		t.Errorf("signed by who has not heard of the next key: %v", err)
	}

	b.start(2)
	b.turn[2].Store(true)
	b.shelf.add("app", numbered(300, 340)...)
	for _, s := range b.sites {
		s.signedBy("app", 340, both, nil)
	}
	if err := b.sites[2].log.RetireKey(t.Context(), "app", changedAt); err != nil {
		t.Fatal(err)
	}
	b.shelf.add("app", numbered(340, 360)...)
	for i, s := range b.sites {
		s.signedBy("app", 360, both[1:], both[:1])
		if got, err := s.log.VerifierKey("app"); err != nil || got != next {
			t.Errorf("process %d has the key %s, %v", i, got, err)
		}
		s.end()
		b.start(i)
		if keys := s.keys("app"); keys.Current != next || len(keys.Former) != 1 {
			t.Errorf("process %d has the keys %+v", i, keys)
		}
		s.end()
		if len(s.halted) > 0 {
			t.Errorf("halted: %v", s.halted)
		}
	}

	// No tree was signed twice but with the same root, and none between the two changes by one key.
	b.notary.mu.Lock()
	defer b.notary.mu.Unlock()
	roots, joins := map[int64]merkle.Hash{}, false
	for _, text := range b.notary.signed["app"] {
		c := opened(t, []byte(text), old)
		joined := opened(t, []byte(text), next)
		if joins = joins || joined != nil; joins && joined == nil {
			t.Errorf("signed by the older key alone after the next one joined:\n%s", text)
		}
		if c == nil {
			c = joined
		}
		if root, has := roots[c.Size]; has && root != c.Root {
			t.Errorf("two roots were signed for %d records", c.Size)
		}
		roots[c.Size] = c.Root
	}
}

// Keys that overlap move along, to several processes and back to one.
func TestKeysMoveWhileTheyOverlap(t *testing.T) {
	alone := newSite(t)
	alone.shelf.add("one", numbered(0, 20)...)
	alone.start()
	alone.covered("one")
	for _, change := range []func() error{
		func() error { return alone.log.JoinKey(t.Context(), "one", changedAt) },
		func() error { return alone.log.RetireKey(t.Context(), "one", changedAt) },
		func() error { return alone.log.JoinKey(t.Context(), "one", changedAt) },
	} {
		if err := change(); err != nil {
			t.Fatal(err)
		}
	}
	keys := alone.keys("one")
	alone.end()

	b := newBetween(t, 1)
	b.shelf, b.sites[0].shelf = alone.shelf, alone.shelf
	to := Shared{Rows: b.notary, Seal: mask, Unseal: mask}
	if err := derived(t, alone.log.Keep, alone.shelf).Share(t.Context(), to, 0); err != nil {
		t.Fatal(err)
	}
	b.turn[0].Store(true)
	b.start(0)
	s := b.sites[0]
	b.shelf.add("one", numbered(20, 25)...)
	s.signedBy("one", 25, []string{keys.Current, keys.Next}, []string{keys.Former[0].Key})
	if err := s.log.RetireKey(t.Context(), "one", changedAt); err != nil {
		t.Fatal(err)
	}
	s.end()

	// What the register knew before the move is not all that happened.
	keep, err := ReadShared(t.Context(), to)
	if err != nil {
		t.Fatal(err)
	}
	again := newSite(t)
	again.shelf = b.shelf
	for row, err := range alone.rows.Scan(t.Context(), []byte(registerRows)) {
		if err == nil {
			err = again.rows.Write(t.Context(), eventstore.Change{Put: []eventstore.Row{row}})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	register, err := OpenRegister(t.Context(), &again.rows)
	if err == nil {
		err = derived(t, keep, b.shelf).WriteTo(filepath.Join(again.dir, "keep"), register, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	again.start()
	again.shelf.add("one", numbered(25, 26)...)
	again.signedBy("one", 26, []string{keys.Next}, []string{keys.Current})
	if got := again.keys("one"); got.Current != keys.Next || len(got.Former) != 2 {
		t.Errorf("the keys are %+v", got)
	}
	again.end()

	none, err := OpenRegister(t.Context(), new(memory.Rows))
	if err == nil {
		err = none.carry("one", keys.Next, register.changes("one"))
	}
	if err != nil || len(none.keys("one").Former) != 2 {
		t.Errorf("an empty register took %+v, %v", none.keys("one"), err)
	}
}
