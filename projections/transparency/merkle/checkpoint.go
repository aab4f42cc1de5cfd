package merkle

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// A Checkpoint is what a log says of itself: so many records, this root.
type Checkpoint struct {
	Origin string
	Size   int64
	Root   Hash
}

// MaxNote is the size of the largest signed checkpoint that is read.
const MaxNote = 1 << 16

// String returns the C2SP checkpoint that [ParseCheckpoint] reads.
func (c Checkpoint) String() string {
	return fmt.Sprintf("%s\n%d\n%s\n", c.Origin, c.Size, c.Root)
}

// ParseCheckpoint reads what [Checkpoint.String] writes, and nothing else.
// Extension lines are not read: our logs have none.
func ParseCheckpoint(text string) (Checkpoint, error) {
	lines := strings.Split(text, "\n")
	if len(lines) != 4 || lines[3] != "" {
		return Checkpoint{}, errors.New("a checkpoint is three lines: origin, size and root")
	}

	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return Checkpoint{}, errors.New("the second line of a checkpoint is the number of records")
	}

	root, err := tlog.ParseHash(lines[2])
	if err != nil {
		return Checkpoint{}, errors.New("the third line of a checkpoint is the root in base64")
	}

	c := Checkpoint{lines[0], size, root}
	if c.Origin == "" || size < 0 || c.String() != text {
		return Checkpoint{}, errors.New("the checkpoint is not written as its format says")
	}
	return c, nil
}

// Sign returns the signed note of a checkpoint, with a signature of each signer.
func Sign(c Checkpoint, signers ...note.Signer) ([]byte, error) {
	return note.Sign(&note.Note{Text: c.String()}, signers...)
}

// Open reads a signed checkpoint. It was signed by v and is of this origin;
// signatures of others, such as witnesses, are not looked at.
//
// The note library forgives a signature whose base64 is not the shortest form.
// Open does not.
func Open(signed []byte, v note.Verifier, origin string) (Checkpoint, error) {
	if len(signed) > MaxNote {
		return Checkpoint{}, fmt.Errorf("a checkpoint of %d bytes; the largest that is read has %d", len(signed),
			MaxNote)
	}

	n, err := note.Open(signed, note.VerifierList(v))
	if err != nil {
		return Checkpoint{}, explained(err, v)
	}

	c, err := ParseCheckpoint(n.Text)
	switch {
	case err != nil:
		return Checkpoint{}, err
	case c.Origin != origin:
		return Checkpoint{}, fmt.Errorf("the checkpoint is of %q, want %q", c.Origin, origin)
	}

	own := 0
	for line := range strings.Lines(string(signed[len(n.Text)+1:])) {
		strict, err := signatureLine(line, v)
		if err != nil {
			return Checkpoint{}, err
		}
		if strict {
			own++
		}
	}

	if own != 1 {
		return Checkpoint{}, fmt.Errorf("%d signatures by %s (%08x), want one", own, v.Name(), v.KeyHash())
	}
	return c, nil
}

// An OtherKeyError says that a checkpoint has no signature by the key that it is held against.
type OtherKeyError struct {
	Log  string // the origin that the checkpoint names, which nobody has verified; empty: none
	Name string // of the key that it is held against
	Hash uint32
}

// Error implements error.
func (e *OtherKeyError) Error() string {
	text := fmt.Sprintf("no signature by the key %s (%08x): the wrong key, or a checkpoint that somebody else made",
		e.Name, e.Hash)
	if e.Log != "" {
		text += fmt.Sprintf("; it names the log %q", e.Log)
	}
	return text
}

// explained says what a note's error means to somebody who verifies.
func explained(err error, v note.Verifier) error {
	if other, is := errors.AsType[*note.UnverifiedNoteError](err); is {
		c, _ := ParseCheckpoint(other.Note.Text) // what is no checkpoint names no log
		return &OtherKeyError{Log: c.Origin, Name: v.Name(), Hash: v.KeyHash()}
	}
	if _, is := errors.AsType[*note.InvalidSignatureError](err); is {
		return fmt.Errorf("the signature by %s (%08x) is not of this text: text or signature were changed", v.Name(),
			v.KeyHash())
	}
	return err
}

// signatureLine reports whether a line is v's signature in its one form. A
// line that means v's signature in another form is an error.
func signatureLine(line string, v note.Verifier) (bool, error) {
	name, b64, _ := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(line, "— "), "\n"), " ")
	sig, err := base64.StdEncoding.DecodeString(b64)
	if err != nil || len(sig) < 4 || name != v.Name() || binary.BigEndian.Uint32(sig) != v.KeyHash() {
		return false, nil
	}
	if base64.StdEncoding.EncodeToString(sig) != b64 {
		return false, errors.New("the signature is not written as base64 has it: a byte of it was changed")
	}
	return true, nil
}
