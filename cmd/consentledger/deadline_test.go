package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"consentledger/api/rest"
	"consentledger/api/wire/wiretest"
	"consentledger/cmd/consentledger/law"
	"consentledger/cmd/internal/server"
	"consentledger/domain/policy"
)

// A deadlineCase is one of the published cases.
type deadlineCase struct {
	ID, Rule, Calendar, Why string
	Start                   *string
	Pauses                  [][2]*string
	Extended                bool
	Expected                map[string]any
}

type deadlineCases struct {
	Calendars map[string]json.RawMessage
	Cases     []deadlineCase
}

func readCases(t *testing.T) (file deadlineCases) {
	t.Helper()
	text, err := os.ReadFile("../../domain/deadline/testdata/deadline-cases.json")
	if err == nil {
		err = json.Unmarshal(text, &file)
	}
	if err != nil || len(file.Cases) < 51 {
		t.Fatalf("%d cases, %v", len(file.Cases), err)
	}
	return file
}

// check compares an answer with what a case expects.
func (k deadlineCase) check(t *testing.T, got map[string]any) {
	t.Helper()
	for name, want := range k.Expected {
		if v := got[name]; v != want {
			t.Errorf("%s: %v, want %v (%s)", name, v, want, k.Why)
		}
	}
	for _, name := range []string{"provisional", "tail_exposed", "before_roll"} {
		if v := got[name]; k.Expected[name] == nil && v != nil && v != false {
			t.Errorf("%s: %v, which is not expected (%s)", name, v, k.Why)
		}
	}
}

// HTTP gives what the published cases say, every one of them, without any app.
func TestHTTPGivesEveryDeadlineCase(t *testing.T) {
	t.Parallel()
	file := readCases(t)
	handler := rest.Handler(rest.Config{Law: server.ShippedLaw(), Version: "test"})
	ask := func(body any) (int, map[string]any) {
		text, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest(http.MethodPost, "/v1/deadlines/compute", bytes.NewReader(text))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		var got map[string]any
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatalf("%v: %s", err, w.Body.String())
		}
		return w.Code, got
	}
	announced := announcedDays(t)
	workdays, err := os.ReadFile("law/cn-workdays.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range file.Cases {
		t.Run(k.ID, func(t *testing.T) {
			q := map[string]any{"rule": k.Rule, "extended": k.Extended}
			if k.Start != nil {
				q["start"] = *k.Start
			}
			var pauses []map[string]string
			for _, p := range k.Pauses {
				pause := map[string]string{"from": *p[0]}
				if p[1] != nil {
					pause["to"] = *p[1]
				}
				pauses = append(pauses, pause)
			}
			if q["pauses"] = pauses; pauses == nil {
				delete(q, "pauses")
			}
			q["calendars"] = []json.RawMessage{announced}
			if k.Calendar != "" && k.Calendar != "CN" {
				q["calendars"] = []json.RawMessage{file.Calendars[k.Calendar]}
			}
			code, got := ask(q)
			if code != http.StatusOK {
				t.Fatalf("%d: %v", code, got)
			}
			k.check(t, got)
		})
	}
	shape := map[string]any{"rule": "cn.policy.withdrawal_reply", "start": "2026-02-10T09:00:00+08:00", "calendars": []json.RawMessage{bytes.ReplaceAll(workdays, []byte(`"CN"`), []byte(`"NZ"`))}}
	if code, got := ask(shape); code != http.StatusOK || got["provisional"] == true {
		t.Errorf("the other shape: %d %v", code, got)
	}
	for name, calendar := range map[string]string{"no date": `{"off":["soon"]}`, "no days": `{"off":[]}`, "no calendar to add to": `{"off":["2027-01-01"],"adds_to":"ZZ"}`} {
		if code, got := ask(map[string]any{"rule": "cn.policy.withdrawal_reply", "calendars": []json.RawMessage{json.RawMessage(calendar)}}); code != http.StatusBadRequest || !strings.HasPrefix(got["detail"].(string), "calendars[0]: ") {
			t.Errorf("%s: %d %v", name, code, got)
		}
	}
	if code, _ := ask(map[string]any{"rule": "no.such"}); code != http.StatusNotFound {
		t.Errorf("a rule that is none: %d", code)
	}
}

// announcedDays are the days of all years that were announced, in place of every
// shipped calendar: the cases know of no year that is only reported.
func announcedDays(t *testing.T) []byte {
	t.Helper()
	text, err := os.ReadFile("law/cn-workdays.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Years map[string]struct {
			Off    []string `json:"off_days"`
			MakeUp []string `json:"makeup_workdays"`
		}
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	days := map[string]any{"jurisdiction": "CN"}
	var off, makeUp []string
	for _, y := range file.Years {
		off, makeUp = append(off, y.Off...), append(makeUp, y.MakeUp...)
	}
	days["off"], days["makeup"] = off, makeUp
	if text, err = json.Marshal(days); err != nil {
		t.Fatal(err)
	}
	return text
}

// The calculator gives what the published cases say, every one of them.
func TestDeadlineComputeGivesEveryCase(t *testing.T) {
	t.Parallel()
	file, announced := readCases(t), announcedDays(t)
	for _, k := range file.Cases {
		t.Run(k.ID, func(t *testing.T) {
			args := []string{"deadline", "compute", "--rule", k.Rule, "-o", "json"}
			if k.Start != nil {
				args = append(args, "--start", *k.Start)
			}
			for _, p := range k.Pauses {
				pause := *p[0] + "/"
				if p[1] != nil {
					pause += *p[1]
				}
				args = append(args, "--pause", pause)
			}
			if k.Extended {
				args = append(args, "--extended")
			}
			days := announced
			if k.Calendar != "" && k.Calendar != "CN" {
				days = file.Calendars[k.Calendar]
			}
			name := filepath.Join(t.TempDir(), "calendar.json")
			if err := os.WriteFile(name, days, 0o600); err != nil {
				t.Fatal(err)
			}
			k.check(t, compute(t, append(args, "--calendar-file", name)))
		})
	}
}

// A year that is only reported is used, leaves dates provisional, and the earlier
// date of both ways of counting is the safe one.
func TestDeadlineComputeUsesWhatIsReportedOfAYear(t *testing.T) {
	got := compute(t, []string{"deadline", "compute", "--rule", "cn.policy.withdrawal_reply", "--start", "2026-12-18T09:00:00+08:00", "-o", "json"})
	if got["due_date"] != "2027-01-11" || got["safe_target_date"] != "2027-01-08" || got["provisional"] != true {
		t.Errorf("%v", got)
	}
}

func compute(t *testing.T, args []string) map[string]any {
	t.Helper()
	var out bytes.Buffer
	c := newRoot()
	c.SetArgs(args)
	c.SetOut(&out)
	if err := c.Execute(); err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatalf("%v: %s", err, out.Bytes())
	}
	return got
}

// Every answer names the set of rules that it rests on: the shipped one has the
// same name at every place, and another file another.
func TestEveryAnswerNamesItsRuleSet(t *testing.T) {
	rules, err := law.Rules()
	if err != nil {
		t.Fatal(err)
	}
	shipped := policy.RuleSet(rules).String()
	args := []string{"deadline", "compute", "--rule", "cn.policy.withdrawal_reply", "--start", "2026-03-02T10:00:00+08:00", "-o", "json"}
	if got := compute(t, args)["rule_set"]; got != shipped {
		t.Errorf("deadline compute: %v, want %s", got, shipped)
	}
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, "/v1/deadlines/compute", strings.NewReader(`{"rule":"cn.policy.withdrawal_reply","start":"2026-03-02T10:00:00+08:00"}`))
	r.Header.Set("Content-Type", "application/json")
	rest.Handler(rest.Config{Law: server.ShippedLaw(), Version: "test"}).ServeHTTP(w, r)
	if !wiretest.Holds(w.Body.String(), `"rule_set":"`+shipped+`"`) {
		t.Errorf("HTTP: %s", w.Body.String())
	}
	text, err := os.ReadFile("law/deadline-rules.json")
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "rules.json")
	if err := os.WriteFile(name, bytes.Replace(text, []byte(`"length":15`), []byte(`"length":16`), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := compute(t, append(args, "--rules-file", name))["rule_set"]; got == shipped || got == nil {
		t.Errorf("other rules: %v", got)
	}
}

// A table has the columns that say something, and no others.
func TestATableOfADueDateShowsWhatThereIs(t *testing.T) {
	for _, tt := range []struct{ args, has, lacks string }{
		{"--rule cn.policy.request_reply.pausable --start 2026-03-02T10:00:00+08:00 --pause 2026-03-04T10:00:00+08:00/", "remaining_units", "due_date"},
		{"--rule cn.policy.withdrawal_reply --start 2026-09-21T09:00:00+08:00", "2026-10-19", "remaining_units"},
		{"--rule cn.policy.withdrawal_reply --start 2026-12-20T09:00:00+08:00", "2027-01-08", "elapsed_units"},
	} {
		var out bytes.Buffer
		c := newRoot()
		c.SetArgs(append([]string{"deadline", "compute"}, strings.Fields(tt.args)...))
		c.SetOut(&out)
		if err := c.Execute(); err != nil || !strings.Contains(out.String(), tt.has) || strings.Contains(out.String(), tt.lacks) {
			t.Errorf("%s: %v\n%s", tt.args, err, out.String())
		}
	}
}

func TestASuspendedClockSaysHowFarItCame(t *testing.T) {
	got := compute(t, []string{"deadline", "compute", "--rule", "cn.policy.request_reply.pausable", "--start", "2026-03-02T10:00:00+08:00", "--pause", "2026-03-04T10:00:00+08:00/", "-o", "json"})
	if got["state"] != "suspended" || got["due_date"] != nil || got["elapsed_units"] != 2.0 || got["remaining_units"] != 28.0 || got["units"] != "working_day" {
		t.Errorf("%v", got)
	}
}
