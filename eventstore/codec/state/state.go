// Package state writes a value to bytes and reads it again: what a stream was
// folded to, to be kept beside the log.
//
// It is no format for ever. What it writes is derived from records, and belongs
// to one shape of its type: whoever reads holds [Coder.Shape] against the shape
// that wrote, and throws away what is another's.
//
// It goes by the fields of Go types, unexported ones too, and by interfaces whose
// types are listed. Libraries for CBOR and its like see neither: for them every
// state would have a second type with a tag on every field, and code to copy one
// to the other, and a field that is forgotten there is an answer that is wrong
// after a restart. Here a new field is written because it is there.
//
// Zero fields take no room. Texts, ids, short lists and events that were written
// before are named by a number, so that a history that says the same thing a
// thousand times holds it once, in bytes and in memory. Who reads values of many
// histories holds an event that stands in all of them once.
package state

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"unsafe"
)

// Types says what a coder cannot see in its type.
type Types struct {
	Implement []any // a value of each struct type that an interface may hold
	Omit      []any // a value of each type that is never written: it reads as zero
}

// A Coder writes and reads values of one type. It may be used concurrently.
type Coder[T any] struct {
	root  *kind
	shape [32]byte
}

// New returns the coder of T. It panics if T holds what cannot be written, as a
// map: that is a mistake in this program.
func New[T any](types Types) *Coder[T] {
	k := kinds{of: map[reflect.Type]*kind{}, omit: map[reflect.Type]bool{}, number: map[reflect.Type]int{}}
	for _, v := range types.Omit {
		k.omit[reflect.TypeOf(v)] = true
	}

	for i, v := range types.Implement {
		t := reflect.TypeOf(v)
		if t.Kind() != reflect.Struct || t.Size() <= unsafe.Sizeof(uintptr(0)) && t.NumField() > 0 {
			panic(fmt.Sprintf("state: %v is too small, or no struct: an interface would hold it otherwise", t))
		}
		k.number[t] = i
		k.implement = append(k.implement, nil)
	}

	for i, v := range types.Implement {
		k.implement[i] = k.kindOf(reflect.TypeOf(v))
	}

	c := &Coder[T]{root: k.kindOf(reflect.TypeFor[T]())}
	c.shape = k.shapeOf(c.root)
	return c
}

// Shape names all that decides what bytes mean: every type and field.
func (c *Coder[T]) Shape() [32]byte { return c.shape }

// Append appends v to b. It fails if an interface holds what was not listed.
func (c *Coder[T]) Append(b []byte, v *T) ([]byte, error) {
	w := newWriter(b)
	c.root.write(w, unsafe.Pointer(v))
	return w.b, w.err
}

// Read reads what Append wrote of a value, all of it, and returns about how many
// bytes of memory it takes: what it holds in several places is there once. Bytes that Append did
// not write are an error, and never a panic.
func (c *Coder[T]) Read(b []byte) (v *T, size int, err error) {
	if len(b) > math.MaxUint32 {
		return nil, 0, errBytes
	}
	v = new(T)
	r := reader{all: b, rest: b, raws: make([]span, 0, len(b)/32)}
	c.root.read(&r, unsafe.Pointer(v))
	if r.bad || len(r.rest) > 0 {
		return nil, 0, errBytes
	}
	return v, int(c.root.typ.Size()) + r.size, nil
}

var errBytes = errors.New("state: these bytes are no value of this shape")

// Size returns about how many bytes of memory v holds, itself included.
func (c *Coder[T]) Size(v *T) int {
	s := sizes{}
	return int(c.root.typ.Size()) + c.root.behind(&s, unsafe.Pointer(v))
}

// shapeOf is the hash of a description of all types, in the order in which they
// were met.
func (k *kinds) shapeOf(root *kind) [32]byte {
	var text strings.Builder
	fmt.Fprintf(&text, "state 2\nroot %v\n", root.typ)
	for _, t := range k.met {
		fmt.Fprintf(&text, "%v = %v", t, t.Kind())
		switch t.Kind() {
		case reflect.Struct:
			for i := range t.NumField() {
				fmt.Fprintf(&text, "; %s %v", t.Field(i).Name, t.Field(i).Type)
			}
		case reflect.Slice, reflect.Array, reflect.Pointer:
			fmt.Fprintf(&text, " of %v", t.Elem())
		}
		if k.omit[t] {
			text.WriteString(", never written")
		}
		text.WriteString("\n")
	}

	for _, x := range k.implement {
		fmt.Fprintf(&text, "may be %v\n", x.typ)
	}
	return sha256.Sum256([]byte(text.String()))
}
