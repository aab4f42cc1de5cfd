package atomicfile

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

func TestAFileIsReplacedWholeOrNotAtAll(t *testing.T) {
	file := filepath.Join(t.TempDir(), "below", "file")
	for _, want := range []string{"the first, which is long", "second"} {
		if err := Write(file, []byte(want)); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(file); err != nil || string(got) != want {
			t.Errorf("read %q, %v; want %q", got, err, want)
		}
	}
	if err := os.Mkdir(file+".next", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Write(file, []byte("third")); err == nil {
		t.Error("what could not be written was said to be")
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != "second" {
		t.Errorf("the file that was there is %q, %v", got, err)
	}
}

func TestNamesAreMadeDurableWhereThereIsADirectory(t *testing.T) {
	dir := t.TempDir()
	if err := SyncDir(dir); err != nil {
		t.Error(err)
	}
	if err := SyncDir(filepath.Join(dir, "none")); err == nil && runtime.GOOS != "windows" {
		t.Error("the names in a directory that is not there were said to be durable")
	}
}
