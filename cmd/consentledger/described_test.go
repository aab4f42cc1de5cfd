package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"mime"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"consentledger/api/auth"
	"consentledger/api/policyfile"
	"consentledger/api/wire/parse"
	"consentledger/cmd/internal/server"
	"consentledger/domain/deadline"
	"consentledger/eventstore/codec/policydoc"

	"filippo.io/age"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// How many requests each operation gets. What reads the whole log, or ends what the others
// need, gets fewer.
const casesOfOperation = 30

var fewerCases = map[string]int{
	"check-projections": 2, "export": 4, "report-audit": 6, "move-app": 4, "make-backup": 4, "rotate-vault-keys": 2,
	"retire-vault-keys": 4,
}

// neverGood are operations that have no good answer here, and why.
var neverGood = map[string]string{
	"retry-rejected": "no message is rejected",
	"show-rejected":  "no message is rejected",
	"see-rejected":   "no message is rejected",
	"erase-subject":  "it takes two, and is proposed",
	"start-erasure":  "it takes the digest of the very job",
	"get-kept-proof": "no proof is kept",
	"disclose-proof": "no proof is kept, and it takes two",
	"destroy-proof":  "no proof is kept, and it takes two",
	"open-proof":     "no proof is kept",

	"retire-vault-keys": "no copy of the newer file was made",
}

// tellsKeys are the operations whose answers name keys that the others ask with: nothing is
// learned of them, so that none of these keys is revoked.
var tellsKeys = map[string]bool{"list-keys": true, "name-principal": true, "who-am-i": true, "list-sessions": true}

// goodQueries are queries, of the app shop, of operations whose parameters go together. A proof is waited for: the
// checkpoint that its record is under may not be signed yet.
var goodQueries = map[string]url.Values{
	"prove":      {"index": {"0"}, "wait": {"30s"}},
	"get-lawful": {"subject": {"user-1"}, "purpose": {"personalisation"}, "at": {"2026-01-02T09:30:00Z"}},
}

// lines are the answers that come as lines, and what each of them is.
var lines = map[string]string{"record-bulk": "Row", "replay": "HistoryEntry", "query-replay": "HistoryEntry"}

// secret stands in what is wrong with a request. No answer may repeat it.
const secret = "hush13812345678"

// The description that the program serves is held to what it answers. Requests are made of
// the schemas, good ones and bad ones; each answer has a status that is declared, and is
// what the schema of that status says.
func TestEveryOperationAnswersAsTheDescriptionSays(t *testing.T) {
	t.Parallel()
	d := describedLedger(t)
	good := map[string]int{}
	for _, op := range d.operations() {
		cases := casesOfOperation
		if n, few := fewerCases[op.id]; few {
			cases = n
		}
		if strings.HasSuffix(op.id, "-proposal") && op.method == http.MethodPost {
			d.propose(op)
		}
		for i := 0; i < cases || good[op.id] == 0 && neverGood[op.id] == "" && i < 4*cases; i++ {
			if d.try(op, i) < 300 {
				good[op.id]++
			}
		}
	}

	for _, op := range d.operations() {
		if good[op.id] == 0 && neverGood[op.id] == "" {
			t.Errorf("%s: none of its answers was a good one, so that nothing holds its schema: %s", op.id, d.last[op.id])
		}
	}
	d.readPages()
}

// readPages holds the pages of the API to the description: every operation has one, in the group
// that it is in, and the page says what it takes and what it answers.
func (d *described) readPages() {
	d.Helper()
	list := d.page("/ui/api")
	for _, tag := range d.doc["tags"].([]any) {
		if name := tag.(map[string]any)["name"].(string); strings.Contains(list, ">"+name+"</h2>") {
			d.Errorf("the group %s has no words on the page of the API", name)
		}
	}
	for _, op := range d.operations() {
		if len(op.said["tags"].([]any)) != 1 {
			d.Errorf("%s is in the groups %v, want one", op.id, op.said["tags"])
		}
		if !strings.Contains(list, `href="/ui/api/`+op.id+`?`) {
			d.Errorf("the page of the API does not list %s", op.id)
		}

		wants := []string{">" + op.method + " " + op.path + "<", "curl", "consentledger call " + op.method}
		parameters, _ := op.said["parameters"].([]any)
		for _, p := range parameters {
			name := p.(map[string]any)["name"].(string)
			wants = append(wants, `<th scope="row"><code>`+name+`</code>`, "."+name+`"`)
		}
		for status := range op.said["responses"].(map[string]any) {
			if status != "default" {
				wants = append(wants, ">"+status)
			}
		}
		if body, has := op.said["requestBody"].(map[string]any); has {
			for kind := range body["content"].(map[string]any) {
				wants = append(wants, "<code>"+strings.ReplaceAll(kind, "+", "&#43;")+"</code>")
			}
		}
		page := d.page("/ui/api/" + op.id)
		for _, want := range wants {
			if !strings.Contains(page, want) {
				d.Errorf("the page of %s does not say %s", op.id, want)
			}
		}
	}
}

// page returns a page, as an officer sees it.
func (d *described) page(path string) string {
	d.Helper()
	r, err := http.NewRequestWithContext(d.Context(), http.MethodGet, d.running.http+path, nil)
	if err != nil {
		d.Fatal(err)
	}
	r.SetBasicAuth("officer", d.keysOf[auth.Officer])
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		d.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		d.Fatalf("%s: %d %v %.500s", path, resp.StatusCode, err, body)
	}
	return string(body)
}

// A described is a ledger with identity and some data, and its description.
type described struct {
	*guarded
	generator
	bodies  map[string][]string // by operation
	event0  string              // the id of an event that is recorded
	keysOf  map[auth.Role]string
	schemas *jsonschema.Compiler
	last    map[string]string // an answer to each operation that was no good one
	said    map[string]bool   // faults that were reported, so that one kind is reported once
}

// describedLedger starts one.
func describedLedger(t *testing.T) *described {
	t.Helper()
	reader, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	readers := filepath.Join(t.TempDir(), "readers")
	if err := os.WriteFile(readers, []byte(reader.Recipient().String()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}

	g := guardAs(t, server.Config{Data: t.TempDir(), BackupTo: readers, Access: server.Access{Authenticate: true}})
	d := &described{guarded: g, keysOf: map[auth.Role]string{}, said: map[string]bool{}, last: map[string]string{}}
	for _, r := range auth.Roles {
		d.keysOf[r.Role] = g.admin
		if r.Role != auth.Administrator {
			d.keysOf[r.Role] = g.issue("--name", string(r.Role), "--role", string(r.Role), "--all-apps", "--days", "30").Key
		}
	}

	_, text := g.ask("", "GET", "/openapi.json", "")
	var doc map[string]any
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	d.generator = newGenerator(doc)

	// Answers are held to the members that are described, too: clients ignore others, and
	// the program has none.
	var closed map[string]any
	if err := json.Unmarshal([]byte(text), &closed); err != nil {
		t.Fatal(err)
	}
	closeObjects(closed["components"].(map[string]any)["schemas"].(map[string]any))
	d.schemas = jsonschema.NewCompiler()
	d.schemas.AssertFormat()
	d.schemas.UseLoader(jsonschema.SchemeURLLoader{}) // it fetches nothing
	if err := d.schemas.AddResource("urn:openapi", numbersAsRead(t, closed)); err != nil {
		t.Fatal(err)
	}

	d.furnish()
	return d
}

// furnish records some of everything in the app shop.
func (d *described) furnish() {
	d.Helper()
	officer, writer := d.keysOf[auth.Officer], d.keysOf[auth.Writer]
	if _, err := d.as(officer, "policy", "publish", "--app", "shop", "smartkey/policy.yaml"); err != nil {
		d.Fatal(err)
	}

	for _, e := range parse.Examples(deadline.At(time.Now())) {
		key, path := writer, "/v1/apps/shop/events"
		if e.Operator {
			key, path = officer, "/v1/apps/shop/operator/events"
		}
		if e.Type == "service.ceased" { // after it nothing else is recorded
			continue
		}
		status, text := d.ask(key, "POST", path, string(e.Event))
		if status >= 500 {
			d.Errorf("%s: %d %s", e.Type, status, text)
		}
		d.learnText(text, "")
	}

	// What no answer names: a text by its hash, and the secret address of the calendar.
	_, text := d.ask(officer, "GET", "/v1/apps/shop/policies", "")
	d.learnText(strings.ReplaceAll(text, `"version"`, `"hash"`), "")
	_, text = d.ask(officer, "GET", "/v1/apps/shop/reports/feed", "")
	if at := regexp.MustCompile(`feeds/([^/"]+)/`).FindStringSubmatch(text); at != nil {
		d.known["token"] = []any{at[1]}
	}
	if ids := d.known["event_id"]; len(ids) > 0 {
		d.event0 = fmt.Sprint(ids[0])
	}
	d.bodies = d.goodBodies()
}

// propose makes proposals that nobody has decided on, of persons about whom nothing else is
// recorded: what is recorded of a person ends those that are older.
func (d *described) propose(op operation) {
	d.Helper()
	for n := range remembered {
		who := fmt.Sprintf("%s-%d", op.id, n)
		opposed := fmt.Sprintf(`{"specversion":"1.0","id":%q,"source":"/test","type":"consent.withdrawn","subject":%q,"data":{"all":true}}`, who, who)
		if status, text := d.ask(d.keysOf[auth.Writer], "POST", "/v1/apps/shop/events", opposed); status >= 300 {
			d.Errorf("%s: %d %s", opposed, status, text)
		}

		body := fmt.Sprintf(`{"erasure":{"id":%q,"subject":%q,"reason":"asked"},"reason":"the person asked for it"}`, who, who)
		status, text := d.ask(d.keysOf[auth.Officer], "POST", "/v1/apps/shop/proposals", body)
		if status >= 300 {
			d.Errorf("%s: %d %s", body, status, text)
		}
		d.learnText(text, "proposals")
	}
}

// goodBodies are bodies of operations whose schema says less than they take.
func (d *described) goodBodies() map[string][]string {
	d.Helper()
	publication, document, surface := d.publication()
	return map[string][]string{
		"publish-policy":   {publication},
		"diff-policies":    {document},
		"publish-surface":  {surface},
		"keep-picture":     {`"` + base64.StdEncoding.EncodeToString(grey(d.T, 3, 2)) + `"`},
		"publish-calendar": {`{"jurisdiction":"CN","year":2031,"notice":"2030-1","issued":"2030-11-01","off":["2031-01-01"],"makeup":[],"partial":true}`},
		"compute-deadline": {`{"rule":"cn.policy.complaint_reply","start":"2026-03-02T09:30:00Z"}`, `{"app":"shop","rule":"cn.policy.complaint_reply","start":"2026-03-02T09:30:00Z"}`},
		"propose":          {`{"erasure":{"id":"%ID%","subject":"user-1","reason":"asked"},"reason":"the person asked for it"}`},
		"decline-proposal": {`{"reason":"not now"}`},
		"query-lawful":     {`{"subject":"user-1","purpose":"personalisation","at":"%NOW%"}`},
		"begin-erasure":    {`{"id":"%ID%","of":"ids","reason":"service-ended"}`},
		"add-to-erasure":   {`{"part":1,"subjects":["user-7"]}`},
		"add-webhook":      {`{"url":"https://shop.example.com/%ID%","types":"consent.refused"}`},
		"replay-webhook":   {`{"from":"1"}`},
		"preview-void":     {`{"records":["` + d.event0 + `"]}`},
		"reveal-request":   {`{"reason":"audit","why":"a sample","by":"ann"}`},
		"diff-person":      {`{"subject":"user-1","from":"1","to":"40"}`, `{"subject":"user-1","from":"%NOW%","to":"%NOW%"}`},
		"query-incidents":  {`{}`},
		"rotate-webhook":   {`{"overlap_hours":1}`},
		"issue-key":        {`{"name":"%ID%","roles":["reader"],"apps":["shop"],"days":30}`, `{"name":"%ID%","roles":["auditor","approver"],"all_apps":true,"days":1}`},
		"rotate-key":       {`{"overlap_hours":1}`},
		"mint-token":       {`{"subject":"user-1"}`, `{"subject":"user-2","actions":["record","check"],"minutes":5}`},
		"end-sessions":     {`{"principal":"p-abcdefghijkl"}`},
		"make-backup":      {`{}`},
	}
}

// publication returns the bodies of a policy with its texts, of its document alone, and of a
// surface that shows it.
func (d *described) publication() (policy, alone, surface string) {
	d.Helper()
	doc, texts, err := policyfile.Parse("policy.yaml", d.file("smartkey/policy.yaml"),
		func(path string) ([]byte, error) { return d.file("smartkey/" + path), nil })
	if err != nil {
		d.Fatal(err)
	}
	document, err := policydoc.Marshal(doc)
	if err != nil {
		d.Fatal(err)
	}
	byHash := map[string]string{}
	for hash, text := range texts {
		byHash[hash.String()] = string(text)
	}
	body, err := json.Marshal(map[string]any{"document": json.RawMessage(document), "texts": byHash})
	if err != nil {
		d.Fatal(err)
	}

	version, err := policydoc.Hash(doc)
	if err != nil {
		d.Fatal(err)
	}
	return string(body), `{"document":` + string(document) + `}`, fmt.Sprintf(`{"schema":"surface/1","build":"1.0","screen":"welcome","policy":%q,"version":%q,"approver":"counsel",
		"signing":"sha256:0a00000000000000000000000000000000000000000000000000000000000000",
		"locales":[{"locale":%q,"text":%q,"screenshot":"sha256:%x","strings":{"yes":"Yes","no":"No"}}],
		"controls":[{"id":"yes","label":"yes","act":%q,"initial":"button","purposes":["personalisation"]},{"id":"no","label":"no","initial":"button","refuses":true}]}`,
		doc.Name, version.String(), doc.Texts[0].Locale, doc.Texts[0].Hash.String(), sha256.Sum256(grey(d.T, 3, 2)), doc.Acts[0].ID)
}

func (d *described) file(name string) []byte {
	d.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		d.Fatal(err)
	}
	return b
}

// An operation is one of the description.
type operation struct {
	id, method, path string
	said             map[string]any
}

// late are the operations that need what others began, and those that end something.
var late = map[string]int{
	"keep-picture": 2, "approve-proposal": 3, "decline-proposal": 3, "withdraw-proposal": 4, "remove-webhook": 4,
	"rotate-key": 3, "revoke-key": 4, "erase-principal": 5, "rotate-vault-keys": 5, "retire-vault-keys": 6,
	"add-to-erasure": 3, "start-erasure": 4, "cancel-erasure": 5, "certify-erasure": 6, "erase-subject": 6, "move-app": 7,
}

// operations returns all, those that end something last.
func (d *described) operations() []operation {
	var all []operation
	for path, item := range d.doc["paths"].(map[string]any) {
		for method, said := range item.(map[string]any) {
			op := said.(map[string]any)
			all = append(all, operation{op["operationId"].(string), strings.ToUpper(method), path, op})
		}
	}
	rank := func(op operation) int {
		if n, ends := late[op.id]; ends {
			return n
		}
		if op.method == http.MethodGet || strings.Contains(op.id, "query") {
			return 2
		}
		return 1 // what is recorded gives the others something to find
	}
	slices.SortFunc(all, func(a, b operation) int {
		if n := rank(a) - rank(b); n != 0 {
			return n
		}
		return strings.Compare(a.id, b.id)
	})
	return all
}

// keyFor returns the key of somebody who may do an operation.
func (d *described) keyFor(op operation) string {
	d.Helper()
	route, has := auth.RouteOf(op.method, op.path)
	if !has {
		d.Fatalf("%s %s has no row of who may", op.method, op.path)
	}
	for _, r := range auth.Roles {
		p := auth.Principal{Bindings: []auth.Binding{{Roles: []auth.Role{r.Role}}}}
		if p.May(route.Operation) {
			return d.keysOf[r.Role]
		}
	}
	return ""
}

// try sends the case of a number, and holds the answer to the description. Every fourth
// is a bad one.
func (d *described) try(op operation, number int) (status int) {
	d.Helper()
	d.rng = rand.New(rand.NewPCG(uint64(number), uint64(len(op.id))<<32|uint64(op.id[0])))
	r := d.request(op, number, number%4 == 3)
	if key := d.keyFor(op); key != "" && number != casesOfOperation-1 { // once nobody asks
		r.Header.Set("Authorization", "Bearer "+key)
	}

	ctx := d.Context()
	var sent []byte
	if r.Body != nil {
		sent, _ = io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(sent))
	}
	resp, err := http.DefaultClient.Do(r.WithContext(ctx))
	if err != nil {
		d.Fatalf("%s: %v", op.id, err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		d.Fatalf("%s: %v", op.id, err)
	}

	if number < 6 && resp.StatusCode >= 400 {
		d.last[op.id] += fmt.Sprintf("\n\t%s %s %.200s\n\t%.300s", r.Method, r.URL.RequestURI(), sent, answer)
	}
	for _, fault := range d.faults(op, resp, answer) {
		kind := op.id + regexp.MustCompile(`[0-9"'].*`).ReplaceAllString(fault, "")
		if !d.said[kind] {
			d.said[kind] = true
			d.Errorf("%s: %s\n\t%s %s %.300s\n\t%d %.500s", op.id, fault, r.Method, r.URL, sent, resp.StatusCode, answer)
		}
	}
	if resp.StatusCode < 300 && !tellsKeys[op.id] {
		before, _, _ := strings.Cut(op.path, "/{"+"id}")
		d.learnText(string(answer), before[strings.LastIndex(before, "/")+1:])
	}
	return resp.StatusCode
}

// faults says what is wrong with an answer.
func (d *described) faults(op operation, resp *http.Response, answer []byte) (all []string) {
	status := fmt.Sprint(resp.StatusCode)
	said, declared := op.said["responses"].(map[string]any)[status].(map[string]any)
	if !declared {
		return []string{"the status is not declared: " + status}
	}
	if resp.StatusCode >= 500 {
		all = append(all, "it answers "+status)
	}
	all = append(all, d.headerFaults(op, resp)...)
	if strings.Contains(string(answer), secret) && resp.StatusCode >= 400 {
		all = append(all, "the problem repeats what was sent")
	}

	content, _ := said["content"].(map[string]any)
	if len(answer) == 0 && len(content) == 0 {
		return all
	}
	kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil || content[kind] == nil {
		return append(all, fmt.Sprintf("the type %s of %s is not declared", kind, status))
	}
	switch {
	case kind == "application/x-ndjson":
		for line := range bytes.Lines(answer) {
			if name, has := lines[op.id]; has {
				all = append(all, d.unlike(line, "components", "schemas", name)...)
			}
		}
		return all
	case !strings.HasSuffix(kind, "json"):
		return all
	}

	all = append(all, d.unlike(answer,
		"paths", op.path, strings.ToLower(op.method), "responses", status, "content", kind, "schema")...)
	if resp.StatusCode >= 400 && kind == "application/problem+json" {
		all = append(all, problemFaults(resp.StatusCode, answer)...)
	}
	return all
}

// headerFaults says which headers a good answer lacks: a list has a tag, and whatever comes in pages
// says where they are.
func (d *described) headerFaults(op operation, resp *http.Response) (all []string) {
	if op.method != http.MethodGet || resp.StatusCode != http.StatusOK {
		return nil
	}
	responses := op.said["responses"].(map[string]any)
	_, tagged := responses["304"]
	if strings.HasPrefix(op.id, "list-") && !tagged {
		all = append(all, "it is a list, and has no tag")
	}
	if tagged && resp.Header.Get("ETag") == "" && resp.Header.Get("Content-Disposition") == "" {
		all = append(all, "the answer has no tag")
	}
	headers, _ := responses["200"].(map[string]any)["headers"].(map[string]any)
	if headers["Link"] != nil && !strings.Contains(strings.Join(resp.Header.Values("Link"), ","), `rel="`) &&
		resp.Header.Get("Content-Disposition") == "" {
		all = append(all, "the answer does not say where its pages are")
	}
	return all
}

// unlike says in what an answer is not what the schema at a place says.
func (d *described) unlike(answer []byte, place ...string) []string {
	at := "urn:openapi#"
	for _, part := range place {
		at += "/" + url.PathEscape(strings.NewReplacer("~", "~0", "/", "~1").Replace(part))
	}
	schema, err := d.schemas.Compile(at)
	if err != nil {
		return []string{"its schema is none: " + err.Error()}
	}

	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(answer))
	if err == nil {
		err = schema.Validate(value)
	}
	if err != nil {
		return []string{"the answer is not what its schema says: " + strings.ReplaceAll(err.Error(), "\n", "; ")}
	}
	return nil
}

var codeForm = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// problemFaults says what is wrong with a problem beside its schema.
func problemFaults(status int, answer []byte) (all []string) {
	var p struct {
		Type, Title, Code, Detail, Outcome string
		Status                             int
	}
	if err := json.Unmarshal(answer, &p); err != nil {
		return []string{err.Error()}
	}
	if p.Status != status || !codeForm.MatchString(p.Code) || !strings.HasSuffix(p.Type, p.Code) || p.Title == "" {
		all = append(all, "the problem has no stable form")
	}
	if p.Outcome != "refused" && p.Outcome != "unknown" {
		all = append(all, "the problem does not say whether it is refused")
	}
	return all
}

// closeObjects lets no schema have members that it does not name.
func closeObjects(schemas map[string]any) {
	for _, s := range schemas {
		schema := s.(map[string]any)
		_, names := schema["properties"]
		if _, says := schema["additionalProperties"]; names && !says {
			schema["additionalProperties"] = false
		}
	}
}

// numbersAsRead returns a document in the form that the validator reads.
func numbersAsRead(t *testing.T, doc any) any {
	t.Helper()
	b, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// request makes a request of an operation.
func (d *described) request(op operation, number int, bad bool) *http.Request {
	d.Helper()
	path, query, headers := op.path, url.Values{}, http.Header{}
	wrong := ""
	if bad {
		wrong = pick(d.rng, []string{"path", "query", "body", "body", "body", "type"})
	}

	good := goodQueries[op.id]
	if number%3 != 0 {
		good = nil
	}
	parameters, _ := op.said["parameters"].([]any)
	for _, p := range parameters {
		p := p.(map[string]any)
		name, in := p["name"].(string), p["in"].(string)
		schema, _ := p["schema"].(map[string]any)
		value := fmt.Sprint(d.parameter(op, name, schema))
		if good != nil && name == "app" {
			value = "shop"
		}
		switch in {
		case "path":
			if wrong == "path" && d.rng.IntN(2) == 0 {
				value = pick(d.rng, []string{secret, "A B", "%", "x" + strings.Repeat("y", 300), "\u00e9\u4e2d", "..", "-1", "0", "a/b", "."})
			}
			path = strings.ReplaceAll(path, "{"+name+"}", url.PathEscape(value))
			path = strings.ReplaceAll(path, "{"+name+"...}", value)
		case "query":
			if p["required"] != true && (number < 2 || d.rng.IntN(1+len(parameters)/2) > 0) {
				continue
			}
			if p["allowEmptyValue"] == true && wrong == "" {
				value = ""
			}
			if wrong == "query" {
				value = pick(d.rng, []string{secret, "", "-1", "1e9", "99999999999999999999", "\u00e9", "0001-01-01", "true"})
			}
			query.Set(name, value)
		case "header":
			if name != "Accept" && d.rng.IntN(4) == 0 {
				headers.Set(name, value)
			}
		}
	}
	if wrong == "query" && d.rng.IntN(3) == 0 {
		query.Set("nosuch", secret)
	}
	if good != nil {
		query = good
	}

	body, kind := d.body(op, number, wrong)
	target := d.running.http + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	r, err := http.NewRequest(op.method, target, bytes.NewReader(body))
	if err != nil {
		d.Fatal(err)
	}
	r.Header = headers
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	if len(body) == 0 {
		r.Body = http.NoBody
	}
	return r
}

// body makes the body of a request, and says of what type it is.
func (d *described) body(op operation, number int, wrong string) ([]byte, string) {
	said, has := op.said["requestBody"].(map[string]any)
	if !has {
		return nil, ""
	}
	content := said["content"].(map[string]any)
	kind := pick(d.rng, slices.Sorted(maps.Keys(content)))
	schema, _ := content[kind].(map[string]any)["schema"].(map[string]any)
	depth := 0
	if number < 2 {
		depth = deep // what need not be there is not
	}
	value := d.value(schema, "", depth)
	if good := d.bodies[op.id]; len(good) > 0 && number%3 != 2 {
		d.made++
		text := strings.NewReplacer("%ID%", fmt.Sprintf("made-%d", d.made), "%NOW%", time.Now().UTC().Format(time.RFC3339)).Replace(pick(d.rng, good))
		if err := json.Unmarshal([]byte(text), &value); err != nil {
			d.Fatalf("%s: %v", text, err)
		}
	}
	if wrong == "body" {
		value = d.spoil(value)
	}
	switch {
	case kind == "application/x-ndjson":
		return d.bulk(value), kind
	case strings.HasPrefix(kind, "image/") && wrong != "type":
		text, _ := value.(string)
		if file, err := base64.StdEncoding.DecodeString(text); err == nil {
			return file, kind
		}
		return []byte(text), kind
	}
	b, err := json.Marshal(value)
	if err != nil {
		d.Fatal(err)
	}
	switch {
	case wrong == "type":
		kind = pick(d.rng, []string{"text/plain", "application/xml", "", "application/json; charset=utf-16"})
	case wrong == "body" && d.rng.IntN(5) == 0:
		b = pick(d.rng, [][]byte{b[:len(b)/2], []byte("{"), []byte(`{"a":1,"a":2}`), []byte("[]"), []byte("null"), []byte("\xff\xfe"), nil})
	}
	return b, kind
}

// bulk returns lines: some events, and a value that may be none.
func (d *described) bulk(value any) (body []byte) {
	d.Helper()
	for _, v := range []any{d.event(), value, d.event()} {
		b, err := json.Marshal(v)
		if err != nil {
			d.Fatal(err)
		}
		body = append(append(body, b...), '\n')
	}
	return body
}
