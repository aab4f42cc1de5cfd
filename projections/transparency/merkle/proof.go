package merkle

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// A Proof is a c2sp.org/tlog-proof@v1: that a record stands at an index of a
// log. Ours carry the record itself as the extra data.
type Proof struct {
	Index      int64
	Extra      []byte // nil: none
	Path       []Hash
	Checkpoint []byte // a signed note
}

const proofHeader = "c2sp.org/tlog-proof@v1\n"

// MaxProof is the size of the largest proof that is read.
const MaxProof = 1 << 18

// Format returns the text that [ParseProof] reads.
func (p Proof) Format() []byte {
	var b bytes.Buffer
	b.WriteString(proofHeader)
	if p.Extra != nil {
		fmt.Fprintf(&b, "extra %s\n", base64.StdEncoding.EncodeToString(p.Extra))
	}
	fmt.Fprintf(&b, "index %d\n", p.Index)
	for _, h := range p.Path {
		fmt.Fprintf(&b, "%s\n", h)
	}
	b.WriteByte('\n')
	b.Write(p.Checkpoint)
	return b.Bytes()
}

// ParseProof reads what [Proof.Format] writes, and nothing else. It verifies
// nothing.
func ParseProof(text []byte) (Proof, error) {
	if len(text) > MaxProof {
		return Proof{}, fmt.Errorf("a proof of %d bytes; the largest that is read has %d", len(text), MaxProof)
	}

	rest, ok := strings.CutPrefix(string(text), proofHeader)
	if !ok {
		return Proof{}, fmt.Errorf("the first line is not %q", strings.TrimSpace(proofHeader))
	}

	head, signed, ok := strings.Cut(rest, "\n\n")
	if !ok {
		return Proof{}, errors.New("no empty line ends the proof's hashes")
	}

	p := Proof{Checkpoint: []byte(signed)}
	lines := strings.Split(head, "\n")
	if b64, ok := strings.CutPrefix(lines[0], "extra "); ok {
		extra, err := base64.StdEncoding.DecodeString(b64)
		if err != nil {
			return Proof{}, errors.New("the extra line is not base64")
		}
		p.Extra, lines = append([]byte{}, extra...), lines[1:]
	}
	if err := p.readLines(lines); err != nil {
		return Proof{}, err
	}
	if !bytes.Equal(p.Format(), text) {
		return Proof{}, errors.New("the proof is not written as its format says: a byte of it was changed")
	}
	return p, nil
}

// readLines reads the index and the hashes.
func (p *Proof) readLines(lines []string) (err error) {
	number, ok := "", false
	if len(lines) > 0 {
		number, ok = strings.CutPrefix(lines[0], "index ")
	}
	if !ok {
		return errors.New("there is no index line where one should be")
	}
	if p.Index, err = strconv.ParseInt(number, 10, 64); err != nil || p.Index < 0 {
		return errors.New("the index is not a number from 0")
	}
	if len(lines) > 1+64 {
		return fmt.Errorf("%d hashes; no tree needs more than 64", len(lines)-1)
	}

	for i, line := range lines[1:] {
		h, err := tlog.ParseHash(line)
		if err != nil {
			return fmt.Errorf("hash %d of the proof is not 32 bytes of base64", i)
		}
		p.Path = append(p.Path, h)
	}
	return nil
}

// Verify says whether a record stands where the proof says, in the log of this
// origin, signed by v: both are the verifier's own knowledge, not the proof's.
func (p Proof) Verify(record []byte, v note.Verifier, origin string) (Checkpoint, error) {
	c, err := Open(p.Checkpoint, v, origin)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("checkpoint: %w", err)
	}
	if p.Index >= c.Size {
		return Checkpoint{}, fmt.Errorf("index %d is not in a log of %d records", p.Index, c.Size)
	}
	if err := tlog.CheckRecord(p.Path, c.Size, c.Root, p.Index, tlog.RecordHash(record)); err != nil {
		return Checkpoint{}, fmt.Errorf("the record is not the one at index %d of the log that was signed", p.Index)
	}
	return c, nil
}
