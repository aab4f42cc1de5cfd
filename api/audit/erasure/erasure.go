// Package erasure makes and verifies certificates that a person was erased.
//
// A certificate holds two records of an app's log, each with the proof that it was in the
// log when the log was signed: that the erasure was ordered, and that it was done. So what
// it says was signed by the log's key, and whoever verifies it needs that key and nothing
// else. Its file is JSON:
//
//	certificate  "consentledger.erasure.v1"
//	says         what the ledger did, in fixed words
//	ordered      c2sp.org/tlog-proof@v1 with the record erasure.ordered
//	erased       the same of subject.erased
//
// A certificate names the person by the random pseudonym of their history, which their own
// receipts carry, too. Outside ids are in it only as keyed digests, whose keys are gone.
package erasure

import (
	"errors"
	"fmt"

	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/projections/transparency/merkle"

	"github.com/go-json-experiment/json"
	"golang.org/x/mod/sumdb/note"
)

// Name is what a certificate calls itself.
const Name = "consentledger.erasure.v1"

// Says is what a certificate says, and all of it. What the law calls the result is not for
// the ledger to say.
const Says = "The ledger has deleted the data key of the person whom these records name, everything that was sealed " +
	"under it, and the keyed hashes by which outside ids led to the person. The records of the log stay. They hold " +
	"no personal text, and keyed digests whose keys are deleted. Copies outside of the running ledger, such as " +
	"backups that were made before, and what other systems hold, are not part of this statement."

// Max is the largest certificate, in bytes.
const Max = 2*merkle.MaxProof + 4096

// A Certificate is what is handed out.
type Certificate struct {
	Certificate string `json:"certificate"`
	Says        string `json:"says"`
	Ordered     string `json:"ordered"`
	Erased      string `json:"erased"`
}

// New returns a certificate made of two proofs. Nothing is verified.
func New(ordered, erased []byte) Certificate {
	return Certificate{Certificate: Name, Says: Says, Ordered: string(ordered), Erased: string(erased)}
}

// Parse reads a certificate, and verifies nothing. What this version does not know is
// refused: it could say more than was signed.
func Parse(text []byte) (c Certificate, err error) {
	if err := json.Unmarshal(text, &c, json.RejectUnknownMembers(true)); err != nil {
		return c, errors.New("it is not a certificate of an erasure: want JSON with certificate, says, ordered and " +
			"erased, each once")
	}
	switch {
	case c.Certificate != Name:
		return c, fmt.Errorf("it calls itself %.80q: this program knows %q", c.Certificate, Name)
	case c.Says != Says:
		return c, errors.New("it says something else than certificates do: only what the records say is signed")
	}
	return c, nil
}

// A Statement is what a certificate proves.
type Statement struct {
	App     ident.AppName
	Person  string // the pseudonym
	Reason  string // a code
	By      [2]string
	Order   eventstore.EventID
	Ordered deadline.Instant // when it was recorded that it was ordered
	Erased  deadline.Instant // and that it was done
	Log     merkle.Checkpoint
}

// Verify returns what a certificate proves to somebody who knew the log's key and origin
// before.
func (c Certificate) Verify(v note.Verifier, origin string) (s Statement, err error) {
	ordered, _, err := prove(c.Ordered, v, origin)
	if err != nil {
		return s, fmt.Errorf("that it was ordered: %w", err)
	}
	erased, cp, err := prove(c.Erased, v, origin)
	if err != nil {
		return s, fmt.Errorf("that it was done: %w", err)
	}

	order, is := ordered.Event.(domain.ErasureOrdered)
	if !is {
		return s, fmt.Errorf("that it was ordered: the record is of the type %s", ordered.Type)
	}
	done, is := erased.Event.(domain.SubjectErased)
	if !is {
		return s, fmt.Errorf("that it was done: the record is of the type %s", erased.Type)
	}
	if erased.Stream != ordered.Stream || eventstore.EventID(done.Order) != ordered.ID {
		return s, errors.New("the two records are not of one erasure")
	}
	return Statement{
		App: ordered.Stream.App, Person: ordered.Stream.ID, Reason: order.Reason, By: order.By, Order: ordered.ID,
		Ordered: ordered.Recorded, Erased: erased.Recorded, Log: cp,
	}, nil
}

// prove returns the record that a proof holds.
func prove(text string, v note.Verifier, origin string) (e codec.Entry, cp merkle.Checkpoint, err error) {
	p, err := merkle.ParseProof([]byte(text))
	if err != nil {
		return e, cp, err
	}
	if p.Extra == nil {
		return e, cp, errors.New("the proof does not hold the record")
	}
	if cp, err = p.Verify(p.Extra, v, origin); err != nil {
		return e, cp, err
	}
	e, err = Read(p.Extra)
	return e, cp, err
}

// Read reads a record as the log has it.
func Read(record []byte) (codec.Entry, error) {
	var is struct {
		ID     string `json:"id"`
		Stream string `json:"stream"`
		Type   string `json:"type"`
	}
	if err := json.Unmarshal(record, &is); err != nil {
		return codec.Entry{}, errors.New("the record is no JSON")
	}

	id, err := eventstore.ParseEventID(is.ID)
	if err != nil {
		return codec.Entry{}, err
	}

	r := eventstore.Recorded{Record: eventstore.Record{ID: id, Type: is.Type, Data: record},
		Stream: eventstore.Stream(is.Stream), Revision: 1, Position: 1}
	return codec.Decode(r)
}
