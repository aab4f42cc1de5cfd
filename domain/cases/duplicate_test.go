package cases_test

import (
	"errors"
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

// told returns a request that came in at a moment, and the steps that followed
// a day after one another.
func told(t *testing.T, cmd OpenRequest, at deadline.Instant, steps ...string) *run {
	t.Helper()
	r := &run{t: t, ref: promises()}
	if cmd.Channel == "" {
		cmd.Channel = "email"
	}
	if err := r.do(cmd, at); err != nil {
		t.Fatal(err)
	}
	for i, step := range steps {
		if err := r.step(step, at+deadline.Instant(deadline.Day)*deadline.Instant(i+1)); err != nil {
			t.Fatal(step, err)
		}
	}
	return r
}

func asks(subject string, types ...request.Type) OpenRequest {
	return OpenRequest{Subject: subject, Types: types}
}

func TestADuplicateIsTheSameQuestionOfTheSamePersonOwedNoLaterElsewhere(t *testing.T) {
	const day = deadline.Instant(deadline.Day)
	purposes := func(cmd OpenRequest, p ...policy.PurposeID) OpenRequest { cmd.Purposes = p; return cmd }
	known := func(cmd OpenRequest) OpenRequest { cmd.Authenticated = true; return cmd }
	letter := func(cmd OpenRequest, h byte) OpenRequest { cmd.Document = content.Hash{h}; return cmd }
	by := func(cmd OpenRequest, g GuardianRef) OpenRequest { cmd.Guardian = g; return cmd }

	access, ids := asks("00ff", request.Access), "identity.passed elements=IDE-4 checked_by=desk"
	asked, failed := "identity.requested elements=IDE-4", "identity.failed elements=IDE-4 checked_by=desk"
	for _, tt := range []struct {
		name  string
		of    *run // the other request
		this  OpenRequest
		steps []string
		code  refusal.Code
	}{
		{"the same asked twice", told(t, access, t0), access, nil, ""},
		{"one of several things asked before", told(t, asks("00ff", request.Complaint, request.Access), t0), access, nil, ""},
		{"for one purpose, where all are meant", told(t, access, t0), purposes(access, "ads"), nil, ""},
		{"whose asker is known in both", told(t, known(access), t0), known(access), nil, ""},
		{"whose asker became known there", told(t, access, t0, ids), known(access), nil, ""},
		{"what had its answer there since", told(t, access, t0, asked, failed, asked, failed, "request.acknowledged channel=email", ids, "request.answered outcome=full channel=email"), access, nil, ""},
		{"one letter of nobody who is known", told(t, letter(asks("", request.Question), 7), t0), letter(asks("", request.Question), 7), nil, ""},

		{"another person's", told(t, asks("0a0a", request.Access), t0), access, nil, refusal.IllegalMove},
		{"two letters of nobody who is known", told(t, letter(asks("", request.Question), 7), t0), letter(asks("", request.Question), 8), nil, refusal.IllegalMove},
		{"a guardian's, of the person's own", told(t, access, t0), by(access, "0b0b"), nil, refusal.IllegalMove},
		{"another type", told(t, asks("00ff", request.Question), t0), access, nil, refusal.IllegalMove},
		{"more than was asked there", told(t, access, t0), asks("00ff", request.Access, request.Complaint), nil, refusal.IllegalMove},
		{"other purposes", told(t, purposes(access, "ads"), t0), purposes(access, "maps"), nil, refusal.IllegalMove},
		{"all purposes, where one is meant there", told(t, purposes(access, "ads"), t0), access, nil, refusal.IllegalMove},
		{"a later one", told(t, access, t0+9*day), access, nil, refusal.IllegalMove},
		{"the only one whose asker is known", told(t, access, t0), known(access), nil, refusal.IllegalMove},
		{"one that became known later", told(t, access, t0), access, []string{ids}, refusal.IllegalMove},
		{"what had its answer before this came in", told(t, asks("00ff", request.Question), t0, "request.answered outcome=full channel=email"), asks("00ff", request.Question), nil, refusal.IllegalMove},
		{"one that was withdrawn", told(t, access, t0, "request.withdrawn"), access, nil, refusal.IllegalMove},
		{"one whose clock stands still", told(t, asks("00ff", request.Copy), t0, "clarification.requested question=which", "identity.requested elements=IDE-4"), asks("00ff", request.Copy), nil, refusal.IllegalMove},
		{"one that is owed later there", told(t, asks("00ff", request.Copy), t0, "request.extended reason=many notified=2026-01-02T00:00:00Z"), asks("00ff", request.Copy), nil, refusal.IllegalMove},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := told(t, tt.this, t0+5*day, tt.steps...)
			r.ref.Original = &tt.of.Request
			err := r.step("request.duplicate of=abc", t0+10*day)
			if got, _ := errors.AsType[refusal.Refusal](err); got.Code != tt.code {
				t.Errorf("%v, want %q", err, tt.code)
			}
			if open := len(tt.code) > 0; r.Marks.Has(catalog.Open) != open {
				t.Errorf("open: %v", r.Marks)
			}
		})
	}
}

func TestADuplicateOfALinkedHistoryIsOfTheSamePerson(t *testing.T) {
	r := told(t, asks("00ff", request.Access), t0+1)
	r.ref.Original = &told(t, asks("0a0a", request.Access), t0).Request
	r.ref.Person = new(Subject{}.Evolve(Fact{ID: ident.EventID{1}, At: t0, Recorded: t0, Event: SubjectLinked{Other: "0a0a"}}))
	r.ref.Asker = new(Subject{}.Evolve(Fact{ID: ident.EventID{2}, At: t0, Recorded: t0, Event: SubjectLinked{Other: "00ff"}}))
	if err := r.step("request.duplicate of=abc", t0+2); err != nil {
		t.Error(err)
	}
}

// A duplicate whose original ends without an answer is owed again by the date
// that it had: 30 working days from 2026-01-01.
func TestADuplicateIsOwedAgainByItsOwnDate(t *testing.T) {
	const day = deadline.Instant(deadline.Day)
	for _, tt := range []struct {
		name     string
		this     request.Type
		before   []string // steps of the duplicate before it became one
		original []string
		want     string
	}{
		{"once the original is withdrawn", request.Access, nil, []string{"request.withdrawn"}, "d30 void, id30 void, d30.2 running, id30.2 not_started"},
		{"once the original is a duplicate itself", request.Access, nil, []string{"request.duplicate of=abc"}, "d30 void, id30 void, d30.2 running, id30.2 not_started"},
		{"not while the original is open", request.Access, nil, nil, "d30 void, id30 void"},
		{"not when it had its answer there", request.Access, nil, []string{"identity.passed elements=IDE-4 checked_by=desk", "request.answered outcome=full channel=email types=access", "request.withdrawn"}, "d30 void, id30 void"},
		{"not when it was rejected there", request.Access, nil, []string{"request.rejected codes=REJ-1 remedies_told=yes approved_by=boss"}, "d30 void, id30 void"},
		{"when only something else was rejected there", request.Access, nil, []string{"request.rejected codes=REJ-1 remedies_told=yes approved_by=boss types=copy", "request.withdrawn"},
			"d30 void, id30 void, d30.2 running, id30.2 not_started"},
		{"when the rejection there was taken back", request.Access, nil, []string{"request.rejected codes=REJ-1 remedies_told=yes approved_by=boss", "request.reopened reason=appeal", "request.withdrawn"},
			"d30 void, id30 void, d30.2 running, id30.2 not_started"},
		{"with the pauses that it had", request.Copy, []string{"clarification.requested question=which", "clarification.received"}, []string{"request.withdrawn"},
			"pausable void, eu void, pausable.2 running, eu.2 running"},
		{"and no longer paused for what is asked of nobody any more", request.Copy, []string{"clarification.requested question=which"}, []string{"request.withdrawn"},
			"pausable void, eu void, pausable.2 running, eu.2 running"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := told(t, asks("00ff", request.Copy, request.Access, request.Question), t0)
			a.ref.Original = new(cases.Request{}.Evolve(Fact{At: t0 - day, Recorded: t0 - day, Event: RequestReceived{Types: []request.Type{request.Copy, request.Access, request.Question}, Subject: "00ff"}}))
			b := told(t, asks("00ff", tt.this), t0+1, tt.before...)
			was := map[string]deadline.Due{}
			for _, d := range b.Duties.All() {
				was[d.ID] = d.Due
			}
			b.ref.Original = &a.Request
			if err := b.step("request.duplicate of=abc", t0+5*day); err != nil {
				t.Fatal(err)
			}

			for _, step := range tt.original {
				if err := a.step(step, t0+20*day); err != nil {
					t.Fatal(err)
				}
			}
			if err := b.do(OweAgain{Original: "abc"}, t0+21*day); err != nil {
				t.Fatal(err)
			}
			if got := b.states(); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			for _, d := range b.Duties.All() {
				before := was[d.ID[:max(0, len(d.ID)-2)]]
				if before.State == deadline.Running && d.State == obligation.StateOpen && d.Due.Until != before.Until {
					t.Errorf("%s: due %s, was due %s", d.ID, d.Due.Date, before.Date)
				}
			}
			if err := b.do(OweAgain{Original: "abc"}, t0+22*day); err != nil || b.states() != tt.want {
				t.Errorf("a second time: %s, %v", b.states(), err)
			}
		})
	}
}

func TestOnlyThePartThatHadNoAnswerThereIsOwedAgain(t *testing.T) {
	a := told(t, asks("00ff", request.Complaint, request.Access), t0)
	b := told(t, asks("00ff", request.Complaint, request.Access), t0+1)
	b.ref.Original = &a.Request
	for _, do := range []func() error{
		func() error { return b.step("request.duplicate of=abc", t0+2) },
		func() error { return a.step("identity.passed elements=IDE-4 checked_by=desk", t0+3) },
		func() error { return a.step("request.answered outcome=full channel=email types=access", t0+3) },
		func() error { return a.step("request.withdrawn", t0+4) },
		func() error { return b.do(OweAgain{Original: "abc"}, t0+5) },
	} {
		if err := do(); err != nil {
			t.Fatal(err)
		}
	}
	if got := b.states(); got != "facts15 void, d15 void, d30 void, id30 void, facts15.2 not_started, d15.2 running" {
		t.Error(got)
	}
	if err := b.step("request.answered outcome=full channel=email", t0+6); err != nil || b.Marks.Has(catalog.Open) {
		t.Error(err, b.Marks)
	}
}

// Closing a request and opening it again gives nobody a new period.
func TestWhatIsOpenedAgainWithoutAnAnswerIsOwedByItsOwnDate(t *testing.T) {
	for _, tt := range []struct {
		name, closing string
		fresh         bool
	}{
		{"after it was withdrawn", "request.withdrawn", false},
		{"after it was a duplicate", "request.duplicate of=abc", false},
		{"but after an answer by a new one", "request.answered outcome=full channel=app", true},
	} {
		r := told(t, asks("00ff", request.Question), t0+deadline.Instant(deadline.Hour))
		was, _ := r.Duties.Find("reply.d15")
		if err := errors.Join(r.step(tt.closing, t0+deadline.Instant(3*deadline.Day)), r.step("request.reopened reason=mistake", t0+deadline.Instant(60*deadline.Day))); err != nil {
			t.Fatal(err)
		}
		is, _ := r.Duties.Find("reply.d15.2")
		if (is.Due.Until != was.Due.Until) != tt.fresh || is.State != obligation.StateOpen {
			t.Errorf("%s: due %s, was due %s", tt.name, is.Due.Date, was.Due.Date)
		}
	}
}

// Two requests of linked histories are one person's as long as both histories say that
// they are linked. Was the link a mistake, whichever of the two says so, the duplicate is
// owed again by its own date, also if the other one had its answer; after a link that
// only ended it is not.
func TestADuplicateOfSomebodyWhoWasLinkedByMistakeIsOwedAgain(t *testing.T) {
	const day = deadline.Instant(deadline.Day)
	const here, there = "00ff", "0a0a"
	at := func(id byte, days deadline.Instant, e Event) Fact {
		return Fact{ID: ident.EventID{id}, At: t0 + days*day, Recorded: t0 + days*day, Event: e}
	}
	linked := func(other string) Subject { return Subject{}.Evolve(at(1, 0, SubjectLinked{Other: other})) }
	voided := func(s Subject) Subject { return s.Evolve(at(2, 12, RecordVoided{Records: []ident.EventID{{1}}})) }
	ended := func(s Subject, other string) Subject { return s.Evolve(at(2, 12, SubjectUnlinked{Other: other})) }
	access := asks(here, request.Access)

	for _, tt := range []struct {
		name         string
		mine, theirs Subject
		answered     bool
		again        bool
	}{
		{"nothing changed", linked(there), linked(here), false, false},
		{"this history says that it was a mistake", voided(linked(there)), linked(here), false, true},
		{"the other one says so", linked(there), voided(linked(here)), false, true},
		{"also after an answer", linked(there), voided(linked(here)), true, true},
		{"the link ended", ended(linked(there), there), ended(linked(here), here), false, false},
		{"linked once more, rightly", voided(linked(there)).Evolve(at(3, 13, SubjectLinked{Other: there})), linked(here), false, false},
	} {
		a, b := told(t, asks(there, request.Access), t0), told(t, access, t0+5*day)
		mine, theirs := linked(there), linked(here)
		b.ref.Original, b.ref.Person, b.ref.Asker = &a.Request, &mine, &theirs
		due := b.Duties.All()[0].Due
		if err := b.step("request.duplicate of=abc", t0+10*day); err != nil {
			t.Fatal(tt.name, err)
		}
		if tt.answered {
			err := a.step("identity.passed elements=IDE-4 checked_by=desk", t0+11*day)
			if err = errors.Join(err, a.step("request.answered outcome=full channel=email", t0+11*day)); err != nil {
				t.Fatal(tt.name, err)
			}
		}

		b.ref.Person, b.ref.Asker = &tt.mine, &tt.theirs
		if err := b.do(OweAgain{Original: "abc"}, t0+14*day); err != nil {
			t.Fatal(tt.name, err)
		}
		if again := b.GoesOnIn() == ""; again != tt.again {
			t.Errorf("%s: owed again: %v", tt.name, again)
		}
		if all := b.Duties.All(); tt.again && (all[len(all)-1].State != obligation.StateOpen || all[2].Due.Date != due.Date) {
			t.Errorf("%s: %+v", tt.name, all)
		}

		late := told(t, access, t0+13*day)
		late.ref.Original, late.ref.Person, late.ref.Asker = &a.Request, &tt.mine, &tt.theirs
		err := late.step("request.duplicate of=abc", t0+14*day)
		if refused := err != nil; refused != (tt.name != "nothing changed" && !strings.HasPrefix(tt.name, "linked once")) {
			t.Errorf("%s: another one is taken as a duplicate: %v", tt.name, err)
		}
	}
}
