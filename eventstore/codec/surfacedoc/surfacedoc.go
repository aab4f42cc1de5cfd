// Package surfacedoc writes and reads a surface as canonical JSON (RFC 8785).
// The names below are on disk and under published hashes, like those of
// package policydoc.
package surfacedoc

import (
	"crypto/sha256"
	"fmt"
	"reflect"

	"consentledger/domain/content"
	"consentledger/domain/policy"
	"consentledger/domain/surface"
	"consentledger/eventstore/codec/shape"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Schema names the shape of a surface that [Marshal] writes.
const Schema = "surface/1"

// The shapes of schema surface/1, members in the order that RFC 8785 wants.
type (
	surfaceV1 struct {
		Approver  string      `json:"approver" must:"yes" doc:"who looked at the screen; not whoever publishes it"`
		Build     string      `json:"build" must:"yes" doc:"the version of the app, as in 5.2.1+1203"`
		Controls  []controlV1 `json:"controls" must:"yes" doc:"what a person can touch"`
		Locales   []localeV1  `json:"locales" must:"yes" doc:"what the screen shows, by language"`
		NoRefusal bool        `json:"no_refusal,omitzero" doc:"no control refuses: that weakens every consent; left out: one does"`
		Policy    string      `json:"policy" must:"yes" doc:"the name of the policy that the screen is about"`
		Schema    string      `json:"schema" must:"yes" doc:"names this shape: surface/1"`
		Screen    string      `json:"screen" must:"yes" doc:"names the screen: 1 to 64 of a-z, 0-9 and \"-\""`
		Signing   hashText    `json:"signing,omitzero" doc:"the hash of the certificate that the build is signed with; a file names the certificate instead"`
		Version   hashText    `json:"version" doc:"the version of the policy; a file that leaves it out means the one in force when it is published"`
	}
	localeV1 struct {
		Locale     string            `json:"locale" must:"yes" doc:"a language tag, as in zh-CN"`
		Screenshot hashText          `json:"screenshot,omitzero" doc:"the hash of a picture of the screen"`
		Strings    map[string]string `json:"strings,omitempty" doc:"the words of the labels, by their keys"`
		Text       hashText          `json:"text,omitzero" doc:"the hash of the text that the screen shows or leads to; a file names the text by file instead"`
	}
	controlV1 struct {
		Act      string             `json:"act,omitzero" doc:"the act of the policy that touching it is; needed unless it refuses"`
		ID       string             `json:"id" must:"yes" doc:"names the control: 1 to 64 of a-z, 0-9 and \"-\""`
		Initial  stateText          `json:"initial" must:"yes" doc:"what it shows before it is touched; ticked is no consent"`
		Label    string             `json:"label,omitzero" must:"yes" doc:"the key of its words in strings"`
		Purposes []policy.PurposeID `json:"purposes,omitempty" doc:"the purposes that a consent by it is about; left out: those of the act"`
		Refuses  bool               `json:"refuses,omitzero" doc:"touching it refuses"`
		Steps    int                `json:"steps,omitzero" doc:"how many touches away from the screen it is; left out: it is on it"`
	}
)

// What is written as a text and is none: a hash, and the state of a control.
type (
	hashText  string
	stateText string
)

// Shape returns the type of a surface as it is written, for package shape.
func Shape() reflect.Type { return reflect.TypeFor[surfaceV1]() }

// Fields returns the names that a surface may have at a JSON pointer; none where it
// has no names.
func Fields(pointer string) []string { return shape.Fields(Shape(), pointer) }

// Choices returns the texts that a value of a type of the surface may be written as;
// none for a type that is no enumeration.
func Choices(t reflect.Type) []string {
	if t == reflect.TypeFor[stateText]() {
		return shape.Choices(surface.ParseState)
	}
	return nil
}

// Pattern returns the regular expression that a value of a type matches; empty where
// none says it.
func Pattern(t reflect.Type) string {
	if t == reflect.TypeFor[hashText]() {
		return `^sha256:[0-9a-f]{64}$`
	}
	return ""
}

// Marshal returns s as canonical JSON: the same bytes for the same surface.
func Marshal(s surface.Surface) (jsontext.Value, error) {
	shape := surfaceV1{
		Approver: s.Approver, Build: s.Build, Policy: s.Policy, Schema: Schema, Screen: s.Screen,
		Signing: hash(s.Signing), Version: hash(s.Version), NoRefusal: s.NoRefusal,
	}
	for _, c := range s.Controls {
		shape.Controls = append(shape.Controls,
			controlV1{
				Act:      string(c.Act),
				ID:       string(c.ID),
				Initial:  stateText(c.Initial.String()),
				Label:    c.Label,
				Purposes: c.Purposes,
				Refuses:  c.Refuses,
				Steps:    c.Steps,
			})
	}

	for _, l := range s.Locales {
		strings := map[string]string{}
		for _, x := range l.Strings {
			strings[x.Key] = x.Text
		}
		shape.Locales = append(shape.Locales, localeV1{
			Locale:     l.Locale,
			Screenshot: hash(l.Screenshot),
			Strings:    strings,
			Text:       hash(l.Text),
		})
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
func Unmarshal(b []byte) (surface.Surface, error) {
	var shape surfaceV1
	if err := json.Unmarshal(b, &shape, json.RejectUnknownMembers(true)); err != nil {
		return surface.Surface{}, fmt.Errorf("surface: %w", err)
	}
	if shape.Schema != Schema {
		return surface.Surface{}, fmt.Errorf("surface: schema %q, want %q", shape.Schema, Schema)
	}
	s, err := shape.surface()
	if err != nil {
		return surface.Surface{}, fmt.Errorf("surface: %w", err)
	}
	return s, nil
}

// Hash returns the SHA-256 of s as [Marshal] writes it.
func Hash(s surface.Surface) (content.Hash, error) {
	b, err := Marshal(s)
	return sha256.Sum256(b), err
}

func (v surfaceV1) surface() (s surface.Surface, err error) {
	s = surface.Surface{Build: v.Build, Screen: v.Screen, Policy: v.Policy, Approver: v.Approver,
		NoRefusal: v.NoRefusal}
	if s.Signing, err = parse("signing", v.Signing); err != nil {
		return s, err
	}
	if s.Version, err = parse("version", v.Version); err != nil {
		return s, err
	}

	for i, c := range v.Controls {
		state, err := surface.ParseState(string(c.Initial))
		if err != nil {
			return s, fmt.Errorf("controls[%d].initial: %w", i, err)
		}
		s.Controls = append(s.Controls, surface.Control{
			ID: surface.ControlID(c.ID), Label: c.Label, Act: policy.ActID(c.Act), Purposes: c.Purposes, Initial: state,
			Refuses: c.Refuses, Steps: c.Steps,
		})
	}

	for i, l := range v.Locales {
		x := surface.Locale{Locale: l.Locale}
		if x.Text, err = parse(fmt.Sprintf("locales[%d].text", i), l.Text); err != nil {
			return s, err
		}
		if x.Screenshot, err = parse(fmt.Sprintf("locales[%d].screenshot", i), l.Screenshot); err != nil {
			return s, err
		}
		for _, f := range policy.Fields(l.Strings) {
			x.Strings = append(x.Strings, surface.String{Key: f.Name, Text: f.Value})
		}
		s.Locales = append(s.Locales, x)
	}
	return s, nil
}

func hash(h content.Hash) hashText {
	if h == (content.Hash{}) {
		return ""
	}
	return hashText(h.String())
}

func parse(where string, s hashText) (content.Hash, error) {
	if s == "" {
		return content.Hash{}, nil
	}
	h, err := content.ParseHash(string(s))
	if err != nil {
		return h, fmt.Errorf("%s: %w", where, err)
	}
	return h, nil
}
