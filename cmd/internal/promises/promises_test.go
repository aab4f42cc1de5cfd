// Package promises holds docs/promises.md to the code: every test that it
// names exists, every code of the sample policy is in it, every event that it
// names is one of the ledger's, and nothing of the catalogue is left open.
package promises

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"consentledger/eventstore/ledger"
)

const root = "../../.."

var (
	named  = regexp.MustCompile("`([a-z]+)\\.(Test[A-Za-z0-9]+)(?:/([a-z-]+))?`")
	code   = regexp.MustCompile(`code: ([A-Z]+-[A-Z]*[0-9]+)`)
	listed = regexp.MustCompile(`codes: \[([A-Z0-9, -]+)\]`)
	coded  = regexp.MustCompile(`code: ([A-Za-z0-9-]+)`)
	tests  = regexp.MustCompile(`(?m)^func (Test[A-Za-z0-9]+)\(`)
	events = regexp.MustCompile(`\b[a-z]+\.[a-z]+(?:[-_][a-z]+)*\b`)
)

// rows returns the rows of the tables, each as its cells, with the headings
// left out.
func rows(t *testing.T) [][]string {
	t.Helper()
	var all [][]string
	for line := range strings.Lines(read(t, "docs/promises.md")) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "| ") && !strings.HasSuffix(line, "| test |") {
			all = append(all, strings.Split(strings.TrimSuffix(strings.TrimPrefix(line, "| "), " |"), " | "))
		}
	}
	return all
}

func TestEveryRowNamesATestThatExists(t *testing.T) {
	exists := testsOf(t)
	table := rows(t)
	for _, cells := range table {
		last := cells[len(cells)-1]
		names := named.FindAllStringSubmatch(last, -1)
		if len(names) == 0 || strings.Trim(named.ReplaceAllString(last, ""), ", ;") != "" {
			t.Errorf("%s: want tests and nothing else, as in `domain.TestStanding`, not %q", cells[0], last)
		}
		for _, cell := range cells {
			if strings.TrimSpace(cell) == "" || strings.Contains(cell, "to come") || cell == "—" {
				t.Errorf("%s: is left open: %q", cells[0], cell)
			}
		}
		for _, n := range names {
			if !exists[n[1]+"."+n[2]] {
				t.Errorf("%s: there is no test %s in package %s", cells[0], n[2], n[1])
			}
			if n[3] == "" {
				continue
			}
			if _, err := os.Stat(filepath.Join(root, "cmd", n[1], "testdata", n[3]+".txtar")); err != nil || n[2] != "TestScripts" {
				t.Errorf("%s: there is no story %s", cells[0], n[3])
			}
		}
	}
	if len(table) < 200 {
		t.Errorf("the tables have %d rows", len(table))
	}
}

// A row that says which event keeps a promise says it by the name that the
// ledger knows: of a record, a note or a step.
func TestEveryEventThatARowNamesIsOneOfTheLedgers(t *testing.T) {
	n := 0
	for _, cells := range rows(t) {
		if len(cells) < 4 {
			t.Errorf("%s: the row has %d cells", cells[0], len(cells))
			continue
		}
		for _, name := range events.FindAllString(cells[len(cells)-3], -1) {
			if strings.HasSuffix(name, ".go") || strings.HasSuffix(name, ".yaml") {
				continue
			}
			if n++; !ledger.IsType(name) {
				t.Errorf("%s: no record is called %s", cells[0], name)
			}
		}
	}
	if n < 200 {
		t.Errorf("the rows name %d events", n)
	}
}

// Nothing of the catalogue is left out: deadlines, defects, and the events that
// the policy implies.
func TestTheTableIsWhole(t *testing.T) {
	about := map[string]bool{}
	for _, cells := range rows(t) {
		for name := range strings.SplitSeq(cells[0], ", ") {
			about[name] = true
		}
		if number, _, ok := strings.Cut(cells[0], ". "); ok {
			about["defect "+number] = true
		}
	}
	var want []string
	for i := 1; i <= 11; i++ {
		want = append(want, fmt.Sprint("D", i))
	}
	for i := 1; i <= 18; i++ {
		want = append(want, fmt.Sprint("defect ", i))
	}
	catalogue := 0
	for line := range strings.Lines(read(t, "cmd/internal/promises/testdata/events.txt")) {
		if !strings.HasPrefix(line, "#") {
			want = append(want, strings.Fields(line)...)
			catalogue += len(strings.Fields(line))
		}
	}
	if catalogue < 120 {
		t.Errorf("the catalogue has %d events", catalogue)
	}
	for _, name := range want {
		if !about[name] {
			t.Errorf("no row is about %s", name)
		}
	}
}

func TestEveryCodeOfTheSamplePolicyIsInTheTable(t *testing.T) {
	table := read(t, "docs/promises.md")
	policy := read(t, "cmd/consentledger/smartkey/policy.yaml")
	codes := code.FindAllStringSubmatch(policy, -1)
	if all := coded.FindAllString(policy, -1); len(codes) < 60 || len(codes) != len(all) {
		t.Fatalf("found %d codes, of %d", len(codes), len(all))
	}
	for _, list := range listed.FindAllStringSubmatch(policy, -1) {
		for c := range strings.SplitSeq(list[1], ", ") {
			codes = append(codes, []string{"", c})
		}
	}
	for _, c := range codes {
		if !strings.Contains(table, "| "+c[1]+" |") {
			t.Errorf("no row is about %s", c[1])
		}
	}
}

// testsOf returns every test of the module, as package.Test.
func testsOf(t *testing.T) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, _ os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range tests.FindAllSubmatch(text, -1) {
			found[filepath.Base(filepath.Dir(path))+"."+string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
