package publish

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"consentledger/projections/transparency/merkle"
	"consentledger/projections/transparency/verify"

	"golang.org/x/mod/sumdb/note"
)

const origin = "logs.example.com/consent/demo"

// A log is one whose records are in memory, and counts what is asked of it.
type log struct {
	t       *testing.T
	signer  note.Signer
	key     note.Verifier
	records [][]byte
	signed  []byte // the checkpoint, if it is not the one that the records give
	asked   []string
}

func newLog(t *testing.T, n int) *log {
	t.Helper()
	skey, vkey, err := note.GenerateKey(nil, origin)
	if err != nil {
		t.Fatal(err)
	}
	l := &log{t: t}
	if l.signer, err = note.NewSigner(skey); err != nil {
		t.Fatal(err)
	}
	if l.key, err = note.NewVerifier(vkey); err != nil {
		t.Fatal(err)
	}
	l.grow(n)
	return l
}

// grow adds records, in the form that verify wants.
func (l *log) grow(n int) {
	for i := len(l.records); len(l.records) < n; i++ {
		l.records = append(l.records, fmt.Appendf(nil,
			`{"actor":"system","at":%d,"data":{},"id":"%08d-89ab-cdef-0123-456789abcdef","recorded":%d,"recorded_by":"x","stream":"policy-demo-all","type":"test.v1","v":1}`, 1000+i, i, 1000+i))
	}
}

func (l *log) Read(_ context.Context, paths ...string) ([][]byte, error) {
	var files [][]byte
	for _, path := range paths {
		l.asked = append(l.asked, path)
		if path == "checkpoint" {
			files = append(files, l.checkpoint())
			continue
		}
		tile, err := merkle.ParsePath(path)
		if err != nil || tile.L >= 0 {
			return nil, fmt.Errorf("asked for %s, which can be derived", path)
		}
		var bundle []byte
		for _, r := range l.records[tile.N*merkle.Width:][:tile.W] {
			bundle = merkle.AppendEntry(bundle, r)
		}
		files = append(files, bundle)
	}
	return files, nil
}

func (l *log) checkpoint() []byte {
	if l.signed != nil {
		return l.signed
	}
	var e merkle.Edge
	for _, r := range l.records {
		e.Append(r, func(merkle.Tile, []byte) {})
	}
	signed, err := merkle.Sign(merkle.Checkpoint{Origin: origin, Size: e.Size, Root: e.Root()}, l.signer)
	if err != nil {
		l.t.Fatal(err)
	}
	return signed
}

// A copied is a copy as somebody reads it.
type copied string

func (dir copied) Read(_ context.Context, paths ...string) ([][]byte, error) {
	var files [][]byte
	for _, path := range paths {
		b, err := os.ReadFile(filepath.Join(string(dir), path))
		if err != nil {
			return nil, err
		}
		files = append(files, b)
	}
	return files, nil
}

func (l *log) verify(dir string) {
	l.t.Helper()
	report, err := (&verify.Log{Source: copied(dir), Verifier: l.key, Origin: origin}).Verify(l.t.Context())
	if err != nil || report.Verdict != "" || report.Records != int64(len(l.records)) {
		l.t.Errorf("a copy of %d records: %v, %+v", len(l.records), err, report)
	}
}

// TestWrite: a copy that grows verifies at every size, nothing is copied twice,
// and it is the same as one that was made at once.
func TestWrite(t *testing.T) {
	l, dir := newLog(t, 0), filepath.Join(t.TempDir(), "copy")
	for _, size := range []int{0, 1, 255, 256, 257, 300, 700, 700, 65_536, 65_900} {
		l.grow(size)
		had := 0
		if c, err := os.ReadFile(filepath.Join(dir, "checkpoint")); err == nil {
			fmt.Sscanf(strings.Split(string(c), "\n")[1], "%d", &had)
		}
		l.asked = nil
		c, err := Write(t.Context(), l, dir)
		if err != nil || c.Size != int64(size) {
			t.Fatalf("%d records: %+v, %v", size, c, err)
		}
		if want := 1 + (size+255)/256 - had/256; len(l.asked) > want {
			t.Errorf("from %d to %d records it asked for %d files, want %d", had, size, len(l.asked), want)
		}
		l.verify(dir)
	}

	once := t.TempDir()
	if _, err := Write(t.Context(), l, once); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(once, func(path string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(once, path)
		if err != nil || d.IsDir() {
			return err
		}
		a, err := os.ReadFile(path)
		b, err2 := os.ReadFile(filepath.Join(dir, rel))
		if err != nil || err2 != nil || !bytes.Equal(a, b) {
			t.Errorf("%s: %v, %v, or they differ", rel, err, err2)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestNotTheSigned: records that do not give the signed root are not published:
// the copy stands as it stood.
func TestNotTheSigned(t *testing.T) {
	l, dir := newLog(t, 300), t.TempDir()
	if _, err := Write(t.Context(), l, dir); err != nil {
		t.Fatal(err)
	}
	before, _ := os.ReadFile(filepath.Join(dir, "checkpoint"))
	l.grow(700)
	l.signed = l.checkpoint()
	true400 := l.records[400]
	l.records[400] = []byte("another")
	if _, err := Write(t.Context(), l, dir); err == nil || !strings.Contains(err.Error(), "nothing is published") {
		t.Errorf("published: %v", err)
	}
	if after, _ := os.ReadFile(filepath.Join(dir, "checkpoint")); !bytes.Equal(after, before) {
		t.Error("the checkpoint is another")
	}
	l.records[400] = true400
	if _, err := Write(t.Context(), l, dir); err != nil {
		t.Errorf("when all is well again: %v", err)
	}
	l.verify(dir)
}

// TestAnotherLog: a copy is never made another log's, or an older one.
func TestAnotherLog(t *testing.T) {
	l, dir := newLog(t, 300), t.TempDir()
	if _, err := Write(t.Context(), l, dir); err != nil {
		t.Fatal(err)
	}
	forked := newLog(t, 300)
	forked.records[7] = forked.records[8]
	for name, c := range map[string]struct {
		log  *log
		want string
	}{
		"fewer records": {newLog(t, 299), "rolled back"},
		"another root":  {forked, "forked"},
	} {
		if _, err := Write(t.Context(), c.log, dir); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	other := newLog(t, 400)
	other.signed = bytes.Replace(other.checkpoint(), []byte(origin), []byte("logs.example.com/other"), 1)
	if _, err := Write(t.Context(), other, dir); err == nil || !strings.Contains(err.Error(), "name another directory") {
		t.Errorf("another origin: %v", err)
	}
	l.verify(dir)
}

// TestDamagedCopy: the edge of a copy is damaged or gone: it is copied anew.
func TestDamagedCopy(t *testing.T) {
	for name, damage := range map[string]func(tile string) error{
		"gone": os.Remove,
		"cut":  func(tile string) error { return os.Truncate(tile, 3) },
		"flipped": func(tile string) error {
			b, err := os.ReadFile(tile)
			if err == nil {
				b[3] ^= 1
				err = os.WriteFile(tile, b, 0o644)
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			l, dir := newLog(t, 700), t.TempDir()
			if _, err := Write(t.Context(), l, dir); err != nil {
				t.Fatal(err)
			}
			if err := damage(filepath.Join(dir, "tile", "1", "000.p", "2")); err != nil {
				t.Fatal(err)
			}
			l.grow(900)
			if _, err := Write(t.Context(), l, dir); err != nil {
				t.Fatal(err)
			}
			l.verify(dir)
		})
	}
}
