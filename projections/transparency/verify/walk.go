package verify

import (
	"bytes"
	"context"

	"consentledger/projections/transparency/merkle"
)

// A walk is one pass over a log.
type walk struct {
	*Log
	report  *Report
	order   order
	leaf    merkle.Leaf
	derived merkle.Edge  // from the records
	told    *merkle.Edge // from the hashes that the tiles tell; nil: the same so far
	wrong   int          // tiles, or hashes in them, that are not as derived
	lost    int          // records that cannot be read
	beside  int          // findings about what is kept beside the log
	ended   bool         // neither records nor tiles are there any more
	forked  bool         // the first records are not those of a checkpoint of before
	passed  int          // how many checkpoints of before were compared
	full    []tileOf     // tiles that were derived and not compared yet
}

// A tileOf is a tile of hashes as it was derived.
type tileOf struct {
	merkle.Tile
	hashes []byte
}

// bundle takes a bundle and the tile of its hashes.
func (w *walk) bundle(t merkle.Tile, bundle, tile []byte) {
	path, tilePath := merkle.Path(t), merkle.Path(merkle.Tile{H: t.H, N: t.N, W: t.W})
	if len(tile) != t.W*merkle.HashSize {
		w.wrong++
		w.report.add(tilePath, -1, "it has %d bytes, want %d", len(tile), t.W*merkle.HashSize)
		tile = make([]byte, t.W*merkle.HashSize)
	}

	index := t.N * merkle.Width
	if bundle == nil {
		w.report.add(path, index, "the bundle is not there, which holds the records from here to %d",
			index+int64(t.W)-1)
	}

	for i := range t.W {
		told := merkle.Hash(tile[i*merkle.HashSize:])
		record, rest, err := merkle.CutEntry(bundle)
		if err != nil {
			if bundle != nil { // told once of all that follow
				w.report.add(path, index, "%v", err)
			}
			bundle = nil
			w.lost++
			w.grow(told, told)
		} else {
			bundle = rest
			w.record(path, tilePath, index, record, told)
		}
		w.pass()
		index++
	}

	if len(bundle) > 0 {
		w.report.add(path, index, "%d bytes follow the last record of the bundle", len(bundle))
	}
}

// record takes the next record and the hash that a tile tells of it.
func (w *walk) record(path, tilePath string, index int64, record []byte, told merkle.Hash) {
	w.report.Records++
	h := w.leaf.Hash(record)
	if h != told {
		w.wrong++
		w.report.add(path, index, "its hash is %s, and %s tells %s", h, tilePath, told)
		if w.report.More == 0 {
			w.report.Findings[len(w.report.Findings)-1].tile = tilePath
		}
	}

	w.grow(h, told)
	if err := w.order.check(record); err != nil {
		w.report.add(path, index, "%v", err)
	}
	if w.Beside == nil {
		return
	}

	for _, wrong := range w.Beside(record) {
		w.beside++
		w.report.add(path, index, "%s", wrong)
	}
}

// grow adds a record's hash as it was derived and as it was told.
func (w *walk) grow(h, told merkle.Hash) {
	if h != told && w.told == nil {
		w.told = w.derived.Clone()
	}
	w.derived.AppendHash(h, w.keep)
	if w.told != nil {
		w.told.AppendHash(told, func(merkle.Tile, []byte) {})
	}
}

// pass compares the tree with the checkpoints of before that have its size.
func (w *walk) pass() {
	for ; w.passed < len(w.Seen) && w.Seen[w.passed].Size <= w.derived.Size; w.passed++ {
		s := w.Seen[w.passed]
		if s.Size < w.derived.Size || w.derived.Root() == s.Root {
			continue
		}
		from := int64(0)
		if w.passed > 0 {
			from = w.Seen[w.passed-1].Size
		}
		w.report.add("checkpoint", -1,
			"the first %d records are not those of the checkpoint seen before; the first that differs is from %d "+
				"to %d", s.Size, from, s.Size-1)
		w.passed, w.forked = len(w.Seen), true
		return
	}
}

func (w *walk) keep(t merkle.Tile, hashes []byte) { w.full = append(w.full, tileOf{t, hashes}) }

// compare holds the tiles above the lowest that were derived against the log's.
// The lowest was compared hash by hash.
func (w *walk) compare(ctx context.Context) error {
	var paths []string
	var tiles []tileOf
	for _, t := range w.full {
		if t.L > 0 {
			paths, tiles = append(paths, merkle.Path(t.Tile)), append(tiles, t)
		}
	}

	w.full = w.full[:0]
	if len(paths) == 0 {
		return nil
	}

	files, err := w.Source.Read(ctx, paths...)
	if err != nil {
		return err
	}

	for i, t := range tiles {
		if !bytes.Equal(files[i], t.hashes) {
			w.wrong++
			w.differs(t, files[i])
		}
	}
	return nil
}

// differs says where a tile of hashes is not as it was derived.
func (w *walk) differs(t tileOf, file []byte) {
	if len(file) != len(t.hashes) {
		w.report.add(merkle.Path(t.Tile), -1, "it has %d bytes, want %d", len(file), len(t.hashes))
		return
	}
	at := 0
	for file[at] == t.hashes[at] {
		at++
	}
	span := int64(1) << (merkle.Height * t.L)
	first := (t.N*merkle.Width + int64(at/merkle.HashSize)) * span
	w.report.add(merkle.Path(t.Tile), -1, "its hash %d, of the records from %d to %d, is not the one that they give",
		at/merkle.HashSize, first, first+span-1)
}
