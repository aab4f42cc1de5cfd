package readmodel_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/postgres"
	"consentledger/eventstore/postgres/pgserver"
	"consentledger/eventstore/postgres/pgserver/pgservertest"
	"consentledger/projections/readmodel"
)

// names is how many databases there were.
var names atomic.Int64

// common is the server of all tests that do no harm to theirs.
var common *pgserver.Server

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "pg")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	if err = os.Chmod(dir, 0o755); err == nil {
		common, err = pgservertest.Make(context.Background(), dir+"/one", "fsync = off")
	}
	if err != nil {
		panic(err)
	}
	defer common.Stop(context.Background(), true)
	return m.Run()
}

// database returns read models at an address, which no other test has.
func database(t *testing.T, address string, o readmodel.Options) *readmodel.Database {
	t.Helper()
	at, err := postgres.ParseAddress(address)
	if err != nil {
		t.Fatal(err)
	}
	if o.Name == "" {
		o.Name = fmt.Sprint("t", names.Add(1))
	}
	d, err := readmodel.NewDatabase(at, o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// shapes are two of one read model, of which the view has another column each.
const (
	oldShape = `CREATE TABLE t (k INTEGER PRIMARY KEY, v TEXT NOT NULL) WITHOUT ROWID; CREATE VIEW seen AS SELECT k, v FROM t;`
	newShape = `CREATE TABLE t (k INTEGER PRIMARY KEY, v TEXT NOT NULL, w BLOB) WITHOUT ROWID; CREATE VIEW seen AS SELECT v, k, hex(w) AS w FROM t;`
)

func opened(t *testing.T, place readmodel.Place, schema string) *readmodel.DB {
	t.Helper()
	db, err := readmodel.Open(t.Context(), place, "x", schema)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// put applies the entry of a position, which adds a row.
func put(t *testing.T, db *readmodel.DB, p eventstore.Position) error {
	t.Helper()
	return db.Apply(t.Context(), []codec.Entry{{Position: p}}, func(tx *readmodel.Tx) error {
		_, err := tx.Exec("INSERT INTO t (k, v) VALUES (?, 'row')", int64(p))
		return err
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// rows returns how many rows there are, and as of which position.
func rows(t *testing.T, db *readmodel.DB) (n int, at eventstore.Position, err error) {
	t.Helper()
	err = db.View(t.Context(), func(tx *readmodel.Tx, p eventstore.Position) error {
		at = p
		return tx.Row("SELECT count(*) FROM t", nil, &n)
	})
	return n, at, err
}

func ask(t *testing.T, s *pgserver.Server, script string) string {
	t.Helper()
	said, err := s.SQL(t.Context(), "postgres", script)
	must(t, err)
	return strings.TrimSpace(said)
}

// TestTwoThatBothWriteCannotApplyABatchTwice: one that still believes that it has the
// turn steps back.
func TestTwoThatBothWriteCannotApplyABatchTwice(t *testing.T) {
	d := database(t, common.Address("postgres"), readmodel.Options{})
	first, second := opened(t, d, oldShape), opened(t, d, oldShape)
	must(t, put(t, first, 3))
	for _, p := range []eventstore.Position{2, 3, 4} {
		if err := put(t, second, p); !errors.Is(err, readmodel.ErrOvertaken) {
			t.Errorf("position %d by who knows of nothing: %v", p, err)
		}
	}
	must(t, put(t, first, 5))

	second = opened(t, d, oldShape)
	must(t, put(t, second, 6))
	if err := put(t, first, 7); !errors.Is(err, readmodel.ErrOvertaken) {
		t.Errorf("by who was overtaken: %v", err)
	}
	if err := put(t, second, 6); err == nil || errors.Is(err, readmodel.ErrOvertaken) {
		t.Errorf("an entry once more: %v", err)
	}
	must(t, put(t, second, 7))
	if n, at, err := rows(t, first); n != 4 || at != 7 || err != nil {
		t.Errorf("%d rows as of %d, %v", n, at, err)
	}
}

// TestACheckpointThatWentBackIsNotSkippedOver: a standby that took over may have lost
// the last transactions, and who has made them does not go on behind them.
func TestACheckpointThatWentBackIsNotSkippedOver(t *testing.T) {
	d := database(t, common.Address("postgres"), readmodel.Options{})
	db := opened(t, d, oldShape)
	must(t, put(t, db, 3))
	must(t, put(t, db, 4))
	ask(t, common, fmt.Sprintf(`UPDATE "%s".meta SET position = 3; DELETE FROM "%s".t WHERE k = 4`, d.Turn("x").Name, d.Turn("x").Name))
	if err := put(t, db, 5); !errors.Is(err, readmodel.ErrOvertaken) {
		t.Errorf("behind what was lost: %v", err)
	}
}

// TestReadersAreToldOfAnotherWriter, whose entries may be others.
func TestReadersAreToldOfAnotherWriter(t *testing.T) {
	d := database(t, common.Address("postgres"), readmodel.Options{})
	writer := func() (is string) {
		must(t, opened(t, d, oldShape).View(t.Context(), func(tx *readmodel.Tx, _ eventstore.Position) error {
			is = tx.Writer()
			return nil
		}))
		return is
	}
	first := opened(t, d, oldShape)
	must(t, put(t, first, 1))
	one := writer()
	must(t, put(t, first, 2))
	same := writer()
	must(t, put(t, opened(t, d, oldShape), 3))
	if other := writer(); one == "" || same != one || other == one {
		t.Errorf("the writers are %q, %q and %q", one, same, other)
	}
}

// TestANewShapeIsShownOnceItIsComplete: the views show the old one until the new one
// has read as much, and the role that reads may read them all along, and nothing else.
func TestANewShapeIsShownOnceItIsComplete(t *testing.T) {
	ask(t, common, "CREATE ROLE dashboard")
	d := database(t, common.Address("postgres"), readmodel.Options{Name: "shown", ReadRole: "dashboard"})
	old := opened(t, d, oldShape)
	oldTurn := d.Turn("x")
	for p := range eventstore.Position(5) {
		must(t, put(t, old, p+1))
	}
	const all = "SET ROLE dashboard; SELECT string_agg(k::text, ',' ORDER BY k) FROM shown_views.seen; SELECT * FROM shown_views.positions"
	if got := ask(t, common, all); got != "1,2,3,4,5\nx|5" {
		t.Errorf("the views show %q", got)
	}

	next := opened(t, d, newShape)
	shape := d.Turn("x").Name
	for p := range eventstore.Position(4) {
		must(t, put(t, next, p+1))
		if got := ask(t, common, all); got != "1,2,3,4,5\nx|5" {
			t.Errorf("while it is built the views show %q", got)
		}
	}
	if n, at, err := rows(t, next); n != 4 || at != 4 || err != nil {
		t.Errorf("the new shape has %d rows as of %d, %v", n, at, err)
	}

	// Another process of the old version works: its shape is not taken away from it.
	working, end := context.WithCancel(t.Context())
	begun, ended := make(chan bool), make(chan error, 1)
	go func() {
		ended <- oldTurn.Run(working, func(ctx context.Context) error {
			begun <- true
			<-ctx.Done()
			return nil
		})
	}()
	<-begun
	must(t, put(t, next, 5))
	must(t, put(t, next, 6))
	if got := ask(t, common, "SET ROLE dashboard; SELECT k, v, w FROM shown_views.seen WHERE k > 5; SELECT * FROM shown_views.positions"); got != "6|row|\nx|6" {
		t.Errorf("once it was built the views show %q", got)
	}
	must(t, put(t, old, 6))
	end()
	<-ended

	// The third is the first once more. Nobody works with the second any more.
	if err := next.Close(); err != nil {
		t.Error(err)
	}
	must(t, put(t, opened(t, d, oldShape), 7))
	if got := ask(t, common, "SELECT count(*) FROM pg_namespace WHERE nspname = '"+shape+"'"); got != "0" {
		t.Errorf("%s schemas of a shape that nobody has are left", got)
	}
	if got := ask(t, common, "SET ROLE dashboard; SELECT max(k) FROM shown_views.seen"); got != "7" {
		t.Errorf("the views show up to %q", got)
	}
	for _, forbidden := range []string{
		fmt.Sprintf(`SELECT * FROM "%s".t`, d.Turn("x").Name), "SELECT * FROM shown_views.ledger", "DELETE FROM shown_views.seen",
	} {
		if said, err := common.SQL(t.Context(), "postgres", "SET ROLE dashboard; "+forbidden); err == nil || !strings.Contains(err.Error(), "permission denied") {
			t.Errorf("%s: %s, %v", forbidden, said, err)
		}
	}
}

// TestWhatIsNotThereIsSaid: a role, a right, a name.
func TestWhatIsNotThereIsSaid(t *testing.T) {
	ask(t, common, "CREATE ROLE poor LOGIN; REVOKE CREATE ON DATABASE postgres FROM PUBLIC")
	for _, tt := range []struct {
		address string
		options readmodel.Options
		says    string
	}{
		{common.Address("postgres"), readmodel.Options{Name: "said", ReadRole: "nobody"}, `CREATE ROLE "nobody" LOGIN`},
		{strings.Replace(common.Address("postgres"), "bench", "poor", 1), readmodel.Options{Name: "said"}, "GRANT CREATE ON DATABASE"},
		{strings.Replace(common.Address("postgres"), "dbname=postgres", "dbname=none", 1), readmodel.Options{}, "which holds the read models"},
	} {
		_, err := readmodel.Open(t.Context(), database(t, tt.address, tt.options), "x", oldShape)
		if err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%+v: %v, want %q", tt.options, err, tt.says)
		}
	}
	at, err := postgres.ParseAddress(common.Address("postgres"))
	must(t, err)
	for _, bad := range []readmodel.Options{{Name: "Upper"}, {Name: "pg_mine"}, {Name: `a"b`}, {ReadRole: `a"b`}} {
		if _, err := readmodel.NewDatabase(at, bad); err == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
}

// TestReadModelsAreOfOneLedger.
func TestReadModelsAreOfOneLedger(t *testing.T) {
	d := database(t, common.Address("postgres"), readmodel.Options{})
	must(t, d.Belongs(t.Context(), "one"))
	must(t, d.Belongs(t.Context(), "one"))
	if err := d.Belongs(t.Context(), "another"); err == nil || !strings.Contains(err.Error(), "another ledger") {
		t.Errorf("another ledger: %v", err)
	}
}

// TestAServerThatWasAwayIsAskedAgain, by who has open what is there, without a hand.
func TestAServerThatWasAwayIsAskedAgain(t *testing.T) {
	server := pgservertest.Serve(t)
	d := database(t, server.Address("postgres"), readmodel.Options{})
	db := opened(t, d, oldShape)
	must(t, put(t, db, 1))
	if n, _, err := rows(t, db); n != 1 || err != nil {
		t.Fatalf("%d rows, %v", n, err)
	}
	must(t, server.Stop(t.Context(), false))
	for _, err := range []error{
		func() error { _, _, err := rows(t, db); return err }(), put(t, db, 2), func() error { _, err := db.Position(t.Context()); return err }(),
	} {
		away, is := errors.AsType[*readmodel.AwayError](err)
		if !is || !strings.Contains(err.Error(), "PostgreSQL at "+server.Dir()) || strings.Contains(away.At, "bench") {
			t.Errorf("while the server is away: %v", err)
		}
	}
	must(t, server.Start(t.Context()))
	if n, at, err := rows(t, db); n != 1 || at != 1 || err != nil {
		t.Errorf("afterwards: %d rows as of %d, %v", n, at, err)
	}
	must(t, put(t, db, 2))

	// A call does not outlast its context.
	ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	if err := db.View(ctx, func(*readmodel.Tx, eventstore.Position) error { return nil }); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("without time: %v", err)
	}
	if n, _, err := rows(t, db); n != 2 || err != nil {
		t.Errorf("after that: %d rows, %v", n, err)
	}
}

// TestReadModelsThroughPoolers: in session mode they are had, else it is said why not.
func TestReadModelsThroughPoolers(t *testing.T) {
	db := opened(t, database(t, pgservertest.Bouncer(t, common, "session"), readmodel.Options{}), oldShape)
	must(t, put(t, db, 1))
	if n, at, err := rows(t, db); n != 1 || at != 1 || err != nil {
		t.Errorf("%d rows as of %d, %v", n, at, err)
	}
	pooled := database(t, pgservertest.Bouncer(t, common, "transaction"), readmodel.Options{Name: "pooled"})
	if _, err := readmodel.Open(t.Context(), pooled, "x", oldShape); err == nil || !strings.Contains(err.Error(), "pool_mode = session") {
		t.Errorf("in transaction mode: %v", err)
	}
}

// TestEveryKindOfValueComesBack as SQLite gives it, so that two engines have one hash.
func TestEveryKindOfValueComesBack(t *testing.T) {
	const schema = `CREATE TABLE t (k INTEGER PRIMARY KEY, flag INTEGER NOT NULL, v TEXT, w BLOB);
CREATE TABLE u (a TEXT NOT NULL, b INTEGER NOT NULL, PRIMARY KEY (a, b)) WITHOUT ROWID;`
	sums := func(place readmodel.Place) map[string]readmodel.Sum {
		db := opened(t, place, schema)
		must(t, db.Apply(t.Context(), []codec.Entry{{Position: 1}}, func(tx *readmodel.Tx) error {
			for k, row := range [][]any{
				{true, "text", []byte{0, 1, 0xff}}, {false, "", []byte{}}, {int64(1<<63 - 1), "数据", nil}, {int64(-1 << 63), nil, []byte("b")},
			} {
				if _, err := tx.Exec("INSERT INTO t VALUES (?, ?, ?, ?)", append([]any{k}, row...)...); err != nil {
					return err
				}
			}
			for _, a := range []string{"a", "B", "ä", "", "Z", "z"} { // sorted by bytes
				if _, err := tx.Exec("INSERT INTO u VALUES (?, ?)", a, -1); err != nil {
					return err
				}
			}
			var flag bool
			var v, w string
			if err := tx.Row("SELECT flag, v, w FROM t WHERE k = ?", []any{0}, &flag, &v, &w); err != nil || !flag || v != "text" || w != "\x00\x01\xff" {
				t.Errorf("%t, %q, %q, %v", flag, v, w, err)
			}
			return nil
		}))
		sums, _, err := db.Hash(t.Context())
		must(t, err)
		return sums
	}
	files, server := sums(readmodel.Dir(t.TempDir())), sums(database(t, common.Address("postgres"), readmodel.Options{}))
	if len(files) != 2 || len(server) != 2 || files["t"] != server["t"] || files["u"] != server["u"] {
		t.Errorf("SQLite holds %v, PostgreSQL %v", files, server)
	}
}
