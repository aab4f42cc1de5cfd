package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"consentledger/eventstore"
	"consentledger/eventstore/postgres"
	"consentledger/eventstore/postgres/pgserver"
	"consentledger/eventstore/storetest"
)

// openRows opens rows at an address until t ends.
func openRows(t testing.TB, address string, o postgres.Options) *postgres.Rows {
	t.Helper()
	a, err := postgres.ParseAddress(address)
	if err != nil {
		t.Fatal(err)
	}
	r, err := postgres.OpenRows(a, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if err := r.Fault(); err != nil && !t.Failed() {
			t.Log(err)
		}
	})
	return r
}

func TestRows(t *testing.T) {
	storetest.RunRows(t, func(t *testing.T) eventstore.Rows {
		leavesNothing(t)
		return openRows(t, common.Address("postgres"), postgres.Options{Name: newName()})
	})
}

// TestAScanReadsWhatItYields: a person's rows are looked for by a prefix again and
// again, and however many rows come behind them, none of those is read.
func TestAScanReadsWhatItYields(t *testing.T) {
	leavesNothing(t)
	name := newName()
	r := openRows(t, common.Address("postgres"), postgres.Options{Name: name})
	var c eventstore.Change
	for i := range 2000 {
		c.Put = append(c.Put, eventstore.Row{Key: fmt.Appendf(nil, "v/%04d/row", i), Value: []byte("value")})
	}
	if err := r.Write(t.Context(), c); err != nil {
		t.Fatal(err)
	}

	conn, err := pgx.Connect(t.Context(), common.Address("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	// As the server plans it once it has met the statement a few times: for any arguments.
	if _, err := conn.Exec(t.Context(), "SET plan_cache_mode = force_generic_plan"); err != nil {
		t.Fatal(err)
	}
	for i, first := range []string{">=", ">"} {
		statement, arguments := r.ScanOf(first, []byte("v/0007/"))
		if _, err := conn.Exec(t.Context(), fmt.Sprintf("PREPARE scan%d (bytea, bytea, int, int) AS %s", i, statement)); err != nil {
			t.Fatal(err)
		}
		rows, err := conn.Query(t.Context(), fmt.Sprintf("EXPLAIN (ANALYZE, TIMING OFF) EXECUTE scan%d ('\\x%x', '\\x%x', %d, %d)",
			append([]any{i}, arguments...)...))
		if err != nil {
			t.Fatal(err)
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		plan := strings.Join(lines, "\n")
		if strings.Contains(plan, "Rows Removed by Filter") || !strings.Contains(plan, "(actual rows=1 ") {
			t.Errorf("%s:\n%s", first, plan)
		}
	}
}

// twoRows are rows that two processes have open: each call is made by the other one
// than the call before.
type twoRows struct {
	of    [2]*postgres.Rows
	calls atomic.Int64
}

func (r *twoRows) next() *postgres.Rows { return r.of[r.calls.Add(1)%2] }

func (r *twoRows) Get(ctx context.Context, key []byte) ([]byte, bool, error) {
	return r.next().Get(ctx, key)
}
func (r *twoRows) Write(ctx context.Context, c eventstore.Change) error {
	return r.next().Write(ctx, c)
}
func (r *twoRows) Sync(ctx context.Context) error { return r.next().Sync(ctx) }
func (r *twoRows) Purge(ctx context.Context, prefixes ...[]byte) error {
	return r.next().Purge(ctx, prefixes...)
}
func (r *twoRows) Scan(ctx context.Context, prefix []byte) iter.Seq2[eventstore.Row, error] {
	return r.next().Scan(ctx, prefix)
}

// TestRowsOfTwo is the contract where two processes have the rows open.
func TestRowsOfTwo(t *testing.T) {
	storetest.RunRows(t, func(t *testing.T) eventstore.Rows {
		leavesNothing(t)
		o := postgres.Options{Name: newName()}
		return &twoRows{of: [2]*postgres.Rows{openRows(t, common.Address("postgres"), o), openRows(t, common.Address("postgres"), o)}}
	})
}

// TestLongScan has more rows than one statement reads, by number and by size.
func TestLongScan(t *testing.T) {
	r := openRows(t, common.Address("postgres"), postgres.Options{Name: newName()})
	var c eventstore.Change
	for n := range 2500 {
		value := make([]byte, 1)
		if n%500 == 250 {
			value = make([]byte, 3<<20)
		}
		c.Put = append(c.Put, eventstore.Row{Key: fmt.Appendf(nil, "a%04d", n), Value: value})
	}
	check(t, "write", r.Write(t.Context(), c))
	n := 0
	for row, err := range r.Scan(t.Context(), []byte("a")) {
		check(t, "scan", err)
		if want := c.Put[n]; string(row.Key) != string(want.Key) || len(row.Value) != len(want.Value) {
			t.Fatalf("row %d is %q with %d bytes, want %q with %d", n, row.Key, len(row.Value), want.Key, len(want.Value))
		}
		n++
	}
	if n != len(c.Put) {
		t.Errorf("it yields %d rows, want %d", n, len(c.Put))
	}
	long := make([]byte, 2001)
	says(t, r.Write(t.Context(), eventstore.Change{Put: []eventstore.Row{{Key: long}}}), "at most 2000 bytes", "2001")
	if err := r.Write(t.Context(), eventstore.Change{Present: [][]byte{long[:2000]}}); !errors.Is(err, eventstore.ErrCondition) {
		t.Errorf("the longest key: %v", err)
	}
}

// session is a connection of somebody else's to a server, until t ends.
func session(t testing.TB, s *pgserver.Server) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(t.Context(), s.Address("postgres"))
	check(t, "connect", err)
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	return c
}

// TestRowsRights has rows whose schema somebody else has made.
func TestRowsRights(t *testing.T) {
	name := newName()
	sql(t, common, "CREATE ROLE "+name+" LOGIN")
	address := fmt.Sprintf("host=%s user=%s dbname=postgres", common.Dir(), name)
	schema, err := postgres.RowsSchema(name)
	check(t, "schema", err)
	sql(t, common, schema)
	ready := func() error {
		r := openRows(t, address, postgres.Options{Name: name})
		defer r.Close()
		return r.Ready(within(t, time.Minute))
	}
	err = ready()
	says(t, err, "lacks rights", "GRANT USAGE ON SCHEMA", fmt.Sprintf(`ALTER TABLE "%[1]s".rows_v1_7 OWNER TO "%[1]s"`, name))
	_, grants, _ := strings.Cut(err.Error(), "as the owner of the schema, ")
	for _, grant := range strings.Split(strings.TrimRight(grants, ")"), "; ") {
		says(t, ready(), grant)
		sql(t, common, grant)
	}

	r := openRows(t, address, postgres.Options{Name: name})
	row := eventstore.Row{Key: []byte("a"), Value: []byte("1")}
	check(t, "write", r.Write(t.Context(), eventstore.Change{Put: []eventstore.Row{row}}))
	check(t, "delete", r.Write(t.Context(), eventstore.Change{Delete: [][]byte{row.Key}}))
	check(t, "purge", r.Purge(within(t, 2*time.Minute)))

	// The table is somebody else's again, who lets the user do all but write it anew.
	check(t, "write", r.Write(t.Context(), eventstore.Change{Put: []eventstore.Row{row}}))
	check(t, "delete", r.Write(t.Context(), eventstore.Change{Delete: [][]byte{row.Key}}))
	sql(t, common, fmt.Sprintf("DO $$ BEGIN FOR i IN 0..15 LOOP EXECUTE format('ALTER TABLE %[1]s.rows_v1_%%s OWNER TO bench; GRANT ALL ON %[1]s.rows_v1_%%s TO %[1]s', i, i); END LOOP; END $$", name))
	says(t, r.Purge(within(t, 2*time.Minute)), "OWNER TO")
}

// TestRowsChanged has somebody put an old copy in the place of the rows.
func TestRowsChanged(t *testing.T) {
	for _, tt := range []struct{ name, change, says string }{
		{"they are older", "UPDATE %s.turn_v1 SET number = 2", "had been changed 3 times"},
		{"they are others", "UPDATE %s.turn_v1 SET id = gen_random_uuid()", "and it was"},
		{"they are gone", "DROP SCHEMA %s CASCADE", "there was change 3 of the rows"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			name := newName()
			r := openRows(t, common.Address("postgres"), postgres.Options{Name: name})
			for range 3 {
				check(t, "write", r.Write(t.Context(), eventstore.Change{Put: []eventstore.Row{{Key: []byte("a"), Value: []byte("1")}}}))
			}
			sql(t, common, fmt.Sprintf(tt.change, name))
			again := openRows(t, common.Address("postgres"), postgres.Options{Name: name, Seen: r.Seen()})
			says(t, again.Ready(within(t, time.Minute)), "history was changed", tt.says)
			says(t, again.Write(within(t, time.Minute), eventstore.Change{Delete: [][]byte{[]byte("a")}}), "history was changed")
			if again.Fault() == nil {
				t.Error("it is not red")
			}
		})
	}
}
