package policyfile

import (
	"bytes"
	"crypto/sha256"
	"encoding/pem"
	"errors"
	"fmt"

	"consentledger/domain/content"
	"consentledger/eventstore/codec/surfacedoc"

	"github.com/go-json-experiment/json"
)

// A SurfaceFile is a surface as people write it, on its way to the ledger.
type SurfaceFile struct {
	Policy string // of which policy the screen is about a version
	JSON   []byte // the surface/1 document; without a version if the file names none

	// Pictures are those that the file names, by their hashes.
	Pictures map[content.Hash][]byte

	tree map[string]any
}

// HasVersion reports whether the file names the version of the policy.
func (s SurfaceFile) HasVersion() bool { return s.tree["version"] != nil }

// WithVersion returns the surface about a version of its policy.
func (s SurfaceFile) WithVersion(version string) (SurfaceFile, error) {
	s.tree["version"] = version
	body, err := json.Marshal(s.tree, json.Deterministic(true))
	s.JSON = body
	return s, err
}

// Surface reads the surface file called name: YAML or JSON of the schema surface/1.
// It asks open for the texts, the pictures and the certificate that the file names,
// whose hashes take their places. The error joins an [Error] for everything that is wrong.
func Surface(name string, file []byte, open func(path string) ([]byte, error)) (SurfaceFile, error) {
	p := &parsed{texts: map[content.Hash][]byte{}}
	file = bytes.TrimPrefix(file, byteOrderMark)
	if e, is := errors.AsType[*Error](Bound(file)); is {
		p.fail(e.Line, e.Column, "syntax", "%s", e.Message)
		return SurfaceFile{}, p.errors(name)
	}
	tree, ok := p.tree(file)
	if !ok {
		return SurfaceFile{}, p.errors(name)
	}

	p.surfaceFiles(tree, open)
	if len(p.findings) > 0 {
		return SurfaceFile{}, p.errors(name)
	}
	body, err := json.Marshal(tree, json.Deterministic(true), json.WithMarshalers(json.MarshalFunc(noFloat)))
	if err != nil {
		p.misfit(err)
		return SurfaceFile{}, p.errors(name)
	}
	if _, err := surfacedoc.Unmarshal(body); err != nil {
		p.misfit(err)
	}
	if len(p.findings) > 0 {
		return SurfaceFile{}, p.errors(name)
	}

	policy, _ := tree["policy"].(string)
	return SurfaceFile{Policy: policy, JSON: body, Pictures: p.texts, tree: tree}, nil
}

// surfaceFiles puts the hash of every file that a surface names in its place.
func (p *parsed) surfaceFiles(tree map[string]any, open func(path string) ([]byte, error)) {
	p.replace(tree, "", "certificate", "signing", certificate, open)
	list, _ := tree["locales"].([]any)
	for i, item := range list {
		if locale, ok := item.(map[string]any); ok {
			at := fmt.Sprintf("/locales/%d", i)
			p.replace(locale, at, "file", "text", sha256Of, open)
			p.replace(locale, at, "picture", "screenshot", p.keepPicture, open)
		}
	}
}

// replace puts the hash of the file that a member names into another member.
func (p *parsed) replace(members map[string]any, pointer, from, to string, hash func([]byte) content.Hash,
	open func(path string) ([]byte, error)) {
	path, ok := members[from].(string)
	if !ok {
		return // the shape will say so, if it is there
	}
	body, err := open(path)
	if err != nil {
		p.failAt(pointer+"/"+from, "file", "%q cannot be read: %v", path, err)
		return
	}
	is := hash(body).String()
	if said, both := members[to]; both && said != is {
		p.failAt(pointer+"/"+to, "file", "%q has the hash %s", path, is)
		return
	}
	delete(members, from)
	members[to] = is
}

func sha256Of(b []byte) content.Hash { return sha256.Sum256(b) }

// keepPicture returns the hash of a picture, and keeps the picture.
func (p *parsed) keepPicture(file []byte) content.Hash {
	hash := sha256Of(file)
	p.texts[hash] = file
	return hash
}

// certificate returns the hash of a certificate, by which stores of apps and
// operating systems know it: that of its DER bytes, also where the file is PEM.
func certificate(file []byte) content.Hash {
	if block, _ := pem.Decode(file); block != nil {
		return sha256.Sum256(block.Bytes)
	}
	return sha256.Sum256(file)
}

// misfit reports what keeps a tree from being a surface.
func (p *parsed) misfit(err error) {
	e, ok := errors.AsType[*json.SemanticError](err)
	switch {
	case !ok:
		p.failAt("/schema", "shape", "%v", errors.Unwrap(err))
	case errors.Is(e.Err, json.ErrUnknownName):
		line, column := p.at.findKey(string(e.JSONPointer))
		p.fail(line, column, "shape", "%s", Unknown(e.JSONPointer, surfacedoc.Fields))
	case e.Err != nil:
		p.failAt(string(e.JSONPointer), "shape", "%v", e.Err)
	default:
		p.failAt(string(e.JSONPointer), "shape", "%s wants %s", e.JSONPointer.LastToken(), wanted(e.GoType))
	}
}

// errors returns what keeps the file from being a surface.
func (p *parsed) errors(name string) error {
	var errs []error
	for _, f := range p.findings {
		if f.Message == notAMap {
			f.Message = `a surface is one YAML map, beginning with "schema: surface/1"; consentledger surface new writes one`
		}
		errs = append(errs, &Error{name, f.Line, f.Column, f.Message})
	}
	return errors.Join(errs...)
}
