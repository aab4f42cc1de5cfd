package state

import (
	"errors"
	"fmt"
	"reflect"
	"unsafe"

	"consentledger/eventstore/intern"
)

// mostShared is how long a list is at most that is looked for among those that
// were written before.
const mostShared = 64

// header is how a slice lies in memory.
type header struct {
	data     unsafe.Pointer
	len, cap int
}

// at returns where the element i of a list lies.
func (k *kind) at(data unsafe.Pointer, i int) unsafe.Pointer {
	return unsafe.Add(data, uintptr(i)*k.typ.Size())
}

// slice writes 0 for nil; 1, the length and the elements; or from 2 on the number
// of a list that was written before. The lists that are read share what they
// hold, and have no room behind it.
func (k *kinds) slice(made *kind) {
	t := made.typ
	if t.Elem().Kind() == reflect.Pointer {
		k.pointers(made)
		return
	}

	elem := k.kindOf(t.Elem())
	shared := func(n int) bool { return n > 0 && n <= mostShared }
	made.zero = func(p unsafe.Pointer) bool { return (*header)(p).data == nil }
	made.write = func(w *writer, p unsafe.Pointer) {
		h := (*header)(p)
		if h.data == nil {
			w.number(0)
			return
		}
		w.block(shared(h.len), made, func() {
			w.number(uint64(h.len))
			for i := range h.len {
				elem.write(w, elem.at(h.data, i))
			}
		})
	}
	made.read = func(r *reader, p unsafe.Pointer) {
		to := reflect.NewAt(t, p).Elem()
		if !r.fresh(made, to) {
			return
		}
		n := r.length()
		to.Set(reflect.MakeSlice(t, n, n))
		r.size += n * int(elem.typ.Size())
		r.block(shared(n), made, to, func() {
			for i := 0; i < n && !r.bad; i++ {
				elem.read(r, elem.at((*header)(p).data, i))
			}
		})
	}
	made.behind = func(s *sizes, p unsafe.Pointer) int {
		h := (*header)(p)
		if h.cap == 0 || s.counted(h.data) {
			return 0
		}
		size := h.cap * int(elem.typ.Size())
		for i := 0; i < h.len && elem.behind != nil; i++ {
			size += elem.behind(s, elem.at(h.data, i))
		}
		return size
	}
}

// pointers writes a list of pointers: 0 for nil, or 1, the length and what they
// point to. When it is read, that lies together.
func (k *kinds) pointers(made *kind) {
	t, elem := made.typ, k.kindOf(made.typ.Elem().Elem())
	pointer := func(p unsafe.Pointer, i int) *unsafe.Pointer {
		return (*unsafe.Pointer)(unsafe.Add((*header)(p).data, uintptr(i)*unsafe.Sizeof(p)))
	}

	made.zero = func(p unsafe.Pointer) bool { return (*header)(p).data == nil }
	made.write = func(w *writer, p unsafe.Pointer) {
		if made.zero(p) {
			w.number(0)
			return
		}
		w.number(1)
		w.number(uint64((*header)(p).len))
		for i := range (*header)(p).len {
			if *pointer(p, i) == nil {
				w.err = fmt.Errorf("state: a %v holds nil", t)
				return
			}
			elem.write(w, *pointer(p, i))
		}
	}
	made.read = func(r *reader, p unsafe.Pointer) {
		if r.number() == 0 {
			return
		}
		n := r.length()
		reflect.NewAt(t, p).Elem().Set(reflect.MakeSlice(t, n, n))
		r.size += n * int(unsafe.Sizeof(p)+elem.typ.Size())
		together := reflect.MakeSlice(reflect.SliceOf(elem.typ), n, n).UnsafePointer()
		for i := range n {
			*pointer(p, i) = elem.at(together, i)
			elem.read(r, *pointer(p, i))
		}
	}
	made.behind = func(s *sizes, p unsafe.Pointer) int {
		h := (*header)(p)
		size := h.cap*int(unsafe.Sizeof(p)) + h.len*int(elem.typ.Size())
		for i := 0; i < h.len && elem.behind != nil; i++ {
			size += elem.behind(s, *pointer(p, i))
		}
		return size
	}
}

// pointer writes 0 for nil, or 1 and what it points to.
func (k *kinds) pointer(made *kind) {
	to := k.kindOf(made.typ.Elem())
	made.zero = func(p unsafe.Pointer) bool { return *(*unsafe.Pointer)(p) == nil }
	made.write = func(w *writer, p unsafe.Pointer) {
		if *(*unsafe.Pointer)(p) == nil {
			w.number(0)
			return
		}
		w.number(1)
		to.write(w, *(*unsafe.Pointer)(p))
	}
	made.read = func(r *reader, p unsafe.Pointer) {
		if r.number() == 0 {
			return
		}
		target := reflect.New(to.typ).UnsafePointer()
		*(*unsafe.Pointer)(p) = target
		r.size += int(to.typ.Size())
		to.read(r, target)
	}
	made.behind = func(s *sizes, p unsafe.Pointer) int {
		target := *(*unsafe.Pointer)(p)
		if target == nil {
			return 0
		}
		size := int(to.typ.Size())
		if to.behind != nil {
			size += to.behind(s, target)
		}
		return size
	}
}

// face writes how many bytes follow, the number of the type that an interface holds,
// and the value; or the number of a value that was written before. Nothing in it is
// the number of what stands outside, so that the same bytes always mean the same: all
// that is read lately of the same bytes is one value in memory, whoever it is of.
//
// An interface that holds a struct has a pointer to it in its second word; [New]
// refuses types of which that is not so.
func (k *kinds) face(made *kind) {
	lately := new(intern.Table[reflect.Value])
	held := func(p unsafe.Pointer) (*kind, int) {
		v := reflect.NewAt(made.typ, p).Elem().Elem()
		if i, ok := k.number[v.Type()]; ok {
			return k.implement[i], i
		}
		return nil, 0
	}

	value := func(p unsafe.Pointer) unsafe.Pointer { return (*[2]unsafe.Pointer)(p)[1] }
	made.zero = func(p unsafe.Pointer) bool { return (*[2]unsafe.Pointer)(p)[0] == nil }
	made.write = func(w *writer, p unsafe.Pointer) {
		if made.zero(p) {
			w.number(0)
			return
		}
		x, i := held(p)
		if x == nil {
			w.err = fmt.Errorf("state: a %v is not listed", reflect.NewAt(made.typ, p).Elem().Elem().Type())
			w.number(0)
			return
		}
		here := place{x, value(p)}
		if block, known := w.held[here]; known {
			w.number(uint64(block) + 2)
			return
		}
		in := w.inside()
		in.number(uint64(i))
		x.write(in, value(p))
		w.held[here] = w.block(true, made, func() {
			w.number(uint64(len(in.b)))
			w.b = append(w.b, in.b...)
		})
		w.err = errors.Join(w.err, in.err)
	}
	made.read = func(r *reader, p unsafe.Pointer) {
		to := reflect.NewAt(made.typ, p).Elem()
		if !r.fresh(made, to) {
			return
		}
		r.block(true, made, to, func() {
			text := r.bytes(r.number())
			v, ok := lately.Of("", text, func() (reflect.Value, bool) { return k.readFace(made.typ, text) })
			if r.bad = r.bad || !ok; !r.bad {
				to.Set(v)
				r.size += int(v.Elem().Type().Size()) / sharing
			}
		})
	}
	made.behind = func(s *sizes, p unsafe.Pointer) int {
		if made.zero(p) || s.counted(value(p)) {
			return 0
		}
		x, _ := held(p)
		if x == nil {
			return 0
		}
		size := int(x.typ.Size())
		if x.behind != nil {
			size += x.behind(s, value(p))
		}
		return size / sharing
	}
}

// sharing is how many hold what an interface holds, at the least that is usual.
const sharing = 4

// readFace reads what an interface of a type holds, from the bytes of nothing else.
func (k *kinds) readFace(t reflect.Type, text []byte) (reflect.Value, bool) {
	r := reader{all: text, rest: text}
	i := r.number()
	if r.bad || i >= uint64(len(k.implement)) || !k.implement[i].typ.Implements(t) {
		return reflect.Value{}, false
	}
	v := reflect.New(k.implement[i].typ)
	k.implement[i].read(&r, v.UnsafePointer())
	held := reflect.New(t).Elem()
	held.Set(v.Elem())
	return held, !r.bad && len(r.rest) == 0
}

// sizes remembers what was counted last: a list that two fields share is counted
// once.
type sizes struct {
	last [8]unsafe.Pointer
	next int
}

func (s *sizes) counted(p unsafe.Pointer) bool {
	for _, known := range s.last {
		if known == p {
			return true
		}
	}
	s.last[s.next%len(s.last)] = p
	s.next++
	return false
}
