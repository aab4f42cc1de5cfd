package rest

import (
	"bufio"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"consentledger/api/wire/wiretest"

	"github.com/go-json-experiment/json"
)

const bulkEndpoint = "/v1/apps/demo/events/bulk"

const inLines = "Content-Type: application/x-ndjson"

// bulk sends lines and returns the answers.
func (h *testServer) bulk(body string, headers ...string) (rows []Row) {
	h.t.Helper()
	answer := h.want(200, "", "POST", bulkEndpoint, body, append(headers, inLines)...)
	scan := bufio.NewScanner(strings.NewReader(answer))
	for scan.Scan() {
		var row Row
		if err := json.Unmarshal(scan.Bytes(), &row, json.RejectUnknownMembers(true)); err != nil {
			h.t.Fatalf("%s: %v", scan.Text(), err)
		}
		rows = append(rows, row)
	}
	return rows
}

func TestEveryLineHasItsAnswer(t *testing.T) {
	h := open(t)
	h.furnish()
	body := strings.Join([]string{
		event("b1", "ann", "consent.given", yes), "",
		event("b2", "bo", "consent.given", strings.Replace(yes, "mail", "nothing", 1)),
		`{"specversion":"1.0","ty`, `[]`,
		event("b3", "ann", "consent.withdrawn", `{"all":true}`) + "\r",
		event("b4", "cy", "hold.placed", `{"reason":"court"}`),
	}, "\n")
	want := map[int]int{1: 200, 3: 422, 4: 400, 5: 400, 6: 200, 7: 403}
	for range 2 { // sent again it gets the same answers
		rows := h.bulk(body)
		if len(rows) != len(want) {
			t.Fatalf("%d answers: %+v", len(rows), rows)
		}
		for _, row := range rows {
			if row.Status != want[row.Line] || (row.Receipt == nil) == (row.Problem == nil) {
				t.Errorf("line %d: %+v", row.Line, row)
			}
		}
	}
	h.want(200, `"status":"withdrawn"`, "POST", "/v1/apps/demo/check", `{"subject":"ann","purpose":"mail"}`)
	if n := h.records("ann"); n != 2 {
		t.Errorf("%d records, want 2", n)
	}
}

func TestALineWithoutAnIDIsNamedByTheKeyAndItsNumber(t *testing.T) {
	h := open(t)
	h.furnish()
	body := event("", "ann", "consent.given", yes) + "\n\n" + event("", "bo", "consent.given", yes)
	rows := h.bulk(body, "Idempotency-Key: k")
	if len(rows) != 2 || rows[0].Receipt == nil || rows[0].Receipt.ID != "k/1" || rows[1].Receipt == nil || rows[1].Receipt.ID != "k/3" {
		t.Errorf("%+v", rows)
	}
}

func TestManyLinesAreRecordedBatchByBatch(t *testing.T) {
	h := open(t)
	h.furnish()
	const n = 2*maxRows + 7
	var body strings.Builder
	for i := range n {
		fmt.Fprintln(&body, event(fmt.Sprint(i), fmt.Sprintf("user-%d", i%50), "consent.withdrawn", `{"all":true}`))
	}
	rows := h.bulk(body.String())
	if len(rows) != n {
		t.Fatalf("%d answers, want %d", len(rows), n)
	}
	for i, row := range rows {
		if row.Line != i+1 || row.Status != 200 {
			t.Fatalf("answer %d: %+v", i, row)
		}
	}
}

func TestWhatIsNoBulkIsRefusedAsAWhole(t *testing.T) {
	h := open(t)
	h.furnish()
	one := event("e1", "ann", "consent.given", yes)
	h.want(400, "there is none", "POST", bulkEndpoint, "\n \n", inLines)
	h.want(413, "too-large", "POST", bulkEndpoint, strings.Repeat("{}\n", maxLines+1), inLines)
	h.want(413, "", "POST", bulkEndpoint, strings.Repeat(" ", maxBulk+1), inLines)
	h.want(415, "application/x-ndjson", "POST", bulkEndpoint, one)
	h.want(415, "", "POST", bulkEndpoint, one, "Content-Type: text/plain")
	h.want(415, "", "POST", appEndpoint, one, inLines)
	h.want(400, "malformed", "POST", "/v1/apps/A%20b/events/bulk", one, inLines)
	if rows := h.bulk(strings.Replace(one, "{", `{"demo":"x",`, 1)); len(rows) != 1 {
		t.Errorf("%+v", rows)
	}
}

// Lines wait for their turn with other batches: who gets none is told when to come again,
// and nothing was recorded; who gets no other is told so for each line that is left.
func TestABulkIsPushedBackAsBatchesAre(t *testing.T) {
	h := open(t)
	h.furnish()
	s := &server{Config: h.conf, batches: newGate(1, 10*time.Millisecond)}
	d := endpoint{server: s}
	leave, err := s.batches.enter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.recordBulk(t.Context(), &eventsIn{App: "demo", RawBody: []byte(event("e1", "ann", "consent.given", yes))}); err == nil {
		t.Error("lines were taken while another batch had the turn")
	} else if _, busy := busyOf(err); !busy {
		t.Error(err)
	}

	w := &flushed{header: http.Header{}}
	newRecorder(d, "demo", besides{}).turnAway(t.Context(), w, []line{{5, nil}, {9, nil}}, busyError{3})
	if got := w.String(); strings.Count(got, "\n") != 2 || strings.Count(got, `"code":"too-many-batches"`) != 2 || !wiretest.Holds(got, `"line":9`) {
		t.Errorf("turned away: %s", got)
	}
	leave()
}

// A flushed writer keeps what is written.
type flushed struct {
	strings.Builder
	header http.Header
}

func (w *flushed) Header() http.Header { return w.header }
func (w *flushed) WriteHeader(int)     {}
