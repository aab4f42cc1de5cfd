// Package erasure makes and verifies certificates that a person was erased.
//
// A certificate holds two records of an app's log, each with the proof that it was in the
// log when the log was signed: that the erasure was ordered, and that it was done. So what
// it says was signed by the log's key, and whoever verifies it needs that key and nothing
// else. Its file is JSON:
//
//	certificate  "consentledger.erasure.v1"; v2 if a proof was kept
//	says         what the ledger did, in fixed words
//	ordered      c2sp.org/tlog-proof@v1 with the record erasure.ordered
//	erased       the same of subject.erased
//	destruction  of v2, once the proof is destroyed: the same of destruction.ordered
//	destroyed    the same of proof.destroyed
//
// Where a law asks for proof of consent, an order to erase keeps one (see
// [domain.KeptProof]). Then the certificate says what is kept; for which duty and up to which
// day stands in the record that it holds. Nobody who knows v1 alone takes it for an erasure
// without a rest.
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

// Name is what a certificate calls itself, and NameKept one of an erasure that kept a proof.
const (
	Name     = "consentledger.erasure.v1"
	NameKept = "consentledger.erasure.v2"
)

// Says is what a certificate says, and all of it. What the law calls the result is not for
// the ledger to say.
const Says = "The ledger has deleted the data key of the person whom these records name, everything that was sealed " +
	"under it, and the keyed hashes by which outside ids led to the person. The records of the log stay. They hold " +
	"no personal text, and keyed digests whose keys are deleted. Copies outside of the running ledger, such as " +
	"backups that were made before, and what other systems hold, are not part of this statement."

// SaysKept is what it says of a person of whom a proof is kept.
const SaysKept = "The ledger has deleted the data key of the person whom these records name, everything that was " +
	"sealed under it, and the keyed hashes by which outside ids led to the person, but for one thing. It keeps a " +
	"proof that the person agreed, refused or withdrew: the outside id by which the app knew the person, and what " +
	"the person said with each of these answers. It is sealed under a key of its own, and found by other keyed " +
	"hashes of the person's ids. Until it is destroyed, whoever opens it knows who the person was. It is stored and " +
	"used for nothing else; it is opened by a recorded decision of two principals alone. The record erasure.ordered " +
	"says for which duty and law it is kept, and what its last day is. The records of the log stay. They hold no " +
	"personal text, and keyed digests whose keys are deleted or are in the proof. Copies outside of the running " +
	"ledger, such as backups that were made before, and what other systems hold, are not part of this statement."

// SaysDestroyed is what it says once that proof is destroyed.
const SaysDestroyed = "The ledger has deleted the data key of the person whom these records name, everything that " +
	"was sealed under it, and the keyed hashes by which outside ids led to the person. It kept a proof that the " +
	"person agreed, refused or withdrew, for the duty that the record erasure.ordered names. Now it has deleted the " +
	"key of that proof, the proof, and the keyed hashes by which it was found. The records of the log stay. They " +
	"hold no personal text, and keyed digests whose keys are deleted. Copies outside of the running ledger, such as " +
	"backups that were made before, and what other systems hold, are not part of this statement."

// Max is the largest certificate, in bytes.
const Max = 4*merkle.MaxProof + 8192

// A Certificate is what is handed out.
type Certificate struct {
	Certificate string `json:"certificate"`
	Says        string `json:"says"`
	Ordered     string `json:"ordered"`
	Erased      string `json:"erased"`
	Destruction string `json:"destruction,omitzero"`
	Destroyed   string `json:"destroyed,omitzero"`
}

// New returns a certificate made of two proofs. Nothing is verified.
func New(ordered, erased []byte) Certificate {
	c := Certificate{Certificate: Name, Says: Says, Ordered: string(ordered), Erased: string(erased)}
	if keepsProof(ordered) {
		c.Certificate, c.Says = NameKept, SaysKept
	}
	return c
}

// AndDestroyed returns the certificate of the same person once the proof is destroyed.
func (c Certificate) AndDestroyed(destruction, destroyed []byte) Certificate {
	c.Says, c.Destruction, c.Destroyed = SaysDestroyed, string(destruction), string(destroyed)
	return c
}

// keepsProof reports whether the order in a proof keeps one. Of what cannot be read nothing
// is said: it verifies nowhere.
func keepsProof(ordered []byte) bool {
	p, err := merkle.ParseProof(ordered)
	if err != nil || p.Extra == nil {
		return false
	}
	e, err := Read(p.Extra)
	order, is := e.Event.(domain.ErasureOrdered)
	return err == nil && is && order.Proof != (domain.KeptProof{})
}

// Parse reads a certificate, and verifies nothing. What this version does not know is
// refused: it could say more than was signed.
func Parse(text []byte) (c Certificate, err error) {
	if err := json.Unmarshal(text, &c, json.RejectUnknownMembers(true)); err != nil {
		return c, errors.New("it is not a certificate of an erasure: want JSON with certificate, says, ordered and " +
			"erased, each once")
	}
	want := Says
	switch {
	case c.Certificate != Name && c.Certificate != NameKept:
		return c, fmt.Errorf("it calls itself %.80q: this program knows %q and %q", c.Certificate, Name, NameKept)
	case c.Certificate == NameKept && c.Destruction+c.Destroyed != "":
		want = SaysDestroyed
	case c.Certificate == NameKept:
		want = SaysKept
	case c.Destruction+c.Destroyed != "":
		return c, errors.New("it says that a proof was destroyed, and is of an erasure that kept none")
	}
	if c.Says != want {
		return c, errors.New("it says something else than certificates do: only what the records say is signed")
	}
	return c, nil
}

// Proofs returns the proofs that it holds.
func (c Certificate) Proofs() []string {
	if c.Destruction == "" {
		return []string{c.Ordered, c.Erased}
	}
	return []string{c.Ordered, c.Erased, c.Destruction, c.Destroyed}
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

	Kept        domain.KeptProof // the proof that was kept; zero: none was
	Destruction eventstore.EventID
	DestroyedBy [2]string        // who ordered to destroy it; empty: its last day was over, or it is kept
	Destroyed   deadline.Instant // zero: it is kept
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
	if (order.Proof != domain.KeptProof{}) != (c.Certificate == NameKept) {
		return s, errors.New("it does not say of what is kept what the order says")
	}
	s = Statement{
		App: ordered.Stream.App, Person: ordered.Stream.ID, Reason: order.Reason, By: order.By, Order: ordered.ID,
		Ordered: ordered.Recorded, Erased: erased.Recorded, Log: cp, Kept: order.Proof,
	}
	if c.Destruction+c.Destroyed == "" {
		return s, nil
	}
	return s, c.verifyDestroyed(&s, ordered.Stream, v, origin)
}

// verifyDestroyed adds to a statement that the proof is destroyed.
func (c Certificate) verifyDestroyed(s *Statement, of ident.StreamID, v note.Verifier, origin string) error {
	destruction, _, err := prove(c.Destruction, v, origin)
	if err != nil {
		return fmt.Errorf("that it was ordered to destroy the proof: %w", err)
	}
	destroyed, cp, err := prove(c.Destroyed, v, origin)
	if err != nil {
		return fmt.Errorf("that the proof is destroyed: %w", err)
	}

	order, is := destruction.Event.(domain.DestructionOrdered)
	if !is {
		return fmt.Errorf("that it was ordered to destroy the proof: the record is of the type %s", destruction.Type)
	}
	done, is := destroyed.Event.(domain.ProofDestroyed)
	if !is {
		return fmt.Errorf("that the proof is destroyed: the record is of the type %s", destroyed.Type)
	}
	if destruction.Stream != of || destroyed.Stream != of || eventstore.EventID(done.Order) != destruction.ID {
		return errors.New("the records are not of one person's proof")
	}
	s.Destruction, s.DestroyedBy, s.Destroyed = destruction.ID, order.By, destroyed.Recorded
	if cp.Size > s.Log.Size {
		s.Log = cp
	}
	return nil
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
