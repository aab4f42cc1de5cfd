package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// kept are the floors whose shapes lie on disks.
var kept = []string{"../../../eventstore", "../../../projections"}

// A shape that lies on a disk names its members wherever it is made: one that is added in the midst
// would be written as another one otherwise, and the program would build.
func TestShapesOnDiskNameTheirMembers(t *testing.T) {
	shapes, literals := 0, 0
	for _, root := range kept {
		err := filepath.WalkDir(root, func(dir string, d fs.DirEntry, err error) error {
			if err != nil || !d.IsDir() || d.Name() == "testdata" {
				return err
			}
			files, set := parsed(t, dir)
			names := shapesIn(files)
			shapes += len(names)
			for _, f := range files {
				ast.Inspect(f, func(n ast.Node) bool {
					for _, lit := range literalsOf(n, names) {
						literals++
						if !keyed(lit) {
							t.Errorf("%s: name the members of what is written", set.Position(lit.Pos()))
						}
					}
					return true
				})
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if shapes < 50 || literals < 50 {
		t.Errorf("saw %d shapes and %d literals of them: this is not all", shapes, literals)
	}
}

// parsed reads the files of a folder, tests left out.
func parsed(t *testing.T, dir string) (files []*ast.File, set *token.FileSet) {
	t.Helper()
	set = token.NewFileSet()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range list {
		if !strings.HasSuffix(f.Name(), ".go") || strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		file, err := parser.ParseFile(set, filepath.Join(dir, f.Name()), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	return files, set
}

// shapesIn returns the structs of a package of which a member has a name in JSON.
func shapesIn(files []*ast.File) map[string]bool {
	names := map[string]bool{}
	for _, f := range files {
		ast.Inspect(f, func(n ast.Node) bool {
			of, is := n.(*ast.TypeSpec)
			if !is {
				return true
			}
			s, is := of.Type.(*ast.StructType)
			if !is {
				return true
			}
			for _, member := range s.Fields.List {
				if member.Tag == nil {
					continue
				}
				if _, has := reflect.StructTag(strings.Trim(member.Tag.Value, "`")).Lookup("json"); has {
					names[of.Name.Name] = true
				}
			}
			return true
		})
	}
	return names
}

// literalsOf returns the literals of shapes that a node is, or is a list of.
func literalsOf(n ast.Node, names map[string]bool) (all []*ast.CompositeLit) {
	lit, is := n.(*ast.CompositeLit)
	if !is {
		return nil
	}
	if isShape(lit.Type, names) {
		return []*ast.CompositeLit{lit}
	}
	list, is := lit.Type.(*ast.ArrayType)
	if !is || !isShape(list.Elt, names) {
		return nil
	}
	for _, e := range lit.Elts {
		if one, is := e.(*ast.CompositeLit); is && one.Type == nil {
			all = append(all, one)
		}
	}
	return all
}

func isShape(of ast.Expr, names map[string]bool) bool {
	name, is := of.(*ast.Ident)
	return is && names[name.Name]
}

// keyed reports whether every element of a literal names its member.
func keyed(lit *ast.CompositeLit) bool {
	for _, e := range lit.Elts {
		if _, named := e.(*ast.KeyValueExpr); !named {
			return false
		}
	}
	return true
}
