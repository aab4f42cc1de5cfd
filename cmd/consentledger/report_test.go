package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"consentledger/cmd/internal/demo"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/server"
	"consentledger/domain"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/domain/request"
	"consentledger/eventstore/ledger"
)

// askedOf makes a data directory in which a person of the sample app asked for
// access and got an answer, and another for deletion, and returns the streams.
func askedOf(t *testing.T, dir string) (answered, open ident.StreamID) {
	t.Helper()
	d, err := server.OpenDataDir(t.Context(), dir, "live", true)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := (demo.Stage{Ledger: d.Ledger, Blobs: d.Blobs}).Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	ask := func(who, id string, types ...request.Type) ident.StreamID {
		req := ledger.Request{App: "smartkey", Person: ident.PersonKey{Kind: "account", ID: who}, Source: "test", ID: id, Body: []byte(id), Actor: "person", RecordedBy: "test",
			Command: domain.OpenRequest{Types: types, Channel: "email", Authenticated: true}}
		if _, err := d.Ledger.Execute(t.Context(), req); err != nil {
			t.Fatal(err)
		}
		stream, err := d.Ledger.StreamOf(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		return stream
	}
	answered, open = ask("wilma", "r1", request.Access), ask("ben", "r2", request.Delete)
	step := ledger.Request{Source: "desk", ID: "s1", Body: []byte("s1"), Actor: "operator", RecordedBy: "officer",
		Command: domain.TakeStep{Kind: "request.answered", Fields: policy.Fields(map[string]string{"outcome": "full", "channel": "email"})}}
	if _, err := d.Ledger.ExecuteOn(t.Context(), answered, step); err != nil {
		t.Fatal(err)
	}
	return answered, open
}

// ledgerSays runs a verb and returns what it prints.
func ledgerSays(t *testing.T, r *running, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	root := newRoot()
	root.SetArgs(append(args, "--server", r.http))
	root.SetOut(&out)
	err := root.ExecuteContext(t.Context())
	return out.String(), err
}

func TestTheVerbsThatReadWhatIsOwed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	answered, open := askedOf(t, dir)
	r := start(t, dir, false)
	all := func() string {
		text, err := ledgerSays(t, r, "report", "deadlines", "--app", "smartkey", "-o", "csv")
		if err != nil {
			t.Fatal(err)
		}
		return map[bool]string{true: "all there", false: text}[strings.Contains(text, answered.String()) && strings.Contains(text, ",met,") && strings.Contains(text, open.String())]
	}
	eventually(t, "all there", all)
	for _, c := range []struct{ args, has, hasNot string }{
		{"report deadlines --app smartkey", open.String(), "summary"},
		{"report deadlines --app smartkey --state met", answered.String(), open.String()},
		{"report deadlines --app smartkey --state open,at-risk,overdue -o jsonl", open.String(), answered.String()},
		{"report deadlines --app smartkey --subject ben -o json", `"replies": 0`, answered.String()},
		{"report deadlines --app smartkey --subject wilma -o json", `"on_time_percent": "100.0"`, open.String()},
		{"report deadlines --app smartkey --known-at 2020-01-01T00:00:00Z -o json", `"obligations": []`, "request-"},
		{"report deadlines --app smartkey -o ics", "BEGIN:VEVENT", "wilma"},
		{"report deadlines --app smartkey -o xlsx", "PK", "request-smartkey-"},
		{"report feed --app smartkey -o jsonl", `"path":"/v1/apps/smartkey/feeds/`, ""},
		{"obligation list --app smartkey --type delete --binding true", open.String(), answered.String()},
		{"obligation show --app smartkey " + open.String() + " reply.cn.policy.request_reply", `"events": [`, answered.String()},
		{"request list --app smartkey", answered.ID, ""},
		{"request list --app smartkey --subject ben --state open -o csv", open.ID, answered.ID},
		{"request show --app smartkey " + answered.ID, `"kind": "request.answered"`, open.ID},
		{"incident list --app smartkey -o json", "[]", "incident-"},
	} {
		text, err := ledgerSays(t, r, strings.Fields(c.args)...)
		if err != nil || !strings.Contains(text, c.has) || c.hasNot != "" && strings.Contains(text, c.hasNot) {
			t.Errorf("%s: %v\n%s\nwant %q, not %q", c.args, err, text, c.has, c.hasNot)
		}
	}
	for args, code := range map[string]int{
		"request show --app smartkey nosuch":                          exit.CodeNotFound,
		"incident show --app smartkey nosuch":                         exit.CodeNotFound,
		"obligation show --app smartkey " + open.String() + " nosuch": exit.CodeNotFound,
		"report deadlines --app smartkey --state late":                exit.CodeUsage,
		"report deadlines --app smartkey --known-at yesterday":        exit.CodeUsage,
		"obligation list --app smartkey --due-before 2026-02-30":      exit.CodeUsage,
	} {
		if _, err := ledgerSays(t, r, strings.Fields(args)...); err == nil || exit.Code(t.Context(), err) != code {
			t.Errorf("%s: %v, want exit code %d", args, err, code)
		}
	}
}

func TestTheFeedsKeyIsKeptForItsOwnerAndCanBeReplaced(t *testing.T) {
	dir := t.TempDir()
	first, err := server.OpenFeedKey(dir)
	if err != nil || len(first) != 32 {
		t.Fatal(first, err)
	}
	name := filepath.Join(dir, "feed.key")
	if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if again, err := server.OpenFeedKey(dir); err != nil || !bytes.Equal(again, first) {
		t.Errorf("%x, then %x, %v", first, again, err)
	}
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	if other, err := server.OpenFeedKey(dir); err != nil || bytes.Equal(other, first) {
		t.Errorf("the same key after it was removed, %v", err)
	}
	if err := os.WriteFile(name, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := server.OpenFeedKey(dir); err == nil || !strings.Contains(err.Error(), "feed.key is not 64 hex digits") {
		t.Errorf("a damaged key: %v", err)
	}
}
