package rest

import (
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// tagged is the note of a GET whose answer has an ETag.
const tagged = "tagged"

// untagged are answers as of a position that have none: they are streams, or every one of
// them leaves a record of what it showed.
var untagged = map[string]bool{"newest-records": true, "show-proposal": true}

// alike are answers that say no position, and stay the same for long.
var alike = map[string]bool{
	"get-app": true, "get-policy": true, "get-surface": true, "get-schema": true, "get-blob": true,
	"get-asyncapi": true,
}

// listing is how the name of an operation begins that answers with a list.
const listing = "list-"

// isListed reports whether an operation is a list by GET: whoever shows one asks for it again
// and again.
func isListed(method, id string) bool {
	return method == http.MethodGet && strings.HasPrefix(id, listing)
}

// describeTag says of a GET whether whoever has its answer may ask for it only if it
// changed: of every list, of every answer that is as of a position, and of those that seldom change.
func describeTag(doc *huma.OpenAPI, op *huma.Operation, method string) {
	if method != http.MethodGet || untagged[op.OperationID] || op.Metadata[records] == true {
		return
	}
	answer := op.Responses["200"]
	json := answer.Content["application/json"]
	if !isListed(method, op.OperationID) && !alike[op.OperationID] && !saysPosition(doc, json) {
		return
	}

	if op.Metadata == nil {
		op.Metadata = map[string]any{}
	}
	op.Metadata[tagged] = true
	tag := map[string]*huma.Param{"ETag": {
		Description: "of this answer: another one has another tag", Schema: &huma.Schema{Type: huma.TypeString},
	}}
	if answer.Headers == nil {
		answer.Headers = map[string]*huma.Param{}
	}
	answer.Headers["ETag"] = tag["ETag"]
	op.Responses["304"] = &huma.Response{
		Description: "The answer is as it was: If-None-Match has its tag", Headers: tag,
	}
	op.Parameters = append(op.Parameters, &huma.Param{
		Name: "If-None-Match", In: "header", Schema: &huma.Schema{Type: huma.TypeString},
		Description: "the ETag of an answer that is known: as long as it is the same, 304 says so",
	})
}

// saysPosition reports whether an answer says as of which position it is.
func saysPosition(doc *huma.OpenAPI, media *huma.MediaType) bool {
	if media == nil || media.Schema == nil {
		return false
	}
	schema := media.Schema
	if schema.Ref != "" {
		schema = doc.Components.Schemas.SchemaFromRef(schema.Ref)
	}
	return schema.Properties["as_of"] != nil
}

// answerTagged answers with an ETag, or that what is known is still so. The tag is of the bytes:
// an answer as of a position says it, so that another position is another tag. A position alone
// would be none: what is late, or has run out, depends on the moment too, and what is shown on
// who asks. So such an answer is held; a list is a page of a thousand rows at most, and a register
// is held anyway, since its rows are counted together before the first is written.
func answerTagged(w http.ResponseWriter, r *http.Request, h http.Handler) {
	answer := &taggedAnswer{heldAnswer: heldAnswer{header: http.Header{}, status: http.StatusOK}, to: w}
	h.ServeHTTP(answer, r)
	if answer.file {
		return
	}

	if answer.status == http.StatusOK {
		etag := answer.header.Get("ETag")
		if etag == "" {
			sum := sha256.Sum256(answer.body.Bytes())
			etag = `"` + base64.RawURLEncoding.EncodeToString(sum[:18]) + `"`
			answer.header.Set("ETag", etag)
		}
		if isKnown(r.Header.Values("If-None-Match"), etag) {
			answer.status = http.StatusNotModified
			answer.body.Reset()
			answer.header.Del("Content-Type")
		}
	}
	answer.copyTo(w)
}

// Handler returns a handler of the route that answers as its description says: a list has an ETag.
func (d Described) Handler(h http.Handler) http.Handler {
	if method, _, _ := strings.Cut(d.Pattern, " "); !isListed(method, d.ID) {
		return h
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { answerTagged(w, r, h) })
}

// A taggedAnswer is held until its tag is known, unless it is a file: that is sent while
// it is made, and has no tag.
type taggedAnswer struct {
	heldAnswer
	to   http.ResponseWriter
	file bool
}

func (a *taggedAnswer) Write(b []byte) (int, error) {
	if !a.file && a.status == http.StatusOK && a.header.Get("Content-Disposition") != "" {
		a.file = true
		maps.Copy(a.to.Header(), a.header)
	}
	if a.file {
		return a.to.Write(b)
	}
	return a.heldAnswer.Write(b)
}

// Unwrap lets a deadline of the connection be set.
func (a *taggedAnswer) Unwrap() http.ResponseWriter { return a.to }

// isKnown reports whether a list of tags holds one, as RFC 9110 compares them for a GET.
func isKnown(lists []string, etag string) bool {
	for _, list := range lists {
		for known := range strings.SplitSeq(list, ",") {
			if known = strings.TrimSpace(known); known == "*" || strings.TrimPrefix(known, "W/") == etag {
				return true
			}
		}
	}
	return false
}
