package wire

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"consentledger/api/policyfile"
	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/policy"
	"consentledger/eventstore/codec/jsonwrite"
	"consentledger/eventstore/codec/policydoc"
	"consentledger/eventstore/ledger"
	"consentledger/eventstore/memory"
	"consentledger/eventstore/vault"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// smartKey returns a ledger with the sample app and its policy.
func smartKey(t testing.TB) *ledger.Ledger {
	t.Helper()
	return openLedger(t, smartKeyPolicy(t))
}

func smartKeyPolicy(t testing.TB) policy.Document {
	t.Helper()
	_, here, _, _ := runtime.Caller(0)
	dir := filepath.Join(filepath.Dir(here), "../../cmd/consentledger/smartkey") + "/"
	file, err := os.ReadFile(dir + "policy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	doc, _, err := policyfile.Parse("policy.yaml", file, func(path string) ([]byte, error) { return os.ReadFile(dir + path) })
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func openLedger(t testing.TB, doc policy.Document) *ledger.Ledger {
	t.Helper()
	ctx := context.Background()
	v, err := vault.Open(ctx, new(memory.Rows), vault.NewMemoryKeys())
	if err != nil {
		t.Fatal(err)
	}
	l, err := ledger.Open(ctx, ledger.Config{Store: new(memory.Store), Vault: v, Now: func() deadline.Instant { return deadline.At(time.Now()) }})
	if err != nil {
		t.Fatal(err)
	}
	furnish(t, l, doc)
	return l
}

// furnish registers the sample app and publishes its policy.
func furnish(t testing.TB, l *ledger.Ledger, doc policy.Document) {
	t.Helper()
	version, err := policydoc.Hash(doc)
	if err != nil {
		t.Fatal(err)
	}
	for _, cmd := range []domain.Command{
		domain.RegisterApp{App: domain.App{Name: "smartkey", Environment: domain.Test, Jurisdiction: "CN", TimeZone: "Asia/Shanghai", Locales: []string{"en"}}},
		domain.PublishPolicy{Version: version, Document: doc},
	} {
		r := ledger.Request{App: "smartkey", Source: "test", ID: fmt.Sprintf("%T", cmd), Body: []byte("{}"), Actor: "operator", RecordedBy: "test", Command: cmd}
		if _, err := l.Execute(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
}

// unready is why the example of a type is refused by a ledger that has the
// policy and nothing else. All others are accepted.
var unready = map[string]domain.Code{
	"consent.used":       domain.UnknownRecord,
	"record.voided":      domain.UnknownRecord,
	"record.disputed":    domain.UnknownRecord,
	"guardian.ended":     domain.UnknownGuardian,
	"subject.unlinked":   domain.UnknownLink,
	"subject.reassigned": domain.UnknownPerson,
	"subject.closed":     domain.UnknownPerson,
	"exemption.ended":    domain.UnknownRecord,
	"hold.ended":         domain.UnknownRecord,
	"duty.ended":         domain.UnknownRecord,
	"policy.effective":   domain.UnknownVersion,
	"service.ceased":     domain.TooEarly,
	"obligation.met":     domain.UnknownObligation,
	"obligation.voided":  domain.UnknownObligation,
}

func init() {
	for _, rule := range domain.StepRules {
		if !rule.Opens() {
			unready[string(rule.Kind)] = domain.UnknownRequest
		}
	}
}

// aText is the hash of the text of the sample app.
const aText = "sha256:bbc4f8627c18bf9349657dd70fc230dd40c51c441d0e1c514ce586cae39adeea"

// personal is what the examples say that must never be in the log in the clear.
var personal = []string{"user-1", "parent-1", "tablet-1", "2009-06-30", "the mother", "in danger and could", "sign-up", "system settings", "ticket-17", `"screen"`}

func parseExample(e Example) (ledger.Request, error) {
	if e.Operator {
		return ParseOperatorEvent("smartkey", e.Event)
	}
	return ParseEvent("smartkey", e.Event)
}

func TestEveryExampleIsTakenOrRefusedForTheState(t *testing.T) {
	names := slices.Sorted(slices.Values(sendable()))
	if all := slices.Compact(slices.Clone(names)); len(all) != len(names) || len(all) < 28+len(domain.NoteRules) {
		t.Fatalf("%d of %d types have a name of their own", len(all), len(names))
	}
	policy := smartKeyPolicy(t)
	for i := range kindsInOrder() {
		l := openLedger(t, policy)
		at := l.Now()
		e := Examples(at)[i]
		r, err := parseExample(e)
		if err != nil {
			t.Errorf("%s: %v", e.Type, err)
			continue
		}
		if r.ID == "" || r.Source == "" || r.Sequence == 0 || r.At != at || r.RecordedBy != "unauthenticated" || r.FromApp == e.Operator {
			t.Errorf("%s: %+v", e.Type, r)
		}
		if canonical := jsontext.Value(r.Body).Clone(); canonical.Canonicalize() != nil || !bytes.Equal(canonical, r.Body) {
			t.Errorf("%s: the body is not canonical: %s", e.Type, r.Body)
		}
		receipt, err := l.Execute(t.Context(), r)
		refusal, _ := errors.AsType[domain.Refusal](err)
		if refusal.Code != unready[e.Type] || err != nil && refusal.Code == "" {
			t.Errorf("%s: %v, want %q", e.Type, err, unready[e.Type])
		}
		if err == nil {
			comesBack(t, l, e.Type, r, receipt)
		}
	}
}

// TestHistoryEntriesAreWrittenAsReflectionWritesThem: with all members, and with
// none.
func TestHistoryEntriesAreWrittenAsReflectionWritesThem(t *testing.T) {
	odd := "\"\\\n\x01 同意 <b>&\u2028"
	for _, h := range []HistoryEntry{
		{Data: jsontext.Value("{}"), Parts: []string{}},
		{
			EventID: odd, Type: odd, Position: odd, Revision: 1<<53 - 1, At: odd, Recorded: odd, Claimed: odd, Sequence: 1<<64 - 1, Actor: odd, RecordedBy: odd,
			OnBehalfOf: odd, Stream: odd, Data: jsontext.Value(`{"a":[1,"<"]}`), Parts: []string{odd, "", "binding"}, NotUnderstood: odd,
		},
	} {
		want, err := json.Marshal(h)
		got := jsonwrite.Text{B: []byte("{")}
		if appendEntry(&got, h); err != nil || got.Err != nil || string(got.B)+"}" != string(want) {
			t.Errorf("%s}\nis written, by reflection\n%s\n%v, %v", got.B, want, err, got.Err)
		}
	}
}

// comesBack reads what was recorded from outside.
func comesBack(t *testing.T, l *ledger.Ledger, kind string, r ledger.Request, receipt ledger.Receipt) {
	t.Helper()
	entries := l.Replay(t.Context(), receipt.Position-1)
	if r.Person.ID != "" {
		entries = l.History(t.Context(), r.App, r.Person)
	}
	found := false
	for e, err := range entries {
		if err != nil {
			t.Fatal(err)
		}
		line, err := AppendLine(nil, e)
		if err != nil {
			t.Fatal(err)
		}
		entry, err := EntryOf(e)
		if want, err2 := json.Marshal(entry); err != nil || err2 != nil || string(line) != string(want)+"\n" {
			t.Errorf("%s\nis written, by reflection\n%s\n%v, %v", line, want, err, err2)
		}
		found = found || e.ID == receipt.Event && e.Kind() == kind
		for _, p := range personal {
			if bytes.Contains(line, []byte(p)) {
				t.Errorf("%s: %q is in the line %s", kind, p, line)
			}
		}
	}
	ends := strings.HasPrefix(kind, "subject.re") || kind == "subject.closed" // the name is somebody else's then
	if !found && !ends {
		t.Errorf("%s: is not in the history", kind)
	}
}

func TestWhatOnlyOperatorsSayComesThroughNoDoorForApps(t *testing.T) {
	l := smartKey(t)
	for i, e := range Examples(l.Now()) {
		r, err := ParseEvent("smartkey", bytes.Replace(e.Event, []byte("user-1"), fmt.Appendf(nil, "user-%d", i), 1))
		if err == nil {
			_, err = l.Execute(t.Context(), r)
		}
		refusal, _ := errors.AsType[domain.Refusal](err)
		if (refusal.Code == domain.NotForApps) != e.Operator {
			t.Errorf("%s, operators only %v: %v", e.Type, e.Operator, err)
		}
	}
}

func TestAnOperatorNamesNobodyForWhatIsAboutTheApp(t *testing.T) {
	for kind, says := range map[string]string{
		`"service.ceased","subject":"ann"`: "subject must be left out", `"hold.placed"`: "subject is missing", `"consent.given"`: "subject is missing",
	} {
		_, err := ParseOperatorEvent("smartkey", []byte(`{"specversion":"1.0","id":"1","source":"/a","type":`+kind+`,"data":{"reason":"a"}}`))
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", kind, err)
		}
	}
	r, err := ParseOperatorEvent("smartkey", []byte(`{"specversion":"1.0","id":"1","source":"/a","type":"service.ceased","data":{"reason":"a"}}`))
	if err != nil || r.Actor != "operator" || r.FromApp || bytes.Contains(r.Body, []byte("subject")) {
		t.Errorf("%+v, %v", r, err)
	}
}

// What the examples alone cannot reach: one event refers to another.
func TestOneEventRefersToAnother(t *testing.T) {
	l := smartKey(t)
	say := func(kind, data string) ledger.Receipt {
		t.Helper()
		r, err := ParseOperatorEvent("smartkey", []byte(`{"specversion":"1.0","id":`+strconv.Quote(kind+data)+`,"source":"/a","type":"`+kind+`","subject":"kid","data":{`+data+`}}`))
		if err != nil {
			t.Fatal(err)
		}
		if names := strings.Contains(data, "account:mum") || strings.Contains(data, "device:tablet"); names != (r.Other.ID != "") {
			t.Errorf("%s: the other is %v", kind, r.Other)
		}
		receipt, err := l.Execute(t.Context(), r)
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		return receipt
	}
	const proof = `"proof":{"document":"` + aText + `","method":"in-person","checked_by":"ann"}`
	say("age.recorded", `"band":"under-14","basis":"declared"`)
	say("guardian.verified", `"guardian":"account:mum",`+proof)
	yes := say("consent.given", `"act":"confirm-next","purposes":["personalisation"],"once":true,"guardian":"account:mum",`+proof)
	check := func(want bool, why domain.Why) {
		t.Helper()
		a, err := Check(t.Context(), l, "smartkey", CheckRequest{Subject: "kid", Purpose: "personalisation"}, "test", l.Now())
		if err != nil || a.Allowed != want || a.Why != string(why) || a.Band != "under-14" {
			t.Errorf("%+v, %v", a, err)
		}
	}
	check(true, domain.WhyConsent)
	say("record.disputed", `"records":["`+yes.Event.String()+`"],"reason":"never-agreed"`)
	say("consent.used", `"consents":["`+yes.Event.String()+`"]`)
	check(false, domain.WhyGuardian)
	say("guardian.ended", `"guardian":"account:mum","reason":"of-age"`)
	say("subject.linked", `"other":"device:tablet","proof":"login"`)
	say("subject.unlinked", `"other":"device:tablet","reason":"logout"`)
	say("record.voided", `"records":["`+yes.Event.String()+`"],"reason":"mistake","evidence":"`+aText+`","by":["ann","bo"]`)
	held := say("exemption.invoked", `"list":"collect","code":"EXC-C4","purposes":["safety"],"reason":"danger","approver":"bo","until":"`+l.Now().Add(deadline.Day).String()+`"`)
	say("exemption.ended", `"exemption":"`+held.Event.String()+`"`)
}
