// Package promises holds docs/promises.md to the code: every test that it
// names exists, every code of the sample policy is in it, and what is to come
// is about a date.
package promises

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = "../../.."

var (
	named = regexp.MustCompile("`([a-z]+)\\.(Test[A-Za-z0-9]+)`")
	code  = regexp.MustCompile(`code: ([A-Z]+-[A-Z]*[0-9]+)`)
	tests = regexp.MustCompile(`(?m)^func (Test[A-Za-z0-9]+)\(`)
)

func TestEveryRowNamesATestThatExists(t *testing.T) {
	exists := testsOf(t)
	rows := 0
	for i, line := range strings.Split(read(t, "docs/promises.md"), "\n") {
		cells := strings.Split(strings.Trim(line, "|"), " | ")
		if !strings.HasPrefix(line, "| ") || strings.HasSuffix(line, "| test |") {
			continue
		}
		rows++
		last := cells[len(cells)-1]
		names := named.FindAllStringSubmatch(last, -1)
		if len(names) == 0 && strings.TrimSpace(last) != "to come: deadlines" {
			t.Errorf("line %d names no test and is not to come: %s", i+1, line)
		}
		for _, n := range names {
			if !exists[n[1]+"."+n[2]] {
				t.Errorf("line %d: there is no test %s in package %s", i+1, n[2], n[1])
			}
		}
	}
	if rows < 180 {
		t.Errorf("the table has %d rows", rows)
	}
}

func TestEveryCodeOfTheSamplePolicyIsInTheTable(t *testing.T) {
	table := read(t, "docs/promises.md")
	codes := code.FindAllStringSubmatch(read(t, "cmd/consentledger/smartkey/policy.yaml"), -1)
	if len(codes) < 60 {
		t.Fatalf("found %d codes", len(codes))
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
