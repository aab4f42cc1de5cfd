// Package failing is a disk whose writes fail when a test says so.
package failing

import (
	"errors"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// What a disk is asked to do.
const (
	Write = "write"
	Sync  = "sync"
)

// An FS is a file system whose writes and syncs fail as long as Fails returns an
// error for them. Directories are made, and files opened, as ever.
type FS struct {
	vfs.FS
	Fails func(op string) error
}

// Create implements [vfs.FS].
func (f FS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return f.file(f.FS.Create(name, c))
}

// ReuseForWrite implements [vfs.FS].
func (f FS) ReuseForWrite(from, to string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return f.file(f.FS.ReuseForWrite(from, to, c))
}

func (f FS) file(opened vfs.File, err error) (vfs.File, error) {
	return file{opened, f.Fails}, err
}

type file struct {
	vfs.File
	fails func(op string) error
}

func (f file) Write(b []byte) (int, error) {
	if err := f.fails(Write); err != nil {
		return 0, err
	}
	return f.File.Write(b)
}

func (f file) Sync() error     { return errors.Join(f.fails(Sync), f.File.Sync()) }
func (f file) SyncData() error { return errors.Join(f.fails(Sync), f.File.SyncData()) }
