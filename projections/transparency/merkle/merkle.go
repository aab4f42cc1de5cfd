// Package merkle is the mathematics and the texts of a transparency log: the
// right edge of an RFC 6962 tree, C2SP tlog-tiles, checkpoints that are signed
// notes, and tlog-proofs. It reads no file and asks no network.
//
// What reads a text here reads what the format says and nothing else: a base64
// that a library would forgive is an error, so that no byte of a proof can be
// changed unnoticed.
package merkle

import (
	"crypto/sha256"
	"fmt"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/tlog"
)

// A Hash is a node of the tree.
type Hash = tlog.Hash

// The tree is cut into tiles of Width hashes; a bundle has as many entries.
const (
	Height   = torchwood.TileHeight
	Width    = torchwood.TileWidth
	HashSize = tlog.HashSize
)

// A Tile names a tile, or with level -1 an entry bundle, and how much of it is
// meant.
type Tile = tlog.Tile

// At returns the tile n of a level as a tree of a size has it: full, partial,
// or of width zero, which is not there at all.
func At(level int, n, size int64) Tile {
	have := size
	if level > 0 {
		have >>= Height * level
	}
	return Tile{H: Height, L: level, N: n, W: int(max(0, min(Width, have-n*Width)))}
}

// Path returns where a tile lies below a log's address, as in
// "tile/0/x001/234.p/56" or "tile/entries/000".
func Path(t Tile) string { return torchwood.TilePath(t) }

// ParsePath reads what [Path] writes, and nothing else.
func ParsePath(path string) (Tile, error) {
	t, err := torchwood.ParseTilePath(path)
	if err != nil || t.H != Height || t.L > maxLevel || t.N < 0 || t.W < 1 || t.W > Width || Path(t) != path {
		return Tile{}, fmt.Errorf("want a path as in tile/0/x001/234.p/56 or tile/entries/000")
	}
	return t, nil
}

// maxLevel is the highest level that a tree of 2^63 records has.
const maxLevel = 7

// A Leaf hashes records without leaving garbage.
type Leaf struct{ buf []byte }

// Hash returns the hash of a record.
func (l *Leaf) Hash(record []byte) Hash {
	l.buf = append(append(l.buf[:0], 0), record...)
	return sha256.Sum256(l.buf)
}

// An Edge is the right edge of a tree: all that must be kept of it so that it
// can grow. The zero Edge is the empty tree.
type Edge struct {
	Size   int64
	levels [][]byte // of every level the hashes of its last tile, which is never full
	leaf   Leaf
}

// A Full is told of every tile that became full.
type Full func(t Tile, hashes []byte)

// Append adds a record and returns its hash.
func (e *Edge) Append(record []byte, full Full) Hash {
	h := e.leaf.Hash(record)
	e.AppendHash(h, full)
	return h
}

// AppendHash adds a record by its hash.
func (e *Edge) AppendHash(h Hash, full Full) {
	e.Size++
	for level := 0; ; level++ {
		if level == len(e.levels) {
			e.levels = append(e.levels, nil)
		}
		if e.levels[level] == nil {
			e.levels[level] = make([]byte, 0, Width*HashSize)
		}
		e.levels[level] = append(e.levels[level], h[:]...)
		hashes := e.levels[level]
		if len(hashes) < Width*HashSize {
			return
		}
		full(Tile{H: Height, L: level, N: e.Size>>(Height*(level+1)) - 1, W: Width}, hashes)
		e.levels[level] = nil // whoever was told may have kept it
		h = perfect(hashes)
	}
}

// Root returns the tree's root.
func (e *Edge) Root() Hash {
	root, some := Hash(sha256.Sum256(nil)), false
	for _, hashes := range e.levels {
		// The subtrees of a level, from the last and smallest to the first.
		for len(hashes) > 0 {
			n := len(hashes) / HashSize
			last := (n & -n) * HashSize
			h := perfect(hashes[len(hashes)-last:])
			if some {
				h = tlog.NodeHash(h, root)
			}
			root, some, hashes = h, true, hashes[:len(hashes)-last]
		}
	}
	return root
}

// perfect returns the root over hashes, whose number is a power of two.
func perfect(hashes []byte) Hash {
	if len(hashes) == HashSize {
		return Hash(hashes)
	}

	var row [Width / 2]Hash
	n := len(hashes) / HashSize / 2
	for i := range n {
		row[i] = node(Hash(hashes[2*i*HashSize:]), Hash(hashes[(2*i+1)*HashSize:]))
	}

	for ; n > 1; n /= 2 {
		for i := range n / 2 {
			row[i] = node(row[2*i], row[2*i+1])
		}
	}
	return row[0]
}

func node(left, right Hash) Hash { return tlog.NodeHash(left, right) }

// Partials returns the tiles of hashes that are not full, with what is in them.
func (e *Edge) Partials(partial func(t Tile, hashes []byte)) {
	for level, hashes := range e.levels {
		if len(hashes) > 0 {
			partial(At(level, e.Size>>(Height*(level+1)), e.Size), hashes)
		}
	}
}

// Last returns the hashes of the last, not full tile of a level.
func (e *Edge) Last(level int) []byte {
	if level >= len(e.levels) {
		return nil
	}
	return e.levels[level]
}

// Snapshot returns the edge as it is now. Growing e does not change it.
func (e *Edge) Snapshot() Edge {
	s := Edge{Size: e.Size}
	for _, hashes := range e.levels {
		// What is appended to e lies behind the snapshot's end.
		s.levels = append(s.levels, hashes[:len(hashes):len(hashes)])
	}
	return s
}

// Clone returns an edge that grows by itself.
func (e *Edge) Clone() *Edge {
	c := &Edge{Size: e.Size}
	for _, hashes := range e.levels {
		if hashes != nil {
			hashes = append(make([]byte, 0, Width*HashSize), hashes...)
		}
		c.levels = append(c.levels, hashes)
	}
	return c
}

// OpenEdge returns the edge of a tree of a size, from its tiles.
func OpenEdge(size int64, read func(t Tile) ([]byte, error)) (Edge, error) {
	e := Edge{Size: size}
	for level := 0; size>>(Height*level) > 0; level++ {
		t := At(level, size>>(Height*(level+1)), size)
		e.levels = append(e.levels, nil)
		if t.W == 0 {
			continue
		}
		hashes, err := read(t)
		if err == nil && len(hashes) != t.W*HashSize {
			err = fmt.Errorf("%s has %d bytes, want %d", Path(t), len(hashes), t.W*HashSize)
		}
		if err != nil {
			return Edge{}, err
		}
		e.levels[level] = append(make([]byte, 0, Width*HashSize), hashes...)
	}
	return e, nil
}
