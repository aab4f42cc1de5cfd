package rest

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"consentledger/domain"

	"github.com/go-json-experiment/json"
)

// records counts what the ledger has of a person.
func (h *house) records(id string) (n int) {
	h.t.Helper()
	for _, err := range h.ledg.History(h.t.Context(), "demo", domain.PersonKey{Kind: "account", ID: id}) {
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
func TestNoDoorRefusesAnOptOutForWhatStandsBesideIt(t *testing.T) {
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
