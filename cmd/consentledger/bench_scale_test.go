package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	scale "consentledger/cmd/internal/bench"
)

// benched runs a measurement, and returns its figures.
func benched(t *testing.T, program string, args ...string) (figures []scale.Figure) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, append(append([]string{"bench"}, args...), "-o", "json")...)
	cmd.Stderr = t.Output()
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out, &figures); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return figures
}

func TestBenchScaleMeasuresEveryWorkOfBothBuilds(t *testing.T) {
	t.Parallel() // it waits until both programs are at rest, again and again
	program := build(t)
	figures := benched(t, program, "scale", "--population", "20", "--history", "2", "--deep", "30", "--clients", "2", "--batch", "5",
		"--rounds", "1", "--for", "50ms", "--jetstream", "--against", program, "--data", t.TempDir())

	units := map[string][]string{}
	for _, f := range figures {
		if f.Error != "" {
			t.Errorf("%s of %s: %s", f.Work, f.Program, f.Error)
		}
		if f.Value < f.Least || f.Value > f.Greatest || f.Value < 0 {
			t.Errorf("%s of %s: %v is not between %v and %v", f.Work, f.Program, f.Value, f.Least, f.Greatest)
		}
		units[f.Work+" | "+f.Program] = append(units[f.Work+" | "+f.Program], f.Unit)
	}

	for _, program := range []string{"this build", "the other build"} {
		for _, work := range []string{
			"record over HTTP, 2 clients", "check over HTTP, 2 clients", "batches of 5, 16 clients", "resident memory",
			"ready again after a clean stop", "ready again after a kill", "first check of a person with 30 events", "status",
			"first question about the past", "lawful of one person", "report consents", "report register processing", "report audit",
		} {
			if len(units[work+" | "+program]) == 0 {
				t.Errorf("no figure of %s of %s", work, program)
			}
		}
	}
	if ratio := "ratio: this build to it"; !slices.Contains(units["record over HTTP, 2 clients | the other build"], ratio) {
		t.Errorf("no ratio of the two builds: %v", units)
	}
}

func TestBenchScaleGoesOnInADirectoryThatItKept(t *testing.T) {
	t.Parallel()
	program, dir := build(t), filepath.Join(t.TempDir(), "kept")
	for _, persons := range []string{"20", "30"} {
		figures := benched(t, program, "scale", "--population", persons, "--history", "5", "--whole", "--deep", "0", "--clients", "2",
			"--batch", "10", "--rounds", "1", "--for", "50ms", "--choice", "uniform", "--keep", dir)
		if !slices.ContainsFunc(figures, func(f scale.Figure) bool {
			return f.Work == "batches of 10, 16 clients, each of whole histories" && f.Value > 0
		}) {
			t.Errorf("%s persons: no figure of the load: %v", persons, figures)
		}
	}

	text, err := os.ReadFile(filepath.Join(dir, "loaded.json"))
	if err != nil {
		t.Fatal(err)
	}
	var loaded struct{ Persons, Events int }
	if err := json.Unmarshal(text, &loaded); err != nil || loaded.Persons != 30 || loaded.Events < 30*5 {
		t.Errorf("kept %s, %v: want 30 persons, of 5 events and more", text, err)
	}

	for _, refused := range [][]string{
		{"--population", "20", "--keep", dir},                    // more are there
		{"--population", "40", "--keep", filepath.Dir(dir)},      // not one that was kept
		{"--population", "40", "--keep", dir, "--data", "/tmp"},  // two places
		{"--population", "40", "--whole", "--history", "2000"},   // no batch is so long
		{"--population", "40", "--keep", dir, "--against", "it"}, // of one build
	} {
		if out, err := exec.Command(program, append([]string{"bench", "scale"}, refused...)...).CombinedOutput(); err == nil {
			t.Errorf("bench scale %v: %s", refused, out)
		}
	}
}

func TestBenchPagesVisitsEveryPage(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), build(t), "bench", "pages", "--persons", "100", "--history", "2", "--times", "1", "--data", t.TempDir(), "-o", "json")
	cmd.Stderr = t.Output()
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var report struct{ Pages []scale.PageFigure }
	if err := json.Unmarshal(out, &report); err != nil {
		t.Fatalf("%v: %s", err, out)
	}

	seen := map[string]bool{}
	for i, f := range report.Pages {
		seen[f.Page] = true
		if f.Status != 200 || f.Visits != 1 || f.Bytes == 0 || f.Wall <= 0 {
			t.Errorf("%+v", f)
		}
		if i > 0 && f.CPU > report.Pages[i-1].CPU {
			t.Errorf("%s stands below %s, which is less", f.Page, report.Pages[i-1].Page)
		}
	}
	for _, page := range []string{"/ui/", "/ui/deadlines", "/ui/deadlines?state=overdue", "/ui/deadlines?sort=opened", "/ui/consents", "/ui/intake",
		"/ui/person, sent", "/ui/minors, sent", "/ui/audit/accesses, sent", "/ui/audit/left, sent", "/ui/retention", "/ui/system", "/ui/requests/ID", "/ui/incidents/ID"} {
		if !seen[page] {
			t.Errorf("%s was not visited: %v", page, seen)
		}
	}
}
