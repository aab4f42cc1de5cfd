package cases_test

import (
	"errors"
	"strings"
	"testing"

	. "consentledger/domain"
	"consentledger/domain/cases"
	"consentledger/domain/catalog"
	"consentledger/domain/deadline"
	"consentledger/domain/policy"
	"consentledger/domain/refusal"
	"consentledger/domain/request"
)

func TestNoStepTakesWhatIsPersonalIntoTheClear(t *testing.T) {
	incident := func(step string, fields map[string]string) error {
		_, err := cases.Incident{}.Decide(TakeStep{Kind: catalog.Step(step), Fields: policy.Fields(fields)}, promises().Reference, t0, t0)
		return err
	}
	for _, step := range []string{
		"identity.requested elements=13800138000", "identity.requested elements=IDE-4,login", "identity.requested elements=ide-4", "identity.requested elements=IDE-4,13800138000",
		"identity.passed elements=IDE-4 checked_by=13800138000", "identity.passed elements=IDE-4 checked_by=ann@example.com", "identity.passed elements=13800138000 checked_by=ann",
		"request.rejected codes=REJ-1 remedies_told=yes approved_by=13800138000", "request.rejected codes=REJ-1 remedies_told=yes approved_by=unauthenticated",
		"request.acknowledged channel=13800138000", "clarification.requested question=call-138-0013-8000", "request.extended reason=13800138000 notified=2026-01-03T00:00:00Z",
	} {
		r := newRun(t, request.Access, request.Copy)
		before := len(r.Marks)
		err := r.step(step, t0+deadline.Instant(deadline.Day))
		if refusal, refused := errors.AsType[refusal.Refusal](err); !refused || strings.Contains(refusal.Error(), "138") || strings.Contains(refusal.Error(), "ann@") || len(r.Marks) != before {
			t.Errorf("%s: %v", step, err)
		}
	}
	r := newRun(t, request.Access)
	r.ref.By.Principal = "operator:ann"
	named := TakeStep{Kind: "identity.passed", Fields: policy.Fields(map[string]string{"elements": "IDE-4", "checked_by": "Zhang San 13800138000"})}
	if err := r.do(named, t0+deadline.Instant(deadline.Day)); err == nil {
		t.Error("a name and a number were taken for a principal")
	}
	if err := r.step("identity.passed elements=IDE-4,IDE-6 checked_by=operator:ann", t0+deadline.Instant(deadline.Day)); err != nil {
		t.Errorf("the policy's own codes: %v", err)
	}
	for _, what := range []string{"the number 138 0013 8000 of Li Si", "li.si@example.com wrote", "card 11010119900307888X"} {
		if err := incident("incident.detected", map[string]string{"kind": "leak", "what": what}); err == nil {
			t.Errorf("taken: %s", what)
		}
	}
	if err := incident("incident.detected", map[string]string{"kind": "leak", "what": "1300 rows of a table of 2026-01-02, case 2026/0117, on mail@ and http://a.b/c"}); err != nil {
		t.Errorf("what is not personal: %v", err)
	}
}
