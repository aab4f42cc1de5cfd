package main

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"consentledger/api/edge"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/server"
)

func TestTheLedgerIsAskedUnderTheNamesThatServeIsGiven(t *testing.T) {
	t.Parallel()
	hosts, err := edge.ParseHosts([]string{"ledger.example"})
	if err != nil {
		t.Fatal(err)
	}
	r := startWith(t, server.Config{Data: t.TempDir(), HTTP: "127.0.0.1:0", NATSListen: "127.0.0.1:0", Hosts: hosts})
	for host, want := range map[string]int{"ledger.example": 200, "localhost:1": 200, "evil.example": 421} {
		for _, path := range []string{"/livez", "/v1/status"} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.http+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Host = host
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != want {
				t.Errorf("%s under the name %s: %d, want %d", path, host, resp.StatusCode, want)
			}
		}
	}
}

func TestAFlagThatIsGivenAndEmptyIsRefused(t *testing.T) {
	for _, args := range [][]string{
		{"replay", "--app", "shop", "--subject", ""}, {"replay", "--type="}, {"report", "deadlines", "--app", "shop", "--subject", ""},
		{"export", "--app", "shop", "--subject", ""}, {"serve", "--allowed-hosts", "http://ledger.example"}, {"serve", "--allowed-hosts", ""},
	} {
		root := newRoot()
		root.SetArgs(args)
		err := root.ExecuteContext(t.Context())
		if _, usage := errors.AsType[exit.UsageError](err); !usage || !strings.Contains(err.Error(), "--") {
			t.Errorf("%q: %v", args, err)
		}
	}
}
