package domain_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	. "consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/domain/refusal"
)

func TestAnEndThatIsDecidedTooEarlyIsAnsweredWithTheEarliestDay(t *testing.T) {
	r := ref()
	r.By = ident.By{Actor: ident.Operator, Principal: "officer"}
	doc := r.Policies.Versions()[0].Document
	doc.DeadlineRules = append(doc.DeadlineRules, deadline.Rule{ID: "end", Source: "IX(III)", Unit: deadline.UnitWorkingDay, Length: 15, Calendar: "CN", TimeZone: "Asia/Shanghai", ClockStart: "CessationNoticeDelivered", Result: deadline.ResultEarliestEffectiveDate})
	r.Policies = Policies{}.Evolve(Fact{Event: PolicyPublished{Version: v1, Document: doc, Effective: t0}})
	due, err := deadline.Compute(doc.DeadlineRules[len(doc.DeadlineRules)-1], t0, nil, false, r.Calendars)
	if err != nil {
		t.Fatal(err)
	}
	earliest := max(due.Earliest, due.SafeNotice)
	decided := func(effective deadline.Date, more ...string) Say {
		fields := map[string]string{"service": "all", "effective": effective.String()}
		if len(more) > 0 {
			fields["too_late"] = more[0]
		}
		return Say{Noted{Kind: "cessation.decided", Fields: policy.Fields(fields)}}
	}
	for _, tt := range []struct {
		name string
		s    Service
		cmd  Say
		at   deadline.Instant
		code refusal.Code
	}{
		{"a day too early", Service{}, decided(earliest - 1), t0, refusal.TooEarly},
		{"a day too early, and not said to be", Service{}, decided(earliest-1, "no"), t0, refusal.TooEarly},
		{"on the earliest day", Service{}, decided(earliest), t0, ""},
		{"a day too early, and said to be", Service{}, decided(earliest-1, "yes"), t0, ""},
		{"later, when persons were told then", Service{}.Evolve(Fact{At: t0, Recorded: t0, Event: Noted{Kind: "cessation.notified"}}), decided(earliest), t0 + deadline.Instant(7*deadline.Day), ""},
		{"later, when nobody was told", Service{}, decided(earliest), t0 + deadline.Instant(7*deadline.Day), refusal.TooEarly},
	} {
		events, err := tt.s.Decide(tt.cmd, r, tt.at, tt.at)
		got, _ := errors.AsType[refusal.Refusal](err)
		if got.Code != tt.code || tt.code == "" && len(events) != 1 {
			t.Errorf("%s: %v", tt.name, err)
		}
		if tt.code != "" && tt.at == t0 && !strings.Contains(got.Text, earliest.String()) {
			t.Errorf("%s: the answer does not say %s: %s", tt.name, earliest, got.Text)
		}
	}
}

func TestAYearIsPublishedOnANoticeAlone(t *testing.T) {
	whole := deadline.Calendar{Jurisdiction: "NZ", Year: 2027, Notice: "no. 7", Issued: deadline.NewDate(2026, time.November, 4), Off: []deadline.Date{deadline.NewDate(2027, time.January, 1)}}
	for name, tt := range map[string]struct {
		change func(*deadline.Calendar)
		path   string
	}{
		"with both":                                {func(*deadline.Calendar) {}, ""},
		"without its number":                       {func(k *deadline.Calendar) { k.Notice = "" }, "notice"},
		"without its date":                         {func(k *deadline.Calendar) { k.Issued = 0 }, "issued"},
		"a list of days without either":            {func(k *deadline.Calendar) { k.Partial, k.Notice, k.Issued = true, "", 0 }, "notice"},
		"a region's days, which rest on another's": {func(k *deadline.Calendar) { k.AddsTo, k.Partial, k.Notice, k.Issued = "CN", true, "", 0 }, ""},
		"a projection, which makes nothing known":  {func(k *deadline.Calendar) { k.Projected, k.Notice, k.Issued = true, "", 0 }, ""},
	} {
		k := whole
		tt.change(&k)
		_, err := DecideCalendars(deadline.Calendars{}, PublishCalendar{Calendar: k}, ident.By{Principal: "officer"})
		if got, _ := errors.AsType[refusal.Refusal](err); got.Path != tt.path || (err == nil) != (tt.path == "") {
			t.Errorf("%s: %v", name, err)
		}
		if _, wrong := (deadline.Calendars{}).Publish(func() deadline.Calendar { k.Version = 1; return k }()); len(wrong) > 0 {
			t.Errorf("%s: to compute by it: %v", name, wrong)
		}
	}
}

func TestAServiceDoesNotEndBeforeItsNoticeHasRun(t *testing.T) {
	r := ref()
	r.By = ident.By{Actor: ident.Operator, Principal: "officer"}
	doc := r.Policies.Versions()[0].Document
	doc.DeadlineRules = append(doc.DeadlineRules, deadline.Rule{ID: "end", Source: "IX(III)", Unit: deadline.UnitWorkingDay, Length: 15, Calendar: "CN", TimeZone: "Asia/Shanghai", ClockStart: "CessationNoticeDelivered", Result: deadline.ResultEarliestEffectiveDate})
	r.Policies = Policies{}.Evolve(Fact{Event: PolicyPublished{Version: v1, Document: doc, Effective: t0}})
	cease := Say{ServiceCeased{Reason: "over"}}
	told := Service{}.Evolve(Fact{At: t0, Recorded: t0, Event: Noted{Kind: "cessation.notified"}})
	for _, tt := range []struct {
		name string
		s    Service
		at   deadline.Instant
		code refusal.Code
	}{
		{"nobody was told", Service{}, t0 + deadline.Instant(100*deadline.Day), refusal.TooEarly},
		{"a week later", told, t0 + deadline.Instant(7*deadline.Day), refusal.TooEarly},
		{"two months later", told, t0 + deadline.Instant(60*deadline.Day), ""},
	} {
		_, err := tt.s.Decide(cease, r, tt.at, tt.at)
		if got, _ := errors.AsType[refusal.Refusal](err); got.Code != tt.code {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}
