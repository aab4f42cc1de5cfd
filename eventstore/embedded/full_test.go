package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"consentledger/eventstore"
	"consentledger/eventstore/embedded"
	"consentledger/eventstore/embedded/failing"
)

// A measured disk says how much of it is free. If it is strict, what would take
// more than nothing fails once nothing is free.
type measured struct {
	failing.FS
	free   atomic.Int64
	silent bool // it does not say
	strict bool
}

const diskSize = 60 << 20

func newMeasured(free int64) *measured {
	m := &measured{}
	m.FS = failing.FS{FS: vfs.NewMem(), Fails: m.fails}
	m.free.Store(free)
	return m
}

func (m *measured) GetDiskUsage(string) (vfs.DiskUsage, error) {
	if m.silent {
		return vfs.DiskUsage{}, vfs.ErrUnsupported
	}
	free := uint64(m.free.Load())
	return vfs.DiskUsage{AvailBytes: free, TotalBytes: diskSize, UsedBytes: diskSize - free}, nil
}

// fails implements [failing.FS]: a disk that has no room for more syncs what it has.
func (m *measured) fails(op string) error {
	if op == failing.Write && m.strict && m.free.Load() == 0 {
		return &vfsError{syscall.ENOSPC}
	}
	return nil
}

// A vfsError wraps what the system says, as package os does.
type vfsError struct{ error }

func (e *vfsError) Unwrap() error { return e.error }

func put(ctx context.Context, d *embedded.DB, stream string, expected int) error {
	r := eventstore.Record{ID: eventstore.EventID{1, byte(expected)}, Type: "t", Data: make([]byte, 100)}
	_, err := d.Store().Append(ctx, eventstore.Stream(stream), eventstore.Revision(expected), r)
	return err
}

func change(key string) eventstore.Change {
	return eventstore.Change{Put: []eventstore.Row{{Key: []byte(key), Value: []byte("value")}}}
}

// within fails the test if f hangs.
func within(t *testing.T, what string, f func() error) error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-time.After(30 * time.Second):
		t.Fatalf("%s hangs", what)
		return nil
	}
}

func TestAFullDiskIsNotWrittenToAndRead(t *testing.T) {
	disk := newMeasured(diskSize)
	d, err := embedded.Open("db", embedded.Options{FS: disk})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(put(t.Context(), d, "a", 0), d.Rows().Write(t.Context(), change("k")), d.Writable()); err != nil {
		t.Fatal(err)
	}

	disk.free.Store(3 << 20)
	for what, err := range map[string]error{
		"an append": put(t.Context(), d, "a", 1), "a change of rows": d.Rows().Write(t.Context(), change("k2")),
		"a sync": d.Rows().Sync(t.Context()), "a purge": d.Rows().Purge(t.Context(), []byte("k")), "health": d.Writable(),
	} {
		if !errors.Is(err, eventstore.ErrFull) || !strings.Contains(err.Error(), "the disk is full: 3.0 MB are free, and the ledger wants 16.0 MB") {
			t.Errorf("%s on a full disk: %v", what, err)
		}
	}
	if got := readAll(t, d); len(got) != 1 {
		t.Errorf("read on a full disk: %d records", len(got))
	}
	if _, ok, err := d.Rows().Get(t.Context(), []byte("k2")); ok || err != nil {
		t.Errorf("a change that was refused was made: %t, %v", ok, err)
	}
	if _, err := embedded.Open("another", embedded.Options{FS: disk}); !errors.Is(err, eventstore.ErrFull) {
		t.Errorf("opened on a full disk: %v", err)
	}

	disk.free.Store(20 << 20)
	if err := errors.Join(d.Writable(), put(t.Context(), d, "a", 1), d.Rows().Write(t.Context(), change("k2"))); err != nil {
		t.Errorf("once there is room: %v", err)
	}

	disk.free.Store(9 << 20) // too little to write, enough to be opened and read
	if err := within(t, "close on a full disk", d.Close); err != nil {
		t.Errorf("close on a full disk: %v", err)
	}
	if d, err = embedded.Open("db", embedded.Options{FS: disk}); err != nil {
		t.Fatal(err)
	}
	if got := readAll(t, d); len(got) != 2 || !errors.Is(d.Writable(), eventstore.ErrFull) {
		t.Errorf("after a restart: %d records, %v", len(got), d.Writable())
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

// TestADiskThatFillsUpKillsTheStoreAndNothingElse: the disk does not say that
// it is nearly full, and every write fails from some moment on. Whatever is
// written then, the process lives, says why, and reads.
func TestADiskThatFillsUpKillsTheStoreAndNothingElse(t *testing.T) {
	for _, first := range []string{"append", "row", "watermark"} {
		disk := newMeasured(diskSize)
		disk.silent, disk.strict = true, true
		d, err := embedded.Open("db", embedded.Options{FS: disk})
		if err != nil {
			t.Fatal(err)
		}
		if err := put(t.Context(), d, "a", 0); err != nil {
			t.Fatal(err)
		}
		disk.free.Store(0)
		if first == "watermark" {
			go d.WriteWatermark() // which Pebble does not return from
		}
		for i := 0; d.Writable() == nil; i++ {
			if first == "row" {
				_ = d.Rows().Write(t.Context(), change(strings.Repeat("x", 40_000)+fmt.Sprint(i)))
			} else {
				_ = put(t.Context(), d, "a", 1)
			}
		}
		d.WriteWatermark() // as the lane does when it has had nothing to do for a while
		for what, err := range map[string]error{
			"an append": put(t.Context(), d, "b", 0), "a change": d.Rows().Write(t.Context(), change("k")),
			"a sync": d.Rows().Sync(t.Context()), "a purge": d.Rows().Purge(t.Context(), []byte("k")), "health": d.Writable(),
		} {
			if !errors.Is(err, eventstore.ErrFull) || !strings.Contains(err.Error(), "dead until it is opened again") {
				t.Errorf("%s first: then %s: %v", first, what, err)
			}
		}
		if got := readAll(t, d); len(got) != 1 {
			t.Errorf("%s first: read %d records", first, len(got))
		}
		if err := within(t, "close", d.Close); err == nil {
			t.Errorf("%s first: close of a dead store returned nil", first)
		}
	}
}

// TestAnOpeningOnAFullDiskSaysSo: what the write-ahead log holds has to be
// written as a table, and the disk has no room for it and does not say so.
func TestAnOpeningOnAFullDiskSaysSo(t *testing.T) {
	for _, silent := range []bool{true, false} {
		mem := vfs.NewCrashableMem()

		// Each opening has a disk of its own: what one that failed left running may
		// still look at it.
		disk := func(files vfs.FS, free int64) embedded.Options {
			m := newMeasured(free)
			m.FS.FS, m.silent, m.strict = files, silent, true
			return embedded.Options{FS: m}
		}
		d, err := embedded.Open("db", disk(mem, diskSize))
		if err != nil {
			t.Fatal(err)
		}
		if err := put(t.Context(), d, "a", 0); err != nil {
			t.Fatal(err)
		}

		err = within(t, "an opening on a full disk", func() error {
			_, err := embedded.Open("db", disk(mem.CrashClone(vfs.CrashCloneCfg{}), 0)) // what a kill leaves
			return err
		})
		if !errors.Is(err, eventstore.ErrFull) || !strings.Contains(err.Error(), "the disk is full") {
			t.Errorf("opened with %v", err)
		}

		if d, err = embedded.Open("db", disk(mem.CrashClone(vfs.CrashCloneCfg{}), diskSize)); err != nil {
			t.Fatal(err)
		}
		if got := readAll(t, d); len(got) != 1 {
			t.Errorf("once there was room: %d records", len(got))
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestTheRoomOfADirectoryThatIsNotThereYet is that of the one above it.
func TestTheRoomOfADirectoryThatIsNotThereYet(t *testing.T) {
	dir := t.TempDir()
	is, err := embedded.RoomAt(vfs.Default, dir)
	if err != nil || is.Total == 0 {
		t.Fatalf("%+v, %v", is, err)
	}
	room, err := embedded.RoomAt(vfs.Default, filepath.Join(dir, "no", "such", "directory"))
	if err != nil || room.Total != is.Total {
		t.Errorf("%+v, %v, want that of %+v", room, err, is)
	}
}
