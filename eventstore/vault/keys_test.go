package vault

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"consentledger/eventstore"
)

func TestOpening(t *testing.T) {
	t.Run("other keys are refused", func(t *testing.T) {
		rows := newRows()
		open(t, rows, NewMemoryKeys())
		_, err := Open(t.Context(), rows, NewMemoryKeys())
		want(t, err, ErrWrongKeys)
	})
	t.Run("rows without a check row are refused", func(t *testing.T) {
		rows, keys := newRows(), NewMemoryKeys()
		enrol(t, open(t, rows, keys), phone)
		ok(t, rows.Write(t.Context(), eventstore.Change{Delete: [][]byte{checkKey}}))
		if _, err := Open(t.Context(), rows, keys); err == nil {
			t.Fatal("opened")
		}
	})
}

func TestANewEpochOutlivesTheOld(t *testing.T) {
	rows, keys := newRows(), NewMemoryKeys()
	v := open(t, rows, keys)
	for _, id := range []string{"a", "b", "c"} {
		enrol(t, v, Lookup{"smartkey", "device", id})
	}
	p := enrol(t, v, phone)
	ok(t, v.Put(t.Context(), p, Part{event1, "s", "subject", []byte("Erika")}))
	ok(t, keys.Advance())
	enrol(t, v, Lookup{"smartkey", "device", "d"})
	if n, err := v.Rewrap(t.Context()); n != 6 || err != nil { // check, app, four people
		t.Fatal(n, err)
	}
	if n, err := v.Rewrap(t.Context()); n != 0 || err != nil {
		t.Fatal(n, err)
	}
	ok(t, keys.Retire())
	w := open(t, rows, keys)
	q, found, err := w.Find(t.Context(), phone)
	if !found || err != nil {
		t.Fatal(found, err)
	}
	if plain, found, err := w.Part(t.Context(), q, event1, "s", "subject"); string(plain) != "Erika" || !found || err != nil {
		t.Fatal(plain, found, err)
	}
}

func TestAWrappedKeyOpensOnlyInItsPlace(t *testing.T) {
	rows, keys := newRows(), NewMemoryKeys()
	v := open(t, rows, keys)
	p, q := enrol(t, v, phone), enrol(t, v, login)
	value, _, _ := rows.Get(t.Context(), entryKey(p.App, p.Pseudonym))
	ok(t, rows.Write(t.Context(), eventstore.Change{Put: []eventstore.Row{{Key: entryKey(q.App, q.Pseudonym), Value: value}}}))
	if _, _, err := open(t, rows, keys).Find(t.Context(), login); err == nil {
		t.Fatal("the swapped entry was taken")
	}
}

func TestKeyFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	t.Run("none is made by opening", func(t *testing.T) {
		_, err := OpenFileKeys(path)
		want(t, err, os.ErrNotExist)
	})
	keys := must[*FileKeys](t)(CreateFileKeys(path))
	t.Run("one that is there is not made again", func(t *testing.T) {
		_, err := CreateFileKeys(path)
		want(t, err, os.ErrExist)
	})
	t.Run("a vault opens with the keys read again, over epochs", func(t *testing.T) {
		rows := newRows()
		v := open(t, rows, keys)
		p := enrol(t, v, phone)
		ok(t, os.WriteFile(path+".next", []byte("left by a crash"), 0o600))
		ok(t, keys.Advance())
		open(t, rows, must[*FileKeys](t)(OpenFileKeys(path)))
		must[int](t)(v.Rewrap(t.Context()))
		ok(t, keys.Retire())
		q, found, err := open(t, rows, must[*FileKeys](t)(OpenFileKeys(path))).Find(t.Context(), phone)
		if !found || err != nil || q.Pseudonym != p.Pseudonym {
			t.Fatal(found, err)
		}
		ok(t, keys.Advance())
		if k := must[*FileKeys](t)(OpenFileKeys(path)); len(k.epochs) != 2 || k.epochs[1].number != 3 {
			t.Fatal("epochs", len(k.epochs))
		}
	})
	text := must[[]byte](t)(os.ReadFile(path))
	t.Run("it is its owner's alone", func(t *testing.T) {
		if info := must[os.FileInfo](t)(os.Stat(path)); info.Mode().Perm() != 0o600 {
			t.Fatal(info.Mode())
		}
		ok(t, os.Chmod(path, 0o640))
		if _, err := OpenFileKeys(path); err == nil {
			t.Fatal("opened")
		}
	})
	t.Run("cut anywhere it is refused", func(t *testing.T) {
		for i := range text {
			if _, err := parseKeys(text[:i]); err == nil {
				t.Fatal(i)
			}
		}
	})
	t.Run("with any bit changed it is refused", func(t *testing.T) {
		for i := range text {
			bad := bytes.Clone(text)
			bad[i] ^= 1
			if _, err := parseKeys(bad); err == nil {
				t.Fatal(i)
			}
		}
	})
}

func FuzzParseKeys(f *testing.F) {
	f.Add(formatKeys([]epoch{{number: 1}, {number: 7}}))
	f.Add([]byte(keysHeader + "epoch 1 "))
	f.Fuzz(func(t *testing.T, text []byte) {
		if epochs, err := parseKeys(text); err == nil && !bytes.Equal(formatKeys(epochs), text) {
			t.Fatalf("%q", text)
		}
	})
}

func FuzzParsePseudonym(f *testing.F) {
	f.Add(Pseudonym{1, 2, 3}.String())
	f.Add(Pseudonym{}.String())
	f.Add("ABCDEF0123456789abcdef0123456789")
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParsePseudonym(s)
		if (err == nil) == (p == Pseudonym{}) || err == nil && p.String() != s {
			t.Fatalf("%q: %v %v", s, p, err)
		}
	})
}
