package server

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

	"consentledger/api/nats/intake"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/files"
	"consentledger/eventstore"
	"consentledger/eventstore/backup"
	"consentledger/eventstore/embedded"

	"filippo.io/age"
)

// backupRows are the rows that a backup has, by the file that they are in. What is
// derived is made anew, and what is known of NATS's streams is true of one server alone.
// API keys and webhooks are in none: one that was revoked or removed since would be back.
var backupRows = map[backup.Kind][]string{
	backup.Log:   {"b/", "l/", "outbox/", "access-roles/"},
	backup.Vault: {"v/", "access-pseudonyms/"},
}

// leftOut are rows below these that no backup has.
const leftOut = "v/s" // what histories fold to

// InBackup reports whether a backup has the row of a key.
func InBackup(key []byte) bool {
	return InBackupFile(backup.Log, key) || InBackupFile(backup.Vault, key)
}

// InBackupFile reports whether the file of a kind has the row of a key.
func InBackupFile(kind backup.Kind, key []byte) bool {
	return !bytes.HasPrefix(key, []byte(leftOut)) &&
		slices.ContainsFunc(backupRows[kind], func(p string) bool { return bytes.HasPrefix(key, []byte(p)) })
}

// BackupFiles are the entries of a data directory that are in the file of the log.
var BackupFiles = []string{"feed.key", "log", "log.lost-*"}

// A backupSource is an open data directory that a backup is made of.
type backupSource struct {
	path string
	db   *embedded.DB
}

// A BackupReport says what was written.
type BackupReport struct {
	ID       string              `json:"id"`
	Made     string              `json:"made"`
	Position eventstore.Position `json:"position"`
	Log      WrittenFile         `json:"log"`
	Vault    WrittenFile         `json:"vault"`
	Waiting  uint64              `json:"waiting,omitzero"`  // messages in the embedded NATS server that were not taken yet
	Unlooked uint64              `json:"unlooked,omitzero"` // rejected ones that may be an opt-out
}

// A WrittenFile is one of the two files.
type WrittenFile struct {
	Name  string       `json:"name,omitzero"`
	Bytes int64        `json:"bytes"`
	Sum   string       `json:"sha256"` // of the file as it is, encrypted
	Holds backup.Total `json:"holds"`
}

// A Counting writer knows what went through it.
type Counting struct {
	w   io.Writer
	sum hash.Hash
	n   int64
}

// NewCounting returns one that writes to w.
func NewCounting(w io.Writer) *Counting { return &Counting{w: w, sum: sha256.New()} }

func (c *Counting) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.sum.Write(p[:n])
	c.n += int64(n)
	return n, err
}

// Written says what was written.
func (c *Counting) Written(t backup.Total) WrittenFile {
	return WrittenFile{Bytes: c.n, Sum: hex.EncodeToString(c.sum.Sum(nil)), Holds: t}
}

// write makes a backup of one moment. Open returns where a file goes: first it is asked
// for that of the log, and once that is whole for the vault's.
func (s backupSource) write(
	ctx context.Context, to []age.Recipient, open func(backup.Kind) (io.Writer, error),
) (_ *BackupReport, err error) {
	use, _, err := ReadFormat(s.path)
	if err != nil {
		return nil, err
	}
	snapshot, signed, err := s.moment(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, snapshot.Close()) }()

	h := backup.Head{
		ID:       backup.NewID(),
		Made:     time.Now().UTC().Format(time.RFC3339),
		Use:      use,
		Position: snapshot.Head(),
	}
	report := &BackupReport{ID: h.ID, Made: h.Made, Position: h.Position}
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
	names, err := filepath.Glob(filepath.Join(KeepDir(s.path), "*.signed"))
	if err != nil {
		return nil, err
	}
	all := map[string][]byte{}
	for _, name := range names {
		if all["log/"+filepath.Base(name)], err = files.ReadOwnFile(name, files.MaxOwnFile); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (s backupSource) writeFile(ctx context.Context, to io.Writer, h backup.Head, recipients []age.Recipient,
	snapshot *embedded.Snapshot, signed map[string][]byte) (WrittenFile, error) {
	out := NewCounting(to)
	w, err := backup.NewWriter(out, h, recipients...)
	if err != nil {
		return WrittenFile{}, err
	}
	if h.Kind == backup.Log {
		if err := s.writeFiles(w, signed); err != nil {
			return WrittenFile{}, err
		}
		for r, err := range snapshot.ReadAll(ctx, 0) {
			if err == nil {
				err = w.Record(r)
			}
			if err != nil {
				return WrittenFile{}, err
			}
		}
	}

	for _, prefix := range backupRows[h.Kind] {
		for row, err := range snapshot.Scan(ctx, []byte(prefix)) {
			if err == nil && InBackupFile(h.Kind, row.Key) {
				err = w.Row(row)
			}
			if err != nil {
				return WrittenFile{}, err
			}
		}
	}
	total, err := w.Close()
	return out.Written(total), err
}

// writeFiles writes the files of the logs. Of what was signed it takes what was there
// before the snapshot: a later checkpoint would speak of records that are not in it.
func (s backupSource) writeFiles(w *backup.Writer, signed map[string][]byte) error {
	files, _, err := FilesOf(s.path)
	if err != nil {
		return err
	}

	for _, f := range files {
		path := filepath.ToSlash(f.Path)
		top, _, _ := strings.Cut(path, "/")
		if !Named(BackupFiles, top) || IsSigned(f.Path) {
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

// BackupStopped makes the backup of a directory that no server has open.
func BackupStopped(
	ctx context.Context, data string, to []age.Recipient, open func(backup.Kind) (io.Writer, error),
) (_ *BackupReport, err error) {
	if len(to) == 0 {
		return nil, exit.Usage(errors.New("say who can read the backup, with --recipient or --recipients-file; " +
			"consentledger backup new-identity makes a recipient"))
	}
	if err := hasAll(data); err != nil {
		return nil, err
	}

	d, err := OpenRecords(data)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	if err := removeProbes(data); err != nil {
		return nil, err
	}
	return backupSource{data, d.DB}.write(ctx, to, open)
}

// hasAll refuses a directory whose records or persons are in a server of their own.
func hasAll(data string) error {
	for _, p := range []Location{RecordsPlace, VaultPlace} {
		if _, err := os.Stat(filepath.Join(data, p.File)); err == nil {
			return exit.Conflict(fmt.Errorf("the %s of %s are not in it: back them up with the tools of the server "+
				"that has them, "+
				"as docs/backup.md says", p.what, data))
		}
	}
	return nil
}
