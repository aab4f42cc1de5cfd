// Package surfacedoc writes and reads a surface as canonical JSON (RFC 8785).
// The names below are on disk and under published hashes, like those of
// package policydoc.
package surfacedoc

import (
	"crypto/sha256"
	"fmt"

	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/policy"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Schema names the shape of a surface that [Marshal] writes.
const Schema = "surface/1"

// The shapes of schema surface/1, members in the order that RFC 8785 wants.
type (
	surfaceV1 struct {
		Approver  string      `json:"approver"`
		Build     string      `json:"build"`
		Controls  []controlV1 `json:"controls"`
		Locales   []localeV1  `json:"locales"`
		NoRefusal bool        `json:"no_refusal,omitzero"`
		Policy    string      `json:"policy"`
		Schema    string      `json:"schema"`
		Screen    string      `json:"screen"`
		Signing   string      `json:"signing,omitzero"`
		Version   string      `json:"version"`
	}
	localeV1 struct {
		Locale     string            `json:"locale"`
		Screenshot string            `json:"screenshot,omitzero"`
		Strings    map[string]string `json:"strings,omitempty"`
		Text       string            `json:"text,omitzero"`
	}
	controlV1 struct {
		Act      string             `json:"act,omitzero"`
		ID       string             `json:"id"`
		Initial  string             `json:"initial"`
		Label    string             `json:"label,omitzero"`
		Purposes []policy.PurposeID `json:"purposes,omitempty"`
		Refuses  bool               `json:"refuses,omitzero"`
		Steps    int                `json:"steps,omitzero"`
	}
)

// Marshal returns s as canonical JSON: the same bytes for the same surface.
func Marshal(s domain.Surface) (jsontext.Value, error) {
	shape := surfaceV1{
		Approver: s.Approver, Build: s.Build, Policy: s.Policy, Schema: Schema, Screen: s.Screen,
		Signing: hash(s.Signing), Version: hash(s.Version), NoRefusal: s.NoRefusal,
	}
	for _, c := range s.Controls {
		shape.Controls = append(shape.Controls, controlV1{string(c.Act), string(c.ID), c.Initial.String(), c.Label, c.Purposes, c.Refuses, c.Steps})
	}
	for _, l := range s.Locales {
		strings := map[string]string{}
		for _, x := range l.Strings {
			strings[x.Key] = x.Text
		}
		shape.Locales = append(shape.Locales, localeV1{l.Locale, hash(l.Screenshot), strings, hash(l.Text)})
	}
	b, err := json.Marshal(shape, json.Deterministic(true))
	v := jsontext.Value(b)
	if err == nil {
		err = v.Canonicalize()
	}
	if err != nil {
		return nil, fmt.Errorf("surface %q: %w", s.Screen, err)
	}
	return v, nil
}

// Unmarshal reads what [Marshal] writes, and nothing else.
func Unmarshal(b []byte) (domain.Surface, error) {
	var shape surfaceV1
	if err := json.Unmarshal(b, &shape, json.RejectUnknownMembers(true)); err != nil {
		return domain.Surface{}, fmt.Errorf("surface: %w", err)
	}
	if shape.Schema != Schema {
		return domain.Surface{}, fmt.Errorf("surface: schema %q, want %q", shape.Schema, Schema)
	}
	s, err := shape.surface()
	if err != nil {
		return domain.Surface{}, fmt.Errorf("surface: %w", err)
	}
	return s, nil
}

// Hash returns the SHA-256 of s as [Marshal] writes it.
func Hash(s domain.Surface) (content.Hash, error) {
	b, err := Marshal(s)
	return sha256.Sum256(b), err
}

func (v surfaceV1) surface() (s domain.Surface, err error) {
	s = domain.Surface{Build: v.Build, Screen: v.Screen, Policy: v.Policy, Approver: v.Approver, NoRefusal: v.NoRefusal}
	if s.Signing, err = parse("signing", v.Signing); err != nil {
		return s, err
	}
	if s.Version, err = parse("version", v.Version); err != nil {
		return s, err
	}
	for i, c := range v.Controls {
		state, err := domain.ParseControlState(c.Initial)
		if err != nil {
			return s, fmt.Errorf("controls[%d].initial: %w", i, err)
		}
		s.Controls = append(s.Controls, domain.Control{
			ID: domain.ControlID(c.ID), Label: c.Label, Act: policy.ActID(c.Act), Purposes: c.Purposes, Initial: state, Refuses: c.Refuses, Steps: c.Steps,
		})
	}
	for i, l := range v.Locales {
		x := domain.SurfaceLocale{Locale: l.Locale}
		if x.Text, err = parse(fmt.Sprintf("locales[%d].text", i), l.Text); err != nil {
			return s, err
		}
		if x.Screenshot, err = parse(fmt.Sprintf("locales[%d].screenshot", i), l.Screenshot); err != nil {
			return s, err
		}
		for _, f := range domain.Fields(l.Strings) {
			x.Strings = append(x.Strings, domain.LabelledString{Key: f.Name, Text: f.Value})
		}
		s.Locales = append(s.Locales, x)
	}
	return s, nil
}

func hash(h content.Hash) string {
	if h == (content.Hash{}) {
		return ""
	}
	return h.String()
}

func parse(where, s string) (content.Hash, error) {
	if s == "" {
		return content.Hash{}, nil
	}
	h, err := content.ParseHash(s)
	if err != nil {
		return h, fmt.Errorf("%s: %w", where, err)
	}
	return h, nil
}
