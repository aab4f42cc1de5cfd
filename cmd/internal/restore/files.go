package restore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/files"
	"consentledger/cmd/internal/progress"
	"consentledger/cmd/internal/server"
	"consentledger/eventstore"
	"consentledger/eventstore/backup"

	"filippo.io/age"
)

// A Backup is the two files of one, as flags name them, and who can read them.
type Backup struct {
	Log, Vault string
	Identities []string
	Tell       io.Writer // is told how far they are read; nil: nobody waits
}

// A backupFile is one of the two, open.
type backupFile struct {
	flag, name string
	file       *os.File
	*backup.Reader
}

func (b *backupFile) close() {
	if b != nil {
		b.file.Close() // it was only read
	}
}

// wrong says which file an error is about. What is not as it was written is not authentic.
func (b *backupFile) wrong(err error) error {
	err = fmt.Errorf("%s: %s: %w", b.flag, b.name, err)
	if _, is := errors.AsType[*backup.DamagedError](err); is {
		return exit.NotAuthentic(err)
	}
	return err
}

// open opens both files and reads what they say of themselves.
func (b *Backup) open() (log, vault *backupFile, err error) {
	ids, err := readIdentities(b.Identities)
	if err != nil {
		return nil, nil, err
	}
	if log, err = b.openFile("--log", b.Log, backup.Log, ids); err != nil {
		return nil, nil, err
	}
	if vault, err = b.openFile("--vault", b.Vault, backup.Vault, ids); err != nil {
		log.close()
		return nil, nil, err
	}
	return log, vault, nil
}

func (b *Backup) openFile(flag, name string, want backup.Kind, ids []age.Identity) (*backupFile, error) {
	f, info, err := files.OpenOwn(name)
	if err != nil {
		return nil, files.Unread(flag, err)
	}

	opened := &backupFile{flag: flag, name: name, file: f}
	var from io.Reader = f
	if b.Tell != nil {
		from = io.TeeReader(f, progress.Bytes(b.Tell, string(want), info.Size()))
	}
	if opened.Reader, err = backup.NewReader(from, ids...); err != nil {
		return nil, errors.Join(opened.wrong(err), f.Close())
	}
	if opened.Head.Kind != want {
		err := exit.Usage(opened.wrong(fmt.Errorf("it is the file of the %s: --log and --vault are swapped",
			opened.Head.Kind)))
		return nil, errors.Join(err, f.Close())
	}
	return opened, nil
}

// match refuses files of which one does not go with the other. An older vault goes with a
// log if that is meant.
func match(log, vault *backupFile, older bool) error {
	switch l, v := log.Head, vault.Head; {
	case l.Use != v.Use:
		return exit.Conflict(fmt.Errorf("--log is of a directory for %s, --vault of one for %s: they are of two "+
			"ledgers", l.Use, v.Use))
	case l.ID == v.ID:
		return nil
	case v.Position > l.Position:
		return exit.Conflict(fmt.Errorf("--vault is of %s, position %d, and --log older, of %s, position %d: "+
			"use the log that was made with it, or a newer one", v.Made, v.Position, l.Made, l.Position))
	case !older:
		return exit.Conflict(fmt.Errorf("--vault is of %s, position %d, and --log of %s, position %d: use the vault "+
			"that was made with it. "+
			"If that is lost, --older-vault takes this one, and what was sealed since is lost", v.Made,
			v.Position, l.Made, l.Position))
	}
	return nil
}

// A sink takes what a file holds. Of the vault's file it takes rows alone.
type sink struct {
	file   func(path string, more bool, data []byte) error
	begin  func() error // behind the last file
	record func(eventstore.Recorded) error
	row    func(eventstore.Row) error
}

// drain reads a file to its end, which is verified.
func (b *backupFile) drain(ctx context.Context, to sink) error {
	begun := b.Head.Kind == backup.Vault
	path := "" // of the file whose pieces come
	for {
		item, err := b.Next()
		end := errors.Is(err, io.EOF)
		if err != nil && !end {
			return b.wrong(err)
		}
		if item.Data == nil && item.Path == "" && !begun {
			begun, err = true, nil
			if err := to.begin(); err != nil {
				return b.wrong(err)
			}
		}
		switch {
		case end:
			return nil
		case item.Row == nil && b.Head.Kind == backup.Vault:
			err = errors.New("it holds more than rows, and the file of a vault has nothing else")
		case item.Record != nil:
			err = to.record(*item.Record)
		case item.Row != nil:
			err = b.takesRow(item.Row.Key)
			if err == nil {
				err = to.row(*item.Row)
			}
		default:
			if !item.More {
				path = item.Path
			}
			if err = checkBackupPath(path); err == nil {
				err = to.file(path, item.More, item.Data)
			}
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return b.wrong(err)
		}
	}
}

// takesRow refuses rows that are not for this file: a backup writes none of them. What
// histories fold to would be believed without reading the history, so it comes from no file.
func (b *backupFile) takesRow(key []byte) error {
	if server.InBackupFile(b.Head.Kind, key) {
		return nil
	}
	return fmt.Errorf("it holds rows that begin with %.2q, which this program does not know: use the version that "+
		"wrote them", key)
}

// checkBackupPath refuses a path that leads elsewhere than a backup's do.
func checkBackupPath(path string) error {
	top, _, _ := strings.Cut(path, "/")
	if !filepath.IsLocal(filepath.FromSlash(path)) || filepath.ToSlash(filepath.Clean(path)) != path ||
		!server.Named(server.BackupFiles, top) {
		return fmt.Errorf("it holds a file %.200q, which no backup has", path)
	}
	return nil
}

// inOrder refuses a record that does not come next.
func inOrder(r eventstore.Recorded, n int64) error {
	if r.Position != eventstore.Position(n) {
		return fmt.Errorf("record %d stands where record %d belongs", r.Position, n)
	}
	return eventstore.CheckBounds(r.Stream, []eventstore.Record{r.Record})
}
