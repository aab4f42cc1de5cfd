package followup_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"consentledger/api/policyfile"
	"consentledger/domain"
	"consentledger/domain/catalog"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/obligation"
	"consentledger/domain/request"
	"consentledger/eventstore/ledger"
)

// germany publishes the sample policy under the GDPR, and the days off of a
// German state.
func germany(w *world) {
	w.t.Helper()
	read := func(name string) ([]byte, error) { return os.ReadFile(filepath.Join("testdata", name)) }
	file, err := read("gdpr.yaml")
	if err != nil {
		w.t.Fatal(err)
	}
	d, _, err := policyfile.Parse("gdpr.yaml", file, read)
	if err != nil {
		w.t.Fatal(err)
	}
	text, err := read("de-2026.json")
	var days struct {
		Jurisdiction, Notice, Issued string
		Years                        map[string]struct{ Off []string }
	}
	if err == nil {
		err = json.Unmarshal(text, &days)
	}
	if err != nil || len(days.Years) != 2 {
		w.t.Fatal(days, err)
	}
	for key, year := range days.Years {
		k := deadline.Calendar{Jurisdiction: days.Jurisdiction, Notice: days.Notice}
		if k.Year, err = strconv.Atoi(key); err != nil {
			w.t.Fatal(err)
		}
		if k.Issued, err = deadline.ParseDate(days.Issued); err != nil {
			w.t.Fatal(err)
		}
		for _, text := range year.Off {
			day, err := deadline.ParseDate(text)
			if err != nil {
				w.t.Fatal(err)
			}
			k.Off = append(k.Off, day)
		}
		w.tell("", domain.PublishCalendar{Calendar: k})
	}
	w.tell("", version(d))
}

func TestTheGDPRRunsOnTheSameEngine(t *testing.T) {
	for name, tt := range map[string]struct {
		asked string
		steps [][2]string // when, and the step
		due   string      // as the obligation stands then; empty: no date
		late  bool
	}{
		"a month that ends on Easter Sunday ends on Tuesday":     {"2026-03-05T09:00:00Z", nil, "2026-04-07", false},
		"a month from the last of January ends with February":    {"2026-01-31T09:00:00Z", nil, "2026-03-02", false},
		"while who asks is asked who they are, there is no date": {"2026-05-11T08:00:00Z", [][2]string{{"2026-05-12T08:00:00Z", "identity.requested elements=IDE-1"}}, "", false},
		"once they are known it goes on, eight days later":       {"2026-05-11T08:00:00Z", [][2]string{{"2026-05-12T08:00:00Z", "identity.requested elements=IDE-1"}, {"2026-05-20T08:00:00Z", "identity.passed elements=IDE-1 checked_by=desk"}}, "2026-06-19", false},
		"an extension is three months from the first day":        {"2026-05-11T08:00:00Z", [][2]string{{"2026-06-01T08:00:00Z", "request.extended reason=complex notified=2026-06-01T08:00:00Z"}}, "2026-08-11", false},
		"an extension and a pause add up":                        {"2026-05-11T08:00:00Z", [][2]string{{"2026-05-12T08:00:00Z", "identity.requested elements=IDE-1"}, {"2026-05-20T08:00:00Z", "identity.passed elements=IDE-1 checked_by=desk"}, {"2026-06-01T08:00:00Z", "request.extended reason=complex notified=2026-06-01T08:00:00Z"}}, "2026-08-19", false},
		"an answer on the last day is in time":                   {"2026-03-05T09:00:00Z", [][2]string{{"2026-04-07T21:58:00Z", "identity.passed elements=IDE-1 checked_by=desk"}, {"2026-04-07T21:59:00Z", "request.answered outcome=full channel=email"}}, "2026-04-07", false},
		"an answer a minute after midnight in Berlin is late":    {"2026-03-05T09:00:00Z", [][2]string{{"2026-04-07T22:00:00Z", "identity.passed elements=IDE-1 checked_by=desk"}, {"2026-04-07T22:01:00Z", "request.answered outcome=full channel=email"}}, "2026-04-07", true},
	} {
		t.Run(name, func(t *testing.T) {
			everyEra(t, func(t *testing.T, w *world) {
				w.react()
				until(w, "2026-01-02T00:00:00Z")
				germany(w)
				until(w, tt.asked)
				ask := ledger.Request{App: "demo", Person: ident.PersonKey{Kind: "account", ID: "ada"}, Source: "test", ID: "ask", Body: []byte("x"), Actor: "person", RecordedBy: "test",
					Command: domain.OpenRequest{Types: []request.Type{request.Access}, Channel: "email"}}
				if _, err := w.Execute(t.Context(), ask); err != nil {
					t.Fatal(err)
				}
				stream, err := w.StreamOf(t.Context(), ask)
				if err != nil {
					t.Fatal(err)
				}
				for _, s := range tt.steps {
					until(w, s[0])
					kind, rest := cut(s[1])
					w.step(stream, kind, rest)
				}
				synctest.Wait()
				all := duties(w)
				if len(all) != 1 || all[0].Due.Date.String() != tt.due || (all[0].State == obligation.StateMetLate) != tt.late || all[0].Due.Provisional {
					t.Errorf("%+v, want %s", all, tt.due)
				}
			})
		})
	}
}

// cut parts a step's kind from its fields.
func cut(step string) (catalog.Step, string) {
	for i := range step {
		if step[i] == ' ' {
			return catalog.Step(step[:i]), step[i+1:]
		}
	}
	return catalog.Step(step), ""
}

func TestABreachIsToldWithin72HoursOfAwareness(t *testing.T) {
	for name, tt := range map[string]struct {
		told string
		want string
	}{
		"at the very hour, over the change of clocks": {"2026-03-30T17:00:00Z", "tell-authority.eu.gdpr33.breach met"},
		"a second later": {"2026-03-30T17:00:01Z", "tell-authority.eu.gdpr33.breach met-late"},
	} {
		t.Run(name, func(t *testing.T) {
			everyEra(t, func(t *testing.T, w *world) {
				w.react()
				until(w, "2026-03-27T00:00:00Z")
				germany(w)
				stream := w.opens("incident.suspected") // which starts no clock
				until(w, "2026-03-27T17:00:00Z")
				w.step(stream, "incident.detected", "kind=leak what=table")
				synctest.Wait()
				if all := duties(w); len(all) != 1 || all[0].Due.Until.Time().Format(time.RFC3339) != "2026-03-30T17:00:00Z" {
					t.Fatalf("%+v", all)
				}
				until(w, tt.told)
				w.step(stream, "incident.authority-told", "authority=bfdi")
				synctest.Wait()
				w.expect(tt.want)
			})
		})
	}
}
