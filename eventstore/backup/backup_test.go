package backup

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"consentledger/eventstore"

	"filippo.io/age"
	"filippo.io/age/armor"
)

func newIdentity(t *testing.T) *age.X25519Identity {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// a small backup of a log: two files, of which one has three pieces, two records, a row.
func written(t *testing.T, to ...age.Recipient) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := NewWriter(&b, Head{Kind: Log, ID: "5f", Made: "2026-11-30T00:00:00Z", Use: "live", Position: 2}, to...)
	if err != nil {
		t.Fatal(err)
	}
	records := []eventstore.Recorded{
		{Record: eventstore.Record{ID: eventstore.EventID{1}, Type: "a.v1", Data: []byte(`{"v":1}`)}, Stream: "subject-shop-1", Revision: 1, Position: 1},
		{Record: eventstore.Record{ID: eventstore.EventID{2}, Type: "b.v1", Data: []byte{}}, Stream: "subject-shop-1", Revision: 2, Position: 2},
	}
	err = errors.Join(
		w.File("log/origin", strings.NewReader("logs.example.com/x\n")),
		w.File("log/large", bytes.NewReader(make([]byte, 2*chunk+1))),
		w.File("log/empty", strings.NewReader("")),
		w.Record(records[0]), w.Record(records[1]),
		w.Row(eventstore.Row{Key: []byte("b/1"), Value: []byte("text")}),
	)
	if err != nil {
		t.Fatal(err)
	}
	total, err := w.Close()
	if err != nil || total.Files != 3 || total.Records != 2 || total.Rows != 1 {
		t.Fatalf("%+v %v", total, err)
	}
	return b.Bytes()
}

// read returns what a file holds, in words, and how its reading ended; nil: at its end.
func read(r io.Reader, ids ...age.Identity) (said []string, err error) {
	b, err := NewReader(r, ids...)
	if err != nil {
		return nil, err
	}
	said = append(said, fmt.Sprintf("%s %s %s %s %d", b.Head.Kind, b.Head.ID, b.Head.Made, b.Head.Use, b.Head.Position))
	for {
		item, err := b.Next()
		switch {
		case errors.Is(err, io.EOF):
			return said, nil
		case err != nil:
			return said, err
		case item.Record != nil:
			r := item.Record
			said = append(said, fmt.Sprintf("%d %s %d %x %s %s", r.Position, r.Stream, r.Revision, r.ID[:1], r.Type, r.Data))
		case item.Row != nil:
			said = append(said, fmt.Sprintf("%s=%s", item.Row.Key, item.Row.Value))
		default:
			said = append(said, fmt.Sprintf("%s %t %d", item.Path, item.More, len(item.Data)))
		}
	}
}

const holds = `log 5f 2026-11-30T00:00:00Z live 2
log/origin false 19
log/large false 1048576
 true 1048576
 true 1
log/empty false 0
1 subject-shop-1 1 01 a.v1 {"v":1}
2 subject-shop-1 2 02 b.v1 
b/1=text`

func TestWhatWasWrittenIsRead(t *testing.T) {
	one, two := newIdentity(t), newIdentity(t)
	file := written(t, one.Recipient(), two.Recipient())
	for _, id := range []age.Identity{one, two} {
		said, err := read(bytes.NewReader(file), id)
		if got := strings.Join(said, "\n"); err != nil || got != holds {
			t.Errorf("%v\n%s\nwant\n%s", err, got, holds)
		}
	}
	if _, err := read(bytes.NewReader(file), newIdentity(t)); !errors.Is(err, ErrOthers) {
		t.Errorf("somebody else reads it: %v", err)
	}
	if bytes.Contains(file, []byte("subject-shop")) || bytes.Contains(file, []byte(form)) {
		t.Error("it is not encrypted")
	}
}

// A file that ends anywhere, or has a changed byte anywhere, is never taken for whole.
func TestADamagedFileIsNeverWhole(t *testing.T) {
	id := newIdentity(t)
	file := written(t, id.Recipient())
	places := []int{0, 1, 30, 100, 150, 190, 200, 300, len(file) / 2, len(file) - 65536, len(file) - 40, len(file) - 17, len(file) - 16, len(file) - 1}
	for _, at := range places {
		if _, err := read(bytes.NewReader(file[:at]), id); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("cut off at %d of %d it is whole: %v", at, len(file), err)
		}
		bent := bytes.Clone(file)
		bent[at] ^= 1
		if _, err := read(bytes.NewReader(bent), id); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("with another byte at %d of %d it is whole: %v", at, len(file), err)
		}
	}
	if _, err := read(bytes.NewReader(append(bytes.Clone(file), 0)), id); err == nil {
		t.Error("with a byte more it is whole")
	}
}

// What is encrypted well and written wrong is refused, too: by whom nobody knows.
func TestWhatNoWriterWritesIsRefused(t *testing.T) {
	id := newIdentity(t)
	const head = form + `{"kind":"log","id":"5f","made":"","use":"live","position":0}` + "\n"
	row := "w\x00\x00\x00\x05\x00\x00\x00\x01k"
	for name, plain := range map[string]string{
		"another form":                      "consentledger backup 2\n{}\n",
		"nothing":                           "",
		"a head that does not end":          form + strings.Repeat("x", maxHead),
		"a head that is no JSON":            form + "kind\n",
		"another kind":                      form + `{"kind":"keys"}` + "\n",
		"no end":                            head,
		"a row cut off":                     head + row[:7],
		"a row whose key is too long":       head + "w\x00\x00\x00\x04\x00\x00\x00\x01",
		"a record behind a row":             head + row + "r\x00\x00\x00\x22" + strings.Repeat("\x00", 34),
		"a record that is too short":        head + "r\x00\x00\x00\x01x",
		"a record whose names are too long": head + "r\x00\x00\x00\x22" + strings.Repeat("\x00", 33) + "\x01",
		"more of no file":                   head + "+\x00\x00\x00\x01x",
		"a file without a path":             head + "f\x00\x00\x00\x02\x00\x05",
		"a frame of another kind":           head + "x\x00\x00\x00\x00",
		"a frame that is too long":          head + "r\xff\xff\xff\xff",
		"an end of something else":          head + "e\x00\x00\x00\x02{}",
	} {
		var b bytes.Buffer
		w, err := age.Encrypt(&b, id.Recipient())
		if err == nil {
			_, err = io.WriteString(w, plain)
		}
		if err = errors.Join(err, w.Close()); err != nil {
			t.Fatal(err)
		}
		if _, err := read(&b, id); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

// FuzzReader reads what is encrypted well and written by anybody.
func FuzzReader(f *testing.F) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		f.Fatal(err)
	}
	const head = form + `{"kind":"vault","id":"5f"}` + "\n"
	f.Add([]byte(head))
	f.Add([]byte(head + "w\x00\x00\x00\x05\x00\x00\x00\x01k"))
	f.Add([]byte(head + "r\x00\x00\x00\x22" + strings.Repeat("\x00", 34)))
	f.Fuzz(func(t *testing.T, plain []byte) {
		var b bytes.Buffer
		w, err := age.Encrypt(&b, id.Recipient())
		if err == nil {
			_, err = w.Write(plain)
		}
		if err = errors.Join(err, w.Close()); err != nil {
			t.Fatal(err)
		}
		read(&b, id) // it ends, with an error or without
	})
}

// A backup of today is read for ever. The identity is a test's and opens nothing else.
func TestABackupOfTheFirstVersionIsRead(t *testing.T) {
	const identity, golden = "testdata/golden.identity", "testdata/golden.age"
	key, err := os.ReadFile(identity)
	if err != nil {
		t.Fatal(err)
	}
	ids, err := age.ParseIdentities(bytes.NewReader(key))
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	const want = "log 5f 2026-11-30T00:00:00Z live 1\nlog/origin false 19\n1 subject-shop-1 1 01 a.v1 {\"v\":1}\nb/1=text"
	said, err := read(armor.NewReader(bytes.NewReader(file)), ids...)
	if got := strings.Join(said, "\n"); err != nil || got != want {
		t.Errorf("%v\n%s\nwant\n%s", err, got, want)
	}
}
