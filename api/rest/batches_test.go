package rest

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"consentledger/api/wire/wiretest"
	"consentledger/eventstore/ledger"

	"github.com/go-json-experiment/json"
)

// A slowLedger takes so long for every event.
type slowLedger struct {
	Ledger
	takes time.Duration
}

func (s slowLedger) Execute(ctx context.Context, _ ledger.Request) (ledger.Receipt, error) {
	select {
	case <-time.After(s.takes):
		return ledger.Receipt{Position: 1}, nil
	case <-ctx.Done():
		return ledger.Receipt{}, ctx.Err()
	}
}

// alone executes the first of several requests by itself.
func alone(execute func(context.Context, ledger.Request) (ledger.Receipt, error), wishes []ledger.Wish) []ledger.Result {
	receipt, err := execute(wishes[0].Context, wishes[0].Request)
	return []ledger.Result{{Receipt: receipt, Err: err}}
}

func (s slowLedger) ExecuteTogether(_ context.Context, wishes []ledger.Wish) []ledger.Result {
	return alone(s.Execute, wishes)
}

// batchOf is a batch of one person's events, which are recorded one after the
// other.
func batchOf(n int) string {
	one := `{"specversion":"1.0","id":"a","source":"s","type":"consent.withdrawn","subject":"ann","data":{"all":true}}`
	return "[" + strings.Repeat(one+",", n-1) + one + "]"
}

func TestABatchThatGetsNoTurnIsToldWhenToComeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		h.conf.Ledger = slowLedger{h.conf.Ledger, time.Second}
		h.h = Handler(h.conf)
		send := func(n int) (int, http.Header, string) {
			code, body, header := h.ask("POST", "/v1/apps/demo/events", batchOf(n), "Content-Type: application/cloudevents-batch+json")
			return code, header, body
		}

		// One has shown how long a batch takes: eight seconds.
		if code, _, body := send(8); code != 200 || strings.Count(body, `"recorded"`) != 8 {
			t.Fatalf("a batch alone: %d %s", code, body)
		}

		// Four are under way when the fifth comes.
		done := make(chan int, batchesAtOnce)
		for range batchesAtOnce {
			go func() {
				code, _, _ := send(8)
				done <- code
			}()
		}
		synctest.Wait()
		begun := time.Now()
		code, header, body := send(8)

		if waited := time.Since(begun); waited != batchPatience {
			t.Errorf("the fifth waited %v, want %v", waited, batchPatience)
		}
		if code != 429 || header.Get("Retry-After") != "8" || header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("the fifth: %d, Retry-After %q, %s", code, header.Get("Retry-After"), header.Get("Content-Type"))
		}
		if !wiretest.Holds(body, `"code":"too-many-batches"`) || !wiretest.Holds(body, `"outcome":"refused"`) {
			t.Errorf("the fifth: %s", body)
		}
		for range batchesAtOnce {
			if code := <-done; code != 200 {
				t.Errorf("one of the four: %d", code)
			}
		}

		// There are places again.
		if code, _, body := send(1); code != 200 {
			t.Errorf("after them: %d %s", code, body)
		}
	})
}

func TestABatchThatWaitsGetsItsTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		h.conf.Ledger = slowLedger{h.conf.Ledger, time.Second}
		h.h = Handler(h.conf)

		const sent = 3 * batchesAtOnce
		done := make(chan int, sent)
		begun := time.Now()
		for range sent {
			go func() {
				code, _ := h.do("POST", "/v1/apps/demo/events", batchOf(1), "Content-Type: application/cloudevents-batch+json")
				done <- code
			}()
		}
		for range sent {
			if code := <-done; code != 200 {
				t.Errorf("a batch was answered %d", code)
			}
		}

		if took := time.Since(begun); took != 3*time.Second {
			t.Errorf("they took %v, want 3s: %d at once", took, batchesAtOnce)
		}
	})
}

func TestSingleEventsWaitForNoBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		h.conf.Ledger = slowLedger{h.conf.Ledger, time.Second}
		h.h = Handler(h.conf)
		done := make(chan int, batchesAtOnce)
		for range batchesAtOnce {
			go func() {
				code, _ := h.do("POST", "/v1/apps/demo/events", batchOf(60), "Content-Type: application/cloudevents-batch+json")
				done <- code
			}()
		}
		synctest.Wait()

		begun := time.Now()
		one := strings.Trim(batchOf(1), "[]")
		if code, body := h.do("POST", "/v1/apps/demo/events", one, "Content-Type: application/cloudevents+json"); code != 200 {
			t.Errorf("a single event: %d %s", code, body)
		}
		if took := time.Since(begun); took != time.Second {
			t.Errorf("a single event took %v, want 1s", took)
		}
		for range batchesAtOnce {
			<-done
		}
	})
}

// A failingLedger cannot record one event, by its id.
type failingLedger struct {
	Ledger
	id string
}

func (f failingLedger) Execute(ctx context.Context, req ledger.Request) (ledger.Receipt, error) {
	if req.ID == f.id {
		return ledger.Receipt{}, errors.New("the store is away")
	}
	return f.Ledger.Execute(ctx, req)
}

func (f failingLedger) ExecuteTogether(_ context.Context, wishes []ledger.Wish) []ledger.Result {
	return alone(f.Execute, wishes)
}

// A person's later events wait with the one that cannot be recorded now, so that who sends
// the batch again has them in order; opt-outs and other persons do not wait.
func TestInABatchWhatComesBehindABrokenRowWaits(t *testing.T) {
	h := open(t)
	h.furnish()
	whole := h.conf.Ledger
	h.conf.Ledger = failingLedger{whole, "a1"}
	h.h = Handler(h.conf)
	batch := "[" + strings.Join([]string{
		event("a1", "ann", "consent.withdrawn", `{"all":true}`),
		event("a2", "ann", "notice.presented", `{"policy":"privacy"}`),
		event("a3", "ann", "consent.withdrawn", `{"all":true}`),
		event("b1", "bo", "consent.withdrawn", `{"all":true}`),
	}, ",") + "]"
	statuses := func() (all []int) {
		var rows Rows
		if err := json.Unmarshal([]byte(h.want(200, "", "POST", appEndpoint, batch)), &rows); err != nil {
			t.Fatal(err)
		}
		for _, r := range rows.Results {
			all = append(all, r.Status)
		}
		return all
	}
	if got := statuses(); got[0] < 500 || got[1] != got[0] || got[2] != 200 || got[3] != 200 {
		t.Errorf("while one cannot be recorded: %v", got)
	}
	h.conf.Ledger = whole
	h.h = Handler(h.conf)
	if got := statuses(); got[0] != 200 || got[1] >= 500 || got[2] != 200 || got[3] != 200 {
		t.Errorf("afterwards: %v", got)
	}
}
