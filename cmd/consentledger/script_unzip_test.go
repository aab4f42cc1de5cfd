package main

import (
	"archive/zip"
	"os"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// scriptUnzip unpacks a bundle: unzip FILE DIR.
func scriptUnzip(ts *testscript.TestScript, neg bool, args []string) {
	z, err := zip.OpenReader(ts.MkAbs(args[0]))
	ts.Check(err)
	defer z.Close()
	ts.Check(os.CopyFS(ts.MkAbs(args[1]), z))
}

// scriptReplace changes a file: replace OLD NEW FILE. There must be something
// to change.
func scriptReplace(ts *testscript.TestScript, neg bool, args []string) {
	name := ts.MkAbs(args[2])
	text, err := os.ReadFile(name)
	ts.Check(err)
	changed := strings.ReplaceAll(string(text), args[0], args[1])
	if changed == string(text) {
		ts.Fatalf("%s has no %q", args[2], args[0])
	}
	ts.Check(os.WriteFile(name, []byte(changed), 0o600))
}
