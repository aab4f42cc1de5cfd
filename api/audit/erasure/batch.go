package erasure

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"

	"consentledger/domain"

	"github.com/go-json-experiment/json"
	"golang.org/x/mod/sumdb/note"
)

// BatchName is what a certificate of many erasures calls itself, and BatchNameKept what one does
// of which some kept a proof, so that its first line does not say of all that nothing is
// kept. Its file has a line of JSON
// that says of what it is, and then the certificate of each person, a line each. Every line
// is proved by itself; how many there are is told so that a file that was cut is seen.
const (
	BatchName     = "consentledger.erasures.v1"
	BatchNameKept = "consentledger.erasures.v2"
)

// SaysEach is what the first line says where some kept a proof.
const SaysEach = "Each line that follows is the certificate of one person. It says what the ledger has deleted, and " +
	"whether it keeps a proof that the person agreed, refused or withdrew, under which law and up to which day."

// A Batch is the first line of a certificate of many erasures.
type Batch struct {
	Certificate string `json:"certificate"`
	Says        string `json:"says"`
	App         string `json:"app"`
	Job         string `json:"job"`
	Persons     int64  `json:"persons"` // whose lines follow
}

// NewBatch returns the first line of the certificate of a job. Kept: of somebody a proof is
// kept.
func NewBatch(app, job string, persons int64, kept bool) Batch {
	b := Batch{Certificate: BatchName, Says: Says, App: app, Job: job, Persons: persons}
	if kept {
		b.Certificate, b.Says = BatchNameKept, SaysEach
	}
	return b
}

// ParseBatch reads the first line of a certificate of many.
func ParseBatch(line []byte) (b Batch, err error) {
	if err := json.Unmarshal(line, &b, json.RejectUnknownMembers(true)); err != nil {
		return b, errors.New("its first line is not that of a certificate of erasures")
	}
	switch {
	case b.Certificate != BatchName && b.Certificate != BatchNameKept:
		return b, fmt.Errorf("it calls itself %.80q: this program knows %q, %q and %q", b.Certificate, Name, BatchName,
			BatchNameKept)
	case b.Says != map[string]string{BatchName: Says, BatchNameKept: SaysEach}[b.Certificate]:
		return b, errors.New("it says something else than certificates do: only what the records say is signed")
	case b.Persons < 0:
		return b, errors.New("it is of fewer persons than none")
	}
	return b, nil
}

// VerifyBatch yields what each line of a certificate of many proves, to somebody who knew
// the log's key and origin before. A person who stands there twice, somebody of another
// app, and a file that was cut are errors.
func VerifyBatch(r io.Reader, v note.Verifier, origin string) iter.Seq2[Proved, error] {
	return func(yield func(Proved, error) bool) {
		lines := bufio.NewScanner(r)
		lines.Buffer(nil, Max)
		if !lines.Scan() {
			yield(Proved{}, errors.Join(errors.New("it is empty"), lines.Err()))
			return
		}
		head, err := ParseBatch(lines.Bytes())
		if err != nil {
			yield(Proved{}, err)
			return
		}

		seen := map[string]bool{}
		for n := int64(1); lines.Scan(); n++ {
			p, err := head.verify(lines.Bytes(), v, origin, seen)
			if err != nil {
				yield(Proved{}, fmt.Errorf("person %d: %w", n, err))
				return
			}
			if !yield(p, nil) {
				return
			}
		}
		if err := lines.Err(); err != nil {
			yield(Proved{}, err)
			return
		}
		if int64(len(seen)) != head.Persons {
			yield(Proved{}, fmt.Errorf("it has %d persons and says that it is of %d: it was cut, or lines were added",
				len(seen), head.Persons))
		}
	}
}

// A Proved is one line of a certificate of many, and what it proves.
type Proved struct {
	Statement
	Certificate Certificate
}

func (b Batch) verify(line []byte, v note.Verifier, origin string, seen map[string]bool) (p Proved, err error) {
	if p.Certificate, err = Parse(line); err != nil {
		return p, err
	}
	if p.Statement, err = p.Certificate.Verify(v, origin); err != nil {
		return p, err
	}

	switch {
	case b.Certificate == BatchName && p.Kept != domain.KeptProof{}:
		return p, errors.New("a proof of the person is kept, and the first line says that nothing is")
	case string(p.App) != b.App:
		return p, errors.New("the erasure is of another app")
	case seen[p.Person]:
		return p, errors.New("the person is there twice")
	}

	seen[p.Person] = true
	return p, nil
}
