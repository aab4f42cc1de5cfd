package projections_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/policy"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/postgres/pgserver/pgservertest"
	"consentledger/projections/consents"
	"consentledger/projections/projectiontest"
	"consentledger/projections/readmodel"
	"consentledger/projections/requests"
)

// views has read models in a place apply a history.
func views(t *testing.T, place readmodel.Place) {
	t.Helper()
	w := projectiontest.NewTeller(t)
	w.TellAll()
	w.Tell("ada0", domain.Say{Event: domain.Noted{Kind: "data.deleted", Fields: policy.Fields(map[string]string{"system": "crm", "method": "erased", "category": "position"})}})
	c, err := consents.Open(t.Context(), place, w)
	if err != nil {
		t.Fatal(err)
	}
	r, err := requests.Open(t.Context(), place)
	if err != nil {
		t.Fatal(err)
	}
	for _, apply := range []func(context.Context, []codec.Entry) error{c.Apply, r.Apply} {
		if err := apply(t.Context(), w.Entries()); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(c.Close(), r.Close()); err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, file string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+file+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

var (
	section = regexp.MustCompile(`^## views/([a-z]+\.sqlite)$`)
	opening = regexp.MustCompile(`^\*\*([a-z_]+)\*\* `)
	query   = regexp.MustCompile(`^    sqlite3 -readonly views/([a-z]+\.sqlite) "(.*)"$`)
	psql    = regexp.MustCompile(`^    psql -c "(.*)"$`)
	word    = regexp.MustCompile("`([a-z_]+)`")
)

// A page is what docs/sql.md says.
type page struct {
	columns map[string][]string // by file and view
	queries []question
	psql    []string // of PostgreSQL
}

// A question is a query of a file.
type question struct{ file, text string }

func readPage(t *testing.T) page {
	t.Helper()
	text, err := os.ReadFile("../docs/sql.md")
	if err != nil {
		t.Fatal(err)
	}
	p, file, view := page{columns: map[string][]string{}}, "", ""
	app := func(query string) string {
		return strings.ReplaceAll(query, "'shop'", "'"+string(projectiontest.App)+"'")
	}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\n")
		if m := section.FindStringSubmatch(line); m != nil {
			file = m[1]
		} else if m := opening.FindStringSubmatch(line); m != nil {
			view = file + " " + m[1]
			p.columns[view] = nil
		} else if m := query.FindStringSubmatch(line); m != nil {
			p.queries = append(p.queries, question{m[1], app(m[2])})
		} else if m := psql.FindStringSubmatch(line); m != nil {
			p.psql = append(p.psql, app(m[1]))
		} else if strings.HasPrefix(line, "| `") {
			for _, m := range word.FindAllStringSubmatch(strings.Split(line, "|")[1], -1) {
				p.columns[view] = append(p.columns[view], m[1])
			}
		}
	}
	if len(p.queries) < 7 || len(p.columns) < 10 || len(p.psql) < 3 {
		t.Errorf("the page has %d and %d queries and %d views", len(p.queries), len(p.psql), len(p.columns))
	}
	return p
}

// holds compares the columns that the page lists with those there are.
func (p page) holds(t *testing.T, columns func(file, view string) []string) {
	t.Helper()
	for view, want := range p.columns {
		file, name, _ := strings.Cut(view, " ")
		if name == "voided" || name == "obligation_history" { // described in words
			want = nil
		}
		got := columns(file, name)
		slices.Sort(want)
		if len(got) == 0 || want != nil && !slices.Equal(got, want) {
			t.Errorf("%s has the columns %v, the page says %v", view, got, want)
		}
	}
}

// TestThePageOnSQLIsRight runs every query of docs/sql.md, each of which finds
// something, and compares the columns that the page lists with those there are.
func TestThePageOnSQLIsRight(t *testing.T) {
	p, dir := readPage(t), t.TempDir()
	views(t, readmodel.Dir(dir))
	for _, q := range p.queries {
		answers(t, filepath.Join(dir, q.file), q.text)
	}
	p.holds(t, func(file, view string) []string { return columnsOf(t, filepath.Join(dir, file), view) })
}

// TestThePageOnSQLIsRightForPostgreSQL runs the same queries there, and those that the
// page has for it, as the role that may read the views alone.
func TestThePageOnSQLIsRightForPostgreSQL(t *testing.T) {
	p, server := readPage(t), pgservertest.Serve(t)
	ask := func(script string) string {
		t.Helper()
		said, err := server.SQL(t.Context(), "postgres", script)
		if err != nil {
			t.Errorf("%s: %v", script, err)
		}
		return strings.TrimSpace(said)
	}
	ask("CREATE ROLE dashboard")
	views(t, projectiontest.Database(t, server, readmodel.Options{Name: "consentledger", ReadRole: "dashboard"}))

	const reader = "SET ROLE dashboard; SET search_path = consentledger_views; "
	all := slices.Clone(p.psql)
	for _, q := range p.queries {
		if !strings.Contains(q.text, "strftime") { // SQLite's own
			all = append(all, q.text)
		}
	}
	for _, q := range all {
		if ask(reader+q) == "" && !strings.Contains(q, "'overdue'") {
			t.Errorf("%s: found nothing", q)
		}
	}
	p.holds(t, func(_, view string) []string {
		return strings.Fields(ask("SELECT column_name FROM information_schema.columns WHERE table_schema = 'consentledger_views' AND table_name = '" +
			view + "' ORDER BY column_name COLLATE \"C\""))
	})
}

// answers runs a query that is to find something.
func answers(t *testing.T, file, query string) {
	t.Helper()
	rows, err := open(t, file).QueryContext(t.Context(), query)
	if err != nil {
		t.Errorf("%s: %v", query, err)
		return
	}
	defer rows.Close()
	if !rows.Next() && !strings.Contains(query, "'overdue'") {
		t.Errorf("%s: found nothing, %v", query, rows.Err())
	}
}

func columnsOf(t *testing.T, file, view string) (names []string) {
	t.Helper()
	rows, err := open(t, file).QueryContext(t.Context(), "SELECT name FROM pragma_table_info(?) ORDER BY name", view)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	return names
}

// TestObligationsInSQLAreThoseOfTheReport compares what the views say with what the
// projection answers.
func TestObligationsInSQLAreThoseOfTheReport(t *testing.T) {
	w, dir := projectiontest.NewTeller(t), t.TempDir()
	w.TellAll()
	r, err := requests.Open(t.Context(), readmodel.Dir(dir))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := r.Apply(t.Context(), w.Entries()); err != nil {
		t.Fatal(err)
	}
	db := open(t, filepath.Join(dir, "requests.sqlite"))
	var now int64
	if err := db.QueryRowContext(t.Context(), "SELECT cast((julianday('now') - 2440587.5) * 86400000 AS INTEGER)").Scan(&now); err != nil {
		t.Fatal(err)
	}
	text := func(query string, args ...any) string {
		t.Helper()
		var s sql.NullString
		if err := db.QueryRowContext(t.Context(), query, args...).Scan(&s); err != nil {
			t.Fatalf("%s %v: %v", query, args, err)
		}
		return s.String
	}
	listed := 0
	q := requests.Query{App: projectiontest.App, At: max(w.Time(), deadline.Instant(now))}
	_, err = r.Each(t.Context(), q, func(o requests.Obligation) error {
		listed++
		want := fmt.Sprint(o.State, "|", o.Kind, "|", strings.Join(o.Types, "+"), "|", o.Rule, "|", o.Due.Date, "|", int64(o.Due.Until), "|", o.Due.Safe, "|", len(o.Moves), "|", o.Binding, "|",
			int64(o.Met), "|", o.Person, "|", o.Events[0], "|", len(o.Events), "|", o.CauseEvent, "|", o.Revision)
		got := text(`SELECT state || '|' || kind || '|' || coalesce(replace(trim(types, ','), ',', '+'), '') || '|' || rule || '|' || coalesce(due_date, '') || '|' || coalesce(due, 0) || '|' ||
			coalesce(safe_target, '') || '|' || moves || '|' || iif(binding, 'true', 'false') || '|' || coalesce(met_at, 0) || '|' || coalesce(person, '') || '|' ||
			event || '|' || events || '|' || coalesce(cause_event, '') || '|' || revision FROM obligations WHERE app = ? AND stream = ? AND id = ? AND NOT test`,
			string(o.App), o.Stream, o.ID)
		if got != want {
			t.Errorf("%s %s: the view says %s, the report %s", o.Stream, o.ID, got, want)
		}
		for i, m := range o.Moves {
			want := fmt.Sprint(m.Why, "|", m.Was, "|", m.Is)
			got := text(`SELECT why || '|' || coalesce(was_date, '') || '|' || coalesce(due_date, '') FROM obligation_moves WHERE stream = ? AND id = ? AND place = ?`, o.Stream, o.ID, i+1)
			if got != want {
				t.Errorf("%s %s: move %d is %s, the report says %s", o.Stream, o.ID, i+1, got, want)
			}
		}
		return nil
	})
	if err != nil || listed == 0 || fmt.Sprint(listed) != text("SELECT count(*) FROM obligations WHERE NOT test") {
		t.Errorf("the report lists %d, the view %s, %v", listed, text("SELECT count(*) FROM obligations WHERE NOT test"), err)
	}
}
