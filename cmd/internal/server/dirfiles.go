package server

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"consentledger/eventstore/atomicfile"
)

// What becomes of the entries of a data directory. Those that end with a star begin
// so. What is not named is not known, and is left where it is.
var (
	CopiedFiles = []string{"keys", "feed.key", TokenKeyFile, "log", "log.lost-*", "nats"}
	ownFiles    = []string{
		"LOCK", "FORMAT", "FORMAT.new", RecordsPlace.File, RecordsPlace.File + ".new", VaultPlace.File,
		VaultPlace.File + ".new", MigrationFile, MigrationFile + ".new", "feed.key.new",
		TokenKeyFile + ".new",
		"keys.new", "keys.lock", "store", // as records and rows
		"views", // made anew
		"probe-*", "backup-*", "lost+found", RestoreFile, RestoreFile + ".new", RestoredFile, RestoredFile + ".new",
	}
)

// Named reports whether a name is one of a list, or begins as one that ends with a star.
func Named(list []string, name string) bool {
	return slices.ContainsFunc(list, func(n string) bool {
		prefix, star := strings.CutSuffix(n, "*")
		return name == n || star && strings.HasPrefix(name, prefix)
	})
}

// A FileCopy is one file to be copied, by its path in the data directory.
type FileCopy struct {
	Path string
	Size int64
}

// FilesOf returns the files of a data directory that are copied, and the entries that
// this program does not know.
func FilesOf(dir string) (files []FileCopy, unknown []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, err
	}

	for _, e := range entries {
		switch {
		case Named(ownFiles, e.Name()):
			continue
		case !Named(CopiedFiles, e.Name()):
			unknown = append(unknown, e.Name())
			continue
		}
		err := filepath.WalkDir(filepath.Join(dir, e.Name()), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			name, err := filepath.Rel(dir, path)
			if err != nil {
				return err
			}
			info, err := d.Info()
			switch {
			case err != nil:
				return err
			case IsDraft(name):
				return nil
			case !info.Mode().IsRegular():
				return fmt.Errorf("%s is no file: only files are copied", path)
			}
			files = append(files, FileCopy{name, info.Size()})
			return nil
		})
		if err != nil {
			return nil, nil, err
		}
	}
	return files, unknown, nil
}

// IsDraft reports whether a file was written and not put in its place yet.
func IsDraft(name string) bool {
	return strings.HasPrefix(name, "log"+string(filepath.Separator)) && strings.HasSuffix(name, ".next")
}

// IsSigned reports whether a file is a signed checkpoint with the position beside it,
// which is another in another store.
func IsSigned(name string) bool {
	return filepath.Dir(name) == "log" && strings.HasSuffix(name, ".signed")
}

// WritePrivate writes a file durably that only its owner reads.
func WritePrivate(name, text string) error {
	f, err := os.OpenFile(name+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Chmod(0o600), f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(name+".new", name); err != nil {
		return err
	}
	return atomicfile.SyncDir(filepath.Dir(name))
}
