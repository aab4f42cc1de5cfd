package restore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/files"
	"consentledger/cmd/internal/server"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// begin takes the directory. What an interrupted restore left in it goes.
func (r *Restoration) begin() error {
	if info, err := os.Stat(r.To); err == nil && !info.IsDir() {
		return exit.Usage(fmt.Errorf("--to: %s is no directory", r.To))
	}
	if err := os.MkdirAll(r.To, 0o700); err != nil {
		return files.NamedBy("--to", err)
	}
	if err := r.free(); err != nil { // before anything of somebody else's is touched
		return err
	}
	dir, err := server.TakeDir(r.To)
	if err != nil {
		return err
	}

	r.dir = dir
	err = r.free() // another restore may have ended meanwhile
	if err == nil {
		err = server.MakePrivate(r.To)
	}
	if err == nil {
		err = r.clear()
	}
	if err == nil {
		err = server.WriteDurably(vfs.Default, r.To, server.RestoreFile, server.RestoreHeader)
	}
	if err != nil {
		return errors.Join(err, r.dir.Close())
	}
	return nil
}

// free refuses a directory that has something in it which no interrupted restore left.
func (r *Restoration) free() error {
	names, err := r.others()
	if err != nil || len(names) == 0 {
		return err
	}
	begun := server.Named(names, server.RestoreFile) || len(names) == 1 && names[0] == server.RestoreFile+".new"
	if begun && !server.Named(names, "FORMAT") {
		return nil
	}
	return exit.Usage(fmt.Errorf("--to: %s is not empty, it has %q: name a new directory", r.To, names[0]))
}

// others are the entries of the directory that are not there before a restore.
func (r *Restoration) others() (names []string, err error) {
	entries, err := os.ReadDir(r.To)
	for _, e := range entries {
		if e.Name() != "LOCK" && e.Name() != "lost+found" {
			names = append(names, e.Name())
		}
	}
	return names, err
}

// clear removes what was restored, the note that it is not whole last.
func (r *Restoration) clear() error {
	if r.dir.DB != nil {
		db := r.dir.DB
		r.dir.DB = nil
		if err := db.Close(); err != nil {
			return err
		}
	}

	names, err := r.others()
	if err != nil {
		return err
	}

	for _, name := range names {
		if name != server.RestoreFile {
			err = errors.Join(err, os.RemoveAll(filepath.Join(r.To, name)))
		}
	}
	if err != nil {
		return err
	}
	return server.RemoveDurably(r.To, server.RestoreFile)
}
