package atomicfile

import (
	"errors"
	"os"
	"runtime"
)

// SyncDir makes the names in a directory durable. On Windows it does nothing: names are
// written there when files are.
func SyncDir(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
