package embedded_test

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"consentledger/eventstore"
	"consentledger/eventstore/embedded"
	"consentledger/eventstore/storetest"
)

// open returns a new database that is closed when t ends.
func open(t testing.TB, fs vfs.FS, dir string) *embedded.DB {
	t.Helper()
	d, err := embedded.Open(dir, embedded.Options{FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) eventstore.Store { return open(t, vfs.NewMem(), "db").Store() })
}

func TestStoreOnDisk(t *testing.T) {
	storetest.Run(t, func(t *testing.T) eventstore.Store { return open(t, nil, t.TempDir()).Store() })
}

func TestShared(t *testing.T) {
	storetest.RunShared(t, func(t *testing.T) (eventstore.Store, eventstore.Store) {
		d := open(t, vfs.NewMem(), "db")
		return d.Store(), d.Store()
	})
}

func TestRows(t *testing.T) {
	storetest.RunRows(t, func(t *testing.T) eventstore.Rows { return open(t, vfs.NewMem(), "db").Rows() })
}

func TestAppending(t *testing.T) {
	storetest.RunAppending(t, func(t *testing.T) (eventstore.Store, eventstore.Rows) {
		d := open(t, vfs.NewMem(), "db")
		return d.Store(), d.Rows()
	})
}

// TestLargeAppend writes more at once than a memory table holds, which Pebble
// treats apart.
func TestLargeAppend(t *testing.T) {
	fs := vfs.NewMem()
	d, err := embedded.Open("db", embedded.Options{FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	records := make([]eventstore.Record, 300)
	for i := range records {
		records[i] = eventstore.Record{ID: eventstore.EventID{byte(i + 1), byte(i >> 4), 1}, Type: "t", Data: make([]byte, eventstore.MaxData)}
	}
	if _, err := d.Store().Append(t.Context(), "a", 0, records...); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	d = open(t, fs, "db")
	if got := readAll(t, d); len(got) != len(records) {
		t.Errorf("read %d records, want %d", len(got), len(records))
	}
	if _, err := d.Store().Append(t.Context(), "a", 300, records[0]); err != nil {
		t.Error(err)
	}
}
