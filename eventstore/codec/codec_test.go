package codec

import (
	"bytes"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/obligation"
	"consentledger/domain/policy"
	"consentledger/domain/published"
	"consentledger/domain/request"
	"consentledger/domain/surface"
	"consentledger/eventstore"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// stub makes commitments that a reader can recognise.
type stub struct{}

func (stub) Commit(_ eventstore.EventID, role string, plain []byte) (c [32]byte) {
	copy(c[:], role+"/"+string(plain))
	return c
}

var envelope = Envelope{
	ID:     eventstore.EventID{1, 2, 3},
	Stream: ident.SubjectStream("demo", "00ff"),
	At:     1767225600000, Recorded: 1767225600001, Claimed: 1767225700000,
	Actor: "person", RecordedBy: "unauthenticated", OnBehalfOf: "guardian",
	Request: Request{ID: [16]byte{4}, Digest: [16]byte{5}, Source: [8]byte{6}, Sequence: 7},
}

// old has the events of the lines whose shape has a newer version. They are
// read for ever and written no more.
var old = []domain.Event{
	domain.AppRegistered{App: domain.App{Name: "demo", Handler: "Demo Ltd", Environment: domain.Test, Jurisdiction: "CN", TimeZone: "Asia/Shanghai", Locales: []string{"en", "zh-CN"}}},
	domain.PolicyPublished{Version: content.Hash{1}, Document: policy.Document{Name: "privacy", Jurisdiction: "CN", TimeZone: "Asia/Shanghai"}, Effective: 1767225600000, Material: []string{"MAT-1"}, Stale: []policy.PurposeID{"ads"}},
	domain.ConsentGiven{Policy: "privacy", Version: content.Hash{1}, Locale: "en", Text: content.Hash{2}, Act: "agree-popup", Kind: policy.GeneralConsent, Items: []domain.Item{{Purpose: "ads"}, {Purpose: "face", Short: domain.NeedsSeparate}}, Notice: ident.EventID{3}, Until: 1767225600000, Import: true},
	domain.ConsentRefused{Scope: policy.Scope{All: true}, Policy: "privacy", Version: content.Hash{1}, Locale: "en", Act: "refuse"},
	domain.ConsentWithdrawn{Scope: policy.Scope{Purposes: []policy.PurposeID{"ads"}}},
	domain.PolicyAcknowledged{Policy: "privacy", Version: content.Hash{1}, Locale: "en", Act: "confirm-next"},
	domain.NoticePresented{Policy: "privacy", Version: content.Hash{1}, Locale: "en", Text: content.Hash{2}, Kind: "general"},
	domain.PermissionGranted{Permission: "network"},
	domain.PermissionDenied{Permission: "network"},
	domain.PermissionRevoked{Permission: "network", Withdraws: []policy.PurposeID{"net"}},
	domain.RecordVoided{Records: []ident.EventID{{1}}, Reason: "wrong-build", Evidence: content.Hash{9}, By: [2]string{"a", "b"}},
}

// samples has one event of every kind, in its newest shape.
var samples = []domain.Event{
	old[5], old[7], old[8], old[9], old[10],
	domain.AppRegistered{App: domain.App{Name: "demo", Handler: "Demo Ltd", Group: "demo-group", Environment: domain.Production, Jurisdiction: "CN", TimeZone: "Asia/Shanghai", Locales: []string{"en", "zh-CN"}}},
	domain.PolicyPublished{Version: content.Hash{1}, Document: policy.Document{Name: "face", Over: "privacy", QuietHours: 48, Jurisdiction: "CN", TimeZone: "Asia/Shanghai", Recipients: []policy.Recipient{{ID: "acme", Title: "Acme", Section: "V", Purposes: []policy.PurposeID{"ads"}, Abroad: true}}}, Effective: 1767225600000, Material: []string{"MAT-1"}, Stale: []policy.PurposeID{"ads"}, Scopes: []policy.StaleScope{{Purpose: "face", Actions: []policy.Action{policy.Provide}, Categories: []policy.CategoryID{"faces"}}}, RightsReduced: true},
	domain.ConsentGiven{Policy: "privacy", Version: content.Hash{1}, Locale: "en", Text: content.Hash{2}, Act: "guardian-written", Kind: policy.GuardianConsent, Items: []domain.Item{{Purpose: "ads"}, {Purpose: "face", Short: domain.NeedsSeparate}}, Notice: ident.EventID{3}, Until: 1767225600000, Import: true, Build: "5.2", Surface: content.Hash{4}, Control: "ok", Initial: surface.Unticked, Once: true, Guardian: "aa11", Proof: domain.Proof{Document: content.Hash{5}, Method: "scan", CheckedBy: "desk"}, Signer: "phone", Confirms: []ident.EventID{{6}}, Evidence: domain.Evidence{Quality: domain.Partial, Missing: []domain.Lack{"screenshot"}}},
	domain.ConsentRefused{Scope: policy.Scope{All: true}, Policy: "privacy", Version: content.Hash{1}, Locale: "en", Act: "refuse", Notice: ident.EventID{3}, Build: "5.2", Surface: content.Hash{4}, Control: "out"},
	domain.PolicyPublished{Version: content.Hash{3}, Document: policy.Document{Name: "privacy", Jurisdiction: "CN", TimeZone: "Asia/Shanghai"}, Effective: 1767225600000, Later: []published.Overtaking{{Version: content.Hash{2}, Stale: []policy.PurposeID{"ads"}, Scopes: []policy.StaleScope{{Purpose: "face", Actions: []policy.Action{policy.Provide}}}, RightsReduced: true}}},
	domain.ConsentGiven{Policy: "privacy", Version: content.Hash{1}, Act: "confirm", Kind: policy.ExplicitConsent, Items: []domain.Item{{Purpose: "ads"}, {Purpose: "face"}}, Evidence: domain.Evidence{Quality: domain.Weak, Missing: []domain.Lack{"surface"}}, Ends: []domain.End{{Purpose: "ads", Until: 1767225700000}}},
	domain.ConsentRefused{Scope: policy.Scope{Purposes: []policy.PurposeID{"ads"}}, Policy: "privacy", Version: content.Hash{1}, Added: []policy.PurposeID{"ads"}},
	domain.ConsentWithdrawn{Scope: policy.Scope{Purposes: []policy.PurposeID{"ads"}}, Build: "5.2"},
	domain.NoticePresented{Policy: "privacy", Version: content.Hash{1}, Locale: "en", Text: content.Hash{2}, Kind: "general", Surface: content.Hash{4}, Build: "5.2", Read: domain.Reading{Scrolled: true, Opened: true}},
	domain.PolicyEffective{Version: content.Hash{1}},
	domain.SignerRegistered{Name: "phone", Key: [32]byte{7}, Device: true, Retired: true},
	domain.ServiceCeased{Reason: "over"},
	domain.BuildVoided{Build: "5.1", From: 1767225600000, To: 1767225700000, Reason: "ticked-before", Evidence: content.Hash{9}, By: [2]string{"a", "b"}},
	domain.SurfacePublished{ID: content.Hash{4}, Publisher: "release", Surface: surface.Surface{Build: "5.2", Screen: "pop-up", Policy: "privacy", Version: content.Hash{1}, Approver: "officer", Locales: []surface.Locale{{Locale: "en", Text: content.Hash{2}}}, Controls: []surface.Control{{ID: "ok", Act: "agree-popup", Initial: surface.Button}}}},
	domain.ConsentUsed{Consents: []ident.EventID{{6}}},
	domain.ConsentRequested{Purposes: []policy.PurposeID{"ads"}, Reason: "reminder", TooSoon: true, Locale: "en"},
	domain.RecordDisputed{Records: []ident.EventID{{6}}, Reason: "not-me", Evidence: content.Hash{9}},
	domain.ExemptionInvoked{List: domain.ForCollection, Code: "EXC-C8", Doubtful: true, Purposes: []policy.PurposeID{"ads"}, Actions: []policy.Action{policy.Use}, Reason: "fault", Approver: "officer", Until: 1767225700000},
	domain.ExemptionEnded{Exemption: ident.EventID{6}},
	domain.HoldPlaced{Reason: "court-order", Authority: "court"},
	domain.HoldReleased{Reason: "over"},
	domain.RestrictionApplied{Reason: "retention-runs"},
	domain.RestrictionLifted{Reason: "over"},
	domain.AgeRecorded{Band: domain.Aged14, Basis: "birthday"},
	domain.MinorDataFound{Band: domain.ChildUnder14},
	domain.GuardianVerified{Guardian: "aa11", Proof: domain.Proof{Document: content.Hash{5}, Method: "id-card", CheckedBy: "desk"}},
	domain.GuardianEnded{Guardian: "aa11", Reason: "moved"},
	domain.SubjectLinked{Other: "aa22", Proof: "login", Evidence: content.Hash{9}},
	domain.SubjectUnlinked{Other: "aa22", Reason: "logout"},
	domain.SubjectReassigned{Reason: "phone-recycled"},
	domain.SubjectClosed{Reason: "deleted-by-user"},
	domain.SubjectMarkedTest{Reason: "monkey"},
	domain.CheckAnswered{Purpose: "ads", Action: policy.Use, Valid: 1767225600000, Allowed: true, Why: domain.WhyConsent, Status: domain.Given, Basis: policy.BasisConsent, Version: content.Hash{1}, Because: []ident.EventID{{6}}, Category: "clicks", Recipient: "acme"},
	domain.Noted{Kind: "recipient.added", Fields: []policy.Field{{Name: "categories", Value: "clicks"}, {Name: "purposes", Value: "ads"}, {Name: "recipient", Value: "acme"}}, Evidence: content.Hash{9}},
	domain.RequestReceived{Types: []request.Type{request.Complaint, request.Withdraw}, Policy: "privacy", Version: content.Hash{1}, Channel: "app", Authenticated: true, Purposes: []policy.PurposeID{"ads"}, Subject: "00ff", Document: content.Hash{9}, Cause: ident.EventID{6}, Unpromised: []request.Type{request.Complaint}},
	domain.RequestMade{Request: "aa33", Types: []request.Type{request.Access}},
	domain.Stepped{Kind: "fee.quoted", Fields: []policy.Field{{Name: "amount", Value: "12.50 CNY"}, {Name: "reason", Value: "repeated"}}, Evidence: content.Hash{9}},
	domain.ObligationOpened{Obligation: obligation.Obligation{ID: "reply.cn.policy.request_reply", Kind: policy.DutyReply, Types: []request.Type{request.Access}, Target: "crm", Rule: rule, Version: content.Hash{1}, MetBy: []string{"data.deleted"}}, Due: due, Cause: obligation.Cause{Event: ident.EventID{6}, Kind: "consent.withdrawn", Stream: "subject-demo-00ff", Subject: "00ff"}},
	domain.ObligationMoved{ID: "reply.x", Why: obligation.MovedCalendar, By: ident.EventID{6}, Due: due, Was: deadline.Due{Rule: rule.ID, Unit: deadline.UnitHour, TimeZone: "Asia/Shanghai", State: deadline.NotStarted}, Pauses: []deadline.Pause{{From: 1767225600000, To: 1767225700000, Reason: "clarification"}}},
	domain.ObligationMet{ID: "reply.x", Met: 1767225600000, Late: true, By: obligation.Cause{Kind: "request.answered"}, Evidence: content.Hash{9}},
	domain.ObligationVoided{ID: "reply.x", Reason: "duplicate"},
	domain.ObligationAtRisk{ID: "reply.x", Until: 1767225600000},
	domain.ObligationOverdue{ID: "reply.x", Until: 1767225600000},
	domain.BuildDisputed{Build: "5.1", From: 1767225600000, To: 1767225700000, Reason: "ticked-before", Evidence: content.Hash{9}},
	domain.ConsentRefused{Scope: policy.Scope{Purposes: []policy.PurposeID{"ads"}}, Guardian: "aa11", Unknown: "typo,[not shown]"},
	domain.ConsentWithdrawn{Scope: policy.Scope{Purposes: []policy.PurposeID{"ads"}}, Guardian: "aa11", Unknown: "typo"},
	domain.RequestReceived{Types: []request.Type{request.Guardian}, Policy: "privacy", Version: content.Hash{1}, Channel: "app", Subject: "00ff", Guardian: "aa11"},
	domain.CalendarPublished{Calendar: deadline.Calendar{Jurisdiction: "CN-GX", AddsTo: "CN", Year: 2026, Version: 2, Notice: "国办发明电〔2025〕7号", Issued: 739560, Off: []deadline.Date{739617}, MakeUp: []deadline.Date{739621}, WorkingDays: 248, Partial: true, Projected: true}, Affects: []deadline.Date{739617, 739621}},
	domain.ObligationOpened{Obligation: obligation.Obligation{ID: "reply.cn.policy.request_reply", Kind: policy.DutyReply, Types: []request.Type{request.Access}, Rule: rule, Version: content.Hash{1}, RuleSet: content.Hash{8}}, Due: due, Cause: obligation.Cause{Kind: "request.received", Subject: "00ff"}},
}

// more events, in the order that their lines were added.
func init() {
	samples = append(samples,
		domain.DataAccessed{Kind: domain.AccessExport, Subject: "00ff", From: 1767225600000, To: 1767225700000, Events: []ident.EventID{{6}}, Roles: []string{"details"}, Records: 3, Parts: 2, Reason: "dispute", Accessor: "aa33"},
		domain.DataAccessed{Kind: domain.AccessReplay, Reason: domain.Unstated},
		domain.ErasureOrdered{Reason: "request", Evidence: content.Hash{9}, By: [2]string{"a", "b"}},
		domain.SubjectErased{Order: ident.EventID{6}},
		domain.SurfacePublished{ID: content.Hash{4}, Publisher: "unauthenticated", Signer: "release", Surface: surface.Surface{Build: "5.2", Screen: "pop-up", Policy: "privacy", Version: content.Hash{1}, Approver: "officer", Locales: []surface.Locale{{Locale: "en", Text: content.Hash{2}}}, Controls: []surface.Control{{ID: "ok", Act: "agree-popup", Initial: surface.Button}}}},
		domain.ConsentRefused{Scope: policy.Scope{Purposes: []policy.PurposeID{"ads"}}, Notice: ident.EventID{3}, Surface: content.Hash{4}, Control: "out", Initial: surface.Button},
		domain.ConsentGiven{Policy: "privacy", Version: content.Hash{1}, Act: "agree", Kind: policy.GeneralConsent, Items: []domain.Item{{Purpose: "ads"}}, Import: true, FilteredBy: "operator:ann"},
		domain.CalendarPublished{Calendar: deadline.Calendar{Jurisdiction: "CN", Year: 2027, Off: []deadline.Date{739982}, Reported: true, Source: "a package"}},
		domain.ObligationMoved{ID: "reply.x", Why: obligation.MovedCalendar, By: ident.EventID{6}, Due: reported, Was: due},
		domain.ObligationOpened{Obligation: obligation.Obligation{ID: "reply.x", Kind: policy.DutyReply, Rule: rule}, Due: reported},
		domain.AppRegistered{App: domain.App{Name: "demo", Handler: "Demo Ltd", Environment: domain.Test, Jurisdiction: "CN", TimeZone: "Asia/Shanghai", Locales: []string{"en"}, Escapes: domain.RawEscapes}},
		domain.ConsentGiven{Policy: "privacy", Version: content.Hash{1}, Act: "confirm", Kind: policy.ExplicitConsent, Items: []domain.Item{{Purpose: "ads"}}, Evidence: domain.Evidence{Quality: domain.Weak, Missing: []domain.Lack{"surface"}}, Until: 1767225700000},
		domain.ConsentGiven{Policy: "privacy", Version: content.Hash{1}, Act: "confirm", Kind: policy.ExplicitConsent, Items: []domain.Item{{Purpose: "ads"}}, Hindered: []domain.Hindered{{Purpose: "ads", Why: domain.OptOutStands}}},
		domain.ConsentRefused{Scope: policy.Scope{All: true}, Act: "gpc", Signal: true, Rests: []policy.Rest{{Purpose: "tax", Basis: policy.BasisLegalDuty}}},
		domain.ConsentWithdrawn{Scope: policy.Scope{All: true}, Act: "gpc", Signal: true, Rests: []policy.Rest{{Purpose: "tax", Basis: policy.BasisLegalDuty}}},
		domain.PermissionRevoked{Permission: "network", Withdraws: []policy.PurposeID{"tax"}, Rests: []policy.Rest{{Purpose: "tax", Basis: policy.BasisLegalDuty}}},
		domain.ConsentWithdrawn{Scope: policy.Scope{All: true}, Act: "switch-off"},
		domain.ObligationOpened{Obligation: obligation.Obligation{ID: "delete.own.delete", Kind: policy.DutyDelete, Rule: rule, Version: content.Hash{1}, Keeps: []policy.PurposeID{"tax"}}, Due: due, Cause: obligation.Cause{Kind: "consent.withdrawn", Subject: "00ff"}},
		domain.ErasureOrdered{Reason: "request", By: [2]string{"a", "b"}, Proof: domain.KeptProof{Duty: "claims", Law: "GDPR 17(3)(e)", Reason: "claims", Until: 739982}},
		domain.ProofDisclosed{Reason: "claim", To: "court", Evidence: content.Hash{9}, By: [2]string{"a", "b"}},
		domain.DestructionOrdered{Reason: "subject-request", Evidence: content.Hash{9}, By: [2]string{"a", "b"}},
		domain.DestructionOrdered{Reason: domain.ProofEnded},
		domain.ProofDestroyed{Order: ident.EventID{6}},
	)
}

// ruled is a fact whose line says by which rules it folds.
var ruled = domain.ConsentWithdrawn{Scope: policy.Scope{All: true}}

// underRules is the envelope of what is recorded under the rules of today.
func underRules() Envelope {
	env := envelope
	env.Rules = domain.Rules
	return env
}

// owing is what a fact says is owed since, and owes the envelope of such a fact.
var owing = []obligation.Owing{
	{Kind: policy.DutyReply, Rule: rule, Version: content.Hash{1}, RuleSet: content.Hash{2}, MetBy: []string{"withdrawal.confirmed"}, Targets: []string{""}, Due: due},
	{Kind: policy.DutyDelete, Rule: rule, Keeps: []policy.PurposeID{"tax"}, Targets: []string{"crm", ""}, Due: due,
		Held: &obligation.Stopped{Due: reported, Pauses: []deadline.Pause{{From: 1767225600000, Reason: obligation.LegalHold}, {From: 1, To: 2, Reason: "clarification"}}}},
}

func owes() Envelope {
	env := underRules()
	env.Owing = owing
	return env
}

func TestOwed(t *testing.T) {
	t.Parallel()
	r := encodeIn(t, owes(), ruled)
	r.Revision = 7
	e, err := Decode(r)
	if err != nil || !reflect.DeepEqual(e.Owing, owing) {
		t.Fatalf("read %+v, %v", e.Owing, err)
	}
	if slow, err := reflected(r); err != nil || !reflect.DeepEqual(slow, e) {
		t.Errorf("by reflection %+v, %v, want %+v", slow, err, e)
	}

	cause := obligation.Cause{Event: ident.EventID(e.ID), Kind: "consent.withdrawn", Stream: "subject-demo-00ff", Subject: "00ff"}
	const reply, crm, own = "reply.cn.policy.request_reply", "delete.crm.cn.policy.request_reply", "delete.cn.policy.request_reply"
	deletion := obligation.Obligation{Kind: policy.DutyDelete, Rule: rule, Keeps: []policy.PurposeID{"tax"}}
	byCRM, byUs := deletion, deletion
	byCRM.ID, byCRM.Target, byUs.ID = crm, "crm", own
	stands := func(id string) domain.Event {
		return domain.ObligationMoved{ID: id, Why: obligation.MovedPaused, Due: reported, Was: due, Pauses: owing[1].Held.Pauses}
	}
	want := []domain.Event{
		domain.ObligationOpened{Obligation: obligation.Obligation{ID: reply, Kind: policy.DutyReply, Rule: rule, Version: content.Hash{1}, RuleSet: content.Hash{2}, MetBy: []string{"withdrawal.confirmed"}}, Due: due, Cause: cause},
		domain.ObligationOpened{Obligation: byCRM, Due: due, Cause: cause},
		domain.ObligationOpened{Obligation: byUs, Due: due, Cause: cause},
		stands(crm), stands(own),
	}
	owed := e.Owed()
	if len(owed) != len(want) {
		t.Fatalf("%d facts about obligations, want %d", len(owed), len(want))
	}
	for i, o := range owed {
		if !reflect.DeepEqual(o.Event, want[i]) {
			t.Errorf("fact %d: %+v, want %+v", i, o.Event, want[i])
		}
		if o.Stream.String() != "obligation-demo-00ff-7" || o.Revision != eventstore.Revision(i+1) || o.ID != e.ID || o.Position != e.Position || o.Kind() != Kind(want[i]) {
			t.Errorf("fact %d: %+v", i, o)
		}
	}
}

// halfRead is the record of an opt-out of which not all was understood.
func halfRead(t *testing.T) []byte {
	t.Helper()
	env := envelope
	env.NotUnderstood = notUnderstood
	x, err := Encode(env, domain.ConsentWithdrawn{Scope: policy.Scope{All: true}}, "00ff", stub{}, nil, Plain{Role: "binding", Text: []byte("x")}, Plain{Role: "claims", Text: []byte("y")})
	if err != nil {
		t.Fatal(err)
	}
	return x.Record.Data
}

const notUnderstood = "data.(a name),data.purposes[1],time"

// rule and due have a value in every field.
var (
	rule = deadline.Rule{
		ID: "cn.policy.request_reply", Source: "policy VII(III)", Unit: deadline.UnitYear, Length: 1, ExtendedLength: 2, Direction: deadline.Backward, Calendar: "CN",
		TimeZone: "Asia/Shanghai", ClockStart: "RequestReceived", Pause: []string{"clarification"}, Roll: deadline.RollNextWorkingDay,
		Result: deadline.ResultEarliestEffectiveDate, YearDay: "12-31", Law: true, Persons: 1_000_000,
	}
	due = deadline.Due{
		Rule: rule.ID, Unit: deadline.UnitWorkingDay, Calendar: "CN", TimeZone: "Asia/Shanghai", State: deadline.Running, Start: 1767225600000, Extended: true,
		DayZero: 739617, Date: 739640, Until: 1769270400000, BeforeRoll: 739639, CountedTo: 739638, Earliest: 739641, Provisional: true, Gap: 739640,
		SafeTarget: 739637, SafeNotice: 739642, TailExposed: true, Elapsed: 3, Remaining: 4, Ignored: 1,
		Versions: []deadline.CalendarVersion{{Jurisdiction: "CN", Year: 2026, Version: 1}},
	}
)

// reported is due as it rests on what is reported of a year.
var reported = func() deadline.Due {
	d := due
	d.Reported, d.Versions = true, []deadline.CalendarVersion{{Jurisdiction: "CN", Year: 2027}}
	return d
}()

func encode(t *testing.T, e domain.Event) eventstore.Recorded {
	t.Helper()
	return encodeIn(t, envelope, e)
}

func encodeIn(t *testing.T, env Envelope, e domain.Event) eventstore.Recorded {
	t.Helper()
	x, err := Encode(env, e, "00ff", stub{}, nil, Plain{Role: "binding", Text: []byte("x")})
	if err != nil {
		t.Fatal(err)
	}
	return eventstore.Recorded{Record: x.Record, Stream: "subject-demo-00ff", Revision: 1, Position: 1}
}

// The golden file is what lies on disks. Lines are added, never changed: a
// new sample adds its line with UPDATE=1, and the diff is the review.
func TestGolden(t *testing.T) {
	const name = "testdata/golden.jsonl"
	all, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if os.Getenv("UPDATE") != "" {
		for _, e := range samples {
			if line := append(encode(t, e).Data, '\n'); !bytes.Contains(all, line) {
				all = append(all, line...)
			}
		}
		if line := append(encodeIn(t, underRules(), ruled).Data, '\n'); !bytes.Contains(all, line) {
			all = append(all, line...)
		}
		if line := append(encodeIn(t, owes(), ruled).Data, '\n'); !bytes.Contains(all, line) {
			all = append(all, line...)
		}
		if line := append(halfRead(t), '\n'); !bytes.Contains(all, line) {
			all = append(all, line...)
		}
		if err := os.WriteFile(name, all, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	lines := bytes.Split(bytes.TrimSuffix(all, []byte("\n")), []byte("\n"))
	seen := map[string]bool{}
	for i, line := range lines {
		r := eventstore.Recorded{Record: eventstore.Record{ID: envelope.ID, Type: typeOf(t, line), Data: line}, Stream: "subject-demo-00ff", Revision: 1, Position: 1}
		seen[r.Type] = true
		got, err := Decode(r)
		want := envelope
		want.Rules = got.Rules // the one that has them is held below
		if bytes.Contains(line, []byte(`"not_understood"`)) {
			want.NotUnderstood = notUnderstood
		}
		if bytes.Contains(line, []byte(`"owing"`)) {
			want.Owing = owing
		}
		if err != nil || !reflect.DeepEqual(got.Envelope, want) {
			t.Errorf("line %d: read %+v, %v", i+1, got, err)
		}
		if i < len(old) && !reflect.DeepEqual(got.Event, old[i]) {
			t.Errorf("line %d: read %+v, want %+v", i+1, got.Event, old[i])
		}
	}
	for _, e := range samples {
		r := encode(t, e)
		i := slices.IndexFunc(lines, func(line []byte) bool { return bytes.Equal(line, r.Data) })
		if i < 0 {
			t.Errorf("%s is written otherwise now: %s", r.Type, r.Data)
			continue
		}
		if got, err := Decode(r); err != nil || !reflect.DeepEqual(got.Event, e) {
			t.Errorf("%s: read %+v, %v", r.Type, got, err)
		}
	}
	r := encodeIn(t, underRules(), ruled)
	if !slices.ContainsFunc(lines, func(line []byte) bool { return bytes.Equal(line, r.Data) }) {
		t.Errorf("a line that says by which rules it folds is written otherwise now: %s", r.Data)
	}
	if got, err := Decode(r); err != nil || got.Fact().Rules != domain.Rules {
		t.Errorf("read %+v, %v", got, err)
	}
	if !bytes.Contains(all, append(encodeIn(t, owes(), ruled).Data, '\n')) {
		t.Errorf("a line that says what is owed is written otherwise now: %s", encodeIn(t, owes(), ruled).Data)
	}
	if !bytes.Contains(all, append(halfRead(t), '\n')) {
		t.Errorf("an opt-out that is half understood is written otherwise now: %s", halfRead(t))
	}
	for _, name := range Types() {
		if !seen[name] {
			t.Errorf("shape %s has no golden line", name)
		}
	}
}

func typeOf(t *testing.T, line []byte) string {
	t.Helper()
	var l struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(line, &l); err != nil {
		t.Fatal(err)
	}
	return l.Type
}

func TestAPartMayBelongToSomebodyElse(t *testing.T) {
	e := domain.GuardianVerified{Guardian: "aa11", Identity: "Zhang San"}
	key := func(ref string) (Committer, error) {
		if ref != "aa11" {
			t.Errorf("asked for the key of %s", ref)
		}
		return stub{}, nil
	}
	x, err := Encode(envelope, e, "00ff", stub{}, key)
	if err != nil || strings.Contains(string(x.Record.Data), "Zhang") || !strings.Contains(string(x.Record.Data), `"ref":"aa11","role":"identity"`) {
		t.Errorf("wrote %s, %v", x.Record.Data, err)
	}
	if len(x.Plains) != 1 || x.Plains[0].Ref != "aa11" {
		t.Errorf("parts %v", x.Plains)
	}
	if _, err := Encode(envelope, e, "00ff", stub{}, nil); err == nil {
		t.Error("a part was written without the key of whom it belongs to")
	}
}

func TestLinesAreCanonical(t *testing.T) {
	for _, e := range samples {
		r := encode(t, e)
		v := jsontext.Value(bytes.Clone(r.Data))
		if err := v.Canonicalize(); err != nil || string(v) != string(r.Data) {
			t.Errorf("%s is not RFC 8785: %v\n got %s\nwant %s", r.Type, err, r.Data, v)
		}
	}
}

func TestPersonalPartsStayOutOfTheLine(t *testing.T) {
	e := domain.ConsentWithdrawn{Scope: policy.Scope{All: true}, Details: `{"ip":"203.0.113.9"}`}
	x, err := Encode(envelope, e, "00ff", stub{}, nil)
	if err != nil || strings.Contains(string(x.Record.Data), "203.0.113.9") {
		t.Errorf("wrote %s, %v", x.Record.Data, err)
	}
	if len(x.Plains) != 1 || x.Plains[0].Role != "details" || string(x.Plains[0].Text) != e.Details.Reveal() {
		t.Errorf("parts %v", x.Plains)
	}
}

func TestDecodeNeverGuesses(t *testing.T) {
	good := encode(t, domain.ConsentWithdrawn{Scope: policy.Scope{Purposes: []policy.PurposeID{"ads"}}})
	for name, change := range map[string]func(*eventstore.Recorded){
		"an unknown type":      func(r *eventstore.Recorded) { r.Type = "x.v1"; r.Data = swap(r.Data, "consent.withdrawn.v2", "x.v1") },
		"an unknown member":    func(r *eventstore.Recorded) { r.Data = swap(r.Data, `"actor"`, `"about":1,"actor"`) },
		"a member given twice": func(r *eventstore.Recorded) { r.Data = swap(r.Data, `"actor"`, `"actor":"x","actor"`) },
		"another stream":       func(r *eventstore.Recorded) { r.Stream = "subject-demo-11" },
		"another id":           func(r *eventstore.Recorded) { r.ID[0]++ },
		"another version":      func(r *eventstore.Recorded) { r.Data = swap(r.Data, `"v":1`, `"v":2`) },
		"half a line":          func(r *eventstore.Recorded) { r.Data = r.Data[:len(r.Data)/2] },
	} {
		r := good
		change(&r)
		if e, err := Decode(r); err == nil || !strings.Contains(err.Error(), "record 1") {
			t.Errorf("%s: read %+v, %v", name, e, err)
		}
	}
}

func swap(b []byte, old, new string) []byte {
	return []byte(strings.Replace(string(b), old, new, 1))
}

func FuzzDecode(f *testing.F) {
	for _, e := range samples {
		x, err := Encode(envelope, e, "00ff", stub{}, nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(x.Record.Type, x.Record.Data)
	}
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		e, err := Decode(eventstore.Recorded{Record: eventstore.Record{ID: envelope.ID, Type: name, Data: data}, Stream: "subject-demo-00ff"})
		if (e.Event == nil) == (err == nil) {
			t.Errorf("got %v, %v", e.Event, err)
		}
	})
}

func TestEveryEventIsWrittenInOneShapeOfItsName(t *testing.T) {
	written := map[reflect.Type]string{}
	for _, s := range shapes {
		if s.of == nil {
			continue
		}
		if other, twice := written[s.of]; twice {
			t.Errorf("%s is written as %s and as %s", s.of, other, s.name)
		}
		written[s.of] = s.name
	}
	for _, r := range domain.Events {
		if name := KindOf(written[reflect.TypeOf(r.Event)]); name != r.Name {
			t.Errorf("%T is written as %q here, and is called %q in domain.Events", r.Event, name, r.Name)
		}
	}
}
