package main

import (
	"strings"
	"testing"
	"time"

	"consentledger/api/wire/wiretest"
	"consentledger/cmd/internal/demo"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/server"
	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/policy"
	"consentledger/eventstore/ledger"
)

// A service that announced its end in time ends. Scripts cannot wait for the
// notice to run, so here it was given 60 days ago, on a clock that was set back:
// no holidays are so long that fifteen working days take more.
func TestAServiceWhoseNoticeHasRunEndsAndOwesWhatThePolicySays(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	announceLongAgo(t, dir)
	r := start(t, dir, false)
	if out, err := cli(t, r, "record", "--app", demo.App, "--type", "consent.given", "--subject", "ada", "--data", `{"act":"agree-popup"}`); err != nil {
		t.Fatal(out, err)
	}
	if got := may(t, r, "ada", "personalisation"); got != "given" {
		t.Fatalf("before the end: %s", got)
	}
	if out, err := cli(t, r, "service", "cease", "--app", demo.App, "--reason", "product-ended"); err != nil {
		t.Fatalf("the notice has run, and the service may not end: %s %v", out, err)
	}
	out, err := cli(t, r, "check", "--app", demo.App, "--subject", "ada", "--purpose", "personalisation", "-o", "jsonl")
	if exit.Code(t.Context(), err) != exit.CodeNotAllowed || !wiretest.Holds(out, `"why":"service-ceased"`) {
		t.Errorf("a service that is over still processes: %s %v", out, err)
	}
	owed := func(flags string) func() string {
		return func() string {
			return counted(t, r, "id", append([]string{"obligation", "list"}, strings.Fields(flags)...)...)
		}
	}
	eventually(t, "delete.own.delete 1", owed("--kind delete --state open,at-risk"))
	eventually(t, "stop.own.stop 1", owed("--kind stop --state open,at-risk"))
	for _, args := range [][]string{{"stop-collecting"}, {"delete", "--method", "erased"}} {
		if out, err := cli(t, r, append([]string{"service", args[0], "--app", demo.App}, args[1:]...)...); err != nil {
			t.Fatal(out, err)
		}
	}
	eventually(t, "delete.own.delete 1", owed("--kind delete --state met"))
	eventually(t, "stop.own.stop 1", owed("--kind stop --state met"))
}

// announceLongAgo makes a data directory whose app told its users 60 days ago
// that it will end.
func announceLongAgo(t *testing.T, dir string) {
	t.Helper()
	d, err := server.OpenDataDir(t.Context(), dir, "live", true)
	if err != nil {
		t.Fatal(err)
	}
	then := deadline.At(time.Now()).Add(-60 * deadline.Day)
	past, err := ledger.Open(t.Context(), ledger.Config{Store: d.ReadOnly, Vault: d.Vault, Now: func() deadline.Instant { return then }})
	if err != nil {
		t.Fatal(err)
	}
	s := demo.Stage{Ledger: past, Blobs: d.Blobs}
	if err := s.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	notified := domain.Noted{Kind: "cessation.notified", Fields: policy.Fields(map[string]string{"channel": "push", "how": "one by one"})}
	if err := s.Once(t.Context(), "notified", domain.Say{Event: notified}); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}
