package dashboard

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"consentledger/api/auth"
)

// An apiPage lists the operations of the API.
type apiPage struct {
	Groups []apiGroup
}

// An apiGroup is the operations of one tag.
type apiGroup struct {
	Name, Says string
	Operations []*operation
}

func readAPI(a *ask) (any, error) {
	doc, err := a.described.of(a)
	if err != nil {
		return nil, err
	}

	p := &apiPage{}
	for _, tag := range doc.Tags {
		p.Groups = append(p.Groups, apiGroup{Name: tag.Name, Says: tag.Description})
	}
	for _, op := range doc.operations() {
		tag := ""
		if len(op.Tags) > 0 { // nothing is appended: every page has the same operations
			tag = op.Tags[0]
		}
		i := slices.IndexFunc(p.Groups, func(g apiGroup) bool { return g.Name == tag })
		if i < 0 {
			i = len(p.Groups)
			p.Groups = append(p.Groups, apiGroup{Name: tag})
		}
		p.Groups[i].Operations = append(p.Groups[i].Operations, op)
	}
	return p, nil
}

// An operationPage is one operation, with a form that sends a request to it.
type operationPage struct {
	*operation
	Right string // the operation of the table of who may do what; empty: everybody may
	May   bool   // whoever looks may send it
	Takes []shape
	Good  []answer
	Wrong []answer

	Fields []apiField
	Kinds  []string // of the body; none: it takes none
	Kind   string   // the one that is chosen
	Body   string
	File   bool // the body is a file and no text

	Curl, CLI string
	Got       *got // what was answered; nil: nothing was sent
}

// A shape is what a body or an answer of a type has.
type shape struct {
	Kind    string
	Type    string
	Members []member
}

// An answer is what an operation answers with a status. Codes are those of its problems.
type answer struct {
	Status, Says string
	Shapes       []shape
	Headers      []apiHeader
	Codes        []string
}

type apiHeader struct{ Name, Value string }

// An apiField is a parameter in the form.
type apiField struct {
	parameter
	ID, Value string
}

// Key is the name of the field in the form.
func (f apiField) Key() string { return f.In + "." + f.Name }

func readOperation(a *ask) (any, error) {
	doc, err := a.described.of(a)
	if err != nil {
		return nil, err
	}
	op := doc.find(a.PathValue("operation"))
	if op == nil {
		return nil, errLost
	}

	p := &operationPage{operation: op}
	if err := p.describe(a, doc); err != nil {
		return nil, err
	}
	sent := a.Method == http.MethodPost
	var file []byte
	switch {
	case sent && p.File:
		_, file, err = a.sentFile(maxTried)
	case sent:
		err = a.readForm(a.writer)
	}
	if err != nil {
		return nil, err
	}
	p.fill(a, doc, sent)

	call, err := p.call(sent, file)
	if err != nil {
		return nil, err
	}
	p.Curl, p.CLI = call.curl(a.address(), p.File), call.verb(p.File)
	if sent {
		p.Got, err = a.try(call, p.Responses)
	}
	return p, err
}

// describe says what the operation takes and answers, and who may use it.
func (p *operationPage) describe(a *ask, doc *description) error {
	p.Kinds = slices.Sorted(maps.Keys(p.RequestBody.Content))
	p.Takes = shapesOf(doc, p.RequestBody.Content)
	p.File = len(p.Kinds) > 0 && !slices.ContainsFunc(p.Kinds, isText)
	if route, has := auth.RouteOf(p.Method, p.Path); has && route.Operation != auth.Public {
		p.Right = string(route.Operation)
	}
	p.May = a.mayUse(p.Method, p.sample(a.App))

	var codes struct {
		Errors []struct {
			Code   string `json:"code"`
			Status int    `json:"status"`
		} `json:"errors"`
	}
	if err := a.get("/v1/errors", nil, &codes); err != nil {
		return err
	}
	byStatus := map[string][]string{}
	for _, e := range codes.Errors {
		status := textOf(e.Status)
		byStatus[status] = append(byStatus[status], e.Code)
	}

	for _, status := range slices.Sorted(maps.Keys(p.Responses)) {
		said := p.Responses[status]
		one := answer{Status: status, Says: said.Description, Shapes: shapesOf(doc, said.Content)}
		for _, name := range slices.Sorted(maps.Keys(said.Headers)) {
			one.Headers = append(one.Headers, apiHeader{name, said.Headers[name].Description})
		}
		switch {
		case status == "default":
		case status < "400":
			p.Good = append(p.Good, one)
		default:
			one.Codes = byStatus[status]
			p.Wrong = append(p.Wrong, one)
		}
	}
	return nil
}

func shapesOf(doc *description, content map[string]media) (all []shape) {
	for _, kind := range slices.Sorted(maps.Keys(content)) {
		one := shape{Kind: kind}
		if s := content[kind].Schema; s != nil {
			one.Type, one.Members = doc.typeOf(s), doc.members(s)
		}
		all = append(all, one)
	}
	return all
}

// sample is a path of the operation, whatever stands in it.
func (p *operationPage) sample(app string) string {
	path := strings.ReplaceAll(p.Path, "{app}", url.PathEscape(cmp.Or(app, "app")))
	return strings.NewReplacer("{", "", "}", "").Replace(path)
}

// fill puts into the form what was sent, or an example. A command that can be asked what it
// would do is asked that, until somebody chooses otherwise.
func (p *operationPage) fill(a *ask, doc *description, sent bool) {
	for _, of := range p.Parameters {
		f := apiField{parameter: of, ID: of.In + "-" + of.Name}
		switch {
		case sent:
			f.Value = strings.TrimSpace(a.PostFormValue(f.Key()))
		case of.In == "path" && of.Name == "app":
			f.Value = a.App
		case of.Flag:
			f.Value = "on"
		}
		p.Fields = append(p.Fields, f)
	}
	if len(p.Kinds) == 0 {
		return
	}

	p.Kind = p.Kinds[0]
	if slices.Contains(p.Kinds, "application/json") {
		p.Kind = "application/json"
	}
	if kind := a.PostFormValue("kind"); slices.Contains(p.Kinds, kind) {
		p.Kind = kind
	}
	if sent {
		p.Body = strings.ReplaceAll(a.PostFormValue("body"), "\r\n", "\n")
		return
	}
	if p.Body = doc.bodyOf(p.Kind, p.RequestBody.Content[p.Kind].Schema); p.File {
		p.Body = ""
	}
}

// bodyOf returns an example of a body.
func (d *description) bodyOf(kind string, s *schema) string {
	if kind == "application/x-ndjson" { // an event a line
		line, err := json.Marshal(d.example(&schema{Ref: "#/components/schemas/Event"}, "", 0))
		if err != nil {
			return ""
		}
		return string(line) + "\n"
	}
	text, err := json.MarshalIndent(d.example(s, "", 0), "", "  ")
	if err != nil {
		return ""
	}
	return string(text)
}

// isText reports whether a body of a type can be typed into a form.
func isText(kind string) bool {
	return strings.HasSuffix(kind, "json") || strings.HasPrefix(kind, "text/")
}

// sentFile reads a form with a file, of so many bytes together at most, and checks its token.
// The file lies in memory alone. It has the name that the browser says.
func (a *ask) sentFile(most int64) (name string, file []byte, err error) {
	if a.ContentLength > most {
		return "", nil, errFileSize
	}
	a.Body = http.MaxBytesReader(nil, a.Body, most)
	if err := a.ParseMultipartForm(most); err != nil {
		return "", nil, errFileSize
	}
	if err := a.checkToken(); err != nil {
		return "", nil, err
	}

	f, header, err := a.FormFile("file")
	if err != nil {
		return "", nil, &problem{Status: http.StatusBadRequest, Code: "upload-form"}
	}
	defer f.Close()
	file, err = io.ReadAll(f)
	return header.Filename, file, err
}

// errFileSize says that a form with a file is larger than it may be.
var errFileSize = &problem{Status: http.StatusRequestEntityTooLarge, Code: "too-large"}

// maxTried bounds a form with a file.
const maxTried = 8<<20 + 1<<16

// call returns the request that the form says. What stands in a path and is not said keeps its
// name there, if the request is only to be shown.
func (p *operationPage) call(sent bool, file []byte) (*call, error) {
	c := &call{method: p.Method, body: []byte(p.Body)}
	path, query := p.Path, url.Values{}
	for _, f := range p.Fields {
		if strings.ContainsFunc(f.Value, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return nil, &problem{Status: http.StatusBadRequest, Code: "malformed", Detail: f.Name}
		}
		switch {
		case f.In == "path" && f.Value == "" && sent:
			return nil, &problem{Status: http.StatusBadRequest, Code: "api-field", Detail: f.Name}
		case f.Value == "":
		case f.In == "path":
			path = strings.ReplaceAll(path, "{"+f.Name+"}", url.PathEscape(f.Value))
		case f.In == "query" && f.Flag:
			query.Set(f.Name, "")
		case f.In == "query":
			query.Set(f.Name, f.Value)
		case f.In == "header":
			c.headers = append(c.headers, apiHeader{f.Name, f.Value})
		}
	}

	c.target = path
	if len(query) > 0 {
		c.target += "?" + strings.ReplaceAll(query.Encode()+"&", "=&", "&")
		c.target = strings.TrimSuffix(c.target, "&")
	}
	if len(p.Kinds) > 0 {
		c.kind = p.Kind
	}
	if p.File {
		c.body = file
	}
	return c, nil
}

// A got answer is what came of a request.
type got struct {
	Status  int
	Means   string
	Headers []apiHeader
	Text    string
	Long    bool // more came than is shown
	Broken  bool // it broke off
	Bytes   int  // of an answer that is no text
	Kind    string
	Code    string // of a problem
}

const (
	mostTried = 64 << 10         // bytes of an answer that are shown
	tryWithin = 20 * time.Second // which a stream lasts longer than
)

// try sends a request as who looks at the page, and keeps the beginning of the answer.
func (a *ask) try(c *call, said map[string]response) (*got, error) {
	ctx, cancel := context.WithTimeout(a.Context(), tryWithin)
	defer cancel()
	r, err := a.raw(c.method, c.target, c.kind, c.body)
	if err != nil {
		return nil, &problem{Status: http.StatusBadRequest, Code: "malformed"}
	}
	for _, h := range c.headers {
		r.Header.Set(h.Name, h.Value)
	}

	w := &beginning{recorder: recorder{header: http.Header{}, status: http.StatusOK}}
	broken := cutOff(a.api, w, r.WithContext(ctx)) && !w.long
	g := &got{
		Status: w.status, Means: http.StatusText(w.status), Long: w.long, Broken: broken,
		Kind: w.header.Get("Content-Type"),
	}
	shows := slices.Clone(mattering)
	for name := range said[textOf(w.status)].Headers {
		shows = append(shows, http.CanonicalHeaderKey(name))
	}
	for _, name := range slices.Sorted(maps.Keys(w.header)) {
		if slices.Contains(shows, name) {
			g.Headers = append(g.Headers, apiHeader{name, strings.Join(w.header[name], ", ")})
		}
	}

	kind, _, _ := mime.ParseMediaType(g.Kind)
	if !isText(kind) {
		g.Bytes = w.body.Len()
		return g, nil
	}
	g.Text = strings.ToValidUTF8(w.body.String(), "\uFFFD")
	var shown bytes.Buffer
	if json.Indent(&shown, w.body.Bytes(), "", "  ") == nil {
		g.Text = shown.String()
	}
	if w.status >= http.StatusBadRequest {
		var p problem
		if json.Unmarshal(w.body.Bytes(), &p) == nil {
			g.Code = p.Code
		}
	}
	return g, nil
}

// cutOff reports whether an answer was cut off: a file of which no more is taken, or which breaks
// while it is made. That cuts the API's own connection, and is not to cut that of the page.
func cutOff(api http.Handler, w http.ResponseWriter, r *http.Request) (cut bool) {
	defer func() {
		p := recover()
		if cut = p == http.ErrAbortHandler; p != nil && !cut {
			panic(p)
		}
	}()
	api.ServeHTTP(w, r)
	return false
}

// mattering are headers of an answer that are always shown.
var mattering = []string{
	"Content-Type", "Content-Disposition", "Link", "Etag", "Retry-After", "Location", "Cache-Control",
}

// A beginning keeps the first bytes of an answer, and lets whoever makes it stop there.
type beginning struct {
	recorder
	long bool
}

var errEnough = errors.New("no more of the answer is shown")

func (w *beginning) Write(b []byte) (int, error) {
	room := mostTried - w.body.Len()
	if len(b) <= room {
		return w.body.Write(b)
	}
	w.body.Write(b[:room])
	w.long = true
	return room, errEnough
}

// address is where the ledger is for who looks at the page.
func (a *ask) address() string {
	if a.secure() {
		return "https://" + a.Host
	}
	return "http://" + a.Host
}
