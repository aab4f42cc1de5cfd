package auth

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"consentledger/domain/ident"
)

var update = flag.Bool("update", false, "write the tables of docs/access.md anew")

func TestTheTableIsWhole(t *testing.T) {
	used, allowed := map[Operation]bool{ManageKeys: true}, map[Role]bool{}
	for _, r := range Routes {
		if used[r.Operation] = true; r.Scope == 0 {
			t.Errorf("%s has no scope", r.Pattern)
		}
		if of := strings.Contains(r.Pattern, "{app}"); of != (r.Scope == OfApp) && r.Operation != Public {
			t.Errorf("%s: scope %d", r.Pattern, r.Scope)
		}
	}
	for _, s := range Subjects {
		used[s.Operation] = true
	}
	operate, _ := rowOf(Operate)
	seen := map[Operation]bool{}
	for _, row := range Operations {
		if (row.Persons == Two) != (len(row.Events) > 0) {
			t.Errorf("%s takes %s persons, and records %v", row.Operation, row.Persons, row.Events)
		}
		if row.Persons == Two {
			used[row.Operation] = true // by its events

			// Its events come by the routes of operators: whoever may use these may propose it.
			if !slices.Equal(row.Roles, operate.Roles) {
				t.Errorf("%s is for %v, and the route that its events come by for %v", row.Operation, row.Roles, operate.Roles)
			}
		}
		if !used[row.Operation] || seen[row.Operation] {
			t.Errorf("%s is used by nothing, or stands twice", row.Operation)
		}
		seen[row.Operation] = true
		if (row.Open || row.Any) == (len(row.Roles) > 0) || row.Says == "" {
			t.Errorf("%s: %+v", row.Operation, row)
		}
		for _, role := range row.Roles {
			allowed[role] = true
			if _, err := ParseRole(string(role)); err != nil {
				t.Errorf("%s: %v", row.Operation, err)
			}
		}
	}
	for op := range used {
		if !seen[op] {
			t.Errorf("%s has no row", op)
		}
	}
	for _, r := range Roles {
		if !allowed[r.Role] {
			t.Errorf("%s may do nothing", r.Role)
		}
	}
}

// Nobody may publish or listen in an app that is not theirs, whatever pattern covers it.
// What a person wrote in a request is read by whoever may have it in a bundle, and by nobody else
// who may see the request.
func TestARequestIsRevealedToWhoMayTakeEvidenceAway(t *testing.T) {
	reveal, has := RouteOf("POST", "/v1/apps/{app}/requests/{id}/reveal")
	if !has || reveal.Scope != OfApp {
		t.Fatalf("its route is %+v", reveal)
	}
	for _, r := range Roles {
		p := Principal{Bindings: []Binding{{Roles: []Role{r.Role}}}}
		if may, want := p.May(reveal.Operation), r.Role == Officer || r.Role == Auditor; may != want {
			t.Errorf("%s may read it: %v, want %v", r.Role, may, want)
		}
	}
}

func TestSubjectsOfOthersAreCoveredByNone(t *testing.T) {
	p := Principal{Key: "k", Bindings: []Binding{{
		Roles: []Role{Writer, AppReader, Officer, Support, Approver, Auditor, Regulator, Viewer}, Apps: []ident.AppName{"shop"},
	}}}
	publish, subscribe := p.Permissions()
	if len(publish) < 20 || len(subscribe) != 2 {
		t.Errorf("%d subjects to publish, %v to listen", len(publish), subscribe)
	}
	for _, s := range slices.Concat(publish, subscribe) {
		if !strings.HasPrefix(s, "consent.v1.shop.") && s != "$SRV.PING" && s != "_INBOX.k.>" {
			t.Errorf("it may use %s", s)
		}
		if strings.HasPrefix(s, "$JS") || strings.HasPrefix(s, "$KV") || strings.Contains(s, ".rejected") {
			t.Errorf("it may use %s", s)
		}
	}
	for _, s := range []string{"consent.v1.shop.out.>", "consent.v1.shop.rejected"} {
		if slices.Contains(publish, s) {
			t.Errorf("it may speak as the ledger: %s", s)
		}
	}
	p.Bindings[0].Apps = []ident.AppName{"*", ">", "shop.>", ""} // as no key is issued
	if publish, subscribe := p.Permissions(); len(publish) != 1 || len(subscribe) != 1 {
		t.Errorf("%v %v", publish, subscribe)
	}
	if publish, subscribe := (Principal{Key: "k", Bindings: []Binding{{Roles: []Role{Administrator}, AllApps: true}}}).Permissions(); slices.ContainsFunc(publish, func(s string) bool {
		return !strings.Contains(s, ".operate.") && !strings.Contains(s, ".query.") && s != "$SRV.PING"
	}) || len(subscribe) != 1 {
		t.Errorf("an administrator: %v %v", publish, subscribe)
	}
}

const page = "../../docs/access.md"

// docs/access.md holds the table as it is. Written anew by: go test ./api/auth -run Docs -update
func TestDocsHoldTheTable(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	written := string(text)
	for name, table := range map[string]string{"roles": roleTable(), "operations": operationTable(), "routes": routeTable(), "subjects": subjectTable()} {
		begin, end := "<!-- "+name+" -->\n", "<!-- /"+name+" -->"
		before, rest, has := strings.Cut(written, begin)
		was, after, closed := strings.Cut(rest, end)
		if !has || !closed {
			t.Fatalf("%s has no part %s", page, name)
		}
		if was != table && !*update {
			t.Errorf("%s: the %s are not those of the table; write them anew: go test ./api/auth -run Docs -update", page, name)
		}
		written = before + begin + table + end + after
	}
	if *update {
		if err := os.WriteFile(page, []byte(written), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func roleTable() string {
	b := new(strings.Builder)
	fmt.Fprint(b, "| role | |\n|---|---|\n")
	for _, r := range Roles {
		fmt.Fprintf(b, "| `%s` | %s |\n", r.Role, r.Says)
	}
	return b.String()
}

func operationTable() string {
	b := new(strings.Builder)
	fmt.Fprint(b, "| operation | what | who may | persons |\n|---|---|---|---|\n")
	for _, row := range Operations {
		may := who(row.Roles)
		switch {
		case row.Open:
			may = "everybody, without a key"
		case row.Any:
			may = "every role"
		}
		persons := row.Persons.String()
		if row.Persons == Two {
			persons = "two: `" + strings.Join(row.Events, "`, `") + "`"
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", row.Operation, row.Says, may, persons)
	}
	return b.String()
}

func routeTable() string {
	in := map[Scope]string{OfApp: "the app in the path", OfQuery: "the app in the query, else all", OfBody: "the app in the body, else all", OfAll: "all apps", OfNone: ""}
	b := new(strings.Builder)
	fmt.Fprint(b, "| route | operation | the key is for |\n|---|---|---|\n")
	for _, r := range Routes {
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", r.Pattern, r.Operation, in[r.Scope])
	}
	return b.String()
}

func subjectTable() string {
	b := new(strings.Builder)
	fmt.Fprint(b, "| subject | operation | |\n|---|---|---|\n")
	for _, s := range Subjects {
		what := ""
		switch {
		case s.Listens:
			what = "to listen"
		case s.AllApps:
			what = "a key for all apps"
		}
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", s.Subject, s.Operation, what)
	}
	return b.String()
}
