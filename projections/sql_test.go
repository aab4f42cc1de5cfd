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
	"consentledger/eventstore/codec"
	"consentledger/projections/consents"
	"consentledger/projections/projectiontest"
	"consentledger/projections/requests"
)

// views returns a directory of read models that have applied a history.
func views(t *testing.T) string {
	t.Helper()
	w, dir := projectiontest.NewTeller(t), t.TempDir()
	w.TellAll()
	w.Tell("ada0", domain.Say{Event: domain.Noted{Kind: "data.deleted", Fields: domain.Fields(map[string]string{"system": "crm", "method": "erased", "category": "position"})}})
	c, err := consents.Open(t.Context(), dir, w)
	if err != nil {
		t.Fatal(err)
	}
	r, err := requests.Open(t.Context(), dir)
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
	return dir
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
	word    = regexp.MustCompile("`([a-z_]+)`")
)

// TestThePageOnSQLIsRight runs every query of docs/sql.md, each of which finds
// something, and compares the columns that the page lists with those there are.
func TestThePageOnSQLIsRight(t *testing.T) {
	text, err := os.ReadFile("../docs/sql.md")
	if err != nil {
		t.Fatal(err)
	}
	dir, file, view := views(t), "", ""
	columns, queries := map[string][]string{}, 0 // by file and view
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\n")
		if m := section.FindStringSubmatch(line); m != nil {
			file = m[1]
		} else if m := opening.FindStringSubmatch(line); m != nil {
			view = file + " " + m[1]
			columns[view] = nil
		} else if m := query.FindStringSubmatch(line); m != nil {
			queries++
			answers(t, filepath.Join(dir, m[1]), strings.ReplaceAll(m[2], "'shop'", "'"+string(projectiontest.App)+"'"))
		} else if strings.HasPrefix(line, "| `") {
			for _, m := range word.FindAllStringSubmatch(strings.Split(line, "|")[1], -1) {
				columns[view] = append(columns[view], m[1])
			}
		}
	}
	if queries < 7 || len(columns) < 10 {
		t.Errorf("the page has %d queries and %d views", queries, len(columns))
	}
	for view, want := range columns {
		file, name, _ := strings.Cut(view, " ")
		if name == "voided" || name == "obligation_history" { // described in words
			want = nil
		}
		got := columnsOf(t, filepath.Join(dir, file), name)
		slices.Sort(want)
		if len(got) == 0 || want != nil && !slices.Equal(got, want) {
			t.Errorf("%s has the columns %v, the page says %v", view, got, want)
		}
	}
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
	r, err := requests.Open(t.Context(), dir)
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
	q := requests.Query{App: projectiontest.App, At: max(w.Time(), domain.Instant(now))}
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
