package edge

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A Route is what a route takes.
type Route struct {
	Query   []string // names of parameters that have a value
	Flags   []string // names of parameters that are there, or are not
	Headers []string // those of ours, and only those are looked at
	Events  bool     // it takes CloudEvents, and says itself what is wrong with the headers beside them
	Types   []string // of a body, as the description lists them; none: it takes none
	Records bool     // a GET leaves a record of what was read
	Tagged  bool     // its answer has an ETag

	NoDryRun string // why a command has no dry run; empty: it has one, or is a question
}

// DryRun is the parameter by which a command is asked what it would do.
const DryRun = "dry_run"

// Check refuses what the route does not take, or would not see: names that it
// does not know or that stand twice, values that are empty, a body that is not
// JSON. After it every reader of the request reads the same. The error is a
// [Refused].
func (t Route) Check(r *http.Request) error {
	if t.Records && r.Method == http.MethodHead {
		no := refuse(http.StatusMethodNotAllowed,
			"what a GET shows here is recorded, and a HEAD shows nothing: ask with GET")
		no.Allow = http.MethodGet
		return no
	}
	if err := t.checkHeaders(r.Header); err != nil {
		return err
	}
	if err := t.checkQuery(r); err != nil {
		return err
	}
	return t.checkBody(r)
}

// single are headers that have one value, beside those of ours and of
// CloudEvents. Who sends two means one of them, and the next proxy another.
var single = []string{"Authorization", "Content-Type", "Idempotency-Key", "Origin", "Sec-Fetch-Site"}

func (t Route) checkHeaders(h http.Header) error {
	for _, name := range slices.Sorted(maps.Keys(h)) {
		ours, key := strings.HasPrefix(name, "Consent-"), name == "Idempotency-Key"
		ofEvent := ours || key || strings.HasPrefix(name, "Ce-")
		values := h[name]
		switch {
		case t.Events && ofEvent: // it refuses a grant, and no opt-out
		case ours && !slices.Contains(t.Headers, name):
			return malformed("", "there is a header Consent-... that this route does not take; "+knows("headers",
				t.Headers))
		case !ofEvent && !slices.Contains(single, name):
			continue
		case len(values) > 1:
			return malformed("", name+" stands twice: send it once")
		case values[0] == "" && (ours || key):
			return malformed("", name+" is empty: give it a value, or leave it out")
		}
	}

	if accept := h["Accept"]; len(accept) > 1 {
		h.Set("Accept", strings.Join(accept, ", ")) // a list, which may stand on several lines
	}
	return nil
}

func knows(what string, names []string) string {
	if len(names) == 0 {
		return "it takes none"
	}
	return "its " + what + " are " + strings.Join(names, ", ")
}

func (t Route) checkQuery(r *http.Request) error {
	if r.URL.RawQuery == "" {
		return nil
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return malformed("", "the query is not well formed: names and values are escaped, with & between them")
	}

	for _, name := range slices.Sorted(maps.Keys(query)) {
		value, flag := query[name][0], slices.Contains(t.Flags, name)
		switch {
		case !flag && !slices.Contains(t.Query, name):
			return t.unknown(name)
		case len(query[name]) > 1:
			return malformed(name, name+" stands twice in the query: name it once")
		case !flag && value == "":
			return malformed(name, name+" is empty: give it a value, or leave it out")
		case flag && (value == "0" || value == "false"):
			query.Del(name)
		case flag && value != "" && value != "1" && value != "true":
			return malformed(name, name+" is there or not: it needs no value")
		case !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl):
			return malformed(name, name+" is no text: it has control characters, or is not UTF-8")
		}
	}

	// Written anew, so that no other parser reads it in another way.
	r.URL.RawQuery = query.Encode()
	return nil
}

// unknown refuses a parameter. Its name is not repeated: it may be an id that
// somebody forgot a name for.
func (t Route) unknown(name string) error {
	if name == DryRun {
		return malformed(DryRun, "this has no dry run, and nothing was done: "+
			cmp.Or(t.NoDryRun, "it is a question, and changes nothing"))
	}

	names := slices.Concat(t.Query, t.Flags)
	for _, known := range names {
		if strings.EqualFold(known, name) {
			return malformed(known, "the query has a parameter with capitals: write it "+known)
		}
	}
	return malformed("", "the query has a parameter that this route does not know; "+knows("parameters", names))
}

func (t Route) checkBody(r *http.Request) error {
	empty, err := isEmpty(r)
	if err != nil || empty {
		return err
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return malformed("", "a GET has no body, and what stands in one would not be seen: use the query, or POST "+
			"where there is one")
	}
	if err := t.isJSON(r.Header); err != nil {
		return err
	}
	if len(t.Types) > 0 {
		return nil
	}

	// What a client sends for "nothing" is nothing.
	const most = 64
	body, err := io.ReadAll(io.LimitReader(r.Body, most))
	if err != nil {
		return unread(err)
	}
	if s := string(bytes.TrimSpace(body)); len(body) == most || s != "" && s != "{}" && s != "null" {
		return malformed("", "this route takes no body")
	}
	return nil
}

// isEmpty looks at the first byte of a body whose length is not told.
func isEmpty(r *http.Request) (bool, error) {
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		return true, nil
	}
	if r.ContentLength > 0 {
		return false, nil
	}

	ahead := bufio.NewReaderSize(r.Body, 16)
	_, err := ahead.Peek(1)
	switch {
	case errors.Is(err, io.EOF):
		r.Body = http.NoBody
		return true, nil
	case err != nil:
		return false, unread(err)
	}

	r.Body = struct {
		io.Reader
		io.Closer
	}{ahead, r.Body}
	return false, nil
}

// unread is the problem of a body that does not come.
func unread(error) error {
	return refuse(http.StatusRequestTimeout, "the body did not come, or not in time")
}

// ndjson is a JSON value on each line.
const ndjson = "application/x-ndjson"

// isJSON refuses a body that does not say that it is JSON in UTF-8. A page may
// send any other to another origin without being asked back, also one without a
// type.
func (t Route) isJSON(h http.Header) error {
	want := "the body is " + cmp.Or(strings.Join(t.Types, " or "), "application/json") +
		", and its Content-Type has to say so"
	kind, charset, ok := mediaType(h.Get("Content-Type"))
	known := kind == "application/json" || kind == "text/json" || strings.HasSuffix(kind, "+json")
	if slices.ContainsFunc(t.Types, isItself) {
		known = slices.Contains(t.Types, kind)
	}
	if !ok || !known {
		return refuse(http.StatusUnsupportedMediaType, want)
	}

	switch charset {
	case "", "utf-8", "utf8", "us-ascii":
	default:
		return refuse(http.StatusUnsupportedMediaType, want+"; JSON is UTF-8")
	}

	if coding := h.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return refuse(http.StatusUnsupportedMediaType, want+"; it comes as it is, without Content-Encoding")
	}
	return nil
}

// isItself reports whether a body of a type is taken as that alone: lines and pictures. No page
// sends one of them to another origin without being asked back.
func isItself(kind string) bool { return kind == ndjson || strings.HasPrefix(kind, "image/") }

// mediaType returns a content type without its parameters, and the charset that
// it names, in lower case; empty: none. A browser too goes by what stands before
// the first semicolon, so what is wrong with a parameter lets no page through.
func mediaType(header string) (kind, charset string, ok bool) {
	kind, rest, _ := strings.Cut(header, ";")
	kind, _, err := mime.ParseMediaType(kind)
	for param := range strings.SplitSeq(rest, ";") {
		name, value, _ := strings.Cut(param, "=")
		if value = strings.Trim(strings.TrimSpace(value), `"`); charset == "" &&
			strings.EqualFold(strings.TrimSpace(name), "charset") {
			charset = strings.ToLower(value)
		}
	}
	return kind, charset, err == nil
}
