package domain_test

import (
	"errors"
	"strings"
	"testing"

	. "consentledger/domain"
	"consentledger/domain/catalog"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/domain/refusal"
)

// keepingOf is a service with notes about what keeps data, a second apart.
func keepingOf(notes ...Noted) (s Service) {
	s.App = App{Name: "shop", TimeZone: "Asia/Shanghai"}
	for i, n := range notes {
		s = s.Evolve(fact(byte(100+i), t0, n))
	}
	return s
}

func noted(kind catalog.Note, fields map[string]string) Noted {
	return Noted{Kind: kind, Fields: policy.Fields(fields)}
}

func TestWhatKeepsDataIsNamedInsteadOfErasing(t *testing.T) {
	hold := map[string]string{"hold": "case", "reason": "evidence", "authority": "a court"}
	with := func(m map[string]string, more ...string) map[string]string {
		n := map[string]string{}
		for k, v := range m {
			n[k] = v
		}
		for i := 0; i < len(more); i += 2 {
			n[more[i]] = more[i+1]
		}
		return n
	}
	duty := map[string]string{"duty": "books", "law": "PIPL 56", "reason": "records"}
	ended := fact(3, t0, SubjectClosed{Reason: "account-deleted"})
	year := deadline.Instant(366 * 24 * 3600 * 1000)
	for _, tt := range []struct {
		says  string
		notes []Noted
		at    deadline.Instant
		want  string // in the refusal; empty: it is erased
	}{
		{"nothing keeps anybody", nil, t0, ""},
		{"a hold on everybody", []Noted{noted("hold.declared", hold)}, t0 + year, "the legal hold \"case\""},
		{"a hold that was ended", []Noted{noted("hold.declared", hold), noted("hold.ended", map[string]string{"hold": "case", "reason": "judged"})}, t0, ""},
		{"another hold that was ended", []Noted{noted("hold.declared", hold), noted("hold.declared", with(hold, "hold", "other")), noted("hold.ended", map[string]string{"hold": "other", "reason": "judged"})}, t0, "\"case\""},
		{"a hold until a day that is over", []Noted{noted("hold.declared", with(hold, "until", "2020-01-01"))}, t0, ""},
		{"a hold until a day to come", []Noted{noted("hold.declared", with(hold, "until", "2199-12-31"))}, t0, "up to 2199-12-31"},
		{"declared anew, the later one counts", []Noted{noted("hold.declared", with(hold, "until", "2199-12-31")), noted("hold.declared", with(hold, "until", "2020-01-01"))}, t0, ""},
		{"a hold on this person's request", []Noted{noted("hold.declared", with(hold, "request", "q1"))}, t0, "\"case\""},
		{"a hold on another request", []Noted{noted("hold.declared", with(hold, "request", "q2"))}, t0, ""},
		{"a duty of months that run", []Noted{noted("duty.declared", with(duty, "months", "11"))}, t0, "the duty \"books\" (records; PIPL 56)"},
		{"a duty of months that ran", []Noted{noted("duty.declared", with(duty, "months", "11"))}, t0 + year, ""},
		{"a duty of months and a day: the later one", []Noted{noted("duty.declared", with(duty, "months", "11", "until", "2199-12-31"))}, t0 + year, "up to 2199-12-31"},
		{"a duty until a day", []Noted{noted("duty.declared", with(duty, "until", "2199-12-31"))}, t0 + year, "up to 2199-12-31"},
		{"a duty that was ended", []Noted{noted("duty.declared", with(duty, "until", "2199-12-31")), noted("duty.ended", map[string]string{"duty": "books", "reason": "kept elsewhere"})}, t0, ""},
	} {
		t.Run(tt.says, func(t *testing.T) {
			s := Subject{}.Evolve(yes(1, t0, t0)).Evolve(fact(2, t0, RequestMade{Request: "q1"})).Evolve(ended)
			ref := Reference{Service: keepingOf(tt.notes...)}
			ref.By = ident.By{Actor: ident.Operator, Principal: "operator:ann"}
			_, err := s.Decide(OrderErasure{Reason: "subject-request", By: [2]string{"a", "b"}}, ref, tt.at, tt.at)
			no, _ := errors.AsType[refusal.Refusal](err)
			if (err == nil) != (tt.want == "") || !strings.Contains(no.Text, tt.want) || err != nil && no.Code != refusal.OnHold {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

func TestADutyEndsAndAHoldIsOnOne(t *testing.T) {
	s := keepingOf()
	ref := Reference{By: ident.By{Actor: ident.Operator, Principal: "operator:ann"}}
	say := func(n Noted) error { _, err := s.Decide(Say{Event: n}, ref, t0, t0); return err }
	for _, n := range []Noted{
		noted("duty.declared", map[string]string{"duty": "d"}),
		noted("duty.declared", map[string]string{"duty": "d", "months": "0"}),
		noted("hold.ended", map[string]string{"hold": "h"}),
		noted("duty.ended", map[string]string{"duty": "d"}),
	} {
		if err := say(n); err == nil {
			t.Errorf("%s %v is taken", n.Kind, n.Fields)
		}
	}
	ref.By.App = true
	if err := say(noted("hold.declared", map[string]string{"hold": "h", "reason": "r", "authority": "a court"})); err == nil {
		t.Error("an app declares a hold")
	}
	ref.By.App = false
	good := map[string]string{"duty": "d", "law": "a law", "reason": "records", "months": "36"}
	if err := say(noted("duty.declared", good)); err != nil {
		t.Errorf("a duty of three years: %v", err)
	}
}
