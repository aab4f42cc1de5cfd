//go:build unix

package files

import (
	"os"
	"path/filepath"
	"testing"
)

// What a verb writes may name persons, so a new file is for its owner alone. A file that
// somebody made for others to read stays theirs.
func TestAFileThatIsWrittenIsForItsOwnerAlone(t *testing.T) {
	dir := t.TempDir()
	fresh, shared := filepath.Join(dir, "fresh"), filepath.Join(dir, "shared")
	if err := os.WriteFile(shared, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(shared, 0o640); err != nil {
		t.Fatal(err)
	}

	for name, want := range map[string]os.FileMode{fresh: 0o600, shared: 0o640} {
		if err := WriteOut("--file", name, []byte("of somebody")); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has the permissions %v, want %v", name, got, want)
		}
	}
}
