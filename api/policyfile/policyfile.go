// Package policyfile reads a policy as people write it: a YAML file with the
// names of package policydoc, and beside it the texts that it names.
//
//	texts:
//	  - {locale: en, standing: sample, file: smartkey.en.txt}
//
// The file stands for its hash. Everything else is the document as it is
// stored. Anchors and aliases are refused: a policy is read by strangers.
package policyfile

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"
	_ "time/tzdata" // a policy means the same on every machine

	"consentledger/api/wire/tag"
	"consentledger/domain/content"
	"consentledger/domain/policy"
	"consentledger/eventstore/codec/policydoc"

	"github.com/go-json-experiment/json"
	"github.com/goccy/go-yaml"
)

// An Error says where a policy file is wrong, and what would be right.
type Error struct {
	Name         string
	Line, Column int
	Message      string
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.Name, e.Line, e.Column, e.Message)
}

// Parse reads the policy file called name. It asks open for the texts that the
// file names, and returns them whole, by their hash. The error joins an [Error]
// for everything that is wrong with the file, as far as it could be read.
func Parse(
	name string, file []byte, open func(path string) ([]byte, error),
) (policy.Document, map[content.Hash][]byte, error) {
	p := parse(file, open)
	var errs []error
	for _, f := range p.findings {
		errs = append(errs, &Error{name, f.Line, f.Column, f.Message})
	}
	if len(errs) > 0 {
		return policy.Document{}, nil, errors.Join(errs...)
	}
	return p.doc, p.texts, nil
}

// A parsed is a file on its way to a document. Findings holds what keeps it
// from being one.
type parsed struct {
	at       positions
	doc      policy.Document
	texts    map[content.Hash][]byte
	findings []Finding
}

func (p *parsed) fail(line, column int, code, format string, args ...any) {
	p.findings = append(p.findings, Finding{line, column, SeverityError, code, fmt.Sprintf(format, args...)})
}

func (p *parsed) failAt(pointer, code, format string, args ...any) {
	line, column := p.at.find(pointer)
	p.fail(line, column, code, format, args...)
}

// parse goes on as long as it makes sense: bytes, tree, texts, shape, document.
func parse(file []byte, open func(path string) ([]byte, error)) *parsed {
	p := &parsed{texts: map[content.Hash][]byte{}}
	file = bytes.TrimPrefix(file, byteOrderMark)
	if e, is := errors.AsType[*Error](Bound(file)); is {
		p.fail(e.Line, e.Column, "syntax", "%s", e.Message)
		return p
	}

	tree, ok := p.tree(file)
	if !ok {
		return p
	}

	p.readTexts(tree, open)
	if len(p.findings) > 0 {
		return p
	}

	p.shape(tree)
	if len(p.findings) > 0 {
		return p
	}

	for _, problem := range p.doc.Check() {
		p.failAt(pointerOf(problem.Path), "document", "%s %s", problem.Path, problem.Message)
	}

	for i, t := range p.doc.Texts {
		if t.Locale != "" && !tag.IsLocale(t.Locale) {
			p.failAt(fmt.Sprintf("/texts/%d/locale", i), "document", "locale is a language tag, as in zh-CN")
		}
	}

	if _, err := time.LoadLocation(p.doc.TimeZone); err != nil {
		p.failAt("/timezone", "document", `timezone is a name of the IANA database, as in "Asia/Shanghai"`)
	}
	return p
}

// tree reads the YAML as maps and lists, and keeps where everything stood.
func (p *parsed) tree(file []byte) (map[string]any, bool) {
	at, err := locate(file)
	var tree map[string]any
	if err == nil {
		p.at = at
		err = yaml.UnmarshalWithOptions(file, &tree, yaml.Strict())
	}
	if err == nil {
		return tree, tree != nil
	}

	line, column, message := 1, 1, err.Error()
	if y, ok := errors.AsType[yaml.Error](err); ok {
		message = y.GetMessage()
		if token := y.GetToken(); token != nil {
			line, column = token.Position.Line, token.Position.Column
		}
	}
	if e, ok := errors.AsType[*Error](err); ok {
		line, column, message = e.Line, e.Column, e.Message
	}

	p.fail(line, column, "syntax", "%s", message)
	return nil, false
}

// readTexts puts the hash of every text in the place of its file.
func (p *parsed) readTexts(tree map[string]any, open func(path string) ([]byte, error)) {
	list, _ := tree["texts"].([]any)
	for i, item := range list {
		text, ok := item.(map[string]any)
		if !ok {
			continue // the shape will say so
		}
		pointer := fmt.Sprintf("/texts/%d", i)
		path, ok := text["file"].(string)
		if !ok {
			p.failAt(pointer, "text", "a text names its file, as in {locale: en, standing: authoritative, file: "+
				"policy.en.txt}")
			continue
		}
		body, err := open(path)
		if err != nil {
			p.failAt(pointer+"/file", "text", "%q cannot be read: %v", path, err)
			continue
		}
		hash := content.Hash(sha256.Sum256(body))
		if want, ok := text["hash"]; ok && want != hash.String() {
			p.failAt(pointer+"/hash", "text", "%q has the hash %s", path, hash)
			continue
		}
		delete(text, "file")
		text["hash"] = hash.String()
		p.texts[hash] = body
	}
}

// noFloat refuses a number with a point or an exponent: YAML reads it as a
// float64, which is not always the number that is written.
func noFloat(float64) ([]byte, error) {
	return nil, errors.New("is a number with a point or an exponent: write a whole number, or a text in quotes")
}

// shape makes the tree a document, by way of the JSON it has on disk.
func (p *parsed) shape(tree map[string]any) {
	b, err := json.Marshal(tree, json.WithMarshalers(json.MarshalFunc(noFloat)))
	if err == nil {
		p.doc, err = policydoc.Unmarshal(b)
	}
	if err == nil {
		return
	}

	e, ok := errors.AsType[*json.SemanticError](err)
	switch {
	case !ok:
		p.failAt("/schema", "shape", "%v", err)
	case errors.Is(e.Err, json.ErrUnknownName):
		line, column := p.at.findKey(string(e.JSONPointer))
		p.fail(line, column, "shape", "%s", Unknown(e.JSONPointer, policydoc.Fields))
	case e.Err != nil:
		p.failAt(string(e.JSONPointer), "shape", "%v", e.Err)
	default:
		p.failAt(string(e.JSONPointer), "shape", "%s wants %s", e.JSONPointer.LastToken(), wanted(e.GoType))
	}
}
