package auditreport_test

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"consentledger/api/report"
	"consentledger/api/report/auditreport"
	"consentledger/domain"
	"consentledger/domain/catalog"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore/codec/policydoc"
	"consentledger/projections/projectiontest"
	"consentledger/projections/requests"
)

// foreignOnPurpose are the runs of Latin letters that a Chinese report may hold,
// each with its reason. Nothing else is let through: no sentence, label or status.
var foreignOnPurpose = []struct{ reason, form string }{
	{"a code in brackets behind its Chinese name", `(\p{Han}|\p{P}) ?\([A-Za-z][A-Za-z0-9.-]*\)`},
	{"a hash", `sha256:[0-9a-f]{64}|cm9vdA==`},
	{"an id of a record", `[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`},
	{"a stream, by its name", `(?:incident|request|obligation|service)-smartkey-[0-9a-z]+`},
	{"a moment", `\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z|UTC`},
	{"a command to type", `consentledger (?:verify log|report audit) --app smartkey`},
	{"the program and its version", `consentledger v1|\| v1 \|`},
	{"the app, and its log", `(?:logs\.example\.com/)?smartkey`},
	{"the handler, as the app names it", `Example Ltd`},
	{"the law's own abbreviations and numbers", `GB/T 35273-2020 第 8\.7 条 a 项|App违法|GDPR`},
	{"a currency, by its code", `CNY`},
	{"a section, as the policy numbers it", `\bVII(?:\([IVX]+\))?`},
	{"a rule, by its id", `\b(?:d15|d30|law20|facts15|h24)\b`},
	{"a calendar, by its id", `CN \d{4}`},
	{"a purpose, policy, act or kind of data that has no Chinese title, by its id", `\b(?:location|marketing|research|click|privacy|position|complain)\b`},
	{"what the policy says itself", `a year`},
	{"a person who voided, prepared or approved, by the name that they gave", `\b(?:eve|bob|ann|Li Na)\b`},
	{"a principal, a recipient, a system or a build, as it is called", `\b(?:mailer|ads|mail|desk|bad)\b`},
	{"what somebody wrote", `“[^”]*”`},
}

// latin is a run of Latin letters.
var latin = regexp.MustCompile(`[A-Za-z]+`)

// foreign returns the lines of a text that hold Latin letters which are not there
// on purpose.
func foreign(text string) (lines []string) {
	for line := range strings.SplitSeq(text, "\n") {
		bare := line
		for _, f := range foreignOnPurpose {
			bare = regexp.MustCompile(f.form).ReplaceAllString(bare, "${1}")
		}
		if found := latin.FindAllString(bare, -1); found != nil {
			lines = append(lines, strings.Join(found, " ")+" in: "+line)
		}
	}
	return lines
}

// rich is a bit of everything, and what it leaves out: processing without consent,
// sharing, an incident that was told, imports, readers, assessments, duties.
func rich(t *testing.T) *projectiontest.Teller {
	t.Helper()
	w := projectiontest.NewTeller(t)
	w.TellAll()
	d := projectiontest.Document("three")
	d.Title = append(d.Title, policy.LocalText{Locale: "zh-CN", Text: "隐私政策"})
	d.Purposes[0].Title, d.Categories[0].Title, d.Acts[0].Title = "定位", "位置", "点击同意"
	d.Recipients = []policy.Recipient{{ID: "mailer", Title: "邮件服务商", Section: "VII", Purposes: []policy.PurposeID{"location"}, Abroad: true}}
	d.Rejections[0].Title = "国家安全"
	d.DeadlineRules[0].Source, d.DeadlineRules[2].Source = "policy VII", "GDPR 12(3)"
	d.ExemptionsCollect = []policy.Ground{{Code: "EXC-C1", Title: "national security", Section: "VII", Doubtful: true}}
	version, err := policydoc.Hash(d)
	if err != nil {
		t.Fatal(err)
	}
	w.Tell("", domain.PublishPolicy{Version: version, Document: d, Stale: []policy.PurposeID{"location"}, Material: []string{"MAT-1", "MAT-3", "MAT-4"}})
	w.Tell("zoe", domain.GiveConsent{Act: "click", Purposes: []policy.PurposeID{"location"}, Locale: "zh-CN"})
	w.Tell("zoe", domain.WithdrawConsent{Scope: policy.Scope{Purposes: []policy.PurposeID{"location"}}})
	note := func(kind catalog.Note, fields map[string]string) {
		w.Tell("", domain.Say{Event: domain.Noted{Kind: kind, Fields: policy.Fields(fields)}})
	}
	note("recipient.added", map[string]string{"recipient": "mailer", "categories": "position", "purposes": "location"})
	note("assessment.started", map[string]string{"assessment": "d15", "subject": "定位"})
	note("assessment.final", map[string]string{"assessment": "d15", "report": content.Hash{1}.String(), "high_risk": "yes"})
	return w
}

// TestNothingInAChineseReportIsInAnotherLanguage: of a ledger that holds a bit of
// everything, in every form that people read.
func TestNothingInAChineseReportIsInAnotherLanguage(t *testing.T) {
	w := rich(t)
	v := viewOf(t, w)
	texts := map[string]string{}
	r := made(t, w, 0, w.Time()+1)
	r.Unpromised = []auditreport.Count{{Name: "correct", Count: 2}}
	r.Exemptions = []auditreport.Exemption{{Recorded: "2026-06-01T00:00:00.000Z", List: "collect", Code: "EXC-C1", Doubtful: true, Purposes: []string{"location"}, Reason: "安全", Approver: "eve", Until: "2026-07-01T00:00:00.000Z"}}
	r.Access = []auditreport.Reader{
		{Kind: "data.accessed", Way: "replay", Reason: domain.Unstated, Who: ident.Unauthenticated, Count: 3, Records: 70},
		{Kind: "check.answered", Who: ident.Ledger, Count: 3}, {Kind: "data.accessed", Way: "export", Reason: "dispute", Who: "desk", Count: 1, Records: 9, Parts: 4},
	}
	r.App.Handler = "not named by the policy"
	r.Calendars = []auditreport.Calendar{{ID: "CN 2026", Notice: "国办发明电〔2025〕7号"}, {ID: "CN 2027 reported"}}
	r.Clock = []auditreport.Count{{Name: "stepped back", Count: 1}, {Name: "steady", Count: 2}}
	r.Rules[0].Kept.Late, r.Rules[2].Kept.Overdue = 1, 2
	texts["audit"] = string(written(t, r, auditreport.Markdown, "zh"))
	for _, name := range auditreport.Registers {
		r, err := auditreport.MakeRegister(t.Context(), w.Ledger, v, projectiontest.App, name, w.Time())
		if err != nil {
			t.Fatal(err)
		}
		texts[name] = string(written(t, r, auditreport.Markdown, "zh"))
	}
	texts["calendar"] = calendarOf(t, v, w.Time())
	for name, text := range texts {
		if len(text) < 100 {
			t.Fatalf("%s says nothing: %q", name, text)
		}
		for _, line := range foreign(text) {
			t.Errorf("%s has %s", name, line)
		}
	}
	// The test itself sees what is not Chinese.
	if len(foreign("| 逾期 | overdue |")) == 0 || len(foreign("说明：not said")) == 0 {
		t.Error("English passes unseen")
	}
}

// calendarOf returns the titles and descriptions of a calendar in Chinese.
func calendarOf(t *testing.T, v *requests.View, at deadline.Instant) string {
	t.Helper()
	var b bytes.Buffer
	w := report.NewCalendar(&b, projectiontest.App, "zh-CN")
	_, err := v.Each(t.Context(), requests.Query{App: projectiontest.App, At: at}, func(o requests.Obligation) error { return w.Write(report.Of(o)) })
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.SplitSeq(strings.ReplaceAll(b.String(), "\r\n ", ""), "\r\n") {
		if name, text, _ := strings.Cut(line, ":"); name == "SUMMARY" || name == "DESCRIPTION" || name == "X-WR-CALNAME" {
			lines = append(lines, text)
		}
	}
	return strings.Join(lines, "\n")
}
