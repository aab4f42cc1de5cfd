package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/files"
	"consentledger/domain/deadline"
	"consentledger/eventstore"
	"consentledger/eventstore/blobs"
	"consentledger/eventstore/embedded"
	"consentledger/eventstore/ledger"
	"consentledger/eventstore/vault"
	"consentledger/projections/transparency"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/gofrs/flock"
)

// format is the first line of a data directory's FORMAT file. The second says
// what the directory is for: "live" or "demo".
const format = "consentledger data 1"

// A DataDir is an open data directory: locked, with everything that lives in
// it but the projections.
type DataDir struct {
	path      string
	lock      *flock.Flock
	DB        *embedded.DB
	Store     eventstore.Store // of db, or
	away      *elsewhere       // nil: the records are in the directory
	recordsIn string           // as a status has it
	shared    *sharedRows      // of all processes that serve the ledger; nil: its persons are in the directory
	Vault     *vault.Vault
	Keys      *vault.FileKeys // of the vault
	Blobs     *blobs.Blobs
	Ledger    *ledger.Ledger
	ReadOnly  *readOnlyStore
}

// OpenDataDir opens the directory at path, which must be for the given use,
// and makes it if create is set.
func OpenDataDir(ctx context.Context, path, use string, create bool) (*DataDir, error) {
	return OpenDataDirWith(ctx, path, use, create, DirOptions{})
}

// DirOptions are how a data directory is opened otherwise than most. Zero: as most.
type DirOptions struct {
	files     vfs.FS   // of the store; nil: the real disk, as all else is
	Store     string   // where the records are, as a flag says it; see [Location]
	Vault     string   // where the vault is, as a flag says it
	VaultKeys string   // the file with its keys, as a flag says it
	KEK       string   // the command that seals that file, as a flag says it
	measured  measured // what happens in the directory

	// await returns once the servers are there that hold a part of the ledger. Nil: none
	// is waited for longer than any call is.
	await func(context.Context, *DataDir, Addresses) error
}

// OpenDataDirWith is openDataDir with options.
func OpenDataDirWith(ctx context.Context, path, use string, create bool, with DirOptions) (_ *DataDir, err error) {
	at, err := addressesOf(with)
	if err != nil {
		return nil, err
	}

	room, err := embedded.RoomAt(vfs.Default, path)
	if err == nil {
		err = room.Full(room.Needed())
	}
	if err != nil {
		return nil, FullDisk(path, err)
	}

	d := &DataDir{path: path}
	defer func() {
		if err != nil {
			err = FullDisk(path, errors.Join(err, d.Close()))
		}
	}()
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		return nil, exit.Usage(fmt.Errorf("--data: %s is no directory: name a data directory, which is made if it is "+
			"not there", path))
	}

	if create {
		if err := os.MkdirAll(path, 0o700); err != nil {
			return nil, err
		}
	}
	if err := CheckOurs(path); err != nil {
		return nil, err
	}
	if d.lock, err = LockDir(path); err != nil {
		return nil, err
	}

	fresh, err := CheckFormat(path, use, create)
	if err == nil {
		err = at.check(path, fresh)
	}
	if err != nil {
		return nil, err
	}

	if create {
		if err := MakePrivate(path); err != nil {
			return nil, err
		}
	}

	keys, err := at.openKeys(path, fresh)
	if err != nil {
		return nil, err
	}

	if fresh {
		if err := WriteFormat(vfs.Default, path, use); err != nil {
			return nil, err
		}
	}

	if d.DB, err = embedded.Open(filepath.Join(path, "store"),
		embedded.Options{FS: with.files, Synced: with.measured.synced}); err != nil {
		return nil, err
	}

	if with.await != nil {
		if err := with.await(ctx, d, at); err != nil {
			return nil, err
		}
	}
	return d, d.openLedger(ctx, at, keys, with.measured)
}

// openLedger opens what lies in the store: vault, records, texts, and the ledger over them.
func (d *DataDir) openLedger(ctx context.Context, at Addresses, keys *vault.FileKeys, m measured) (err error) {
	if err := d.openVault(ctx, at, keys); err != nil {
		return err
	}
	if err := d.openStore(ctx, at.Store); err != nil {
		return err
	}
	d.Blobs = blobs.New(d.Rows())
	d.ReadOnly = newReadOnlyStore(d.Store)
	d.Ledger, err = ledger.Open(ctx, ledger.Config{
		Store: d.ReadOnly, Vault: d.Vault, Rows: d.DB.Rows(), Blobs: d.Blobs, Now: Now, Shared: d.away != nil,
		Traces: m.traces, Meter: m.ledger,
	})
	return err
}

// openStore opens where the records are: at an address, or in the directory.
func (d *DataDir) openStore(ctx context.Context, address string) (err error) {
	d.Store, d.recordsIn = d.DB.Store(), embeddedPart
	if address != "" {
		d.recordsIn = EngineOf(address).short
		var shared eventstore.Rows
		if d.shared != nil {
			shared = d.shared
		}
		if d.away, err = openElsewhere(ctx, address, d.DB.Rows(), shared); err != nil {
			return err
		}
		d.Store = d.away
	}

	before, err := ReadBefore(ctx, d.Rows())
	if err == nil && before > 0 && d.shared != nil { // for who opens the records alone, see [OpenRecords]
		err = eventstore.WriteDurably(ctx, d.DB.Rows(), eventstore.Change{Put: []eventstore.Row{BeforeRow(before)}})
	}

	d.Store = eventstore.Moved(d.Store, before)
	return err
}

// openVault opens where the persons are: at an address, or in the directory.
func (d *DataDir) openVault(ctx context.Context, at Addresses, keys *vault.FileKeys) (err error) {
	if at.Vault != "" {
		if d.shared, err = openShared(ctx, at.Vault, d.DB.Rows()); err != nil {
			return err
		}
	}

	d.Keys = keys
	d.Vault, err = vault.Open(ctx, d.Rows(), keys)
	switch {
	case err != nil && d.shared != nil:
		return fmt.Errorf("the vault at %s, with the keys of %s: %w", d.shared.at, at.keysPlace(d.path), err)
	case errors.Is(err, vault.ErrWrongKeys):
		return fmt.Errorf("the vault in %s, with the keys of %s: %w; bring back the file that belongs to it",
			d.path, at.keysPlace(d.path), err)
	}
	return err
}

// Rows are those of the vault: all processes of the ledger see them. See [Location].
func (d *DataDir) Rows() eventstore.Rows {
	if d.shared != nil {
		return d.shared
	}
	return d.DB.Rows()
}

func Now() deadline.Instant { return deadline.At(time.Now()) }

// Close closes what was opened, the lock last.
func (d *DataDir) Close() error {
	var err error
	if d.away != nil {
		err = d.away.Close()
	}
	if d.shared != nil {
		err = errors.Join(err, d.shared.Close())
	}
	if d.DB != nil {
		err = errors.Join(err, d.DB.Close())
	}
	if d.lock != nil {
		err = errors.Join(err, d.lock.Close())
	}
	return err
}

// LockDir takes the directory for this process. The lock goes with the
// process, however it ends.
func LockDir(path string) (*flock.Flock, error) {
	lock := flock.New(filepath.Join(path, "LOCK"), flock.SetFlag(os.O_CREATE|os.O_RDWR))
	locked, err := lock.TryLock()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, exit.NotFound(fmt.Errorf("there is no data directory at %s", path))
	case err != nil:
		return nil, err
	case !locked:
		return nil, InUse(path)
	}
	return lock, nil
}

// An InUse is a data directory that another process has open.
type InUse string

func (path InUse) Error() string {
	return fmt.Sprintf("data directory %s is in use by another process; stop it, or name another with --data",
		string(path))
}

// CheckOurs refuses a directory of somebody else's: one with no FORMAT file, and
// with more than this program leaves behind if it dies before that file is there.
// A file system of its own may have its lost+found.
func CheckOurs(path string) error {
	entries, err := os.ReadDir(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}

	stranger := ""
	for _, e := range entries {
		switch e.Name() {
		case "FORMAT":
			return nil
		case MigrationFile:
			return unfinishedMigration(path)
		case RestoreFile:
			return unfinishedRestore(path)
		case "LOCK", "FORMAT.new", "keys", "keys.lock", "lost+found",
			RecordsPlace.File, RecordsPlace.File + ".new", VaultPlace.File, VaultPlace.File + ".new":
		default:
			stranger = e.Name()
		}
	}
	if stranger == "" {
		return nil
	}
	return fmt.Errorf("%s has %q and no FORMAT file: it is not a data directory of this program; name another with "+
		"--data", path, stranger)
}

// CheckFormat reads the FORMAT file, or writes it in a directory that has
// nothing yet: then it is fresh.
func CheckFormat(path, use string, create bool) (fresh bool, err error) {
	name := filepath.Join(path, "FORMAT")
	text, err := files.ReadOwnFile(name, files.MaxOwnFile)
	if errors.Is(err, fs.ErrNotExist) {
		if !create {
			return false, fmt.Errorf("%s has no FORMAT file: it is not a data directory of this program", path)
		}
		// The keys come first, see openKeys: a FORMAT file announces them.
		return true, nil
	}
	if err != nil {
		return false, err
	}

	head, is, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	if head == formatMoved {
		return false, movedAway(path, is)
	}

	if head != format {
		return false, fmt.Errorf("%s says %q, this program reads %q: use the version that wrote it, or a newer one",
			name, head, format)
	}

	if use != "" && is != use {
		return false, fmt.Errorf("data directory %s is for %s, not for %s; name another with --data", path, is, use)
	}
	return false, nil
}

// MakePrivate closes a data directory to everybody but its owner, whoever made
// it: what lies in it names persons. That it is ours, [checkOurs] has made sure.
func MakePrivate(path string) error {
	info, err := os.Stat(path)
	if err != nil || runtime.GOOS == "windows" || info.Mode().Perm()&0o077 == 0 {
		return err
	}
	if err := os.Chmod(path, 0o700); err != nil {
		return fmt.Errorf("data directory %s is open to others (mode %04o), and it cannot be made private: %w; chmod "+
			"0700 it, or name one below it with --data", path, info.Mode().Perm(), err)
	}
	slog.Warn("the data directory was open to others, and is for its owner alone now",
		"directory", path, "mode", fmt.Sprintf("%04o", info.Mode().Perm()))
	return nil
}

func openKeys(name string, fresh bool, by vault.Sealer) (*vault.FileKeys, error) {
	if !fresh {
		keys, err := vault.OpenSealedKeys(name, false, by)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("there is no file %s: it holds the keys that the vault was made with, and without "+
				"them "+
				"nobody reads what is in it: bring it back from where you keep a copy", name)
		}
		return keys, err
	}
	if _, err := os.Stat(name); err == nil { // died between the keys and FORMAT
		return vault.OpenSealedKeys(name, false, by)
	}
	return vault.CreateSealedKeys(name, by)
}

// WriteFormat makes a fresh directory one of ours, durably: when it returns,
// neither the file, nor the directory itself, is lost by a power cut, while what
// is written into the directory afterwards is kept.
func WriteFormat(on vfs.FS, path, use string) error {
	if err := WriteDurably(on, path, "FORMAT", format+"\n"+use+"\n"); err != nil {
		return err
	}
	return syncDir(on, on.PathDir(path))
}

// WriteDurably writes a small file of a directory: it is there whole, or not at all.
func WriteDurably(on vfs.FS, path, base, text string) error {
	name := on.PathJoin(path, base)
	f, err := on.Create(name+".new", vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = io.WriteString(f, text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := on.Rename(name+".new", name); err != nil {
		return err
	}
	return syncDir(on, path)
}

// syncDir is [atomicfile.SyncDir] on a file system that may be in memory.
func syncDir(on vfs.FS, path string) error {
	dir, err := on.OpenDir(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// Behind returns a [*transparency.OlderError] if the directory holds less than was signed
// of it. Where several processes share the ledger what was signed lies beside the vault,
// and is looked at when the ledger is served.
func (d *DataDir) Behind(ctx context.Context) error {
	head, err := d.Ledger.Head(ctx)
	if err != nil || d.shared != nil {
		return err
	}
	keep, err := transparency.ReadKeep(KeepDir(d.path), nil)
	if err != nil || keep == nil {
		return err
	}
	return keep.Behind(ctx, head)
}
