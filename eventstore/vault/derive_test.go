package vault

import (
	"bytes"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"consentledger/eventstore"
)

func TestKeysAreThoseOfHKDF(t *testing.T) {
	for i := range 100 {
		key := bytes.Repeat([]byte{byte(i), byte(3 * i)}, keySize/2)
		d := must[derived](t)(derive(key))
		for _, label := range []string{"", "seal", "request id", strings.Repeat("l", i)} {
			want := must[[]byte](t)(hkdf.Key(sha256.New, key, nil, label, keySize))
			if got := d.subkey(label); !bytes.Equal(got[:], want) {
				t.Errorf("key %x, label %q: %x, want %x", key, label, got, want)
			}
		}
	}
}

func goldenPerson(t *testing.T) *Person {
	key := bytes.Repeat([]byte{7}, keySize)
	return must[*Person](t)(newPerson("smartkey", Pseudonym{1, 2, 3}, key))
}

// Lines are added, never edited: these bytes are in records and rows.
func TestGoldenBytes(t *testing.T) {
	p := goldenPerson(t)
	a := must[*AppKey](t)(newAppKey("smartkey", bytes.Repeat([]byte{8}, keySize)))
	m := a.lookup(phone)
	seal := p.subkey("seal")
	for _, g := range []struct {
		name string
		got  any
		want string
	}{
		{"request id", p.RequestID("backend", "r-1"), "8c99017e25734e829cf6ea417babb613"},
		{"digest", p.Digest([]byte("body")), "4cebb8ba3b38343739e619326b1bb79f"},
		{"source", p.Source("backend"), "c87885d134bb7b36"},
		{"event id", p.EventID([16]byte{9}, 2), "8ca86939-f783-82ab-a08c-256eea58d62f"},
		{"commit", p.Commit(event1, "subject", []byte("Erika")), "14ee1df91d51aae9bce7a455e1c2a494277944c5cf3f4aca2f04336b2b86b735"},
		{"sealing key", seal, "f39be131b7e5e305f1acc3727ffd5dbbed0c3d02f17d18d6f129d984dab4d50c"},
		{"app request id", a.RequestID("backend", "r-1"), "036b8613fa35d981cbf9189163111fb5"},
		{"lookup", m, "b7258fb9bba960c6a9237c2b8fc3f0f0"},
		{"tombstone", a.tombstone(m), "b8eec24dbf1bee973208f580f2d50d47"},
		{"place of a part", p.place(event1, "s", "subject"), "000000047061727400000008736d6172746b6579000000100102030000000000000000000000000000000010010000000000000000000000000000000000000173000000077375626a656374"},
		{"key of an entry", entryKey("smartkey", p.Pseudonym), "762f6508736d6172746b657901020300000000000000000000000000"},
		{"key of a link", linkKey("smartkey", p.Pseudonym, 3), "762f6b08736d6172746b65790102030000000000000000000000000000000003"},
		{"key of a lookup", lookupKey("smartkey", m), "762f6c08736d6172746b6579b7258fb9bba960c6a9237c2b8fc3f0f0"},
		{"key of a part", partKey("smartkey", p.Pseudonym, event1, "subject"), "762f7008736d6172746b657901020300000000000000000000000000010000000000000000000000000000007375626a656374"},
		{"key of a tombstone", tombKey("smartkey", m, noon.UnixMilli()), "762f7408736d6172746b6579b7258fb9bba960c6a9237c2b8fc3f0f0000001a20d6d5a00"},
		{"key of an app", appRowKey("smartkey"), "762f6108736d6172746b6579"},
	} {
		got := fmt.Sprintf("%x", g.got)
		if id, is := g.got.(eventstore.EventID); is {
			got = id.String()
		}
		if got != g.want {
			t.Errorf("%s: %s, want %s", g.name, got, g.want)
		}
	}
	t.Run("a row sealed long ago opens", func(t *testing.T) {
		sealed := must[[]byte](t)(hex.DecodeString("f66275b36da0822c66d89b18190e127783550c9ef0c34e0807b19e632529311088"))
		plain := must[[]byte](t)(p.unseal(sealed, p.place(event1, "s", "subject")))
		if string(plain) != "Erika" {
			t.Fatal(plain)
		}
	})
	t.Run("a key wrapped long ago opens", func(t *testing.T) {
		var k ring
		ok(t, k.set([]epoch{{number: 5, key: [32]byte{5}}}))
		wrapped := must[[]byte](t)(hex.DecodeString("000000052786183fe85083dcfbef1df063cd4556ec9a32e110c2482f89b43512920c15"))
		plain := must[[]byte](t)(k.Unwrap(wrapped, []byte("aad")))
		if string(plain) != "key" {
			t.Fatal(plain)
		}
	})
}

func TestACommitmentIsWhatTheDesignSays(t *testing.T) {
	key := bytes.Repeat([]byte{7}, keySize)
	sub := must[[]byte](t)(hkdf.Key(sha256.New, key, nil, "commit"+string(event1[:])+"subject", 32))
	h := hmac.New(sha256.New, sub)
	h.Write([]byte("Erika"))
	if got := goldenPerson(t).Commit(event1, "subject", []byte("Erika")); !bytes.Equal(got[:], h.Sum(nil)) {
		t.Fatalf("%x", got)
	}
}

func TestDerivedValuesDiffer(t *testing.T) {
	p := goldenPerson(t)
	q := must[*Person](t)(newPerson("smartkey", Pseudonym{1, 2, 3}, bytes.Repeat([]byte{9}, keySize)))
	seen := map[string]string{}
	add := func(name string, value any) {
		s := fmt.Sprintf("%x", value)
		if old, is := seen[s]; is {
			t.Errorf("%s is %s", name, old)
		}
		seen[s] = name
	}
	x := []byte("x")
	add("commit", p.Commit(event1, "subject", x))
	add("commit of another event", p.Commit(event2, "subject", x))
	add("commit of another role", p.Commit(event1, "guardian", x))
	add("commit of another text", p.Commit(event1, "subject", []byte("y")))
	add("commit of another person", q.Commit(event1, "subject", x))
	add("request", p.RequestID("ab", "c"))
	add("request with the border elsewhere", p.RequestID("a", "bc"))
	add("request of another person", q.RequestID("ab", "c"))
	add("digest", p.Digest(x))
	add("event", p.EventID([16]byte{1}, 0))
	add("next event", p.EventID([16]byte{1}, 1))
	add("event of another request", p.EventID([16]byte{2}, 0))
	if p.Commit(event1, "subject", x) != goldenPerson(t).Commit(event1, "subject", x) {
		t.Error("the same key gives another commitment")
	}
	if id := p.EventID([16]byte{1}, 0); id[6]>>4 != 8 || id[8]>>6 != 2 {
		t.Error("not a UUID of version 8:", id)
	}
}

func TestAppKeys(t *testing.T) {
	rows, keys := newRows(), NewMemoryKeys()
	a := must[*AppKey](t)(open(t, rows, keys).AppKey(t.Context(), "smartkey"))
	v := open(t, rows, keys)
	b, other := must[*AppKey](t)(v.AppKey(t.Context(), "smartkey")), must[*AppKey](t)(v.AppKey(t.Context(), "other"))
	sealed := a.Seal([]byte("place"), []byte("rejected"))
	if plain, err := b.Unseal([]byte("place"), sealed); string(plain) != "rejected" || err != nil {
		t.Fatal(plain, err)
	}
	if _, err := b.Unseal([]byte("elsewhere"), sealed); err == nil {
		t.Fatal("unsealed elsewhere")
	}
	if _, err := other.Unseal([]byte("place"), sealed); err == nil {
		t.Fatal("unsealed by another app")
	}
	if a.RequestID("s", "1") != b.RequestID("s", "1") || a.RequestID("s", "1") == other.RequestID("s", "1") {
		t.Fatal("request ids")
	}
}

func FuzzKeyedIsHMAC(f *testing.F) {
	f.Add([]byte("key"), []byte("message"))
	f.Add(bytes.Repeat([]byte{0x5c}, 32), make([]byte, 1000))
	f.Fuzz(func(t *testing.T, k, message []byte) {
		var key [keySize]byte
		copy(key[:], k)
		h := hmac.New(sha256.New, key[:])
		h.Write(message)
		if got := keyed(&key, message); !bytes.Equal(got[:], h.Sum(nil)) {
			t.Fatalf("%x", got)
		}
	})
}
