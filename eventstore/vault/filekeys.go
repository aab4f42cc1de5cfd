package vault

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"consentledger/eventstore/atomicfile"

	"github.com/gofrs/flock"
)

// FileKeys are keys in a text file that only its owner can read:
//
//	consentledger keys v1
//	epoch 1 <64 hex digits>
//	sum <first 16 hex digits of the SHA-256 of the lines above>
//
// Whoever loses the file loses every personal part. One process at a time
// changes it, by a lock on a file beside it, and only as that process knows it;
// another that has it open learns of a new epoch when it next wraps a key, or meets
// that epoch.
type FileKeys struct {
	path string      // empty: they were given as a text, and nobody changes them here
	mode fs.FileMode // the most that others may
	ring
	seen   fs.FileInfo // of the file that was read last; under the ring's lock
	sum    string      // its last line; under the ring's lock
	sealer Sealer      // nil: the file is open
}

const keysHeader = "consentledger keys v1\n"

// maxKeysFile bounds what OpenFileKeys reads.
const maxKeysFile = 1 << 20

// CreateFileKeys makes a file with keys of one epoch. It is an error if there
// is one: a vault whose key file is overwritten is lost.
func CreateFileKeys(path string) (*FileKeys, error) {
	return createKeys(&FileKeys{path: path, mode: 0o600})
}

func createKeys(k *FileKeys) (*FileKeys, error) {
	epochs := []epoch{newEpoch(1)}
	text, err := k.text(epochs)
	if err == nil {
		err = writeKeys(k.path, text)
	}
	if err == nil {
		err = k.set(epochs)
	}
	if err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	k.sum = sumLine(text)
	return k, nil
}

// OpenFileKeys reads the file. It never makes one, and refuses one that others
// than its owner may read or write, or that is not whole.
func OpenFileKeys(path string) (*FileKeys, error) { return OpenSealedKeys(path, false, nil) }

// OpenSecretKeys is OpenFileKeys for a file that somebody else has put there, and that
// its group may read: as secrets of containers are.
func OpenSecretKeys(path string) (*FileKeys, error) { return OpenSealedKeys(path, true, nil) }

// read makes the epochs of the file those of k.
func (k *FileKeys) read() error {
	f, err := os.Open(k.path)
	if err != nil {
		return fmt.Errorf("keys: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return fmt.Errorf("keys: %w", err)
	case !info.Mode().IsRegular():
		return fmt.Errorf("keys: %s is not a regular file", k.path)
	case info.Mode().Perm()&0o077&^k.mode != 0:
		return fmt.Errorf("keys: %s has mode %04o and is open to others: chmod %04o it", k.path, info.Mode().Perm(),
			k.mode)
	}

	text, err := io.ReadAll(io.LimitReader(f, maxKeysFile))
	if err != nil {
		return fmt.Errorf("keys: %w", err)
	}
	if err := k.take(text); err != nil {
		return fmt.Errorf("keys: %s: %w", k.path, err)
	}
	k.seen = info
	return nil
}

// take makes the epochs of what a file holds those of k.
func (k *FileKeys) take(text []byte) error {
	plain, err := k.plain(text)
	if err != nil {
		return err
	}
	epochs, err := parseKeys(plain)
	if err != nil {
		return err
	}
	k.sum = sumLine(text)
	return k.set(epochs)
}

// refresh reads the file again if it is another one than was read last: another
// process, or whoever hands out secrets, has begun a new epoch. A file that cannot be
// read leaves what was read.
func (k *FileKeys) refresh() {
	if k.Given() {
		return
	}
	info, err := os.Stat(k.path)
	if err != nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	old := k.seen
	if old != nil && os.SameFile(info, old) && info.ModTime().Equal(old.ModTime()) && info.Size() == old.Size() {
		return
	}
	_ = k.read() // it is tried again the next time
}

// Wrap is as [Keys] says. It wraps under the newest epoch that the file has by then.
func (k *FileKeys) Wrap(plain, aad []byte) ([]byte, error) {
	k.refresh()
	return k.ring.Wrap(plain, aad)
}

// WrapUnder is as [Keys] says.
func (k *FileKeys) WrapUnder(epoch uint32, plain, aad []byte) ([]byte, error) {
	if !k.has(epoch) {
		k.refresh()
	}
	return k.ring.WrapUnder(epoch, plain, aad)
}

// Unwrap is as [Keys] says.
func (k *FileKeys) Unwrap(wrapped, aad []byte) ([]byte, error) {
	if len(wrapped) >= 4 && !k.has(binary.BigEndian.Uint32(wrapped)) {
		k.refresh()
	}
	return k.ring.Unwrap(wrapped, aad)
}

// Advance begins a new epoch, durably: from now on it wraps, the older ones
// only unwrap.
func (k *FileKeys) Advance() error {
	return k.change(func() error { return k.replace(k.advanced()) })
}

// Retire destroys all epochs but the current one. What is still wrapped under
// them is lost, so [Vault.Rewrap] comes first. That the old file's bytes leave
// the disk is up to the file system.
func (k *FileKeys) Retire() error {
	return k.change(func() error { return k.replace(k.retired()) })
}

// ErrKeysChanged says that another process changes the file of keys, or has changed it since
// this one looked. Nothing was done: what was to be done was decided for other epochs.
var ErrKeysChanged = errors.New("keys: another process has just changed the file of keys: look again which epochs " +
	"it has")

// ErrKeysGiven says that keys were given as a text, and nobody can change them here.
var ErrKeysGiven = errors.New("keys: they were given as a text and not as a file, and cannot be changed here")

// change changes the file, which holds what k was last told that it holds.
func (k *FileKeys) change(do func() error) (err error) {
	if k.Given() {
		return ErrKeysGiven
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	lock := flock.New(k.path+".lock", flock.SetPermissions(0o600))
	locked, err := lock.TryLock()
	if err != nil {
		return fmt.Errorf("keys: %w", err)
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	if !locked {
		return ErrKeysChanged
	}

	known := k.epochs
	if err := k.read(); err != nil {
		return err
	}
	if !slices.Equal(known, k.epochs) {
		return ErrKeysChanged
	}
	return do()
}

// Epochs returns the numbers of the epochs, the current one last.
func (k *FileKeys) Epochs() []uint32 {
	k.refresh()
	k.mu.RLock()
	defer k.mu.RUnlock()
	numbers := make([]uint32, 0, len(k.epochs))
	for _, e := range k.epochs {
		numbers = append(numbers, e.number)
	}
	return numbers
}

// Sum returns what the file ends with, as in "sum 0123456789abcdef": who has a copy with
// the same has all of these keys. It says nothing of them.
func (k *FileKeys) Sum() string {
	k.refresh()
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.sum
}

// replace puts epochs in the file's place. It is called by [FileKeys.change].
func (k *FileKeys) replace(epochs []epoch) error {
	next := k.path + ".next"
	// One that a crash left behind has wrapped nothing.
	if err := os.Remove(next); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("keys: %w", err)
	}

	text, err := k.text(epochs)
	if err == nil {
		err = writeKeys(next, text)
	}
	if err != nil {
		return fmt.Errorf("keys: %w", err)
	}
	if err := os.Rename(next, k.path); err != nil {
		return fmt.Errorf("keys: %w", err)
	}
	if err := atomicfile.SyncDir(filepath.Dir(k.path)); err != nil {
		return fmt.Errorf("keys: %w", err)
	}

	k.sum = sumLine(text)
	return k.set(epochs)
}

// writeKeys makes a file that was not there, and both it and its name durable.
func writeKeys(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		os.Remove(path) // no key in it was ever used
		return err
	}
	return atomicfile.SyncDir(filepath.Dir(path))
}

// formatKeys returns the text that parseKeys reads.
func formatKeys(epochs []epoch) []byte {
	var b bytes.Buffer
	b.WriteString(keysHeader)
	for _, e := range epochs {
		fmt.Fprintf(&b, "epoch %d %x\n", e.number, e.key)
	}
	sum := sha256.Sum256(b.Bytes())
	fmt.Fprintf(&b, "sum %x\n", sum[:8])
	return b.Bytes()
}

// parseKeys reads what formatKeys writes, and nothing else. No error holds a
// byte of a key.
func parseKeys(text []byte) ([]epoch, error) {
	lines, ok := strings.CutPrefix(string(text), keysHeader)
	if !ok {
		return nil, fmt.Errorf("the first line is not %q", strings.TrimSpace(keysHeader))
	}

	var epochs []epoch
	for n := 2; strings.HasPrefix(lines, "epoch "); n++ {
		var line string
		line, lines, _ = strings.Cut(lines, "\n")
		e, err := parseEpoch(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if len(epochs) > 0 && e.number <= epochs[len(epochs)-1].number {
			return nil, fmt.Errorf("line %d: epoch %d does not come after the one before", n, e.number)
		}
		epochs = append(epochs, e)
	}

	if len(epochs) == 0 {
		return nil, errors.New("no epoch")
	}
	if !bytes.Equal(formatKeys(epochs), text) {
		return nil, errors.New("the sum at the end is missing or wrong: the file is not whole")
	}
	return epochs, nil
}

func parseEpoch(line string) (e epoch, err error) {
	f := strings.Split(line, " ")
	if len(f) != 3 || len(f[2]) != 2*keySize {
		return epoch{}, errors.New(`want "epoch", a number and 64 hex digits`)
	}
	number, err := strconv.ParseUint(f[1], 10, 32)
	if err != nil || number == 0 {
		return epoch{}, errors.New("the epoch's number is none")
	}
	e.number = uint32(number)
	if _, err := hex.Decode(e.key[:], []byte(f[2])); err != nil {
		return epoch{}, fmt.Errorf("epoch %d: the key is not hex", number)
	}
	return e, nil
}
