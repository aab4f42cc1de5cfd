package main

import (
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"consentledger/cmd/internal/demo"
	"consentledger/cmd/internal/server"
	"consentledger/cmd/internal/verifier"
	"consentledger/domain/ident"
	"consentledger/projections/transparency/merkle"
	"consentledger/projections/transparency/verify"

	"golang.org/x/mod/sumdb/note"
)

// An auditor looks at the log of a server that is killed again and again, and
// remembers every checkpoint that it ever saw.
type auditor struct {
	dir    string // the data directory, for the key
	seen   []merkle.Checkpoint
	newest []byte
	done   chan struct{} // closed once nobody answers
}

// watch begins to ask for the newest checkpoint, until the server is gone.
func (a *auditor) watch(c *child) {
	a.done = make(chan struct{})
	go func() {
		defer close(a.done)
		for {
			resp, err := http.Get(c.http + "/log/" + demo.App + "/checkpoint")
			if err != nil {
				return
			}
			text, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err == nil && resp.StatusCode == http.StatusOK {
				a.newest = text
			}
			time.Sleep(time.Millisecond) // a poll, not a wait for anything
		}
	}()
}

// look verifies the log of the server that came after, against all that was
// seen before.
func (a *auditor) look(t *testing.T, c *child) {
	t.Helper()
	<-a.done
	key, err := server.VerifierKeyOf(t.Context(), a.dir, ident.AppName(demo.App))
	if err != nil {
		t.Fatal(err)
	}
	v, origin, err := server.VerifierOf(key, "")
	if err != nil {
		t.Fatal(err)
	}
	a.remember(t, a.newest, v, origin)
	log := verify.Log{Source: verifier.NewHTTPSource(c.http+"/log/"+demo.App, nil), Verifier: v, Origin: origin, App: demo.App, Seen: a.seen}
	var report *verify.Report
	eventually(t, "verified", func() string {
		// Until the tiles are built again it answers: ask again.
		if report, err = log.Verify(t.Context()); err != nil {
			return err.Error()
		}
		return "verified"
	})
	if report.Verdict != "" {
		t.Fatalf("%s: %v\nsigned now:\n%s\nseen before: %v", report.Verdict, report.Findings, report.Signed, a.seen)
	}
	a.remember(t, report.Signed, v, origin)
}

func (a *auditor) remember(t *testing.T, signed []byte, v note.Verifier, origin string) {
	t.Helper()
	if signed == nil {
		return // killed before there was one
	}
	c, err := merkle.Open(signed, v, origin)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(a.seen, c) {
		a.seen = append(a.seen, c)
	}
	slices.SortStableFunc(a.seen, func(x, y merkle.Checkpoint) int { return int(x.Size - y.Size) })
}
