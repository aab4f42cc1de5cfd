package rest

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"consentledger/api/approval"
	"consentledger/api/audit"
	"consentledger/api/auth"
	"consentledger/api/erasing"
	"consentledger/api/webhook"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/eventstore"
	"consentledger/eventstore/blobs"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/codec/policydoc"
	"consentledger/eventstore/ledger"
	"consentledger/eventstore/memory"
	"consentledger/eventstore/vault"
	"consentledger/projections/readmodel"
	"consentledger/projections/requests"
	"consentledger/projections/transparency"

	"github.com/go-json-experiment/json"
)

// A countedStore counts what is read of it, each record that it yields, too.
type countedStore struct {
	*memory.Store
	reads *atomic.Int64
}

func (s countedStore) count(records iter.Seq2[eventstore.Recorded, error]) iter.Seq2[eventstore.Recorded, error] {
	s.reads.Add(1)
	return func(yield func(eventstore.Recorded, error) bool) {
		for r, err := range records {
			if s.reads.Add(1); !yield(r, err) {
				return
			}
		}
	}
}

func (s countedStore) ReadStream(ctx context.Context, stream eventstore.Stream, after eventstore.Revision) iter.Seq2[eventstore.Recorded, error] {
	return s.count(s.Store.ReadStream(ctx, stream, after))
}

func (s countedStore) ReadAll(ctx context.Context, after eventstore.Position) iter.Seq2[eventstore.Recorded, error] {
	return s.count(s.Store.ReadAll(ctx, after))
}

func (s countedStore) ReadAt(ctx context.Context, positions ...eventstore.Position) iter.Seq2[eventstore.Recorded, error] {
	return s.count(s.Store.ReadAt(ctx, positions...))
}

// countedRows count likewise: the rows of the vault and of the texts.
type countedRows struct {
	*memory.Rows
	reads *atomic.Int64
}

func (r countedRows) Get(ctx context.Context, key []byte) ([]byte, bool, error) {
	r.reads.Add(1)
	return r.Rows.Get(ctx, key)
}

func (r countedRows) Scan(ctx context.Context, prefix []byte) iter.Seq2[eventstore.Row, error] {
	r.reads.Add(1)
	return r.Rows.Scan(ctx, prefix)
}

// ids are one of each kind that a request may name, by the word that stands for it in what a
// test sends.
type ids map[string]string

// unheard returns ids that nothing has.
func unheard(n int) ids {
	event := fmt.Sprintf("%08d-89ab-4def-8123-456789abcdef", n)
	return ids{"PERSON": fmt.Sprint("by", n), "PSEUDONYM": fmt.Sprintf("%032x", n), "EVENT": event, "REQUEST": event, "INCIDENT": event,
		"VERSION": fmt.Sprintf("sha256:%064x", n), "PROPOSAL": fmt.Sprintf("%020x", n), "WEBHOOK": fmt.Sprintf("wh-%016x", n),
		"JOB": fmt.Sprint("nosuch-", n), "TOKEN": fmt.Sprintf("%064x", n), "PROOF": fmt.Sprintf("%031xf", n), "DISCLOSURE": event}
}

// fill puts ids where words stand for them.
func (is ids) fill(text string) string {
	for word, id := range is {
		text = strings.ReplaceAll(text, word, id)
	}
	return text
}

// hide puts one word in the place of all ids, the longest first: one may end another.
func (is ids) hide(text string) string {
	longest := func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) }
	for _, id := range slices.SortedFunc(maps.Values(is), longest) {
		text = strings.ReplaceAll(text, id, "ID")
	}
	return text
}

// A foreignServer has the app demo, and others with one of everything that has an id.
type foreignServer struct {
	*testServer
	reads atomic.Int64
	sent  int
	two   bool         // whether to void a record takes two persons
	proof http.Handler // the routes below /log
	logs  *transparency.Log
}

// jobsOf are jobs whose certificates a log proves.
type jobsOf struct {
	*erasing.Jobs
	logs *transparency.Log
	ledg *ledger.Ledger
}

func (j jobsOf) Certify(ctx context.Context, app ident.AppName, id string, w io.Writer) error {
	return j.Jobs.Certify(ctx, app, id, j.logs, j.ledg, w)
}

func openForeign(t *testing.T) *foreignServer {
	t.Helper()
	f := &foreignServer{testServer: open(t)}
	f.store, f.rows = new(memory.Store), new(memory.Rows)
	rows := countedRows{f.rows, &f.reads}
	v, err := vault.Open(t.Context(), rows, vault.NewMemoryKeys())
	if err != nil {
		t.Fatal(err)
	}
	f.ledg, err = ledger.Open(t.Context(), ledger.Config{
		Store: countedStore{f.store, &f.reads}, Vault: v, Blobs: blobs.New(rows), Now: func() deadline.Instant { return deadline.At(time.Now()) },
	})
	if err != nil {
		t.Fatal(err)
	}
	needs := func(_ ident.AppName, kind string) bool { return f.two && kind == "record.voided" }
	f.ledg.AskTwo(needs, nil)
	seal := func(_ context.Context, _, _ string, text []byte) ([]byte, error) { return text, nil }
	f.conf.Ledger, f.conf.Blobs, f.conf.FeedKey = f.ledg, blobs.New(rows), []byte("a key of 32 bytes for the feeds.")
	f.conf.Principal = func(context.Context) string { return "p-ann" }
	f.conf.Approvals = &approval.Approvals{Ledger: f.ledg, Needs: needs}
	f.conf.Webhooks = &webhook.Hooks{Ledger: f.ledg, Rows: rows, Seal: seal, Unseal: seal, Private: true}

	// The logs follow the store beside the requests, and are not counted.
	dir := t.TempDir()
	keep, err := transparency.OpenKeep(filepath.Join(dir, "keep"), "logs.example.com", nil)
	if err != nil {
		t.Fatal(err)
	}
	logs, err := transparency.Open(t.Context(), transparency.Config{Records: f.store, Keep: keep, Dir: filepath.Join(dir, "tiles")})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var following sync.WaitGroup
	following.Go(func() { _ = logs.Run(ctx) })
	t.Cleanup(func() { stop(); following.Wait() })
	f.conf.Evidence = &audit.Exporter{Logs: logs, Ledger: f.ledg, Proofs: f.ledg, Blobs: blobs.New(rows), Now: time.Now}
	f.conf.Proofs = f.conf.Evidence.(*audit.Exporter)
	f.conf.Erasures = jobsOf{&erasing.Jobs{Ledger: f.ledg, Rows: rows, Log: slog.New(slog.DiscardHandler)}, logs, f.ledg}
	f.proof = audit.Handler(logs, nil, nil, nil)
	f.logs = logs
	f.serve()
	return f
}

// serve takes what is set.
func (f *foreignServer) serve() {
	mux := http.NewServeMux()
	mux.Handle("/log/", f.proof)
	mux.Handle("/", Handler(f.conf))
	f.h = mux
}

// others records in another app what has ids of its own, and returns them.
func (f *foreignServer) others(app string) ids {
	f.t.Helper()
	base := "/v1/apps/" + app
	f.want(200, `"receipt"`, "PUT", base, appJSON)
	other := doc
	other.Name = "another"
	document, err := policydoc.Marshal(other)
	if err != nil {
		f.t.Fatal(err)
	}
	hash, version := content.Hash(sha256.Sum256([]byte(text))).String(), content.Hash(sha256.Sum256(document)).String()
	f.want(200, version, "POST", base+"/policies", fmt.Sprintf(`{"document":%s,"texts":{%q:%q}}`, document, hash, text))

	person := "bo-" + app
	is := ids{"VERSION": version, "PERSON": person}
	is["EVENT"] = f.receipt(base+"/events", event("o1", person, "consent.withdrawn", `{"all":true}`)).EventID
	is["REQUEST"] = f.receipt(base+"/events", event("o2", person, "request.received", `{"types":["access"],"channel":"app"}`)).Request
	incident := `{"specversion":"1.0","id":"o3","source":"test","type":"incident.detected","data":{"kind":"leak","what":"mail-addresses"}}`
	is["INCIDENT"] = f.receipt(base+"/operator/events", incident).Incident
	name, known, err := f.ledg.Pseudonym(f.t.Context(), ident.AppName(app), ident.PersonKey{Kind: "account", ID: person})
	if err != nil || !known {
		f.t.Fatal(known, err)
	}
	is["PSEUDONYM"] = name

	var made struct {
		ID string `json:"id"`
	}
	id := func(path, body string) string {
		f.t.Helper()
		made.ID = ""
		if status, answer := f.do("POST", base+path, body); status != 200 || json.Unmarshal([]byte(answer), &made) != nil || made.ID == "" {
			f.t.Fatalf("%s: %d %s", path, status, answer)
		}
		return made.ID
	}
	f.two = true
	is["PROPOSAL"] = id("/proposals", is.fill(`{"event":`+voids+`}`))
	f.two = false
	is["WEBHOOK"] = id("/webhooks", `{"url":"https://shop.example.com/a"}`)
	is["JOB"] = id("/erasures", `{"id":"job-`+app+`","of":"closed","closed_before":"2026-01-01T00:00:00Z","reason":"inactive","by":["ann","bo"]}`)
	// Somebody is erased, and a duty keeps their proof.
	duty := `{"specversion":"1.0","id":"o4","source":"test","type":"duty.declared","data":{"duty":"claims","law":"GDPR 17(3)(e)","reason":"claims","keeps":"proof","months":"36"}}`
	f.receipt(base+"/operator/events", duty)
	f.receipt(base+"/events", event("o5", "zoe", "consent.given", strings.Replace(yes, "privacy", "another", 1)))
	f.receipt(base+"/subjects/erase", `{"id":"o6","subject":"zoe","reason":"asked","by":["ann","bo"]}`)
	var kept KeptProofs
	if _, answer := f.do("GET", base+"/proofs", ""); json.Unmarshal([]byte(answer), &kept) != nil || len(kept.Proofs) != 1 {
		f.t.Fatal(answer)
	}
	is["PROOF"] = kept.Proofs[0].Person
	is["DISCLOSURE"] = f.receipt(base+"/proofs/disclose", is.fill(`{"id":"o7","person":"PROOF","reason":"claim","to":"court","by":["ann","bo"]}`)).EventID
	return is
}

// follow lets what follows the log follow it, and returns the routes as they are described. What
// the other app has by it is added to its ids.
func (f *foreignServer) follow(is ids) map[string]told {
	f.t.Helper()
	view, err := requests.Open(f.t.Context(), readmodel.Dir(f.t.TempDir()))
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { view.Close() })
	for e, err := range f.ledg.Replay(f.t.Context(), 0) {
		if err == nil {
			err = view.Apply(f.t.Context(), []codec.Entry{e})
		}
		if err != nil {
			f.t.Fatal(err)
		}
	}
	f.conf.Requests = view
	f.serve()

	var feed Feed
	if _, answer := f.do("GET", "/v1/apps/bank/reports/feed", ""); json.Unmarshal([]byte(answer), &feed) != nil || feed.Path == "" {
		f.t.Fatal(answer)
	}
	is["TOKEN"] = strings.Split(feed.Path, "/")[5]

	var last eventstore.EventID
	for r, err := range f.store.ReadAll(f.t.Context(), 0) {
		if err != nil {
			f.t.Fatal(err)
		}
		last = r.ID
	}
	if err := f.logs.Await(f.t.Context(), func() error {
		_, err := f.logs.Find(f.t.Context(), "bank", last)
		return err
	}); err != nil {
		f.t.Fatal(err)
	}

	described := map[string]told{}
	for _, r := range f.routes(f.t) {
		described[r.method+" "+strings.Replace(r.path, "/apps/demo", "/apps/{app}", 1)] = r
	}
	return described
}

// voids is an event that voids a record.
var voids = event("SENT", "PERSON", "record.voided",
	`{"records":["EVENT"],"reason":"mistake","evidence":"sha256:40529c2085aed8cc8bba5ce6c83994a217ed98daf51490f12fa8afce3cf3366d"}`)

// foreignWords stand in paths for what has ids of its own; the rest of a path is the app demo's.
var foreignWords = strings.NewReplacer("{app}", "demo", "{purpose}", "mail", "{register}", "processing",
	"/subjects/{id}", "/subjects/PERSON", "/requests/{id}", "/requests/REQUEST", "/incidents/{id}", "/incidents/INCIDENT",
	"/proposals/{id}", "/proposals/PROPOSAL", "/proofs/{person}", "/proofs/PROOF", "{version}", "VERSION", "{surface}", "VERSION",
	"{webhook}", "WEBHOOK", "{job}", "JOB", "{token}", "TOKEN")

// foreignQueries are what is asked by a query, by the route.
var foreignQueries = map[string][]string{
	"GET /v1/replay":                       {"?app=demo&person=PERSON"},
	"GET /log/{app}/proof":                 {"?event=EVENT"},
	"GET /v1/apps/{app}/lawful":            {"?subject=PERSON&purpose=mail&at=2026-03-02T10:00:00Z"},
	"GET /v1/apps/{app}/requests":          {"?subject=PERSON", "?person=PSEUDONYM"},
	"GET /v1/apps/{app}/obligations":       {"?subject=PERSON", "?person=PSEUDONYM", "?id=EVENT"},
	"GET /v1/apps/{app}/reports/deadlines": {"?subject=PERSON", "?person=PSEUDONYM"},
}

// foreignBodies are what is sent to routes that take a body, by the route. Nothing is sent to
// those that take none.
var foreignBodies = map[string][]string{
	"POST /v1/apps/{app}/subjects/consents":         {`{"subject":"PERSON"}`},
	"POST /v1/apps/{app}/subjects/history":          {`{"subject":"PERSON"}`},
	"POST /v1/apps/{app}/subjects/state":            {`{"subject":"PERSON"}`},
	"POST /v1/apps/{app}/subjects/prompt":           {`{"subject":"PERSON"}`},
	"POST /v1/apps/{app}/check":                     {`{"subject":"PERSON","purpose":"mail"}`},
	"POST /v1/apps/{app}/lawful":                    {`{"subject":"PERSON","purpose":"mail","at":"2026-03-02T10:00:00Z"}`},
	"POST /v1/apps/{app}/replay/diff":               {`{"subject":"PERSON","from":"2026-03-02T10:00:00Z","to":"2026-03-03T10:00:00Z"}`},
	"POST /v1/apps/{app}/requests/query":            {`{"subject":"PERSON"}`},
	"POST /v1/apps/{app}/requests/{id}/reveal":      {`{"reason":"dispute"}`},
	"POST /v1/apps/{app}/obligations/query":         {`{"subject":"PERSON"}`},
	"POST /v1/apps/{app}/reports/deadlines":         {`{"subject":"PERSON"}`},
	"POST /v1/apps/{app}/subjects/erase":            {`{"id":"SENT","subject":"PERSON","reason":"asked","by":["ann","bo"]}`},
	"POST /v1/apps/{app}/voids/preview":             {`{"records":["EVENT"]}`},
	"POST /v1/apps/{app}/policies/diff":             {`{"old":"VERSION","new":"VERSION"}`},
	"POST /v1/apps/{app}/receipts":                  {`{"event":"EVENT"}`, `{"event":"EVENT","disclose":true,"reason":"dispute"}`},
	"POST /v1/apps/{app}/proofs/disclose":           {`{"id":"SENT","person":"PROOF","reason":"claim","to":"court","by":["ann","bo"]}`},
	"POST /v1/apps/{app}/proofs/destroy":            {`{"id":"SENT","person":"PROOF","reason":"claim","by":["ann","bo"]}`},
	"POST /v1/apps/{app}/proofs/open":               {`{"disclosure":"DISCLOSURE","why":"the court asks"}`, `{"disclosure":"EVENT","why":"the court asks"}`},
	"POST /v1/apps/{app}/erasures/{job}/subjects":   {`{"part":1,"subjects":["ann"]}`},
	"POST /v1/apps/{app}/webhooks/{webhook}/rotate": {`{"overlap_hours":1}`},
	"POST /v1/apps/{app}/webhooks/{webhook}/replay": {`{"from":"0"}`},
	"POST /v1/apps/{app}/proposals/{id}/approve":    {`{}`},
	"POST /v1/apps/{app}/proposals/{id}/decline":    {`{"reason":"no"}`},
	"POST /v1/apps/{app}/proposals/{id}/withdraw":   {`{}`},
	"POST /v1/replay":                               {`{"app":"demo","subject":"PERSON"}`},
	"POST /v1/apps/{app}/export": {
		`{"subject":"PERSON"}`, `{"subject":"PERSON","disclose":true,"reason":"dispute"}`, `{"disclose":true,"events":["EVENT"],"reason":"dispute"}`,
	},
	"POST /v1/apps/{app}/events": {
		event("SENT", "PERSON", "consent.withdrawn", `{"all":true}`), event("SENT", "ann", "consent.given", `{"notice":"EVENT","control":"ok"}`),
		event("SENT", "ann", "subject.linked", `{"other":"account:PERSON","proof":"login"}`),
		event("SENT", "ann", "consent.given", `{"policy":"privacy","version":"VERSION","locale":"en","act":"click","purposes":["mail"]}`),
	},
	"POST /v1/apps/{app}/operator/events": {
		strings.Replace(voids, `"evidence"`, `"by":["ann","bo"],"evidence"`, 1), event("SENT", "PERSON", "hold.placed", `{"reason":"court"}`),
		`{"specversion":"1.0","id":"SENT","source":"test","type":"request.withdrawn","data":{"request":"REQUEST"}}`,
		`{"specversion":"1.0","id":"SENT","source":"test","type":"request.answered","data":{"request":"REQUEST","outcome":"full","channel":"email"}}`,
		`{"specversion":"1.0","id":"SENT","source":"test","type":"incident.contained","data":{"incident":"INCIDENT","measures":"off"}}`,
	},
	"POST /v1/apps/{app}/proposals": {`{"event":` + voids + `}`},
}

// noForeign are the routes that take a body, or have a member in their path, and name nothing
// of another app, and why.
var noForeign = map[string]string{
	"GET /log/{app}/tile/{path...}":                "a tile has a place in the app's own log, and no id",
	"POST /v1/apps/{app}/events/bulk":              "it is events, line by line",
	"POST /v1/apps/{app}/tokens":                   "it makes a token, and looks nobody up",
	"POST /v1/apps/{app}/policies":                 "it publishes what it brings",
	"POST /v1/apps/{app}/surfaces":                 "it publishes what it brings",
	"POST /v1/apps/{app}/calendars":                "it publishes what it brings",
	"POST /v1/apps/{app}/pictures":                 "it keeps what it brings, by its hash",
	"POST /v1/apps/{app}/verify":                   "it takes what it verifies",
	"POST /v1/apps/{app}/environment":              "it names nothing",
	"POST /v1/apps/{app}/webhooks":                 "it names nothing",
	"POST /v1/apps/{app}/erasures":                 "a job is begun under an id of the app's own",
	"GET /v1/apps/{app}/incidents":                 "it names nobody",
	"POST /v1/apps/{app}/incidents/query":          "it names nobody",
	"POST /v1/apps/{app}/reports/late-withdrawals": "it names nobody",
	"POST /v1/apps/{app}/minors":                   "it names nobody",
	"POST /v1/apps/{app}/consents/who":             "it names nobody",
	"POST /v1/apps/{app}/log/keys/begin":           "it names nothing",
	"POST /v1/apps/{app}/log/keys/finish":          "it names nothing",
	"POST /v1/deadlines/compute":                   "it names nothing",
	"PUT /v1/apps/{app}":                           "it names nothing",
}

// ofThisMoment is what an answer says of when it was asked for.
var ofThisMoment = regexp.MustCompile(`"(as_of|at|position|valid_at|event_id)":"[^"]*"`)

// A compared request is one that was sent for ids that another app has, and for ids that nobody
// has.
type compared struct {
	reads  int64
	answer string // with its headers
	status int
}

// askFor sends a request for some ids.
func (f *foreignServer) askFor(is ids, method, path, body string) (c compared) {
	f.t.Helper()
	f.sent++
	fill := func(text string) string {
		return strings.ReplaceAll(is.fill(text), "SENT", fmt.Sprint("sent-", f.sent))
	}

	f.two = strings.Contains(path, "/proposals")
	r := httptest.NewRequestWithContext(f.t.Context(), method, fill(path), strings.NewReader(fill(body)))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	w := httptest.NewRecorder()
	before := f.reads.Load()
	f.h.ServeHTTP(w, r)
	c.reads, c.status = f.reads.Load()-before, w.Code
	w.Header().Del("Etag") // a digest of the text
	c.answer = is.hide(fmt.Sprint(w.Code, " ", ofThisMoment.ReplaceAllString(w.Body.String(), ""), " ", w.Header()))
	if w.Code < 300 && method != "GET" { // what was recorded is another thing each time
		c.answer = fmt.Sprint(w.Code)
	}
	return c
}

// requestsTo returns what is sent to a route, and whether it is known whom it may name.
func (f *foreignServer) requestsTo(pattern string, described map[string]told) (all [][2]string, known bool) {
	filled := foreignWords.Replace(pattern)
	_, path, _ := strings.Cut(filled, " ")
	for _, query := range foreignQueries[pattern] {
		all = append(all, [2]string{path + query, ""})
	}
	for _, body := range foreignBodies[pattern] {
		all = append(all, [2]string{path, body})
	}
	if len(all) == 0 && unheard(0).fill(path) != path {
		all = append(all, [2]string{path, ""})
	}

	isRead := strings.HasPrefix(pattern, "GET ")
	asks := slices.ContainsFunc(described[pattern].query, func(name string) bool {
		return slices.Contains([]string{"subject", "person", "stream", "event"}, name)
	})
	known = len(all) > 0 || isRead && !asks
	return all, known && !strings.Contains(filled, "{") || noForeign[pattern] != ""
}

// TestWhatIsAnotherAppsIsReadLikeWhatIsNotThere: how long an answer takes says nothing about
// what others have, if the same is read for it. So for each route of the table of who may do
// what, and so for each subject of NATS that is one, what is read is counted: for ids that
// another app has, and for ids that nobody has. The answers are the same, with their headers,
// too. A route that wants a role in every app has no other app.
func TestWhatIsAnotherAppsIsReadLikeWhatIsNotThere(t *testing.T) {
	f := openForeign(t)
	f.furnish()
	f.receipt(appEndpoint, event("e1", "ann", "consent.withdrawn", `{"all":true}`))
	theirs := f.others("bank")
	described := f.follow(theirs)

	compare := func(method, path, body string) {
		f.askFor(unheard(1), method, path, body) // which finds what is not in memory yet
		has, none := f.askFor(theirs, method, path, body), f.askFor(unheard(2), method, path, body)
		if has.reads != none.reads || has.answer != none.answer {
			t.Errorf("%s %s: what another app has is read %d times, what nobody has %d times\n%.600s\n%.600s",
				path, body, has.reads, none.reads, has.answer, none.answer)
		}
		if none.status == http.StatusBadRequest || none.status == http.StatusForbidden || none.status == http.StatusUnsupportedMediaType || none.status >= 500 {
			t.Errorf("%s %s is refused before anything is looked up: %s", path, body, none.answer)
		}
	}

	// What records something comes last, since then there is more of it here.
	var later []func()
	for _, row := range auth.Routes {
		ofApps := row.Scope != auth.OfAll && (row.Scope != auth.OfNone || strings.Contains(row.Pattern, "{app}"))
		if !ofApps {
			continue
		}

		all, known := f.requestsTo(row.Pattern, described)
		if !known {
			t.Errorf("%s: say what it may name of another app, or why it names nothing", row.Pattern)
		}
		method, _, _ := strings.Cut(row.Pattern, " ")
		for _, one := range all {
			if strings.HasSuffix(row.Pattern, "/events") {
				later = append(later, func() { compare(method, one[0], one[1]) })
			} else {
				compare(method, one[0], one[1])
			}
		}
	}
	for _, compareOne := range later {
		compareOne()
	}
}
