package audit

import (
	"crypto/hmac"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/refusal"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/vault"
	"consentledger/projections/transparency/merkle"

	"github.com/go-json-experiment/json"
	"golang.org/x/mod/sumdb/note"
)

// MaxOpened is the size of the largest opened proof that is read, in bytes.
const MaxOpened = 64 << 20

// ParseOpened reads a proof that was opened, and verifies nothing. What this version does not
// know is refused: it could say more than was signed.
func ParseOpened(text []byte) (o ProofOpened, err error) {
	if err := json.Unmarshal(text, &o, json.RejectUnknownMembers(true)); err != nil {
		return o, errors.New("it is not a proof that was opened: want the JSON that kept-proof open gives, whole and " +
			"with nothing behind it")
	}
	if _, err := ident.ParseAppName(o.App); err != nil {
		return o, fmt.Errorf("app: %w", err)
	}
	if _, err := vault.ParsePseudonym(o.Person); err != nil {
		return o, fmt.Errorf("person: %w", err)
	}
	if len(o.Parts) == 0 {
		return o, errors.New("parts: it holds no text, so that it shows nothing")
	}
	return o, nil
}

// A PartVerified is what became of one text of an opened proof that was verified. The members
// behind Wrong are known as far as the record could be read.
type PartVerified struct {
	Event string
	Role  string
	Wrong error // why it shows nothing; nil: the person's history has this text

	Kind     string // of the record
	Recorded deadline.Instant
	Index    int64
	Log      merkle.Checkpoint
	Signed   []byte // the note of the checkpoint, with whatever signatures it carries
}

// Verify holds every text against its record: the record was in the log when v signed it, it
// is of this person's history, and its commitment is the HMAC of the text under the opening.
// V and origin are what the verifier knew before. What Verify does not show is who decided to
// disclose it, and that the person said nothing else: neither is in it.
func (o ProofOpened) Verify(v note.Verifier, origin string) (all []PartVerified) {
	seen := map[[2]string]bool{}
	for _, part := range o.Parts {
		is := PartVerified{Event: part.Event, Role: part.Role}
		is.Wrong = is.verify(o, part, v, origin)
		if is.Wrong == nil {
			of := [2]string{part.Event, part.Role}
			if seen[of] {
				is.Wrong = errors.New("it is there twice")
			}
			seen[of] = true
		}
		all = append(all, is)
	}
	return all
}

func (is *PartVerified) verify(o ProofOpened, part ProofPart, v note.Verifier, origin string) error {
	p, err := merkle.ParseProof([]byte(part.Record))
	if err != nil {
		return err
	}
	if p.Extra == nil {
		return errors.New("the proof does not hold the record")
	}
	if is.Log, err = p.Verify(p.Extra, v, origin); err != nil {
		return err
	}
	is.Index, is.Signed = p.Index, p.Checkpoint

	e, err := entryOf(p.Extra)
	if err != nil {
		return fmt.Errorf("the record: %w", err)
	}
	is.Kind, is.Recorded = e.Kind(), e.Recorded
	if want := ident.SubjectStream(ident.AppName(o.App), o.Person); e.Stream != want {
		return errors.New("the record is not of the history of this person")
	}
	if id, err := eventstore.ParseEventID(part.Event); err != nil || id != e.ID {
		return fmt.Errorf("the record is %s, and not the event that is named", e.ID)
	}
	return holds(e, part)
}

// holds reports an error unless a record commits to a text.
func holds(e codec.Entry, part ProofPart) error {
	i := slices.IndexFunc(e.Parts, func(p codec.Part) bool { return p.Role == part.Role && p.Ref == e.Stream.ID })
	if i < 0 {
		return fmt.Errorf("the record has no part %s of this person", refusal.Quote(part.Role))
	}

	var opening [32]byte
	key, err := hex.DecodeString(part.Opening)
	if err != nil || len(key) != len(opening) {
		return errors.New("opening: want 64 hex digits, the key of the commitment")
	}
	copy(opening[:], key)
	is, want := vault.Commitment(opening, []byte(part.Text)), e.Parts[i].Commitment
	if !hmac.Equal(is[:], want[:]) {
		return errors.New("the text or the opening is not the one that the record commits to")
	}
	return nil
}
