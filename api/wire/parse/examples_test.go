package parse

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"consentledger/api/smartkeytest"
	"consentledger/api/wire"
	"consentledger/domain/catalog"
	"consentledger/domain/refusal"
	"consentledger/eventstore/ledger"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// unready is why the example of a type is refused by a ledger that has the
// policy and nothing else. All others are accepted.
var unready = map[string]refusal.Code{
	"consent.used":       refusal.UnknownRecord,
	"record.voided":      refusal.UnknownRecord,
	"record.disputed":    refusal.UnknownRecord,
	"guardian.ended":     refusal.UnknownGuardian,
	"subject.unlinked":   refusal.UnknownLink,
	"subject.reassigned": refusal.UnknownPerson,
	"subject.closed":     refusal.UnknownPerson,
	"exemption.ended":    refusal.UnknownRecord,
	"hold.ended":         refusal.UnknownRecord,
	"duty.ended":         refusal.UnknownRecord,
	"policy.effective":   refusal.UnknownVersion,
	"service.ceased":     refusal.TooEarly,
	"obligation.met":     refusal.UnknownObligation,
	"obligation.voided":  refusal.UnknownObligation,
}

func init() {
	for _, rule := range catalog.StepRules {
		if !rule.Opens() {
			unready[string(rule.Kind)] = refusal.UnknownRequest
		}
	}
}

// personal is what the examples say that must never be in the log in the clear.
var personal = []string{"user-1", "parent-1", "tablet-1", "2009-06-30", "the mother", "in danger and could", "sign-up", "system settings", "ticket-17", `"screen"`}

func parseExample(e Example) (ledger.Request, error) {
	if e.Operator {
		return OperatorEvent("smartkey", e.Event)
	}
	return Event("smartkey", e.Event)
}

func TestEveryExampleIsTakenOrRefusedForTheState(t *testing.T) {
	names := slices.Sorted(slices.Values(sendable()))
	if all := slices.Compact(slices.Clone(names)); len(all) != len(names) || len(all) < 28+len(catalog.NoteRules) {
		t.Fatalf("%d of %d types have a name of their own", len(all), len(names))
	}
	policy := smartkeytest.Policy(t)
	for i := range kindsInOrder() {
		l := smartkeytest.Open(t, policy)
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
		refusal, _ := errors.AsType[refusal.Refusal](err)
		if refusal.Code != unready[e.Type] || err != nil && refusal.Code == "" {
			t.Errorf("%s: %v, want %q", e.Type, err, unready[e.Type])
		}
		if err == nil {
			comesBack(t, l, e.Type, r, receipt)
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
		line, err := wire.AppendLine(nil, e)
		if err != nil {
			t.Fatal(err)
		}
		entry, err := wire.EntryOf(e)
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

func TestWhatOnlyOperatorsSayComesThroughNoEndpointForApps(t *testing.T) {
	l := smartkeytest.Ledger(t)
	for i, e := range Examples(l.Now()) {
		r, err := Event("smartkey", bytes.Replace(e.Event, []byte("user-1"), fmt.Appendf(nil, "user-%d", i), 1))
		if err == nil {
			_, err = l.Execute(t.Context(), r)
		}
		no, _ := errors.AsType[refusal.Refusal](err)
		if (no.Code == refusal.NotForApps) != e.Operator {
			t.Errorf("%s, operators only %v: %v", e.Type, e.Operator, err)
		}
	}
}

func TestAnOperatorNamesNobodyForWhatIsAboutTheApp(t *testing.T) {
	for kind, says := range map[string]string{
		`"service.ceased","subject":"ann"`: "subject must be left out", `"hold.placed"`: "subject is missing", `"consent.given"`: "subject is missing",
	} {
		_, err := OperatorEvent("smartkey", []byte(`{"specversion":"1.0","id":"1","source":"/a","type":`+kind+`,"data":{"reason":"a"}}`))
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", kind, err)
		}
	}
	r, err := OperatorEvent("smartkey", []byte(`{"specversion":"1.0","id":"1","source":"/a","type":"service.ceased","data":{"reason":"a"}}`))
	if err != nil || r.Actor != "operator" || r.FromApp || bytes.Contains(r.Body, []byte("subject")) {
		t.Errorf("%+v, %v", r, err)
	}
}
