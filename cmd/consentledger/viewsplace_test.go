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

	ledgerserver "consentledger/cmd/internal/server"
	"consentledger/eventstore/postgres/pgserver/pgservertest"
	"consentledger/projections"
	"consentledger/projections/policies"
)

// TestReadModelsElsewhere: lists and reports are in PostgreSQL, where a dashboard reads
// them, and all is as always, over an outage of it and a restart of the ledger.
func TestReadModelsElsewhere(t *testing.T) {
	t.Parallel()
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
	c := ledgerserver.Config{Data: t.TempDir(), HTTP: "127.0.0.1:0", NATSListen: "127.0.0.1:0", Views: server.Address("postgres"), ViewsRole: "dashboard"}
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
	other.Data = t.TempDir()
	if err := ledgerserver.Run(t.Context(), other, io.Discard); err == nil || !strings.Contains(err.Error(), "another ledger") {
		t.Errorf("another ledger on these read models: %v", err)
	}
}

// TestWhereReadModelsAreIsSaidOnce.
func TestWhereReadModelsAreIsSaidOnce(t *testing.T) {
	file := filepath.Join(t.TempDir(), "views")
	if err := os.WriteFile(file, []byte("postgres://u:secret@127.0.0.1:1/x?sslmode=maybe\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		config      ledgerserver.Config
		environment map[string]string
		says        string
	}{
		{ledgerserver.Config{}, map[string]string{ledgerserver.ViewsVariable: "postgres://x", ledgerserver.ViewsFileVariable: file}, "set one"},
		{ledgerserver.Config{}, map[string]string{ledgerserver.ViewsFileVariable: file}, "connection string"},
		{ledgerserver.Config{Views: "esdb://127.0.0.1:1"}, nil, "read models are in PostgreSQL"},
		{ledgerserver.Config{Views: "postgres://u:secret@h/x?sslmode=maybe"}, nil, "--views: connection string"},
		{ledgerserver.Config{ViewsRole: "dashboard"}, nil, "say where PostgreSQL is"},
		{ledgerserver.Config{}, map[string]string{ledgerserver.ViewsRoleVariable: "dashboard"}, "say where PostgreSQL is"},
	} {
		t.Run(tt.says, func(t *testing.T) {
			for name, value := range tt.environment {
				t.Setenv(name, value)
			}
			tt.config.Data, tt.config.HTTP, tt.config.NATSListen = t.TempDir(), "127.0.0.1:0", "127.0.0.1:0"
			err := ledgerserver.Run(t.Context(), tt.config, io.Discard)
			if err == nil || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%v, want %q", err, tt.says)
			}
		})
	}
}

// openUnrun opens a server that nothing runs in yet.
func openUnrun(t *testing.T, c ledgerserver.Config) *ledgerserver.Server {
	t.Helper()
	h := &ledgerserver.Server{Config: c, Log: slog.New(slog.DiscardHandler)}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := h.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	return h
}

// TestOneProcessProjectsForAll has two servers of one ledger read what one of them
// projects. Who waits for a position gets it in both, also once the one that projected
// has gone.
func TestOneProcessProjectsForAll(t *testing.T) {
	t.Parallel()
	server := pgservertest.Serve(t)
	first := openUnrun(t, ledgerserver.Config{Data: t.TempDir(), NATSListen: "127.0.0.1:0", Views: server.Address("postgres")})
	second := &ledgerserver.Server{Config: first.Config, Dir: first.Dir, Log: first.Log, Measured: first.Measured, Reach: first.Reach}
	place, err := second.OpenPlace(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if second.Policies, err = ledgerserver.OpenView(t.Context(), second, place, policies.Open); err != nil {
		t.Fatal(err)
	}
	defer second.Policies.Close()
	second.Runners = []*projections.Runner{{Projection: second.Policies}}
	first.Runners = slices.DeleteFunc(first.Runners, func(r *projections.Runner) bool { return r.Projection.Name() != "policies" })

	run := func(h *ledgerserver.Server) (end func()) {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			h.RunViews(ctx, func(err error) { t.Errorf("a projection stopped: %v", err) })
		}()
		return sync.OnceFunc(func() { cancel(); <-done })
	}
	handler, apps := first.Handler(), 0
	register := func(servers ...*ledgerserver.Server) {
		t.Helper()
		apps++
		if w := ask(handler, "PUT", fmt.Sprintf("/v1/apps/app%d", apps), `{"handler":"Demo","environment":"test","jurisdiction":"CN","time_zone":"Asia/Shanghai","locales":["en"]}`); w.Code != http.StatusOK {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		head, err := first.Dir.Ledger.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range servers {
			if err := h.Wait(t.Context(), head); err != nil {
				t.Fatal(err)
			}
			if list, at, err := h.Policies.Apps(t.Context()); err != nil || len(list) != apps || at < head {
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
