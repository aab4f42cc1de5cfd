package embedded_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"consentledger/eventstore"
	"consentledger/eventstore/embedded"
)

// TestCrash takes the power away at many moments. What was acknowledged by then
// is there afterwards, once.
func TestCrash(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	for i := range uint64(40) {
		mem := vfs.NewCrashableMem()
		if loss := crash(t, mem, mem, seed+i); loss != "" {
			t.Errorf("seed %d: %s", seed+i, loss)
		}
	}
}

// TestCrashTestCanFail runs the same on a disk that lies about its syncs.
func TestCrashTestCanFail(t *testing.T) {
	for i := range uint64(20) {
		mem := vfs.NewCrashableMem()
		if loss := crash(t, mem, liar{mem}, i); loss != "" {
			t.Logf("noticed, as it must: %.150s", loss)
			return
		}
	}
	t.Error("on a disk that does not sync nothing was lost")
}

// crash writes to fs, crashes mem, which is under it, in the midst, opens what
// is left, and says what is missing.
func crash(t *testing.T, mem *vfs.MemFS, fs vfs.FS, seed uint64) string {
	rng := rand.New(rand.NewPCG(seed, 0))
	d, err := embedded.Open("db", embedded.Options{FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	w := writers{t: t, d: d, acked: map[eventstore.EventID]bool{}, at: 1 + rng.IntN(200), reached: make(chan struct{})}
	var wg sync.WaitGroup
	for n := range 8 {
		wg.Go(func() { w.write(ctx, n) })
	}
	<-w.reached
	acked := w.snapshot()
	left := mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
	cancel()
	wg.Wait()
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	return missing(t, left, acked)
}

// writers append records, each with the row that belongs to it: some by one
// write, some first the row.
type writers struct {
	t *testing.T
	d *embedded.DB

	mu      sync.Mutex
	acked   map[eventstore.EventID]bool
	at      int // how many acknowledged records close reached
	reached chan struct{}
}

func (w *writers) write(ctx context.Context, n int) {
	for i := 0; ctx.Err() == nil; i++ {
		r := eventstore.Record{Type: "test.v1", Data: fmt.Appendf(nil, "%d/%d", n, i)}
		binary.BigEndian.PutUint64(r.ID[:], uint64(n)+1)
		binary.BigEndian.PutUint64(r.ID[8:], uint64(i))
		if err := w.one(ctx, n, i, r); err != nil {
			w.failed(ctx, err)
			return
		}
		w.ack(r.ID)
	}
}

func (w *writers) one(ctx context.Context, n, i int, r eventstore.Record) error {
	c := eventstore.Change{Put: []eventstore.Row{{Key: r.ID[:], Value: r.Data}}}
	appending := eventstore.Appending(w.d.Store(), w.d.Rows())
	if rowFirst(r.ID) {
		appending = eventstore.Appending(struct{ eventstore.Store }{w.d.Store()}, w.d.Rows())
	}
	_, err := appending(ctx, c, eventstore.Stream(fmt.Sprint("s", n)), eventstore.Revision(i), r)
	return err
}

// rowFirst reports whether the row of a record was written before it.
func rowFirst(id eventstore.EventID) bool { return id[7]%2 == 0 }

func (w *writers) failed(ctx context.Context, err error) {
	if ctx.Err() == nil {
		w.t.Error(err)
	}
}

func (w *writers) ack(id eventstore.EventID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.acked[id] = true
	if len(w.acked) == w.at {
		close(w.reached)
	}
}

func (w *writers) snapshot() map[eventstore.EventID]bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	acked := map[eventstore.EventID]bool{}
	for id := range w.acked {
		acked[id] = true
	}
	return acked
}

// missing opens what is left and says what of the acknowledged is not there.
func missing(t *testing.T, left vfs.FS, acked map[eventstore.EventID]bool) string {
	d, err := embedded.Open("db", embedded.Options{FS: left})
	if err != nil {
		return fmt.Sprintf("does not open: %v", err)
	}
	defer d.Close()
	seen := map[eventstore.EventID]int{}
	for r, err := range d.Store().ReadAll(t.Context(), 0) {
		if err != nil {
			return fmt.Sprintf("does not read: %v", err)
		}
		seen[r.ID]++
		if v, ok, err := d.Rows().Get(t.Context(), r.ID[:]); err != nil || !ok || string(v) != string(r.Data) {
			return fmt.Sprintf("record %s is there, its row is not: %q, %v", r.Data, v, err)
		}
		if seen[r.ID] > 1 {
			return fmt.Sprintf("record %s is there twice", r.Data)
		}
	}
	for r, err := range d.Rows().Scan(t.Context(), nil) {
		if err != nil {
			return fmt.Sprintf("does not read: %v", err)
		}
		if id := eventstore.EventID(r.Key); seen[id] == 0 && !rowFirst(id) {
			return fmt.Sprintf("row %s is there, the record of the same write is not", r.Value)
		}
	}
	for id := range acked {
		if seen[id] != 1 {
			return fmt.Sprintf("record %s was acknowledged and is lost, one of %d; %d are left", id, len(acked), len(seen))
		}
	}
	return ""
}

// A liar is a disk that says it synced and did not.
type liar struct{ vfs.FS }

type liarFile struct{ vfs.File }

func (liarFile) Sync() error                         { return nil }
func (liarFile) SyncData() error                     { return nil }
func (liarFile) SyncTo(int64) (full bool, err error) { return false, nil }

func (l liar) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := l.FS.Create(name, c)
	return liarFile{f}, err
}

func (l liar) ReuseForWrite(from, to string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := l.FS.ReuseForWrite(from, to, c)
	return liarFile{f}, err
}
