package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"consentledger/eventstore"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A rowKind is what becomes of rows whose keys begin alike, when a ledger is migrated.
// The first that fits counts.
type rowKind struct {
	prefix string
	does   string // copied, made anew, or another form
	what   string
}

// rowKinds are all rows that there are. What is derived from the log, and knows
// positions of the store that it was read from, is left out: it is made anew.
var rowKinds = []rowKind{
	{"v/s", madeAnew, "what histories fold to"},
	{"v/", copiedPart, "the vault"},
	{"b/", copiedPart, "texts"},
	{"l/", copiedPart, "which logs were begun"},
	{"n/", copiedPart, "how far the stream of incoming events was seen"},
	{"k/", madeAnew, "marks in the log"},
	{"r/", madeAnew, "the follow-up process's checkpoint"},
	{"elsewhere/", madeAnew, "the newest record of the event store"},

	// Of several processes: see migrate_carry.go.
	{"t/", otherForm, "signing keys, signed checkpoints, what witnesses signed"},
	{"f/", otherForm, "the key of the calendar feeds"},
	{"m/", madeAnew, "that the vault is being moved"},
}

// kindOfRow returns the kind of a row, by its key.
func kindOfRow(key []byte) (rowKind, error) {
	for _, k := range rowKinds {
		if bytes.HasPrefix(key, []byte(k.prefix)) {
			return k, nil
		}
	}
	return rowKind{}, fmt.Errorf("the source holds rows that begin with %.2q, which this program does not know: "+
		"use the version that wrote them", key)
}

// isCopied reports whether a row is copied. Those of unknown kinds were refused before.
//
// Who moves between a directory and a shared vault mostly moves to other NATS servers, too.
// If nothing waits in the old ones, how far their stream was seen stays behind: another
// stream would be taken for that one, after a loss.
func (m *migration) isCopied(key []byte) bool {
	k, err := kindOfRow(key)
	switch {
	case err != nil || k.does != copiedPart:
		return false
	case k.prefix == "n/":
		moves := (m.fromAt.vault == "") != (m.toAt.vault == "")
		return !moves || m.found.waiting > 0 || !bytes.Equal(key, []byte("n/m"))
	}
	return true
}

// What becomes of the entries of a data directory. Those that end with a star begin
// so. What is not named is not known, and is left where it is.
var (
	copiedFiles = []string{"keys", "feed.key", "log", "log.lost-*", "nats"}
	ownFiles    = []string{
		"LOCK", "FORMAT", "FORMAT.new", recordsPlace.file, recordsPlace.file + ".new", vaultPlace.file, vaultPlace.file + ".new", migrationFile, migrationFile + ".new", "feed.key.new",
		"keys.new", "store", // as records and rows
		"views", // made anew
		"probe-*", "backup-*", "lost+found", restoreFile, restoreFile + ".new", restoredFile, restoredFile + ".new",
	}
)

func named(list []string, name string) bool {
	return slices.ContainsFunc(list, func(n string) bool {
		prefix, star := strings.CutSuffix(n, "*")
		return name == n || star && strings.HasPrefix(name, prefix)
	})
}

// A fileCopy is one file to be copied, by its path in the data directory.
type fileCopy struct {
	path string
	size int64
}

// filesOf returns the files of a data directory that are copied, and the entries that
// this program does not know.
func filesOf(dir string) (files []fileCopy, unknown []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, err
	}
	for _, e := range entries {
		switch {
		case named(ownFiles, e.Name()):
			continue
		case !named(copiedFiles, e.Name()):
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
			case isDraft(name):
				return nil
			case !info.Mode().IsRegular():
				return fmt.Errorf("%s is no file: only files are copied", path)
			}
			files = append(files, fileCopy{name, info.Size()})
			return nil
		})
		if err != nil {
			return nil, nil, err
		}
	}
	return files, unknown, nil
}

// isDraft reports whether a file was written and not put in its place yet.
func isDraft(name string) bool {
	return strings.HasPrefix(name, "log"+string(filepath.Separator)) && strings.HasSuffix(name, ".next")
}

// isSigned reports whether a file is a signed checkpoint with the position beside it,
// which is another in another store.
func isSigned(name string) bool {
	return filepath.Dir(name) == "log" && strings.HasSuffix(name, ".signed")
}

// copyFiles copies files durably: each is in its place as a whole or not at all. What
// else the target has in these places, from a copy that was cut off, goes first.
func copyFiles(from, to string, files []fileCopy) error {
	there, _, err := filesOf(to)
	if err != nil {
		return err
	}
	for _, f := range there {
		if err := os.Remove(filepath.Join(to, f.path)); err != nil {
			return err
		}
	}

	dirs := map[string]bool{}
	for _, f := range files {
		if isSigned(f.path) {
			continue // written with what was verified
		}
		target := filepath.Join(to, f.path)
		if err := os.MkdirAll(filepath.Dir(target), 0o700); err != nil {
			return err
		}
		if err := copyDurably(filepath.Join(from, f.path), target); err != nil {
			return err
		}
		for dir := filepath.Dir(f.path); !dirs[dir]; dir = filepath.Dir(dir) {
			dirs[dir] = true
		}
	}
	for dir := range dirs {
		if err := syncDir(vfs.Default, filepath.Join(to, dir)); err != nil {
			return err
		}
	}
	return nil
}

func copyDurably(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Sync(), out.Close())
}

// beforeKey is where a ledger that moved remembers up to where positions are of the
// store that it was in before; see [eventstore.Moved].
var beforeKey = []byte("elsewhere/1/before")

func readBefore(ctx context.Context, rows eventstore.Rows) (eventstore.Position, error) {
	b, ok, err := rows.Get(ctx, beforeKey)
	switch {
	case err != nil || !ok:
		return 0, err
	case len(b) != 8:
		return 0, fmt.Errorf("what is remembered of the event store before has %d bytes: want 8", len(b))
	}
	return eventstore.Position(binary.BigEndian.Uint64(b)), nil
}

func beforeRow(before eventstore.Position) eventstore.Row {
	return eventstore.Row{Key: beforeKey, Value: binary.BigEndian.AppendUint64(nil, uint64(before))}
}
