package state

import (
	"encoding/binary"
	"reflect"
	"unsafe"

	"consentledger/eventstore/intern"
)

// A writer appends to b, and numbers what it writes.
type writer struct {
	b      []byte
	texts  map[string]int
	raws   map[string]int
	blocks map[written]int
	held   map[place]int // the block of what an interface holds, by where it lies
	before int64
	err    error
	in     *writer // of [writer.inside], used again
}

// A place is where a value of a kind lies in memory.
type place struct {
	kind *kind
	at   unsafe.Pointer
}

func newWriter(b []byte) *writer {
	return &writer{b: b, texts: map[string]int{}, raws: map[string]int{}, blocks: map[written]int{},
		held: map[place]int{}}
}

// inside returns a writer of bytes that name nothing outside of them.
func (w *writer) inside() *writer {
	if w.in == nil {
		w.in = newWriter(nil)
	}
	in := w.in
	in.b, in.before, in.err = in.b[:0], 0, nil
	clear(in.texts)
	clear(in.raws)
	clear(in.blocks)
	clear(in.held)
	return in
}

// written is a block of a kind: other kinds may have the same bytes.
type written struct {
	kind  *kind
	bytes string
}

func (w *writer) number(n uint64) { w.b = binary.AppendUvarint(w.b, n) }

func (w *writer) step(n int64) {
	w.b = binary.AppendVarint(w.b, n-w.before)
	w.before = n
}

// text writes 0, the length and the bytes; or the number of a text that was
// written before.
func (w *writer) text(s string) {
	if i, known := w.texts[s]; known {
		w.number(uint64(i))
		return
	}
	w.texts[s] = len(w.texts) + 1
	w.number(0)
	w.number(uint64(len(s)))
	w.b = append(w.b, s...)
}

// raw is text for bytes of a length that both sides know.
func (w *writer) raw(b []byte) {
	if i, known := w.raws[string(b)]; known {
		w.number(uint64(i))
		return
	}
	w.raws[string(b)] = len(w.raws) + 1
	w.number(0)
	w.b = append(w.b, b...)
}

// block writes 1 and what write writes; or 2 more than the number of a block that
// was written before, in the same bytes. It returns the number. So that the same bytes mean the same,
// numbers do not count from those before the block.
func (w *writer) block(shared bool, k *kind, write func()) int {
	start, before := len(w.b), w.before
	w.number(1)
	if shared {
		w.before = 0
	}

	write()
	if !shared {
		return 0
	}

	w.before = before
	if i, known := w.blocks[written{k, string(w.b[start:])}]; known {
		w.b = w.b[:start]
		w.number(uint64(i) + 2)
		return i
	}

	i := len(w.blocks)
	w.blocks[written{k, string(w.b[start:])}] = i
	return i
}

// A reader reads what a writer wrote. Once it is bad all that it reads is zero.
type reader struct {
	all    []byte
	rest   []byte // of all
	bad    bool
	size   int // in memory, of what was read
	texts  []string
	raws   []span
	blocks []readBlock
	before int64
}

// A span is where bytes lie in all that is read.
type span struct{ from, to uint32 }

type readBlock struct {
	kind  *kind
	value reflect.Value
}

func (r *reader) number() uint64 {
	n, size := binary.Uvarint(r.rest)
	if r.bad = r.bad || size <= 0; r.bad {
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

func (r *reader) step() int64 {
	n, size := binary.Varint(r.rest)
	if r.bad = r.bad || size <= 0; r.bad {
		return 0
	}
	r.rest = r.rest[size:]
	r.before += n
	return r.before
}

// bytes returns the next n bytes, nil if there are not as many.
func (r *reader) bytes(n uint64) []byte {
	if r.bad = r.bad || n > uint64(len(r.rest)); r.bad {
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) text() string {
	i := r.number()
	if i == 0 {
		s := intern.String(r.bytes(r.number()))
		r.texts = append(r.texts, s)
		r.size += behindText(s)
		return s
	}
	if r.bad = r.bad || i > uint64(len(r.texts)); r.bad {
		return ""
	}
	return r.texts[i-1]
}

func (r *reader) raw(to []byte) {
	i := r.number()
	if i == 0 {
		from := len(r.all) - len(r.rest)
		copy(to, r.bytes(uint64(len(to))))
		r.raws = append(r.raws, span{uint32(from), uint32(len(r.all) - len(r.rest))})
		return
	}

	if r.bad = r.bad || i > uint64(len(r.raws)); r.bad {
		return
	}

	b := r.all[r.raws[i-1].from:r.raws[i-1].to]
	if r.bad = len(b) != len(to); !r.bad {
		copy(to, b)
	}
}

// length reads how many elements follow: none takes less than a byte.
func (r *reader) length() int {
	n := r.number()
	if r.bad = r.bad || n > uint64(len(r.rest)); r.bad {
		return 0
	}
	return int(n)
}

// fresh reports whether a block follows that is new. If it was read before, to is
// it; what is nil stays as it is.
func (r *reader) fresh(k *kind, to reflect.Value) bool {
	n := r.number()
	switch {
	case r.bad || n == 0:
	case n == 1:
		return true
	case n-2 >= uint64(len(r.blocks)) || r.blocks[n-2].kind != k:
		r.bad = true
	default:
		to.Set(r.blocks[n-2].value)
	}
	return false
}

// block reads a block into to, as [writer.block] writes it.
func (r *reader) block(shared bool, k *kind, to reflect.Value, read func()) {
	if !shared {
		read()
		return
	}
	before := r.before
	r.before = 0
	read()
	r.before = before
	if !r.bad {
		r.blocks = append(r.blocks, readBlock{k, reflect.ValueOf(to.Interface())})
	}
}
