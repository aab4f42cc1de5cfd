package policy

import (
	"reflect"
	"strings"
	"testing"

	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/internal/form/formtest"
)

// mailPolicy returns a small document that is whole.
func mailPolicy() Document {
	return Document{
		Name: "privacy", Title: []LocalText{{"en", "Privacy"}}, Jurisdiction: "CN", TimeZone: "Asia/Shanghai",
		Purposes: []Purpose{
			{ID: "mail", Title: "Send mail", Categories: []CategoryID{"address"}, Actions: []Action{Collect, Use}, Basis: BasisConsent},
			{ID: "law", Title: "Obey", Actions: []Action{Use}, Basis: BasisLegalDuty},
		},
		Categories:        []Category{{ID: "address", Title: "Address"}, {ID: "health", Title: "Health", SensitiveByLaw: true}},
		Permissions:       []Permission{{ID: "network", Title: "Network", Purposes: []PurposeID{"mail"}}},
		Acts:              []Act{{ID: "click", Title: "Click", Counts: GeneralConsent}},
		ExemptionsCollect: []Ground{{Code: "EXC-C1", Title: "Security"}},
		ExemptionsProvide: []Ground{{Code: "EXC-S1", Title: "Security"}},
		Rights:            []Right{{ID: "delete", Title: "Delete", Deadlines: []deadline.RuleID{"cn.reply"}}},
		Channels:          []Channel{{ID: "phone", Kind: ChannelPhone, Uses: []ChannelUse{ForContact}}},
		DeadlineRules: []deadline.Rule{{ID: "cn.reply", Unit: deadline.UnitWorkingDay, Length: 15, Calendar: "CN",
			TimeZone: "Asia/Shanghai", ClockStart: "RequestReceived"}},
		Minors: Minors{AdultAge: 18, ChildBelowPolicy: 15, ChildBelowLaw: 14},
		Texts:  []Text{{"en", content.Hash{1}, Authoritative}},
	}
}

func TestAWholeDocumentHasNoProblem(t *testing.T) {
	d := mailPolicy()
	if problems := d.Check(); len(problems) > 0 {
		t.Errorf("%v", problems)
	}
}

func TestEveryProblemSaysWhere(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(d *Document)
		want  string
	}{
		{"a name with a blank", func(d *Document) { d.Name = "a b" }, "name"},
		{"no jurisdiction", func(d *Document) { d.Jurisdiction = "" }, "jurisdiction"},
		{"no time zone", func(d *Document) { d.TimeZone = "" }, "timezone"},
		{"no title", func(d *Document) { d.Title = nil }, "title"},
		{"a title twice in one language", func(d *Document) { d.Title = append(d.Title, d.Title[0]) }, "title[1].locale"},
		{"no text", func(d *Document) { d.Texts = nil }, "texts"},
		{"a text twice in one language", func(d *Document) { d.Texts = append(d.Texts, d.Texts[0]) }, "texts[1].locale"},
		{"a text without a hash", func(d *Document) { d.Texts[0].Hash = content.Hash{} }, "texts[0].hash"},
		{"a text without force", func(d *Document) { d.Texts[0].Force = 0 }, "texts[0].standing"},
		{"no purposes", func(d *Document) { d.Purposes, d.Permissions = nil, nil }, "purposes"},
		{"a purpose twice", func(d *Document) { d.Purposes[1].ID = "mail" }, "purposes[1].id"},
		{"a purpose with a bad id", func(d *Document) { d.Purposes[1].ID = "The Law" }, "purposes[1].id"},
		{"an unknown category", func(d *Document) { d.Purposes[0].Categories[0] = "phone" }, "purposes[0].categories[0]"},
		{"an action twice", func(d *Document) { d.Purposes[0].Actions[1] = Collect }, "purposes[0].actions[1]"},
		{"no action", func(d *Document) { d.Purposes[0].Actions = nil }, "purposes[0].actions"},
		{"no legal basis", func(d *Document) { d.Purposes[0].Basis = 0 }, "purposes[0].basis"},
		{"a consent that ended before", func(d *Document) { d.Purposes[0].ConsentLasts = -1 }, "purposes[0].consent_lasts_months"},
		{"a permission for nothing known", func(d *Document) { d.Permissions[0].Purposes[0] = "fax" }, "permissions[0].purposes[0]"},
		{"an act twice", func(d *Document) { d.Acts = append(d.Acts, d.Acts[0]) }, "acts[1].id"},
		{"one code in two lists", func(d *Document) { d.ExemptionsProvide[0].Code = "EXC-C1" }, "exemptions_provide[0].code"},
		{"a ground without a title", func(d *Document) { d.ExemptionsCollect[0].Title = "" }, "exemptions_collect[0].title"},
		{"an unknown deadline", func(d *Document) { d.Rights[0].Deadlines[0] = "x" }, "rights[0].deadlines[0]"},
		{"a channel of no kind", func(d *Document) { d.Channels[0].Kind = 0 }, "channels[0].kind"},
		{"a rule of no length", func(d *Document) { d.DeadlineRules[0].Length = 0 }, "deadline_rules[0].length"},
		{"an extension that shortens", func(d *Document) { d.DeadlineRules[0].ExtendedLength = 3 }, "deadline_rules[0].extended_length"},
		{"working days of no calendar", func(d *Document) { d.DeadlineRules[0].Calendar = "" }, "deadline_rules[0].calendar"},
		{"working days that roll", func(d *Document) { d.DeadlineRules[0].Roll = deadline.RollNextWorkingDay }, "deadline_rules[0].roll"},
		{"a clock that nothing starts", func(d *Document) { d.DeadlineRules[0].ClockStart = "" }, "deadline_rules[0].clock_start"},
		{"a child older than an adult", func(d *Document) { d.Minors.ChildBelowLaw = 19 }, "minors"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := mailPolicy()
			c.spoil(&d)
			problems := d.Check()
			if len(problems) != 1 || problems[0].Path != c.want {
				t.Errorf("got %v, want one at %s", problems, c.want)
			}
		})
	}
}

func TestADocumentIsAskedByID(t *testing.T) {
	d := mailPolicy()
	if p, ok := d.Purpose("law"); !ok || p.Basis != BasisLegalDuty {
		t.Errorf("purpose law: %+v, %v", p, ok)
	}
	if _, ok := d.Purpose("fax"); ok {
		t.Error("there is a purpose fax")
	}
	if a, ok := d.Act("click"); !ok || a.Counts != GeneralConsent {
		t.Errorf("act click: %+v, %v", a, ok)
	}
	if a, ok := d.Act(""); ok || a.Counts != NoConsent {
		t.Error("an unknown act counts")
	}
	if ids := d.PermissionPurposes("network"); !reflect.DeepEqual(ids, []PurposeID{"mail"}) || d.PermissionPurposes("camera") != nil {
		t.Errorf("network is bound to %v", ids)
	}
	if !d.IsSensitive("health") || d.IsSensitive("address") || d.IsSensitive("none") {
		t.Error("sensitive: only health is")
	}
}

func TestEveryValueOfAPolicyHasOneText(t *testing.T) {
	formtest.Pairs(t, ParseAction, "", "collect", "use", "provide", "publish", "export")
	formtest.Pairs(t, ParseLegalBasis, "", "consent", "contract", "legal-duty", "emergency", "news", "disclosed", "other-law")
	formtest.Pairs(t, ParseConsentKind, "none", "none", "general", "explicit", "separate", "written", "guardian")
	formtest.Pairs(t, ParseTextForce, "", "authoritative", "translation", "sample")
	formtest.Pairs(t, ParseChannelKind, "", "in-app", "phone", "email", "sms", "push", "announcement", "letter")
	formtest.Pairs(t, ParseChannelUse, "", "complaint", "contact", "request", "change", "incident", "cessation")
}

func TestAPeriodOfRetentionIsWholeOrNone(t *testing.T) {
	for name, tt := range map[string]struct {
		p    Purpose
		want string
	}{
		"months":         {Purpose{KeepMonths: 6, KeepAfter: "subject.closed"}, ""},
		"days":           {Purpose{KeepDays: 6, KeepAfter: "purpose.achieved"}, ""},
		"words":          {Purpose{Retention: "the shortest time"}, ""},
		"both":           {Purpose{KeepMonths: 6, KeepDays: 6, KeepAfter: "subject.closed"}, "keep_months"},
		"an end alone":   {Purpose{KeepAfter: "subject.closed"}, "keep_months"},
		"no end":         {Purpose{KeepMonths: 6}, "keep_after"},
		"another end":    {Purpose{KeepMonths: 6, KeepAfter: "full.moon"}, "keep_after"},
		"less than none": {Purpose{KeepDays: -1, KeepAfter: "subject.closed"}, "keep_months"},
	} {
		tt.p.ID, tt.p.Title, tt.p.Basis, tt.p.Actions = "ads", "Ads", BasisConsent, []Action{Use}
		d := Document{Purposes: []Purpose{tt.p}}
		found := ""
		for _, p := range d.Check() {
			if _, member, ok := strings.Cut(p.Path, "purposes[0].keep"); ok {
				found = "keep" + member
			}
		}
		if found != tt.want {
			t.Errorf("%s: %q, want %q", name, found, tt.want)
		}
	}
}
