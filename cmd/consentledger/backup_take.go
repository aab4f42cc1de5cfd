package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"consentledger/api/intake"
	"consentledger/eventstore"
	"consentledger/eventstore/backup"
	"consentledger/eventstore/embedded"

	"filippo.io/age"
)

// backupRows are the rows that a backup has, by the file that they are in. What is
// derived is made anew, and what is known of NATS's streams is true of one server alone.
var backupRows = map[backup.Kind][]string{
	backup.Log:   {"b/", "l/"},
	backup.Vault: {"v/"},
}

// leftOut are rows below these that no backup has.
const leftOut = "v/s" // what histories fold to

// backupFiles are the entries of a data directory that are in the file of the log.
var backupFiles = []string{"feed.key", "log", "log.lost-*"}

// A backupSource is an open data directory that a backup is made of.
type backupSource struct {
	path string
	db   *embedded.DB
}

// A backupReport says what was written.
type backupReport struct {
	ID       string              `json:"id"`
	Made     string              `json:"made"`
	Position eventstore.Position `json:"position"`
	Log      writtenFile         `json:"log"`
	Vault    writtenFile         `json:"vault"`
	Waiting  uint64              `json:"waiting,omitzero"`  // messages in the embedded NATS server that were not taken yet
	Unlooked uint64              `json:"unlooked,omitzero"` // rejected ones that may be an opt-out
}

// A writtenFile is one of the two files.
type writtenFile struct {
	Name  string       `json:"name,omitzero"`
	Bytes int64        `json:"bytes"`
	Sum   string       `json:"sha256"` // of the file as it is, encrypted
	Holds backup.Total `json:"holds"`
}

// A counting writer knows what went through it.
type counting struct {
	w   io.Writer
	sum hash.Hash
	n   int64
}

func (c *counting) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.sum.Write(p[:n])
	c.n += int64(n)
	return n, err
}

func (c *counting) written(t backup.Total) writtenFile {
	return writtenFile{Bytes: c.n, Sum: hex.EncodeToString(c.sum.Sum(nil)), Holds: t}
}

// write makes a backup of one moment. Open returns where a file goes: first it is asked
// for that of the log, and once that is whole for the vault's.
func (s backupSource) write(ctx context.Context, to []age.Recipient, open func(backup.Kind) (io.Writer, error)) (_ *backupReport, err error) {
	use, _, err := readFormat(s.path)
	if err != nil {
		return nil, err
	}
	snapshot, signed, err := s.moment(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, snapshot.Close()) }()

	h := backup.Head{ID: backup.NewID(), Made: time.Now().UTC().Format(time.RFC3339), Use: use, Position: snapshot.Head()}
	report := &backupReport{ID: h.ID, Made: h.Made, Position: h.Position}
	for _, kind := range []backup.Kind{backup.Log, backup.Vault} {
		h.Kind = kind
		w, err := open(kind)
		if err != nil {
			return nil, err
		}
		file, err := s.writeFile(ctx, w, h, to, snapshot, signed)
		if err != nil {
			return nil, fmt.Errorf("the backup of the %s: %w", kind, err)
		}
		if kind == backup.Log {
			report.Log = file
		} else {
			report.Vault = file
		}
	}

	if report.Waiting, err = intake.Untaken(ctx, s.db.Rows()); err != nil {
		return nil, err
	}
	report.Unlooked, err = intake.Unlooked(ctx, s.db.Rows())
	return report, err
}

// moment returns a snapshot, and what was signed last just before it. A log that was
// begun meanwhile would be half in both: then there is another try.
func (s backupSource) moment(ctx context.Context) (*embedded.Snapshot, map[string][]byte, error) {
	for range 5 {
		before, err := s.signed()
		if err != nil {
			return nil, nil, err
		}
		snapshot, err := s.db.Snapshot(filepath.Join(s.path, "backup-"+backup.NewID()))
		if err != nil {
			return nil, nil, err
		}
		after, err := s.signed()
		if err == nil && slices.Equal(slices.Sorted(maps.Keys(before)), slices.Sorted(maps.Keys(after))) {
			return snapshot, before, nil
		}
		if err = errors.Join(err, snapshot.Close(), ctx.Err()); err != nil {
			return nil, nil, err
		}
	}
	return nil, nil, errors.New("apps were registered all the while: make the backup again")
}

// signed returns the files with what was signed last, by their paths.
func (s backupSource) signed() (map[string][]byte, error) {
	names, err := filepath.Glob(filepath.Join(keepDir(s.path), "*.signed"))
	if err != nil {
		return nil, err
	}
	all := map[string][]byte{}
	for _, name := range names {
		if all["log/"+filepath.Base(name)], err = readOwnFile(name, maxOwnFile); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (s backupSource) writeFile(ctx context.Context, to io.Writer, h backup.Head, recipients []age.Recipient, snapshot *embedded.Snapshot, signed map[string][]byte) (writtenFile, error) {
	out := &counting{w: to, sum: sha256.New()}
	w, err := backup.NewWriter(out, h, recipients...)
	if err != nil {
		return writtenFile{}, err
	}
	if h.Kind == backup.Log {
		if err := s.writeFiles(w, signed); err != nil {
			return writtenFile{}, err
		}
		for r, err := range snapshot.ReadAll(ctx, 0) {
			if err == nil {
				err = w.Record(r)
			}
			if err != nil {
				return writtenFile{}, err
			}
		}
	}

	for _, prefix := range backupRows[h.Kind] {
		for row, err := range snapshot.Scan(ctx, []byte(prefix)) {
			if err == nil && !bytes.HasPrefix(row.Key, []byte(leftOut)) {
				err = w.Row(row)
			}
			if err != nil {
				return writtenFile{}, err
			}
		}
	}
	total, err := w.Close()
	return out.written(total), err
}

// writeFiles writes the files of the logs. Of what was signed it takes what was there
// before the snapshot: a later checkpoint would speak of records that are not in it.
func (s backupSource) writeFiles(w *backup.Writer, signed map[string][]byte) error {
	files, _, err := filesOf(s.path)
	if err != nil {
		return err
	}
	for _, f := range files {
		path := filepath.ToSlash(f.path)
		top, _, _ := strings.Cut(path, "/")
		if !named(backupFiles, top) || isSigned(f.path) {
			continue
		}
		err := s.copyTo(w, path)
		if app, isKey := strings.CutSuffix(path, ".key"); err == nil && isKey && signed[app+".signed"] != nil {
			err = w.File(app+".signed", bytes.NewReader(signed[app+".signed"]))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s backupSource) copyTo(w *backup.Writer, path string) error {
	f, err := os.Open(filepath.Join(s.path, filepath.FromSlash(path)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // what witnesses signed is replaced as they sign
	}
	if err != nil {
		return err
	}
	return errors.Join(w.File(path, f), f.Close())
}
