package transparency

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"consentledger/domain/ident"
	"consentledger/eventstore"
)

// filled is a site with so many signed records, stopped.
func filled(t *testing.T, n int64) *site {
	t.Helper()
	s := newSite(t)
	s.shelf.add("demo", numbered(0, n)...)
	s.start()
	s.covered("demo")
	s.end()
	return s
}

// signedNow returns what is kept as signed last.
func (s *site) signedNow() string {
	s.t.Helper()
	b, err := os.ReadFile(filepath.Join(s.dir, "keep", "demo.signed"))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(b)
}

// tampers are things that may happen to a store of 700 records.
var tampers = map[string]func(*shelf){
	"changed":  func(s *shelf) { s.records[400].Data = []byte("not this") },
	"removed":  func(s *shelf) { s.remove(400) },
	"inserted": func(s *shelf) { s.insert(400) },
	"swapped": func(s *shelf) {
		s.records[400].Data, s.records[401].Data = s.records[401].Data, s.records[400].Data
	},
	"changed at the edge": func(s *shelf) { s.records[699].Data = []byte("not this") },
}

func (s *shelf) remove(i int) {
	s.records = append(s.records[:i:i], s.records[i+1:]...)
	s.renumber()
}

func (s *shelf) insert(i int) {
	s.records = append(s.records[:i:i], append([]eventstore.Recorded{{Record: eventstore.Record{ID: idOf(9999), Data: []byte("slipped in")}, Stream: s.records[i].Stream}}, s.records[i:]...)...)
	s.renumber()
}

func (s *shelf) renumber() {
	for i := range s.records {
		s.records[i].Position = eventstore.Position(2*i + 1)
	}
}

// TestOtherRecordsAreAFault: whatever happened to the store while nobody
// looked, it is found, nothing more is signed, and the server is told. Without
// tiles Run finds it, with them Check does.
func TestOtherRecordsAreAFault(t *testing.T) {
	for name, tamper := range tampers {
		for _, tiles := range []bool{false, true} {
			t.Run(name+map[bool]string{false: ", tiles gone", true: ", tiles there"}[tiles], func(t *testing.T) {
				s := filled(t, 700)
				before := s.signedNow()
				tamper(s.shelf)
				s.shelf.add("demo", numbered(700, 800)...)
				if !tiles {
					if err := os.RemoveAll(filepath.Join(s.dir, "tiles")); err != nil {
						t.Fatal(err)
					}
				}
				if err := s.open(); err != nil {
					t.Fatal(err)
				}
				if tiles {
					// Check comes first here, so that what Run signs does not
					// depend on who is faster.
					if _, err := s.log.Check(t.Context()); err == nil {
						t.Error("Check found nothing")
					}
				}
				s.run()
				err := s.failed()
				if fault, is := errors.AsType[*FaultError](err); !is || fault.App != "demo" {
					t.Errorf("stopped by %v, want a fault of demo", err)
				}
				if s.end(); len(s.halted) == 0 {
					t.Error("the server was not told")
				}
				if s.signedNow() != before {
					t.Error("something was signed")
				}
			})
		}
	}
}

// TestShortStoreIsRefused: a store that ends before what was signed last.
func TestShortStoreIsRefused(t *testing.T) {
	s := filled(t, 700)
	s.shelf.records = s.shelf.records[:650]
	if err := s.open(); err == nil || !strings.Contains(err.Error(), "older than what was signed") {
		t.Fatalf("opened: %v", err)
	}
	if err := os.RemoveAll(filepath.Join(s.dir, "tiles")); err != nil {
		t.Fatal(err)
	}
	if err := s.open(); err == nil || !strings.Contains(err.Error(), "older than what was signed") {
		t.Fatalf("opened without tiles: %v", err)
	}
}

// TestRecordsOfOneAppMissing: the store is as long as before, but one app's
// records are another's now.
func TestRecordsOfOneAppMissing(t *testing.T) {
	for _, tiles := range []bool{false, true} {
		s := filled(t, 300)
		for i := 250; i < 300; i++ {
			s.shelf.records[i].Stream = "subject-other-00ff"
		}
		if !tiles {
			os.RemoveAll(filepath.Join(s.dir, "tiles"))
		}
		if err := s.open(); err != nil {
			t.Fatal(err)
		}
		if tiles {
			if _, err := s.log.Check(t.Context()); err == nil {
				t.Error("Check found nothing")
			}
		}
		s.run()
		if _, is := errors.AsType[*FaultError](s.failed()); !is {
			t.Errorf("tiles %v: no fault", tiles)
		}
		s.end()
	}
}

// TestDamagedTilesComeBack: tiles are a cache. Whatever happens to them, they
// are built again and nobody is alarmed.
func TestDamagedTilesComeBack(t *testing.T) {
	flip := func(name string) func(dir string) error {
		return func(dir string) error {
			path := filepath.Join(dir, "tiles", name)
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			b[len(b)/2] ^= 1
			return os.WriteFile(path, b, 0o600)
		}
	}
	cut := func(name string) func(dir string) error {
		return func(dir string) error { return os.Truncate(filepath.Join(dir, "tiles", name), 5) }
	}
	drop := func(name string) func(dir string) error {
		return func(dir string) error { return os.RemoveAll(filepath.Join(dir, "tiles", name)) }
	}
	type damages map[string]func(dir string) error
	for size, all := range map[int64]damages{
		776: {
			"the edge flipped":      flip("demo/tile/0/003.p/8"),
			"the edge cut":          cut("demo/tile/0/003.p/8"),
			"the edge gone":         drop("demo/tile/0/003.p"),
			"an edge above flipped": flip("demo/tile/1/000.p/3"),
			"an old tile flipped":   flip("demo/tile/0/001"),
			"the rows cut":          cut("demo/index/000000.rows"),
			"the rows flipped":      flip("demo/index/000000.rows"),
			"the state flipped":     flip("state"),
			"the state cut":         cut("state"),
			"an app gone":           drop("demo"),
		},
		65_800: {
			"an old tile above flipped": flip("demo/tile/1/000"),
			"the index flipped":         flip("demo/index/000000"),
			"the index cut":             cut("demo/index/000000"),
			"the index gone":            drop("demo/index"),
			"a run of the index gone":   drop("demo/index/000000"),
		},
	} {
		s := filled(t, size) // after each case it is as it was
		for name, damage := range all {
			t.Run(name, func(t *testing.T) { comesBack(t, s, damage) })
		}
	}
}

func comesBack(t *testing.T, s *site, damage func(dir string) error) {
	t.Helper()
	s.t = t
	want, signed := s.everything(), s.signedNow()
	if err := damage(s.dir); err != nil {
		t.Fatal(err)
	}
	s.start()
	if _, err := s.log.Check(t.Context()); err != nil && !errors.Is(err, errRebuild) {
		t.Fatal(err)
	}
	s.whole(want)
	if s.end(); len(s.halted) > 0 || s.signedNow() != signed {
		t.Errorf("halted by %v", s.halted)
	}
}

// whole waits until the tiles are as they were.
func (s *site) whole(want map[string]string) {
	s.t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		s.wait()
		got, err := s.files()
		same := err == nil && len(got) == len(want)
		for name := range want {
			same = same && got[name] == want[name]
		}
		if same {
			return
		}
	}
	s.t.Fatal("the tiles are not as they were")
}

// TestKeepIsGuarded: what cannot be built again is not guessed.
func TestKeepIsGuarded(t *testing.T) {
	change := func(name string, f func([]byte) []byte) func(t *testing.T, s *site) {
		return func(t *testing.T, s *site) {
			path := filepath.Join(s.dir, "keep", name)
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, f(b), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	remove := func(name string) func(t *testing.T, s *site) {
		return func(t *testing.T, s *site) {
			if err := os.Remove(filepath.Join(s.dir, "keep", name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, c := range map[string]struct {
		do   func(t *testing.T, s *site)
		want string
	}{
		"the key is gone":               {remove("demo.key"), "demo.key is gone"},
		"the key is open to others":     {func(t *testing.T, s *site) { os.Chmod(filepath.Join(s.dir, "keep", "demo.key"), 0o644) }, "open to others"},
		"the key is not one":            {change("demo.key", func(b []byte) []byte { return b[:20] }), "is not the signing key of a note"},
		"the signed file is cut":        {change("demo.signed", func(b []byte) []byte { return b[:len(b)/2] }), "demo.signed"},
		"the signed size is another":    {change("demo.signed", func(b []byte) []byte { return bytes.Replace(b, []byte("\n300\n"), []byte("\n200\n"), 1) }), "changed"},
		"the signed root is another":    {change("demo.signed", func(b []byte) []byte { b[bytes.Index(b, []byte("\n300\n"))+6] ^= 2; return b }), "changed"},
		"the origin is another":         {change("origin", func([]byte) []byte { return []byte("example.com/other\n") }), "never changes"},
		"what was signed is gone":       {remove("demo.signed"), "demo.signed is gone"},
		"an older signed file was kept": {func(t *testing.T, s *site) {}, "older than the tiles"},
	} {
		t.Run(name, func(t *testing.T) {
			s := filled(t, 200)
			older := s.signedNow()
			s.shelf.add("demo", numbered(200, 300)...)
			s.start()
			s.covered("demo")
			s.end()
			if name == "an older signed file was kept" {
				change("demo.signed", func([]byte) []byte { return []byte(older) })(t, s)
			}
			c.do(t, s)
			err := s.open()
			if err == nil { // what is lost is a fault of an open log
				s.run()
				err = s.failed()
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("opened: %v, want %q", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "PRIVATE") {
				t.Error("the error holds the key")
			}
		})
	}
}

// TestSignedButNotPublished: the checkpoint was signed and made durable, and
// then the process died. The next one publishes that one and no other.
func TestSignedButNotPublished(t *testing.T) {
	s := filled(t, 300)
	tiles := filepath.Join(s.dir, "tiles")
	if err := os.Rename(tiles, tiles+".old"); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(tiles, os.DirFS(tiles+".old")); err != nil {
		t.Fatal(err)
	}
	s.shelf.add("demo", numbered(300, 500)...)
	s.start()
	c := s.covered("demo")
	s.end()
	signed := s.signedNow()
	// The tiles are those of before, the signed checkpoint is the new one.
	os.RemoveAll(tiles)
	if err := os.Rename(tiles+".old", tiles); err != nil {
		t.Fatal(err)
	}
	if err := s.open(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.log.Checkpoint("demo"); !errors.Is(err, ErrNotReady) {
		t.Errorf("before the tiles are built: %v", err)
	}
	s.run()
	if got := s.covered("demo"); got != c || s.signedNow() != signed {
		t.Errorf("published %d %s, want %d %s", got.Size, got.Root, c.Size, c.Root)
	}
}

// TestSignedButNotPublishedIsChecked: the tree of which the process did not say any
// more how far it was is checked like any other.
func TestSignedButNotPublishedIsChecked(t *testing.T) {
	for _, altered := range []bool{false, true} {
		s := filled(t, 700)
		state, err := os.ReadFile(filepath.Join(s.dir, "tiles", "state"))
		if err != nil {
			t.Fatal(err)
		}
		s.shelf.add("demo", numbered(700, 1000)...)
		s.start()
		s.covered("demo")
		s.end()
		if err := os.WriteFile(filepath.Join(s.dir, "tiles", "state"), state, 0o600); err != nil {
			t.Fatal(err)
		}
		if altered {
			s.shelf.records[400].Data = []byte("not this")
		}
		s.start()
		n, err := s.log.Check(t.Context())
		if !altered && (n != 700 || err != nil) {
			t.Errorf("checked %d records: %v", n, err)
		}
		if altered {
			if fault, is := errors.AsType[*FaultError](s.failed()); !is || fault.App != "demo" {
				t.Errorf("the logs go on: %v, Check said %v", fault, err)
			}
		}
		s.end()
	}
}

// TestUnwritableKeep: what cannot be made durable is not published.
func TestUnwritableKeep(t *testing.T) {
	s := filled(t, 300)
	s.start()
	before := s.covered("demo")
	// A directory in the place of the next file: no write can succeed, for
	// whomever.
	if err := os.MkdirAll(filepath.Join(s.dir, "keep", "demo.signed.next", "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	s.shelf.add("demo", numbered(300, 400)...)
	if err := s.failed(); err == nil {
		t.Error("it went on")
	}
	if got := s.checkpoint("demo"); got != before {
		t.Errorf("published %d records, signed %d", got.Size, before.Size)
	}
	s.end()
}

func TestOrigins(t *testing.T) {
	for _, bad := range []string{"a b", "a+b", "https://a", "/a", "a/", "ä", strings.Repeat("x", 201), "a\nb"} {
		if _, err := OpenKeep(t.TempDir(), bad, nil); err == nil {
			t.Errorf("the origin %q was taken", bad)
		}
	}
	dir := t.TempDir()
	k, err := OpenKeep(dir, "", nil)
	if err != nil || !strings.HasPrefix(k.Origin("demo"), "consentledger.internal/") {
		t.Fatal(k, err)
	}
	again, err := OpenKeep(dir, "", nil)
	if err != nil || again.Origin("demo") != k.Origin("demo") {
		t.Errorf("the second time the origin is %v: %v", again, err)
	}
	other, err := OpenKeep(t.TempDir(), "", nil)
	if err != nil || other.Origin("demo") == k.Origin("demo") {
		t.Errorf("two data directories have one origin: %v", err)
	}
}

func TestState(t *testing.T) {
	s := state{position: 7, sizes: map[ident.AppName]int64{"a": 1, "b": 0}}
	text := s.format()
	if got, err := parseState(text); err != nil || got.position != 7 || len(got.sizes) != 2 || got.sizes["a"] != 1 {
		t.Errorf("%v, %v", got, err)
	}
	for i := range text {
		bad := bytes.Clone(text)
		bad[i] ^= 1
		if got, err := parseState(bad); err == nil {
			t.Errorf("with byte %d changed it is read as %v", i, got)
		}
	}
}

func FuzzState(f *testing.F) {
	f.Add(state{position: 7, sizes: map[ident.AppName]int64{"a": 1, "b": 0}}.format())
	f.Fuzz(func(t *testing.T, text []byte) {
		if s, err := parseState(text); err == nil && !bytes.Equal(s.format(), text) {
			t.Errorf("%q is read and written as %q", text, s.format())
		}
	})
}

// FuzzSigned: what is read as signed last was signed.
func FuzzSigned(f *testing.F) {
	k, err := OpenKeep(f.TempDir(), "example.com/logs", nil)
	if err != nil {
		f.Fatal(err)
	}
	s, err := k.open(f.Context(), "demo")
	if err != nil {
		f.Fatal(err)
	}
	text, err := os.ReadFile(k.file("demo", ".signed"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(text))
	f.Fuzz(func(t *testing.T, text string) {
		got := *s
		if err := got.parse(text, k.Origin("demo")); err == nil && got.Checkpoint != s.Checkpoint {
			t.Errorf("%q is read as %v", text, got.Checkpoint)
		}
	})
}

// BenchmarkCheckpoints is a log that is built from its first record, signed as it
// grows.
func BenchmarkCheckpoints(b *testing.B) {
	s := &shelf{}
	record := bytes.Repeat([]byte{'x'}, 600)
	for range 100_000 {
		s.add("demo", record)
	}
	n := 0
	for b.Loop() {
		l := openFresh(b, s)
		ctx, stop := context.WithCancel(b.Context())
		done := make(chan error, 1)
		go func() { done <- l.Run(ctx) }()
		var err error
		for at := eventstore.Position(0); at < 199_999; time.Sleep(time.Millisecond) {
			if at, err = l.Covered(); err != nil {
				b.Fatal(err)
			}
		}
		stop()
		<-done
		n += 100_000
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "records/s")
}

// openFresh opens a log of s in directories of its own.
func openFresh(b *testing.B, s *shelf) *Log {
	b.Helper()
	keep, err := OpenKeep(b.TempDir(), "example.com/logs", nil)
	if err != nil {
		b.Fatal(err)
	}
	l, err := Open(b.Context(), Config{Records: s, Keep: keep, Dir: filepath.Join(b.TempDir(), "tiles")})
	if err != nil {
		b.Fatal(err)
	}
	return l
}

// BenchmarkPace is a log that grows by a thousand records between checkpoints.
func BenchmarkPace(b *testing.B) {
	s := &shelf{}
	for range 1000 {
		s.add("demo", bytes.Repeat([]byte{'x'}, 900))
	}
	l := openFresh(b, s)
	for n := 0; b.Loop(); n++ {
		for i := range s.records {
			s.records[i].ID, s.records[i].Position = idOf(n*1000+i), l.at+1+eventstore.Position(i)
		}
		if err := errors.Join(l.apply(b.Context(), s.records), l.checkpoint(b.Context(), true)); err != nil {
			b.Fatal(err)
		}
	}
}
