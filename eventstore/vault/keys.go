package vault

import (
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
)

// Keys wrap data keys under a key-encryption key. Their methods may be called
// concurrently.
type Keys interface {
	// Wrap seals plain under the current epoch. What it returns begins with the
	// epoch's number, four bytes big-endian, and opens only with the same aad.
	Wrap(plain, aad []byte) (wrapped []byte, err error)

	// WrapUnder is Wrap under one of the epochs. If it is not among them the error wraps
	// [ErrMissingEpoch].
	WrapUnder(epoch uint32, plain, aad []byte) (wrapped []byte, err error)

	// Unwrap returns what was wrapped, or an error that holds no part of it. If its epoch is
	// not among them the error wraps [ErrMissingEpoch].
	Unwrap(wrapped, aad []byte) ([]byte, error)
}

// An epoch is a key-encryption key and its number. Numbers begin with 1 and are
// never used again.
type epoch struct {
	number uint32
	key    [keySize]byte
}

func newEpoch(number uint32) epoch {
	e := epoch{number: number}
	rand.Read(e.key[:])
	return e
}

// A ring holds epochs in growing order; the last is the current one.
type ring struct {
	mu     sync.RWMutex
	epochs []epoch
	seals  map[uint32]cipher.AEAD
}

// set makes epochs those of the ring. The caller holds mu, or is alone.
func (r *ring) set(epochs []epoch) error {
	seals := make(map[uint32]cipher.AEAD, len(epochs))
	for _, e := range epochs {
		seals[e.number] = newSealing(e.key)
	}
	r.epochs, r.seals = epochs, seals
	return nil
}

// Wrap is as [Keys] says.
func (r *ring) Wrap(plain, aad []byte) ([]byte, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if len(r.epochs) == 0 {
		return nil, errors.New("keys: no epoch")
	}
	return sealUnder(r.seals, r.epochs[len(r.epochs)-1].number, plain, aad), nil
}

// WrapUnder is as [Keys] says.
func (r *ring) WrapUnder(epoch uint32, plain, aad []byte) ([]byte, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.seals[epoch] == nil {
		return nil, missing(epoch)
	}
	return sealUnder(r.seals, epoch, plain, aad), nil
}

// sealUnder returns plain, sealed by an epoch, after the epoch's number.
func sealUnder(seals map[uint32]cipher.AEAD, epoch uint32, plain, aad []byte) []byte {
	return seals[epoch].Seal(binary.BigEndian.AppendUint32(nil, epoch), nil, plain, aad)
}

// has reports whether an epoch is among the ring's.
func (r *ring) has(epoch uint32) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.seals[epoch] != nil
}

// Unwrap is as [Keys] says.
func (r *ring) Unwrap(wrapped, aad []byte) ([]byte, error) {
	if len(wrapped) < 4 {
		return nil, fmt.Errorf("keys: wrapped key of %d bytes", len(wrapped))
	}

	number := binary.BigEndian.Uint32(wrapped)
	r.mu.RLock()
	seal := r.seals[number]
	r.mu.RUnlock()
	if seal == nil {
		return nil, missing(number)
	}

	plain, err := seal.Open(nil, nil, wrapped[4:], aad)
	if err != nil {
		return nil, fmt.Errorf("keys: a key wrapped under epoch %d does not open", number)
	}
	return plain, nil
}

// MemoryKeys are random keys that end with the process, for tests.
type MemoryKeys struct{ ring }

// NewMemoryKeys returns keys of one epoch.
func NewMemoryKeys() *MemoryKeys {
	k := new(MemoryKeys)
	if err := k.set([]epoch{newEpoch(1)}); err != nil {
		panic(err) // the key has the right size
	}
	return k
}

// Advance begins a new epoch: from now on it wraps, the older ones only unwrap.
func (k *MemoryKeys) Advance() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.set(k.advanced())
}

// Retire destroys all epochs but the current one.
func (k *MemoryKeys) Retire() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.set(k.retired())
}

// advanced returns the epochs and a new one. The caller holds mu.
func (r *ring) advanced() []epoch {
	last := r.epochs[len(r.epochs)-1]
	return append(append([]epoch(nil), r.epochs...), newEpoch(last.number+1))
}

// retired returns the current epoch alone. The caller holds mu.
func (r *ring) retired() []epoch { return []epoch{r.epochs[len(r.epochs)-1]} }
