package vault

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"sync"
	"sync/atomic"

	"consentledger/eventstore"
)

// keySize is the size of data keys, app keys and all that is derived of them.
const keySize = 32

// derived is what a data key or an app key gives: keyed hashes, and a cipher. All
// of them are made of the root when they are asked for, which takes less than a
// microsecond each: who is in memory takes a tenth of what they would. Its methods are
// promoted to [Person] and [AppKey]. Golden vectors hold them: what they return is in
// records.
type derived struct {
	root [keySize]byte // HKDF-Extract of the key, without a salt
}

func derive(key []byte) (derived, error) {
	if len(key) != keySize {
		return derived{}, fmt.Errorf("a key of %d bytes, want %d", len(key), keySize)
	}
	var noSalt [keySize]byte
	return derived{root: keyed(&noSalt, key)}, nil
}

// subkey returns the HKDF of the key for the use that label names: one block of
// HKDF-Expand, the HMAC of the label and a byte 1. Tests hold it to crypto/hkdf,
// which allocates a hash for each.
func (d *derived) subkey(label string) [keySize]byte {
	var buf [64]byte
	return keyed(&d.root, append(append(buf[:0], label...), 1))
}

// keyed returns the HMAC of a message under the subkey that label names.
func (d *derived) keyed(label string, message []byte) [32]byte {
	key := d.subkey(label)
	return keyed(&key, message)
}

// newSealing returns AES-256-GCM that puts a random nonce before what it seals.
func newSealing(key [keySize]byte) cipher.AEAD {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic("vault: AES takes no key of 32 bytes: " + err.Error())
	}
	sealing, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic("vault: GCM takes no AES: " + err.Error())
	}
	return sealing
}

// A hasher is what one HMAC needs, so that it need not be allocated each time. It
// hashes a message of its own: what is given to a hash.Hash lies in the heap, and those
// who ask have theirs on the stack.
type hasher struct {
	hash    hash.Hash
	block   [sha256.BlockSize]byte
	sum     [sha256.Size]byte
	message []byte
}

var hashers = sync.Pool{New: func() any { return &hasher{hash: sha256.New()} }}

// keyed returns the HMAC-SHA-256 of message, as crypto/hmac does (a test holds
// it to that), without its allocations: it is most of what a hot write computes.
func keyed(key *[keySize]byte, message []byte) [32]byte {
	h := hashers.Get().(*hasher)
	h.message = append(h.message[:0], message...)
	h.round(key, 0x36, h.message)
	h.round(key, 0x5c, h.sum[:])
	sum := h.sum
	clear(h.message)
	h.block, h.sum = [sha256.BlockSize]byte{}, [sha256.Size]byte{}
	h.hash.Reset()
	hashers.Put(h)
	return sum
}

// round hashes the key, padded, and message.
func (h *hasher) round(key *[keySize]byte, pad byte, message []byte) {
	for i := range h.block {
		h.block[i] = pad
	}
	for i, k := range key {
		h.block[i] ^= k
	}
	h.hash.Reset()
	h.hash.Write(h.block[:])
	h.hash.Write(message)
	h.hash.Sum(h.sum[:0])
}

// RequestID returns what a record says instead of the id that source gave a
// request.
func (d *derived) RequestID(source, id string) [16]byte {
	var buf [256]byte
	sum := d.keyed("request id", fields(buf[:0], source, id))
	return [16]byte(sum[:16])
}

// Digest returns what a record says instead of the hash of a request's body.
func (d *derived) Digest(body []byte) [16]byte {
	sum := d.keyed("digest", body)
	return [16]byte(sum[:16])
}

// Source returns what a record says instead of the name of a source.
func (d *derived) Source(source string) [8]byte {
	sum := d.keyed("source", []byte(source))
	return [8]byte(sum[:8])
}

// EventID returns the id of the event number index that a request leads to. It
// is the same whenever the request comes again. It has the form of a UUID of
// version 8.
func (d *derived) EventID(requestID [16]byte, index int) eventstore.EventID {
	message := binary.BigEndian.AppendUint64(requestID[:], uint64(index))
	sum := d.keyed("event id", message)
	id := eventstore.EventID(sum[:16])
	id[6] = id[6]&0x0f | 0x80
	id[8] = id[8]&0x3f | 0x80
	return id
}

// Commit returns what a record says instead of the hash of a personal part.
// Whoever has the part and the key can show that the record meant this part in
// this role; without the key it says nothing.
func (d *derived) Commit(event eventstore.EventID, role string, plaintext []byte) [32]byte {
	return Commitment(d.Opening(event, role), plaintext)
}

// Commitment returns what a record says instead of the hash of a part, by the opening.
func Commitment(opening [32]byte, plaintext []byte) [32]byte { return keyed(&opening, plaintext) }

// Opening returns the key of one commitment: whoever has it and the part can
// compute the commitment, HMAC-SHA-256 of the part under it. It says nothing of
// any other.
func (d *derived) Opening(event eventstore.EventID, role string) [32]byte {
	// One block of HKDF-Expand: the HMAC of the label and a byte 1. The info
	// ends with the role, which is of free length, after the id, which is not.
	var buf [256]byte
	info := append(buf[:0], "commit"...)
	info = append(info, event[:]...)
	info = append(info, role...)
	return keyed(&d.root, append(info, 1))
}

func (d *derived) seal(plain, aad []byte) []byte {
	return newSealing(d.subkey("seal")).Seal(nil, nil, plain, aad)
}

// unseal returns nothing of what it was given in its error.
func (d *derived) unseal(sealed, aad []byte) ([]byte, error) {
	plain, err := newSealing(d.subkey("seal")).Open(nil, nil, sealed, aad)
	if err != nil {
		return nil, ErrDamaged
	}
	return plain, nil
}

// A Person is an entry of the vault with the key at hand. What it says never
// changes, and it may be used concurrently; it does not know whether it was
// erased since.
type Person struct {
	App       string
	Pseudonym Pseudonym
	derived

	indexed atomic.Bool // the near misses of the lookup find them
	joins   *joins      // of who has no entry yet, and is nobody's but the caller's; else nil
}

// String shows no key, nor does a log that is given p.
func (p *Person) String() string { return p.App + "/" + p.Pseudonym.String() }

// GoString is String.
func (p *Person) GoString() string { return p.String() }

func newPerson(app string, name Pseudonym, dataKey []byte) (*Person, error) {
	d, err := derive(dataKey)
	if err != nil {
		return nil, err
	}
	return &Person{App: app, Pseudonym: name, derived: d}, nil
}
