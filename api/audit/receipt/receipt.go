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
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/url"
	"time"

	"consentledger/api/audit/bundle"
	"consentledger/domain"
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

// A Consent is what a receipt is of.
type Consent struct {
	App    domain.App
	Policy domain.PolicyPublished // the version that was agreed to
	Entry  codec.Entry            // of a [domain.ConsentGiven]
	Proof  []byte                 // a tlog-proof with the record in it
	Key    string                 // the log's verifier key
	Parts  []bundle.Part          // what is shown; nil: nothing

	// Document is the policy's document as it was published, byte for byte.
	Document []byte
}

// An evidence is what makes a receipt verify. It is a member of its own in
// every form.
type evidence struct {
	Proof  string        `json:"proof"`  // c2sp.org/tlog-proof@v1
	Policy string        `json:"policy"` // the document whose hash the record names
	Parts  []bundle.Part `json:"parts,omitempty"`
}

// Write returns a receipt in a form.
func Write(form string, c Consent) ([]byte, error) {
	given, ok := c.Entry.Event.(domain.ConsentGiven)
	if !ok {
		return nil, fmt.Errorf("the record is a %s: receipts are of consents given", c.Entry.Kind())
	}
	if sha256.Sum256(c.Document) != given.Version {
		return nil, fmt.Errorf("the document is not the policy %s, which was agreed to", given.Version)
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
	return evidence{base64.StdEncoding.EncodeToString(c.Proof), string(c.Document), c.Parts}
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

// textURL is where the text that was shown can be read.
func textURL(given domain.ConsentGiven) string {
	if given.Text == (domain.Hash{}) {
		return ""
	}
	return "/v1/blobs/" + url.PathEscape(given.Text.String())
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

// seconds returns when a yes counts from: the later of its two times.
func seconds(e codec.Entry) int64 { return int64(max(e.At, e.Recorded)) / 1000 }

func instant(seconds int64) string { return time.Unix(seconds, 0).UTC().Format(time.RFC3339) }
