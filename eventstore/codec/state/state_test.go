package state_test

import (
	"bytes"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"consentledger/domain/rounds"
	"consentledger/eventstore/codec/state"
)

type said interface{ isSaid() }

type yes struct {
	items []item
	text  string
	id    [16]byte
}

type no struct{ All bool }

type large struct {
	a, b   int64
	C      int64 // nobody sets it
	secret private
}

func (yes) isSaid()   {}
func (no) isSaid()    {}
func (large) isSaid() {}

type private string

type kind string

type item struct {
	purpose string
	short   private
}

type whole struct {
	at     int64
	n      uint64
	day    int32
	kind   uint8
	on     bool
	list   []item
	facts  []*fact
	pair   [2]string
	more   *fact
	hash   [32]byte
	names  []string
	nested [][]string
	kinds  [][]kind
	spans  []span
}

type span struct{ from, until int64 }

type fact struct {
	id   [16]byte
	at   int64
	said said
	list []item
}

func coder() *state.Coder[whole] {
	return state.New[whole](state.Types{Implement: []any{yes{}, large{}}, Omit: []any{private("")}})
}

// random returns a value in which much is said more than once.
func random(r *rand.Rand) whole {
	names := []string{"", "ads", "net", strings.Repeat("long", 40)}
	name := func() string { return names[r.IntN(len(names))] }
	id := func() (id [16]byte) { id[0], id[9] = byte(r.IntN(9)), byte(r.IntN(2)); return id }
	list := func() []item {
		l := make([]item, r.IntN(4))
		for i := range l {
			l[i].purpose = name()
		}
		return [][]item{nil, l}[r.IntN(2)]
	}
	one := func() *fact {
		f := &fact{id: id(), at: int64(r.IntN(1e6)) - 1000, list: list()}
		f.said = []said{nil, yes{items: list(), text: name(), id: id()}, large{a: int64(r.IntN(3)), b: 1}}[r.IntN(3)]
		return f
	}
	w := whole{at: int64(r.Uint64()), n: r.Uint64(), day: int32(r.Uint32()), kind: uint8(r.Uint32()), on: r.IntN(2) == 0, list: list(), pair: [2]string{name(), name()}}
	for range r.IntN(200) {
		w.facts, w.names = append(w.facts, one()), append(w.names, name())
		w.nested = append(w.nested, []string{name(), name()}, nil)
		w.kinds = append(w.kinds, []kind{kind(name()), kind(name())})
		w.spans = append(w.spans, span{int64(r.IntN(3)), int64(r.IntN(3))})
	}
	if r.IntN(2) == 0 {
		w.more, w.hash[3] = one(), 1
	}
	return w
}

func TestWhatIsReadIsWhatWasWritten(t *testing.T) {
	c := coder()
	for range rounds.Of(t, 100) {
		seed := rand.Uint64()
		r := rand.New(rand.NewPCG(seed, 0))
		w := random(r)
		b, err := c.Append(nil, &w)
		if err != nil {
			t.Fatal(err)
		}
		read, size, err := c.Read(b)
		if err != nil || !reflect.DeepEqual(*read, w) {
			t.Fatalf("seed %d: %v\n%+v\n%+v", seed, err, read, w)
		}
		if counted := c.Size(read); size > counted+counted/8 || size < counted/8 {
			t.Fatalf("seed %d: it takes %d bytes, read as %d", seed, counted, size)
		}
		again, err := c.Append(nil, read)
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("seed %d: the same value is written in other bytes: %v", seed, err)
		}
		for range 5 { // whatever else is read is an error or a value, and no panic
			bad := bytes.Clone(b)
			bad[r.IntN(len(bad))] ^= byte(1 + r.IntN(255))
			_, _, _ = c.Read(bad)
			if _, _, err := c.Read(b[:r.IntN(len(b))]); err == nil {
				t.Fatalf("seed %d: a part of a value is a value", seed)
			}
		}
	}
}

func TestWhatIsOmittedIsNotWritten(t *testing.T) {
	c := coder()
	w := whole{list: []item{{"ads", "said at the desk"}}, more: &fact{said: large{a: 1, secret: "said at the desk"}}}
	b, err := c.Append(nil, &w)
	if err != nil || bytes.Contains(b, []byte("desk")) {
		t.Fatalf("%q, %v", b, err)
	}
	if read, _, err := c.Read(b); err != nil || read.list[0] != (item{"ads", ""}) || read.more.said != (large{a: 1}) {
		t.Errorf("%+v, %v", read, err)
	}
}

func TestWhatIsOmittedTakesMemory(t *testing.T) {
	c, few, many := coder(), whole{list: []item{{"ads", ""}}}, whole{list: []item{{"ads", private(strings.Repeat("x", 5000))}}}
	if a, b := c.Size(&few), c.Size(&many); b-a < 5000 {
		t.Errorf("5000 bytes make it %d instead of %d", b, a)
	}
}

func TestWhatIsNotListedIsNotWritten(t *testing.T) {
	if _, err := coder().Append(nil, &whole{more: &fact{said: no{}}}); err == nil {
		t.Error("a type that nobody listed was written")
	}
}

func TestWhatIsSaidAgainTakesLittle(t *testing.T) {
	w := whole{}
	for i := range 1000 {
		w.facts = append(w.facts, &fact{at: int64(i) * 60000, said: yes{items: []item{{purpose: "ads"}, {purpose: "analytics"}}, text: "the same"}})
	}
	b, err := coder().Append(nil, &w)
	if err != nil || len(b) > 10*1000 {
		t.Errorf("a thousand take %d bytes: %v", len(b), err)
	}
}

func TestAShapeIsOfAllTypes(t *testing.T) {
	type small struct{ A int64 }
	type other struct{ B int64 }
	type grown struct {
		A int64
		B *grown
	}
	shapes := map[[32]byte]bool{
		state.New[small](state.Types{}).Shape():                          true,
		state.New[other](state.Types{}).Shape():                          true,
		state.New[grown](state.Types{}).Shape():                          true,
		state.New[small](state.Types{Implement: []any{large{}}}).Shape(): true,
		coder().Shape(): true,
		state.New[whole](state.Types{Implement: []any{yes{}, large{}}}).Shape(): true,
	}
	one, again := coder().Shape(), coder().Shape()
	if len(shapes) != 6 || one != again {
		t.Errorf("%d shapes, want 6, and each always the same", len(shapes))
	}
}

func FuzzRead(f *testing.F) {
	w := random(rand.New(rand.NewPCG(1, 0)))
	b, err := coder().Append(nil, &w)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	c := coder()
	f.Fuzz(func(t *testing.T, b []byte) {
		read, _, err := c.Read(b)
		if err != nil {
			return
		}
		again, err := c.Append(nil, read)
		if err != nil {
			t.Fatal(err)
		}
		if twice, _, err := c.Read(again); err != nil || !reflect.DeepEqual(twice, read) {
			t.Errorf("%v\n%+v\n%+v", err, twice, read)
		}
	})
}

// TestWhatManySaidIsHeldOnce reads values of several persons: an event that stands in
// all of them is one in memory.
func TestWhatManySaidIsHeldOnce(t *testing.T) {
	c := coder()
	text := "said by many"
	items := []item{{purpose: text}}
	var read []*whole
	for i := range 2 {
		v := whole{names: []string{strings.Repeat("x", i+1)}, more: &fact{at: int64(i), said: yes{items: items, text: text, id: [16]byte{9}}}}
		b, err := c.Append(nil, &v)
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := c.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, &v) {
			t.Fatalf("%+v, want %+v", got, v)
		}
		read = append(read, got)
	}
	one, other := read[0].more.said.(yes), read[1].more.said.(yes)
	if &one.items[0] != &other.items[0] {
		t.Error("it is held twice")
	}
}
