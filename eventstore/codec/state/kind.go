package state

import (
	"fmt"
	"reflect"
	"unsafe"

	"consentledger/eventstore/intern"
)

// A kind is what is done with the values of one type. The pointers are to values
// of that type.
type kind struct {
	typ    reflect.Type
	zero   func(unsafe.Pointer) bool
	write  func(*writer, unsafe.Pointer)
	read   func(*reader, unsafe.Pointer)
	behind func(*sizes, unsafe.Pointer) int // the bytes that it leads to; nil: it leads to none
}

// kinds makes the kinds of types, each once.
type kinds struct {
	of        map[reflect.Type]*kind
	met       []reflect.Type
	omit      map[reflect.Type]bool
	implement []*kind // by number
	number    map[reflect.Type]int
}

func (k *kinds) kindOf(t reflect.Type) *kind {
	if known := k.of[t]; known != nil {
		return known
	}

	made := &kind{typ: t}
	k.of[t], k.met = made, append(k.met, t)
	if k.omit[t] {
		made.zero = func(unsafe.Pointer) bool { return true }
		made.write = func(*writer, unsafe.Pointer) {}
		made.read = func(*reader, unsafe.Pointer) {}
		if t.Kind() == reflect.String {
			made.behind = func(_ *sizes, p unsafe.Pointer) int { return len(*(*string)(p)) }
		}
		return made
	}

	switch t.Kind() {
	case reflect.Bool, reflect.Uint8:
		made.small()
	case reflect.Int, reflect.Int64, reflect.Uint32, reflect.Uint64, reflect.Int32:
		made.integer()
	case reflect.String:
		made.text()
	case reflect.Array:
		k.array(made)
	case reflect.Slice:
		k.slice(made)
	case reflect.Pointer:
		k.pointer(made)
	case reflect.Struct:
		k.structure(made)
	case reflect.Interface:
		k.face(made)
	default:
		panic(fmt.Sprintf("state: a %v cannot be written", t))
	}
	return made
}

func (k *kind) small() {
	k.zero = func(p unsafe.Pointer) bool { return *(*uint8)(p) == 0 }
	k.write = func(w *writer, p unsafe.Pointer) { w.b = append(w.b, *(*uint8)(p)) }
	k.read = func(r *reader, p unsafe.Pointer) {
		if n := r.bytes(1); n != nil {
			r.bad = r.bad || k.typ.Kind() == reflect.Bool && n[0] > 1
			*(*uint8)(p) = n[0]
		}
	}
}

// integer writes how much larger a number is than the one before: times and
// positions grow by little.
func (k *kind) integer() {
	get := func(p unsafe.Pointer) int64 { return *(*int64)(p) }
	set := func(p unsafe.Pointer, n int64) { *(*int64)(p) = n }
	if k.typ.Size() == 4 {
		get = func(p unsafe.Pointer) int64 { return int64(*(*int32)(p)) }
		set = func(p unsafe.Pointer, n int64) { *(*int32)(p) = int32(n) }
	}
	k.zero = func(p unsafe.Pointer) bool { return get(p) == 0 }
	k.write = func(w *writer, p unsafe.Pointer) { w.step(get(p)) }
	k.read = func(r *reader, p unsafe.Pointer) { set(p, r.step()) }
}

func (k *kind) text() {
	k.zero = func(p unsafe.Pointer) bool { return *(*string)(p) == "" }
	k.write = func(w *writer, p unsafe.Pointer) { w.text(*(*string)(p)) }
	k.read = func(r *reader, p unsafe.Pointer) { *(*string)(p) = r.text() }
	k.behind = func(_ *sizes, p unsafe.Pointer) int { return behindText(*(*string)(p)) }
}

// behindText is what a text takes: short ones are interned, and shared by many.
func behindText(s string) int {
	if len(s) <= intern.Longest {
		return len(s) / 4
	}
	return len(s)
}

func (k *kinds) array(made *kind) {
	t := made.typ
	if t.Elem().Kind() == reflect.Uint8 {
		n := t.Len()
		raw := func(p unsafe.Pointer) []byte { return unsafe.Slice((*byte)(p), n) }
		made.zero = func(p unsafe.Pointer) bool {
			for _, c := range raw(p) {
				if c != 0 {
					return false
				}
			}
			return true
		}
		made.write = func(w *writer, p unsafe.Pointer) { w.raw(raw(p)) }
		made.read = func(r *reader, p unsafe.Pointer) { r.raw(raw(p)) }
		return
	}

	elem, n := k.kindOf(t.Elem()), t.Len()
	at := func(p unsafe.Pointer, i int) unsafe.Pointer { return unsafe.Add(p, uintptr(i)*elem.typ.Size()) }
	made.zero = func(p unsafe.Pointer) bool {
		for i := range n {
			if !elem.zero(at(p, i)) {
				return false
			}
		}
		return true
	}
	made.write = func(w *writer, p unsafe.Pointer) {
		for i := range n {
			elem.write(w, at(p, i))
		}
	}
	made.read = func(r *reader, p unsafe.Pointer) {
		for i := range n {
			elem.read(r, at(p, i))
		}
	}
	made.behind = func(s *sizes, p unsafe.Pointer) (size int) {
		for i := 0; i < n && elem.behind != nil; i++ {
			size += elem.behind(s, at(p, i))
		}
		return size
	}
}

// A field is one field of a struct.
type field struct {
	*kind
	offset uintptr
}

// structure writes which fields are not zero, and those.
func (k *kinds) structure(made *kind) {
	var fields []field
	for i := range made.typ.NumField() {
		f := made.typ.Field(i)
		fields = append(fields, field{k.kindOf(f.Type), f.Offset})
	}

	if len(fields) > 63 {
		panic(fmt.Sprintf("state: %v has more than 63 fields", made.typ))
	}

	made.zero = func(p unsafe.Pointer) bool {
		for i := range fields {
			if !fields[i].zero(unsafe.Add(p, fields[i].offset)) {
				return false
			}
		}
		return true
	}
	made.write = func(w *writer, p unsafe.Pointer) {
		said := uint64(0)
		for i := range fields {
			if !fields[i].zero(unsafe.Add(p, fields[i].offset)) {
				said |= 1 << i
			}
		}
		w.number(said)
		for i := range fields {
			if said&(1<<i) != 0 {
				fields[i].write(w, unsafe.Add(p, fields[i].offset))
			}
		}
	}
	made.read = func(r *reader, p unsafe.Pointer) {
		said := r.number()
		r.bad = r.bad || said>>len(fields) != 0
		for i := 0; said>>i != 0 && !r.bad; i++ {
			if said&(1<<i) != 0 {
				fields[i].read(r, unsafe.Add(p, fields[i].offset))
			}
		}
	}
	made.behind = func(s *sizes, p unsafe.Pointer) (size int) {
		for i := range fields {
			if fields[i].behind != nil {
				size += fields[i].behind(s, unsafe.Add(p, fields[i].offset))
			}
		}
		return size
	}
}
