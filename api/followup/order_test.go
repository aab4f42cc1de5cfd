package followup_test

import (
	"fmt"
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
	"consentledger/domain/request"
	"consentledger/eventstore/ledger"
)

// onAt executes on a stream what happened at a time, with or without a document
// that shows it.
func (w *world) onAt(stream ident.StreamID, at string, cmd domain.Command) {
	w.t.Helper()
	when, err := time.Parse(time.RFC3339, at)
	if err != nil {
		w.t.Fatal(err)
	}
	w.n++
	req := ledger.Request{Source: "test", ID: fmt.Sprint(w.n), Body: []byte("x"), At: deadline.At(when), Actor: "operator", RecordedBy: "test", Command: cmd}
	if _, err := w.ExecuteOn(w.t.Context(), stream, req); err != nil {
		w.t.Fatal(err)
	}
}

func stepOf(kind catalog.Step, text string) domain.TakeStep {
	fields := map[string]string{}
	for f := range strings.FieldsSeq(text) {
		name, value, _ := strings.Cut(f, "=")
		fields[name] = value
	}
	return domain.TakeStep{Kind: kind, Fields: policy.Fields(fields)}
}

// The steps of an incident count whatever the order in which they arrive. It is
// suspected at midnight of 10 January, and what is grave is to be told within
// four hours of its detection.
func TestStepsOfAnIncidentThatArriveOutOfOrderCount(t *testing.T) {
	const (
		detected   = "incident.detected kind=leak what=table"
		classified = "incident.classified level=major"
		told       = "incident.authority-told authority=cac"
	)
	for _, tt := range []struct {
		name  string
		steps []string // the time at which it happened, a "!" if a document shows it, and the step; all are recorded at noon
		want  string
		due   string // of the grave one
		ours  string // of the other one, three days later; empty: not looked at
	}{
		{"in their order", []string{"10:00 " + detected, "10:30 " + classified, "11:00! " + told}, "tell-authority.gdpr72 met, tell-authority.grave4 met", "14:00", ""},
		{"told before it was classified", []string{"10:00 " + detected, "10:20! " + told, "10:30 " + classified}, "tell-authority.gdpr72 met, tell-authority.grave4 met", "14:00", ""},
		{"told while it was only suspected", []string{"08:00! " + told, "10:00 " + detected, "10:30 " + classified}, "tell-authority.gdpr72 met, tell-authority.grave4 met", "14:00", ""},
		{"told before there was an incident, whatever shows it, is told when that is recorded", []string{"06:00 " + detected, "06:30 " + classified, "-10:00! " + told}, "tell-authority.gdpr72 met, tell-authority.grave4 met-late", "10:00", ""},
		{"detection that arrives after the classification", []string{"10:30 " + classified, "10:00 " + detected}, "tell-authority.gdpr72 open, tell-authority.grave4 open", "14:00", ""},
		{"and is told in between", []string{"10:30 " + classified, "10:20! " + told, "10:00 " + detected}, "tell-authority.gdpr72 met, tell-authority.grave4 met", "", ""},
		{"detection later than the classification moves no date away", []string{"10:30 " + classified, "11:30 " + detected}, "tell-authority.gdpr72 open, tell-authority.grave4 open", "14:30", ""},
		{"a detection that was earlier than the first one that arrived", []string{"10:00 " + detected, "10:30 " + classified, "09:00 " + detected}, "tell-authority.gdpr72 open, tell-authority.grave4 open", "13:00", "09:00"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			everyEra(t, func(t *testing.T, w *world) {
				_, stop := w.react()
				breach := duty("breach", "incident.detected", "tell-authority", "gdpr72", "incident.authority-told")
				grave := duty("grave", "incident.classified", "tell-authority", "grave4", "incident.authority-told")
				grave.Start, grave.When = "incident.detected", []policy.Field{{Name: "level", Value: "larger|major|extreme"}}
				w.tell("", promised([]deadline.Rule{hours("gdpr72", 72), hours("grave4", 4)}, breach, grave))
				until(w, "2000-01-10T00:00:00Z")
				stream := w.opens("incident.suspected")
				until(w, "2000-01-10T12:00:00Z")

				for _, text := range tt.steps {
					clock, step, _ := strings.Cut(text, " ")
					clock, shown := strings.CutSuffix(clock, "!")
					day := "2000-01-10T"
					if rest, before := strings.CutPrefix(clock, "-"); before {
						clock, day = rest, "2000-01-09T"
					}
					kind, fields, _ := strings.Cut(step, " ")
					cmd := stepOf(catalog.Step(kind), fields)
					if shown {
						cmd.Evidence = content.Hash{7}
					}
					w.onAt(stream, day+clock+":00Z", cmd)
					synctest.Wait()
				}
				w.expect(tt.want)
				for _, d := range duties(w) {
					if got := d.Due.Until.Time().Format("15:04"); d.Rule.ID == "grave4" && tt.due != "" && got != tt.due {
						t.Errorf("due at %s, want %s", got, tt.due)
					}
					if got := d.Due.Until.Time().Format("15:04"); d.Rule.ID == "gdpr72" && tt.ours != "" && got != tt.ours {
						t.Errorf("%s is due at %s, want %s", d.ID, got, tt.ours)
					}
				}
				stop()
				w.react() // another start finds nothing to do
				synctest.Wait()
				w.expect(tt.want)
				once(w)
			})
		})
	}
}

// A request that goes on in another one is owed again once that one ends
// without an answer, whichever of the two was recorded first.
func TestADuplicateIsOwedAgainWhenItsOriginalEndsWithoutAnAnswer(t *testing.T) {
	for _, tt := range []struct {
		name, end, want string
	}{
		{"it is withdrawn", "request.withdrawn", "reply.d15 void, reply.d15 void, reply.d15.2 open"},
		{"it is answered", "request.answered outcome=full channel=email", "reply.d15 met, reply.d15 void"},
		{"it goes on", "request.acknowledged channel=email", "reply.d15 open, reply.d15 void"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			everyEra(t, func(t *testing.T, w *world) {
				_, stop := w.react()
				w.tell("", promising(func(d *policy.Document) {
					d.Duties, d.Recipients = nil, nil
					d.Rights = []policy.Right{{ID: "access", Title: "Access", Deadlines: []deadline.RuleID{"d15"}}}
				}))
				until(w, "2000-01-10T00:00:00Z")
				a, b := w.asked("a"), w.asked("b")
				until(w, "2000-01-12T00:00:00Z")
				w.on(b, stepOf("request.duplicate", "of="+a.ID))
				until(w, "2000-01-20T00:00:00Z")
				kind, fields, _ := strings.Cut(tt.end, " ")
				w.on(a, stepOf(catalog.Step(kind), fields))
				synctest.Wait()
				w.expect(tt.want)
				for _, d := range duties(w) {
					if d.State == obligation.StateOpen && d.Due.Date.String() != "2000-01-25" {
						t.Errorf("%s is due %s, want the date that it had, 2000-01-25", d.ID, d.Due.Date)
					}
				}
				stop()
				w.react()
				synctest.Wait()
				w.expect(tt.want)
				once(w)
			})
		})
	}
}

// A request that goes on in another person's, since they were linked by mistake, is owed
// again once the mistake is recorded, in whichever of the two histories.
func TestADuplicateIsOwedAgainWhenTheLinkWasAMistake(t *testing.T) {
	for _, told := range []string{"ada", "bo"} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.react()
			w.tell("", promising(func(d *policy.Document) {
				d.Duties, d.Recipients = nil, nil
				d.Rights = []policy.Right{{ID: "access", Title: "Access", Deadlines: []deadline.RuleID{"d15"}}}
			}))
			w.link("ada", "bo", domain.SubjectLinked{Proof: "login"})
			until(w, "2000-01-10T00:00:00Z")
			a, b := w.asked("a"), w.askedBy("bo", "b")
			until(w, "2000-01-12T00:00:00Z")
			w.on(b, stepOf("request.duplicate", "of="+a.ID))
			w.on(a, stepOf("request.answered", "outcome=full channel=email"))
			synctest.Wait()
			w.expect("reply.d15 met, reply.d15 void")

			w.tell(told, domain.VoidRecords{Records: []ident.EventID{w.linkOf(told)}, Reason: "mistake", Evidence: content.Hash{1}, By: [2]string{"ann", "bob"}})
			synctest.Wait()
			w.expect("reply.d15 met, reply.d15 void, reply.d15.2 open")
			if d := duties(w)[2]; d.Due.Date.String() != "2000-01-25" {
				t.Errorf("it is due %s, want the date that it had, 2000-01-25", d.Due.Date)
			}
			once(w)
		})
	}
}

// linkOf returns the record of somebody's history by which it is linked.
func (w *world) linkOf(person string) ident.EventID {
	w.t.Helper()
	for e, err := range w.History(w.t.Context(), "demo", ident.PersonKey{Kind: "account", ID: person}) {
		if err != nil {
			w.t.Fatal(err)
		}
		if _, links := e.Event.(domain.SubjectLinked); links {
			return ident.EventID(e.ID)
		}
	}
	w.t.Fatalf("%s is not linked", person)
	return ident.EventID{}
}

// asked takes in a request for access, of the same person each time.
func (w *world) asked(id string) ident.StreamID { return w.askedBy("ada", id) }

func (w *world) askedBy(person, id string) ident.StreamID {
	w.t.Helper()
	ask := ledger.Request{App: "demo", Person: ident.PersonKey{Kind: "account", ID: person}, Source: "test", ID: id, Body: []byte("x"), Actor: "person", RecordedBy: "test",
		Command: domain.OpenRequest{Types: []request.Type{request.Access}, Channel: "email"}}
	if _, err := w.Execute(w.t.Context(), ask); err != nil {
		w.t.Fatal(err)
	}
	stream, err := w.StreamOf(w.t.Context(), ask)
	if err != nil {
		w.t.Fatal(err)
	}
	return stream
}

// A document shows that something was done, but never before it was owed.
func TestWhatIsDatedBeforeItWasOwedIsDoneWhenItIsRecorded(t *testing.T) {
	for _, tt := range []struct{ name, at, want string }{
		{"after the withdrawal", "2000-01-11T00:00:00Z", "reply.d15 met"},
		{"before it", "2000-01-09T00:00:00Z", "reply.d15 met-late"},
	} {
		everyEra(t, func(t *testing.T, w *world) {
			w.react()
			w.tell("", promising(func(d *policy.Document) { d.Recipients, d.Duties = nil, d.Duties[:1] }))
			w.tell("ada", domain.GiveConsent{Act: "agree"}) // her history begins before either
			until(w, "2000-01-10T00:00:00Z")
			w.tell("ada", withdrawn("ads"))
			until(w, "2000-03-10T00:00:00Z")
			when, _ := time.Parse(time.RFC3339, tt.at)
			confirmed := domain.Noted{Kind: "withdrawal.confirmed", Fields: policy.Fields(map[string]string{"channel": "app"}), Evidence: content.Hash{7}}
			req := ledger.Request{App: "demo", Person: ident.PersonKey{Kind: "account", ID: "ada"}, Source: "test", ID: "confirmed", Body: []byte("x"), At: deadline.At(when), Actor: "operator", RecordedBy: "test", Command: domain.Say{Event: confirmed}}
			if _, err := w.Execute(t.Context(), req); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if got := owed(w); got != tt.want {
				t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
			}
		})
	}
}
