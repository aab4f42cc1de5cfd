package server

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"

	"consentledger/domain/ident"
	"consentledger/eventstore"
	"consentledger/eventstore/embedded"
	"consentledger/projections/transparency/merkle"
)

// A StoredLog is a log in the data directory of a stopped server: its checkpoint
// and its tiles of hashes are files, its records are in the store. Nothing that
// the server derived says which records those are: they are the app's, in their
// order. Whoever has it closes it.
type StoredLog struct {
	DirSource
	App     ident.AppName
	Records eventReader

	bundle int64                                     // the one that is next
	size   int                                       // of the one before
	next   func() (eventstore.Recorded, error, bool) // nil: nothing was read
	stop   func()
}

// An eventReader is a store as it is read from its beginning.
type eventReader interface {
	ReadAll(ctx context.Context, after eventstore.Position) iter.Seq2[eventstore.Recorded, error]
}

// Read implements [verify.Source]. Whoever asks for entry bundles in their order
// has the store read once.
func (l *StoredLog) Read(ctx context.Context, paths ...string) ([][]byte, error) {
	files := make([][]byte, len(paths))
	for i, path := range paths {
		t, err := merkle.ParsePath(path)
		if err != nil || t.L >= 0 {
			file, err := l.DirSource.Read(ctx, path)
			if err != nil {
				return nil, err
			}
			files[i] = file[0]
			continue
		}
		if files[i], err = l.entries(ctx, t); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// entries makes a bundle of the app's records: of fewer than are asked for if the
// store ends, nil if there is none.
func (l *StoredLog) entries(ctx context.Context, t merkle.Tile) (bundle []byte, err error) {
	if l.next == nil || t.N < l.bundle {
		l.rewind(ctx)
	}

	for n := (t.N-l.bundle)*merkle.Width + int64(t.W); n > 0; n-- {
		r, err := l.record()
		if errors.Is(err, errNoMore) {
			break
		}
		if err != nil {
			return nil, err
		}
		if n > int64(t.W) {
			continue
		}
		if bundle == nil {
			bundle = make([]byte, 0, l.size+l.size/8) // about as long as the one before
		}
		bundle = merkle.AppendEntry(bundle, r)
	}

	l.size = len(bundle)
	if l.bundle = t.N + 1; t.W < merkle.Width {
		l.Close() // it ends within a bundle: the next begins anew
	}
	return bundle, nil
}

var errNoMore = errors.New("the app has no more records")

// record returns the app's next record.
func (l *StoredLog) record() ([]byte, error) {
	for {
		r, err, more := l.next()
		if !more {
			return nil, errNoMore
		}
		if err != nil {
			return nil, err
		}
		stream, err := ident.ParseStreamID(string(r.Stream))
		if err != nil {
			return nil, fmt.Errorf("record at position %d: %w", r.Position, err)
		}
		if stream.App == l.App {
			return r.Data, nil
		}
	}
}

func (l *StoredLog) rewind(ctx context.Context) {
	l.Close()
	l.next, l.stop = iter.Pull2(l.Records.ReadAll(ctx, 0))
	l.bundle = 0
}

func (l *StoredLog) Close() {
	if l.next != nil {
		l.stop()
	}
	l.next = nil
}

// OpenRecords opens the directory of a stopped server for whoever reads its
// records and nothing that is personal: that takes no key.
func OpenRecords(path string) (_ *DataDir, err error) {
	d := &DataDir{path: path}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.Close())
		}
	}()
	if d.lock, err = LockDir(path); err != nil {
		return nil, err
	}

	address, err := RecordsPlace.Address("")
	if err == nil {
		_, err = CheckFormat(path, "", false)
	}
	if err == nil {
		err = RecordsPlace.Check(path, address, false)
	}
	if err != nil {
		return nil, err
	}
	if d.DB, err = embedded.Open(filepath.Join(path, "store"), embedded.Options{}); err != nil {
		return nil, err
	}
	return d, d.openStore(context.Background(), address)
}

// IsCache reports whether a directory is where a data directory keeps a log's
// tiles, which has no record in it.
func IsCache(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "index"))
	return err == nil
}
