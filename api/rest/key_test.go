package rest

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/ident"
	"consentledger/eventstore/ledger"

	"github.com/go-json-experiment/json"
)

// records counts what the ledger has of a person.
func (h *testServer) records(id string) (n int) {
	h.t.Helper()
	for _, err := range h.ledg.History(h.t.Context(), "demo", ident.PersonKey{Kind: "account", ID: id}) {
		if err != nil {
			h.t.Fatal(err)
		}
		n++
	}
	return n
}

func TestAnIdempotencyKeyIsTheIDOfAnEventWithoutOne(t *testing.T) {
	h := open(t)
	h.furnish()
	const path, key = "/v1/apps/demo/events", "Idempotency-Key: 8e03978e-40d5"
	first := h.want(200, `"event_id"`, "POST", path, event("", "ann", "consent.given", yes), key)
	h.want(200, first, "POST", path, event("", "ann", "consent.given", yes), key)
	h.want(200, first, "POST", path, event("", "ann", "consent.given", yes), `Idempotency-Key: "8e03978e-40d5"`)
	h.want(200, first, "POST", path, event("8e03978e-40d5", "ann", "consent.given", yes)) // it is an id
	h.want(422, `"idempotency-key-reused"`, "POST", path, event("", "ann", "consent.withdrawn", `{"all":true}`), key)
	h.want(409, `"id-reused"`, "POST", path, event("8e03978e-40d5", "ann", "consent.withdrawn", `{"all":true}`))
	h.want(400, "without Idempotency-Key", "POST", path, event("e1", "ann", "consent.given", yes), key)
	for _, bad := range []string{`""`, `"a` + "\t" + `b"`, "a b", "日", strings.Repeat("x", maxKey+1)} {
		h.want(400, "Idempotency-Key is a text", "POST", path, event("", "ann", "consent.given", yes), "Idempotency-Key: "+bad)
	}
	h.want(200, `"event_id"`, "POST", path, event("", "ann", "consent.given", yes), `Idempotency-Key: back\slash`)
	if n := h.records("ann"); n != 2 {
		t.Errorf("%d records, want 2", n)
	}
}

func TestABatchWithAKeyIsRecordedOnce(t *testing.T) {
	h := open(t)
	h.furnish()
	const path, key = "/v1/apps/demo/events", "Idempotency-Key: night-1"
	batch := func(events ...string) string { return "[" + strings.Join(events, ",") + "]" }
	ann, bo := event("", "ann", "consent.given", yes), event("", "bo", "consent.given", yes)
	first := h.want(200, `"results"`, "POST", path, batch(ann, bo, ann), key)
	h.want(200, first, "POST", path, batch(ann, bo, ann), key)
	if a, b := h.records("ann"), h.records("bo"); a != 2 || b != 1 {
		t.Errorf("ann has %d records, bo %d", a, b)
	}
	var rows Rows
	b := h.want(200, `"results"`, "POST", path, batch(event("", "ann", "consent.withdrawn", `{"all":true}`), bo, event("own", "ann", "consent.given", yes)), key)
	if err := json.Unmarshal([]byte(b), &rows); err != nil || len(rows.Results) != 3 {
		t.Fatalf("%v: %s", err, b)
	}
	if r := rows.Results; r[0].Status != 422 || r[0].Problem == nil || r[0].Problem.Code != "idempotency-key-reused" || r[1].Status != 200 || r[2].Status != 400 {
		t.Errorf("other events under the same key: %s", b)
	}
	if a, b := h.records("ann"), h.records("bo"); a != 2 || b != 1 {
		t.Errorf("afterwards ann has %d records, bo %d", a, b)
	}
}

// What stands beside an opt-out refuses neither it nor what is in one batch with it.
func TestNoEndpointRefusesAnOptOutForWhatStandsBesideIt(t *testing.T) {
	h := open(t)
	h.furnish()
	const path = "/v1/apps/demo/events"
	for i, data := range []string{
		`{"all":true,"details":{"n":"` + "\xd5\xc5" + `"}}`, `{"all":true,"details":{"n":"\ud800"}}`, `{"all":true,"build":"1","build":"2"}`, `{"all":true,"details":{"n":1,"n":2}}`,
	} {
		for form, send := range map[string]func(event, key string) string{
			"alone":        func(event, key string) string { return h.want(200, "data.", "POST", path, event, key) },
			"in a batch":   func(event, key string) string { return h.want(200, "data.", "POST", path, "["+event+"]", key) },
			"after a mark": func(event, key string) string { return h.want(200, "data.", "POST", path, "\ufeff"+event, key) },
			"after its grant": func(opts, key string) string {
				return h.want(200, "data.", "POST", path, "["+event("", "cy", "consent.given", strings.Replace(data, `"all":true`, `"act":"agree"`, 1))+","+opts+"]", key)
			},
		} {
			key := fmt.Sprintf("Idempotency-Key: %d-%s", i, strings.ReplaceAll(form, " ", "-"))
			first := send(event("", "ann", "consent.withdrawn", data), key)
			if again := send(event("", "ann", "consent.withdrawn", data), key); again != first {
				t.Errorf("%s, %s: sent again it is %s, first %s", data, form, again, first)
			}
		}
	}
	if n := h.records("ann"); n != 16 {
		t.Errorf("%d records of ann, want 16", n)
	}
	if n := h.records("cy"); n != 0 {
		t.Errorf("%d grants that cannot be read are recorded", n)
	}
	h.want(200, `"event_id"`, "POST", path, strings.Replace(event("", "ann", "consent.given", yes), `{`, `{"id":null,`, 1), "Idempotency-Key: null")
	h.want(400, "without Idempotency-Key", "POST", path, strings.Replace(event("e1", "ann", "consent.given", yes), `"id"`, `"\u0069d"`, 1), "Idempotency-Key: escaped")
}

func TestOfManyWithOneKeyAtOnceOneIsRecorded(t *testing.T) {
	h := open(t)
	h.furnish()
	const many = 32
	var wg sync.WaitGroup
	codes, bodies := make([]int, many), make([]string, many)
	for i := range many {
		wg.Go(func() {
			body := event("", "ann", "consent.given", yes)
			if i%2 == 1 {
				body = event("", "ann", "consent.withdrawn", `{"all":true}`)
			}
			r := httptest.NewRequest("POST", "/v1/apps/demo/events", strings.NewReader(body))
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Idempotency-Key", "k")
			w := httptest.NewRecorder()
			h.h.ServeHTTP(w, r)
			codes[i], bodies[i] = w.Code, w.Body.String()
		})
	}
	wg.Wait()
	receipts := map[string]bool{}
	for i := range many {
		switch same := codes[i] == codes[i%2] && bodies[i] == bodies[i%2]; {
		case !same:
			t.Errorf("two with one body are answered %d and %d", codes[i%2], codes[i])
		case codes[i] == 200:
			receipts[bodies[i]] = true
		case codes[i] != 422:
			t.Errorf("answered %d %s", codes[i], bodies[i])
		}
	}
	if len(receipts) != 1 || h.records("ann") != 1 {
		t.Errorf("%d receipts, %d records: %s", len(receipts), h.records("ann"), fmt.Sprint(codes))
	}
}

// A key is one thing on every route: the name of what is sent. The same body again
// has the receipt that it had, and another body is refused.
func TestAKeyMeansTheSameOnEveryRoute(t *testing.T) {
	h := open(t)
	version := h.furnish()
	const calendar = `{"jurisdiction":"CN","year":2031,"notice":"2030-1","issued":"2030-11-01","off":["2031-01-01"],"makeup":[],"partial":true}`
	older, _ := publishedIn(t)
	other := strings.Replace(older, `"en","text":"Privacy"`, `"en","text":"Privacy, again"`, 1)
	surface := fmt.Sprintf(surfaceJSON, version, doc.Texts[0].Hash, content.Hash{8})
	for _, c := range []struct{ method, path, body, another string }{
		{"PUT", "/v1/apps/demo", `{"handler":"Demo GmbH"}`, `{"handler":"Demo AG"}`},
		{"PUT", "/v1/apps/demo", `{"handler":"Demo GmbH"} `, `{"handler":"Demo SE"}`}, // no news
		{"POST", "/v1/apps/demo/environment", `{"environment":"production"}`, `{"environment":"test"}`},
		{"POST", "/v1/apps/demo/policies", other, older},
		{"POST", "/v1/apps/demo/surfaces", surface, strings.Replace(surface, `"1.0"`, `"1.1"`, 1)},
		{"POST", "/v1/apps/demo/calendars", calendar, strings.Replace(calendar, "2031", "2032", -1)},
	} {
		key := "Idempotency-Key: " + strings.ReplaceAll(c.path, "/", "-") + fmt.Sprint(len(c.body))
		first := h.want(200, `"receipt"`, c.method, c.path, c.body, key)
		head := h.headOf()
		name, quoted, _ := strings.Cut(key, ": ")
		for _, again := range []string{key, name + `: "` + quoted + `"`} {
			if got := h.want(200, `"receipt"`, c.method, c.path, c.body, again); receiptIn(t, got) != receiptIn(t, first) {
				t.Errorf("%s %s again with %s: %s, and first %s", c.method, c.path, again, got, first)
			}
		}
		h.want(422, `"idempotency-key-reused"`, c.method, c.path, c.another, key)
		for _, bad := range []string{`""`, "a b", "日", strings.Repeat("x", maxKey+1)} {
			h.want(400, "Idempotency-Key is a text", c.method, c.path, c.another, "Idempotency-Key: "+bad)
		}
		if got := h.headOf(); got != head {
			t.Errorf("%s %s: something was recorded: %s, and was %s", c.method, c.path, got, head)
		}
	}

	order := `{"subject":"ann","reason":"subject-request","by":["operator:a","operator:b"]}`
	h.want(200, `"event_id"`, "POST", "/v1/apps/demo/events", event("e1", "ann", "consent.given", yes))
	h.want(400, "without Idempotency-Key", "POST", "/v1/apps/demo/subjects/erase", strings.Replace(order, "{", `{"id":"o1",`, 1), "Idempotency-Key: o1")
	h.want(400, "Idempotency-Key is a text", "POST", "/v1/apps/demo/subjects/erase", order, "Idempotency-Key: a b")
	h.want(200, `"event_id"`, "POST", "/v1/apps/demo/subjects/erase", order, "Idempotency-Key: o1")
}

// A key in quotes was known with its quotes to earlier programs.
func TestAKeyOfAnEarlierProgramIsStillKnown(t *testing.T) {
	h := open(t)
	h.furnish()
	const body = `{"handler":"Demo GmbH"}`
	r, err := h.ledg.Execute(t.Context(), ledger.Request{
		App: "demo", Source: "rest", ID: `"k"`, Body: []byte(body), Actor: "operator", RecordedBy: "unauthenticated",
		Command: domain.RegisterApp{App: domain.App{Name: "demo", Handler: "Demo GmbH"}, Unsaid: ^domain.AppHandler},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := receiptIn(t, h.want(200, `"receipt"`, "PUT", "/v1/apps/demo", body, `Idempotency-Key: "k"`)); got != r.Event.String() {
		t.Errorf("it is recorded as %s, and was as %s", got, r.Event)
	}
}

// receiptIn returns the event id in the receipt of an answer.
func receiptIn(t *testing.T, answer string) string {
	t.Helper()
	var a struct {
		Receipt struct {
			EventID string `json:"event_id"`
		} `json:"receipt"`
	}
	if err := json.Unmarshal([]byte(answer), &a); err != nil || a.Receipt.EventID == "" {
		t.Fatalf("%v: %s", err, answer)
	}
	return a.Receipt.EventID
}

// headOf returns the position of the newest record.
func (h *testServer) headOf() string {
	h.t.Helper()
	p, err := h.ledg.Head(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	return fmt.Sprint(p)
}
