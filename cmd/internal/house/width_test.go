package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

const (
	width = 120 // columns, of which a tab has four
	tab   = "    "

	// perThousand is how many lines of a thousand may be wider. Lines of tables and those that
	// end with a struct tag are not counted.
	perThousand = 2
)

// tables are the package-level variables and constants that are read by column, one row a
// line, and why. A row that is cut in two is harder to read than one that is wide.
var tables = map[string]string{
	"api/audit/bundle.english":       "a sentence a row",
	"api/audit/bundle.style":         "a style sheet",
	"api/auth.Operations":            "an operation a row, with its roles",
	"api/nats/operator.commands":     "a subject a row",
	"api/nats/operator.questions":    "a subject a row",
	"api/problems.Table":             "a code a row",
	"api/report.sources":             "a source of law a row, with its Chinese",
	"api/wire/parse.consentKinds":    "a kind of event a row, with its example",
	"api/wire/parse.processingKinds": "a kind of event a row, with its example",
	"api/wire/parse.recordKinds":     "a kind of event a row, with its example",
	"api/wire/parse.screenKinds":     "a kind of event a row, with its example",
	"api/wire/parse.serviceKinds":    "a kind of event a row, with its example",
	"api/wire/parse.subjectKinds":    "a kind of event a row, with its example",
	"cmd/internal/migrate.rowKinds":  "a prefix of rows a row",
	"domain.LackRules":               "a rule a row",
	"domain.accessEvents":            "an event a row",
	"domain.appEvents":               "an event a row",
	"domain.consentEvents":           "an event a row",
	"domain.dutyEvents":              "an event a row",
	"domain.kindEvents":              "an event a row",
	"domain.personEvents":            "an event a row",
	"domain.requestEvents":           "an event a row",
	"domain/catalog.NoteRules":       "a note a row",
	"domain/catalog.StepRules":       "a step a row",
	"projections/activity.schema":    "SQL, whose text is part of the schema's hash",
	"projections/consents.schema":    "SQL, whose text is part of the schema's hash",
	"projections/requests.tables":    "SQL, whose text is part of the schema's hash",
	"projections/requests.views":     "SQL, whose text is part of the schema's hash",
}

// TestLinesAreNarrow holds how many lines of code, tests left out, are wider than a page.
func TestLinesAreNarrow(t *testing.T) {
	root := "../../.."
	lines, unused := 0, maps.Clone(tables)
	var wide []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}

		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		exempt, err := exemptLines(filepath.ToSlash(filepath.Dir(name)), text, unused)
		if err != nil {
			return err
		}

		for i, line := range strings.Split(string(text), "\n") {
			lines++
			if columns(line) > width && !exempt[i+1] {
				wide = append(wide, filepath.ToSlash(name))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}

	for name := range unused {
		t.Errorf("%s is listed as a table, and has no line wider than %d columns, or is not there any more", name, width)
	}
	if most := lines * perThousand / 1000; len(wide) > most {
		t.Errorf("%d lines of %d are wider than %d columns, want at most %d. Cut some of these, or list a table:",
			len(wide), lines, width, most)
		for _, name := range slices.Compact(wide) {
			t.Log(name, len(slices.DeleteFunc(slices.Clone(wide), func(s string) bool { return s != name })))
		}
	}
}

// exemptLines returns the lines of a file of a package that may be wide: of its tables, which
// it takes out of unused if one is, and of fields with a tag.
func exemptLines(dir string, text []byte, unused map[string]string) (map[int]bool, error) {
	files := token.NewFileSet()
	f, err := parser.ParseFile(files, dir, text, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}

	exempt, lines := map[int]bool{}, strings.Split(string(text), "\n")
	except := func(n ast.Node) (isWide bool) {
		for i := files.Position(n.Pos()).Line; i <= files.Position(n.End()).Line; i++ {
			exempt[i] = true
			isWide = isWide || columns(lines[i-1]) > width
		}
		return isWide
	}

	ast.Inspect(f, func(n ast.Node) bool {
		if field, is := n.(*ast.Field); is && field.Tag != nil {
			except(field.Tag)
		}
		return true
	})
	for _, d := range f.Decls {
		g, is := d.(*ast.GenDecl)
		if !is {
			continue
		}
		for _, s := range g.Specs {
			v, is := s.(*ast.ValueSpec)
			if !is {
				continue
			}
			name := dir + "." + v.Names[0].Name
			if _, is := tables[name]; is && except(v) {
				delete(unused, name)
			}
		}
	}
	return exempt, nil
}

func columns(line string) int { return utf8.RuneCountInString(strings.ReplaceAll(line, "\t", tab)) }
