package vault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"consentledger/eventstore"
)

var (
	phone  = Lookup{"smartkey", "device", "installation-4711"}
	login  = Lookup{"smartkey", "account", "account-0815"}
	event1 = eventstore.EventID{1}
	event2 = eventstore.EventID{2}
	noon   = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	later  = noon.AddDate(0, 0, 30)
)

func must[T any](t testing.TB) func(T, error) T {
	return func(x T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
}

func open(t testing.TB, rows eventstore.Rows, keys Keys) *Vault {
	t.Helper()
	return must[*Vault](t)(Open(t.Context(), rows, keys))
}

func enrol(t testing.TB, v *Vault, l Lookup) *Person {
	t.Helper()
	p, _, err := v.Enrol(t.Context(), l)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func want(t *testing.T, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Fatalf("error %v, want %v", err, target)
	}
}

// all returns every row, one after the other.
func all(t *testing.T, rows eventstore.Rows) []byte {
	t.Helper()
	var b []byte
	for row, err := range rows.Scan(t.Context(), nil) {
		ok(t, err)
		b = append(append(b, row.Key...), row.Value...)
	}
	return b
}

func count(t *testing.T, rows eventstore.Rows, prefix string) (n int) {
	t.Helper()
	for _, err := range rows.Scan(t.Context(), []byte(prefix)) {
		ok(t, err)
		n++
	}
	return n
}

func TestFinding(t *testing.T) {
	t.Run("someone unknown writes nothing", func(t *testing.T) {
		rows := newRows()
		v := open(t, rows, NewMemoryKeys())
		before := all(t, rows)
		if p, found, err := v.Find(t.Context(), phone); p != nil || found || err != nil {
			t.Fatal(p, found, err)
		}
		if !bytes.Equal(all(t, rows), before) {
			t.Fatal("Find wrote")
		}
	})
	t.Run("an enrolled person is found again, by another vault too", func(t *testing.T) {
		rows, keys := newRows(), NewMemoryKeys()
		p, fresh, err := open(t, rows, keys).Enrol(t.Context(), phone)
		if !fresh || err != nil {
			t.Fatal(fresh, err)
		}
		v := open(t, rows, keys)
		q, found, err := v.Find(t.Context(), phone)
		if !found || err != nil || q.Pseudonym != p.Pseudonym || q.Commit(event1, "subject", nil) != p.Commit(event1, "subject", nil) {
			t.Fatal(q, found, err)
		}
		r, fresh, err := v.Enrol(t.Context(), phone)
		if fresh || err != nil || r != q {
			t.Fatal(r, fresh, err)
		}
		s, found, err := open(t, rows, keys).ByPseudonym(t.Context(), "smartkey", p.Pseudonym)
		if !found || err != nil || s.Digest(nil) != p.Digest(nil) {
			t.Fatal(s, found, err)
		}
		if _, found, _ := v.ByPseudonym(t.Context(), "other", p.Pseudonym); found {
			t.Fatal("found in another app")
		}
	})
	t.Run("the same id in another app or kind is another person", func(t *testing.T) {
		v := open(t, newRows(), NewMemoryKeys())
		p := enrol(t, v, phone)
		for _, l := range []Lookup{{"other", phone.Kind, phone.ID}, {phone.App, "account", phone.ID}} {
			if q := enrol(t, v, l); q.Pseudonym == p.Pseudonym {
				t.Fatal(l)
			}
		}
	})
	t.Run("of racing enrolments one makes the person", func(t *testing.T) {
		rows, keys := newRows(), NewMemoryKeys()
		vaults := []*Vault{open(t, rows, keys), open(t, rows, keys)}
		var freshes atomic.Int32
		var names sync.Map
		var wg sync.WaitGroup
		for i := range 64 {
			wg.Go(func() {
				p, fresh, err := vaults[i%2].Enrol(context.Background(), phone)
				if err != nil {
					t.Error(err)
					return
				}
				if fresh {
					freshes.Add(1)
				}
				names.Store(p.Pseudonym, true)
			})
		}
		wg.Wait()
		n := 0
		names.Range(func(any, any) bool { n++; return true })
		if n != 1 || freshes.Load() != 1 || count(t, rows, entryRows) != 1 {
			t.Fatal(n, freshes.Load(), count(t, rows, entryRows))
		}
	})
	t.Run("the cache lets go of the oldest and the rows still know them", func(t *testing.T) {
		v := open(t, newRows(), NewMemoryKeys())
		p := enrol(t, v, phone)
		for i := range 2*cacheBytes/personBytes + 1 {
			v.people.keep(0, Lookup{"smartkey", "x", fmt.Sprint(i)}, p)
		}
		if v.people.find(phone) != nil {
			t.Fatal("the cache grows")
		}
		if q, found, err := v.Find(t.Context(), phone); !found || err != nil || q.Pseudonym != p.Pseudonym {
			t.Fatal(q, found, err)
		}
	})
	t.Run("a lookup with nothing in it is refused", func(t *testing.T) {
		v := open(t, newRows(), NewMemoryKeys())
		for _, l := range []Lookup{{}, {"a", "", "x"}, {"a", "k", ""}, {"", "k", "x"}, {strings.Repeat("a", 101), "k", "x"}} {
			if _, _, err := v.Enrol(t.Context(), l); err == nil {
				t.Fatal(l)
			}
		}
	})
}

func TestLinking(t *testing.T) {
	v := open(t, newRows(), NewMemoryKeys())
	p := enrol(t, v, phone)
	t.Run("linked lookups find one person", func(t *testing.T) {
		ok(t, v.Link(t.Context(), p, login))
		q, found, err := v.Find(t.Context(), login)
		if !found || err != nil || q.Pseudonym != p.Pseudonym {
			t.Fatal(q, found, err)
		}
	})
	t.Run("linking twice is no error", func(t *testing.T) {
		ok(t, v.Link(t.Context(), p, login))
		ok(t, v.Link(t.Context(), p, phone))
		if n := count(t, v.rows, linkRows); n != 1 {
			t.Fatalf("%d link rows", n)
		}
	})
	t.Run("what leads to somebody else is not taken from them", func(t *testing.T) {
		other := enrol(t, v, Lookup{"smartkey", "device", "other"})
		want(t, v.Link(t.Context(), other, phone), ErrTaken)
	})
	t.Run("no link leads out of the app", func(t *testing.T) {
		if v.Link(t.Context(), p, Lookup{"other", "device", "x"}) == nil {
			t.Fatal("linked")
		}
	})
	t.Run("racing links and an erasure leave no row behind", func(t *testing.T) {
		rows := newRows()
		v := open(t, rows, NewMemoryKeys())
		p := enrol(t, v, phone)
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				v.Link(context.Background(), p, Lookup{"smartkey", "account", fmt.Sprint(i)})
				v.Put(context.Background(), p, Part{Event: eventstore.EventID{byte(i)}, Role: "subject"})
				v.KeepFold(context.Background(), p, fmt.Sprint(i), nil)
			})
		}
		wg.Go(func() {
			if err := v.Erase(context.Background(), p, noon, later); err != nil {
				t.Error(err)
			}
		})
		wg.Wait()
		for _, kind := range []string{entryRows, linkRows, lookupRows, partRows, foldRows} {
			if n := count(t, rows, kind); n != 0 {
				t.Errorf("%d rows of %s", n, kind)
			}
		}
	})
}

func TestDetaching(t *testing.T) {
	rows := newRows()
	v := open(t, rows, NewMemoryKeys())
	at := time.UnixMilli(1767225600000).UTC()
	p := enrol(t, v, phone)
	ok(t, v.Link(t.Context(), p, login))
	ok(t, v.Detach(t.Context(), p, phone, at, at.Add(time.Hour)))
	ok(t, v.Detach(t.Context(), p, phone, at, at.Add(time.Hour)))
	if _, found, err := v.Find(t.Context(), phone); found || err != nil {
		t.Fatal(found, err)
	}
	if q, found, err := v.Find(t.Context(), login); !found || err != nil || q.Pseudonym != p.Pseudonym {
		t.Fatal(q, found, err)
	}
	if got, tomb, err := v.ErasedAt(t.Context(), phone, at); !tomb || err != nil || !got.Equal(at) {
		t.Fatal(got, tomb, err)
	}
	next := enrol(t, v, phone)
	if next.Pseudonym == p.Pseudonym {
		t.Fatal("who comes next is the same")
	}
	ok(t, v.Detach(t.Context(), p, phone, at, at.Add(time.Hour)))
	ok(t, v.Erase(t.Context(), p, at, at.Add(time.Hour)))
	if q, found, err := v.Find(t.Context(), phone); !found || err != nil || q.Pseudonym != next.Pseudonym {
		t.Fatal("erasing the one took the other's lookup", q, found, err)
	}
	if n := count(t, rows, detachRows); n != 0 {
		t.Fatalf("%d rows of detached lookups are left", n)
	}
}

func TestParts(t *testing.T) {
	rows := newRows()
	v := open(t, rows, NewMemoryKeys())
	p, q := enrol(t, v, phone), enrol(t, v, login)
	part := Part{event1, "subject-1", "subject", []byte("Erika Mustermann")}
	ok(t, v.Put(t.Context(), p, part, Part{event2, "subject-1", "subject", []byte("b")}, Part{event1, "subject-1", "guardian", []byte("c")}))
	ok(t, v.Put(t.Context(), q, Part{event1, "subject-1", "subject", []byte("d")}))

	t.Run("a part comes back as it was", func(t *testing.T) {
		plain, found, err := v.Part(t.Context(), p, event1, "subject-1", "subject")
		if err != nil || !found || !bytes.Equal(plain, part.Plain) {
			t.Fatal(plain, found, err)
		}
		if _, found, err := v.Part(t.Context(), p, event2, "subject-1", "guardian"); found || err != nil {
			t.Fatal(found, err)
		}
	})
	t.Run("no row shows it, nor the outside id", func(t *testing.T) {
		for _, secret := range []string{"Mustermann", phone.ID, login.ID} {
			if bytes.Contains(all(t, rows), []byte(secret)) {
				t.Fatal(secret)
			}
		}
	})
	t.Run("a part on another stream is refused", func(t *testing.T) {
		if _, _, err := v.Part(t.Context(), p, event1, "subject-2", "subject"); err == nil {
			t.Fatal("unsealed")
		}
	})
	home := partKey(p.App, p.Pseudonym, event1, "subject")
	value, _, _ := rows.Get(t.Context(), home)
	for name, key := range map[string][]byte{
		"person": partKey(q.App, q.Pseudonym, event1, "subject"),
		"event":  partKey(p.App, p.Pseudonym, event2, "subject"),
		"role":   partKey(p.App, p.Pseudonym, event1, "guardian"),
	} {
		t.Run("a part moved to another "+name+" is refused", func(t *testing.T) {
			old, _, _ := rows.Get(t.Context(), key)
			put := func(value []byte) {
				ok(t, rows.Write(t.Context(), eventstore.Change{Present: [][]byte{key}, Put: []eventstore.Row{{Key: key, Value: value}}}))
			}
			put(value)
			defer put(old)
			who, event, role := p, event1, "subject"
			switch name {
			case "person":
				who = q
			case "event":
				event = event2
			case "role":
				role = "guardian"
			}
			if _, _, err := v.Part(t.Context(), who, event, "subject-1", role); err == nil {
				t.Fatal("unsealed")
			}
		})
	}
	t.Run("every changed bit is refused", func(t *testing.T) {
		for i := range value {
			bad := bytes.Clone(value)
			bad[i] ^= 4
			ok(t, rows.Write(t.Context(), eventstore.Change{Put: []eventstore.Row{{Key: home, Value: bad}}}))
			if _, _, err := v.Part(t.Context(), p, event1, "subject-1", "subject"); err == nil {
				t.Fatal("unsealed", i)
			}
		}
	})
}

func TestErasing(t *testing.T) {
	rows, keys := newRows(), NewMemoryKeys()
	v, other := open(t, rows, keys), open(t, rows, keys)
	p, bystander := enrol(t, v, phone), enrol(t, v, Lookup{"smartkey", "device", "bystander"})
	ok(t, v.Link(t.Context(), p, login))
	ok(t, v.Put(t.Context(), p, Part{event1, "s", "subject", []byte("Erika")}))
	ok(t, v.Put(t.Context(), bystander, Part{event1, "s", "subject", []byte("Max")}))
	other.Find(t.Context(), login) // it remembers

	app := must[*AppKey](t)(v.AppKey(t.Context(), "smartkey"))
	part, _, _ := rows.Get(t.Context(), partKey(p.App, p.Pseudonym, event1, "subject"))
	entry, _, _ := rows.Get(t.Context(), entryKey(p.App, p.Pseudonym))
	m1, m2 := app.lookup(phone), app.lookup(login)
	ok(t, v.Erase(t.Context(), p, noon, later))

	t.Run("no row holds a byte of the person", func(t *testing.T) {
		b := all(t, rows)
		for name, gone := range map[string][]byte{
			"part": part[1:], "entry": entry[1:], "wrapped key": entry[1+len(mac{}):], "pseudonym": p.Pseudonym[:],
			"first lookup": m1[:], "second lookup": m2[:], "plain": []byte("Erika"), "id": []byte(phone.ID),
		} {
			if len(gone) == 0 || bytes.Contains(b, gone) {
				t.Errorf("%s is there", name)
			}
		}
	})
	t.Run("the person is not found", func(t *testing.T) {
		for _, l := range []Lookup{phone, login} {
			if _, found, err := v.Find(t.Context(), l); found || err != nil {
				t.Fatal(found, err)
			}
		}
		if _, found, err := v.ByPseudonym(t.Context(), p.App, p.Pseudonym); found || err != nil {
			t.Fatal(found, err)
		}
	})
	t.Run("nothing is put any more, nor linked", func(t *testing.T) {
		want(t, v.Put(t.Context(), p, Part{event2, "s", "subject", nil}), ErrErased)
		want(t, v.Link(t.Context(), p, Lookup{"smartkey", "device", "new"}), ErrErased)
	})
	t.Run("another vault that remembers notices at Put, and forgets", func(t *testing.T) {
		q, found, _ := other.Find(t.Context(), login)
		if !found {
			t.Fatal("its cache is empty: the test tests nothing")
		}
		want(t, other.Put(t.Context(), q, Part{event2, "s", "subject", nil}), ErrErased)
		if _, found, err := other.Find(t.Context(), login); found || err != nil {
			t.Fatal(found, err)
		}
	})
	t.Run("others keep what they have", func(t *testing.T) {
		plain, found, err := v.Part(t.Context(), bystander, event1, "s", "subject")
		if string(plain) != "Max" || !found || err != nil {
			t.Fatal(plain, found, err)
		}
	})
	t.Run("erasing again is no error", func(t *testing.T) {
		ok(t, v.Erase(t.Context(), p, later, later.AddDate(1, 0, 0)))
	})
	t.Run("the tombstone tells until it expires", func(t *testing.T) {
		for _, l := range []Lookup{phone, login} {
			at, erased, err := v.ErasedAt(t.Context(), l, later.Add(-time.Millisecond))
			if !erased || err != nil || !at.Equal(noon) {
				t.Fatal(at, erased, err)
			}
			if _, erased, err := v.ErasedAt(t.Context(), l, later); erased || err != nil {
				t.Fatal(erased, err)
			}
		}
		if _, erased, _ := v.ErasedAt(t.Context(), Lookup{"smartkey", "device", "bystander"}, noon); erased {
			t.Fatal("the bystander too")
		}
	})
	t.Run("the person coming back is a new pseudonym", func(t *testing.T) {
		q, fresh, err := v.Enrol(t.Context(), phone)
		if !fresh || err != nil || q.Pseudonym == p.Pseudonym || q.Digest(nil) == p.Digest(nil) {
			t.Fatal(q, fresh, err)
		}
	})
	t.Run("a sweep deletes the expired tombstones only", func(t *testing.T) {
		if n, err := v.Sweep(t.Context(), later.Add(-1)); n != 0 || err != nil {
			t.Fatal(n, err)
		}
		if n, err := v.Sweep(t.Context(), later); n != 2 || err != nil || count(t, rows, tombRows) != 0 {
			t.Fatal(n, err)
		}
	})
	t.Run("a person read before an erasure is not remembered after it", func(t *testing.T) {
		v.people.keep(v.people.erasures.Load()-1, login, p)
		if v.people.find(login) != nil {
			t.Fatal("remembered")
		}
	})
}

// faulty fails each Write from the n-th on: before, or after making it.
type faulty struct {
	eventstore.Rows
	left int
	made bool
}

var errDisk = errors.New("disk")

func (f *faulty) Write(ctx context.Context, c eventstore.Change) error {
	if f.left--; f.left >= 0 {
		return f.Rows.Write(ctx, c)
	}
	if f.made {
		if err := f.Rows.Write(ctx, c); err != nil {
			return err
		}
	}
	return errDisk
}

func TestAWriteThatFailsIsFinishedByDoingItAgain(t *testing.T) {
	for _, made := range []bool{false, true} {
		for left := range 6 {
			t.Run(fmt.Sprintf("made %v, write %d", made, left), func(t *testing.T) {
				rows, keys := newRows(), NewMemoryKeys()
				run := func(rows eventstore.Rows) error {
					v, err := Open(t.Context(), rows, keys)
					if err != nil {
						return err
					}
					p, _, err := v.Enrol(t.Context(), phone)
					if err != nil {
						return err
					}
					if err := v.Link(t.Context(), p, login); err != nil {
						return err
					}
					if err := v.Put(t.Context(), p, Part{event1, "s", "subject", []byte("Erika")}); err != nil {
						return err
					}
					if err := v.KeepFold(t.Context(), p, "subject", []byte("a fold")); err != nil {
						return err
					}
					return v.Erase(t.Context(), p, noon, later)
				}
				want(t, run(&faulty{rows, left, made}), errDisk)
				ok(t, run(rows))
				for _, kind := range []string{entryRows, linkRows, lookupRows, partRows, foldRows} {
					if n := count(t, rows, kind); n != 0 {
						t.Errorf("%d rows of %s", n, kind)
					}
				}
			})
		}
	}
}

func TestDamagedRowsAreErrorsAndNeverPanics(t *testing.T) {
	for name, value := range map[string][]byte{"empty": {}, "of a later version": {2, 1, 2, 3}, "short": {1}, "cut": bytes.Repeat([]byte{1}, 20)} {
		for _, kind := range []string{appRows, entryRows, lookupRows, "v/c"} {
			t.Run(name+" "+kind, func(t *testing.T) {
				rows, keys := newRows(), NewMemoryKeys()
				enrol(t, open(t, rows, keys), phone)
				for row, err := range rows.Scan(t.Context(), []byte(kind)) {
					ok(t, err)
					ok(t, rows.Write(t.Context(), eventstore.Change{Put: []eventstore.Row{{Key: row.Key, Value: value}}}))
				}
				v, err := Open(t.Context(), rows, keys)
				if err == nil {
					_, _, err = v.Enrol(t.Context(), phone)
				}
				if err == nil {
					t.Fatal("no error")
				}
				if strings.Contains(err.Error(), phone.ID) {
					t.Fatal("the error tells who:", err)
				}
			})
		}
	}
}
