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
	"consentledger/eventstore/embedded/failing"
)

var errDisk = errors.New("the disk is on fire")

// TestDead makes writes or syncs fail. Every append from then on says that the
// store is dead, and none hangs.
func TestDead(t *testing.T) {
	for _, broken := range []string{failing.Write, failing.Sync} {
		t.Run(broken, func(t *testing.T) {
			var fire atomic.Bool
			disk := failing.FS{FS: vfs.NewMem(), Fails: func(op string) error {
				if op == broken && fire.Load() {
					return errDisk
				}
				return nil
			}}
			d, err := embedded.Open("db", embedded.Options{FS: disk})
			if err != nil {
				t.Fatal(err)
			}
			var wg sync.WaitGroup
			for n := range 8 {
				wg.Go(func() { untilDead(t, d, n, &fire) })
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

func untilDead(t *testing.T, d *embedded.DB, n int, fire *atomic.Bool) {
	for i := range 1000 {
		if n == 0 && i == 20 {
			fire.Store(true)
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
