package transparency

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"consentledger/eventstore/memory"
)

// TestWhatIsLostIsNotMadeUp: whatever is gone of what signs, nothing is signed
// with anything else, the server is told, and what is there stays as it is.
// Bringing it back is all that it takes.
func TestWhatIsLostIsNotMadeUp(t *testing.T) {
	for name, gone := range map[string][]string{
		"the directory":                     {"keep"},
		"the directory and the tiles":       {"keep", "tiles"},
		"the key":                           {"keep/demo.key"},
		"what was signed":                   {"keep/demo.signed"},
		"the key and what was signed":       {"keep/demo.key", "keep/demo.signed"},
		"all of the app":                    {"keep/demo.key", "keep/demo.signed", "tiles"},
		"the origin, and nothing beside it": {"keep/origin"},
	} {
		t.Run(name, func(t *testing.T) {
			s := filled(t, 300)
			backup := filepath.Join(s.dir, "backup")
			if err := os.CopyFS(backup, os.DirFS(filepath.Join(s.dir, "keep"))); err != nil {
				t.Fatal(err)
			}
			for _, g := range gone {
				if err := os.RemoveAll(filepath.Join(s.dir, g)); err != nil {
					t.Fatal(err)
				}
			}
			before := s.listed()
			for range 2 { // it does not heal by itself
				s.start()
				if lost, is := errors.AsType[*LostError](s.failed()); !is || lost.App != "demo" || !strings.Contains(lost.Error(), filepath.Join(s.dir, "keep")) {
					t.Errorf("went on: %v", lost)
				}
				s.end()
			}
			if len(s.halted) == 0 {
				t.Error("the server was not told")
			}
			if after := s.listed(); !slices.Equal(after, before) {
				t.Errorf("there is %v, was %v", after, before)
			}
			os.RemoveAll(filepath.Join(s.dir, "keep"))
			if err := os.CopyFS(filepath.Join(s.dir, "keep"), os.DirFS(backup)); err != nil {
				t.Fatal(err)
			}
			os.Chmod(filepath.Join(s.dir, "keep", "demo.key"), 0o600)
			s.start()
			if c := s.covered("demo"); c.Size != 300 {
				t.Errorf("brought back: %d records", c.Size)
			}
			s.end()
		})
	}
}

// listed returns what lies in the keep.
func (s *site) listed() []string {
	names, _ := filepath.Glob(filepath.Join(s.dir, "keep", "*"))
	return names
}

// TestAnotherKeyInItsPlace: a log was begun with one key and there is another.
func TestAnotherKeyInItsPlace(t *testing.T) {
	s, other := filled(t, 10), filled(t, 10)
	for _, name := range []string{"demo.key", "demo.signed"} {
		b, err := os.ReadFile(filepath.Join(other.dir, "keep", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(s.dir, "keep", name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.start()
	if err := s.failed(); !strings.Contains(err.Error(), "another key") {
		t.Error(err)
	}
	s.end()
}

// TestTilesOfNobody: a register that knows nothing, as of a ledger that is
// older than it is, and tiles that somebody signed.
func TestTilesOfNobody(t *testing.T) {
	s := filled(t, 10)
	s.rows = memory.Rows{}
	os.RemoveAll(filepath.Join(s.dir, "keep"))
	s.start()
	if _, is := errors.AsType[*LostError](s.failed()); !is {
		t.Error("went on")
	}
	s.end()
}

// TestRenew: a log whose key is lost is given up, in so many words and under a
// new origin; what is left of it is kept.
func TestRenew(t *testing.T) {
	s := filled(t, 300)
	renew := func(origin string) (string, error) {
		register, err := OpenRegister(t.Context(), &s.rows)
		if err != nil {
			t.Fatal(err)
		}
		keep, err := OpenKeep(filepath.Join(s.dir, "keep"), "", register)
		if err != nil {
			t.Fatal(err)
		}
		return Renew(t.Context(), Config{Records: s.shelf, Keep: keep, Dir: filepath.Join(s.dir, "tiles")}, origin, "a disk died", false)
	}
	if _, err := renew("example.com/second"); !errors.Is(err, ErrNotLost) {
		t.Fatalf("renewed what is whole: %v", err)
	}
	os.Remove(filepath.Join(s.dir, "keep", "demo.key"))
	for _, origin := range []string{"example.com/logs", "https://example.com", "with space"} {
		if _, err := renew(origin); err == nil {
			t.Fatalf("renewed under %q", origin)
		}
	}
	kept, err := renew("example.com/second")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"keep/demo.signed", "keep/origin", "tiles/demo/checkpoint"} {
		if _, err := os.Stat(filepath.Join(kept, name)); err != nil {
			t.Error(err)
		}
	}
	register, err := OpenRegister(t.Context(), &s.rows)
	if err != nil {
		t.Fatal(err)
	}
	keep, err := OpenKeep(filepath.Join(s.dir, "keep"), "", register)
	if err != nil || keep.Origin("demo") != "example.com/second/demo" {
		t.Fatal(keep.Origin("demo"), err)
	}
	s.log, err = Open(t.Context(), Config{Records: s.shelf, Keep: keep, Dir: filepath.Join(s.dir, "tiles")})
	if err != nil {
		t.Fatal(err)
	}
	s.run()
	s.wait()
	if note, err := s.log.Checkpoint("demo"); err != nil || !strings.HasPrefix(string(note), "example.com/second/demo\n300\n") {
		t.Errorf("%s: %v", note, err)
	}
	s.end()
}

func FuzzRegistered(f *testing.F) {
	f.Add([]byte("\x01begun example.com/logs/demo+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW\nended \"x\"\n"))
	f.Add([]byte("\x01begun example.com/logs/demo+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW\njoined x 1\n"))
	f.Add([]byte("\x01"))
	f.Fuzz(func(t *testing.T, value []byte) {
		text, err := parseRegistered(value)
		last := text[strings.LastIndex(strings.TrimSuffix(text, "\n"), "\n")+1:]
		if err == nil && (keysIn(text).Current == "") != strings.HasPrefix(last, endedWord) {
			t.Errorf("%q", text)
		}
	})
}
