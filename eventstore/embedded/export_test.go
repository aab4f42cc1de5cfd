package embedded

import (
	"github.com/cockroachdb/pebble/v2/vfs"

	"consentledger/eventstore"
)

var ReadFile = readFile

// Sealed returns the last position that the logs in dir promise.
func Sealed(fs vfs.FS, dir string) eventstore.Position {
	found, err := scanDir(fs, dir)
	if err != nil {
		return 0
	}
	return found.promised.position
}

// ScanDir returns what Open would refuse before Pebble sees it.
func ScanDir(fs vfs.FS, dir string) error {
	_, err := scanDir(fs, dir)
	return err
}

// Seal does what the lane does when it has been idle, and lets a panic
// out.
func (d *DB) Seal() { d.seal() }
