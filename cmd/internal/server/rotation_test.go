package server

import (
	"context"
	"fmt"
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

// A vault that several processes shared, and that was moved into a directory, has a row that
// says which epoch wraps. Its keys are rotated as others are: the older epoch is not destroyed
// while that row names it.
func TestAVaultThatWasSharedIsRotated(t *testing.T) {
	d, err := OpenDataDir(t.Context(), t.TempDir(), "live", true)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	enrol := func(n int) {
		t.Helper()
		if _, _, err := d.Vault.Enrol(t.Context(), vault.Lookup{App: "shop", Kind: "account", ID: fmt.Sprint(n)}); err != nil {
			t.Fatal(err)
		}
	}
	enrol(1)
	if err := d.Vault.Share(t.Context()); err != nil {
		t.Fatal(err)
	}

	r := newRotation(d, slog.New(slog.DiscardHandler))
	if err := r.rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := r.retire(t.Context(), d.Keys.Sum()); err == nil || len(d.Keys.Epochs()) != 2 {
		t.Fatalf("the epoch is destroyed that wraps: %v", err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var workers sync.WaitGroup
	workers.Go(func() { r.run(ctx) })
	for state := ""; state != keysRewrapped; time.Sleep(20 * time.Millisecond) {
		k, err := r.report(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		state = k.State
	}
	stop()
	workers.Wait()
	enrol(2)
	if err := r.retire(t.Context(), d.Keys.Sum()); err != nil {
		t.Fatal(err)
	}
	if n, err := d.Vault.Whole(t.Context()); n != 4 || err != nil { // the check, the app, two persons
		t.Errorf("%d keys open: %v", n, err)
	}
}
