package cases_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	. "consentledger/domain"
	"consentledger/domain/cases"
	"consentledger/domain/catalog"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/obligation"
	"consentledger/domain/policy"
	"consentledger/domain/refusal"
	"consentledger/domain/request"
)

const t0 deadline.Instant = 1767225600000 // 2026-01-01

var v1, v2 = content.Hash{1}, content.Hash{2}

// promises has rules of every kind that a request meets: from receipt, from
// verification of identity and of facts, one that pauses and one that extends.
func promises() (r cases.Reference) {
	doc := policy.Document{Name: "privacy", Purposes: []policy.Purpose{{ID: "ads", Basis: policy.BasisConsent}, {ID: "net", Basis: policy.BasisConsent}}}
	cn := func(id deadline.RuleID, days int, start string, pause ...string) deadline.Rule {
		return deadline.Rule{ID: id, Source: "policy", Unit: deadline.UnitWorkingDay, Length: days, Calendar: "CN", TimeZone: "Asia/Shanghai", ClockStart: start, Pause: pause}
	}
	month := deadline.Rule{ID: "eu", Source: "GDPR 12(3)", Unit: deadline.UnitMonth, Length: 1, ExtendedLength: 3, Calendar: "CN", Roll: deadline.RollNextWorkingDay, TimeZone: "Asia/Shanghai", ClockStart: "RequestReceived", Pause: []string{"clarification"}, Law: true}
	doc.DeadlineRules = []deadline.Rule{cn("d30", 30, "RequestReceived"), cn("d15", 15, "RequestReceived"), cn("id30", 30, "IdentityVerified"), cn("facts15", 15, "ComplaintVerified"), cn("pausable", 30, "RequestReceived", "identity_verification", "clarification"), month}
	doc.Rights = []policy.Right{
		{ID: "access", Deadlines: []deadline.RuleID{"d30", "id30"}},
		{ID: "complain", Deadlines: []deadline.RuleID{"facts15", "d15"}},
		{ID: "contact", Deadlines: []deadline.RuleID{"d15"}},
		{ID: "copy", Deadlines: []deadline.RuleID{"pausable", "eu"}},
	}
	doc.Rejections = []policy.Ground{{Code: "REJ-1", Title: "national security", Section: "VII(III)"}}
	doc.IdentityElements = []policy.Ground{{Code: "IDE-4", Title: "phone number", Section: "XIII(3)"}, {Code: "IDE-6", Title: "ID number", Section: "XIII(3)"}}
	r.Policies = Policies{}.Evolve(Fact{Event: PolicyPublished{Version: v1, Document: doc, Effective: t0}})
	r.By = ident.By{Actor: ident.Operator, Principal: "officer"}
	r.Original = new(cases.Request{}.Evolve(Fact{At: t0, Recorded: t0, Event: RequestReceived{Types: []request.Type{request.Question}, Subject: "00ff"}}))
	return r
}

// A run is a request that is told from its beginning.
type run struct {
	t   *testing.T
	ref cases.Reference
	cases.Request
	n byte
}

// do decides a command at a moment and folds what it makes true.
func (r *run) do(cmd Command, at deadline.Instant) error {
	r.t.Helper()
	events, err := r.Decide(cmd, r.ref, at, at)
	for _, e := range events {
		r.n++
		r.Request = r.Evolve(Fact{ID: ident.EventID{r.n}, At: at, Recorded: at, Event: e})
	}
	return err
}

func (r *run) step(text string, at deadline.Instant) error {
	r.t.Helper()
	kind, rest, _ := strings.Cut(text, " ")
	fields := map[string]string{}
	for _, f := range strings.Fields(rest) {
		name, value, _ := strings.Cut(f, "=")
		fields[name] = strings.NewReplacer("_CNY", " CNY", "_USD", " USD").Replace(value)
	}
	s := TakeStep{Kind: catalog.Step(kind), Fields: policy.Fields(fields)}
	if kind == "request.rejected" {
		s.Details = "because"
	}
	return r.do(s, at)
}

func newRun(t *testing.T, types ...request.Type) *run {
	t.Helper()
	r := &run{t: t, ref: promises()}
	if err := r.do(OpenRequest{Types: types, Channel: "email", Subject: "00ff"}, t0+deadline.Instant(deadline.Hour)); err != nil {
		t.Fatal(err)
	}
	return r
}

// states writes what the obligations are, as in "d30 running, id30 not_started".
func (r *run) states() string {
	var all []string
	for _, d := range r.Duties.All() {
		s := d.State.String()
		if d.State == obligation.StateOpen {
			s = d.Due.State.String()
		}
		all = append(all, strings.TrimPrefix(d.ID, "reply.")+" "+s)
	}
	return strings.Join(all, ", ")
}

func TestTheLifeOfARequest(t *testing.T) {
	for _, tt := range []struct {
		name  string
		types []request.Type
		steps []string // the last must be refused if it begins with a code and ": "
		want  string
	}{
		{"one message that asks three things opens all their clocks", []request.Type{request.Complaint, request.Access, request.Question}, nil,
			"facts15 not_started, d15 running, d30 running, id30 not_started"},
		{"verified facts start the complaint's clock", []request.Type{request.Complaint}, []string{"facts.verified founded=yes"}, "facts15 running, d15 running"},
		{"a proven identity starts its clock", []request.Type{request.Access}, []string{"identity.requested elements=IDE-4", "identity.passed elements=IDE-4 checked_by=desk"}, "d30 running, id30 running"},
		{"a pause stops the rules that admit it", []request.Type{request.Copy}, []string{"identity.requested elements=IDE-4"}, "pausable suspended, eu running"},
		{"and they go on", []request.Type{request.Copy}, []string{"clarification.requested question=which", "clarification.received"}, "pausable running, eu running"},
		{"an answer to a part closes what only that part opened", []request.Type{request.Complaint, request.Access}, []string{"identity.passed elements=IDE-4 checked_by=desk", "request.answered outcome=full channel=email types=access"},
			"facts15 not_started, d15 running, d30 met, id30 met"},
		{"an answer closes everything", []request.Type{request.Complaint, request.Access}, []string{"identity.passed elements=IDE-4 checked_by=desk", "request.answered outcome=part channel=email"}, "facts15 met, d15 met, d30 met, id30 met"},
		{"a no is an answer", []request.Type{request.Access}, []string{"request.rejected codes=REJ-1 remedies_told=yes approved_by=boss"}, "d30 met, id30 met"},
		{"what is withdrawn is owed no more", []request.Type{request.Access}, []string{"request.withdrawn"}, "d30 void, id30 void"},
		{"a duplicate is owed elsewhere", []request.Type{request.Question}, []string{"request.duplicate of=abc"}, "d15 void"},
		{"what is opened again runs again", []request.Type{request.Question}, []string{"request.answered outcome=full channel=app", "request.reopened reason=not-done"}, "d15 met, d15.2 running"},
		{"an extension is computed from the first day", []request.Type{request.Copy}, []string{"request.extended reason=many notified=2026-01-02T00:00:00Z"}, "pausable running, eu running"},

		{"no data for who knows whom", []request.Type{request.Access}, []string{"illegal-move: request.answered outcome=part channel=app"}, ""},
		{"nor beside what may be answered", []request.Type{request.Question, request.Portability}, []string{"illegal-move: request.answered outcome=full channel=app"}, ""},
		{"what hands over no data needs no proof of identity", []request.Type{request.Question, request.Copy}, []string{"request.answered outcome=full channel=app types=question"}, "d15 met, pausable running, eu running"},
		{"no answer twice", []request.Type{request.Question}, []string{"request.answered outcome=full channel=app", "illegal-move: request.answered outcome=full channel=app"}, ""},
		{"nothing of a type that was not asked", []request.Type{request.Question}, []string{"illegal-move: request.answered outcome=full channel=app types=access"}, ""},
		{"no proof that was not asked for to fail", []request.Type{request.Access}, []string{"illegal-move: identity.failed elements=IDE-4 checked_by=desk"}, ""},
		{"no facts without a complaint", []request.Type{request.Access}, []string{"illegal-move: facts.verified founded=yes"}, ""},
		{"no pause without a rule for it", []request.Type{request.Access}, []string{"not-pausable: clock.paused reason=clarification"}, ""},
		{"no pause for a proof that nobody was asked for", []request.Type{request.Copy}, []string{"not-pausable: clock.paused reason=identity_verification"}, "pausable running, eu running"},
		{"no pause for an answer that nobody was asked for", []request.Type{request.Copy}, []string{"not-pausable: clock.paused reason=clarification"}, "pausable running, eu running"},
		{"no pause for a hold that nobody placed", []request.Type{request.Copy}, []string{"not-pausable: clock.paused reason=legal_hold"}, "pausable running, eu running"},
		{"no resuming of what runs", []request.Type{request.Copy}, []string{"illegal-move: clock.resumed"}, ""},
		{"no extension without a rule for it", []request.Type{request.Access}, []string{"not-extendable: request.extended reason=many notified=2026-01-03T00:00:00Z"}, ""},
		{"no extension told too late", []request.Type{request.Copy}, []string{"too-late-to-extend: request.extended reason=many notified=2026-03-03T00:00:00Z"}, ""},
		{"no extension told before it was asked", []request.Type{request.Copy}, []string{"illegal-move: request.extended reason=many notified=2025-12-31T00:00:00Z"}, ""},
		{"no extension that is still to be told", []request.Type{request.Copy}, []string{"illegal-move: request.extended reason=many notified=2026-01-20T00:00:00Z"}, ""},
		{"a failed proof lets the clock go on: nothing is awaited", []request.Type{request.Copy}, []string{"identity.requested elements=IDE-4", "identity.failed elements=IDE-4 checked_by=desk"}, "pausable running, eu running"},
		{"and stands still while it is asked for again", []request.Type{request.Copy}, []string{"identity.requested elements=IDE-4", "identity.failed elements=IDE-4 checked_by=desk", "identity.requested elements=IDE-4"}, "pausable suspended, eu running"},
		{"no fee for the first", []request.Type{request.Access}, []string{"illegal-move: fee.quoted amount=10.00_CNY reason=repeated"}, ""},
		{"no saying that it repeats another", []request.Type{request.Access}, []string{"illegal-move: request.repeated times=2 days=90"}, ""},
		{"no rejection by two spellings of one person", []request.Type{request.Access}, []string{"two-persons-needed: request.rejected codes=REJ-1 remedies_told=yes approved_by=Officer"}, ""},
		{"no rejection by nobody", []request.Type{request.Access}, []string{"two-persons-needed: request.rejected codes=REJ-1 remedies_told=yes approved_by=unauthenticated"}, ""},

		{"a proven identity stays known when it is opened again", []request.Type{request.Access}, []string{"identity.passed elements=IDE-4 checked_by=desk", "request.answered outcome=full channel=app", "request.reopened reason=not-done"},
			"d30 met, id30 met, d30.2 running, id30.2 running"},
		{"facts are verified again when it is opened again", []request.Type{request.Complaint}, []string{"facts.verified founded=no", "request.answered outcome=full channel=app", "request.reopened reason=wrong"},
			"facts15 met, d15 met, facts15.2 not_started, d15.2 running"},
		{"and start the complaint's clock again", []request.Type{request.Complaint}, []string{"facts.verified founded=no", "request.answered outcome=full channel=app", "request.reopened reason=wrong", "facts.verified founded=yes"},
			"facts15 met, d15 met, facts15.2 running, d15.2 running"},
		{"who never proved who they are is asked when it is opened again", []request.Type{request.Access}, []string{"request.withdrawn", "request.reopened reason=mistake", "identity.requested elements=IDE-4", "identity.passed elements=IDE-4 checked_by=desk"},
			"d30 void, id30 void, d30.2 running, id30.2 running"},
		{"what was asked of the person before it was opened again is asked anew", []request.Type{request.Copy}, []string{"identity.passed elements=IDE-4 checked_by=desk", "clarification.requested question=which", "request.answered outcome=full channel=app", "request.reopened reason=wrong", "clarification.requested question=which"},
			"pausable met, eu met, pausable.2 suspended, eu.2 suspended"},
		{"no rejection on another list's ground", []request.Type{request.Access}, []string{"unknown-ground: request.rejected codes=EXC-C8 remedies_told=yes approved_by=boss"}, ""},
		{"no rejection without remedies", []request.Type{request.Access}, []string{"remedies-missing: request.rejected codes=REJ-1 remedies_told=no approved_by=boss"}, ""},
		{"no rejection by one person alone", []request.Type{request.Access}, []string{"two-persons-needed: request.rejected codes=REJ-1 remedies_told=yes approved_by=officer"}, ""},
		{"no opening of what is open", []request.Type{request.Access}, []string{"illegal-move: request.reopened reason=x"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRun(t, tt.types...)
			for i, step := range tt.steps {
				code, legal, refused := strings.Cut(step, ": ")
				if !refused {
					legal = step
				}
				err := r.step(legal, t0+deadline.Instant(deadline.Day)*deadline.Instant(i+1))
				got, _ := errors.AsType[refusal.Refusal](err)
				if refused && string(got.Code) != code || !refused && err != nil {
					t.Fatalf("%s: %v", step, err)
				}
			}
			if got := r.states(); tt.want != "" && got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// TestEveryMoveIsRefusedWhereOneOfItsNeedsIsNotMet tries every step of a request
// with marks that are right but for one, and with all of them.
func TestEveryMoveIsRefusedWhereOneOfItsNeedsIsNotMet(t *testing.T) {
	for _, rule := range catalog.StepRules {
		if rule.Of != catalog.Request {
			continue
		}
		if len(rule.Needs)+len(rule.Lacks) == 0 {
			t.Errorf("%s: needs nothing", rule.Kind)
		}
		for wrong := -1; wrong < len(rule.Needs)+len(rule.Lacks); wrong++ {
			r := cases.Request{Received: RequestReceived{Version: v1, Types: []request.Type{request.Complaint}, Subject: "00ff"}, At: t0, Recorded: t0}
			for i, mark := range append(rule.Needs[:len(rule.Needs):len(rule.Needs)], rule.Lacks...) {
				if needed := i < len(rule.Needs); needed != (i == wrong) {
					r.Marks = append(r.Marks, mark)
				}
			}
			_, err := r.Decide(TakeStep{Kind: rule.Kind, Fields: fieldsOf(t, rule), Evidence: content.Hash{9}}, promises(), t0, t0)
			got, _ := errors.AsType[refusal.Refusal](err)
			if refused := got.Code == refusal.IllegalMove && strings.Contains(got.Text, "is not possible now"); refused != (wrong >= 0) {
				t.Errorf("%s with the marks %v: %v", rule.Kind, r.Marks, err)
			}
		}
	}
}

// fieldsOf returns fields that a step may have.
func fieldsOf(t *testing.T, rule catalog.StepRule) []policy.Field {
	t.Helper()
	values := map[catalog.Form]string{catalog.FormName: "x", catalog.FormText: "x", catalog.FormNumber: "1", catalog.FormYes: "yes", catalog.FormAmount: "10.00 CNY", catalog.FormTime: t0.String(), catalog.FormCodes: "REJ-1",
		catalog.FormNames: "complaint", catalog.FormReason: "clarification", catalog.FormPrincipal: "boss"}
	m := map[string]string{}
	for _, f := range rule.Fields {
		if m[f.Name] = values[f.Form]; f.Form == catalog.FormChoice {
			m[f.Name] = f.Choices[0]
		}
		if m[f.Name] == "" {
			t.Fatalf("%s: %s has a form of which the test has no value", rule.Kind, f.Name)
		}
	}
	return policy.Fields(m)
}

func TestAnAnswerCountsFromTheLaterOfItsTimesUnlessItHasEvidence(t *testing.T) {
	for _, tt := range []struct {
		name     string
		evidence content.Hash
		late     bool
	}{{"said", content.Hash{}, true}, {"proven", content.Hash{9}, false}} {
		r := newRun(t, request.Question)
		due, _ := r.Duties.Find("reply.d15")
		s := TakeStep{Kind: "request.answered", Fields: policy.Fields(map[string]string{"outcome": "full", "channel": "app"}), Evidence: tt.evidence}
		events, err := r.Decide(s, r.ref, due.Due.Until-1, due.Due.Until+deadline.Instant(deadline.Day))
		if err != nil {
			t.Fatal(err)
		}
		if met := events[1].(ObligationMet); met.Late != tt.late {
			t.Errorf("%s: %+v", tt.name, met)
		}
	}
}

// No date is in the handler's favour without evidence, and none is impossible.
func TestADateInTheHandlersFavourNeedsEvidence(t *testing.T) {
	const day = deadline.Instant(deadline.Day)
	step := func(text string, evidence content.Hash) TakeStep {
		kind, rest, _ := strings.Cut(text, " ")
		fields := map[string]string{}
		for f := range strings.FieldsSeq(rest) {
			name, value, _ := strings.Cut(f, "=")
			fields[name] = value
		}
		return TakeStep{Kind: catalog.Step(kind), Fields: policy.Fields(fields), Evidence: evidence}
	}
	letter, answered := content.Hash{9}, "request.answered outcome=full channel=email"
	for _, tt := range []struct {
		name     string
		cmd      TakeStep
		at, when deadline.Instant // as its source says, and recorded
		code     refusal.Code
	}{
		{"told in time, and recorded in time", step("request.extended reason=many notified=2026-01-03T00:00:00Z", content.Hash{}), t0 + 3*day, t0 + 3*day, ""},
		{"told in time as somebody says when it is too late", step("request.extended reason=many notified=2026-01-03T00:00:00Z", content.Hash{}), t0 + 3*day, t0 + 60*day, refusal.TooLateToExtend},
		{"told in time as a letter shows", step("request.extended reason=many notified=2026-01-03T00:00:00Z", letter), t0 + 60*day, t0 + 60*day, ""},
		{"told too late as a letter shows", step("request.extended reason=many notified=2026-02-20T00:00:00Z", letter), t0 + 60*day, t0 + 60*day, refusal.TooLateToExtend},
		{"told before it was asked, whatever shows it", step("request.extended reason=many notified=2025-12-31T00:00:00Z", letter), t0 + 60*day, t0 + 60*day, refusal.IllegalMove},
		{"answered before it was asked", step(answered, content.Hash{}), t0 - day, t0 + 60*day, refusal.IllegalMove},
		{"answered before it was asked, whatever shows it", step(answered, letter), t0 - day, t0 + 60*day, refusal.IllegalMove},
		{"an identity known before it was asked", step("identity.passed elements=IDE-4 checked_by=desk", content.Hash{}), t0 - day, t0 + day, refusal.IllegalMove},
		{"a duplicate before it was asked", step("request.duplicate of=abc", content.Hash{}), t0 - day, t0 + day, refusal.IllegalMove},
	} {
		r := newRun(t, request.Copy)
		_, err := r.Decide(tt.cmd, r.ref, tt.at, tt.when)
		if got, _ := errors.AsType[refusal.Refusal](err); got.Code != tt.code {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.code)
		}
	}
}

func TestWhatWasOwedIsNotDoneBeforeItWas(t *testing.T) {
	r := newRun(t, request.Question)
	for _, tt := range []struct {
		at   deadline.Instant
		code refusal.Code
	}{{t0, refusal.IllegalMove}, {t0 + deadline.Instant(deadline.Hour), ""}} {
		_, err := r.Decide(MeetObligation{ID: "reply.d15", Evidence: content.Hash{9}}, r.ref, tt.at, t0+deadline.Instant(60*deadline.Day))
		if got, _ := errors.AsType[refusal.Refusal](err); got.Code != tt.code {
			t.Errorf("%s: %v, want %q", tt.at, err, tt.code)
		}
	}
}

func TestARepeatedRequestIsFoundAndMayCarryAFee(t *testing.T) {
	r := &run{t: t, ref: promises()}
	r.ref.Person = new(Subject{}.Evolve(Fact{At: t0, Recorded: t0, Event: RequestMade{Request: "aa", Types: []request.Type{request.Access}}}))
	if err := r.do(OpenRequest{Types: []request.Type{request.Access}, Channel: "email", Subject: "00ff"}, t0+deadline.Instant(deadline.Day)); err != nil {
		t.Fatal(err)
	}
	if !r.Marks.Has("repeated") {
		t.Fatal("not found to be repeated")
	}
	for i, step := range []string{
		"illegal-move: fee.paid amount=12.50_CNY", "malformed: fee.quoted amount=12.501_CNY reason=repeated", "fee.quoted amount=12.50_CNY reason=repeated",
		"illegal-move: fee.paid amount=99_USD", "illegal-move: fee.paid amount=12.50_USD", "illegal-move: fee.paid amount=12.00_CNY", "fee.paid amount=12.5_CNY",
		"illegal-move: fee.waived reason=kind",
	} {
		code, legal, refused := strings.Cut(step, ": ")
		if !refused {
			legal = step
		}
		err := r.step(legal, t0+deadline.Instant(deadline.Day)*deadline.Instant(i+2))
		if got, _ := errors.AsType[refusal.Refusal](err); refused && string(got.Code) != code || !refused && err != nil {
			t.Errorf("%s: %v", step, err)
		}
	}
}

func TestADuplicateGoesOnWhereSomethingIsOwed(t *testing.T) {
	gone := promises().Original.Evolve(Fact{Event: Stepped{Kind: "request.withdrawn"}})
	for _, tt := range []struct {
		name     string
		original *cases.Request
		code     refusal.Code
	}{
		{"of an open one", promises().Original, ""},
		{"of none", nil, refusal.UnknownRequest},
		{"of one that was withdrawn", &gone, refusal.IllegalMove},
	} {
		r := newRun(t, request.Question)
		r.ref.Original = tt.original
		err := r.step("request.duplicate of=abc", t0+deadline.Instant(deadline.Day))
		if got, _ := errors.AsType[refusal.Refusal](err); got.Code != tt.code {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestNothingThatAnAppSaysMovesARequest(t *testing.T) {
	r := newRun(t, request.Access)
	r.ref.By.App = true
	for _, rule := range catalog.StepRules {
		err := r.do(TakeStep{Kind: rule.Kind}, t0+deadline.Instant(deadline.Day))
		if got, _ := errors.AsType[refusal.Refusal](err); got.Code != refusal.NotForApps {
			t.Errorf("%s: %v", rule.Kind, err)
		}
	}
}

func TestIncidents(t *testing.T) {
	at := t0
	i := cases.Incident{}
	for _, tt := range []struct{ step, code string }{
		{"incident.contained measures=off", "illegal-move"},
		{"incident.suspected kind=leak what=table", ""},
		{"incident.suspected kind=leak what=table", "illegal-move"},
		{"incident.detected kind=fire what=table", "malformed"},
		{"incident.detected kind=leak what=table", ""},
		{"incident.classified level=larger persons=10", ""},
		{"incident.persons-told channel=sms persons=10 situation=yes measures=yes advice=yes", "incomplete"},
		{"incident.persons-told channel=sms persons=10 situation=yes measures=yes advice=yes remedies=yes", ""},
		{"incident.closed", "illegal-move"},
		{"incident.contained measures=off", ""},
		{"incident.closed", ""},
		{"incident.detected kind=leak what=more", "illegal-move"},
		{"incident.contained measures=off", "illegal-move"},
		{"request.answered outcome=full channel=app", "wrong-stream"},
	} {
		kind, rest, _ := strings.Cut(tt.step, " ")
		fields := map[string]string{}
		for _, f := range strings.Fields(rest) {
			name, value, _ := strings.Cut(f, "=")
			fields[name] = value
		}
		at++
		events, err := i.Decide(TakeStep{Kind: catalog.Step(kind), Fields: policy.Fields(fields)}, promises().Reference, at, at)
		if got, _ := errors.AsType[refusal.Refusal](err); string(got.Code) != tt.code {
			t.Fatalf("%s: %v, want %q", tt.step, err, tt.code)
		}
		for _, e := range events {
			i = i.Evolve(Fact{At: at, Recorded: at, Event: e})
		}
	}
	if !slices.Contains(i.Steps, "incident.closed") {
		t.Error(i.Steps)
	}
}

// TestTheGeneralPolicyFillsTheGapsOfASpecificOne: what a specific policy does
// not list is listed by the general one; what it lists prevails.
func TestTheGeneralPolicyFillsTheGapsOfASpecificOne(t *testing.T) {
	for _, tt := range []struct {
		name     string
		own      []policy.Ground
		elements string
		code     refusal.Code
	}{
		{"the general one's, where it lists none", nil, "IDE-4", ""},
		{"not what neither lists", nil, "IDE-9", refusal.UnknownGround},
		{"its own", []policy.Ground{{Code: "KEY-1", Title: "the key's number"}}, "KEY-1", ""},
		{"not the general one's, where it has its own", []policy.Ground{{Code: "KEY-1", Title: "the key's number"}}, "IDE-4", refusal.UnknownGround},
	} {
		r := run{t: t, ref: promises()}
		doc := r.ref.Policies.Versions()[0].Document
		doc.Over, doc.Name, doc.IdentityElements = doc.Name, "special", tt.own
		r.ref.Policies = r.ref.Policies.Evolve(Fact{Event: PolicyPublished{Version: v2, Document: doc, Effective: t0}})
		if err := r.do(OpenRequest{Types: []request.Type{request.Access}, Channel: "email", Subject: "00ff", Policy: "special"}, t0+1); err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		err := r.step("identity.requested elements="+tt.elements, t0+2)
		if got, _ := errors.AsType[refusal.Refusal](err); got.Code != tt.code {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.code)
		}
	}
}
