package merkle

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
)

// TestRFC6962Vectors holds the tree to the vectors of certificate
// transparency's own tests.
func TestRFC6962Vectors(t *testing.T) {
	records := []string{"", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"}
	roots := []string{
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
		"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
		"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
		"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
		"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
		"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
		"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
		"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
	}
	var e Edge
	for i, want := range roots {
		if got := e.Root(); hex.EncodeToString(got[:]) != want {
			t.Errorf("the root of %d records is %x, want %s", i, got, want)
		}
		if i < len(records) {
			record, err := hex.DecodeString(records[i])
			if err != nil {
				t.Fatal(err)
			}
			e.Append(record, func(Tile, []byte) { t.Error("a tile of eight is not full") })
		}
	}
}

// known are roots over the records 0, 1, 2 ... as eight bytes big-endian. They
// were computed by another program, in another language, by the recursive
// definition of RFC 6962.
var known = map[int64]string{
	0:     "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	1:     "3e7077fd2f66d689e0cee6a7cf5b37bf2dca7c979af356d0a31cbc5c85605c7d",
	2:     "a7d91894b61fbf46378d88e3e1b1f7aef39532c504b484bd31551d15e0a09dff",
	3:     "9b4965f8b220ba42f7039ad0781c966cf90bb1aea15a80586d634b322ab1f4ce",
	255:   "bb3b9743e08118ea583ae77df04a1449a0601cde6f75146d79c2cab6366ce210",
	256:   "15e2dd4973ae44de8c8cf3048fd98d17adaaea6287f4e0606a55a643617408c0",
	257:   "d418c0873259bce7d0561ab004486112416c1c4490865415342bfe06e673146c",
	511:   "ef22c6a8301db392501febfa56e97580671b9bed4e1aa9fa195a2c7d907a82f9",
	512:   "3adf8fb25fc5a1fef35934e788cdacf7d39d6b613f801fe624c97fde2d159fae",
	513:   "1da4b32f0590868b064498657231f588d49d925bc9a0473cbed276f0ef32befd",
	65535: "e7321cd57abf36c522d89e6d26bd9098a37b6a8b06b318976269e701f6d4802d",
	65536: "bc9bca909516d5bf148c2bf2dea0a0d9f717ce4987d2fe7504d6694363b41598",
	65537: "a901bb447a4b4c361cdf559658f27f24a8a3ebbc49257c472efe950932d4853a",
	65792: "db312eb3598e03010ce0df151e4aa825fbc27d4941fe35dc599b802239ba6620",
	70000: "0759167a0f98e35e802d46ff7c7d29d2c3f03a63a256deb6abbff357a91b63b1",
}

func numbered(i int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(i)) }

// TestKnownAnswers compares roots and tiles with answers from elsewhere: roots
// with a program in another language, tiles with the library's own storage.
func TestKnownAnswers(t *testing.T) {
	const most = 70_000
	tiles := map[Tile][]byte{}
	var stored []tlog.Hash
	hashes := tlog.HashReaderFunc(func(at []int64) ([]tlog.Hash, error) {
		var all []tlog.Hash
		for _, i := range at {
			all = append(all, stored[i])
		}
		return all, nil
	})
	var e Edge
	seen := 0
	for i := int64(0); ; i++ {
		if want, is := known[i]; is {
			seen++
			if got := e.Root(); hex.EncodeToString(got[:]) != want {
				t.Errorf("the root of %d records is %x, want %s", i, got, want)
			}
			checkTiles(t, &e, tiles, hashes)
		}
		if i == most {
			break
		}
		e.Append(numbered(i), func(t Tile, h []byte) { tiles[t] = h })
		more, err := tlog.StoredHashes(i, numbered(i), hashes)
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, more...)
	}
	if seen != len(known) {
		t.Errorf("saw %d of %d sizes", seen, len(known))
	}
}

// checkTiles wants every tile of a tree of this size to be the library's.
func checkTiles(t *testing.T, e *Edge, full map[Tile][]byte, hashes tlog.HashReader) {
	t.Helper()
	all := map[Tile][]byte{}
	for tile, h := range full {
		all[tile] = h
	}
	e.Partials(func(t Tile, h []byte) { all[t] = h })
	want := tlog.NewTiles(Height, 0, e.Size)
	if len(all) != len(want) {
		t.Errorf("a tree of %d has %d tiles, want %d", e.Size, len(all), len(want))
	}
	for _, tile := range want {
		data, err := tlog.ReadTileData(tile, hashes)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(all[tile], data) {
			t.Errorf("%s of a tree of %d differs from the library's", Path(tile), e.Size)
		}
	}
}

// TestEdgeOpens: a tree that is closed and opened from its tiles anywhere grows
// as one that never was.
func TestEdgeOpens(t *testing.T) {
	tiles := map[Tile][]byte{}
	keep := func(t Tile, h []byte) { tiles[t] = bytes.Clone(h) }
	var whole, e Edge
	for i := range int64(66_000) {
		whole.Append(numbered(i), func(Tile, []byte) {})
		e.Append(numbered(i), keep)
		if i%251 != 0 && i < 65_500 {
			continue
		}
		e.Partials(keep)
		var err error
		if e, err = OpenEdge(e.Size, func(t Tile) ([]byte, error) { return tiles[t], nil }); err != nil {
			t.Fatal(err)
		}
		if e.Root() != whole.Root() {
			t.Fatalf("opened at %d, the root differs", e.Size)
		}
	}
	if _, err := OpenEdge(300, func(t Tile) ([]byte, error) { return make([]byte, HashSize), nil }); err == nil {
		t.Error("a tile that is too short was taken")
	}
}

// TestSnapshotStays: what grows behind a snapshot does not change it.
func TestSnapshotStays(t *testing.T) {
	var e Edge
	var shots []Edge
	var roots []Hash
	for i := range int64(600) {
		shots, roots = append(shots, e.Snapshot()), append(roots, e.Root())
		e.Append(numbered(i), func(Tile, []byte) {})
	}
	for i := range shots {
		if shots[i].Root() != roots[i] || shots[i].Size != int64(i) {
			t.Errorf("the snapshot at %d changed", i)
		}
	}
}

func TestPaths(t *testing.T) {
	for _, c := range []struct {
		level int
		n     int64
		size  int64
		want  string
	}{
		{0, 0, 1, "tile/0/000.p/1"},
		{0, 0, 255, "tile/0/000.p/255"},
		{0, 0, 256, "tile/0/000"},
		{0, 1, 257, "tile/0/001.p/1"},
		{-1, 273, 70_000, "tile/entries/273.p/112"}, // the specification's own example
		{0, 273, 70_000, "tile/0/273.p/112"},
		{1, 1, 70_000, "tile/1/001.p/17"},
		{2, 0, 70_000, "tile/2/000.p/1"},
		{0, 1_234_067, 1 << 40, "tile/0/x001/x234/067"},
	} {
		tile := At(c.level, c.n, c.size)
		if got := Path(tile); got != c.want {
			t.Errorf("tile %d of level %d at %d is %s, want %s", c.n, c.level, c.size, got, c.want)
		}
		if back, err := ParsePath(c.want); err != nil || back != tile {
			t.Errorf("%s is read as %v, %v", c.want, back, err)
		}
	}
	for _, bad := range []string{"", "tile", "tile/0", "tile/0/0", "tile/0/1234", "tile/00/000", "tile/0/000.p/0", "tile/0/000.p/256", "tile/0/000.p/01",
		"tile/8/000", "tile/0/x000/001", "tile/0/../000", "tile/-1/000", "tile/data/000", "tile/entries/-01", "/tile/0/000", "tile/0/000/"} {
		if tile, err := ParsePath(bad); err == nil {
			t.Errorf("%q is read as %v", bad, tile)
		}
	}
	if w := At(1, 0, 255).W; w != 0 {
		t.Errorf("level 1 of 255 records is %d wide", w)
	}
}

func TestBundles(t *testing.T) {
	var b []byte
	var ends []int
	for i := range 256 {
		b = AppendEntry(b, bytes.Repeat([]byte{byte(i)}, i*i))
		ends = append(ends, len(b))
	}
	rest := b
	for i := range 256 {
		var record []byte
		var err error
		if record, rest, err = CutEntry(rest); err != nil || !bytes.Equal(record, bytes.Repeat([]byte{byte(i)}, i*i)) {
			t.Fatalf("entry %d: %v", i, err)
		}
		if p, err := Prefix(b, i+1); err != nil || len(p) != ends[i] {
			t.Fatalf("the first %d entries have %d bytes, want %d: %v", i+1, len(p), ends[i], err)
		}
	}
	if _, _, err := CutEntry(nil); err == nil {
		t.Error("an entry was cut off nothing")
	}
	if _, _, err := CutEntry(b[ends[254] : len(b)-1]); err == nil {
		t.Error("an entry was cut that is not whole")
	}
}

func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{200, 600} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			record := bytes.Repeat([]byte{'x'}, size)
			var e Edge
			for b.Loop() {
				e.Append(record, func(Tile, []byte) {})
			}
		})
	}
}

func BenchmarkRoot(b *testing.B) {
	var e Edge
	h := Hash(sha256.Sum256(nil))
	for range 255*257 + 255 {
		e.AppendHash(h, func(Tile, []byte) {})
	}
	for b.Loop() {
		e.Root()
	}
}
