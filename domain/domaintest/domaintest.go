// Package domaintest holds what reads events elsewhere to the table of events.
package domaintest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"consentledger/domain"
)

// Cases fails if functions of the tested package have no case for an event of which the
// table of events says that their view depends on it, or have one for an event of which
// the table does not say so. It reads their source: each is named by its file and itself,
// as in "word.go wordIn", and between them they have every case.
func Cases(t *testing.T, view domain.Views, functions ...string) {
	t.Helper()
	cases := map[string]bool{}
	for _, place := range functions {
		file, name, _ := strings.Cut(place, " ")
		for _, event := range casesIn(t, file, name) {
			cases[event] = true
		}
	}

	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	where := filepath.Base(dir) + ": " + strings.Join(functions, ", ")
	for _, r := range domain.Events {
		event := reflect.TypeOf(r.Event).Name()
		switch depends := r.Views.Has(view); {
		case depends && !cases[event]:
			t.Errorf("%s: domain.%s has no case, and its row in domain.Events says that this depends on it", where,
				event)
		case !depends && cases[event]:
			t.Errorf("%s: domain.%s has a case, and its row in domain.Events does not say that this depends on it",
				where, event)
		}
	}
}

// casesIn returns the types of package domain that the type switches of a function name.
func casesIn(t *testing.T, file, name string) (types []string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}

	i := slices.IndexFunc(f.Decls, func(d ast.Decl) bool {
		fn, ok := d.(*ast.FuncDecl)
		return ok && fn.Name.Name == name
	})
	if i < 0 {
		t.Fatalf("%s has no function %s", file, name)
	}

	ast.Inspect(f.Decls[i], func(n ast.Node) bool {
		if s, ok := n.(*ast.TypeSwitchStmt); ok {
			for _, clause := range s.Body.List {
				for _, of := range clause.(*ast.CaseClause).List {
					if sel, ok := of.(*ast.SelectorExpr); ok {
						types = append(types, sel.Sel.Name)
					}
				}
			}
		}
		return true
	})
	return types
}
