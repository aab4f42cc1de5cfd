package vault

import (
	"bytes"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Who changes the file of keys by what it was before another process changed it destroys no
// epoch of that one.
func TestKeysAreChangedAsTheyAreKnown(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	one, err := CreateFileKeys(path)
	ok(t, err)
	other, err := OpenFileKeys(path)
	ok(t, err)
	ok(t, one.Advance())
	wrapped, err := one.Wrap([]byte("a data key"), nil)
	ok(t, err)

	for _, change := range []func() error{other.Retire, func() error { return other.SealWith(turned{}) }} {
		if err := change(); !errors.Is(err, ErrKeysChanged) {
			t.Errorf("changed by who did not know of the newest epoch: %v", err)
		}
		again, err := OpenFileKeys(path)
		ok(t, err)
		if plain, err := again.Unwrap(wrapped, nil); err != nil || string(plain) != "a data key" {
			t.Fatalf("what the newest epoch wraps is %q, %v", plain, err)
		}
		other, err = OpenFileKeys(path)
		ok(t, err)
		ok(t, one.Advance())
	}
}

type turned struct{}

func (turned) Seal(plain []byte) ([]byte, error) {
	out := slices.Clone(plain)
	slices.Reverse(out)
	return out, nil
}

func (turned) Unseal(sealed []byte) ([]byte, error) { return turned{}.Seal(sealed) }

// Of many that begin an epoch at once each that succeeds has one of its own, which stays.
func TestEveryEpochThatWasBegunStays(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	_, err := CreateFileKeys(path)
	ok(t, err)
	var all sync.WaitGroup
	var mu sync.Mutex
	begun := []uint32{1}
	for range 8 {
		all.Go(func() {
			for range 8 {
				k, err := OpenFileKeys(path)
				if err == nil {
					err = k.Advance()
				}
				if err == nil {
					mu.Lock()
					epochs := k.Epochs()
					begun = append(begun, epochs[len(epochs)-1])
					mu.Unlock()
				} else if !errors.Is(err, ErrKeysChanged) {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	k, err := OpenFileKeys(path)
	ok(t, err)
	if got := len(k.Epochs()); got != len(begun) || got < 2 {
		t.Errorf("the file has %d epochs, and %d were begun", got, len(begun))
	}
}

// Keys that are given as a text open what those of a file wrap, and are changed by nobody. An
// error about them holds no byte of it.
func TestKeysThatAreGiven(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	file, err := CreateFileKeys(path)
	ok(t, err)
	wrapped, err := file.Wrap([]byte("a data key"), nil)
	ok(t, err)
	text, err := os.ReadFile(path)
	ok(t, err)
	secret := strings.Fields(string(text))[5]

	in64 := base64.StdEncoding.EncodeToString(text)
	for _, given := range []string{string(text), strings.TrimSpace(string(text)), in64, in64 + "\n"} {
		k, err := GivenKeys(given, nil)
		ok(t, err)
		if plain, err := k.Unwrap(wrapped, nil); err != nil || string(plain) != "a data key" {
			t.Errorf("opened as %q, %v", plain, err)
		}
		if err := errors.Join(k.Advance(), k.Retire()); !errors.Is(err, ErrKeysGiven) || !k.Given() {
			t.Errorf("changed: %v", err)
		}
		if !bytes.Contains(text, []byte(k.Sum())) {
			t.Errorf("the sum is %q", k.Sum())
		}
	}
	for _, wrong := range []string{
		secret, strings.Replace(string(text), "epoch 1", "epoch 2", 1), in64[:40], strings.Replace(string(text), "sum", "epoch 2", 1),
	} {
		if _, err := GivenKeys(wrong, nil); err == nil || strings.Contains(err.Error(), secret[:8]) {
			t.Errorf("taken, or told of: %v", err)
		}
	}
}
