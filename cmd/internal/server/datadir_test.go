package server

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A power cut takes what was not synced, names too. FORMAT is what makes a
// store's directory one of ours.
func TestFORMATSurvivesAPowerCut(t *testing.T) {
	mem := vfs.NewCrashableMem()
	if err := mem.MkdirAll("/home/data", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syncDir(mem, "/"); err != nil { // all that was there before
		t.Fatal(err)
	}
	if err := WriteFormat(mem, "/home/data", "live"); err != nil {
		t.Fatal(err)
	}
	for i := range uint64(100) {
		left := mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: int(i), RNG: rand.New(rand.NewPCG(i, 1))})
		f, err := left.Open("/home/data/FORMAT")
		if err != nil {
			t.Fatalf("power cut %d: %v", i, err)
		}
		text := make([]byte, 100)
		n, _ := f.Read(text)
		if string(text[:n]) != format+"\nlive\n" || f.Close() != nil {
			t.Fatalf("power cut %d: %q", i, text[:n])
		}
	}
}

// The first start makes keys, then FORMAT, then the store; it may die between
// any two.
func TestAFirstStartThatDiedIsFinished(t *testing.T) {
	for _, c := range []struct {
		name  string
		leave []string // what the start that died has made
		want  string   // of the error; empty: it is finished
	}{
		{"before anything", nil, ""},
		{"behind the keys", []string{"keys"}, ""},
		{"while it wrote FORMAT", []string{"keys", "FORMAT.new"}, ""},
		{"before the store", []string{"keys", "FORMAT"}, ""},
		{"with everything", []string{"keys", "FORMAT", "store"}, ""},
		{"never: somebody took FORMAT away", []string{"keys", "store"}, "no FORMAT file"},
		{"never: somebody took the keys away", []string{"FORMAT", "store"}, "keys"},
	} {
		t.Run(c.name, func(t *testing.T) {
			whole, died := t.TempDir(), filepath.Join(t.TempDir(), "data")
			d, err := OpenDataDir(t.Context(), whole, "live", true)
			if err != nil {
				t.Fatal(err)
			}
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
			if err := os.Mkdir(died, 0o700); err != nil {
				t.Fatal(err)
			}
			for _, name := range c.leave {
				if name == "FORMAT.new" {
					err = os.WriteFile(filepath.Join(died, name), []byte(format[:7]), 0o600)
				} else {
					err = os.Rename(filepath.Join(whole, name), filepath.Join(died, name))
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			for range 2 { // the second is a start like any other
				d, err := OpenDataDir(t.Context(), died, "live", true)
				if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
					t.Fatalf("%v, want %q", err, c.want)
				}
				if err == nil {
					if err := d.Close(); err != nil {
						t.Fatal(err)
					}
				}
			}
		})
	}
}

func TestADirectoryThatIsOpenToOthersIsMadePrivate(t *testing.T) {
	mode := func(dir string) string {
		info, err := os.Stat(dir)
		if err != nil {
			t.Fatal(err)
		}
		return info.Mode().Perm().String()
	}
	open := func(dir string) error {
		d, err := OpenDataDir(t.Context(), dir, "live", true)
		if err == nil {
			err = d.Close()
		}
		return err
	}
	empty := filepath.Join(t.TempDir(), "data")
	if err := os.Mkdir(empty, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, when := range []string{"before the first start", "after it"} {
		if err := os.Chmod(empty, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := open(empty); err != nil || mode(empty) != "-rwx------" {
			t.Errorf("opened to others %s: %v, mode %s", when, err, mode(empty))
		}
	}
	foreign := filepath.Join(t.TempDir(), "home")
	if err := errors.Join(os.Mkdir(foreign, 0o755), os.WriteFile(filepath.Join(foreign, "letter.txt"), nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	if err := open(foreign); err == nil || mode(foreign) != "-rwxr-xr-x" {
		t.Errorf("a directory with other things in it was taken: %v, mode %s", err, mode(foreign))
	}
}

func TestOneProcessHasADirectory(t *testing.T) {
	dir := t.TempDir()
	lock, err := LockDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := LockDir(dir); err != error(InUse(dir)) {
		t.Errorf("taken once more: %v", err)
	}
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	if lock, err = LockDir(dir); err != nil {
		t.Fatalf("given back, and not to be had: %v", err)
	}
	if err := lock.Close(); err != nil {
		t.Error(err)
	}
	none := filepath.Join(dir, "none")
	if _, err := LockDir(none); err == nil || err.Error() != "there is no data directory at "+none {
		t.Errorf("of a directory that is not there: %v", err)
	}
}
