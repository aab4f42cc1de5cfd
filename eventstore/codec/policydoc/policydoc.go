// Package policydoc writes and reads a policy document as canonical JSON (RFC
// 8785). The names below are on disk and under published hashes: a name or a
// meaning that changes needs a new schema and shapes of its own, beside these.
//
// What is empty, false, zero or none is not written, and absent means that.
package policydoc

import (
	"crypto/sha256"
	"fmt"

	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/policy"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Schema names the shape of a document that [Marshal] writes.
const Schema = "policy/1"

// Marshal returns d as canonical JSON: the same bytes for the same document.
func Marshal(d policy.Document) ([]byte, error) {
	b, err := json.Marshal(fromDomain(d), json.WithMarshalers(marshalers))
	if err != nil {
		return nil, fmt.Errorf("policy document %q: %w", d.Name, err)
	}
	v := jsontext.Value(b)
	if err := v.Canonicalize(); err != nil {
		return nil, fmt.Errorf("policy document %q: %w", d.Name, err)
	}
	return v, nil
}

// Unmarshal reads what [Marshal] writes. It refuses names that it does not
// know: to skip them would be to lose them. It does not check the document.
// A document of the wrong shape gives a *json.SemanticError that says where.
func Unmarshal(b []byte) (policy.Document, error) {
	var d documentV1
	err := json.Unmarshal(b, &d, json.WithUnmarshalers(unmarshalers), json.RejectUnknownMembers(true))
	if err != nil {
		return policy.Document{}, fmt.Errorf("policy document: %w", err)
	}
	if d.Schema != Schema {
		return policy.Document{}, fmt.Errorf("policy document: schema %q, want %q", d.Schema, Schema)
	}
	return d.toDomain(), nil
}

// UnmarshalPurposes reads of a document what it says of its purposes: who handles
// data, the purposes, categories and recipients, and the rights. The rest is not
// read, and nobody is told if it is not as it should be: it is for documents that
// are known by their hash, where half the time counts.
func UnmarshalPurposes(b []byte) (policy.Document, error) {
	var d struct {
		Schema     string        `json:"schema"`
		Handler    handlerV1     `json:"handler"`
		Purposes   []purposeV1   `json:"purposes"`
		Categories []categoryV1  `json:"categories"`
		Recipients []recipientV1 `json:"recipients"`
		Rights     []rightV1     `json:"rights"`
	}
	if err := json.Unmarshal(b, &d, json.WithUnmarshalers(unmarshalers)); err != nil {
		return policy.Document{}, fmt.Errorf("policy document: %w", err)
	}
	if d.Schema != Schema {
		return policy.Document{}, fmt.Errorf("policy document: schema %q, want %q", d.Schema, Schema)
	}

	return documentV1{Handler: d.Handler, Purposes: d.Purposes, Categories: d.Categories, Recipients: d.Recipients,
		Rights: d.Rights}.toDomain(), nil
}

// Hash returns the SHA-256 of d as [Marshal] writes it. It is for a document
// about to be stored; what is stored is verified by its stored bytes.
func Hash(d policy.Document) (content.Hash, error) {
	b, err := Marshal(d)
	if err != nil {
		return content.Hash{}, err
	}
	return sha256.Sum256(b), nil
}

// Values that are written as text, by the pairs that the domain has for them.
var (
	marshalers = json.JoinMarshalers(
		write(policy.ParseAction), write(policy.ParseLegalBasis), write(policy.ParseConsentKind),
		write(policy.ParseTextForce), write(policy.ParseChannelKind), write(policy.ParseChannelUse),
		write(deadline.ParseUnit), write(deadline.ParseDirection),
		write(deadline.ParseRoll), write(deadline.ParseResult), write(content.ParseHash), write(policy.ParseCheckLog),
		write(policy.ParseDutyEach),
	)
	unmarshalers = json.JoinUnmarshalers(
		read(policy.ParseAction), read(policy.ParseLegalBasis), read(policy.ParseConsentKind),
		read(policy.ParseTextForce), read(policy.ParseChannelKind), read(policy.ParseChannelUse),
		read(deadline.ParseUnit), read(deadline.ParseDirection),
		read(deadline.ParseRoll), read(deadline.ParseResult), read(content.ParseHash), read(policy.ParseCheckLog),
		read(policy.ParseDutyEach),
	)
)

// write writes a value as its text, and fails if that text could not be read.
func write[T fmt.Stringer](parse func(string) (T, error)) *json.Marshalers {
	return json.MarshalToFunc(func(enc *jsontext.Encoder, v T) error {
		s := v.String()
		if _, err := parse(s); err != nil {
			return fmt.Errorf("%q: %w", s, err)
		}
		return enc.WriteToken(jsontext.String(s))
	})
}

// read reads a value from its text.
func read[T any](parse func(string) (T, error)) *json.Unmarshalers {
	return json.UnmarshalFromFunc(func(dec *jsontext.Decoder, v *T) error {
		token, err := dec.ReadToken()
		if err != nil {
			return err
		}
		if token.Kind() != '"' {
			_, err := parse("")
			return err
		}
		parsed, err := parse(token.String())
		if err != nil {
			return err
		}
		*v = parsed
		return nil
	})
}
