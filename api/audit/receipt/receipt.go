// Package receipt writes what a person was given when they agreed, in forms
// that others read: the Kantara Initiative's Consent Receipt 1.1, and a consent
// record of ISO/IEC TS 27560:2023 in JSON-LD with the words of the Data Privacy
// Vocabulary. Either carries the proof that the record is in the log, so that
// it verifies without a server, and, for the person, the keys of the
// commitments to their own words.
//
// What a form wants and the policy does not say is an empty text: nothing is
// made up. Neither form was checked by its publisher.
package receipt

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"consentledger/api/audit/bundle"
	"consentledger/domain"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/projections/transparency/merkle"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/mod/sumdb/note"
)

// The forms of a receipt.
const (
	Kantara = "kantara"
	ISO     = "iso27560"
)

// A Consent is what a receipt is of.
type Consent struct {
	App     domain.App
	Policy  domain.PolicyPublished // the version that was agreed to
	Entry   codec.Entry            // of a [domain.ConsentGiven]
	Proof   []byte                 // a tlog-proof with the record in it
	Key     string                 // the log's verifier key
	Parts   []bundle.Part          // what is shown; nil: nothing
	TextURL string                 // where the text that was shown can be read
}

// An evidence is what makes a receipt verify. It is a member of its own in
// every form.
type evidence struct {
	Proof string        `json:"proof"` // c2sp.org/tlog-proof@v1
	Parts []bundle.Part `json:"parts,omitempty"`
}

// Write returns a receipt in a form.
func Write(form string, c Consent) ([]byte, error) {
	given, ok := c.Entry.Event.(domain.ConsentGiven)
	if !ok {
		return nil, fmt.Errorf("the record is a %s: receipts are of consents given", c.Entry.Kind())
	}
	var v any
	switch form {
	case Kantara:
		v = c.kantara(given)
	case ISO:
		v = c.iso(given)
	default:
		return nil, fmt.Errorf("the form is one of %s, %s", Kantara, ISO)
	}
	return json.Marshal(v, json.Deterministic(true), jsontext.WithIndent("  "))
}

func (c Consent) evidence() evidence {
	return evidence{base64.StdEncoding.EncodeToString(c.Proof), c.Parts}
}

// given returns the purposes that count, as the policy has them.
func (c Consent) purposes(given domain.ConsentGiven) []domain.Purpose {
	var list []domain.Purpose
	for _, i := range given.Items {
		if p, ok := c.Policy.Document.Purpose(i.Purpose); ok && i.Short == "" {
			list = append(list, p)
		}
	}
	return list
}

// A Verified is a receipt that verified.
type Verified struct {
	Checkpoint merkle.Checkpoint
	Index      int64
	ID         string
	Recorded   domain.Instant
	Purposes   []string
}

// Verify checks a receipt of either form: its record is in the log of this
// origin, signed by v, which are the verifier's own knowledge, and what the
// receipt says of when, who and what for is what the record says.
func Verify(text []byte, v note.Verifier, origin string) (*Verified, error) {
	var shape struct {
		Evidence evidence `json:"consentledger"`
	}
	if err := json.Unmarshal(text, &shape); err != nil || shape.Evidence.Proof == "" {
		return nil, errors.New("is no receipt of ours: it has no proof")
	}
	proof, err := base64.StdEncoding.Strict().DecodeString(shape.Evidence.Proof)
	if err != nil {
		return nil, errors.New("the proof is not base64")
	}
	p, err := merkle.ParseProof(proof)
	if err != nil {
		return nil, err
	}
	cp, err := p.Verify(p.Extra, v, origin)
	if err != nil {
		return nil, err
	}
	e, given, err := read(p.Extra)
	if err != nil {
		return nil, err
	}
	if err := bundle.CheckParts(p.Extra, shape.Evidence.Parts); err != nil {
		return nil, err
	}
	want := recorded(e, given)
	got, err := claims(text)
	if err != nil {
		return nil, err
	}
	if err := got.equal(want); err != nil {
		return nil, err
	}
	return &Verified{cp, p.Index, want.id, e.Recorded, want.purposes}, nil
}

// read decodes a record of consent.
func read(record []byte) (codec.Entry, domain.ConsentGiven, error) {
	var name struct{ ID, Type, Stream string }
	if err := json.Unmarshal(record, &name, json.MatchCaseInsensitiveNames(true)); err != nil {
		return codec.Entry{}, domain.ConsentGiven{}, err
	}
	id, err := eventstore.ParseEventID(name.ID)
	if err != nil {
		return codec.Entry{}, domain.ConsentGiven{}, err
	}
	e, err := codec.Decode(eventstore.Recorded{Record: eventstore.Record{ID: id, Type: name.Type, Data: record}, Stream: eventstore.Stream(name.Stream)})
	if err != nil {
		return e, domain.ConsentGiven{}, err
	}
	given, ok := e.Event.(domain.ConsentGiven)
	if !ok {
		return e, given, fmt.Errorf("the record is a %s, not a consent", e.Kind())
	}
	return e, given, nil
}

// says is what a receipt claims that a record can show.
type says struct {
	id, subject, version string
	at                   int64 // seconds
	purposes             []string
}

// recorded returns what a record shows.
func recorded(e codec.Entry, given domain.ConsentGiven) says {
	s := says{e.ID.String(), e.Stream.ID, given.Version.String(), seconds(e), nil}
	for _, i := range given.Items {
		if i.Short == "" {
			s.purposes = append(s.purposes, string(i.Purpose))
		}
	}
	slices.Sort(s.purposes)
	return s
}

// seconds returns when a yes counts from: the later of its two times.
func seconds(e codec.Entry) int64 { return int64(max(e.At, e.Recorded)) / 1000 }

func instant(seconds int64) string { return time.Unix(seconds, 0).UTC().Format(time.RFC3339) }

func (s says) equal(want says) error {
	slices.Sort(s.purposes)
	switch {
	case s.id != want.id:
		return errors.New("the receipt is of another record than its proof")
	case s.subject != want.subject:
		return errors.New("the receipt names another person than the record")
	case s.at != want.at:
		return fmt.Errorf("the receipt says %s, the record %s", instant(s.at), instant(want.at))
	case s.version != want.version:
		return errors.New("the receipt names another version of the policy than the record")
	case !slices.Equal(s.purposes, want.purposes):
		return fmt.Errorf("the receipt is for %s, the record for %s", strings.Join(s.purposes, ", "), strings.Join(want.purposes, ", "))
	}
	return nil
}
