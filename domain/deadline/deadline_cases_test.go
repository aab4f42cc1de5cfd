package deadline_test

import (
	"encoding/json"
	"os"
	"slices"
	"testing"
	"time"

	"consentledger/cmd/consentledger/law"
	"consentledger/domain/deadline"
)

// A deadlineCase is one case of testdata/deadline-cases.json. They were
// computed by two other programs, and some of them by hand.
type deadlineCase struct {
	ID, Rule, Calendar, Why string
	Start                   *string
	Pauses                  [][2]*string
	Extended                bool
	Expected                map[string]any
}

// The published cases come out as two other programs computed them.
func TestEveryCaseComesOut(t *testing.T) {
	var file struct {
		Calendars map[string]json.RawMessage
		Cases     []deadlineCase
	}
	text, err := os.ReadFile("testdata/deadline-cases.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Cases) < 51 {
		t.Fatalf("%d cases", len(file.Cases))
	}
	for _, k := range file.Cases {
		t.Run(k.ID, func(t *testing.T) {
			rule := ruleOf(t, k.Rule)
			calendars := shipped(t)
			if k.Calendar != "" && k.Calendar != "CN" {
				var err error
				if calendars, err = law.Publish(calendars, file.Calendars[k.Calendar], rule.Calendar); err != nil {
					t.Fatal(err)
				}
			}
			due, err := deadline.Compute(rule, k.start(t), k.pauses(t), k.Extended, calendars)
			if err != nil {
				t.Fatal(err)
			}
			k.check(t, due)
		})
	}
}

func (k deadlineCase) start(t *testing.T) deadline.Instant {
	if k.Start == nil {
		return 0
	}
	return instant(t, *k.Start)
}

func (k deadlineCase) pauses(t *testing.T) (list []deadline.Pause) {
	for _, p := range k.Pauses {
		pause := deadline.Pause{From: instant(t, *p[0])}
		if p[1] != nil {
			pause.To = instant(t, *p[1])
		}
		list = append(list, pause)
	}
	return list
}

// check compares every member that the case expects, and knows them all.
func (k deadlineCase) check(t *testing.T, d deadline.Due) {
	t.Helper()
	got := map[string]any{
		"due_date": text(d.Date), "due_exclusive_utc": utc(d.Until), "provisional": d.Provisional, "weekday": d.Date.Weekday().String()[:3],
		"calendar_gap_at": text(d.Gap), "safe_target_date": text(d.SafeTarget), "tail_exposed": d.TailExposed, "before_roll": text(d.BeforeRoll),
		"nth_working_day_back": text(d.CountedTo), "earliest_effective_date": text(d.Earliest), "state": d.State.String(),
		"elapsed_units": float64(d.Elapsed), "remaining_units": float64(d.Remaining),
		"due_instant_utc": utc(d.Until), "due_local": zoneOf(t, d.TimeZone).Local(d.Until),
	}
	for name, want := range k.Expected {
		if v, ok := got[name]; !ok || v != want {
			t.Errorf("%s: %v, want %v (%s)", name, v, want, k.Why)
		}
	}
	for _, name := range []string{"provisional", "tail_exposed"} {
		if k.Expected[name] == nil && got[name] == true {
			t.Errorf("%s, which is not expected (%s)", name, k.Why)
		}
	}
	if (d.BeforeRoll != 0) != (k.Expected["before_roll"] != nil) {
		t.Errorf("before roll %q, want %v", d.BeforeRoll, k.Expected["before_roll"])
	}
}

// text returns a date as JSON has it: nil for none.
func text(d deadline.Date) any {
	if d == 0 {
		return nil
	}
	return d.String()
}

func utc(i deadline.Instant) string { return i.Time().Format(time.RFC3339) }

func instant(t testing.TB, s string) deadline.Instant {
	t.Helper()
	i, err := deadline.ParseInstant(s)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func zoneOf(t testing.TB, name string) deadline.Zone {
	t.Helper()
	z, err := deadline.ParseZone(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func ruleOf(t testing.TB, id string) deadline.Rule {
	t.Helper()
	rules, err := law.Rules()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(rules, func(r deadline.Rule) bool { return string(r.ID) == id })
	if i < 0 {
		t.Fatalf("no rule %s", id)
	}
	return rules[i]
}

func shipped(t testing.TB) deadline.Calendars {
	t.Helper()
	c, err := law.Calendars()
	if err != nil {
		t.Fatal(err)
	}
	return c
}
