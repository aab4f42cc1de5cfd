package domain_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	. "consentledger/domain"
	"consentledger/domain/catalog"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/domain/refusal"
)

const reportHash = "sha256:40529c2085aed8cc8bba5ce6c83994a217ed98daf51490f12fa8afce3cf3366d"

// notes has for every kind of note one as it should be, and one member that is
// not: fields with semicolons between them, "_" for a space. A "-" before the
// bad one leaves that member out.
var notes = []struct{ good, bad string }{
	{"recipient.added recipient=acme;categories=clicks_and_faces;purposes=ads;contact=desk;separate_consent=yes", "separate_consent=maybe"},
	{"recipient.changed recipient=acme;change=moved_abroad;categories=clicks;purposes=ads", "-change"},
	{"recipient.removed recipient=acme;reason=contract_over", "recipient=Acme_Ltd"},
	{"entrustment.agreed processor=host;agreement=HASH;purposes=ads;categories=clicks;ends=2027-01-31", "ends=soon"},
	{"entrustment.ended processor=host;returned=yes;deleted=no", "deleted=partly"},
	{"disclosure.made ground=DIS-1;what=the_winners;doubtful=yes;approver=p-second", "doubtful=perhaps"},
	{"transfer.merger successor=newco;contact=a_desk;persons_told=yes", "-contact"},
	{"crossborder.started recipient=acme;mechanism=standard-contract;country=Singapore;assessment=HASH;contract_effective=2026-03-02", "contract_effective=2026-02-30"},
	{"crossborder.stopped recipient=acme;reason=over", "-reason"},
	{"crossborder.filed recipient=acme;filed=2026-03-02", "filed=yesterday"},
	{"assessment.started assessment=map;subject=maps", "-subject"},
	{"assessment.final assessment=map;report=HASH;high_risk=no", "report=none"},
	{"assessment.published assessment=map;where=the_website", "-where"},
	{"measure.evidenced measure=mea-1;evidence=HASH;valid_until=2027-01-01", "evidence=seen"},
	{"training.held topic=privacy;held=2026-03-02;attendants=12", "attendants=dozens"},
	{"officer.appointed office=dpo;contact=a_desk;since=2026-01-01", "since=always"},
	{"officer.reported office=dpo;filed=2026-01-01", "-filed"},
	{"officer.changed office=dpo;contact=a_desk;since=2026-01-01", "-contact"},
	{"headcount.recorded unit=all;counted=2026-01-01;persons=1000000;minors=yes", "persons=a_million"},
	{"audit.started audit=a1;scope=everything", "-scope"},
	{"audit.finished audit=a1;report=HASH;minors=yes;ordered=no", "ordered=perhaps"},
	{"rectification.completed audit=a1;evidence=HASH", "-evidence"},
	{"rectification.reported audit=a1;filed=2026-01-01", "filed=2026-13-01"},
	{"risks.published report=r1;where=the_website", "-where"},
	{"clock.observed observation=stepped;direction=back;step=1200;watched=60000", "step=far"},
	{"key.issued key=abcdefghijkl;principal=p-abcdefghijkl;roles=app-writer,app-reader;until=2026-12-01;by=p-abcdefghijkm", "roles=Admin"},
	{"key.rotated key=abcdefghijkl;principal=p-abcdefghijkl;roles=auditor;until=2026-12-01;by=p-abcdefghijkm", "until=later"},
	{"key.revoked key=abcdefghijkl;principal=p-abcdefghijkl;roles=auditor;until=2026-12-01;by=ledger", "key=clk_abc"},
	{"logkey.joined key=logs.example.com/shop+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "-key"},
	{"logkey.retired key=logs.example.com/shop+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", "-key"},
	{"messages.lost stream=incoming;how=gap;first=387;last=500;count=114", "first=some"},
	{"system.added system=crm;purposes=ads,offers", "purposes=ads,,offers"},
	{"system.removed system=crm;reason=gone", "-reason"},
	{"cessation.decided service=shop;effective=2026-04-01;too_late=yes", "effective=spring"},
	{"cessation.notified channel=push;how=one_by_one;persons=12", "-how"},
	{"collection.stopped service=shop", "-service"},
	{"cessation.deleted service=shop;method=erased", "-method"},
	{"policy.notified channel=push;version=HASH;recipients=12", "version=1.2"},
	{"policy.inconsistency clause=xiii-2;decision=the_law_counts", "-decision"},
	{"group.told group=acme;record=7f3a", "-record"},
	{"policy.precedence winner=children;clause=xi", "winner=The_Children"},
	{"decision.made decision=credit;significant=yes;purpose=ads", "significant=very"},
	{"decision.explained decision=credit;limited_by=trade-secret", "-decision"},
	{"decision.objected decision=credit", "-decision"},
	{"decision.reviewed decision=credit;upheld=no", "upheld=half"},
	{"profile.generated purpose=ads;deidentified=yes", "deidentified=nearly"},
	{"cookies.set choice=necessary-only", "choice=All_Of_Them"},
	{"access.approved approver=desk;reason=a_complaint", "-reason"},
	{"withdrawal.confirmed channel=feedback", "-channel"},
	{"purpose.achieved purpose=ads", "purpose=All"},
	{"hold.declared hold=case;reason=evidence;authority=a_court;request=q1;until=2030-01-01;evidence=HASH", "until=spring"},
	{"hold.ended hold=case;reason=judged", "-reason"},
	{"duty.declared duty=books;law=PIPL_56;reason=records;keeps=proof;months=36;until=2030-01-01;evidence=HASH", "months=many"},
	{"duty.ended duty=books;reason=over", "-reason"},
	{"retention.ended purpose=ads;category=clicks", "category=Clicks"},
	{"processing.stopped system=crm;purpose=ads", "-system"},
	{"consent.expired consent=7f3a;purposes=ads", "purposes=Ads"},
	{"consent.stale consent=7f3a;purposes=ads;policy=privacy;version=HASH", "version=2"},
	{"data.deleted system=crm;method=erased;category=clicks;despite_hold=no", "method=by_hand"},
	{"roles.changed holder=p-abcdefghijkl;roles=auditor,viewer", "roles=Admin"},
	{"principal.named principal=p-abcdefghijkl;by=p-abcdefghijkm", "-principal"},
	{"principal.erased principal=p-abcdefghijkl;by=p-abcdefghijkm", "principal=Some_Body"},
	{"proposal.made proposal=b2;command=record.voided;digest=0f3a;basis=7c11;until=LATER;by=p-first;reason=never_agreed;subject=2wq", "until=soon"},
	{"proposal.approved proposal=a1;by=p-second;reason=seen", "by=no_body"},
	{"proposal.declined proposal=a1;by=p-second;reason=no_proof", "-reason"},
	{"proposal.withdrawn proposal=a1;by=p-first;reason=mistaken", "-by"},
	{"proposal.lapsed proposal=a1;why=unknown-record", "why=Other_Reasons"},
	{"proposal.done proposal=a9;record=01234567-89ab-cdef-0123-456789abcdef", "record=None"},
}

// noteOf reads a note of the table, with one member changed or left out.
func noteOf(text, change string) Noted {
	kind, rest, _ := strings.Cut(text, " ")
	m := map[string]string{}
	for _, f := range append(strings.Split(rest, ";"), strings.Split(change, ";")...) {
		name, value, ok := strings.Cut(f, "=")
		if !ok {
			delete(m, strings.TrimPrefix(name, "-"))
			continue
		}
		m[name] = strings.ReplaceAll(strings.ReplaceAll(value, "HASH", reportHash), "_", " ")
		m[name] = strings.ReplaceAll(m[name], "LATER", t0.Add(3_600_000).String())
	}
	return Noted{Kind: catalog.Note(kind), Fields: policy.Fields(m)}
}

// say records a note in the history that its kind belongs to.
func say(t *testing.T, n Noted, person bool) ([]Event, error) {
	t.Helper()
	if person {
		r, s := lapsed(n.Kind)
		return s.Decide(Say{n}, r, t0+2, t0+2)
	}
	r := disclosing()
	if rule, _ := catalog.NoteRuleOf(n.Kind); rule.Own {
		r.By.Principal = ident.Ledger
	}
	if strings.HasPrefix(string(n.Kind), "proposal.") {
		if by := policy.FieldOf(n.Fields, "by"); by != "" {
			r.By.Principal = by
		}
		return proposed(t).Decide(Say{n}, r, t0, t0)
	}
	s := keepingOf(noted("hold.declared", map[string]string{"hold": "case"}), noted("duty.declared", map[string]string{"duty": "books"}))
	return s.Decide(Say{n}, r, t0, t0)
}

// disclosing is a reference whose policy has a ground to disclose.
func disclosing() Reference {
	r := ref()
	doc := r.Policies.Versions()[0].Document
	doc.Disclosures = []policy.Ground{{Code: "DIS-1", Title: "consent", Doubtful: true}}
	r.Policies = Policies{}.Evolve(Fact{Event: PolicyPublished{Version: v1, Document: doc, Effective: t0}})
	return r
}

func TestEveryKindOfNoteIsTakenAsItShouldBeAndNotOtherwise(t *testing.T) {
	for _, rule := range catalog.NoteRules {
		i := slices.IndexFunc(notes, func(n struct{ good, bad string }) bool { return strings.HasPrefix(n.good, string(rule.Kind)+" ") })
		if i < 0 {
			t.Errorf("%s: the table has no example", rule.Kind)
			continue
		}
		n := noteOf(notes[i].good, "")
		events, err := say(t, n, rule.Person)
		if err != nil || len(events) != 1 || events[0].(Noted).Kind != rule.Kind || len(n.Fields) != len(rule.Fields) {
			t.Errorf("%s: %v, %v; %d of %d members", rule.Kind, events, err, len(n.Fields), len(rule.Fields))
		}
		want := refusal.Malformed
		if strings.HasPrefix(notes[i].bad, "-") {
			want = refusal.Incomplete
		}
		_, err = say(t, noteOf(notes[i].good, notes[i].bad), rule.Person)
		if got, _ := errors.AsType[refusal.Refusal](err); got.Code != want || !strings.HasPrefix(got.Path, "data") {
			t.Errorf("%s with %s: %v, want %s", rule.Kind, notes[i].bad, err, want)
		}
		if _, err = say(t, n, !rule.Person); err == nil {
			t.Errorf("%s is taken where it does not belong", rule.Kind)
		}
	}
	if len(notes) != len(catalog.NoteRules) {
		t.Errorf("%d examples of %d kinds", len(notes), len(catalog.NoteRules))
	}
}

func TestWhatTheLedgerSaysOfItselfNobodyElseSays(t *testing.T) {
	n := noteOf("group.told group=acme;record=7f3a", "")
	for _, by := range []ident.By{{}, {Principal: ident.Unauthenticated}, {Actor: ident.System, Principal: "react"}, {Actor: ident.Operator, Principal: "desk"}, {Principal: ident.Ledger, App: true}, {Principal: "desk", Signer: ident.Ledger}} {
		r := disclosing()
		r.By = by
		_, err := Service{}.Decide(Say{n}, r, t0, t0)
		if got, _ := errors.AsType[refusal.Refusal](err); got.Code != refusal.NotForApps || got.Path != "type" {
			t.Errorf("%+v: %v", by, err)
		}
	}
	if _, err := ident.ParsePrincipal(ident.Ledger); err == nil {
		t.Error("somebody may be called as the ledger is")
	}
}
