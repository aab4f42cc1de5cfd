package embedded

import (
	"github.com/cockroachdb/pebble/v2/vfs"

	"consentledger/eventstore"
)

var ReadFile = readFile

// Watermark returns the last position of which the logs in dir say that it is durable.
func Watermark(fs vfs.FS, dir string) eventstore.Position {
	found, err := scanDir(fs, dir)
	if err != nil {
		return 0
	}
	return found.watermark.position
}

// ScanDir returns what Open would refuse before Pebble sees it.
func ScanDir(fs vfs.FS, dir string) error {
	_, err := scanDir(fs, dir)
	return err
}

// WriteWatermark does what the lane does when it has been idle, and lets a panic
// out.
func (d *DB) WriteWatermark() { d.writeWatermark() }
