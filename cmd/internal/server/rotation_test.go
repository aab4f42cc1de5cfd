package server

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"consentledger/eventstore/vault"
)

// Tombstones that have expired are swept while the server runs; others stay.
func TestTombstonesAreSwept(t *testing.T) {
	d, err := OpenDataDir(t.Context(), t.TempDir(), "live", true)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	past, future := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	old, young := vault.Lookup{App: "shop", Kind: "account", ID: "a"}, vault.Lookup{App: "shop", Kind: "account", ID: "b"}
	for l, until := range map[vault.Lookup]time.Time{old: past, young: future} {
		p, _, err := d.Vault.Enrol(t.Context(), l)
		if err == nil {
			err = d.Vault.Erase(t.Context(), p, past, until)
		}
		if err != nil {
			t.Fatal(err)
		}
	}

	ctx, stop := context.WithCancel(t.Context())
	r := newRotation(d, slog.New(slog.DiscardHandler))
	var workers sync.WaitGroup
	workers.Go(func() { r.run(ctx) })
	for swept := int64(0); swept == 0; time.Sleep(20 * time.Millisecond) {
		k, err := r.report(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		swept = k.Swept
	}
	stop()
	workers.Wait()
	if _, there, err := d.Vault.ErasedAt(t.Context(), young, time.Now()); !there || err != nil {
		t.Errorf("a tombstone that counts is gone, %v", err)
	}
}
