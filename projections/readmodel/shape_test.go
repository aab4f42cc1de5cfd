package readmodel

import (
	"net/netip"
	"testing"

	"consentledger/eventstore"
	"consentledger/eventstore/codec"
)

type (
	leaf struct {
		Name   string `json:"name"`
		hidden int
	}
	tree struct {
		Leaves []leaf
		Below  *tree
		Counts map[string]int64
		Where  netip.Addr
		Sum    [32]byte
	}
)

func TestAShapeIsWhatIsWrittenOfAValue(t *testing.T) {
	_ = leaf{hidden: 1}
	const want = `{Leaves []{Name "name" string;};Below *^1;Counts map string int64;Where text;Sum [32]uint8;}` + "\n"
	if got := ShapesText(tree{}); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}

	same := func(v any) bool { return Shapes(v) == Shapes(leaf{}) }
	if !same(struct {
		Name string `json:"name"`
	}{}) {
		t.Error("a type of another name has another shape, although it is written alike")
	}
	for _, other := range []any{
		struct{ Name string }{},
		struct {
			Name []string `json:"name"`
		}{},
		struct {
			Name string `json:"name"`
			More int
		}{},
		[]leaf{},
	} {
		if same(other) {
			t.Errorf("%T has the shape of another", other)
		}
	}
}

// A read model whose values have another shape is built anew; one of the same shape goes on.
func TestAReadModelOfAnotherShapeStartsAgain(t *testing.T) {
	const schema = "CREATE TABLE t (n INTEGER PRIMARY KEY);\n"
	dir := Dir(t.TempDir())
	for _, c := range []struct {
		shapes string
		at     eventstore.Position
	}{{Shapes(leaf{}), 0}, {Shapes(leaf{}), 7}, {Shapes(tree{}), 0}, {Shapes(tree{}), 7}} {
		db, err := Open(t.Context(), dir, "trees", schema+c.shapes)
		if err != nil {
			t.Fatal(err)
		}
		if at, err := db.Position(t.Context()); err != nil || at != c.at {
			t.Errorf("%s: it goes on behind %d, want %d, %v", c.shapes, at, c.at, err)
		}
		if c.at == 0 {
			if err := db.Apply(t.Context(), []codec.Entry{{Position: 7}}, func(*Tx) error { return nil }); err != nil {
				t.Fatal(err)
			}
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
