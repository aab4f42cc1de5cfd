package rest

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"iter"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

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

// ids are one of each kind that a request may name.
type ids struct{ person, pseudonym, event, request, incident, version, hash string }

// unheard returns ids that nothing has.
func unheard(n int) ids {
	event := fmt.Sprintf("%08d-89ab-4def-8123-456789abcdef", n)
	return ids{fmt.Sprint("by", n), fmt.Sprintf("%032x", n), event, event, event, fmt.Sprintf("sha256:%064x", n), fmt.Sprintf("sha256:%064x", n)}
}

// A foreignServer has the app demo, and others with a person, a request, an incident and a
// policy of their own.
type foreignServer struct {
	*testServer
	reads atomic.Int64
	sent  int
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
	f.conf.Ledger, f.conf.Blobs = f.ledg, blobs.New(rows)
	f.h = Handler(f.conf)
	return f
}

// others records in another app what has ids of its own, and returns them.
func (f *foreignServer) others(app string) (is ids) {
	f.t.Helper()
	base := "/v1/apps/" + app
	f.want(200, `"receipt"`, "PUT", base, appJSON)
	other := doc
	other.Name = "another"
	document, err := policydoc.Marshal(other)
	if err != nil {
		f.t.Fatal(err)
	}
	is.hash = content.Hash(sha256.Sum256([]byte(text))).String()
	is.version = content.Hash(sha256.Sum256(document)).String()
	f.want(200, is.version, "POST", base+"/policies", fmt.Sprintf(`{"document":%s,"texts":{%q:%q}}`, document, is.hash, text))

	is.person = "bo-" + app
	is.event = f.receipt(base+"/events", event("o1", is.person, "consent.withdrawn", `{"all":true}`)).EventID
	is.request = f.receipt(base+"/events", event("o2", is.person, "request.received", `{"types":["access"],"channel":"app"}`)).Request
	incident := `{"specversion":"1.0","id":"o3","source":"test","type":"incident.detected","data":{"kind":"leak","what":"mail-addresses"}}`
	is.incident = f.receipt(base+"/operator/events", incident).Incident
	name, known, err := f.ledg.Pseudonym(f.t.Context(), ident.AppName(app), ident.PersonKey{Kind: "account", ID: is.person})
	if err != nil || !known {
		f.t.Fatal(known, err)
	}
	is.pseudonym = name
	return is
}

// foreignBodies are what is sent to routes whose ids stand in the body, by the operation.
var foreignBodies = map[string][]string{
	"POST /v1/apps/demo/subjects/consents":  {`{"subject":"PERSON"}`},
	"POST /v1/apps/demo/subjects/history":   {`{"subject":"PERSON"}`},
	"POST /v1/apps/demo/subjects/state":     {`{"subject":"PERSON"}`},
	"POST /v1/apps/demo/subjects/prompt":    {`{"subject":"PERSON"}`},
	"POST /v1/apps/demo/check":              {`{"subject":"PERSON","purpose":"mail"}`},
	"POST /v1/apps/demo/lawful":             {`{"subject":"PERSON","purpose":"mail","at":"2026-03-02T10:00:00Z"}`},
	"POST /v1/apps/demo/replay/diff":        {`{"subject":"PERSON","from":"1","to":"3"}`},
	"POST /v1/apps/demo/requests/query":     {`{"subject":"PERSON"}`},
	"POST /v1/apps/demo/obligations/query":  {`{"subject":"PERSON"}`},
	"POST /v1/apps/demo/reports/deadlines":  {`{"subject":"PERSON"}`},
	"POST /v1/apps/demo/subjects/erase?dry": {`{"id":"SENT","subject":"PERSON","reason":"asked","by":["ann","bo"]}`},
	"POST /v1/apps/demo/voids/preview":      {`{"records":["EVENT"]}`},
	"POST /v1/apps/demo/policies/diff":      {`{"old":"VERSION","new":"VERSION"}`},
	"POST /v1/replay":                       {`{"app":"demo","subject":"PERSON"}`},
	"POST /v1/apps/demo/events": {
		event("SENT", "PERSON", "consent.withdrawn", `{"all":true}`), event("SENT", "ann", "consent.given", `{"notice":"EVENT","control":"ok"}`),
		event("SENT", "ann", "subject.linked", `{"other":"account:PERSON","proof":"login"}`), event("SENT", "ann", "request.withdrawn", `{"request":"REQUEST"}`),
		event("SENT", "ann", "consent.given", `{"policy":"privacy","version":"VERSION","locale":"en","act":"click","purposes":["mail"]}`),
	},
	"POST /v1/apps/demo/operator/events": {
		event("SENT", "ann", "record.voided", `{"records":["EVENT"],"reason":"mistake","evidence":"sha256:40529c2085aed8cc8bba5ce6c83994a217ed98daf51490f12fa8afce3cf3366d","by":["ann","bo"]}`),
		event("SENT", "PERSON", "hold.placed", `{"reason":"court"}`),
		`{"specversion":"1.0","id":"SENT","source":"test","type":"request.answered","data":{"request":"REQUEST","outcome":"full","channel":"email"}}`,
		`{"specversion":"1.0","id":"SENT","source":"test","type":"incident.contained","data":{"incident":"INCIDENT","measures":"off"}}`,
	},
}

// noForeign are the routes with a body, or with a member of the path, that name nothing of
// another app, and why.
var noForeign = map[string]string{
	"POST /v1/apps/demo/events/bulk":              "it is events, line by line",
	"POST /v1/apps/demo/subjects/erase":           "asked as a dry run",
	"POST /v1/apps/demo/policies":                 "it publishes what it brings",
	"POST /v1/apps/demo/surfaces":                 "it publishes what it brings",
	"POST /v1/apps/demo/calendars":                "it publishes what it brings",
	"POST /v1/apps/demo/pictures":                 "it keeps what it brings, by its hash",
	"POST /v1/apps/demo/environment":              "it names nothing",
	"POST /v1/apps/demo/incidents/query":          "it names nobody",
	"POST /v1/apps/demo/reports/late-withdrawals": "it names nobody",
	"POST /v1/apps/demo/minors":                   "it names nobody",
	"POST /v1/apps/demo/consents/who":             "it names nobody",
	"POST /v1/apps/demo/proposals":                "it is an operator's event",
	"POST /v1/apps/demo/proofs/disclose":          "of who is erased, by the pseudonym, as GET of the proof",
	"POST /v1/apps/demo/proofs/destroy":           "of who is erased, by the pseudonym, as GET of the proof",
	"POST /v1/apps/demo/proofs/open":              "of who is erased, by the pseudonym, as GET of the proof",
	"POST /v1/groups/family/events":               "it wants a key for all apps",
	"POST /v1/deadlines/compute":                  "it names nothing",
}

// ofThisMoment is what an answer says of when it was asked for.
var ofThisMoment = regexp.MustCompile(`"(as_of|position|valid_at|event_id)":"[^"]*"`)

// TestWhatIsAnotherAppsIsReadLikeWhatIsNotThere: how long an answer takes says nothing about
// what others have, if the same is read for it. So for each route, and each subject of NATS
// that is one, what is read is counted: for ids that another app has, and for ids that nobody
// has. The answers are the same, too.
func TestWhatIsAnotherAppsIsReadLikeWhatIsNotThere(t *testing.T) {
	f := openForeign(t)
	f.furnish()
	f.receipt(appEndpoint, event("e1", "ann", "consent.withdrawn", `{"all":true}`))
	theirs := f.others("bank")
	view, err := requests.Open(t.Context(), readmodel.Dir(t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	defer view.Close()
	for e, err := range f.ledg.Replay(t.Context(), 0) {
		if err == nil {
			err = view.Apply(t.Context(), []codec.Entry{e})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	f.conf.Requests, f.conf.FeedKey = view, []byte("a key of 32 bytes for the feeds.")
	f.h = Handler(f.conf)

	tried := map[string]bool{}
	compare := func(route, method, path, body string) {
		t.Helper()
		tried[route] = true
		var answers [3]string
		var reads [3]int64
		for i, is := range []ids{unheard(1), theirs, unheard(2)} { // the first finds what is not in memory yet
			f.sent++
			fill := strings.NewReplacer("PERSON", is.person, "PSEUDONYM", is.pseudonym, "EVENT", is.event, "REQUEST", is.request,
				"INCIDENT", is.incident, "VERSION", is.version, "SENT", fmt.Sprint("sent-", f.sent))
			before := f.reads.Load()
			status, text := f.do(method, fill.Replace(path), fill.Replace(body))
			reads[i] = f.reads.Load() - before
			for _, id := range []string{is.person, is.pseudonym, is.event, is.request, is.incident, is.version} {
				text = strings.ReplaceAll(text, id, "ID")
			}
			text = ofThisMoment.ReplaceAllString(text, "")
			answers[i] = fmt.Sprint(status, " ", text)
			if status < 300 && method != "GET" { // what was recorded is another thing each time
				answers[i] = fmt.Sprint(status)
			}
		}
		if reads[1] != reads[2] || answers[1] != answers[2] {
			t.Errorf("%s %s: what another app has is read %d times, what nobody has %d times\n%.400s\n%.400s", route, body, reads[1], reads[2], answers[1], answers[2])
		}
	}

	compare("GET /v1/replay", "GET", "/v1/replay?app=demo&person=PSEUDONYM", "")
	later := slices.Collect(maps.Keys(foreignBodies))
	for _, r := range f.routes(t) {
		route := r.method + " " + r.path
		path := strings.NewReplacer("/requests/ann", "/requests/REQUEST", "/incidents/ann", "/incidents/INCIDENT", "/subjects/ann", "/subjects/PERSON",
			"/proposals/ann", "/proposals/EVENT", "/proofs/"+strings.Repeat("0", 31)+"1", "/proofs/PSEUDONYM",
			"sha256:"+strings.Repeat("0", 64), "VERSION").Replace(r.path)
		switch {
		case noForeign[route] != "" || foreignBodies[route] != nil || tried[route] || strings.HasPrefix(path, "/v1/access/"):
		case path != r.path && !strings.HasPrefix(path, "/v1/blobs/"): // texts are public, by their hash
			body := ""
			if r.body {
				body = `{"reason":"no"}`
			}
			compare(route, r.method, path, body)
		case r.method == "POST":
			t.Errorf("%s: say what it names of another app, or why it names nothing", route)
		}
	}

	// What records something comes last, since then there is more of them here.
	slices.SortFunc(later, func(a, b string) int {
		return cmp.Or(cmp.Compare(strings.Count(a, "/events"), strings.Count(b, "/events")), cmp.Compare(a, b))
	})
	for _, route := range later {
		method, path, _ := strings.Cut(route, " ")
		if at, dry := strings.CutSuffix(path, "?dry"); dry {
			path = at + "?dry_run"
		}
		for _, body := range foreignBodies[route] {
			compare(route, method, path, body)
		}
	}
	if len(tried) < 25 {
		t.Errorf("%d routes are tried", len(tried))
	}
}
