package embedded_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"consentledger/eventstore"
	"consentledger/eventstore/embedded"
)

var errDisk = errors.New("the disk is on fire")

// TestDead makes writes or syncs fail. Every append from then on says that the
// store is dead, and none hangs.
func TestDead(t *testing.T) {
	for _, broken := range []string{"write", "sync"} {
		t.Run(broken, func(t *testing.T) {
			fire := &fire{FS: vfs.NewMem()}
			d, err := embedded.Open("db", embedded.Options{FS: fire})
			if err != nil {
				t.Fatal(err)
			}
			var wg sync.WaitGroup
			for n := range 8 {
				wg.Go(func() { untilDead(t, d, n, fire, broken) })
			}
			wg.Wait()
			r := eventstore.Record{ID: eventstore.EventID{1}, Type: "t"}
			if _, err := d.Store().Append(t.Context(), "new", 0, r); err == nil || !strings.Contains(err.Error(), "dead") {
				t.Errorf("an append after that returned %v", err)
			}
			if err := d.Rows().Sync(t.Context()); err == nil {
				t.Error("a sync after that returned nil")
			}
			if err := d.Close(); err == nil {
				t.Error("close of a dead store returned nil")
			}
		})
	}
}

func untilDead(t *testing.T, d *embedded.DB, n int, fire *fire, broken string) {
	for i := range 1000 {
		if n == 0 && i == 20 {
			fire.write.Store(broken == "write")
			fire.sync.Store(broken == "sync")
		}
		r := eventstore.Record{ID: eventstore.EventID{byte(n + 1), byte(i)}, Type: "t"}
		_, err := d.Store().Append(t.Context(), eventstore.Stream(fmt.Sprint("s", n)), eventstore.Revision(i), r)
		if err != nil {
			if !strings.Contains(err.Error(), "dead") {
				t.Error(err)
			}
			return
		}
	}
	t.Errorf("writer %d never heard of it", n)
}

// A fire is a disk that can be told to fail.
type fire struct {
	vfs.FS
	write, sync atomic.Bool
}

type fireFile struct {
	vfs.File
	fire *fire
}

func (f fireFile) Write(b []byte) (int, error) {
	if f.fire.write.Load() {
		return 0, errDisk
	}
	return f.File.Write(b)
}

func (f fireFile) Sync() error     { return f.fire.synced(f.File.Sync) }
func (f fireFile) SyncData() error { return f.fire.synced(f.File.SyncData) }

func (f *fire) synced(sync func() error) error {
	if f.sync.Load() {
		return errDisk
	}
	return sync()
}

func (f *fire) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := f.FS.Create(name, c)
	return fireFile{file, f}, err
}
