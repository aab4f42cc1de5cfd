package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"consentledger/eventstore/postgres/pgserver/pgservertest"
	"consentledger/projections"
	"consentledger/projections/policies"
)

// TestReadModelsElsewhere: lists and reports are in PostgreSQL, where a dashboard reads
// them, and all is as always, over an outage of it and a restart of the ledger.
func TestReadModelsElsewhere(t *testing.T) {
	server := pgservertest.Serve(t)
	sql := func(script string) string {
		t.Helper()
		said, err := server.SQL(t.Context(), "postgres", script)
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(said)
	}
	sql("CREATE ROLE dashboard")
	c := serveConfig{data: t.TempDir(), http: "127.0.0.1:0", natsListen: "127.0.0.1:0", views: server.Address("postgres"), viewsReader: "dashboard"}
	r := startWith(t, c)
	furnish(t, r)
	record := func(who, kind, data string) {
		t.Helper()
		if out, err := cli(t, r, "record", "--app", "smartkey", "--type", kind, "--subject", who, "--data", data); err != nil {
			t.Fatal(out, err)
		}
	}
	given := func() string {
		return sql("SET ROLE dashboard; SELECT sum(people) FROM consentledger_views.consent_counts WHERE purpose = 'personalisation' AND status = 'given'")
	}
	record("ada", "consent.given", `{"act":"agree-popup","locale":"en"}`)
	eventually(t, "1", given)

	if err := server.Stop(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if red := verbose(t, r); !strings.Contains(red, "read models: ") || !strings.Contains(red, "PostgreSQL at "+server.Dir()) {
		t.Errorf("while PostgreSQL is away: %q", red)
	}
	resp, err := http.Get(r.http + "/v1/apps/smartkey/consents/counts")
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil || resp.StatusCode != http.StatusServiceUnavailable || !strings.Contains(string(text), "PostgreSQL") {
		t.Errorf("a list while PostgreSQL is away: %s, %s, %v", resp.Status, text, err)
	}
	record("bob", "consent.given", `{"act":"agree-popup","locale":"en"}`)
	if got := may(t, r, "bob", "personalisation"); got != "given" {
		t.Errorf("while PostgreSQL is away bob's consent is %s", got)
	}
	if err := server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "2", given)
	eventually(t, "", func() string { return verbose(t, r) })
	if out, err := cli(t, r, "replay", "--check"); err != nil {
		t.Errorf("tables of SQLite and of PostgreSQL differ: %s, %v", out, err)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}

	r = startWith(t, c)
	record("cyd", "consent.given", `{"act":"agree-popup","locale":"en"}`)
	eventually(t, "3", given)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}

	other := c
	other.data = t.TempDir()
	if err := serve(t.Context(), other, io.Discard); err == nil || !strings.Contains(err.Error(), "another ledger") {
		t.Errorf("another ledger on these read models: %v", err)
	}
}

// TestWhereReadModelsAreIsSaidOnce.
func TestWhereReadModelsAreIsSaidOnce(t *testing.T) {
	file := filepath.Join(t.TempDir(), "views")
	if err := os.WriteFile(file, []byte("postgres://u:secret@127.0.0.1:1/x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		config      serveConfig
		environment map[string]string
		says        string
	}{
		{serveConfig{}, map[string]string{viewsVariable: "postgres://x", viewsFileVariable: file}, "set one"},
		{serveConfig{}, map[string]string{viewsFileVariable: file}, "which holds the read models"},
		{serveConfig{views: "esdb://127.0.0.1:1"}, nil, "read models are in PostgreSQL"},
		{serveConfig{views: "postgres://u:secret@h/x?sslmode=maybe"}, nil, "--views: connection string"},
		{serveConfig{viewsReader: "dashboard"}, nil, "say where PostgreSQL is"},
		{serveConfig{}, map[string]string{viewsReaderVariable: "dashboard"}, "say where PostgreSQL is"},
	} {
		t.Run(tt.says, func(t *testing.T) {
			for name, value := range tt.environment {
				t.Setenv(name, value)
			}
			tt.config.data, tt.config.http, tt.config.natsListen = t.TempDir(), "127.0.0.1:0", "127.0.0.1:0"
			err := serve(t.Context(), tt.config, io.Discard)
			if err == nil || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%v, want %q", err, tt.says)
			}
		})
	}
}

// openUnrun opens a house that nothing runs in yet.
func openUnrun(t *testing.T, c serveConfig) *house {
	t.Helper()
	h := &house{config: c, log: slog.New(slog.DiscardHandler)}
	t.Cleanup(func() {
		if err := h.close(); err != nil {
			t.Error(err)
		}
	})
	if err := h.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	return h
}

// TestOneProcessProjectsForAll has two houses of one ledger read what one of them
// projects. Who waits for a position gets it in both, also once the one that projected
// has gone.
func TestOneProcessProjectsForAll(t *testing.T) {
	server := pgservertest.Serve(t)
	first := openUnrun(t, serveConfig{data: t.TempDir(), natsListen: "127.0.0.1:0", views: server.Address("postgres")})
	second := &house{config: first.config, dir: first.dir, log: first.log, measured: first.measured, reach: first.reach}
	place, err := second.openPlace(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if second.policies, err = openView(t.Context(), second, place, policies.Open); err != nil {
		t.Fatal(err)
	}
	defer second.policies.Close()
	second.runners = []*projections.Runner{{Projection: second.policies}}
	first.runners = slices.DeleteFunc(first.runners, func(r *projections.Runner) bool { return r.Projection.Name() != "policies" })

	run := func(h *house) (end func()) {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			h.runViews(ctx, func(err error) { t.Errorf("a projection stopped: %v", err) })
		}()
		return sync.OnceFunc(func() { cancel(); <-done })
	}
	handler, apps := first.handler(), 0
	register := func(houses ...*house) {
		t.Helper()
		apps++
		if w := ask(handler, "PUT", fmt.Sprintf("/v1/apps/app%d", apps), `{"handler":"Demo","environment":"test","jurisdiction":"CN","time_zone":"Asia/Shanghai","locales":["en"]}`); w.Code != http.StatusOK {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		head, err := first.dir.ledger.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range houses {
			if err := h.Wait(t.Context(), head); err != nil {
				t.Fatal(err)
			}
			if list, at, err := h.policies.Apps(t.Context()); err != nil || len(list) != apps || at < head {
				t.Errorf("%d apps as of %d, %v; want %d as of %d", len(list), at, err, apps, head)
			}
		}
	}

	endFirst := run(first)
	defer endFirst()
	register(first)
	defer run(second)()
	register(first, second)
	register(second, first)
	endFirst()
	register(second) // it has the turn now
	register(second)
}
