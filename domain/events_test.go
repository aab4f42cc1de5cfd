package domain_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	. "consentledger/domain"
	"consentledger/domain/cases"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/domain/refusal"
)

// declared returns the types of the package that have a method, and the file of each.
func declared(t *testing.T, method string) map[string]string {
	t.Helper()
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	types := map[string]string{}
	for _, entry := range files {
		name := entry.Name()
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv != nil && fn.Name.Name == method {
				types[fn.Recv.List[0].Type.(*ast.Ident).Name] = name
			}
		}
	}
	return types
}

func TestEveryEventHasOneRow(t *testing.T) {
	rows, names := map[string]bool{}, map[string]bool{}
	for _, r := range Events {
		of := reflect.TypeOf(r.Event).Name()
		if rows[of] || names[r.Name] {
			t.Errorf("%s (%s) has two rows in Events", of, r.Name)
		}
		rows[of], names[r.Name] = true, true
		if r.By == 0 || len(r.Nouns) == 0 {
			t.Errorf("the row of %s does not say who may send it, or where it is recorded", r.Name)
		}
	}
	types := declared(t, "isEvent")
	for name, file := range types {
		if !rows[name] {
			t.Errorf("%s: %s is an event, and has no row in a table that Events has", file, name)
		}
	}
	if len(types) != len(rows) {
		t.Errorf("%d types are events, and %d have a row", len(types), len(rows))
	}
}

func TestEveryCommandHasOneRow(t *testing.T) {
	rows := map[string]bool{}
	for _, r := range Commands {
		of := reflect.TypeOf(r.Command).Name()
		if rows[of] {
			t.Errorf("%s has two rows in Commands", of)
		}
		rows[of] = true
		if r.By == 0 || len(r.Nouns) == 0 {
			t.Errorf("the row of %s does not say who may send it, or who takes it", of)
		}
	}
	for name, file := range declared(t, "isCommand") {
		if !rows[name] {
			t.Errorf("%s: %s is a command, and has no row in Commands", file, name)
		}
	}
}

// folds fold a fact into the nothing that each noun begins with. What the ledger answered
// is folded by nobody.
var folds = map[ident.Noun]func(Fact){
	ident.ServiceNoun:  func(f Fact) { Service{}.Evolve(f) },
	ident.PolicyNoun:   func(f Fact) { Policies{}.Evolve(f) },
	ident.SubjectNoun:  func(f Fact) { Subject{}.Evolve(f) },
	ident.SurfaceNoun:  func(f Fact) { Surfaces{}.Evolve(f) },
	ident.RequestNoun:  func(f Fact) { cases.Request{}.Evolve(f) },
	ident.IncidentNoun: func(f Fact) { cases.Incident{}.Evolve(f) },
	ident.CalendarNoun: func(f Fact) { EvolveCalendars(deadline.Calendars{}, f) },
	ident.ObligationNoun: func(f Fact) {
		if _, took := (cases.Duties{}).Evolve(f); !took {
			panic("this is about no obligation")
		}
	},
}

func TestEveryNounFoldsTheEventsThatItsRowsSayAndNoOthers(t *testing.T) {
	for _, r := range Events {
		for noun, fold := range folds {
			failed := panics(func() { fold(Fact{Event: r.Event}) })
			switch says := slices.Contains(r.Nouns, noun); {
			case says && failed != "":
				t.Errorf("%s is recorded in streams of %s, whose fold fails: %s", r.Name, noun, failed)
			case !says && failed == "":
				t.Errorf("%s is folded in streams of %s, and its row does not say so", r.Name, noun)
			}
		}
	}
}

// decides lets each noun decide a command in the state with which it begins.
var decides = map[ident.Noun]func(Command) error{
	ident.ServiceNoun:    func(c Command) error { _, err := Service{}.Decide(c, Reference{}, 0, 0); return err },
	ident.PolicyNoun:     func(c Command) error { _, err := Policies{}.Decide(c, ident.By{}, 0); return err },
	ident.SubjectNoun:    func(c Command) error { _, err := Subject{}.Decide(c, Reference{}, 0, 0); return err },
	ident.SurfaceNoun:    func(c Command) error { _, err := Surfaces{}.Decide(c, Reference{}); return err },
	ident.RequestNoun:    func(c Command) error { _, err := cases.Request{}.Decide(c, cases.Reference{}, 0, 0); return err },
	ident.IncidentNoun:   func(c Command) error { _, err := cases.Incident{}.Decide(c, Reference{}, 0, 0); return err },
	ident.ObligationNoun: func(c Command) error { _, err := cases.Duties{}.Decide(c, Reference{}, 0, 0); return err },
	ident.CalendarNoun:   func(c Command) error { _, err := DecideCalendars(deadline.Calendars{}, c, ident.By{}); return err },
}

// commands are the rows of commands with what they need to be decided at all.
func commands() []CommandRule {
	list := slices.Clone(Commands)
	for i, r := range list {
		switch r.Command.(type) {
		case Say:
			list[i].Command = Say{PolicyEffective{}}
		case ChangePermission:
			list[i].Command = ChangePermission{Change: Granted}
		}
	}
	return list
}

func TestEveryNounTakesTheCommandsThatTheirRowsSayAndNoOthers(t *testing.T) {
	for _, r := range commands() {
		for noun, decide := range decides {
			if _, says := r.Command.(Say); says && slices.Contains(r.Nouns, noun) {
				continue // what is said decides
			}
			var err error
			if failed := panics(func() { err = decide(r.Command) }); failed != "" {
				t.Errorf("%T to a %s stream: %s", r.Command, noun, failed)
			}
			no, _ := err.(refusal.Refusal)
			wrong := no.Code == refusal.WrongStream && !strings.Contains(no.Text, "step")
			if takes := slices.Contains(r.Nouns, noun); wrong == takes {
				t.Errorf("%T to a %s stream: %v, and its row says %v", r.Command, noun, err, takes)
			}
		}
	}
}

func TestAnAppSendsOnlyWhatItsRowAdmits(t *testing.T) {
	refused := func(c Command) bool {
		_, err := Subject{}.Decide(c, Reference{By: ident.By{App: true}}, 0, 0)
		no, _ := err.(refusal.Refusal)
		return no.Code == refusal.NotForApps
	}
	for _, r := range commands() {
		if _, says := r.Command.(Say); !says && refused(r.Command) == (r.By == ByApp) {
			t.Errorf("%T is refused: %v, and its row says %s", r.Command, refused(r.Command), r.By)
		}
	}
	for _, r := range Events {
		if may := r.By == ByApp || r.By == ByKind; refused(Say{r.Event}) == may {
			t.Errorf("%s is refused: %v, and its row says %s", r.Name, refused(Say{r.Event}), r.By)
		}
	}
}

func TestAnEventIsFoundByThePurposesThatItNames(t *testing.T) {
	const id policy.PurposeID = "ads"
	for _, r := range Events {
		e := reflect.New(reflect.TypeOf(r.Event)).Elem()
		named := false
		for i := range e.NumField() {
			switch f := e.Field(i); f.Interface().(type) {
			case policy.PurposeID:
				f.Set(reflect.ValueOf(id))
			case []policy.PurposeID:
				f.Set(reflect.ValueOf([]policy.PurposeID{id}))
			case []Item:
				f.Set(reflect.ValueOf([]Item{{Purpose: id}}))
			case policy.Scope:
				f.Set(reflect.ValueOf(policy.Scope{Purposes: []policy.PurposeID{id}}))
			default:
				continue
			}
			named = named || e.Type().Field(i).Name != "Stale" // of a policy, not of a person
		}
		ids, _ := PurposesOf(e.Interface().(Event), nil)
		if found := slices.Contains(ids, id); named != found {
			t.Errorf("%s names purposes: %v, and is found by them: %v; see its row", r.Name, named, found)
		}
	}
}

// panics returns with what a function panics.
func panics(f func()) (text string) {
	defer func() {
		if r := recover(); r != nil {
			text = fmt.Sprint(r)
		}
	}()
	f()
	return ""
}
