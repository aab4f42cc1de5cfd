package rest

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"testing"

	"consentledger/eventstore/codec"
	"consentledger/projections/projectiontest"
	"consentledger/projections/requests"
)

// BenchmarkReport asks over HTTP for one page of a hundred with the summary of
// the whole, of a hundred thousand obligations of which ten thousand are open.
func BenchmarkReport(b *testing.B) {
	w := projectiontest.NewTeller(b)
	w.Register()
	view, err := requests.Open(b.Context(), b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer view.Close()
	at := projectiontest.Crowd(b, func(list []codec.Entry) {
		if err := view.Apply(b.Context(), list); err != nil {
			b.Fatal(err)
		}
	})
	server := httptest.NewServer(Handler(Config{Ledger: w.Ledger, Requests: view, Version: "test"}))
	defer server.Close()
	for _, bb := range []struct{ name, query string }{
		{"all", `{"as_of":"` + at.String() + `"}`},
		{"open", `{"state":"overdue,at-risk,open","as_of":"` + at.String() + `"}`},
		{"overdue", `{"state":"overdue","sort":"opened","as_of":"` + at.String() + `"}`},
	} {
		b.Run(bb.name, func(b *testing.B) {
			for b.Loop() {
				r, err := http.Post(server.URL+"/v1/apps/"+string(projectiontest.App)+"/reports/deadlines", "application/json", bytes.NewReader([]byte(bb.query)))
				if err != nil {
					b.Fatal(err)
				}
				var body bytes.Buffer
				_, err = body.ReadFrom(r.Body)
				r.Body.Close()
				if err != nil || r.StatusCode != http.StatusOK || !bytes.Contains(body.Bytes(), []byte(`"next":`)) || !bytes.Contains(body.Bytes(), []byte(`"summary":`)) {
					b.Fatal(r.Status, err, body.String())
				}
			}
		})
	}
}
