package problems

import (
	"bytes"
	"html/template"
)

// page needs nothing from elsewhere: it is read where nothing else is reached.
var page = template.Must(template.New("problem").Parse(`<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{{.Code}}</title>
<h1>{{.Code}}</h1>
<p>{{if .Status}}HTTP {{.Status}}. {{end}}<code>urn:consentledger:problem:{{.Code}}</code>
<h2>What it means</h2>
<p>{{.Means}}
<h2>What to do</h2>
<p>{{.Do}}
<p><a href="/v1/errors">Every code</a>
`))

// Page returns the page of a code.
func (r ErrorCode) Page() []byte {
	var b bytes.Buffer
	if err := page.Execute(&b, r); err != nil {
		panic("problems: a row makes no page: " + err.Error()) // it is part of the program
	}
	return b.Bytes()
}
