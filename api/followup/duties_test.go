package followup_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"consentledger/domain"
	"consentledger/domain/cases"
	"consentledger/domain/catalog"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/obligation"
	"consentledger/domain/policy"
	"consentledger/domain/request"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/codec/policydoc"
	"consentledger/eventstore/ledger"
)

func duty(id string, on string, kind policy.DutyKind, rule deadline.RuleID, metBy ...string) policy.DutyRule {
	return policy.DutyRule{ID: id, Section: "1", On: strings.Split(on, ","), Kind: kind, Rules: []deadline.RuleID{rule}, MetBy: metBy}
}

func perSystem(d policy.DutyRule) policy.DutyRule { d.Each = policy.DutyEachSystem; return d }

func days(id deadline.RuleID, n int) deadline.Rule {
	return deadline.Rule{ID: id, Source: "1", Unit: deadline.UnitCalendarDay, Length: n, TimeZone: "Asia/Shanghai", ClockStart: "Whatever"}
}

// promising is a document with duties.
func promising(change func(*policy.Document)) domain.PublishPolicy {
	d := document("privacy").Document
	d.Purposes = append(d.Purposes, policy.Purpose{ID: "maps", Title: "Maps", Basis: policy.BasisConsent, Actions: []policy.Action{policy.Use}})
	d.Recipients = []policy.Recipient{{ID: "adhouse", Title: "Ad house", Purposes: []policy.PurposeID{"ads"}}, {ID: "mapper", Title: "Mapper", Purposes: []policy.PurposeID{"maps"}}}
	d.Permissions = []policy.Permission{{ID: "gps", Title: "GPS", Section: "1"}}
	hours := days("h24", 24)
	hours.Unit = deadline.UnitHour
	many := days("many", 30)
	many.Persons = 1000
	d.DeadlineRules = []deadline.Rule{days("d15", 15), days("d30", 30), hours, many}
	d.Rights = []policy.Right{{ID: "withdraw-consent", Title: "Withdraw", Deadlines: []deadline.RuleID{"d15"}}}
	d.Duties = []policy.DutyRule{
		duty("reply", "consent.withdrawn", policy.DutyReply, "d15", "withdrawal.confirmed"),
		perSystem(duty("stop", "consent.withdrawn,permission.revoked", policy.DutyStop, "h24", "processing.stopped")),
		perSystem(duty("delete", "consent.withdrawn", policy.DutyDelete, "d30", "data.deleted", "restriction.applied")),
		perSystem(duty("closed", "subject.closed", policy.DutyDelete, "d30", "data.deleted")),
	}
	if change != nil {
		change(&d)
	}
	return version(d)
}

func version(d policy.Document) domain.PublishPolicy {
	hash, err := policydoc.Hash(d)
	if err != nil {
		panic(err)
	}
	return domain.PublishPolicy{Version: hash, Document: d}
}

func noted(kind catalog.Note, pairs ...string) domain.Say {
	fields := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		fields[pairs[i]] = pairs[i+1]
	}
	return domain.Say{Event: domain.Noted{Kind: kind, Fields: policy.Fields(fields)}}
}

func withdrawn(purposes ...policy.PurposeID) domain.WithdrawConsent {
	return domain.WithdrawConsent{Scope: policy.Scope{All: len(purposes) == 0, Purposes: purposes}}
}

// duties returns every obligation in the log as it stands, by the order of
// their opening.
func duties(w *world) []obligation.Duty {
	w.t.Helper()
	streams := map[ident.StreamID]cases.Duties{}
	var order []ident.StreamID
	for e := range w.told {
		d, ok := streams[e.Stream].Evolve(e.Fact())
		if ok && len(streams[e.Stream].All()) == 0 {
			order = append(order, e.Stream)
		}
		streams[e.Stream] = d
	}
	var all []obligation.Duty
	for _, s := range order {
		all = append(all, streams[s].All()...)
	}
	return all
}

// owed writes what the obligations are, sorted: "stop.crm.h24 open, ...".
func owed(w *world) string {
	var all []string
	for _, d := range duties(w) {
		all = append(all, d.ID+" "+d.State.String())
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

func (w *world) expect(want string) {
	w.t.Helper()
	if got := owed(w); got != want {
		w.t.Errorf("owed\n got %s\nwant %s", got, want)
	}
}

// once checks that no fact about an obligation was recorded twice.
func once(w *world) {
	w.t.Helper()
	seen, ids := map[string]bool{}, map[eventstore.EventID]bool{}
	said := map[eventstore.Position]bool{}
	for e := range w.told {
		key := fmt.Sprintf("%s %s %+v", e.Stream, e.Kind(), e.Event)
		if strings.HasPrefix(e.Kind(), "obligation.") && seen[key] {
			w.t.Errorf("twice: %s", key)
		}
		if ids[e.ID] && !said[e.Position] {
			w.t.Errorf("two records are called %s", e.ID)
		}
		seen[key], ids[e.ID], said[e.Position] = true, true, true
	}
	if w.log.Len() > 0 {
		w.t.Errorf("a follow-up was not taken: %s", w.log.String())
	}
}

func TestAWithdrawalOpensWhatIsOwedAndEachIsMetByItsFact(t *testing.T) {
	everyEra(t, func(t *testing.T, w *world) {
		_, stop := w.react()
		_, stopToo := w.react()
		w.tell("", promising(nil))
		w.tell("", noted("system.added", "system", "crm", "purposes", "ads"))
		w.tell("", noted("system.added", "system", "atlas", "purposes", "maps"))
		w.tell("", noted("system.added", "system", "gone"))
		w.tell("", noted("system.removed", "system", "gone", "reason", "switched off"))
		w.tell("", noted("entrustment.agreed", "processor", "hoster", "purposes", "whatever we need", "categories", "all", "agreement", content.Hash{1}.String()))
		w.tell("ada", withdrawn("ads"))
		synctest.Wait()
		w.expect("delete.adhouse.d30 open, delete.crm.d30 open, delete.hoster.d30 open, reply.d15 open, " +
			"stop.adhouse.h24 open, stop.crm.h24 open, stop.hoster.h24 open")
		w.tell("bo", noted("processing.stopped", "system", "crm")) // somebody else's
		w.tell("ada", noted("processing.stopped", "system", "crm"))
		w.tell("ada", noted("data.deleted", "system", "adhouse"))
		w.tell("ada", noted("withdrawal.confirmed", "channel", "app"))
		synctest.Wait()
		w.expect("delete.adhouse.d30 met, delete.crm.d30 open, delete.hoster.d30 open, reply.d15 met, " +
			"stop.adhouse.h24 open, stop.crm.h24 met, stop.hoster.h24 open")
		w.tell("ada", domain.Say{Event: domain.RestrictionApplied{Reason: "disputed"}}) // holds everywhere
		synctest.Wait()
		w.expect("delete.adhouse.d30 met, delete.crm.d30 met, delete.hoster.d30 met, reply.d15 met, " +
			"stop.adhouse.h24 open, stop.crm.h24 met, stop.hoster.h24 open")
		stop()
		stopToo()
		once(w)
	})
}

func TestWhoWithdrawsEverythingIsForgottenEverywhere(t *testing.T) {
	everyEra(t, func(t *testing.T, w *world) {
		w.react()
		w.tell("", promising(nil))
		w.tell("", noted("recipient.removed", "recipient", "mapper", "reason", "contract over"))
		w.tell("", noted("system.added", "system", "atlas", "purposes", "maps"))
		w.tell("ada", withdrawn())
		synctest.Wait()
		w.expect("delete.adhouse.d30 open, delete.atlas.d30 open, reply.d15 open, stop.adhouse.h24 open, stop.atlas.h24 open")
	})
}

func TestWithoutAnySystemTheHandlerOwesIt(t *testing.T) {
	everyEra(t, func(t *testing.T, w *world) {
		w.react()
		w.tell("", promising(func(d *policy.Document) { d.Recipients = nil }))
		w.tell("ada", withdrawn("ads"))
		w.tell("ada", noted("data.deleted", "system", "crm"))
		synctest.Wait()
		w.expect("delete.d30 met, reply.d15 open, stop.h24 open")
	})
}

func TestWhatWasDoneWhileNobodyReactedWasDoneInTime(t *testing.T) {
	everyEra(t, func(t *testing.T, w *world) {
		w.tell("", promising(func(d *policy.Document) { d.Recipients = d.Recipients[:1] }))
		w.tell("ada", withdrawn("ads"))
		time.Sleep(time.Hour)
		w.tell("ada", noted("processing.stopped", "system", "adhouse"))
		w.tell("ada", noted("data.deleted", "system", "adhouse"))
		w.tell("ada", noted("withdrawal.confirmed", "channel", "app"))
		done := w.Now().Time().Truncate(time.Second)
		time.Sleep(90 * 24 * time.Hour)
		for range 2 {
			_, stop := w.react()
			_, stopToo := w.react()
			synctest.Wait()
			stop()
			stopToo()
		}
		w.expect("delete.adhouse.d30 met, reply.d15 met, stop.adhouse.h24 met")
		for _, d := range duties(w) {
			if met := d.Met.Time().Truncate(time.Second); met != done {
				t.Errorf("%s was met at %s, want %s", d.ID, met, done)
			}
		}
		once(w)
	})
}

func TestAWithdrawalThatCameWithARequestIsAnsweredThere(t *testing.T) {
	for name, before := range map[string]bool{"before it": true, "after it": false} {
		t.Run(name, func(t *testing.T) {
			everyEra(t, func(t *testing.T, w *world) {
				w.tell("", promising(func(d *policy.Document) { d.Recipients = nil }))
				if before {
					w.react()
				}
				w.tell("ada", withdrawn("maps")) // without a request
				w.tell("ada", domain.OpenRequest{Types: []request.Type{request.Withdraw}, Channel: "email", Purposes: []policy.PurposeID{"ads"}})
				if !before {
					w.react()
				}
				synctest.Wait()
				w.expect("delete.d30 open, delete.d30 open, reply.d15 open, reply.d15 open, reply.d15 void, stop.h24 open, stop.h24 open")
				once(w)
			})
		})
	}
}

func TestWhoLeftIsNotRepliedToAndForgottenAllTheSame(t *testing.T) {
	everyEra(t, func(t *testing.T, w *world) {
		w.react()
		w.tell("", promising(func(d *policy.Document) { d.Recipients = nil }))
		w.tell("ada", withdrawn("ads"))
		synctest.Wait()
		w.tell("ada", domain.Say{Event: domain.SubjectClosed{Reason: "asked"}})
		synctest.Wait()
		w.expect("delete.d30 open, delete.d30 open, reply.d15 void, stop.h24 open")
	})
}

func TestWhatAFactMustHaveToOpenADuty(t *testing.T) {
	everyEra(t, func(t *testing.T, w *world) {
		w.react()
		w.tell("", promising(func(d *policy.Document) {
			when := duty("filing", "crossborder.started", "file", "d15", "crossborder.filed")
			when.When, when.Start = []policy.Field{{Name: "mechanism", Value: "contract|assessment"}}, "contract_effective"
			leak := duty("leak", "incident.classified", "tell", "h24", "incident.authority-told")
			leak.When, leak.Start = []policy.Field{{Name: "minors", Value: "yes"}}, "stream"
			d.Duties = []policy.DutyRule{when, leak, duty("officer", "headcount.recorded", "name", "many", "officer.reported"), duty("publish", "policy.effective", "publish", "d30", "risks.published")}
		}))
		w.tell("", noted("crossborder.started", "recipient", "x", "country", "SG", "mechanism", "consent"))
		w.tell("", noted("crossborder.started", "recipient", "x", "country", "SG", "mechanism", "contract", "contract_effective", "2000-02-01"))
		w.tell("", noted("crossborder.started", "recipient", "y", "country", "SG", "mechanism", "assessment"))
		w.tell("", noted("headcount.recorded", "unit", "all", "counted", "2000-01-01", "persons", "999"))
		w.tell("", noted("headcount.recorded", "unit", "all", "counted", "2000-01-02", "persons", "1000"))
		incident(w, 3*time.Hour)
		synctest.Wait()
		w.expect("file.d15 open, file.d15 open, name.many open, publish.d30 open, tell.h24 open")
		w.tell("", noted("risks.published", "report", "r1", "where", "our site"))
		w.tell("", noted("crossborder.filed", "recipient", "x", "filed", "2000-02-03"))
		synctest.Wait()
		w.expect("file.d15 met, file.d15 open, name.many open, publish.d30 met, tell.h24 open")
		for _, d := range duties(w) {
			date, until := d.Due.DayZero.String(), d.Due.Until.Time().Format(time.DateTime)
			switch {
			case d.ID == "file.d15" && d.State == obligation.StateMet && date != "2000-02-01",
				d.ID == "file.d15" && d.State == obligation.StateOpen && d.Due.State != deadline.NotStarted,
				d.ID == "tell.h24" && until != "2000-01-02 00:00:00":
				t.Errorf("%s, %s: day zero %s, until %s", d.ID, d.Due.State, date, until)
			}
		}
	})
}

// incident tells of one that is found to be about minors after a while.
func incident(w *world, while time.Duration) {
	w.t.Helper()
	open := ledger.Request{App: "demo", Source: "test", ID: "incident", Body: []byte("x"), Actor: "operator", RecordedBy: "test",
		Command: domain.TakeStep{Kind: "incident.detected", Fields: policy.Fields(map[string]string{"kind": "leak", "what": "a table"})}}
	if _, err := w.Execute(w.t.Context(), open); err != nil {
		w.t.Fatal(err)
	}
	stream, err := w.StreamOf(w.t.Context(), open)
	if err != nil {
		w.t.Fatal(err)
	}
	time.Sleep(while)
	w.on(stream, domain.TakeStep{Kind: "incident.classified", Fields: policy.Fields(map[string]string{"level": "larger", "minors": "yes"})})
}

// on executes on a stream.
func (w *world) on(stream ident.StreamID, cmd domain.Command) {
	w.t.Helper()
	w.n++
	if _, err := w.ExecuteOn(w.t.Context(), stream, ledger.Request{Source: "test", ID: fmt.Sprint(w.n), Body: []byte("x"), Actor: "operator", RecordedBy: "test", Command: cmd}); err != nil {
		w.t.Fatal(err)
	}
}

func TestWhichPolicyPromises(t *testing.T) {
	late := func(w *world, at deadline.Instant) {
		w.n++
		r := ledger.Request{App: "demo", Person: ident.PersonKey{Kind: "account", ID: "ada"}, Source: "test", ID: fmt.Sprint(w.n), Body: []byte("x"), At: at, Actor: "person", RecordedBy: "test", Command: withdrawn("ads")}
		if _, err := w.Execute(w.t.Context(), r); err != nil {
			w.t.Fatal(err)
		}
	}
	none := func(d *policy.Document) { d.Duties, d.Recipients = nil, nil }
	slower := func(d *policy.Document) {
		d.Recipients, d.Duties = nil, []policy.DutyRule{duty("reply", "consent.withdrawn", policy.DutyReply, "d30")}
	}
	for name, tt := range map[string]struct {
		do   func(w *world)
		want string
	}{
		"the specific prevails": {func(w *world) {
			w.tell("", promising(slower))
			special := promising(func(d *policy.Document) {
				d.Name, d.Over = "shop", "privacy"
				d.Duties = []policy.DutyRule{duty("reply", "consent.withdrawn", policy.DutyReply, "d15")}
			})
			w.tell("", special)
			w.tell("ada", withdrawn("ads"))
		}, "reply.d15 open"},
		"what was in force when it happened": {func(w *world) {
			w.tell("", promising(slower))
			before := w.Now()
			time.Sleep(time.Hour)
			w.tell("", promising(func(d *policy.Document) {
				slower(d)
				d.Duties[0].Rules = []deadline.RuleID{"d15"}
			}))
			late(w, before.Add(deadline.Minute))
		}, "reply.d30 open"},
		"what is late from before any promise is owed too": {func(w *world) {
			w.tell("", promising(none))
			before := w.Now()
			time.Sleep(time.Hour)
			w.tell("", promising(slower))
			late(w, before.Add(deadline.Minute))
		}, "reply.d30 open"},
		"a permission that nothing is bound to opens nothing": {func(w *world) {
			w.tell("", promising(nil))
			w.tell("ada", domain.ChangePermission{Permission: "gps", Change: domain.Revoked})
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			everyEra(t, func(t *testing.T, w *world) {
				w.react()
				tt.do(w)
				synctest.Wait()
				w.expect(tt.want)
			})
		})
	}
}

// kinds returns the facts about obligations that warn, in their order.
func warnings(w *world) (all []codec.Entry) {
	w.t.Helper()
	for e, err := range w.Replay(w.t.Context(), 0) {
		if err != nil {
			w.t.Fatal(err)
		}
		switch e.Event.(type) {
		case domain.ObligationAtRisk, domain.ObligationOverdue:
			all = append(all, e)
		}
	}
	return all
}

func (w *world) warned(want ...string) {
	w.t.Helper()
	var got []string
	for _, e := range warnings(w) {
		got = append(got, e.Kind()+" "+e.Recorded.Time().Format(time.DateTime))
	}
	if !slices.Equal(got, want) {
		w.t.Errorf("warned\n got %s\nwant %s", strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
}

// What stays is told of all that an opt-out was said of, in every history in which a
// grant ended by it.
func TestWhatTheLawKeepsIsToldOfLinkedHistoriesToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.react()
		w.tell("", promising(func(d *policy.Document) {
			d.Purposes = append(d.Purposes, policy.Purpose{ID: "tax", Title: "Tax", Basis: policy.BasisLegalDuty, Actions: []policy.Action{policy.Use}})
		}))
		w.tell("account", domain.GiveConsent{Act: "agree", Purposes: []policy.PurposeID{"ads"}})
		w.link("account", "phone", domain.SubjectLinked{Proof: "login"})
		w.tell("phone", withdrawn())
		synctest.Wait()

		orders := 0
		for _, d := range duties(w) {
			if d.Kind != policy.DutyStop && d.Kind != policy.DutyDelete {
				continue
			}
			if orders++; !slices.Equal(d.Keeps, []policy.PurposeID{"tax"}) {
				t.Errorf("%s of %s keeps %v", d.ID, d.Cause.Subject, d.Keeps)
			}
		}
		if orders != 6 { // of the phone the ad house and the mapper, of the account what it agreed to
			t.Errorf("%d orders", orders)
		}
	})
}

// What rests on a legal duty or a contract goes on: nobody is ordered to stop or
// delete it, and whoever has other data of the person is told what to keep.
func TestWhatTheLawKeepsIsNotOrderedDeleted(t *testing.T) {
	lawful := promising(func(d *policy.Document) {
		d.Purposes = append(d.Purposes, policy.Purpose{ID: "tax", Title: "Tax", Basis: policy.BasisLegalDuty, Actions: []policy.Action{policy.Use}})
		d.Recipients = append(d.Recipients, policy.Recipient{ID: "revenue", Title: "Revenue", Purposes: []policy.PurposeID{"tax"}})
		d.Permissions[0].Purposes = []policy.PurposeID{"tax"}
		d.Duties = append(d.Duties, perSystem(duty("refused", "consent.refused", policy.DutyDelete, "d30", "data.deleted")))
	})
	for _, tt := range []struct {
		name  string
		tell  domain.Command
		want  string
		keeps string
	}{
		{"a withdrawal of what the law orders is replied to", withdrawn("tax"), "reply.d15 open", ""},
		{"one of more stops the rest", withdrawn("ads", "tax"), "delete.adhouse.d30 open, reply.d15 open, stop.adhouse.h24 open", "tax"},
		{"one of everything too", withdrawn(), "delete.adhouse.d30 open, delete.mapper.d30 open, reply.d15 open, stop.adhouse.h24 open, stop.mapper.h24 open", "tax"},
		{"a refusal of more too", domain.RefuseConsent{Scope: policy.Scope{Purposes: []policy.PurposeID{"ads", "tax"}}}, "delete.adhouse.d30 open", "tax"},
		{"and one of everything, also if one thing was agreed to", domain.RefuseConsent{Scope: policy.Scope{All: true}}, "delete.adhouse.d30 open", "tax"},
		{"a permission that only the law's purpose needs", domain.ChangePermission{Permission: "gps", Change: domain.Revoked}, "", ""},
		{"who goes leaves what the law orders kept", domain.Say{Event: domain.SubjectClosed{Reason: "gone"}}, "delete.adhouse.d30 open, delete.mapper.d30 open", "tax"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			everyEra(t, func(t *testing.T, w *world) {
				w.react()
				w.tell("", lawful)
				w.tell("ada", domain.GiveConsent{Act: "agree", Purposes: []policy.PurposeID{"ads"}})
				w.tell("ada", tt.tell)
				synctest.Wait()
				w.expect(tt.want)
				for _, d := range duties(w) {
					if keeps := d.Kind == policy.DutyStop || d.Kind == policy.DutyDelete; keeps && strings.Trim(fmt.Sprint(d.Keeps), "[]") != tt.keeps {
						t.Errorf("%s keeps %v, want %s", d.ID, d.Keeps, tt.keeps)
					}
				}
			})
		})
	}
}

// An opt-out is not refused because so much is owed since that no record has room for it:
// then that is recorded after it.
func TestWhatNoRecordHasRoomForIsRecordedAfterTheFact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.react()
		w.tell("", promising(nil))
		const systems = 550
		for i := range systems {
			w.tell("", noted("system.added", "system", fmt.Sprintf("system-%056d", i), "purposes", "ads"))
		}
		w.tell("ada", withdrawn("ads"))
		synctest.Wait()
		no := facts[domain.ConsentWithdrawn](w)[0]
		if no.Rules != domain.OwedApart || no.Owing != nil {
			t.Errorf("the fact folds by the rules %d and says %d duties", no.Rules, len(no.Owing))
		}
		var stops, replies int
		for _, d := range duties(w) {
			if d.Kind == policy.DutyStop {
				stops++
			}
			if d.Kind == policy.DutyReply {
				replies++
			}
		}
		if stops != systems+1 || replies != 1 { // adhouse is named by the policy
			t.Errorf("%d are to stop and %d to reply, want %d and 1", stops, replies, systems+1)
		}
		once(w)
	})
}
