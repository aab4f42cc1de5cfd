package problems

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the table of docs/errors.md anew")

var codeForm = regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)

// Every code that the program can answer has a row, and every row is a code of the program.
// Codes are constants of type Code, second words of "urn:consentledger:problem:", what is
// called a code where a problem is made, and what a status alone makes.
func TestEveryCodeOfTheProgramHasItsPage(t *testing.T) {
	found := map[string]string{"request-entity-too-large": "what reads bodies says so"}
	for _, dir := range []string{"../../domain", "../../eventstore", "../../api"} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") ||
				strings.Contains(path, "/dashboard/") || strings.Contains(path, "/imports/") || strings.Contains(path, "api/problems/") {
				return err
			}
			f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
			if err != nil {
				return err
			}
			ast.Inspect(f, func(n ast.Node) bool {
				for _, code := range codesOf(n) {
					found[code] = path
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(found) < 80 {
		t.Errorf("%d codes were found: the test does not see them", len(found))
	}

	for _, other := range []string{"yes", "no", "refused"} { // options of a step, and what NATS says of an answer that is no problem
		delete(found, other)
	}
	for code, path := range found {
		if _, has := Of(code); !has {
			t.Errorf("%s: the code %s has no row in api/problems: say what it means, and what to do", path, code)
		}
	}
	seen := map[string]bool{}
	for _, r := range Table {
		if seen[r.Code] {
			t.Errorf("%s has two rows", r.Code)
		}
		seen[r.Code] = true
		if found[r.Code] == "" {
			t.Errorf("%s has a row, and nothing answers with it", r.Code)
		}
		if !codeForm.MatchString(r.Code) || !strings.HasSuffix(r.Means, ".") || !strings.HasSuffix(r.Do, ".") {
			t.Errorf("%s is not written as it must be: %q %q", r.Code, r.Means, r.Do)
		}
		if page := string(r.Page()); !strings.Contains(page, "urn:consentledger:problem:"+r.Code) || strings.Contains(page, "://") {
			t.Errorf("the page of %s: %s", r.Code, page)
		}
	}
}

// codesOf returns the codes that a node makes.
func codesOf(n ast.Node) (codes []string) {
	text := func(e ast.Expr) string {
		lit, is := e.(*ast.BasicLit)
		if !is || lit.Kind != token.STRING {
			return ""
		}
		s, err := strconv.Unquote(lit.Value)
		if err != nil || !codeForm.MatchString(s) {
			return ""
		}
		return s
	}
	named := func(e ast.Expr, name string) bool {
		switch e := e.(type) {
		case *ast.Ident:
			return e.Name == name
		case *ast.SelectorExpr:
			return e.Sel.Name == name
		}
		return false
	}
	add := func(e ast.Expr) {
		if s := text(e); s != "" {
			codes = append(codes, s)
		}
	}

	switch n := n.(type) {
	case *ast.ValueSpec: // const X Code = "..."
		if n.Type != nil && named(n.Type, "Code") {
			for _, v := range n.Values {
				add(v)
			}
		}
		for i, name := range n.Names { // const busyCode = "..."
			if (strings.HasSuffix(name.Name, "Code") || problemNames[name.Name]) && i < len(n.Values) {
				add(n.Values[i])
			}
		}
	case *ast.KeyValueExpr: // Code: "..."
		if named(n.Key, "Code") {
			add(n.Value)
		}
	case *ast.AssignStmt: // p.Code = "..."
		for i, l := range n.Lhs {
			if named(l, "Code") && i < len(n.Rhs) {
				add(n.Rhs[i])
			}
		}
	case *ast.CallExpr:
		if f, is := n.Fun.(*ast.Ident); is && f.Name == "problem" {
			for _, a := range n.Args {
				add(a)
			}
		}
		for _, plain := range []string{"plain", "Plain", "refuse"} {
			if len(n.Args) == 0 || !named(n.Fun, plain) {
				continue
			}
			if status, is := n.Args[0].(*ast.SelectorExpr); is && strings.HasPrefix(status.Sel.Name, "Status") {
				codes = append(codes, codeOfStatus(status.Sel.Name))
			}
		}
	}
	return codes
}

// problemNames are constants that are codes, and whose names do not say so.
var problemNames = map[string]bool{
	"Unavailable": true, "NotAnswered": true, "UnknownMessage": true, "DiskFull": true, "Overloaded": true,
}

// codeOfStatus returns the code that a status alone makes, by the name of its constant.
func codeOfStatus(constant string) string {
	for status := range 600 {
		words := http.StatusText(status)
		if "Status"+strings.NewReplacer(" ", "", "-", "").Replace(words) == constant {
			return strings.ReplaceAll(strings.ToLower(words), " ", "-")
		}
	}
	return constant
}

const docs = "../../docs/errors.md"

// docs/errors.md holds the table as it is. Written anew by: go test ./api/problems -run Docs -update
func TestDocsHoldTheTable(t *testing.T) {
	var b strings.Builder
	fmt.Fprint(&b, "\n| code | HTTP | what it means | what to do |\n|---|---|---|---|\n")
	for _, r := range Table {
		status := ""
		if r.Status != 0 {
			status = strconv.Itoa(r.Status)
		}
		fmt.Fprintf(&b, "| <a id=\"%s\"></a>`%s` | %s | %s | %s |\n", r.Code, r.Code, status, r.Means, r.Do)
	}

	text, err := os.ReadFile(docs)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := "<!-- codes -->\n", "<!-- /codes -->\n"
	before, rest, has := strings.Cut(string(text), begin)
	was, after, closed := strings.Cut(rest, end)
	if !has || !closed {
		t.Fatalf("%s has no table", docs)
	}
	if was != b.String() && !*update {
		t.Errorf("%s is not the table; write it anew: go test ./api/problems -run Docs -update", docs)
	}
	if *update {
		if err := os.WriteFile(docs, []byte(before+begin+b.String()+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
