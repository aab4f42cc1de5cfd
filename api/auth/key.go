package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"hash/crc32"
	"strings"
)

// A Key is a secret that authenticates a principal, as its holder has it:
//
//	clk_<id>_<secret><checksum>
//
// The prefix is for scanners that look for secrets where they do not belong, and the
// checksum (CRC-32 of all before it, 8 digits in hex) tells them, and us, a key from
// what only looks like one. The id, 12 of a-z and 2-7, is public and stands in lists,
// logs and records. The secret is 52 of them: 260 random bits.
//
// Kept is the SHA-256 of the whole. A slow hash, as passwords need, would only slow
// every request: nobody guesses 260 bits, however fast each try is.
type Key struct {
	ID   string
	text string
}

const (
	keyPrefix = "clk_"
	idSize    = 12
	keySize   = len(keyPrefix) + idSize + 1 + 52 + 8
)

// NewKey returns a key that was never there.
func NewKey() Key {
	id := newID()
	body := keyPrefix + id + "_" + strings.ToLower(rand.Text()+rand.Text())
	return Key{ID: id, text: body + sum(body)}
}

// newID returns 60 random bits as keys and principals are named.
func newID() string { return strings.ToLower(rand.Text()[:idSize]) }

func sum(body string) string { return fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(body))) }

// ParseKey reads what [Key.Reveal] writes, and nothing else. Its error does not
// repeat what it was given.
func ParseKey(s string) (Key, error) {
	rest, is := strings.CutPrefix(s, keyPrefix)
	if !is || len(s) != keySize {
		return Key{}, errKey
	}
	id, secret := rest[:idSize], rest[idSize+1:len(rest)-8]
	if rest[idSize] != '_' || !isKeyText(id) || !isKeyText(secret) {
		return Key{}, errKey
	}
	if s[keySize-8:] != sum(s[:keySize-8]) {
		return Key{}, errKeySum
	}
	return Key{ID: id, text: s}, nil
}

const (
	errKey = parseError("this is no key: a key is one word as in clk_abcdefghijkl_... of 77 characters, as access " +
		"key new showed it")
	errKeySum = parseError("this key is not as it was issued: a character is missing or another one; copy it again")
)

// isKeyText reports whether s is made of a-z and 2-7 alone.
func isKeyText(s string) bool {
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyz234567") == ""
}

// Reveal returns the key for its holder.
func (k Key) Reveal() string { return k.text }

// String returns the id: a key that is printed by mistake shows no secret.
func (k Key) String() string { return keyPrefix + k.ID + "_..." }

// GoString is String for %#v.
func (k Key) GoString() string { return k.String() }

func (k Key) hash() [sha256.Size]byte { return sha256.Sum256([]byte(k.text)) }
