package query

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"consentledger/api/smartkeytest"
	"consentledger/api/wire"
	"consentledger/api/wire/parse"
	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/policy"
	"consentledger/domain/refusal"
	"consentledger/eventstore/ledger"
)

// constantsOf returns the values of the constants of a type of the domain, as
// its files declare them.
func constantsOf(t *testing.T, typeName string) (values []string) {
	t.Helper()
	names, err := filepath.Glob("../../domain/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			if id, is := spec.Type.(*ast.Ident); is && id.Name == typeName && len(spec.Values) == 1 {
				if lit, is := spec.Values[0].(*ast.BasicLit); is {
					s, err := strconv.Unquote(lit.Value)
					if err != nil {
						t.Fatal(err)
					}
					values = append(values, s)
				}
			}
			return true
		})
	}
	return values
}

func TestNoWhyIsWithoutASentence(t *testing.T) {
	whys := constantsOf(t, "Why")
	if len(whys) < 18 {
		t.Fatalf("found %d reasons: %v", len(whys), whys)
	}
	seen := map[string]string{}
	for _, w := range whys {
		a := wire.CheckAnswer{Purpose: "mail", Action: "use", Category: "faces", Recipient: "acme", Since: "2026", Basis: "contract", Status: "refused"}
		s := sentence(domain.Answer{Why: domain.Why(w), Standing: domain.Standing{Status: domain.Refused}}, &a)
		if !strings.HasSuffix(s, ".") || strings.Contains(s, "  ") || seen[s] != "" {
			t.Errorf("%s says %q, as %s does", w, s, seen[s])
		}
		seen[s] = w
	}
	for _, short := range constantsOf(t, "Shortfall") {
		var a wire.CheckAnswer
		m := domain.Answer{Why: domain.WhyStatus, Standing: domain.Standing{Short: domain.Shortfall(short)}}
		if s := reason(m, &a); !strings.Contains(s, "does not count: ") {
			t.Errorf("%s is told as %q", short, s)
		}
	}
}

// watched is a policy whose purposes say which answers are recorded.
func watched() policy.Document {
	purpose := func(id policy.PurposeID, log policy.CheckLog) policy.Purpose {
		return policy.Purpose{ID: id, Title: string(id), Section: "I", Actions: []policy.Action{policy.Collect, policy.Use}, Categories: []policy.CategoryID{"faces"}, Basis: policy.BasisConsent, LogChecks: log}
	}
	return policy.Document{
		Name: "privacy", Title: []policy.LocalText{{Locale: "en", Text: "Privacy"}}, Jurisdiction: "CN", TimeZone: "Asia/Shanghai",
		Purposes:   []policy.Purpose{purpose("all", policy.LogAll), purpose("some", policy.LogSampled), purpose("none", policy.LogNone)},
		Categories: []policy.Category{{ID: "faces", Title: "Faces", Section: "I"}, {ID: "voices", Title: "Voices", Section: "I"}},
		Recipients: []policy.Recipient{{ID: "acme", Title: "Acme", Section: "I", Purposes: []policy.PurposeID{"all"}}},
		Acts:       []policy.Act{{ID: "agree", Title: "Agree", Section: "I", Counts: policy.GeneralConsent}, {ID: "use", Title: "Use", Section: "I"}},
		Minors:     policy.Minors{AdultAge: 18, ChildBelowPolicy: 14, ChildBelowLaw: 14},
		Texts:      []policy.Text{{Locale: "en", Hash: content.Hash{1}, Force: policy.Authoritative}},
	}
}

func sayTo(t *testing.T, l *ledger.Ledger, kind, data string) ledger.Receipt {
	t.Helper()
	r, err := parse.OperatorEvent("smartkey", []byte(`{"specversion":"1.0","id":`+strconv.Quote(kind+data)+`,"source":"/a","type":"`+kind+`","subject":"ann","data":{`+data+`}}`))
	if err != nil {
		t.Fatal(err)
	}
	receipt, err := l.Execute(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return receipt
}

// loggedOf counts the answers in the log, by purpose.
func loggedOf(t *testing.T, l *ledger.Ledger) map[policy.PurposeID]int {
	t.Helper()
	n := map[policy.PurposeID]int{}
	for e, err := range l.Replay(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if a, ok := e.Event.(domain.CheckAnswered); ok {
			n[a.Purpose]++
			if e.RecordedBy != "the-asker" || e.Actor != "system" || a.Valid == 0 {
				t.Errorf("%+v", e)
			}
		}
	}
	return n
}

func TestAnswersAreRecordedAsThePolicySays(t *testing.T) {
	l := smartkeytest.Open(t, watched())
	ask := func(p string) {
		t.Helper()
		if _, err := Check(t.Context(), l, "smartkey", wire.CheckRequest{Subject: "ann", Purpose: p}, "the-asker", l.Now()); err != nil {
			t.Fatal(err)
		}
	}
	ask("all")
	if n := loggedOf(t, l); len(n) != 0 {
		t.Errorf("of somebody who is not known: %v", n)
	}
	sayTo(t, l, "consent.given", `"act":"agree"`)
	for range 3000 {
		ask("some")
	}
	for range 20 {
		ask("all")
		ask("none")
	}
	// That none or more than 300 of 3000 are sampled has a chance below 1e-13.
	if n := loggedOf(t, l); n["all"] != 20 || n["none"] != 0 || n["some"] == 0 || n["some"] > 300 {
		t.Errorf("%v", n)
	}
}

// A forgetful ledger answers and cannot remember that it did.
type forgetful struct{ *ledger.Ledger }

func (forgetful) LogCheck(context.Context, ledger.Request, domain.CheckAnswered) error {
	return errors.New("disk on fire")
}

func TestAnAnswerThatMustBeRecordedAndIsNotIsUnknown(t *testing.T) {
	l := smartkeytest.Open(t, watched())
	sayTo(t, l, "consent.given", `"act":"agree"`)
	for _, p := range []string{"all", "none"} {
		a, err := Check(t.Context(), forgetful{l}, "smartkey", wire.CheckRequest{Subject: "ann", Purpose: p}, "the-asker", l.Now())
		if must := p == "all"; (err != nil) != must || a.Allowed == must || (a.Status == wire.Unknown) != must || wire.IsRefusal(err) {
			t.Errorf("%s: %+v, %v", p, a, err)
		}
	}
}

func TestACheckNamesDataReceiversAndVersions(t *testing.T) {
	l := smartkeytest.Open(t, watched())
	yes := sayTo(t, l, "consent.given", `"act":"agree"`)
	ref, err := l.App(t.Context(), "smartkey")
	if err != nil {
		t.Fatal(err)
	}
	v := ref.Policies.Versions()[0].Version.String()
	for _, c := range []struct {
		r   wire.CheckRequest
		why domain.Why
	}{
		{wire.CheckRequest{Category: "faces", Recipient: "acme", Version: v}, domain.WhyConsent},
		{wire.CheckRequest{Category: "voices"}, domain.WhyNoCategory},
		{wire.CheckRequest{Recipient: "other"}, domain.WhyNoRecipient},
	} {
		c.r.Subject, c.r.Purpose = "ann", "all"
		a, err := Check(t.Context(), l, "smartkey", c.r, "the-asker", l.Now())
		if err != nil || a.Why != string(c.why) || a.Category != c.r.Category || a.Recipient != c.r.Recipient || a.Evidence != "weak" {
			t.Errorf("%+v: %+v, %v", c.r, a, err)
		}
	}
	_, err = Check(t.Context(), l, "smartkey", wire.CheckRequest{Subject: "ann", Purpose: "all", Version: content.Hash{9}.String()}, "the-asker", l.Now())
	if refused, _ := errors.AsType[refusal.Refusal](err); refused.Code != refusal.UnknownVersion || refused.Path != "version" || !strings.Contains(refused.Text, v) {
		t.Errorf("a version that was never published: %v", err)
	}
	for wants, r := range map[string]wire.CheckRequest{
		"No version ever did; there are all": {Purpose: "nix"}, "No version ever did; there are faces": {Purpose: "all", Category: "facs"},
		"No version ever did; there are acme": {Purpose: "all", Recipient: "acne"},
	} {
		r.Subject = "ann"
		a, err := Check(t.Context(), l, "smartkey", r, "the-asker", l.Now())
		if err != nil || a.Allowed || !strings.Contains(a.Reason, wants) {
			t.Errorf("%+v: %s, %v, want %s", r, a.Reason, err, wants)
		}
	}
	for member, r := range map[string]wire.CheckRequest{"category": {Category: "A b"}, "recipient": {Recipient: "A b"}, "version": {Version: "1"},
		"version: a hash of zeros": {Version: content.Hash{}.String()}} {
		r.Subject, r.Purpose = "ann", "all"
		if _, err := Check(t.Context(), l, "smartkey", r, "the-asker", l.Now()); !wire.IsRefusal(err) || !strings.Contains(fmt.Sprint(err), member) {
			t.Errorf("%+v: %v", r, err)
		}
	}
	sayTo(t, l, "record.disputed", `"records":["`+yes.Event.String()+`"],"reason":"never-agreed"`)
	held := sayTo(t, l, "hold.placed", `"reason":"litigation"`)
	a, err := Check(t.Context(), l, "smartkey", wire.CheckRequest{Subject: "ann", Purpose: "all"}, "the-asker", l.Now())
	if err != nil || !a.Disputed || a.Why != string(domain.WhyHold) || fmt.Sprint(a.Events) != fmt.Sprint([]string{yes.Event.String(), held.Event.String()}) {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestAYesThatFallsShortIsToldSo(t *testing.T) {
	l := smartkeytest.Open(t, watched())
	sayTo(t, l, "consent.given", `"act":"use","purposes":["all"]`)
	a, err := Check(t.Context(), l, "smartkey", wire.CheckRequest{Subject: "ann", Purpose: "all"}, "the-asker", l.Now())
	if err != nil || a.Allowed || a.Short != string(domain.ActGivesNone) || !strings.Contains(a.Reason, "never give consent") {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestAPromptAsksWhatIsOpen(t *testing.T) {
	l := smartkeytest.Open(t, watched())
	prompt := func() map[string]wire.PromptItem {
		t.Helper()
		a, err := Prompt(t.Context(), l, "smartkey", wire.PromptRequest{Subject: "ann", Locale: "en"}, l.Now())
		if err != nil || a.Position == "" || a.ValidAt == "" {
			t.Fatalf("%+v, %v", a, err)
		}
		m := map[string]wire.PromptItem{}
		for _, item := range a.Items {
			m[item.Purpose] = item
		}
		return m
	}
	first := prompt()["none"]
	hash := content.Hash{1}.String()
	if first.Reason != "never-asked" || first.Title != "none" || first.Policy != "privacy" || first.NotBefore != "" ||
		first.Text != (wire.PromptText{Locale: "en", Hash: hash, Standing: "authoritative", URL: "/v1/blobs/" + hash}) || len(prompt()) != 3 {
		t.Errorf("%+v", prompt())
	}
	sayTo(t, l, "consent.given", `"act":"agree","purposes":["all"]`)
	sayTo(t, l, "consent.refused", `"purposes":["some"]`)
	after := prompt()
	if _, asked := after["all"]; asked || after["some"].Reason != "refused" {
		t.Errorf("%+v", after)
	}
	quiet, err := deadline.ParseInstant(after["some"].NotBefore)
	if d := quiet.Time().Sub(l.Now().Time()); err != nil || d < 47*time.Hour || d > 48*time.Hour {
		t.Errorf("not before %v, %v", after["some"].NotBefore, err)
	}
	for member, r := range map[string]wire.PromptRequest{"subject": {Subject: "13800138000"}, "locale": {Subject: "ann", Locale: "a language"}} {
		if _, err := Prompt(t.Context(), l, "smartkey", r, l.Now()); !wire.IsRefusal(err) || !strings.Contains(err.Error(), member) {
			t.Errorf("%+v: %v", r, err)
		}
	}
}

func TestEveryReasonWhyAConsentFallsShortSaysWhatToDo(t *testing.T) {
	for _, r := range domain.CountRules {
		todo := wire.Advice[r.Short]
		if !strings.HasSuffix(todo, ".") {
			t.Errorf("%s has no advice", r.Short)
			continue
		}
		receipt := wire.ReceiptOf(ledger.Receipt{Short: "ads=" + string(r.Short)}).Reason
		if check := shortSentence(r, false); !strings.Contains(receipt, todo) || !strings.Contains(check, todo) || !strings.Contains(receipt, "for ads: "+r.Says) {
			t.Errorf("%s: the receipt says %s, the check%s", r.Short, receipt, check)
		}
	}
	if len(wire.Advice) != len(domain.CountRules) {
		t.Errorf("%d of %d rules have advice", len(wire.Advice), len(domain.CountRules))
	}
}
