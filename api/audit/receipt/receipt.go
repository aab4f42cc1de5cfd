// Package receipt writes what a person said, in forms that others read: the
// Kantara Initiative's Consent Receipt 1.1, and a consent record of ISO/IEC TS
// 27560:2023 in JSON-LD with the words of the Data Privacy Vocabulary. Either
// carries the proof that the record is in the log, so that it verifies without a
// server, and, for the person, the keys of the commitments to their own words.
//
// A receipt is of a grant, a refusal or a withdrawal. It says of a grant what kind
// it is and what it does not cover, and of every purpose where the person stands
// when the receipt is made, which may be another place than where the record put
// them. The record proves the first; the second is the ledger's word, and whoever
// verifies is told so. If the record was found to be a mistake since, the receipt
// names the void, and the answer counts for nothing: that is of the third edition.
// A grant that one use uses up, and one that an import brought, say so: that is of
// the fourth. All else is still written in the second, which older programs verify.
//
// What a form wants and nobody said is left out: nothing is made up. Neither form
// was checked by its publisher. Receipts of the first edition, which said less,
// are written no more and verify for ever.
package receipt

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/url"
	"time"

	"consentledger/api/audit/bundle"
	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/policy"
	"consentledger/domain/published"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// The forms of a receipt.
const (
	Kantara = "kantara"
	ISO     = "iso27560"
)

// The editions of receipts that are written. The first had no number, the third is
// of those that name a void, and the fourth of those that say more of a grant, voided
// or not.
const (
	edition       = 2
	editionVoided = 3
	editionGrant  = 4
)

// A Consent is what a receipt is of.
type Consent struct {
	App    domain.App
	Policy published.Policy // the version that was answered; zero: the record names none
	Entry  codec.Entry      // of a grant, a refusal or a withdrawal
	Proof  []byte           // a tlog-proof with the record in it
	Key    string           // the log's verifier key
	Parts  []bundle.Part    // what is shown; nil: nothing

	// Document is the policy's document as it was published, byte for byte; nil
	// if the record names none.
	Document []byte

	State *State // what holds now; nil: nothing is said of it

	before bool // it is of an edition before the fourth
}

// An evidence is what makes a receipt verify. It is a member of its own in
// every form.
type evidence struct {
	Edition int           `json:"edition,omitzero"`
	Proof   string        `json:"proof"`           // c2sp.org/tlog-proof@v1
	Policy  string        `json:"policy,omitzero"` // the document whose hash the record names
	Parts   []bundle.Part `json:"parts,omitempty"`
	State   *State        `json:"state,omitempty"`
}

// evidence1 is that of the first edition.
type evidence1 struct {
	Proof  string        `json:"proof"`
	Policy string        `json:"policy"`
	Parts  []bundle.Part `json:"parts,omitempty"`
}

// Write returns a receipt in a form.
func Write(form string, c Consent) ([]byte, error) {
	a, ok := answerOf(c.Entry)
	if !ok {
		return nil, fmt.Errorf("the record is a %s: receipts are of consents given, refused and withdrawn",
			c.Entry.Kind())
	}
	if a.Version != (content.Hash{}) && sha256.Sum256(c.Document) != a.Version {
		return nil, fmt.Errorf("the document is not the policy %s, which was answered", a.Version)
	}
	if c.State.voided() != nil {
		a = a.asMistake()
	}
	if c.before {
		a.Once, a.Import = false, false
	}

	switch form {
	case Kantara:
		return marshal(c.kantara(a))
	case ISO:
		a.Import = false // the level of the evidence says so, in every edition
		return marshal(c.iso(a))
	}
	return nil, fmt.Errorf("the form is one of %s, %s", Kantara, ISO)
}

// write1 returns a receipt of the first edition.
func write1(form string, c Consent, given domain.ConsentGiven) ([]byte, error) {
	if form == Kantara {
		return marshal(c.kantara1(given))
	}
	return marshal(c.iso1(given))
}

func marshal(v any) ([]byte, error) {
	return json.Marshal(v, json.Deterministic(true), jsontext.WithIndent("  "))
}

func (c Consent) evidence(a answer) evidence {
	return evidence{c.edition(a), base64.StdEncoding.EncodeToString(c.Proof), string(c.Document), c.Parts, c.State}
}

// edition returns the edition that a receipt is written in.
func (c Consent) edition(a answer) int {
	if a.Once || a.Import {
		return editionGrant
	}
	return c.State.edition()
}

func (c Consent) evidence1() evidence1 {
	return evidence1{base64.StdEncoding.EncodeToString(c.Proof), string(c.Document), c.Parts}
}

// purposes returns the purposes of a grant that count, as the policy has them.
func (c Consent) purposes(given domain.ConsentGiven) []policy.Purpose {
	var list []policy.Purpose
	for _, i := range given.Items {
		if p, ok := c.Policy.Document.Purpose(i.Purpose); ok && i.Short == "" {
			list = append(list, p)
		}
	}
	return list
}

// textURL is where the text that was shown can be read.
func textURL(given domain.ConsentGiven) string { return blobURL(given.Text) }

// blobURL is where a text can be read; empty: no text is known.
func blobURL(h content.Hash) string {
	if h == (content.Hash{}) {
		return ""
	}
	return "/v1/blobs/" + url.PathEscape(h.String())
}

// read decodes the record of an answer.
func read(record []byte) (codec.Entry, answer, error) {
	var name struct{ ID, Type, Stream string }
	if err := json.Unmarshal(record, &name, json.MatchCaseInsensitiveNames(true)); err != nil {
		return codec.Entry{}, answer{}, err
	}

	id, err := eventstore.ParseEventID(name.ID)
	if err != nil {
		return codec.Entry{}, answer{}, err
	}

	e, err := codec.Decode(eventstore.Recorded{Record: eventstore.Record{ID: id, Type: name.Type, Data: record},
		Stream: eventstore.Stream(name.Stream)})
	if err != nil {
		return e, answer{}, err
	}

	a, ok := answerOf(e)
	if !ok {
		return e, a, fmt.Errorf("the record is a %s, not an answer of a person", e.Kind())
	}
	return e, a, nil
}

// seconds returns when a grant counts from: the later of its two times.
func seconds(e codec.Entry) int64 { return int64(max(e.At, e.Recorded)) / 1000 }

func instant(seconds int64) string { return time.Unix(seconds, 0).UTC().Format(time.RFC3339) }
