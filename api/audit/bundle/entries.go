package bundle

import (
	"fmt"
	"iter"

	"consentledger/projections/transparency/merkle"

	"golang.org/x/mod/sumdb/tlog"
)

// Tiles reads a log's tiles and entry bundles.
type Tiles func(t merkle.Tile) ([]byte, error)

// entries yields the records of a tree of a size, in their order.
func entries(read Tiles, size int64) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for n := int64(0); n*merkle.Width < size; n++ {
			rest, err := read(merkle.At(-1, n, size))
			for i := n * merkle.Width; err == nil && i < min((n+1)*merkle.Width, size); i++ {
				var record []byte
				if record, rest, err = merkle.CutEntry(rest); err == nil && !yield(record, nil) {
					return
				}
			}
			if err != nil {
				yield(nil, fmt.Errorf("entries %d: %w", n, err))
				return
			}
		}
	}
}

// hashes reads nodes of a tree from its tiles, and holds them against its root.
func hashes(read Tiles, tree tlog.Tree) tlog.HashReader {
	return tlog.TileHashReader(tree, tileReader{read, map[tlog.Tile][]byte{}})
}

// A tileReader remembers the tiles that it read: the paths of neighbours share
// most of them.
type tileReader struct {
	read Tiles
	seen map[tlog.Tile][]byte
}

// Height implements [tlog.TileReader].
func (tileReader) Height() int { return merkle.Height }

// ReadTiles implements [tlog.TileReader].
func (r tileReader) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	all := make([][]byte, len(tiles))
	for i, t := range tiles {
		data, ok := r.seen[t]
		if !ok {
			var err error
			if data, err = r.read(t); err != nil {
				return nil, err
			}
			if len(r.seen) > 1<<12 {
				clear(r.seen)
			}
			r.seen[t] = data
		}
		all[i] = data
	}
	return all, nil
}

// SaveTiles implements [tlog.TileReader].
func (tileReader) SaveTiles([]tlog.Tile, [][]byte) {}
