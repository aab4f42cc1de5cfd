package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// The calculator gives what the published cases say, every one of them.
func TestDeadlineComputeGivesEveryCase(t *testing.T) {
	text, err := os.ReadFile("../../domain/testdata/deadline-cases.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Calendars map[string]json.RawMessage
		Cases     []struct {
			ID, Rule, Calendar, Why string
			Start                   *string
			Pauses                  [][2]*string
			Extended                bool
			Expected                map[string]any
		}
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Cases) < 51 {
		t.Fatalf("%d cases", len(file.Cases))
	}
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
			if k.Calendar != "" && k.Calendar != "CN" {
				name := filepath.Join(t.TempDir(), "calendar.json")
				if err := os.WriteFile(name, file.Calendars[k.Calendar], 0o600); err != nil {
					t.Fatal(err)
				}
				args = append(args, "--calendar-file", name)
			}
			got := compute(t, args)
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
		})
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

func TestASuspendedClockSaysHowFarItCame(t *testing.T) {
	got := compute(t, []string{"deadline", "compute", "--rule", "cn.policy.request_reply.pausable", "--start", "2026-03-02T10:00:00+08:00", "--pause", "2026-03-04T10:00:00+08:00/", "-o", "json"})
	if got["state"] != "suspended" || got["due_date"] != nil || got["elapsed_units"] != 2.0 || got["remaining_units"] != 28.0 || got["units"] != "working_day" {
		t.Errorf("%v", got)
	}
}
