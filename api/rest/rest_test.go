package rest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"consentledger/api/wire"
	"consentledger/api/wire/wiretest"
	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore"
	"consentledger/eventstore/blobs"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/codec/policydoc"
	"consentledger/eventstore/ledger"
	"consentledger/eventstore/memory"
	"consentledger/eventstore/vault"

	"consentledger/projections/activity"
	"consentledger/projections/consents"
	"github.com/nats-io/nats.go"

	"github.com/go-json-experiment/json"
)

// A testServer is a handler with everything behind it.
type testServer struct {
	t    *testing.T
	h    http.Handler
	log  bytes.Buffer
	wait error
	sick bool
	ledg *ledger.Ledger
	conf Config
	nats *nats.Conn // nil: it is not answered there

	store *memory.Store // of the ledger
	rows  *memory.Rows  // of the vault and the texts
}

type views struct{ h *testServer }

func (v views) OpposedCounts(ctx context.Context, app ident.AppName, _ deadline.Instant) ([]consents.OpposedCount, eventstore.Position, error) {
	p, err := v.h.ledg.Head(ctx)
	return nil, p, err
}

func (v views) Progress(ctx context.Context, _ ident.AppName, _ content.Hash, _ deadline.Instant, _ consents.When) (map[policy.PurposeID]consents.Progress, eventstore.Position, error) {
	p, err := v.h.ledg.Head(ctx)
	return nil, p, err
}

func (v views) Who(ctx context.Context, _ ident.AppName, _ policy.PurposeID, _ deadline.Instant, _ consents.Cursor, _ int) ([]consents.Row, consents.Cursor, eventstore.Position, error) {
	p, err := v.h.ledg.Head(ctx)
	return nil, consents.Cursor{}, p, err
}

func (v views) Opposed(ctx context.Context, app ident.AppName, _ deadline.Instant, _ consents.Cursor, _ int) ([]consents.Row, consents.Cursor, eventstore.Position, error) {
	p, err := v.h.ledg.Head(ctx)
	return nil, consents.Cursor{}, p, err
}

func (v views) Counts(ctx context.Context, _ ident.AppName, _ consents.When) ([]consents.Count, eventstore.Position, error) {
	p, err := v.h.ledg.Head(ctx)
	return nil, p, err
}

func (v views) Touched(ctx context.Context, _ ident.AppName, _ consents.Change) (map[policy.PurposeID]int64, eventstore.Position, error) {
	p, err := v.h.ledg.Head(ctx)
	return nil, p, err
}

func (v views) Voided(ctx context.Context, app ident.AppName) ([]consents.VoidedCount, eventstore.Position, error) {
	p, err := v.h.ledg.Head(ctx)
	return []consents.VoidedCount{{Status: domain.Given, Answers: 2}}, p, err
}

func (v views) Bands(ctx context.Context, _ ident.AppName, _ consents.When) ([]consents.BandCount, int64, eventstore.Position, error) {
	p, err := v.h.ledg.Head(ctx)
	return nil, 0, p, err
}

func (v views) Minors(ctx context.Context, _ ident.AppName, _ consents.When, _ consents.MinorCursor, _ int) ([]consents.Minor, consents.MinorCursor, eventstore.Position, error) {
	p, err := v.h.ledg.Head(ctx)
	return nil, consents.MinorCursor{}, p, err
}

func (v views) Tests(ctx context.Context, app ident.AppName) (int64, eventstore.Position, error) {
	p, err := v.h.ledg.Head(ctx)
	return 0, p, err
}

func (v views) Apps(ctx context.Context) ([]AppCount, eventstore.Position, error) {
	p, err := v.h.ledg.Head(ctx)
	return []AppCount{{"demo", 1}}, p, err
}

func (v views) AppsBy(ctx context.Context, at deadline.Instant) ([]AppCount, eventstore.Position, error) {
	p, err := v.h.ledg.Head(ctx)
	return nil, p, err
}

func (v views) Answers(context.Context, ident.AppName, ...activity.Count) (eventstore.Position, error) {
	return v.h.ledg.Head(context.Background())
}

func (v views) Days(ctx context.Context, app ident.AppName, from, until string) ([]Day, int64, eventstore.Position, error) {
	p, err := v.h.ledg.Head(ctx)
	return []Day{{Day: "2026-03-02", Type: "consent.given", Count: 1}}, 1, p, err
}

func (v views) Hours(ctx context.Context, app ident.AppName, from, until string) ([]Day, int64, eventstore.Position, error) {
	p, err := v.h.ledg.Head(ctx)
	return []Day{{Day: from, Hour: "13:00", Type: "consent.given", Count: 1}}, 1, p, err
}

func (v views) Wait(context.Context, eventstore.Position) error { return v.h.wait }

var doc = policy.Document{
	Name: "privacy", Title: []policy.LocalText{{Locale: "en", Text: "Privacy"}}, Jurisdiction: "CN", TimeZone: "Asia/Shanghai",
	Purposes: []policy.Purpose{{ID: "mail", Title: "Mail", Section: "I", Actions: []policy.Action{policy.Collect, policy.Use}, Basis: policy.BasisConsent}},
	Acts:     []policy.Act{{ID: "click", Title: "Click", Section: "I", Counts: policy.ExplicitConsent}},
	Minors:   policy.Minors{AdultAge: 18, ChildBelowPolicy: 14, ChildBelowLaw: 14},
	Texts:    []policy.Text{{Locale: "en", Hash: sha256.Sum256([]byte(text)), Force: policy.Authoritative}},
}

const text = "We send mail."

func open(t *testing.T) *testServer {
	t.Helper()
	ctx := t.Context()
	rows := new(memory.Rows)
	v, err := vault.Open(ctx, rows, vault.NewMemoryKeys())
	if err != nil {
		t.Fatal(err)
	}
	now := func() deadline.Instant { return deadline.At(time.Now()) }
	h := &testServer{t: t, store: new(memory.Store), rows: rows}
	l, err := ledger.Open(ctx, ledger.Config{Store: h.store, Vault: v, Blobs: blobs.New(rows), Now: now})
	if err != nil {
		t.Fatal(err)
	}
	h.ledg = l
	h.conf = Config{
		Ledger: l, Blobs: blobs.New(rows), Consents: views{h}, Policies: views{h}, Activity: views{h}, Wait: views{h}, Version: "test",
		Status: func(context.Context) StatusReport {
			signed := SignedLog{App: "demo", Size: 5, Root: "root", Verified: true, At: "2026-03-02T11:00:00Z"}
			return StatusReport{Version: "test", Head: "0", Integrity: &IntegrityReport{Logs: []SignedLog{signed}}}
		},
		Ready: func(context.Context) []Check {
			return []Check{{Name: "store", OK: !h.sick, Detail: "as seen"}, {Name: "intake losses", Detail: "3 are gone", Alarm: true}}
		},
		Log: slog.New(slog.NewTextHandler(&h.log, nil)),
	}
	h.h = Handler(h.conf)
	return h
}

// do asks and returns the status and the body. Headers are "Name: value".
func (h *testServer) do(method, path, body string, headers ...string) (int, string) {
	code, b, _ := h.ask(method, path, body, headers...)
	return code, b
}

func (h *testServer) ask(method, path, body string, headers ...string) (int, string, http.Header) {
	h.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	h.h.ServeHTTP(w, r)
	if w.Code >= 400 && w.Code != 503 && w.Header().Get("Content-Type") != "application/problem+json" {
		h.t.Errorf("%s %s: %d is %s", method, path, w.Code, w.Header().Get("Content-Type"))
	}
	if strings.Contains(w.Body.String(), "$schema\":") && !strings.Contains(path, "openapi") && !strings.Contains(path, "schemas") {
		h.t.Errorf("%s %s links to a schema", method, path)
	}
	return w.Code, w.Body.String(), w.Header()
}

func (h *testServer) want(code int, part, method, path, body string, headers ...string) string {
	h.t.Helper()
	got, b := h.do(method, path, body, headers...)
	if got != code || !wiretest.Holds(b, part) {
		h.t.Errorf("%s %s: %d %.400s\nwant %d with %s", method, path, got, b, code, part)
	}
	return b
}

const appJSON = `{"handler":"Demo","environment":"test","jurisdiction":"CN","time_zone":"Asia/Shanghai","locales":["en"]}`

func publishedIn(t *testing.T) (body string, version content.Hash) {
	t.Helper()
	b, err := policydoc.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	version = sha256.Sum256(b)
	return fmt.Sprintf(`{"document":%s,"texts":{%q:%q}}`, b, doc.Texts[0].Hash, text), version
}

func (h *testServer) furnish() content.Hash {
	h.t.Helper()
	body, version := publishedIn(h.t)
	h.want(200, `"receipt"`, "PUT", "/v1/apps/demo", appJSON)
	h.want(200, version.String(), "POST", "/v1/apps/demo/policies", body)
	return version
}

func event(id, subject, kind, data string) string {
	idPart := ""
	if id != "" {
		idPart = fmt.Sprintf(`"id":%q,`, id)
	}
	return fmt.Sprintf(`{"specversion":"1.0",%s"source":"/test","type":%q,"subject":%q,"data":%s}`, idPart, kind, subject, data)
}

const yes = `{"policy":"privacy","locale":"en","act":"click","purposes":["mail"]}`

func TestEveryRouteAnswers(t *testing.T) {
	h := open(t)
	version := h.furnish()
	given := event("e1", "account:ann", "consent.given", yes)
	receipt := h.want(200, `"event_id"`, "POST", "/v1/apps/demo/events", given)
	h.want(200, receipt, "POST", "/v1/apps/demo/events", given) // the same for ever
	h.want(200, `"event_id"`, "POST", "/v1/apps/demo/events", event("", "account:ann", "consent.withdrawn", `{"all":true}`), "Idempotency-Key: k1", "Content-Type: application/cloudevents+json")
	h.want(200, `"status":"withdrawn"`, "GET", "/v1/apps/demo/subjects/account:ann/consents?min_position=1", "")
	h.want(200, `"as_of":"5"`, "POST", "/v1/apps/demo/subjects/consents", `{"subject":"ann"}`)
	h.want(200, `"consent.withdrawn"`, "GET", "/v1/apps/demo/subjects/ann/history", "")
	h.want(200, `"next":"4"`, "POST", "/v1/apps/demo/subjects/history?limit=1", `{"subject":"ann"}`)
	h.want(200, `"allowed":false`, "GET", "/v1/apps/demo/subjects/ann/purposes/mail/check?action=use", "")
	h.want(200, `"allowed":false`, "POST", "/v1/apps/demo/check", `{"subject":"ann","purpose":"mail"}`)
	h.want(200, `"results"`, "POST", "/v1/apps/demo/check", `{"checks":[{"subject":"ann","purpose":"mail"},{"subject":"","purpose":"mail"}]}`)
	h.want(200, `"as_of":"5"`, "GET", "/v1/apps", "")
	h.want(200, `"policies":1`, "GET", "/v1/apps/demo", "")
	if b := h.want(200, `"app":"demo"`, "PUT", "/v1/apps/demo", appJSON); strings.Contains(b, "receipt") {
		t.Error("the same app again was recorded again")
	}
	h.want(200, `"in_force":true`, "GET", "/v1/apps/demo/policies", "")
	h.want(200, `"purposes"`, "GET", "/v1/apps/demo/policies/"+version.String(), "")
	h.want(200, `"days"`, "GET", "/v1/apps/demo/activity?from=2026-03-01", "")
	h.want(200, `"days"`, "GET", "/v1/apps/demo/activity?from=2026-03-01&until=2026-03-01", "")
	h.want(200, `"day":"2026-03-01","hour":"13:00"`, "GET", "/v1/apps/demo/activity?by=hour&from=2026-03-01&until=2026-03-31", "")
	for _, query := range []string{"by=hour", "by=hour&from=2026-03-01", "by=hour&from=2026-03-01&until=2026-04-01", "by=week"} {
		h.want(400, "by: ", "GET", "/v1/apps/demo/activity?"+query, "")
	}
	h.want(400, "until: is before from", "GET", "/v1/apps/demo/activity?from=2026-03-02&until=2026-03-01", "")
	h.want(200, text, "GET", "/v1/blobs/"+doc.Texts[0].Hash.String(), "")
	h.want(200, `"schema":"policy/1"`, "GET", "/v1/blobs/"+version.String(), "")
	h.want(200, `"version":"test"`, "GET", "/v1/status", "")
	h.want(200, `"integrity":{"logs":[{"app":"demo","size":5,"root":"root","verified":true,"at":"2026-03-02T11:00:00Z"}],"witnessed":false}`,
		"GET", "/v1/status", "")
	if _, spec := h.do("GET", "/openapi.json", ""); !strings.Contains(spec, `"IntegrityReport":{`) {
		t.Error("the description does not say what integrity is")
	}
	h.want(200, `"ok":true`, "GET", "/livez", "")
	h.want(200, `"as seen"`, "GET", "/readyz?verbose", "")
	h.want(200, `{"ok":true}`, "GET", "/healthz", "")
	h.want(200, "<!doctype html>", "GET", "/", "")
	h.want(200, "openapi:", "GET", "/openapi.yaml", "")
	h.sick = true
	h.want(503, `{"ok":false,"checks":[{"name":"store","ok":false,"detail":"as seen"}]}`, "GET", "/readyz", "")
	if h.log.Len() != 0 {
		t.Errorf("the log is not empty: %s", h.log.String())
	}
}

func TestABadRequestIsToldWithoutWhatWasSent(t *testing.T) {
	h := open(t)
	h.furnish()
	const secret = "13800138000"
	tests := []struct {
		code               int
		method, path, body string
	}{
		{400, "POST", "/v1/apps/demo/events", event("e", secret, "consent.given", yes)},
		{400, "POST", "/v1/apps/demo/events", event("e", "ann", secret, yes)},
		{400, "POST", "/v1/apps/demo/events", `{"` + secret + `":1}`},
		{400, "POST", "/v1/apps/demo/events", `{"subject":"` + secret + `","subject":"ann"}`},
		{422, "POST", "/v1/apps/demo/events", event("e", "ann", "consent.given", `{"act":"no-such","details":{"phone":"`+secret+`"}}`)},
		{400, "POST", "/v1/apps/demo/events", `[` + secret},
		{400, "GET", "/v1/apps/demo/subjects/" + secret + "/consents", ""},
		{400, "GET", "/v1/apps/demo/subjects/ann/consents?min_position=" + secret, ""},
		{400, "POST", "/v1/apps/demo/subjects/consents", `{"subject":"` + secret + `"}`},
		{400, "POST", "/v1/apps/demo/subjects/consents", `{"subject":"a","subject":"` + secret + `"}`},
		{400, "POST", "/v1/apps/demo/subjects/consents", `{"` + secret + `":"a"}`},
		{400, "POST", "/v1/apps/demo/subjects/consents", `{"subject":` + secret + `}`},
		{400, "GET", "/v1/apps/demo/subjects/" + secret + "/history", ""},
		{400, "GET", "/v1/apps/demo/subjects/ann/history?limit=" + secret, ""},
		{400, "POST", "/v1/apps/demo/subjects/history", `"` + secret + `"`},
		{400, "GET", "/v1/apps/demo/subjects/" + secret + "/purposes/mail/check", ""},
		{400, "GET", "/v1/apps/demo/subjects/ann/purposes/mail/check?action=" + secret, ""},
		{400, "POST", "/v1/apps/demo/check", `{"subject":"` + secret + `","purpose":"mail"}`},
		{400, "POST", "/v1/apps/demo/check", `{"checks":[{}],"` + secret + `":1}`},
		{400, "GET", "/v1/apps/a-" + secret, ""},
		{400, "GET", "/v1/apps?min_position=" + secret, ""},
		{400, "PUT", "/v1/apps/demo", `{"environment":"` + secret + `"}`},
		{400, "PUT", "/v1/apps/demo", `{"environment":"test","time_zone":"` + secret + `"}`},
		{400, "GET", "/v1/apps/a-" + secret + "/policies", ""},
		{400, "GET", "/v1/apps/demo/policies/" + secret, ""},
		{400, "POST", "/v1/apps/demo/policies", `{"` + secret + `":1}`},
		{422, "POST", "/v1/apps/demo/policies", `{"document":{"` + secret + `":1}}`},
		{400, "GET", "/v1/apps/demo/activity?from=" + secret, ""},
		{400, "GET", "/v1/replay?person=" + secret, ""},
		{400, "GET", "/v1/replay?type=" + secret, ""},
		{400, "GET", "/v1/replay?person=ann", ""},
		{400, "POST", "/v1/replay", `{"app":"demo","subject":"` + secret + `"}`},
		{400, "POST", "/v1/replay", `{"` + secret + `":1}`},
		{400, "POST", "/v1/replay", `{"from":"` + secret + `"}`},
		{400, "POST", "/v1/replay", `{"type":"` + secret + `"}`},
		{400, "POST", "/v1/apps/demo/subjects/state", `{"subject":"` + secret + `"}`},
		{400, "POST", "/v1/apps/demo/subjects/state", `{"` + secret + `":1}`},
		{400, "POST", "/v1/apps/demo/operator/events", event("e", secret, "hold.placed", `{"reason":"court"}`)},
		{400, "POST", "/v1/apps/demo/operator/events", event("e", "ann", "guardian.ended", `{"guardian":"`+secret+`","reason":"adult"}`)},
		{400, "POST", "/v1/apps/demo/operator/events", event("e", "ann", "age.recorded", `{"band":"adult","basis":"declared","birth_date":"`+secret+`"}`)},
		{400, "GET", "/v1/apps/demo/subjects/" + secret + "/prompt", ""},
		{400, "POST", "/v1/apps/demo/subjects/prompt", `{"subject":"` + secret + `"}`},
		{400, "POST", "/v1/apps/demo/subjects/prompt", `{"` + secret + `":1}`},
		{400, "POST", "/v1/apps/demo/surfaces", `{"schema":"` + secret + `"}`},
		{400, "POST", "/v1/apps/demo/surfaces", `{"schema":"surface/1","` + secret + `":1}`},
		{400, "GET", "/v1/apps/demo/surfaces/" + secret, ""},
		{400, "POST", "/v1/apps/demo/policies/diff", `{"old":"` + secret + `"}`},
		{422, "POST", "/v1/apps/demo/policies/diff", `{"document":{"` + secret + `":1}}`},
		{400, "POST", "/v1/apps/demo/voids/preview", `{"records":["` + secret + `"]}`},
		{400, "POST", "/v1/apps/demo/voids/preview", `{"` + secret + `":1}`},
		{400, "POST", "/v1/groups/" + secret + "./events", event("e", "ann", "consent.withdrawn", `{"all":true}`)},
		{400, "POST", "/v1/groups/demo/events", event("e", secret, "consent.withdrawn", `{"all":true}`)},
		{400, "GET", "/v1/apps/a-" + secret + "/consents/counts", ""},
		{400, "GET", "/v1/blobs/" + secret, ""},
		{404, "GET", "/" + secret, ""},
		{405, "DELETE", "/v1/apps/" + secret, ""},
	}
	for _, test := range tests {
		code, b := h.do(test.method, test.path, test.body)
		if code != test.code || strings.Contains(b, secret) || !strings.Contains(b, `"code":`) {
			t.Errorf("%s %s %s: %d %s\nwant %d", test.method, test.path, test.body, code, b, test.code)
		}
	}
	// The domain names an app, an act or a purpose that it does not know: these
	// are the app's own words, checked to be names.
	h.want(404, "unknown-app", "GET", "/v1/apps/nosuch", "")
	if strings.Contains(h.log.String(), secret) {
		t.Error("the log holds what was sent")
	}
}

func TestABatchHasAResultForEachRow(t *testing.T) {
	h := open(t)
	h.furnish()
	var list []string
	for i := range 100 {
		list = append(list, event(fmt.Sprint("e", i), fmt.Sprint("p", i%7), "consent.given", yes))
	}
	list[3], list[5] = `{"id":"a","id":"b"}`, event("e5", "p5", "consent.given", `{"act":"no-such"}`)
	_, b := h.do("POST", "/v1/apps/demo/events", "["+strings.Join(list, ",")+"]", "Content-Type: application/cloudevents-batch+json")
	var rows Rows
	if err := json.Unmarshal([]byte(b), &rows); err != nil || len(rows.Results) != 100 {
		t.Fatalf("%v: %.300s", err, b)
	}
	for i, r := range rows.Results {
		want := map[int]int{3: 400, 5: 422}[i]
		if want == 0 && (r.Status != 200 || r.Receipt == nil) || want != 0 && (r.Status != want || r.Problem == nil) {
			t.Errorf("row %d: %+v", i, r)
		}
	}
	h.want(400, "1 to 1000", "POST", "/v1/apps/demo/events", "["+strings.Repeat("{},", 1000)+"{}]")
	h.want(400, "array", "POST", "/v1/apps/demo/events", "{}", "Content-Type: application/cloudevents-batch+json")
	h.want(415, "cloudevents", "POST", "/v1/apps/demo/events", "{}", "Content-Type: text/plain")
}

func TestAReplayIsALineAnEntry(t *testing.T) {
	h := open(t)
	h.furnish()
	h.want(200, "", "POST", "/v1/apps/demo/events", event("e1", "ann", "consent.given", yes))
	h.want(200, "", "POST", "/v1/apps/demo/events", event("e2", "bo", "consent.given", yes))
	for query, lines := range map[string]int{
		"": 5, "?app=demo&person=ann": 1, "?type=consent.given": 2, "?after=4": 1, "?app=demo&person=nobody": 0,
		"?to=2000-01-01T00:00:00Z": 0, "?from=2000-01-01T00:00:00Z": 5, "?app=demo&person=bo&after=5": 0,
	} {
		b := h.want(200, "", "GET", "/v1/replay"+query, "")
		if n := strings.Count(b, "\n"); n != lines {
			t.Errorf("%q: %d lines, want %d: %s", query, n, lines, b)
		}
		for line := range strings.Lines(b) {
			var e wire.HistoryEntry
			if err := json.Unmarshal([]byte(line), &e); err != nil || e.EventID == "" {
				t.Errorf("%q: line %s: %v", query, line, err)
			}
		}
	}
	for body, lines := range map[string]int{`{}`: 5, `{"app":"demo","subject":"ann"}`: 1, `{"app":"demo","subject":"account:bo","type":"consent.given","after":"4"}`: 1, `{"type":"consent.withdrawn"}`: 0} {
		if b := h.want(200, "", "POST", "/v1/replay", body); strings.Count(b, "\n") != lines {
			t.Errorf("%s: want %d lines: %s", body, lines, b)
		}
	}
	h.want(404, "unknown-app", "POST", "/v1/replay", `{"app":"nosuch"}`)
	// A state is a check for every purpose.
	then := `"valid_at":"` + deadline.At(time.Now()).String() + `"`
	answer := h.want(200, `"why":"consent-given"`, "POST", "/v1/apps/demo/check", `{"subject":"ann","purpose":"mail",`+then+`}`)
	if got, want := h.want(200, "", "POST", "/v1/apps/demo/subjects/state", `{"subject":"ann",`+then+`}`), `{"app":"demo","purposes":[`+strings.TrimSpace(answer)+`]}`; strings.TrimSpace(got) != want {
		t.Errorf("state: %s, want %s", got, want)
	}
	h.want(404, "unknown-app", "POST", "/v1/apps/nosuch/subjects/state", `{"subject":"ann"}`)
	h.conf.Ledger = &torn{Ledger: h.ledg, whole: 1}
	h.h = Handler(h.conf)
	w := httptest.NewRecorder()
	h.h.ServeHTTP(w, httptest.NewRequest("GET", "/v1/replay", nil))
	if !strings.HasPrefix(w.Body.String(), `{"error":{`) {
		t.Errorf("a replay that broke off says %q", w.Body.String())
	}
}

// A torn ledger reads so many selections, and then none.
type torn struct {
	*ledger.Ledger
	whole int
}

func (l *torn) SelectBy(ctx context.Context, s ledger.Selection, index ledger.Index) (iter.Seq2[codec.Entry, error], error) {
	if l.whole--; l.whole >= 0 {
		return l.Ledger.SelectBy(ctx, s, index)
	}
	return func(yield func(codec.Entry, error) bool) { yield(codec.Entry{}, errors.New("secret disk on fire")) }, nil
}

func TestBodiesAreBounded(t *testing.T) {
	h := open(t)
	h.furnish()
	h.want(413, `"code"`, "POST", "/v1/apps/demo/events", strings.Repeat(" ", maxBody+1))
	h.want(400, `"code"`, "POST", "/v1/apps/demo/policies", strings.Repeat(" ", maxBody+1))
	h.want(413, `"code"`, "POST", "/v1/apps/demo/policies", strings.Repeat(" ", maxPolicy+1))
}

// A panicky ledger names whoever is asked about, and dies.
type panicky struct{ Ledger }

func (panicky) State(context.Context, ident.AppName, ident.PersonKey, ledger.AsOf) (ledger.State, error) {
	panic("secret-person")
}

func TestAPanicIsAProblemWithoutText(t *testing.T) {
	h := open(t)
	h.furnish()
	h.conf.Ledger = panicky{h.ledg}
	h.h = Handler(h.conf)
	if b := h.want(500, `"code"`, "GET", "/v1/apps/demo/subjects/ann/consents", ""); strings.Contains(b, "secret") {
		t.Error(b)
	}
	if s := h.log.String(); !strings.Contains(s, "panic") || strings.Contains(s, "secret-person") || strings.Contains(s, "/ann/") {
		t.Error(s)
	}
}

func TestWaitingIsBounded(t *testing.T) {
	h := open(t)
	h.furnish()
	h.wait = fmt.Errorf("waiting: %w", context.DeadlineExceeded)
	h.want(503, "min_position", "GET", "/v1/apps?min_position=1", "")
	h.want(400, "min_position", "GET", "/v1/apps?min_position=99", "")
}

func TestATextMustBeThereBeforeItsPolicy(t *testing.T) {
	h := open(t)
	h.want(200, "", "PUT", "/v1/apps/demo", appJSON)
	body, version := publishedIn(t)
	bare := body[:strings.LastIndex(body, `,"texts"`)] + "}"
	h.want(422, "unknown-text", "POST", "/v1/apps/demo/policies", bare)
	h.want(400, "hash", "POST", "/v1/apps/demo/policies", strings.Replace(body, text, "Other", 1))
	h.want(200, version.String(), "POST", "/v1/apps/demo/policies", body)
	if b := h.want(200, version.String(), "POST", "/v1/apps/demo/policies", bare); strings.Contains(b, "receipt") {
		t.Error("what is published already was published again")
	}
}

func TestOpenAPIListsEveryRoute(t *testing.T) {
	h := open(t)
	_, b := h.do("GET", "/openapi.json", "")
	var spec struct {
		Paths map[string]map[string]any `json:"paths"`
	}
	if err := json.Unmarshal([]byte(b), &spec); err != nil {
		t.Fatal(err)
	}
	for _, route := range []string{
		"post /v1/apps/{app}/events", "get /v1/apps/{app}/subjects/{id}/consents", "post /v1/apps/{app}/subjects/consents",
		"get /v1/apps/{app}/subjects/{id}/history", "post /v1/apps/{app}/subjects/history",
		"get /v1/apps/{app}/subjects/{id}/purposes/{purpose}/check", "post /v1/apps/{app}/check", "get /v1/apps", "get /v1/apps/{app}",
		"put /v1/apps/{app}", "get /v1/apps/{app}/policies", "get /v1/apps/{app}/policies/{version}", "post /v1/apps/{app}/policies",
		"get /v1/apps/{app}/activity", "get /v1/replay", "post /v1/replay", "post /v1/apps/{app}/subjects/state", "get /v1/blobs/{hash}",
		"post /v1/apps/{app}/operator/events", "get /v1/apps/{app}/consents/counts", "get /v1/apps/{app}/consents/opposed", "get /v1/apps/{app}/subjects/{id}/prompt", "post /v1/apps/{app}/subjects/prompt",
		"get /v1/apps/{app}/surfaces", "get /v1/apps/{app}/surfaces/{surface}", "post /v1/apps/{app}/surfaces", "post /v1/apps/{app}/policies/diff",
		"post /v1/apps/{app}/voids/preview", "post /v1/apps/{app}/subjects/erase", "post /v1/groups/{group}/events", "get /v1/status", "get /livez", "get /readyz", "get /healthz", "get /v1/alarms",
	} {
		method, path, _ := strings.Cut(route, " ")
		if spec.Paths[path][method] == nil {
			t.Errorf("%s is not listed", route)
		}
	}
}

func TestOverTheWireToo(t *testing.T) {
	h := open(t)
	h.furnish()
	srv := httptest.NewServer(h.h)
	defer srv.Close()
	res, err := http.Get(srv.URL + "/v1/replay")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil || bytes.Count(b, []byte("\n")) != 3 || res.Header.Get("Content-Type") != "application/x-ndjson" {
		t.Errorf("%s %v %v", b, res.Header, err)
	}
}

// A blind ledger cannot read what it has of a person whose name begins with "b".
type blind struct{ *ledger.Ledger }

func (b blind) State(ctx context.Context, app ident.AppName, who ident.PersonKey, asOf ledger.AsOf) (ledger.State, error) {
	if strings.HasPrefix(who.ID, "b") {
		return ledger.State{}, errors.New("secret disk on fire")
	}
	return b.Ledger.State(ctx, app, who, asOf)
}

func TestWhatCannotBeToldIsUnknownAndNotAllowed(t *testing.T) {
	h := open(t)
	h.furnish()
	h.conf.Ledger = blind{h.ledg}
	h.h = Handler(h.conf)
	unknown := func(what, body string) {
		t.Helper()
		var a wire.CheckAnswer
		if err := json.Unmarshal([]byte(body), &a); err != nil || a.Allowed || a.Status != wire.Unknown || a.Purpose != "mail" || a.Action != "use" || a.Reason == "" || strings.Contains(body, "secret") {
			t.Errorf("%s: %v: %s", what, err, body)
		}
	}
	unknown("a path", h.want(503, `"allowed":false`, "GET", "/v1/apps/demo/subjects/bo/purposes/mail/check", ""))
	unknown("a body", h.want(503, `"allowed":false`, "POST", "/v1/apps/demo/check", `{"subject":"bo","purpose":"mail"}`))
	h.want(400, `"code":"malformed"`, "POST", "/v1/apps/demo/check", `{"subject":"bo","purpose":"?"}`)

	b := h.want(200, `"results"`, "POST", "/v1/apps/demo/check", `{"checks":[{"subject":"al","purpose":"mail"},{"subject":"bo","purpose":"mail"},{"subject":"bo","purpose":"?"}]}`)
	var rows CheckRows
	if err := json.Unmarshal([]byte(b), &rows); err != nil || len(rows.Results) != 3 {
		t.Fatalf("%v: %s", err, b)
	}
	if r := rows.Results[0]; r.Status != 200 || r.Answer == nil || r.Answer.Status != "never-asked" {
		t.Errorf("a row that can be told: %+v", r)
	}
	if r := rows.Results[1]; r.Status != 503 || r.Problem != nil || r.Answer == nil || r.Answer.Allowed || r.Answer.Status != wire.Unknown {
		t.Errorf("a row that cannot: %+v", r)
	}
	if r := rows.Results[2]; r.Status != 400 || r.Answer != nil || r.Problem == nil {
		t.Errorf("a row that is wrong: %+v", r)
	}
	if !strings.Contains(h.log.String(), "on fire") {
		t.Errorf("nobody is told what broke: %s", h.log.String())
	}
}

func TestEverySchemaIsThere(t *testing.T) {
	h := open(t)
	var list SchemaList
	if err := json.Unmarshal([]byte(h.want(200, `"event"`, "GET", "/v1/schemas", "")), &list); err != nil || len(list.Schemas) < 40 {
		t.Fatalf("%v: %v", err, list)
	}
	for _, name := range list.Schemas {
		code, b, header := h.ask("GET", "/v1/schemas/"+name, "")
		if code != 200 || header.Get("Content-Type") != "application/schema+json" || !strings.Contains(b, `"https://json-schema.org/draft/2020-12/schema"`) {
			t.Errorf("%s: %d %v %.200s", name, code, header, b)
		}
	}
	h.want(404, "no schema of that name", "GET", "/v1/schemas/secret", "")
}
