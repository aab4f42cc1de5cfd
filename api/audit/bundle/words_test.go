package bundle

import (
	"regexp"
	"strings"
	"testing"
	"unicode"

	"consentledger/domain"
	"consentledger/domain/catalog"
	"consentledger/domain/content"
	"consentledger/domain/policy"
	"consentledger/domain/request"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/ledger"
	"consentledger/projections/projectiontest"
)

// TestEveryCodeHasAChineseName: what a Chinese reader gets to see of our own codes,
// of any kind of record, is Chinese.
func TestEveryCodeHasAChineseName(t *testing.T) {
	named := func(what string, words map[string]string, code string) {
		t.Helper()
		if name := words[code]; !strings.ContainsFunc(name, func(r rune) bool { return unicode.Is(unicode.Han, r) }) {
			t.Errorf("%s %q is called %q", what, code, name)
		}
	}
	rules := map[string][]catalog.FieldRule{}
	for _, r := range catalog.NoteRules {
		rules[string(r.Kind)] = r.Fields
	}
	for _, r := range catalog.StepRules {
		rules[string(r.Kind)] = r.Fields
	}
	for kind, fields := range rules {
		named("a kind", chinese.kinds, kind)
		for _, f := range fields {
			named("a field of "+kind, chinese.fields, f.Name)
			for _, c := range f.Choices {
				named("a choice of "+f.Name, chinese.values[f.Name], c)
			}
		}
	}
	for _, shape := range codec.Types() {
		if kind := codec.KindOf(shape); kind != "noted" && kind != "stepped" {
			named("a kind", chinese.kinds, kind)
		}
	}
	for _, role := range []string{"details", "binding", "accessor", "why", "birth-date", "identity", "justification", "original", ledger.GroupRole, ledger.CommandRole} {
		named("a role", chinese.roles, role)
	}
	for _, kind := range []domain.AccessKind{domain.AccessExport, domain.AccessReceipt, domain.AccessRejected, domain.AccessReplay, domain.AccessRequest, domain.AccessReaction, domain.AccessProposal, domain.AccessProof} {
		named("an access", chinese.accesses, string(kind))
	}
	for _, r := range domain.CountRules {
		named("a shortfall", chinese.shorts, string(r.Short))
	}
	for _, r := range domain.LackRules {
		named("a lack", chinese.lacks, string(r.Lack))
	}
	for _, r := range request.Types() {
		named("a request", chinese.requests, r.String())
	}
	named("a reason", chinese.reasons, domain.Unstated)
}

// latin is a word of Latin letters.
var latin = regexp.MustCompile(`[A-Za-z][A-Za-z-]*`)

// behindItsName is a code in brackets behind what it is called in Chinese.
var behindItsName = regexp.MustCompile(`(\p{Han}) \([a-z][a-z.-]*\)`)

// TestNoEnglishCodeIsInAChineseReport: of facts in which every code is set, a
// Chinese report shows no Latin word but what others wrote, and what is allowed.
func TestNoEnglishCodeIsInAChineseReport(t *testing.T) {
	allowed := map[string]bool{"sha": true, "zh": true, "zh-CN": true, "CN": true}
	var events []domain.Event
	for _, quality := range []domain.Quality{domain.Strong, domain.Partial, domain.Weak, domain.Imported} {
		e := domain.ConsentGiven{Act: "甲", Kind: policy.GeneralConsent, Locale: "zh-CN", Evidence: domain.Evidence{Quality: quality}, Items: []domain.Item{{Purpose: "乙", Short: domain.NeedsSeparate}}}
		for _, r := range domain.LackRules {
			e.Evidence.Missing = append(e.Evidence.Missing, r.Lack)
		}
		events = append(events, e)
	}
	for _, kind := range []domain.AccessKind{domain.AccessExport, domain.AccessReceipt, domain.AccessRejected, domain.AccessReplay, domain.AccessRequest, domain.AccessReaction, domain.AccessProposal} {
		events = append(events, domain.DataAccessed{Kind: kind, Reason: domain.Unstated, Records: 1})
	}
	for _, action := range []policy.Action{policy.Collect, policy.Use, policy.Provide, policy.Publish, policy.Export} {
		events = append(events, domain.CheckAnswered{Purpose: "乙", Action: action, Why: domain.WhyConsent})
	}
	events = append(events, domain.RequestReceived{Types: request.Types()}, domain.ConsentWithdrawn{Scope: policy.Scope{All: true}})
	for _, r := range catalog.NoteRules {
		events = append(events, domain.Noted{Kind: r.Kind, Fields: filled(r.Fields)})
	}
	for _, r := range catalog.StepRules {
		events = append(events, domain.Stepped{Kind: r.Kind, Fields: filled(r.Fields)})
	}
	r := &report{wording: chinese, of: &reading{}}
	for _, e := range events {
		text := r.describe(e)
		bare := behindItsName.ReplaceAllString(text, "$1")
		for _, word := range latin.FindAllString(bare, -1) {
			if !allowed[word] {
				t.Errorf("%T shows %q: %s", e, word, text)
			}
		}
	}
	for _, kind := range []string{"consent.given", "purpose.achieved", "data.accessed"} {
		if text := behindItsName.ReplaceAllString(r.kind(kind), "$1"); latin.MatchString(text) {
			t.Errorf("the kind %s is shown as %s", kind, text)
		}
	}
}

// foreignOnPurpose are the runs of Latin letters that a Chinese dispute pack may
// hold, each with its reason.
var foreignOnPurpose = []struct{ reason, form string }{
	{"a hash", `sha256:[0-9a-f]{64}`},
	{"a pseudonym", `\b[0-9a-f]{32}\b`},
	{"a moment", `\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z`},
	{"an obligation, by its id", `\b(?:reply|stop)(?:\.[0-9a-z-]+)+`},
	{"a rule, by its id", `\b(?:d15|d30|law20|facts15|h24)\b`},
	{"an act's title, as the policy has it", `Click \(click\)`},
	{"a purpose, policy, act or permission that has no Chinese title, as the policy has it", `\b(?:location|marketing|click|privacy|gps|camera)\b`},
	{"an entry of the policy's enumerations, by its code", `IDE-4|REJ-1`},
	{"a channel of the policy, by its id", `渠道=email`},
	{"an amount", `12\.50 CNY`},
	{"what somebody wrote down", `=(?:off|not-done|kind|often|desk|boss|a table)`},
}

// TestADisputePackOfABitOfEverythingIsChinese: of records of every kind that a
// history may hold.
func TestADisputePackOfABitOfEverythingIsChinese(t *testing.T) {
	w := projectiontest.NewTeller(t)
	w.TellAll()
	r := &report{wording: chinese, of: &reading{policies: map[content.Hash]policy.Document{}}}
	told := 0
	for _, e := range w.Entries() {
		if p, ok := e.Event.(domain.PolicyPublished); ok {
			r.of.policies[p.Version] = p.Document
		}
		text := r.kind(e.Kind()) + " | " + r.describe(e.Event)
		bare := behindItsName.ReplaceAllString(text, "$1")
		for _, f := range foreignOnPurpose {
			bare = regexp.MustCompile(f.form).ReplaceAllString(bare, "")
		}
		if found := latin.FindString(bare); found != "" {
			t.Errorf("%T shows %q: %s", e.Event, found, text)
		}
		told++
	}
	if told < 100 {
		t.Errorf("only %d records", told)
	}
}

// filled fills in fields with what their rules offer, and else with Chinese.
func filled(rules []catalog.FieldRule) (all []policy.Field) {
	for _, r := range rules {
		value := "丙"
		switch {
		case len(r.Choices) > 0:
			value = r.Choices[0]
		case r.Form == catalog.FormYes:
			value = "yes"
		case r.Name == "types":
			value = "access,delete"
		}
		all = append(all, policy.Field{Name: r.Name, Value: value})
	}
	return all
}
