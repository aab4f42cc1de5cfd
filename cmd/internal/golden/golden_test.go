// Package golden holds the golden files to what they promise: they only gain
// lines. testdata/pins says of the first lines of each file which hash they
// have, and every line of a golden file is pinned.
//
// Whoever adds lines to a golden file runs this test, which says the pin that
// is missing, and appends it to testdata/pins. A pin is never changed or
// removed: one that does not hold any more means that a line was changed that
// is on somebody's disk.
package golden

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const root = "../../.."

// A pin says what the first lines of a file hash to.
type pin struct {
	lines      int
	hash, file string
}

func (p pin) String() string { return fmt.Sprintf("%d %s %s", p.lines, p.hash, p.file) }

// pinOf pins the first n lines of a file.
func pinOf(file string, text []byte, n int) pin {
	lines := bytes.SplitAfterN(text, []byte("\n"), n+1)
	sum := sha256.Sum256(bytes.Join(lines[:n], nil))
	return pin{n, hex.EncodeToString(sum[:]), file}
}

func TestGoldenFilesOnlyGainLines(t *testing.T) {
	pinned := map[string]int{}
	for _, p := range pins(t) {
		text, err := os.ReadFile(filepath.Join(root, p.file))
		if err != nil {
			t.Errorf("%s: a golden file is never removed or renamed: %v", p, err)
			continue
		}
		switch n := bytes.Count(text, []byte("\n")); {
		case p.lines <= pinned[p.file]:
			t.Errorf("%s: a pin covers more lines than the one before it, which has %d", p, pinned[p.file])
		case n < p.lines:
			t.Errorf("%s: %d lines are left: golden files never lose one", p, n)
		case pinOf(p.file, text, p.lines) != p:
			t.Errorf("%s: one of the first %d lines is not what it was: put it back and add another", p.file, p.lines)
		}
		pinned[p.file] = p.lines
	}
	for _, file := range goldens(t) {
		text, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		n := bytes.Count(text, []byte("\n"))
		if !bytes.HasSuffix(text, []byte("\n")) {
			t.Errorf("%s: the last line does not end", file)
		}
		if n > pinned[file] {
			t.Errorf("%s: %d of %d lines are pinned; append this line to cmd/internal/golden/testdata/pins:\n%s", file, pinned[file], n, pinOf(file, text, n))
		}
	}
}

func TestAChangedLineIsFound(t *testing.T) {
	text := []byte("one\ntwo\nthree\n")
	two := pinOf("x", text, 2)
	if pinOf("x", []byte("one\ntwo\nmore\nand more\n"), 2) != two {
		t.Error("what comes after counts")
	}
	for _, other := range []string{"one\nTwo\nthree\n", "two\none\nthree\n", "one \ntwo\nthree\n"} {
		if pinOf("x", []byte(other), 2) == two {
			t.Errorf("%q is taken for %q", other, text)
		}
	}
}

// pins reads testdata/pins.
func pins(t *testing.T) []pin {
	t.Helper()
	text, err := os.ReadFile("testdata/pins")
	if err != nil {
		t.Fatal(err)
	}
	var all []pin
	for line := range strings.Lines(string(text)) {
		var p pin
		if _, err := fmt.Sscanf(line, "%d %s %s", &p.lines, &p.hash, &p.file); err != nil || p.String()+"\n" != line {
			t.Fatalf("pins: %q is no pin: want lines, hash and file with single spaces", line)
		}
		all = append(all, p)
	}
	return all
}

// goldens returns every golden file of the module.
func goldens(t *testing.T) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.Contains(d.Name(), "golden") && filepath.Base(filepath.Dir(path)) == "testdata" {
			name, bad := filepath.Rel(root, path)
			all, err = append(all, filepath.ToSlash(name)), bad
		}
		return err
	})
	if err != nil || len(all) == 0 {
		t.Fatalf("%d golden files, %v", len(all), err)
	}
	return all
}
