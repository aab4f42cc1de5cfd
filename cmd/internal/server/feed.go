package server

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"consentledger/cmd/internal/files"
)

// OpenFeedKey reads the key of the calendar feeds from the data directory, and
// makes one if there is none. Whoever removes the file ends every feed address
// that was given out: the next start makes another key.
func OpenFeedKey(dir string) ([]byte, error) {
	name := filepath.Join(dir, "feed.key")
	text, err := files.ReadOwnFile(name, files.MaxOwnFile)
	if errors.Is(err, fs.ErrNotExist) {
		key := make([]byte, 32)
		rand.Read(key)
		return key, writeWhole(name, hex.EncodeToString(key)+"\n")
	}
	if err != nil {
		return nil, err
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) != 32 {
		return nil, fmt.Errorf("%s is not 64 hex digits: remove it, and the next start makes another; every feed address changes", name)
	}
	return key, nil
}

// writeWhole writes a file that only its owner reads: all of it, or nothing.
func writeWhole(name, text string) error {
	f, err := os.OpenFile(name+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(name+".new", name)
}
