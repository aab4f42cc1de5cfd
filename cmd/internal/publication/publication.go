// Package publication reads a policy file as it is sent to be published.
package publication

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"consentledger/api/policyfile"
	"consentledger/cmd/internal/files"
	"consentledger/eventstore/codec/policydoc"
)

// A Publication is the body of POST /v1/apps/{app}/policies.
type Publication struct {
	Document  json.RawMessage   `json:"document"`
	Texts     map[string]string `json:"texts"`
	Effective string            `json:"effective,omitempty"`
	Material  []string          `json:"material,omitempty"`
	Stale     []string          `json:"stale,omitempty"`
}

// Read reads a policy file and the texts it names. A file with errors is
// not for publishing.
func Read(name string, file []byte, open func(string) ([]byte, error)) (Publication, error) {
	var wrong []string
	for _, f := range policyfile.Lint(file, open) {
		if f.Severity == policyfile.SeverityError {
			wrong = append(wrong, Place(name, f)+": "+f.Message)
		}
	}

	if len(wrong) > 0 {
		return Publication{}, errors.New(strings.Join(wrong, "\n"))
	}

	doc, texts, err := policyfile.Parse(name, file, open)
	if err != nil {
		return Publication{}, err
	}

	p := Publication{Texts: map[string]string{}}
	for h, text := range texts {
		p.Texts[h.String()] = string(text)
	}

	p.Document, err = policydoc.Marshal(doc)
	return p, err
}

// Place says where in a file a finding is.
func Place(file string, f policyfile.Finding) string {
	return fmt.Sprintf("%s:%d:%d", file, f.Line, f.Column)
}

// Beside opens the texts that a policy file names, relative to it.
func Beside(name string) func(string) ([]byte, error) {
	return func(path string) ([]byte, error) {
		if !filepath.IsLocal(path) {
			return nil, fmt.Errorf("%s is not below the policy file's folder", path)
		}
		return files.ReadOwnFile(filepath.Join(filepath.Dir(name), path), files.MaxInput)
	}
}
