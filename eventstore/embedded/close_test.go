package embedded_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"consentledger/eventstore"
	"consentledger/eventstore/embedded"
)

// TestClose closes under load: each append is either there or was refused.
func TestClose(t *testing.T) {
	fs := vfs.NewMem()
	d, err := embedded.Open("db", embedded.Options{FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var acked atomic.Int64
	enough := make(chan struct{})
	for n := range 16 {
		wg.Go(func() {
			for i := 0; ; i++ {
				r := eventstore.Record{ID: eventstore.EventID{1}, Type: "t"}
				_, err := d.Store().Append(t.Context(), eventstore.Stream(fmt.Sprint("s", n)), eventstore.Revision(i), r)
				if errors.Is(err, embedded.ErrClosed) {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
				if acked.Add(1) == 500 {
					close(enough)
				}
			}
		})
	}
	wg.Go(func() { followToEnd(t, d) })
	<-enough
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	wg.Wait()
	if got := readAll(t, open(t, fs, "db")); len(got) != int(acked.Load()) {
		t.Errorf("the store holds %d records, %d were acknowledged", len(got), acked.Load())
	}
}

func followToEnd(t *testing.T, d *embedded.DB) {
	var last error
	for _, err := range d.Store().Follow(t.Context(), 0) {
		last = err
	}
	if !errors.Is(last, embedded.ErrClosed) {
		t.Errorf("follow ended with %v, want %v", last, embedded.ErrClosed)
	}
}
