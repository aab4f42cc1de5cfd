package embedded_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"consentledger/domain/rounds"
	"consentledger/eventstore"
	"consentledger/eventstore/embedded"
)

// TestFlippedBit flips one bit in a copy of a database that was open, as after
// kill -9. What was acknowledged must be there unchanged, or an error.
func TestFlippedBit(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	for _, tt := range []struct {
		name  string
		files map[string]int // how many flips, by a part of the file's name
		clean bool
	}{
		{"after a kill", map[string]int{".log": rounds.Of(t, 40), "MANIFEST": rounds.Of(t, 15), ".sst": rounds.Of(t, 10)}, false},
		{"after a clean close", map[string]int{"MANIFEST": rounds.Of(t, 15), ".sst": rounds.Of(t, 5), ".log": rounds.Of(t, 5)}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			files, want := history(t, rng, tt.clean)
			refused := map[string]int{}
			for part, flips := range tt.files {
				for range flips {
					name, at := pick(t, files, part, rng)
					if flip(t, files, name, at, 1<<rng.IntN(8), want) {
						refused[part]++
					}
				}
			}
			t.Logf("of %v flips these were noticed: %v", tt.files, refused)
		})
	}
}

// TestLastRecords flips every byte of the log's end, where the last records
// acknowledged are, and the watermark.
func TestLastRecords(t *testing.T) {
	t.Parallel()
	files, want := history(t, rand.New(rand.NewPCG(1, 2)), false)
	name, end := "", 0
	for n, data := range files {
		if strings.HasSuffix(n, ".log") && n > name {
			name, end = n, len(bytes.TrimRight(data, "\x00"))
		}
	}
	for at := end - 120; at < end; at++ {
		flip(t, files, name, at, 1<<(at%8), want)
	}
}

// history returns the files of a database that holds some thousand records in
// tables and in the log, and the records. It returns once the watermark is written.
func history(t *testing.T, rng *rand.Rand, clean bool) (map[string][]byte, []eventstore.Recorded) {
	t.Helper()
	fs := vfs.NewMem()
	fill(t, fs, rng, 60)
	d, err := embedded.Open("db", embedded.Options{FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	add(t, d, rng, "late", 150)
	want := readAll(t, d)
	if clean {
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		return files(t, fs), want
	}
	defer d.Close()
	for {
		got := files(t, fs)
		if embedded.Watermark(memory(t, got), "db") == eventstore.Position(len(want)) {
			return got, want
		}
	}
}

// fill writes n appends and closes the database, so that they are in tables.
func fill(t *testing.T, fs vfs.FS, rng *rand.Rand, n int) {
	t.Helper()
	d, err := embedded.Open("db", embedded.Options{FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	add(t, d, rng, "early", n)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}

func add(t *testing.T, d *embedded.DB, rng *rand.Rand, stream eventstore.Stream, n int) {
	t.Helper()
	for i := range n {
		if _, err := d.Store().Append(t.Context(), stream, eventstore.Revision(i), record(rng, rng.IntN(1500))); err != nil {
			t.Fatal(err)
		}
	}
}

func record(rng *rand.Rand, size int) eventstore.Record {
	r := eventstore.Record{Type: "test.v1", Data: make([]byte, size)}
	for i := range r.ID {
		r.ID[i] = byte(rng.Uint32() | 1)
	}
	for i := range r.Data {
		r.Data[i] = byte(' ' + rng.IntN(90))
	}
	return r
}

// flip opens the files with some bits of one byte changed, and reports whether
// that was noticed.
func flip(t *testing.T, files map[string][]byte, name string, at int, bits byte, want []eventstore.Recorded) (noticed bool) {
	t.Helper()
	files[name][at] ^= bits
	fs := memory(t, files)
	files[name][at] ^= bits
	for range 2 { // what is refused once is refused again
		got, err := reopen(t, fs)
		switch {
		case err == nil && noticed:
			t.Errorf("%s byte %d bits %#x: refused, and then opened", name, at, bits)
		case err == nil && !same(got, want):
			t.Errorf("%s byte %d bits %#x: read %d records without an error, want %d", name, at, bits, len(got), len(want))
		case err == nil:
			return false
		}
		noticed = true
	}
	return true
}

func reopen(t *testing.T, fs vfs.FS) (got []eventstore.Recorded, err error) {
	d, err := embedded.Open("db", embedded.Options{FS: fs})
	if err != nil {
		return nil, err
	}
	defer d.Close()
	for r, err := range d.Store().ReadAll(t.Context(), 0) {
		if err != nil {
			return nil, err
		}
		got = append(got, r)
	}
	return got, nil
}

func same(got, want []eventstore.Recorded) bool {
	if len(got) != len(want) {
		return false
	}
	for i, g := range got {
		w := want[i]
		if g.Position != w.Position || g.Stream != w.Stream || g.Revision != w.Revision ||
			g.ID != w.ID || g.Type != w.Type || !bytes.Equal(g.Data, w.Data) {
			return false
		}
	}
	return true
}

func readAll(t *testing.T, d *embedded.DB) (got []eventstore.Recorded) {
	t.Helper()
	for r, err := range d.Store().ReadAll(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, r)
	}
	return got
}

func files(t *testing.T, fs vfs.FS) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	names, err := fs.List("db")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		data, err := embedded.ReadFile(fs, fs.PathJoin("db", name))
		if err == nil { // Pebble may just have deleted it
			all[name] = data
		}
	}
	return all
}

func memory(t *testing.T, files map[string][]byte) vfs.FS {
	t.Helper()
	fs := vfs.NewMem()
	if err := fs.MkdirAll("db", 0o755); err != nil {
		t.Fatal(err)
	}
	for name, data := range files {
		f, err := fs.Create(fs.PathJoin("db", name), vfs.WriteCategoryUnspecified)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(bytes.Clone(data)); err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	return fs
}

// pick returns a file whose name has a part, and a byte of it, not in the zeros
// at its end.
func pick(t *testing.T, files map[string][]byte, part string, rng *rand.Rand) (string, int) {
	t.Helper()
	var names []string
	for name, data := range files {
		if strings.Contains(name, part) && !strings.HasPrefix(name, "marker") && len(bytes.TrimRight(data, "\x00")) > 0 {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		t.Fatal(fmt.Sprint("no file like ", part))
	}
	name := names[rng.IntN(len(names))]
	return name, rng.IntN(len(bytes.TrimRight(files[name], "\x00")))
}
