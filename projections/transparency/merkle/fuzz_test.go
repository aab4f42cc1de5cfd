package merkle

import (
	"bytes"
	"strings"
	"testing"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const origin = "logs.example.com/consent/demo"

// A signedLog is a small log, its key and everything that is signed of it.
type signedLog struct {
	signer   note.Signer
	verifier note.Verifier
	c        Checkpoint
	signed   []byte
	records  [][]byte
	proof    Proof // of record 2
}

func newLog(t testing.TB) signedLog {
	t.Helper()
	skey, vkey, err := note.GenerateKey(strings.NewReader(strings.Repeat("a seed that is always the same..", 4)), origin)
	if err != nil {
		t.Fatal(err)
	}
	l := signedLog{}
	if l.signer, err = note.NewSigner(skey); err != nil {
		t.Fatal(err)
	}
	if l.verifier, err = note.NewVerifier(vkey); err != nil {
		t.Fatal(err)
	}
	var e Edge
	var stored []Hash
	hashes := tlog.HashReaderFunc(func(at []int64) ([]Hash, error) {
		var all []Hash
		for _, i := range at {
			all = append(all, stored[i])
		}
		return all, nil
	})
	for i := range int64(5) {
		l.records = append(l.records, numbered(i))
		e.Append(numbered(i), func(Tile, []byte) {})
		more, err := tlog.StoredHashes(i, numbered(i), hashes)
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, more...)
	}
	l.c = Checkpoint{origin, e.Size, e.Root()}
	if l.signed, err = Sign(l.c, l.signer); err != nil {
		t.Fatal(err)
	}
	path, err := tlog.ProveRecord(e.Size, 2, hashes)
	if err != nil {
		t.Fatal(err)
	}
	l.proof = Proof{Index: 2, Extra: l.records[2], Path: path, Checkpoint: l.signed}
	return l
}

// TestEveryByteCounts: no byte of a signed checkpoint or a proof can be
// another.
func TestEveryByteCounts(t *testing.T) {
	l := newLog(t)
	if c, err := Open(l.signed, l.verifier, origin); err != nil || c != l.c {
		t.Fatal(c, err)
	}
	proof := l.proof.Format()
	for i := range proof {
		for bit := range 8 {
			bad := bytes.Clone(proof)
			bad[i] ^= 1 << bit
			p, err := ParseProof(bad)
			if err == nil {
				_, err = p.Verify(p.Extra, l.verifier, origin)
			}
			if err == nil {
				t.Errorf("byte %d of a proof may be %q instead of %q", i, bad[i], proof[i])
			}
		}
	}
	for i := range l.signed {
		for bit := range 8 {
			bad := bytes.Clone(l.signed)
			bad[i] ^= 1 << bit
			if c, err := Open(bad, l.verifier, origin); err == nil {
				t.Errorf("byte %d of a checkpoint may be %q instead of %q: %v", i, bad[i], l.signed[i], c)
			}
		}
	}
	for n := range l.signed {
		if _, err := Open(l.signed[:n], l.verifier, origin); err == nil {
			t.Errorf("%d of %d bytes of a checkpoint are enough", n, len(l.signed))
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	l := newLog(t)
	twice := append(bytes.Clone(l.signed), l.signed[bytes.LastIndex(l.signed, []byte("— ")):]...)
	extended, err := note.Sign(&note.Note{Text: l.c.String() + "more\n"}, l.signer)
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string][]byte{"signed twice": twice, "an extension": extended, "too long": append(bytes.Clone(l.signed), make([]byte, MaxNote)...)} {
		if c, err := Open(bad, l.verifier, origin); err == nil {
			t.Errorf("%s: read as %v", name, c)
		}
	}
	if _, err := Open(l.signed, l.verifier, origin+"2"); err == nil || !strings.Contains(err.Error(), `want "`+origin+`2"`) {
		t.Errorf("another origin: %v", err)
	}
}

func FuzzCheckpoint(f *testing.F) {
	f.Add(newLog(f).c.String())
	f.Add("a\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ParseCheckpoint(text)
		if err != nil {
			return
		}
		if c.String() != text {
			t.Errorf("%q is read and written as %q", text, c)
		}
		theirs, err := torchwood.ParseCheckpoint(text)
		if err != nil || theirs.N != c.Size || theirs.Hash != c.Root || theirs.Origin != c.Origin {
			t.Errorf("%q is read otherwise by another: %v, %v", text, theirs, err)
		}
	})
}

// FuzzNote: what opens was signed. Nobody has the key, so only the seed opens.
func FuzzNote(f *testing.F) {
	l := newLog(f)
	f.Add(l.signed)
	f.Add(append(bytes.Clone(l.signed), "— witness.example.com AAAAAAAAAAA=\n"...))
	f.Fuzz(func(t *testing.T, signed []byte) {
		if c, err := Open(signed, l.verifier, origin); err == nil && (c != l.c || !bytes.HasPrefix(signed, []byte(l.c.String()))) {
			t.Errorf("%q opens as %v", signed, c)
		}
	})
}

func FuzzTilePath(f *testing.F) {
	for _, path := range []string{"tile/0/000", "tile/7/x001/x234/067.p/255", "tile/entries/x001/000.p/1", "tile/0/x999/x999/x999/999"} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		tile, err := ParsePath(path)
		if err != nil {
			return
		}
		if Path(tile) != path || strings.Contains(path, "..") || strings.HasPrefix(path, "/") {
			t.Errorf("%q is read as %v, written as %q", path, tile, Path(tile))
		}
	})
}

func FuzzProof(f *testing.F) {
	l := newLog(f)
	f.Add(l.proof.Format())
	without := l.proof
	without.Extra = nil
	f.Add(without.Format())
	policy := torchwood.ThresholdPolicy(2, torchwood.OriginPolicy(origin), torchwood.SingleVerifierPolicy(l.verifier))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := ParseProof(text)
		if err != nil {
			return
		}
		if !bytes.Equal(p.Format(), text) {
			t.Errorf("%q is read and written as %q", text, p.Format())
		}
		_, ours := p.Verify(p.Extra, l.verifier, origin)
		theirs := torchwood.VerifyProof(policy, tlog.RecordHash(p.Extra), text)
		if ours == nil && (theirs != nil || !bytes.Equal(l.records[p.Index], p.Extra)) {
			t.Errorf("%q verifies, and another says %v", text, theirs)
		}
	})
}

func FuzzBundle(f *testing.F) {
	f.Add(AppendEntry(AppendEntry(nil, []byte("one")), nil))
	f.Fuzz(func(t *testing.T, bundle []byte) {
		var again []byte
		n := 0
		for rest := bundle; len(rest) > 0; n++ {
			record, more, err := CutEntry(rest)
			if err != nil {
				if _, err := Prefix(bundle, n+1); err == nil {
					t.Errorf("%d entries of %x", n+1, bundle)
				}
				return
			}
			again, rest = AppendEntry(again, record), more
		}
		if all, err := Prefix(bundle, n); err != nil || !bytes.Equal(again, bundle) || !bytes.Equal(all, bundle) {
			t.Errorf("%x is cut and put together as %x: %v", bundle, again, err)
		}
	})
}
