// Package atomicfile writes small files of which nobody ever sees a part.
package atomicfile

import (
	"errors"
	"os"
	"path/filepath"
)

// Write puts a file in the place of another, or leaves the other there. What is
// at the path is whole, also after a crash; which of the two it is then is not
// guaranteed, since the directory is not synced.
func Write(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path+".next", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(path+".next", path)
}
