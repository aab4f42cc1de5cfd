package bench

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"consentledger/eventstore/embedded"

	"github.com/cockroachdb/pebble/v2"
)

// disk measures what an event takes on disk.
func (b *bench) disk(ctx context.Context) error {
	for _, load := range []loadKind{plainLoad, personalLoad} {
		if err := b.diskOf(ctx, load); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) diskOf(ctx context.Context, load loadKind) error {
	dir := filepath.Join(b.dataDir("disk"), string(load))
	m, err := openServer(ctx, dir)
	if err != nil {
		return err
	}
	if err := b.fill(m, load, b.events); err != nil {
		return errors.Join(err, m.close())
	}

	err = b.reportDisk(dir, load, "running", "while the ledger runs")
	if err := errors.Join(err, m.close()); err != nil {
		return err
	}
	if err := b.reportDisk(dir, load, "closed", "after the ledger was closed, which flushes"); err != nil {
		return err
	}
	if err := compact(ctx, filepath.Join(dir, "store")); err != nil {
		return err
	}
	return b.reportDisk(dir, load, "compacted", "after the whole store was compacted")
}

func (b *bench) reportDisk(dir string, load loadKind, state, when string) error {
	for _, part := range []string{"store", "views"} {
		if state == "compacted" && part == "views" {
			continue // as when closed
		}
		size, err := sizeOf(filepath.Join(dir, part))
		if err != nil {
			return err
		}
		b.report.add("disk", 0, fmt.Sprintf("%s %s, %s", load, part, state), "bytes/event",
			fmt.Sprintf("size of the directory %s / %d events, %s", part, b.events,
				when), float64(size)/float64(b.events))
	}
	return nil
}

// compact rewrites a closed store, as it writes itself, without what was
// overwritten or deleted.
func compact(ctx context.Context, dir string) error {
	opts := &pebble.Options{FormatMajorVersion: pebble.FormatNewest, Logger: silent{}}
	embedded.Layout(opts)
	db, err := pebble.Open(dir, opts)
	if err != nil {
		return err
	}
	err = db.Compact(ctx, []byte{0}, []byte{0xff}, true)
	return errors.Join(err, db.Close())
}

// silent is Pebble's logger here.
type silent struct{}

func (silent) Infof(string, ...any)              {}
func (silent) Errorf(string, ...any)             {}
func (silent) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

func sizeOf(dir string) (size int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil // removed meanwhile
		}
		if err != nil {
			return err
		}
		size += info.Size()
		return nil
	})
	return size, err
}
