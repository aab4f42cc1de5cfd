package rest

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"consentledger/eventstore"
	"consentledger/projections/projectiontest"
	"consentledger/projections/requests"
)

// manyRows are rows of reports without end in sight. They count how many were read.
type manyRows struct {
	Requests
	sample requests.Obligation
	rows   int
	read   int
	fails  int // the row that cannot be read; zero: none
}

var errRow = errors.New("a row that cannot be read")

// begin counts anew, and fails at a row; zero: at none.
func (m *manyRows) begin(fails int) { m.read, m.fails = 0, fails }

func (m *manyRows) next() error {
	if m.read++; m.read == m.fails {
		return errRow
	}
	return nil
}

func (m *manyRows) Each(
	ctx context.Context, _ requests.Query, do func(requests.Obligation) error,
) (eventstore.Position, error) {
	for range m.rows {
		if err := errors.Join(m.next(), ctx.Err()); err != nil {
			return 0, err
		}
		if err := do(m.sample); err != nil {
			return 0, err
		}
	}
	return 1, nil
}

func (m *manyRows) EachLateAnswer(
	ctx context.Context, _ requests.Query, do func(requests.LateAnswer) error,
) (eventstore.Position, error) {
	for range m.rows {
		if err := errors.Join(m.next(), ctx.Err()); err != nil {
			return 0, err
		}
		if err := do(requests.LateAnswer{Person: "5d0cc3a1f6b3a5e7a0b9f63a4e35a8c1", Purpose: "mail"}); err != nil {
			return 0, err
		}
	}
	return 1, nil
}

// A slowReader counts what was read of the rows when the first part of the answer came, and
// goes away after some parts; zero: it stays.
type slowReader struct {
	*httptest.ResponseRecorder
	rows    *manyRows
	first   int
	parts   int
	leaves  int
	largest int
}

var errGone = errors.New("nobody reads any more")

func (s *slowReader) Write(b []byte) (int, error) {
	if s.parts++; s.parts == 1 {
		s.first = s.rows.read
	}
	if s.leaves > 0 && s.parts > s.leaves {
		return 0, errGone
	}
	s.largest = max(s.largest, len(b))
	return s.ResponseRecorder.Write(b)
}

// Files of many rows go out while they are read: no more than a part of them is held, and
// nothing is read for somebody who has gone.
func TestAFileIsSentWhileItIsRead(t *testing.T) {
	const rows = 10_000 // a part of a file is some hundreds
	d, _, _ := openTimed(t)
	many := &manyRows{rows: rows}
	if _, err := d.view.Each(t.Context(), requests.Query{App: projectiontest.App, At: d.Teller.Ledger.Now()},
		func(o requests.Obligation) error { many.sample = o; return nil }); err != nil {
		t.Fatal(err)
	}
	config := Config{
		Ledger: d.Teller.Ledger, Consents: views{d.testServer}, Policies: views{d.testServer},
		Activity: views{d.testServer}, Requests: many, Version: "test",
	}
	h := Handler(config)

	for name, ask := range map[string]func() *http.Request{
		"deadlines by GET": func() *http.Request { return httptest.NewRequest(http.MethodGet, reports+"?format=csv", nil) },
		"deadlines by POST": func() *http.Request {
			r := httptest.NewRequest(http.MethodPost, reports, strings.NewReader(`{"format":"csv"}`))
			r.Header.Set("Content-Type", "application/json")
			return r
		},
		"late withdrawals": func() *http.Request {
			r := httptest.NewRequest(http.MethodPost, "/v1/apps/smartkey/reports/late-withdrawals",
				strings.NewReader(`{"format":"csv"}`))
			r.Header.Set("Content-Type", "application/json")
			return r
		},
	} {
		t.Run(name, func(t *testing.T) {
			many.begin(0)
			to := &slowReader{ResponseRecorder: httptest.NewRecorder(), rows: many}
			h.ServeHTTP(to, ask())
			if lines := strings.Count(to.Body.String(), "\n"); to.Code != http.StatusOK || lines != rows+1 {
				t.Fatalf("%d, %d lines: %.300s", to.Code, lines, to.Body)
			}
			if !strings.HasPrefix(to.Header().Get("Content-Disposition"), "attachment; ") {
				t.Errorf("it is no file: %v", to.Header())
			}
			if to.first > rows/5 || to.largest > 2*sentAtOnce {
				t.Errorf("%d of %d rows were read before the first part went out; the largest has %d bytes",
					to.first, rows, to.largest)
			}

			// Somebody who has gone after the second part.
			many.begin(0)
			gone := &slowReader{ResponseRecorder: httptest.NewRecorder(), rows: many, leaves: 2}
			if !cutOff(h, gone, ask()) || many.read > rows/2 {
				t.Errorf("%d rows were read for nobody", many.read)
			}

			// A row that cannot be read: before anything was sent it is a problem, and after
			// that the answer is cut off, so that nobody takes it for whole.
			many.begin(3)
			broken := httptest.NewRecorder()
			h.ServeHTTP(broken, ask())
			if broken.Code != http.StatusServiceUnavailable || broken.Header().Get("Content-Disposition") != "" ||
				broken.Header().Get("Content-Type") != "application/problem+json" {
				t.Errorf("a file that could not be begun: %d %v %s", broken.Code, broken.Header(), broken.Body)
			}
			many.begin(rows / 2)
			if !cutOff(h, httptest.NewRecorder(), ask()) {
				t.Error("a file that broke off looks whole")
			}
		})
	}
}

// cutOff reports whether an answer was cut off.
func cutOff(h http.Handler, w http.ResponseWriter, r *http.Request) (cut bool) {
	defer func() { cut = recover() == http.ErrAbortHandler }()
	h.ServeHTTP(w, r)
	return false
}
