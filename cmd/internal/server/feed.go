package server

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"consentledger/cmd/internal/files"
)

// OpenFeedKey reads the key of the calendar feeds from the data directory, and
// makes one if there is none. Whoever removes the file ends every feed address
// that was given out: the next start makes another key.
func OpenFeedKey(dir string) ([]byte, error) {
	return ownKey(filepath.Join(dir, "feed.key"), "every feed address changes")
}

// ownKey reads a key from a file that its owner alone reads, and makes one if there is
// none. Lost is what another key takes with it.
func ownKey(name, lost string) ([]byte, error) {
	text, err := files.ReadOwnFile(name, files.MaxOwnFile)
	if errors.Is(err, fs.ErrNotExist) {
		key := newKey()
		return key, WritePrivate(name, hex.EncodeToString(key)+"\n")
	}
	if err != nil {
		return nil, err
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) != 32 {
		return nil, fmt.Errorf("%s is not 64 hex digits: remove it, and the next start makes another; %s", name, lost)
	}
	return key, nil
}

func newKey() []byte {
	key := make([]byte, 32)
	rand.Read(key)
	return key
}
