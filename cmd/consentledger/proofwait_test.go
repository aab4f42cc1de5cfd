package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"consentledger/cmd/internal/exit"
)

// TestAReceiptIsPrintedAlsoWithoutItsProof: what was recorded is not hidden by
// a checkpoint that does not come, and the error says where the proof will be.
func TestAReceiptIsPrintedAlsoWithoutItsProof(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			fmt.Fprint(w, `{"event_id":"01234567-89ab-cdef-0123-456789abcdef","position":"7"}`)
			return
		}
		if r.URL.Query().Get("wait") != "2s" || r.URL.Query().Get("event") != "01234567-89ab-cdef-0123-456789abcdef" {
			t.Errorf("asked for %s", r.URL)
		}
		http.Error(w, "no checkpoint covered such a record within 2s", http.StatusServiceUnavailable)
	}))
	defer server.Close()
	for _, form := range []string{"table", "json", "jsonl", "csv"} {
		out, err := cli(t, nil, "record", "--server", server.URL, "--app", "demo", "--type", "consent.withdrawn", "--subject", "ada", "--wait-sealed=2s", "-o", form)
		if err == nil || exit.Code(t.Context(), err) != exit.CodeUnavailable || !strings.Contains(err.Error(), "the event is recorded") ||
			!strings.Contains(err.Error(), "log fetch-proof --app demo --event 01234567-89ab-cdef-0123-456789abcdef") {
			t.Errorf("-o %s: %v", form, err)
		}
		if !strings.Contains(string(out), "01234567-89ab-cdef-0123-456789abcdef") {
			t.Errorf("-o %s printed %s", form, out)
		}
	}
}
