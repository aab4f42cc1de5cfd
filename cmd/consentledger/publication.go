package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"consentledger/api/policyfile"
	"consentledger/eventstore/codec/policydoc"
)

// A publication is the body of POST /v1/apps/{app}/policies.
type publication struct {
	Document  json.RawMessage   `json:"document"`
	Texts     map[string]string `json:"texts"`
	Effective string            `json:"effective,omitempty"`
	Material  []string          `json:"material,omitempty"`
	Stale     []string          `json:"stale,omitempty"`
}

// readPolicy reads a policy file and the texts it names. A file with errors is
// not for publishing.
func readPolicy(name string, file []byte, open func(string) ([]byte, error)) (publication, error) {
	var wrong []string
	for _, f := range policyfile.Lint(file, open) {
		if f.Severity == policyfile.SeverityError {
			wrong = append(wrong, place(name, f)+": "+f.Message)
		}
	}
	if len(wrong) > 0 {
		return publication{}, errors.New(strings.Join(wrong, "\n"))
	}
	doc, texts, err := policyfile.Parse(name, file, open)
	if err != nil {
		return publication{}, err
	}
	p := publication{Texts: map[string]string{}}
	for h, text := range texts {
		p.Texts[h.String()] = string(text)
	}
	p.Document, err = policydoc.Marshal(doc)
	return p, err
}

func place(file string, f policyfile.Finding) string {
	return fmt.Sprintf("%s:%d:%d", file, f.Line, f.Column)
}
