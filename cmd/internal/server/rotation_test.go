package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"consentledger/eventstore"
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

// sharing returns a rotation as of one of several processes, over the rows of a directory.
func sharing(d *DataDir, process string) *rotation {
	r := newRotation(d, slog.New(slog.DiscardHandler))
	r.among(d.DB.Rows(), process, func() bool { return true })
	return r
}

// A process that ends takes away what it said of its keys, and not what the next one of its
// name says.
func TestTheLastWordOfAProcessIsItsOwn(t *testing.T) {
	d, err := OpenDataDir(t.Context(), t.TempDir(), "live", true)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	start := func() (end func()) {
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			sharing(d, "one").keepUp(ctx)
		}()
		return func() {
			stop()
			<-done
		}
	}
	said := func(before time.Time) (at time.Time) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
			all, err := ReadKeysOf(t.Context(), d.DB.Rows(), time.Now(), time.Hour)
			if err != nil {
				t.Fatal(err)
			}
			if len(all) == 1 && !all[0].Heard.Equal(before) {
				return all[0].Heard
			}
		}
		t.Fatal("nothing was said")
		return at
	}

	end := start()
	first := said(time.Time{})
	time.Sleep(2 * time.Millisecond) // the next word has another millisecond
	endNext := start()
	said(first)
	end()
	if all, err := ReadKeysOf(t.Context(), d.DB.Rows(), time.Now(), time.Hour); err != nil || len(all) != 1 {
		t.Errorf("what the process that goes on said is %v, %v", all, err)
	}
	endNext()
	for row, err := range d.DB.Rows().Scan(t.Context(), []byte("keys/1/")) {
		t.Errorf("both have ended, and there is %s, %v", row.Key, err)
	}
}

// A process whose clock is slow is there for who sees it say something, and its lack of the
// newest epoch counts.
func TestAProcessOfASlowClockIsThere(t *testing.T) {
	d, err := OpenDataDir(t.Context(), t.TempDir(), "live", true)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	r := sharing(d, "one")
	if err := errors.Join(d.Vault.Share(t.Context()), d.Keys.Advance()); err != nil {
		t.Fatal(err)
	}
	for second := range 2 {
		text := fmt.Sprintf(`{"v":1,"epochs":[1],"at":%d}`, 1_700_000_000_000+1000*second)
		row := eventstore.Row{Key: []byte(keysRows + "slow"), Value: []byte(text)}
		if err := d.DB.Rows().Write(t.Context(), eventstore.Change{Put: []eventstore.Row{row}}); err != nil {
			t.Fatal(err)
		}
		if err := r.listen(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.rotate(t.Context()); err == nil || !strings.Contains(err.Error(), "1 of 1 processes do not have epoch 2 yet: slow") {
		t.Errorf("rotated, and the process whose clock is slow has no epoch 2: %v", err)
	}
	if err := r.forgetProcesses(t.Context()); err != nil {
		t.Fatal(err)
	}
	if all, err := r.present(t.Context()); err != nil || len(all) != 1 {
		t.Errorf("forgotten: %v, %v", all, err)
	}
}
