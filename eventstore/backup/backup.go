// Package backup is the form of a ledger's backup: two files, the log and the vault,
// made of one moment and kept apart.
//
// Each file is encrypted with age (age-encryption.org/v1). Inside, it begins with two
// lines of text, the form's name and a [Head] as JSON, and goes on with frames: a byte
// that says of what, four bytes of length, and so many bytes.
//
//	f  path (two bytes of length), the beginning of a file
//	+  more of that file
//	r  a record: position, revision, id, length of stream and of type (a byte each), stream, type, data
//	w  a row: key (four bytes of length), value
//	e  the end: a [Total] as JSON
//
// Numbers are big-endian. Files come before records, records before rows. What follows
// the end, or a file without one, is damage.
//
// The keys under which the vault's data keys are wrapped are in neither file: whoever
// destroys an epoch of them makes every older backup of the vault unreadable.
package backup

import (
	"bufio"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"

	"consentledger/eventstore"

	"filippo.io/age"
)

// A Kind says which of the two files it is.
type Kind string

const (
	Log   Kind = "log"   // records, public texts, signing keys, what was signed
	Vault Kind = "vault" // lookup keys, wrapped data keys, sealed parts
)

// A Head is what a file says of itself.
type Head struct {
	Kind     Kind                `json:"kind"`
	ID       string              `json:"id"`       // of the moment: the other file has the same
	Made     string              `json:"made"`     // when, in UTC
	Use      string              `json:"use"`      // what the data directory is for
	Position eventstore.Position `json:"position"` // of the last record
}

// A Total is what a file holds.
type Total struct {
	Files   int64  `json:"files"`
	Records int64  `json:"records"`
	Rows    int64  `json:"rows"`
	SHA256  string `json:"sha256"` // of all before the end
}

// NewID returns a name for a moment.
func NewID() string {
	var id [16]byte
	rand.Read(id[:])
	return hex.EncodeToString(id[:])
}

const (
	form     = "consentledger backup 1\n"
	maxHead  = 4096
	maxFrame = 64 << 20
	chunk    = 1 << 20 // of a file

	fileFrame   = 'f'
	moreFrame   = '+'
	recordFrame = 'r'
	rowFrame    = 'w'
	endFrame    = 'e'
)

// A Writer writes one file. Without Close it has no end, and nobody takes it for whole.
type Writer struct {
	sealed io.WriteCloser
	out    *bufio.Writer
	sum    hash.Hash
	total  Total
	frame  []byte
}

// NewWriter begins a file that one of the recipients can read.
func NewWriter(w io.Writer, h Head, to ...age.Recipient) (*Writer, error) {
	sealed, err := age.Encrypt(w, to...)
	if err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	b := &Writer{sealed: sealed, sum: sha256.New()}
	b.out = bufio.NewWriterSize(io.MultiWriter(sealed, b.sum), 64<<10)
	head, err := json.Marshal(h)
	if err != nil {
		return nil, fmt.Errorf("backup: %w", err)
	}
	_, err = b.out.WriteString(form + string(head) + "\n")
	return b, err
}

// File adds a file under its path, which has slashes.
func (b *Writer) File(path string, r io.Reader) error {
	b.total.Files++
	buf := make([]byte, chunk)
	kind, p := byte(fileFrame), binary.BigEndian.AppendUint16(b.frame[:0], uint16(len(path)))
	p = append(p, path...)
	for {
		n, err := io.ReadFull(r, buf)
		more := err == nil
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return err
		}
		if n > 0 || kind == fileFrame {
			if err := b.write(kind, append(p, buf[:n]...)); err != nil {
				return err
			}
		}
		if !more {
			return nil
		}
		kind, p = moreFrame, nil
	}
}

// Record adds a record.
func (b *Writer) Record(r eventstore.Recorded) error {
	b.total.Records++
	p := binary.BigEndian.AppendUint64(b.frame[:0], uint64(r.Position))
	p = binary.BigEndian.AppendUint64(p, uint64(r.Revision))
	p = append(p, r.ID[:]...)
	p = append(p, byte(len(r.Stream)), byte(len(r.Type)))
	p = append(append(append(p, r.Stream...), r.Type...), r.Data...)
	b.frame = p
	return b.write(recordFrame, p)
}

// Row adds a row.
func (b *Writer) Row(r eventstore.Row) error {
	b.total.Rows++
	p := binary.BigEndian.AppendUint32(b.frame[:0], uint32(len(r.Key)))
	p = append(append(p, r.Key...), r.Value...)
	b.frame = p
	return b.write(rowFrame, p)
}

func (b *Writer) write(kind byte, p []byte) error {
	if len(p) > maxFrame {
		return fmt.Errorf("backup: a frame of %d bytes: at most %d", len(p), maxFrame)
	}
	var head [5]byte
	head[0] = kind
	binary.BigEndian.PutUint32(head[1:], uint32(len(p)))
	if _, err := b.out.Write(head[:]); err != nil {
		return err
	}
	_, err := b.out.Write(p)
	return err
}

// Close writes the end, and returns what the file holds. It does not close what the
// file is written to.
func (b *Writer) Close() (Total, error) {
	if err := b.out.Flush(); err != nil {
		return Total{}, err
	}
	b.total.SHA256 = hex.EncodeToString(b.sum.Sum(nil))
	text, err := json.Marshal(b.total)
	if err == nil {
		err = b.write(endFrame, text)
	}
	if err == nil {
		err = b.out.Flush()
	}
	return b.total, errors.Join(err, b.sealed.Close())
}

// ErrOthers says that a file is encrypted to somebody else.
var ErrOthers = errors.New("it is encrypted to somebody else: none of the identities opens it")

// A DamagedError says that a file is not as it was written.
type DamagedError struct{ What string }

func (e *DamagedError) Error() string { return "it is damaged or cut off: " + e.What }

func damaged(format string, args ...any) error { return &DamagedError{fmt.Sprintf(format, args...)} }

// A Reader reads one file from its beginning to its end.
type Reader struct {
	Head Head

	in    *bufio.Reader
	sum   hash.Hash
	got   Total
	stage int // of what comes: files, records, rows
}

// NewReader decrypts a file and reads its head.
func NewReader(r io.Reader, with ...age.Identity) (*Reader, error) {
	plain, err := age.Decrypt(r, with...)
	if _, others := errors.AsType[*age.NoIdentityMatchError](err); others {
		return nil, ErrOthers
	}
	if err != nil {
		return nil, damaged("it is not a file that age wrote: %v", err)
	}

	b := &Reader{in: bufio.NewReaderSize(plain, 64<<10), sum: sha256.New()}
	first, err := b.line(len(form))
	if err != nil {
		return nil, err
	}
	if first != form {
		return nil, fmt.Errorf("it does not begin with %q: it is no backup of a ledger, or of a newer version",
			strings.TrimSpace(form))
	}
	head, err := b.line(maxHead)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal([]byte(head), &b.Head); err != nil {
		return nil, damaged("its head is no JSON")
	}
	if b.Head.Kind != Log && b.Head.Kind != Vault {
		return nil, fmt.Errorf("it says that it is %q: this program knows %q and %q", b.Head.Kind, Log, Vault)
	}
	return b, nil
}

// line reads a line of at most so many bytes.
func (b *Reader) line(most int) (string, error) {
	var line []byte
	for len(line) < most {
		c, err := b.in.ReadByte()
		if err != nil {
			return "", unread(err)
		}
		if line = append(line, c); c == '\n' {
			break
		}
	}
	b.sum.Write(line)
	return string(line), nil
}

// unread is why no more could be read.
func unread(err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return damaged("%v", err)
}

// An Item is the next thing in a file: a piece of a file, a record or a row.
type Item struct {
	Path   string // of a file
	More   bool   // it is the next piece of the file before
	Data   []byte // of the file
	Record *eventstore.Recorded
	Row    *eventstore.Row
}

// Next returns the next item, or [io.EOF] once the end was read and found right. The
// item's bytes are the caller's.
func (b *Reader) Next() (Item, error) {
	kind, p, err := b.read()
	if err != nil {
		return Item{}, err
	}

	switch kind {
	case fileFrame:
		return b.file(p)
	case moreFrame:
		if b.got.Files == 0 || b.stage > 0 {
			return Item{}, damaged("a piece of a file without its beginning")
		}
		return Item{More: true, Data: p}, nil
	case recordFrame:
		return b.record(p)
	case rowFrame:
		return b.row(p)
	case endFrame:
		return Item{}, b.end(p)
	}
	return Item{}, damaged("a frame of the kind %q", kind)
}

// read reads a frame. The sum takes all but the end.
func (b *Reader) read() (kind byte, p []byte, err error) {
	var head [5]byte
	if _, err := io.ReadFull(b.in, head[:]); err != nil {
		return 0, nil, unread(err)
	}

	size := binary.BigEndian.Uint32(head[1:])
	if size > maxFrame {
		return 0, nil, damaged("a frame of %d bytes", size)
	}

	p = make([]byte, size)
	if _, err := io.ReadFull(b.in, p); err != nil {
		return 0, nil, unread(err)
	}

	if head[0] != endFrame {
		b.sum.Write(head[:])
		b.sum.Write(p)
	}
	return head[0], p, nil
}

// after moves on to a stage, and reports whether what comes there may come now.
func (b *Reader) after(stage int) error {
	if stage < b.stage {
		return damaged("its parts are not in their order")
	}
	b.stage = stage
	return nil
}

func (b *Reader) file(p []byte) (Item, error) {
	if err := b.after(0); err != nil {
		return Item{}, err
	}
	if len(p) < 2 || len(p) < 2+int(binary.BigEndian.Uint16(p)) {
		return Item{}, damaged("a file without a path")
	}
	n := 2 + int(binary.BigEndian.Uint16(p))
	b.got.Files++
	return Item{Path: string(p[2:n]), Data: p[n:]}, nil
}

func (b *Reader) record(p []byte) (Item, error) {
	if err := b.after(1); err != nil {
		return Item{}, err
	}

	const fixed = 8 + 8 + 16 + 2
	if len(p) < fixed || len(p) < fixed+int(p[32])+int(p[33]) {
		return Item{}, damaged("a record of %d bytes", len(p))
	}

	b.got.Records++
	var r eventstore.Recorded
	r.Position = eventstore.Position(binary.BigEndian.Uint64(p))
	r.Revision = eventstore.Revision(binary.BigEndian.Uint64(p[8:]))
	r.ID = eventstore.EventID(p[16:32])
	name, kind, rest := int(p[32]), int(p[33]), p[fixed:]
	r.Stream, r.Type, r.Data = eventstore.Stream(rest[:name]), string(rest[name:name+kind]), rest[name+kind:]
	return Item{Record: &r}, nil
}

func (b *Reader) row(p []byte) (Item, error) {
	if err := b.after(2); err != nil {
		return Item{}, err
	}
	if len(p) < 4 || uint64(len(p)-4) < uint64(binary.BigEndian.Uint32(p)) {
		return Item{}, damaged("a row without a key")
	}
	b.got.Rows++
	n := 4 + int(binary.BigEndian.Uint32(p))
	return Item{Row: &eventstore.Row{Key: p[4:n:n], Value: p[n:]}}, nil
}

// end holds what was read against what was written.
func (b *Reader) end(p []byte) error {
	var want Total
	if err := json.Unmarshal(p, &want); err != nil {
		return damaged("its end is no JSON")
	}
	b.got.SHA256 = hex.EncodeToString(b.sum.Sum(nil))
	if b.got != want {
		return damaged("it holds %d files, %d records and %d rows, and says %d, %d and %d, or other bytes of them",
			b.got.Files, b.got.Records, b.got.Rows, want.Files, want.Records, want.Rows)
	}
	if _, err := b.in.ReadByte(); !errors.Is(err, io.EOF) {
		return damaged("there is more behind its end, or its last bytes are not what was written")
	}
	return io.EOF
}

// Total returns what was read so far.
func (b *Reader) Total() Total { return b.got }
