package blobs

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"consentledger/eventstore"
	"consentledger/eventstore/memory"
)

const helloHash = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"

func TestBlobs(t *testing.T) {
	ctx := t.Context()
	t.Run("a blob comes back under the hash of its bytes", func(t *testing.T) {
		s := New(new(memory.Rows))
		for range 2 {
			h, err := s.Put(ctx, []byte("hello"))
			if err != nil || h.String() != helloHash {
				t.Fatal(h, err)
			}
			b, ok, err := s.Get(ctx, h)
			if err != nil || !ok || string(b) != "hello" {
				t.Fatal(b, ok, err)
			}
		}
	})
	t.Run("an unknown hash names nothing", func(t *testing.T) {
		if b, ok, err := New(new(memory.Rows)).Get(ctx, Hash{1}); b != nil || ok || err != nil {
			t.Fatal(b, ok, err)
		}
	})
	t.Run("the largest blob is taken and one byte more is not", func(t *testing.T) {
		s := New(new(memory.Rows))
		if _, err := s.Put(ctx, make([]byte, MaxSize)); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Put(ctx, make([]byte, MaxSize+1)); err == nil {
			t.Fatal("taken")
		}
	})
	t.Run("an empty blob is one", func(t *testing.T) {
		s := New(new(memory.Rows))
		h, err := s.Put(ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		if b, ok, err := s.Get(ctx, h); len(b) != 0 || !ok || err != nil {
			t.Fatal(b, ok, err)
		}
	})
	t.Run("changed bytes are an error, and putting the blob again mends them", func(t *testing.T) {
		rows := new(memory.Rows)
		s := New(rows)
		h, _ := s.Put(ctx, []byte("hello"))
		for _, bad := range [][]byte{{}, {version}, {2, 'h'}, []byte("\x01hellO"), []byte("\x01hello!")} {
			if err := rows.Write(ctx, eventstore.Change{Put: []eventstore.Row{{Key: key(h), Value: bad}}}); err != nil {
				t.Fatal(err)
			}
			if _, _, err := s.Get(ctx, h); err == nil {
				t.Fatalf("%q was taken", bad)
			}
		}
		s.Put(ctx, []byte("hello"))
		if _, ok, err := s.Get(ctx, h); !ok || err != nil {
			t.Fatal(ok, err)
		}
	})
	t.Run("a blob that may not be durable is not reported", func(t *testing.T) {
		if _, err := New(unsynced{new(memory.Rows)}).Put(ctx, []byte("x")); !errors.Is(err, errDisk) {
			t.Fatal(err)
		}
	})
	t.Run("the row is as documented", func(t *testing.T) {
		rows := new(memory.Rows)
		New(rows).Put(ctx, []byte("hello"))
		h, _ := ParseHash(helloHash)
		value, ok, _ := rows.Get(ctx, append([]byte("b/"), h[:]...))
		if !ok || !bytes.Equal(value, []byte("\x01hello")) {
			t.Fatal(value, ok)
		}
	})
}

var errDisk = errors.New("disk")

type unsynced struct{ eventstore.Rows }

func (unsynced) Sync(context.Context) error { return errDisk }

func FuzzParseHash(f *testing.F) {
	f.Add(helloHash)
	f.Add(strings.ToUpper(helloHash))
	f.Add("sha256:")
	f.Fuzz(func(t *testing.T, s string) {
		h, err := ParseHash(s)
		if err == nil && h.String() != s || err != nil && h != (Hash{}) {
			t.Fatalf("%q: %v %v", s, h, err)
		}
	})
}
