package followup_test

import (
	"encoding/hex"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"consentledger/domain"
	"consentledger/domain/catalog"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/obligation"
	"consentledger/domain/policy"
	"consentledger/domain/refusal"
	"consentledger/eventstore/ledger"
)

// promised is a document with these rules and duties, and nobody who gets data.
func promised(rules []deadline.Rule, duties ...policy.DutyRule) domain.PublishPolicy {
	return promising(func(d *policy.Document) {
		d.DeadlineRules, d.Recipients, d.Duties = append(d.DeadlineRules, rules...), nil, duties
	})
}

func hours(id deadline.RuleID, n int) deadline.Rule {
	r := days(id, n)
	r.Unit = deadline.UnitHour
	return r
}

// opens takes the first step of an incident, and returns its stream.
func (w *world) opens(kind catalog.Step) ident.StreamID {
	w.t.Helper()
	first := ledger.Request{App: "demo", Source: "test", ID: "incident " + string(kind), Body: []byte("x"), Actor: "operator", RecordedBy: "test",
		Command: domain.TakeStep{Kind: kind, Fields: policy.Fields(map[string]string{"kind": "leak", "what": "a table"})}}
	if _, err := w.Execute(w.t.Context(), first); err != nil {
		w.t.Fatal(err)
	}
	stream, err := w.StreamOf(w.t.Context(), first)
	if err != nil {
		w.t.Fatal(err)
	}
	return stream
}

// step takes a step with fields as in "level=major critical=yes".
func (w *world) step(stream ident.StreamID, kind catalog.Step, text string) {
	w.t.Helper()
	fields := map[string]string{}
	for _, f := range strings.Fields(text) {
		name, value, _ := strings.Cut(f, "=")
		fields[name] = value
	}
	w.on(stream, domain.TakeStep{Kind: kind, Fields: policy.Fields(fields)})
}

func TestANoticeThatLacksOneOfItsFourContentsMeetsNothing(t *testing.T) {
	for _, kind := range []catalog.Step{"incident.persons-told channel=sms persons=10", "incident.announced where=page"} {
		name, rest, _ := strings.Cut(string(kind), " ")
		t.Run(name, func(t *testing.T) {
			everyEra(t, func(t *testing.T, w *world) {
				w.react()
				w.tell("", promised(nil, duty("tell", "incident.detected", "tell-persons", "h24", "incident.persons-told", "incident.announced")))
				stream := w.opens("incident.detected")
				synctest.Wait()
				for _, four := range []string{"situation=no measures=no advice=no remedies=no", "situation=yes measures=yes advice=yes remedies=no", "situation=no measures=yes advice=yes remedies=yes"} {
					w.step(stream, catalog.Step(name), rest+" "+four)
				}
				synctest.Wait()
				w.expect("tell-persons.h24 open")
				if n := len(facts[domain.Stepped](w)); n != 4 {
					t.Errorf("%d steps are kept, want all four", n)
				}
				w.step(stream, catalog.Step(name), rest+" situation=yes measures=yes advice=yes remedies=yes")
				synctest.Wait()
				w.expect("tell-persons.h24 met")
				once(w)
			})
		})
	}
}

func TestEveryHourClockRunsFromItsOwnFact(t *testing.T) {
	everyEra(t, func(t *testing.T, w *world) {
		w.react()
		told := func(id, on, rule, start, when string) policy.DutyRule {
			d := duty(id, on, "tell-authority", deadline.RuleID(rule), "incident.authority-told")
			d.Start = start
			if name, value, ok := strings.Cut(when, "="); ok {
				d.When = []policy.Field{{Name: name, Value: value}}
			}
			return d
		}
		w.tell("", promised([]deadline.Rule{hours("gdpr72", 72), hours("grave4", 4), hours("critical1", 1), hours("risk24", 24), hours("first9", 9)},
			told("breach", "incident.detected", "gdpr72", "", ""),
			told("grave", "incident.classified", "grave4", "incident.detected", "level=larger|major|extreme"),
			told("critical", "incident.classified", "critical1", "incident.detected", "critical=yes"),
			told("risk", "incident.classified", "risk24", "", "national_security=yes"),
			told("first", "incident.classified", "first9", "stream", "")))
		until(w, "2000-01-10T00:00:00Z")
		stream := w.opens("incident.suspected")
		until(w, "2000-01-10T10:00:00Z")
		w.step(stream, "incident.detected", "kind=leak what=table")
		until(w, "2000-01-10T10:30:00Z")
		w.step(stream, "incident.classified", "level=major critical=yes national_security=yes")
		synctest.Wait()
		want := map[string]string{
			"tell-authority.gdpr72": "2000-01-13 10:00:00", "tell-authority.grave4": "2000-01-10 14:00:00", "tell-authority.critical1": "2000-01-10 11:00:00",
			"tell-authority.risk24": "2000-01-11 10:30:00", "tell-authority.first9": "2000-01-10 09:00:00",
		}
		for _, d := range duties(w) {
			if got := d.Due.Until.Time().Format(time.DateTime); got != want[d.ID] {
				t.Errorf("%s is due %s, want %s", d.ID, got, want[d.ID])
			}
			delete(want, d.ID)
		}
		until(w, "2000-01-13T09:59:59Z")
		w.step(stream, "incident.authority-told", "authority=cac")
		synctest.Wait()
		if len(want) > 0 || !strings.Contains(owed(w), "tell-authority.gdpr72 met,") {
			t.Errorf("not opened: %v; %s", want, owed(w))
		}
	})
}

// TestAnIncidentThatIsClassifiedAgainOwesNothingTwice classifies one graver, and
// again once the authority was told; what became void in between is owed again.
func TestAnIncidentThatIsClassifiedAgainOwesNothingTwice(t *testing.T) {
	everyEra(t, func(t *testing.T, w *world) {
		_, stop := w.react()
		grave := duty("grave", "incident.classified", "tell-authority", "grave4", "incident.authority-told")
		grave.When = []policy.Field{{Name: "level", Value: "larger|major|extreme"}}
		critical := duty("critical", "incident.classified", "tell-authority", "critical1", "incident.authority-told")
		critical.When = []policy.Field{{Name: "critical", Value: "yes"}}
		w.tell("", promised([]deadline.Rule{hours("grave4", 4), hours("critical1", 1)}, grave, critical))
		stream := w.opens("incident.detected")
		w.step(stream, "incident.classified", "level=general")
		synctest.Wait()
		w.expect("")
		w.step(stream, "incident.classified", "level=larger")
		synctest.Wait()
		w.expect("tell-authority.grave4 open")
		w.step(stream, "incident.classified", "level=major critical=yes")
		synctest.Wait()
		w.expect("tell-authority.critical1 open, tell-authority.grave4 open")
		w.step(stream, "incident.authority-told", "authority=cac")
		synctest.Wait()
		stop()
		w.react()
		w.step(stream, "incident.classified", "level=extreme critical=yes")
		synctest.Wait()
		w.expect("tell-authority.critical1 met, tell-authority.grave4 met")

		other := w.opens("incident.suspected")
		w.step(other, "incident.classified", "level=major")
		synctest.Wait()
		w.expect("tell-authority.critical1 met, tell-authority.grave4 met, tell-authority.grave4 open")
		for _, d := range duties(w) {
			if d.State == obligation.StateOpen {
				w.on(ident.StreamID{Noun: ident.ObligationNoun, App: "demo", ID: hex.EncodeToString(d.Cause.Event[:])}, domain.VoidObligation{ID: d.ID, Reason: "wrongly-classified"})
			}
		}
		synctest.Wait()
		w.step(other, "incident.classified", "level=larger")
		synctest.Wait()
		w.expect("tell-authority.critical1 met, tell-authority.grave4 met, tell-authority.grave4 open, tell-authority.grave4 void")
		once(w)
	})
}

// TestAMinorsAuditIsMetByAMinorsAudit and by no other.
func TestAMinorsAuditIsMetByAMinorsAudit(t *testing.T) {
	everyEra(t, func(t *testing.T, w *world) {
		w.react()
		w.tell("", promised(nil, duty("audit", "officer.changed", "audit-minors", "d30", "audit.finished minors=yes")))
		w.tell("", noted("officer.changed", "office", "dpo", "contact", "the desk"))
		synctest.Wait()
		for _, audit := range [][]string{{"audit", "a1"}, {"audit", "a2", "minors", "no"}} {
			w.tell("", noted("audit.finished", append(audit, "report", content.Hash{7}.String())...))
			synctest.Wait()
			w.expect("audit-minors.d30 open")
		}
		w.tell("", noted("audit.finished", "audit", "a3", "minors", "yes", "report", content.Hash{7}.String()))
		synctest.Wait()
		w.expect("audit-minors.d30 met")
	})
}

func TestAHeadcountOpensADutyWhenItsNumberIsFirstReachedAndNeverAgain(t *testing.T) {
	count := func(w *world, day, persons string, more ...string) {
		w.tell("", noted("headcount.recorded", append([]string{"unit", "all", "counted", day, "persons", persons}, more...)...))
	}
	audited := func(w *world, audit string, more ...string) {
		w.tell("", noted("audit.finished", append([]string{"audit", audit, "report", content.Hash{1}.String()}, more...)...))
	}
	everyEra(t, func(t *testing.T, w *world) {
		w.react()
		two := days("two-yearly", 2)
		two.Unit, two.Persons = deadline.UnitYear, 1000
		filing := duty("filing", "headcount.recorded", "file-officer", "many", "officer.reported")
		audit := duty("audit", "headcount.recorded", "audit", "two-yearly", "audit.finished")
		filing.Start, audit.Start = "counted", "counted"
		next := duty("audit-next", "audit.finished", "audit", "two-yearly", "audit.finished")
		minors := duty("minors", "headcount.recorded,audit.finished", "audit-minors", "d30", "audit.finished")
		minors.When = []policy.Field{{Name: "minors", Value: "yes"}}
		w.tell("", promised([]deadline.Rule{two}, filing, audit, next, minors))
		until(w, "2000-03-01T00:00:00Z")
		count(w, "2000-02-01", "999", "minors", "yes")
		count(w, "2000-02-10", "1000")
		count(w, "2000-02-20", "5000", "minors", "yes")
		count(w, "2000-02-25", "900")
		count(w, "2000-02-28", "1200", "minors", "yes")
		synctest.Wait()
		w.expect("audit-minors.d30 open, audit.two-yearly open, file-officer.many open")
		for _, d := range duties(w) {
			if d.Kind != "audit-minors" && d.Due.DayZero.String() != "2000-02-10" {
				t.Errorf("%s begins on %s, want the day of the count that reached it", d.ID, d.Due.DayZero)
			}
		}
		until(w, "2001-06-01T00:00:00Z")
		audited(w, "a1", "minors", "yes")
		synctest.Wait()
		w.expect("audit-minors.d30 met-late, audit-minors.d30 open, audit.two-yearly met, audit.two-yearly open, file-officer.many open")
		until(w, "2002-06-01T00:00:00Z")
		audited(w, "a2")
		synctest.Wait()
		w.expect("audit-minors.d30 met-late, audit-minors.d30 met-late, audit.two-yearly met, audit.two-yearly met, audit.two-yearly open, file-officer.many open")
		count(w, "2002-06-02", "10")
		audited(w, "a3")
		synctest.Wait()
		if strings.Contains(owed(w), "audit.two-yearly open") {
			t.Errorf("too few persons, and an audit is owed: %s", owed(w))
		}
	})
}

func TestWhatIsDecidedOrPublishedAnewIsOwedOnce(t *testing.T) {
	everyEra(t, func(t *testing.T, w *world) {
		_, stop := w.react()
		publication := duty("publication", "policy.effective,risks.published", "publish", "d30", "risks.published")
		notice := duty("notice", "cessation.decided", "notice", "d15", "cessation.notified")
		publication.Renews, notice.Renews, notice.Start = true, true, "effective"
		w.tell("", promised(nil, publication, notice))
		synctest.Wait()
		again := promised(nil, publication, notice)
		again.Document.QuietHours = 1
		again = version(again.Document)
		stop()
		w.tell("", again)
		w.react()
		w.tell("", noted("cessation.decided", "service", "all", "effective", "2000-05-01"))
		w.tell("", noted("cessation.decided", "service", "all", "effective", "2000-07-01"))
		synctest.Wait()
		w.expect("notice.d15 open, notice.d15 void, publish.d30 open, publish.d30 void")
		w.tell("", noted("risks.published", "report", "r1", "where", "our site"))
		synctest.Wait()
		w.expect("notice.d15 open, notice.d15 void, publish.d30 met, publish.d30 open, publish.d30 void")
		w.tell("", noted("risks.published", "report", "r2", "where", "our site"))
		synctest.Wait()
		w.expect("notice.d15 open, notice.d15 void, publish.d30 met, publish.d30 met, publish.d30 open, publish.d30 void")
		once(w)
	})
}

func TestALegalHoldStopsWhatIsToBeDeletedAndItGoesOn(t *testing.T) {
	hold, release := domain.Say{Event: domain.HoldPlaced{Reason: "litigation", Authority: "a court"}}, domain.Say{Event: domain.HoldReleased{Reason: "judged"}}
	for name, tt := range map[string]struct {
		do  func(w *world)
		due string // of what is to be deleted; empty: it stands still
	}{
		"a hold leaves it without a date": {func(w *world) {
			w.tell("ada", withdrawn("ads"))
			until(w, "2000-01-11T00:00:00Z")
			w.tell("ada", hold)
		}, ""},
		"its end gives the rest of the time": {func(w *world) {
			w.tell("ada", withdrawn("ads"))
			until(w, "2000-01-11T00:00:00Z")
			w.tell("ada", hold)
			until(w, "2000-06-11T00:00:00Z") // 152 days later
			w.tell("ada", release)
		}, "2000-07-01"},
		"what is to be deleted later stands still from its start": {func(w *world) {
			w.tell("ada", hold)
			w.tell("ada", withdrawn("ads"))
		}, ""},
		"and has its whole time from the release": {func(w *world) {
			w.tell("ada", hold)
			w.tell("ada", withdrawn("ads"))
			until(w, "2000-06-11T00:00:00Z")
			w.tell("ada", release)
		}, "2000-07-11"},
		"somebody else's hold stops nothing": {func(w *world) {
			w.tell("bo", hold)
			w.tell("ada", withdrawn("ads"))
		}, "2000-01-31"},
		"a second hold adds nothing": {func(w *world) {
			w.tell("ada", withdrawn("ads"))
			until(w, "2000-01-11T00:00:00Z")
			w.tell("ada", hold)
			w.tell("ada", hold)
			until(w, "2000-06-11T00:00:00Z")
			w.tell("ada", release)
		}, "2000-07-01"},
	} {
		for when, late := range map[string]bool{"at once": false, "while nobody reacted": true} {
			t.Run(name+" "+when, func(t *testing.T) {
				everyEra(t, func(t *testing.T, w *world) {
					w.tell("", promised(nil, duty("delete", "consent.withdrawn", policy.DutyDelete, "d30", "data.deleted"), duty("stop", "consent.withdrawn", policy.DutyStop, "d30", "processing.stopped")))
					if !late {
						w.react()
						w.react()
						synctest.Wait()
					}
					tt.do(w)
					w.react()
					synctest.Wait()
					for _, d := range duties(w) {
						got := d.Due.Date.String()
						if d.Kind == policy.DutyDelete && got != tt.due || d.Kind == policy.DutyStop && got != "2000-01-31" || d.Kind == policy.DutyDelete && d.Held() != (tt.due == "") {
							t.Errorf("%s is due %q, want %q; held: %v", d.ID, got, tt.due, d.Held())
						}
					}
					if n := len(duties(w)); n != 2 {
						t.Errorf("%d obligations: %s", n, owed(w))
					}
					once(w)
					if tt.due == "" {
						until(w, "2003-01-01T00:00:00Z")
						for _, e := range warnings(w) {
							if x, ok := e.Event.(domain.ObligationOverdue); ok && strings.HasPrefix(x.ID, "delete") {
								t.Errorf("overdue under a hold: %v", e)
							}
						}
					}
				})
			})
		}
	}
}

func TestDataUnderAHoldAreNotDeletedUnsaid(t *testing.T) {
	everyEra(t, func(t *testing.T, w *world) {
		w.react()
		w.tell("", promised(nil, duty("delete", "consent.withdrawn", policy.DutyDelete, "d30", "data.deleted")))
		w.tell("ada", withdrawn("ads"))
		before := w.Now()
		time.Sleep(time.Hour)
		w.tell("ada", domain.Say{Event: domain.HoldPlaced{Reason: "litigation", Authority: "a court"}})
		deleted := func(at deadline.Instant, pairs ...string) error {
			w.n++
			_, err := w.Execute(t.Context(), ledger.Request{App: "demo", Person: ident.PersonKey{Kind: "account", ID: "ada"}, Source: "test", ID: "d" + strings.Join(pairs, "") + at.String(), Body: []byte("x"), At: at,
				Actor: "system", RecordedBy: "test", Command: noted("data.deleted", append([]string{"system", "crm"}, pairs...)...)})
			return err
		}
		if err := deleted(0); err == nil || !strings.Contains(err.Error(), string(refusal.OnHold)) {
			t.Errorf("deleted under a hold: %v", err)
		}
		if err := deleted(0, "despite_hold", "yes"); err != nil {
			t.Errorf("said to be despite the hold: %v", err)
		}
		if err := deleted(before); err != nil {
			t.Errorf("from before the hold: %v", err)
		}
		synctest.Wait()
		w.expect("delete.d30 met")
	})
}

func TestAPeriodOfRetentionEndsInDeletion(t *testing.T) {
	keeping := promising(func(d *policy.Document) {
		d.Duties = nil
		d.Purposes[0].KeepMonths, d.Purposes[0].KeepAfter = 6, "consent.withdrawn"
		d.Purposes[1].KeepDays, d.Purposes[1].KeepAfter = 10, "purpose.achieved"
		d.Purposes = append(d.Purposes, policy.Purpose{ID: "shop", Title: "Shop", Section: "IX", Basis: policy.BasisContract, Actions: []policy.Action{policy.Use}, KeepMonths: 36, KeepAfter: "subject.closed"},
			policy.Purpose{ID: "words", Title: "Words", Basis: policy.BasisConsent, Actions: []policy.Action{policy.Use}, Retention: "the shortest time"})
	})
	for name, tt := range map[string]struct {
		cmd  domain.Command
		want string
	}{
		"a withdrawal of the purpose":          {withdrawn("ads"), "delete.adhouse.retention.ads 2000-07-01"},
		"a withdrawal of all":                  {withdrawn(), "delete.adhouse.retention.ads 2000-07-01"},
		"a withdrawal of another":              {withdrawn("maps"), ""},
		"the purpose is reached":               {noted("purpose.achieved", "purpose", "maps"), "delete.mapper.retention.maps 2000-01-11"},
		"the account is closed":                {domain.Say{Event: domain.SubjectClosed{Reason: "asked"}}, "delete.retention.shop 2003-01-01"},
		"what is said in words opens nothing":  {withdrawn("words"), ""},
		"another purpose than its own reached": {noted("purpose.achieved", "purpose", "ads"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			everyEra(t, func(t *testing.T, w *world) {
				w.react()
				w.tell("", keeping)
				w.tell("ada", domain.GiveConsent{Act: "agree", Purposes: []policy.PurposeID{"ads"}})
				w.tell("ada", tt.cmd)
				synctest.Wait()
				var got []string
				for _, d := range duties(w) {
					got = append(got, d.ID+" "+d.Due.Date.String())
				}
				if strings.Join(got, ", ") != tt.want {
					t.Errorf("got %v, want %s", got, tt.want)
				}
				once(w)
			})
		})
	}
}

func TestWhatElseTakesAYesAwayHasItsConsequences(t *testing.T) {
	consequences := promising(func(d *policy.Document) {
		on := "consent.withdrawn,permission.revoked,consent.refused,record.voided,age.recorded,build.voided"
		d.Permissions[0].Purposes = []policy.PurposeID{"ads"}
		d.Duties = []policy.DutyRule{perSystem(duty("stop", on, policy.DutyStop, "h24", "processing.stopped")), perSystem(duty("delete", on, policy.DutyDelete, "d30", "data.deleted"))}
	})
	const both = "delete.adhouse.d30 open, stop.adhouse.h24 open"
	yes := domain.GiveConsent{Act: "agree", Purposes: []policy.PurposeID{"ads"}}
	for name, tt := range map[string]struct {
		do   func(w *world)
		want string
	}{
		"a permission taken away": {func(w *world) { w.tell("ada", domain.ChangePermission{Permission: "gps", Change: domain.Revoked}) }, both},
		"a refusal after a yes": {func(w *world) {
			w.tell("ada", yes)
			w.tell("ada", domain.RefuseConsent{Scope: policy.Scope{All: true}})
		}, both},
		"a refusal of something else": {func(w *world) {
			w.tell("ada", yes)
			w.tell("ada", domain.RefuseConsent{Scope: policy.Scope{Purposes: []policy.PurposeID{"maps"}}})
		}, ""},
		"a refusal that comes first": {func(w *world) { w.tell("ada", domain.RefuseConsent{Scope: policy.Scope{All: true}}) }, ""},
		"a yes that was a mistake": {func(w *world) {
			w.tell("ada", yes)
			given := facts[domain.ConsentGiven](w)[0]
			w.tell("ada", domain.VoidRecords{Records: []ident.EventID{ident.EventID(given.ID)}, Reason: "wrong-build", Evidence: content.Hash{1}, By: [2]string{"ann", "bob"}})
		}, both},
		"a no that was a mistake": {func(w *world) {
			w.tell("ada", yes)
			w.tell("ada", domain.PresentNotice{Kind: "general"})
			notice := facts[domain.NoticePresented](w)[0]
			w.tell("ada", domain.VoidRecords{Records: []ident.EventID{ident.EventID(notice.ID)}, Reason: "wrong-build", Evidence: content.Hash{1}, By: [2]string{"ann", "bob"}})
		}, ""},
		"a build whose answers were mistakes": {func(w *world) {
			w.tell("", domain.Say{Event: domain.BuildVoided{Build: "5.2", From: 1, To: w.Now(), Reason: "wrong-build", Evidence: content.Hash{1}, By: [2]string{"ann", "bob"}}})
		}, "delete.adhouse.d30 open, delete.mapper.d30 open, stop.adhouse.h24 open, stop.mapper.h24 open"},
		"an age at which nothing lapses": {func(w *world) {
			w.tell("ada", yes)
			w.tell("ada", domain.Say{Event: domain.AgeRecorded{Band: domain.Adult, Basis: "declared"}})
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			everyEra(t, func(t *testing.T, w *world) {
				_, stop := w.react()
				w.tell("", consequences)
				tt.do(w)
				synctest.Wait()
				w.expect(tt.want)
				stop()
				w.react()
				synctest.Wait()
				once(w)
			})
		})
	}
}
