package vault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"consentledger/eventstore"
)

// process is a vault of one of several processes, with a file of keys of its own.
func process(t *testing.T, rows eventstore.Rows, file string) *Vault {
	t.Helper()
	v := open(t, rows, must[*FileKeys](t)(OpenSecretKeys(file)))
	ok(t, v.Share(t.Context()))
	return v
}

// copyFile gives a process the file that another has.
func copyFile(t *testing.T, from, to string) {
	t.Helper()
	text := must[[]byte](t)(os.ReadFile(from))
	ok(t, os.WriteFile(to+".given", text, 0o600))
	ok(t, os.Rename(to+".given", to))
}

// wrappedUnder is how many keys each epoch wraps.
func wrappedUnder(t *testing.T, v *Vault) map[uint32]int64 {
	t.Helper()
	return must[map[uint32]int64](t)(v.Epochs(t.Context()))
}

// A newer epoch of a shared vault wraps from [Vault.WrapUnder] on and not before, in all
// processes at once, those included that remember the older one.
func TestOfASharedVaultARowSaysWhichEpochWraps(t *testing.T) {
	rows, others := twoRows()
	dir := t.TempDir()
	mine := must[*FileKeys](t)(CreateFileKeys(dir + "/here"))
	copyFile(t, dir+"/here", dir+"/there")
	here, there := process(t, rows, dir+"/here"), process(t, others, dir+"/there")
	enrol(t, there, phone)

	ok(t, mine.Advance())
	copyFile(t, dir+"/here", dir+"/there")
	enrol(t, here, login)
	if by := wrappedUnder(t, here); by[2] != 0 || by[1] != 4 { // check, app, two people
		t.Fatalf("before it was said that the new epoch wraps: %v", by)
	}

	ok(t, here.WrapUnder(t.Context(), 2))
	ok(t, here.WrapUnder(t.Context(), 2))
	enrol(t, there, Lookup{"smartkey", "account", "new"})
	enrol(t, there, Lookup{"another", "account", "new"}) // a key of an app, too
	if by := wrappedUnder(t, here); by[2] != 3 || by[1] != 4 {
		t.Fatalf("after that: %v", by)
	}
	if err := here.WrapUnder(t.Context(), 1); err == nil {
		t.Error("an older epoch wraps again")
	}
	if n, err := there.Rewrap(t.Context()); n != 4 || err != nil {
		t.Fatal(n, err)
	}
	if by := wrappedUnder(t, here); len(by) != 1 || by[2] != 7 {
		t.Fatalf("wrapped anew: %v", by)
	}
}

// A process that lacks the epoch that wraps refuses to meet anybody new, and to read whom it
// cannot, and keeps nothing. When it is given the keys it goes on.
func TestAProcessWithoutTheEpochThatWraps(t *testing.T) {
	rows, others := twoRows()
	dir := t.TempDir()
	mine := must[*FileKeys](t)(CreateFileKeys(dir + "/here"))
	copyFile(t, dir+"/here", dir+"/there")
	copyFile(t, dir+"/here", dir+"/old")
	here, there := process(t, rows, dir+"/here"), process(t, others, dir+"/there")
	known := enrol(t, there, phone)
	cold := enrol(t, here, Lookup{"smartkey", "account", "cold"})

	ok(t, mine.Advance())
	ok(t, here.WrapUnder(t.Context(), 2))
	must[int](t)(here.Rewrap(t.Context()))
	before := count(t, rows, "v/")
	_, _, err := there.Enrol(t.Context(), login)
	want(t, err, ErrMissingEpoch)
	if _, _, err := there.Find(t.Context(), Lookup{"smartkey", "account", "cold"}); !errors.Is(err, ErrMissingEpoch) {
		t.Errorf("somebody whose key it cannot unwrap: %v", err)
	}
	if p, found, err := there.Find(t.Context(), phone); err != nil || !found || p.Pseudonym != known.Pseudonym {
		t.Errorf("whom it remembers: %v %v", found, err)
	}
	want(t, there.DeleteBut(t.Context(), known, noon, later, Proof{Until: later, Text: []byte("kept")}), ErrMissingEpoch)
	if n := count(t, rows, "v/"); n != before {
		t.Errorf("%d rows are there, want %d: something was kept", n, before)
	}
	if _, err := there.Wraps(t.Context()); !errors.Is(err, ErrMissingEpoch) {
		t.Errorf("it says %v", err)
	}

	// It does not start, either, and binds nothing to its keys.
	_, err = Open(t.Context(), others, must[*FileKeys](t)(OpenSecretKeys(dir+"/old")))
	want(t, err, ErrWrongKeys)
	want(t, err, ErrMissingEpoch)

	copyFile(t, dir+"/here", dir+"/there")
	enrol(t, there, login)
	if p, found, err := there.Find(t.Context(), Lookup{"smartkey", "account", "cold"}); err != nil || !found || p.Pseudonym != cold.Pseudonym {
		t.Errorf("once it has the keys: %v %v", found, err)
	}
	ok(t, there.DeleteBut(t.Context(), known, noon, later, Proof{Until: later, Text: []byte("kept")}))
	if by := wrappedUnder(t, here); len(by) != 1 {
		t.Errorf("after that %v", by)
	}
}

// Of two that have another epoch wrap at once one does, and the other hears of it.
func TestTwoRotationsAtOnce(t *testing.T) {
	rows, others := twoRows()
	keys := NewMemoryKeys()
	vaults := [2]*Vault{open(t, rows, keys), open(t, others, keys)}
	for _, v := range vaults {
		ok(t, v.Share(t.Context()))
	}
	ok(t, keys.Advance())

	// The first is quicker, between the other's look and its write.
	late := vaults[1].Over(func(r eventstore.Rows) eventstore.Rows {
		return &beforeWrite{Rows: r, do: func() { ok(t, vaults[0].WrapUnder(t.Context(), 2)) }}
	})
	want(t, late.WrapUnder(t.Context(), 2), ErrShared)
	if is, err := vaults[1].Wraps(t.Context()); is != 2 || err != nil {
		t.Errorf("epoch %d wraps, %v", is, err)
	}
	if n := count(t, rows, wrapsRows); n != 2 {
		t.Errorf("%d rows say which epoch wraps, want one, and one that there is one", n)
	}
}

// beforeWrite does something once before a write.
type beforeWrite struct {
	eventstore.Rows
	once sync.Once
	do   func()
}

func (b *beforeWrite) Write(ctx context.Context, c eventstore.Change) error {
	b.once.Do(b.do)
	return b.Rows.Write(ctx, c)
}

// While two processes enrol, erase but for a proof, and read, the epoch is changed and
// everything wrapped anew, by both at once, each of which breaks off again and again. In the
// end nothing needs the older epoch, and nobody is lost.
func TestKeysAreRotatedWhileTwoProcessesServe(t *testing.T) {
	rows, others := twoRows()
	keys := NewMemoryKeys()
	vaults := [2]*Vault{open(t, rows, keys), open(t, others, keys)}
	for _, v := range vaults {
		ok(t, v.Share(t.Context()))
	}
	for n := range 40 {
		enrol(t, vaults[n%2], Lookup{"smartkey", "account", fmt.Sprint("before-", n)})
	}

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var met [2]map[string]*Person
	var served atomic.Int64
	var serving sync.WaitGroup
	for i, v := range vaults {
		met[i] = map[string]*Person{}
		serving.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				app := fmt.Sprint("app-", i, "-", n/50) // a new app's key now and then
				p, _, err := v.Enrol(t.Context(), Lookup{app, "account", fmt.Sprint(n)})
				if err != nil {
					t.Error(err)
					return
				}
				if n%5 == 4 {
					err = v.DeleteBut(t.Context(), p, noon, later, Proof{Until: later, Text: []byte("kept")})
				} else {
					met[i][app+" "+fmt.Sprint(n)] = p
				}
				if err != nil {
					t.Error(err)
					return
				}
				served.Add(1)
			}
		})
	}
	more := func(n int64) {
		t.Helper()
		for began := served.Load(); served.Load() < began+n && !t.Failed(); {
			enrol(t, vaults[0], phone) // one of the two goes on with somebody it knows, as others do
		}
	}

	for epoch := uint32(2); epoch <= 3; epoch++ {
		more(20)
		ok(t, keys.Advance())
		more(20)
		ok(t, vaults[0].WrapUnder(t.Context(), epoch))
		var rotating sync.WaitGroup
		for _, v := range vaults {
			rotating.Go(func() {
				for stopAt := 1; ; stopAt *= 2 { // each breaks off after more writes
					broken := v.Over(func(r eventstore.Rows) eventstore.Rows { return &endingRows{Rows: r, left: stopAt} })
					_, err := broken.Rewrap(t.Context())
					if err == nil {
						return
					}
					if !errors.Is(err, errEnded) {
						t.Error(err)
						return
					}
				}
			})
		}
		rotating.Wait()
		for number, n := range wrappedUnder(t, vaults[0]) {
			if number != epoch {
				t.Errorf("epoch %d still wraps %d keys", number, n)
			}
		}
		ok(t, keys.Retire())
	}
	more(20)
	stop()
	serving.Wait()

	third := open(t, rows, keys)
	if _, err := third.Whole(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range met {
		for _, p := range met[i] {
			q, found, err := third.ByPseudonym(t.Context(), p.App, p.Pseudonym)
			if err != nil || !found || !bytes.Equal(q.root[:], p.root[:]) {
				t.Fatalf("%s of %s is lost: %v, %v", p.Pseudonym, p.App, found, err)
			}
		}
	}
}

var errEnded = errors.New("the process has ended")

// endingRows take so many writes, and none after that.
type endingRows struct {
	eventstore.Rows
	left int
}

func (e *endingRows) Write(ctx context.Context, c eventstore.Change) error {
	if e.left--; e.left < 0 {
		return errEnded
	}
	return e.Rows.Write(ctx, c)
}
