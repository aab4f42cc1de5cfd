package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// docs/contributing.md names files and tests that are there; NAME stands for a new one.
func TestContributingNamesWhatIsThere(t *testing.T) {
	text, err := os.ReadFile("../../docs/contributing.md")
	if err != nil {
		t.Fatal(err)
	}
	files, tests := 0, map[string]bool{}
	for _, m := range regexp.MustCompile("`([a-z]+/[A-Za-z_/.]+)`").FindAllSubmatch(text, -1) {
		name := string(m[1])
		if strings.Contains(name, "NAME") {
			continue
		}
		files++
		if _, err := os.Stat(filepath.Join("../..", name)); err != nil {
			t.Errorf("docs/contributing.md names %s: %v", name, err)
		}
	}
	for _, m := range regexp.MustCompile("`(Test[A-Za-z]+)`").FindAllSubmatch(text, -1) {
		tests[string(m[1])] = true
	}
	if files < 30 || len(tests) < 10 {
		t.Errorf("docs/contributing.md names %d files and %d tests", files, len(tests))
	}

	err = filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for name := range tests {
			if bytes.Contains(source, []byte("func "+name+"(")) {
				delete(tests, name)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for name := range tests {
		t.Errorf("docs/contributing.md names %s: there is no such test", name)
	}
}

// The README's list of pages has every page once.
func TestTheReadmeListsEveryPage(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, list, has := strings.Cut(string(text), "\n## All pages\n")
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil || !has || len(pages) < 20 {
		t.Fatalf("%d pages, a list: %v, %v", len(pages), has, err)
	}
	for _, page := range pages {
		if name := filepath.Base(page); strings.Count(list, "(docs/"+name+")") != 1 {
			t.Errorf("README.md, All pages: want docs/%s once", name)
		}
	}
}
