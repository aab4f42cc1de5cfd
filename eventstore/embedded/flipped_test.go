package embedded_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"consentledger/domain/rounds"
	"consentledger/eventstore"
	"consentledger/eventstore/embedded"
)

// TestFlippedBitBeforeTheWatermark flips bits in the records that were acknowledged
// last, right after they were: no watermark in the log covers them. Of the last 50
// bytes each has one bit flipped, or as many as CONSENTLEDGER_ROUNDS says.
func TestFlippedBitBeforeTheWatermark(t *testing.T) {
	t.Parallel()
	for name, sizes := range map[string][]int{
		"small":         {100, 1, 0, 200},
		"over blocks":   {50_000, 40_000},
		"a block's end": {100, 32<<10 - 700, 300},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			rng := rand.New(rand.NewPCG(seed, 0))
			files, want := unmarked(t, rng, sizes)
			log, end := lastLog(files)
			step := 1 + end/rounds.Of(t, 20) // not every byte
			for at := rng.IntN(step); at < end-50; at += step {
				flip(t, files, log, at, 1<<rng.IntN(8), want)
			}
			for at := max(0, end-50); at < end; at++ {
				for _, bit := range rng.Perm(8)[:min(rounds.Of(t, 1), 8)] {
					if !flip(t, files, log, at, 1<<bit, want) && at >= end-20 {
						t.Errorf("bit %d of byte %d of %d was flipped unnoticed", bit, at, end)
					}
				}
			}
		})
	}
}

// unmarked returns the files of a database, and its records, at a moment when
// the last is acknowledged and nothing after it is written.
func unmarked(t *testing.T, rng *rand.Rand, sizes []int) (map[string][]byte, []eventstore.Recorded) {
	t.Helper()
	for {
		fs := vfs.NewMem()
		d := open(t, fs, "db")
		for i, size := range sizes {
			if _, err := d.Store().Append(t.Context(), "s", eventstore.Revision(i), record(rng, size)); err != nil {
				t.Fatal(err)
			}
		}
		got := files(t, fs)
		if embedded.Watermark(memory(t, got), "db") < eventstore.Position(len(sizes)) {
			return got, readAll(t, d)
		}
	}
}

// TestFlippedBitInAPad flips the bits between the last chunk of a block, where no
// other fits, and the record in the next block.
func TestFlippedBitInAPad(t *testing.T) {
	t.Parallel()
	const block, pad, guess = 32 << 10, 8, 32_000
	rng := rand.New(rand.NewPCG(7, 8))
	first, _ := unmarked(t, rng, []int{guess})
	_, end := lastLog(first)
	files, want := unmarked(t, rng, []int{guess + block - pad - end, 100})
	log, _ := lastLog(files)
	if b := files[log][block-pad-1 : block+1]; b[0] != 0xff || !bytes.Equal(b[1:pad+1], make([]byte, pad)) || b[pad+1] == 0 {
		t.Fatalf("there is no pad of %d bytes: %x", pad, b)
	}
	for at := block - pad; at < block; at++ {
		for bit := range 8 {
			flip(t, files, log, at, 1<<bit, want)
		}
	}
}

// lastLog returns the log that was written last, and where it ends.
func lastLog(files map[string][]byte) (name string, end int) {
	for n, data := range files {
		if strings.HasSuffix(n, ".log") && n > name {
			name, end = n, len(bytes.TrimRight(data, "\x00"))
		}
	}
	return name, end
}

// TestFlippedBitInAGroup flips bits in a log that many wrote to at once.
func TestFlippedBitInAGroup(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	fs := vfs.NewMem()
	d := open(t, fs, "db")
	ctx, cancel := context.WithCancel(t.Context())
	w := writers{t: t, d: d, acked: map[eventstore.EventID]bool{}, at: 300, reached: make(chan struct{})}
	var wg sync.WaitGroup
	for n := range 64 {
		wg.Go(func() { w.write(ctx, n) })
	}
	<-w.reached
	acked := w.snapshot()
	left := files(t, fs)
	cancel()
	wg.Wait()
	log, end := lastLog(left)
	noticed := 0
	flips := rounds.Of(t, 150)
	for range flips {
		at, bit := rng.IntN(end), byte(1)<<rng.IntN(8)
		left[log][at] ^= bit
		got, err := reopen(t, memory(t, left))
		left[log][at] ^= bit
		if err != nil {
			noticed++
			continue
		}
		if lost := without(acked, got); lost > 0 {
			t.Errorf("byte %d of %d, bits %#x: %d of %d acknowledged records are lost without an error", at, end, bit, lost, len(acked))
		}
	}
	t.Logf("of %d flips %d were noticed", flips, noticed)
}

func without(acked map[eventstore.EventID]bool, got []eventstore.Recorded) int {
	lost := len(acked)
	for _, r := range got {
		if acked[r.ID] {
			lost--
		}
	}
	return lost
}

// TestACutWriteIsNoFlippedBit cuts the log off at every byte, as a crash may cut
// what was not synced: that is no damage.
func TestACutWriteIsNoFlippedBit(t *testing.T) {
	t.Parallel()
	got, _ := unmarked(t, rand.New(rand.NewPCG(3, 4)), []int{300, 20})
	log, end := lastLog(got)
	whole := got[log]
	for at := end - 400; at < end; at++ {
		got[log] = append(bytes.Clone(whole[:at]), make([]byte, len(whole)-at)...)
		if err := embedded.ScanDir(memory(t, got), "db"); err != nil {
			t.Errorf("cut at byte %d of %d: %v", at, end, err)
		}
	}
}

// TestFlippedBitInATable flips bits in every table, others in every run, and most
// where its index and its footer are. What is read, by every way of reading, is
// what was written, or an error.
func TestFlippedBitInATable(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	all := tables(t, rng)
	want, err := readEverything(t, memory(t, all))
	if err != nil {
		t.Fatal(err)
	}
	flips, noticed := 0, 0
	for name, data := range all {
		if !strings.HasSuffix(name, ".sst") {
			continue
		}
		for range rounds.Of(t, 40) {
			at, tail := rng.IntN(len(data)), min(len(data), 1000)
			if rng.IntN(4) > 0 {
				at = len(data) - 1 - rng.IntN(tail)
			}
			bit := byte(1) << rng.IntN(8)
			data[at] ^= bit
			got, err := readEverything(t, memory(t, all))
			data[at] ^= bit
			flips++
			if err != nil {
				noticed++
			} else if got != want {
				t.Errorf("%s byte %d of %d, bits %#x: another history was read without an error", name, at, len(data), bit)
			}
		}
	}
	t.Logf("of %d flips %d were noticed", flips, noticed)
	if noticed < flips/2 {
		t.Error("most flips were not noticed: were the tables read?")
	}
}

// tables returns the files of a database with several tables, of records and of
// rows, some of them deleted.
func tables(t *testing.T, rng *rand.Rand) map[string][]byte {
	t.Helper()
	fs := vfs.NewMem()
	for n := range 3 {
		d, err := embedded.Open("db", embedded.Options{FS: fs})
		if err != nil {
			t.Fatal(err)
		}
		add(t, d, rng, eventstore.Stream(fmt.Sprint("s", n)), 6)
		c := eventstore.Change{Put: []eventstore.Row{{Key: []byte{'k', byte(n)}, Value: []byte(fmt.Sprint("row ", n))}}}
		if n == 2 {
			c.Delete = [][]byte{{'k', 0}}
		}
		if err := d.Rows().Write(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return files(t, fs)
}

// readEverything returns what all ways of reading say.
func readEverything(t *testing.T, fs vfs.FS) (said string, err error) {
	d, err := embedded.Open("db", embedded.Options{FS: fs})
	if err != nil {
		return "", err
	}
	defer d.Close()
	var b strings.Builder
	for r, err := range d.Store().ReadAll(t.Context(), 0) {
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "%+v\n", r)
	}
	for n := range 3 {
		for r, err := range d.Store().ReadStream(t.Context(), eventstore.Stream(fmt.Sprint("s", n)), 0) {
			if err != nil {
				return "", err
			}
			fmt.Fprintf(&b, "%+v\n", r)
		}
		value, ok, err := d.Rows().Get(t.Context(), []byte{'k', byte(n)})
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "%s %v\n", value, ok)
	}
	for r, err := range d.Rows().Scan(t.Context(), nil) {
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "%s\n", r.Value)
	}
	return b.String(), nil
}
