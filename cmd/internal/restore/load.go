package restore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/files"
	"consentledger/cmd/internal/server"
	"consentledger/eventstore"
	"consentledger/eventstore/atomicfile"
	"consentledger/eventstore/embedded"
	"consentledger/projections/transparency"
)

// load writes what both files hold.
func (r *Restoration) load(ctx context.Context) (err error) {
	fmt.Fprintf(r.Tell, "restoring the log up to position %d\n", r.log.Head.Position)
	if r.dir.DB, err = embedded.Open(filepath.Join(r.To, "store"), embedded.Options{}); err != nil {
		return err
	}
	r.kept = map[string][]byte{}
	rows := &rowBatch{to: r.dir.DB.Rows()}
	l := &logBatch{to: r.dir.DB.Store()}
	err = r.log.drain(ctx, sink{
		file: r.file,
		begin: func() (err error) {
			r.roots, err = treesOf(ctx, r.kept, r.Checkpoints)
			l.roots = r.roots
			return err
		},
		record: func(record eventstore.Recorded) error { return l.add(ctx, record) },
		row:    func(row eventstore.Row) error { return rows.add(ctx, row) },
	})
	if err == nil {
		err = l.flush(ctx)
	}
	if err != nil {
		return err
	}
	if at := eventstore.Position(l.n); at != r.log.Head.Position {
		return exit.NotAuthentic(r.log.wrong(fmt.Errorf("it ends at position %d, and says %d", at,
			r.log.Head.Position)))
	}

	fmt.Fprintf(r.Tell, "restoring the vault\n")
	if err := r.vault.drain(ctx, sink{row: func(row eventstore.Row) error { return rows.add(ctx, row) }}); err != nil {
		return err
	}
	if err := rows.flush(ctx); err != nil {
		return err
	}
	r.told("records", l.n, "backup "+r.log.Head.ID+" of "+r.log.Head.Made)
	return r.syncFiles()
}

// file writes a piece of a file, and keeps what the logs stand on.
func (r *Restoration) file(path string, more bool, data []byte) error {
	keepLogFile(r.kept, path, data)
	name := filepath.Join(r.To, filepath.FromSlash(path))
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}

	flags := os.O_WRONLY | os.O_CREATE | os.O_EXCL
	if more {
		flags = os.O_WRONLY | os.O_APPEND
	}

	f, err := os.OpenFile(name, flags, 0o600)
	if err != nil {
		return err
	}

	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}

// syncFiles makes the names of files durable, and puts the keys beside them.
func (r *Restoration) syncFiles() error {
	text, err := files.ReadOwnFile(r.Keys, files.MaxKeyFile)
	if err == nil {
		err = server.WritePrivate(filepath.Join(r.To, "keys"), string(text))
	}
	if err != nil {
		return err
	}

	return filepath.WalkDir(r.To, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil || !d.IsDir():
			return err
		case path == filepath.Join(r.To, "store"):
			return fs.SkipDir
		}
		return atomicfile.SyncDir(path)
	})
}

// A logBatch hands records to a store, many at once.
type logBatch struct {
	to    eventstore.Store
	roots *transparency.Roots
	n     int64
	batch []eventstore.Recorded
	size  int
}

func (l *logBatch) add(ctx context.Context, r eventstore.Recorded) error {
	l.n++
	if err := inOrder(r, l.n); err != nil {
		return exit.NotAuthentic(err)
	}
	if err := l.roots.Add(r); err != nil {
		return exit.NotAuthentic(err)
	}
	l.batch, l.size = append(l.batch, r), l.size+len(r.Data)
	if len(l.batch) < 2000 && l.size < 4<<20 {
		return nil
	}
	return l.flush(ctx)
}

func (l *logBatch) flush(ctx context.Context) error {
	if len(l.batch) == 0 {
		return nil
	}
	at, err := eventstore.Import(ctx, l.to, l.batch...)
	if err != nil {
		return err
	}
	if at != eventstore.Position(l.n) {
		return fmt.Errorf("record %d came to position %d", l.n, at)
	}
	l.batch, l.size = nil, 0
	return nil
}

// A rowBatch writes rows, many at once.
type rowBatch struct {
	to   eventstore.Rows
	c    eventstore.Change
	size int
}

func (b *rowBatch) add(ctx context.Context, row eventstore.Row) error {
	b.c.Put, b.size = append(b.c.Put, row), b.size+len(row.Key)+len(row.Value)
	if len(b.c.Put) < 1000 && b.size < 4<<20 {
		return nil
	}
	return b.flush(ctx)
}

func (b *rowBatch) flush(ctx context.Context) error {
	err := eventstore.WriteDurably(ctx, b.to, b.c)
	b.c, b.size = eventstore.Change{}, 0
	return err
}
