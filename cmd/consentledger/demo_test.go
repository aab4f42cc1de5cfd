package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"consentledger/api/audit/bundle"
	"consentledger/cmd/internal/demo"
	"consentledger/cmd/internal/files"
	"consentledger/cmd/internal/server"
	"consentledger/domain/deadline"
	"consentledger/eventstore"
	"consentledger/eventstore/ledger"
)

func TestDemoIsWhatTheReadmeSays(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data-demo")
	r := start(t, dir, true)
	eventually(t, "refused", func() string { return may(t, r, "user-3", "personalisation") })
	eventually(t, "given", func() string { return may(t, r, "user-1", "personalisation") })
	eventually(t, "withdrawn", func() string { return may(t, r, "user-2", "personalisation") })
	eventually(t, "withdrawn", func() string { return may(t, r, "user-4", "network-diagnosis") })
	eventually(t, "given", func() string { return may(t, r, "user-2", "promotion-evaluation") })

	eventually(t, "true", func() string { // a projection answers a moment later
		code, v := get(t, r.http+"/v1/apps/smartkey/subjects/user-2/consents")
		text := fmt.Sprint(v)
		return fmt.Sprint(code == 200 && strings.Contains(text, "withdrawn") && strings.Contains(text, "as_of"))
	})
	eventually(t, "2", func() string {
		out, err := cli(t, r, "rejected", "list", "-o", "jsonl")
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(strings.Count(out, "\n"))
	})
	hasReceipts(t, r, dir)
	if code, v := get(t, r.http+"/readyz?verbose"); code != 200 {
		t.Errorf("readyz: %d %v", code, v)
	}

	eventually(t, "1", func() string {
		out, err := cli(t, r, "app", "list", "-o", "jsonl")
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(strings.Count(out, `"policies":3`))
	})
	eventually(t, "true", func() string {
		code, v := get(t, r.http+"/v1/apps/smartkey/activity")
		return fmt.Sprint(code == 200 && strings.Contains(fmt.Sprint(v), "consent.given"))
	})

	demoShowsWhatIsOwed(t, r)
	demoGivesAccount(t, r)
	demoHasPages(t, r)
	if _, err := server.OpenDataDir(t.Context(), dir, "demo", false); err == nil || !strings.Contains(err.Error(), "in use by another process") {
		t.Errorf("a second process: %v", err)
	}
	history, err := cli(t, r, "replay", "--app", "smartkey", "--subject", "user-2")
	if err != nil || !strings.Contains(history, "consent.withdrawn") {
		t.Errorf("replay: %s, %v", history, err)
	}
	if err := r.stop(); err != nil {
		t.Errorf("stopped with %v", err)
	}
	if offline, err := cli(t, nil, "replay", "--data", dir, "--app", "smartkey", "--subject", "user-2"); err != nil || offline != history {
		t.Errorf("replay of the stopped directory differs: %s, %v\nfrom the server: %s", offline, err, history)
	}
	if _, err := server.OpenDataDir(t.Context(), dir, "live", true); err == nil || !strings.Contains(err.Error(), "is for demo") {
		t.Errorf("a live server opened the demo's directory: %v", err)
	}
}

// demoShowsWhatIsOwed wants a request and an incident of every state that the
// demo promises, on whatever day it starts.
func demoShowsWhatIsOwed(t *testing.T, r *running) {
	t.Helper()
	eventually(t, "answered 2, open 7, rejected 1", func() string { return counted(t, r, "state", "request", "list") })
	if got := counted(t, r, "state", "incident", "list"); got != "closed 1, detected 1" {
		t.Errorf("incidents: %s", got)
	}
	for _, want := range []struct{ flags, rows string }{
		{"--type question --state overdue", "cn.policy.contact_reply 1"},
		{"--type question --state at-risk", "cn.policy.contact_reply 1"},
		{"--type question --state open", "cn.policy.contact_reply 1"},
		{"--state paused", "own.sharing.copy 1"},
		{"--type authority --state not-started", "cn.gbt35273.request_reply 1"},
		{"--type access --state met", "cn.gbt35273.request_reply 1, cn.policy.request_reply 1"},
		{"--type correct --state met", "cn.app2019.manual_handling 1, cn.gbt35273.request_reply 1, cn.policy.contact_reply 1, cn.policy.request_reply 1"},
		{"--kind file --provisional true", "cn.scc2023.filing 1"},
		{"--kind tell-persons --state met", "own.incident_notice 1"},
	} {
		eventually(t, want.rows, func() string {
			return counted(t, r, "rule", append([]string{"report", "deadlines"}, strings.Fields(want.flags)...)...)
		})
	}
	// Passers-by whose phones were offline have systems that stopped late, too.
	eventually(t, "true", func() string {
		return fmt.Sprint(strings.Contains(counted(t, r, "target", "report", "deadlines", "--kind", "stop", "--state", "overdue"), "warehouse"))
	})
}

// counted counts the rows that a verb lists of the demo, by one of their members.
func counted(t *testing.T, r *running, member string, args ...string) string {
	t.Helper()
	out, err := cli(t, r, append(args, "--app", demo.App, "-o", "jsonl")...)
	if err != nil {
		t.Fatalf("%v: %s %v", args, out, err)
	}
	count := map[string]int{}
	for line := range strings.Lines(out) {
		var row map[string]any
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatal(err)
		}
		count[fmt.Sprint(row[member])]++
	}
	var all []string
	for _, name := range slices.Sorted(maps.Keys(count)) {
		all = append(all, fmt.Sprintf("%s %d", name, count[name]))
	}
	return strings.Join(all, ", ")
}

// demoGivesAccount wants everything that an audit report is for, in every form and
// language, and that reading it is recorded.
func demoGivesAccount(t *testing.T, r *running) {
	t.Helper()
	audit := func(args ...string) string {
		t.Helper()
		out, err := cli(t, r, append([]string{"report", "audit", "--app", "smartkey", "--reason", "audit"}, args...)...)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(audit("-o", "json")), &members); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"promises", "events", "consents", "noes", "answers", "material_changes", "requests", "exemptions", "sharing", "minors", "incidents", "erasures", "imports", "voided",
		"disputed", "asked_too_soon", "access", "gaps", "calendars", "deadline_rules", "clock", "tests", "outside",
	} {
		if len(members[name]) == 0 || string(members[name]) == "null" {
			t.Errorf("the report as JSON has no %s", name)
		}
	}
	for lang, wants := range map[string][]string{
		"en": {
			"What was promised", "What was kept", "What was not kept", "How do I know?", "Promise not kept: ", "is the one that was signed: ", "Consents that prove little: ",
			"Events by kind", "Consents, refusals and withdrawals by purpose", "Consents by policy version", "Consents by act", "Consents by screen", "Consents by language", "Consents by how much they prove",
			"Changes of the policy, and asking again", "nobody has given again or refused yet|given again", "Requests and other duties, by month", "Rejected requests, by ground", "Fees",
			"Processing without consent", "Recipients, disclosures and data abroad", "Singapore", "Minors", "Incidents, and when who was told", "\\(\\+180 min\\)",
			"Deletion and the end of accounts", "Voided mistakes", "build 5.1.9, [1-9][0-9]* records", "asked again too soon", "rejected messages", "Who read history or personal data",
			"history or a report, no personal texts", "an audit", "What the policy says against what the law asks", "Calendars used", "CN 2026 v1", "how they were kept",
			"Integrity of the log", "signed records", "root hash", "witnesses", "calculated again when",
		},
		"zh": {"承诺了什么", "兑现了什么", "哪些没有兑现", "如何得知", "未兑现的承诺", "证明力弱的同意", "应用版本 5.1.9，[1-9][0-9]* 条记录", "历史或报告，不含个人信息文本", "履行情况", "重新计算的时间"},
	} {
		for _, form := range []string{"md", "html"} {
			text := html.UnescapeString(audit("-o", form, "--lang", lang))
			for _, want := range wants {
				if !regexp.MustCompile(want).MatchString(text) {
					t.Errorf("the report as %s in %s does not say %s", form, lang, want)
				}
			}
		}
	}
}

// A demo that starts again tells the same story, and stumbles no more.
func TestADemoThatStartsAgainAddsNothingToItsStory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data-demo")
	rehearsed := func(now deadline.Instant) eventstore.Position {
		t.Helper()
		d, err := server.OpenDataDir(t.Context(), dir, "demo", true)
		if err != nil {
			t.Fatal(err)
		}
		past := ledger.Config{Store: d.ReadOnly, Vault: d.Vault, Blobs: d.Blobs}
		err = errors.Join(demo.Rehearse(t.Context(), past, now), demo.Stage{Ledger: d.Ledger, Blobs: d.Blobs}.Prepare(t.Context()))
		head, bad := d.DB.Store().Head(t.Context())
		if err = errors.Join(err, bad, d.Close()); err != nil {
			t.Fatal(err)
		}
		return head
	}
	now := deadline.At(time.Now())
	first := rehearsed(now)
	if again := rehearsed(now.Add(3 * deadline.Day)); first < 50 || again != first {
		t.Errorf("%d records, after another start %d", first, again)
	}
}

// hasReceipts makes a receipt of the demo, and a bundle that lacks nothing.
func hasReceipts(t *testing.T, r *running, dir string) {
	t.Helper()
	out, err := cli(t, r, "replay", "--app", "smartkey", "--subject", "user-2", "--type", "consent.given")
	var e struct {
		Event string `json:"event_id"`
	}
	line, _, _ := strings.Cut(out, "\n")
	if err := errors.Join(err, json.Unmarshal([]byte(line), &e)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "true", func() string { // once a checkpoint covers the record
		text, err := cli(t, r, "receipt", "--app", "smartkey", e.Event)
		return fmt.Sprint(err == nil && strings.Contains(text, `"consentledgerStatus": "withdrawn"`))
	})

	file := filepath.Join(filepath.Dir(dir), "demo.zip")
	if out, err := cli(t, r, "export", "--app", "smartkey", "--out", file); err != nil || strings.Contains(out, "lacks") {
		t.Fatalf("%s%v", out, err)
	}
	f, info, err := files.OpenPlain(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := bundle.ReadManifest(f, info.Size())
	blobs := 0
	for _, f := range m.Files {
		if strings.HasPrefix(f.Name, "blobs/") {
			blobs++
		}
	}
	if err != nil || len(m.Missing) != 0 || blobs < 3 {
		t.Errorf("the demo's bundle lacks %v, and has %d texts and documents: %v", m.Missing, blobs, err)
	}
}
