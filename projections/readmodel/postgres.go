package readmodel

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"consentledger/eventstore"
	"consentledger/eventstore/postgres"
	"consentledger/eventstore/postgres/turn"
)

// A Database keeps read models in PostgreSQL, for several processes.
//
// Every shape of a read model has a schema of its own, which the hash of its DDL names:
// "consentledger_consents_1a2b3c4d". A program of another shape builds that beside the
// one that is there, and neither disturbs the other. What others read stands in one
// more schema, "consentledger_views": views of the names that docs/sql.md has. They are
// switched to a new shape once it has read as far as the old one; an old shape that no
// process projects any more is removed then.
//
// One process projects into a shape at a time, see [Database.Turn]. That saves work,
// and nothing rests on it: the checkpoint is moved only from where the process has left
// it, in the transaction of the batch.
type Database struct {
	at      *postgres.Address
	options Options

	mu     sync.Mutex
	shapes map[string]string // by the name of the read model: the schema that was opened last
}

var _ Place = (*Database)(nil)

// Options are what a [Database] may be told. The zero Options are useful.
type Options struct {
	// Name parts the read models of ledgers in one database: their schemas' names begin
	// with it. It begins with a letter and is 1 to 32 of a-z, 0-9 and "_"; empty:
	// "consentledger".
	Name string

	// ReadRole is a role that may read the views; empty: none but the ledger's own.
	ReadRole string

	// Later is told what could not be done yet, and is tried again. Nil: nobody is.
	Later func(error)
}

var (
	databaseName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,31}$`)
	roleName     = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_$-]{0,62}$`)
)

// NewDatabase returns the read models at an address. It does not connect yet.
func NewDatabase(at *postgres.Address, o Options) (*Database, error) {
	if o.Name == "" {
		o.Name = "consentledger"
	}
	if !databaseName.MatchString(o.Name) || strings.HasPrefix(o.Name, "pg_") {
		return nil, fmt.Errorf("name of read models %q: it is 1 to 32 of a-z, 0-9 and _, and begins with a letter, "+
			"but not with pg_", o.Name)
	}
	if o.ReadRole != "" && !roleName.MatchString(o.ReadRole) {
		return nil, fmt.Errorf("role %q: a role's name is 1 to 63 letters, digits, _, $ and -, and begins with a "+
			"letter or _", o.ReadRole)
	}
	return &Database{at: at, options: o, shapes: map[string]string{}}, nil
}

// String returns the servers, without user and password.
func (d *Database) String() string { return d.at.String() }

// Ready returns nil if the server lets the ledger's user in, and else why not.
func (d *Database) Ready(ctx context.Context) error {
	conn, err := pgx.ConnectConfig(ctx, d.at.Config().ConnConfig)
	if err != nil {
		return d.away(err)
	}
	return conn.Close(context.WithoutCancel(ctx))
}

// Turn is the turn of whoever projects into the shape of a read model that this process
// opened last.
func (d *Database) Turn(name string) turn.Turn {
	d.mu.Lock()
	defer d.mu.Unlock()
	return turn.Turn{At: d.at, Name: d.shapes[name]}
}

// views is the schema that others read.
func (d *Database) views() string { return d.options.Name + "_views" }

// An AwayError says that the server of the read models cannot be asked, or not do what
// it should.
type AwayError struct {
	At  string // the servers
	Err error
}

func (e *AwayError) Error() string {
	return fmt.Sprintf("PostgreSQL at %s, which holds the read models: %v", e.At, e.Err)
}

// Unwrap returns what is wrong.
func (e *AwayError) Unwrap() error { return e.Err }

func (d *Database) away(err error) error { return &AwayError{At: d.at.String(), Err: err} }

// A shape is a read model of one schema.
type shape struct {
	*Database
	name   string // of the read model
	schema string // PostgreSQL's
	ddl    string
	before string // PostgreSQL's schema of the shape that others read still; empty: they read this one
}

func (d *Database) open(ctx context.Context, name, schema string) (*DB, error) {
	ddl := schemaForPostgres(schema)
	s := &shape{Database: d, name: name,
		schema: fmt.Sprintf("%s_%s_%.8s", d.options.Name, name, hashOf(format+functions+ddl)), ddl: ddl}
	err := d.locked(ctx, func(ctx context.Context, tx pgx.Tx) error {
		made, err := s.make(ctx, tx)
		if err != nil {
			return err
		}
		return s.shown(ctx, tx, made)
	})
	if err != nil {
		return nil, err
	}

	d.mu.Lock()
	d.shapes[name] = s.schema
	d.mu.Unlock()
	return s.db(ctx)
}

// db returns the read model of a shape that is there.
func (s *shape) db(ctx context.Context) (*DB, error) {
	me := rand.Text()
	writer, readers := s.side("BEGIN", 1, "off"), s.side("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", 2, "on")
	db := &DB{writer: writer, readers: readers, strict: true, within: time.Minute,
		meta: "SELECT position, writer FROM meta", keys: primaryKeys}
	db.note = func(err error) error { return err }
	db.close = sync.OnceValue(func() error { return errors.Join(readers.close(), writer.close()) })
	db.move = func(tx *Tx, last eventstore.Position) (int64, error) {
		tx.writer = me
		return tx.Exec("UPDATE meta SET position = ?, writer = ? WHERE position = ?", int64(last), me, int64(db.at))
	}
	db.applied = func(ctx context.Context) error {
		if s.before == "" || !s.caughtUp(ctx, db) {
			return nil
		}
		return s.show(ctx)
	}

	at, err := db.Position(ctx)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	db.known, db.at = true, at
	return db, nil
}

// primaryKeys are the tables of a shape, and the columns of their primary keys.
const primaryKeys = `SELECT c.relname::text, a.attname::text
	FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace,
		unnest(i.indkey::smallint[]) WITH ORDINALITY k(attnum, place), pg_attribute a
	WHERE i.indisprimary AND n.nspname = current_schema() AND c.relname <> 'meta' AND a.attrelid = c.oid AND a.attnum = k.attnum
	ORDER BY c.relname COLLATE "C", k.place`

// side returns connections that see a shape's tables, and nothing of other schemas.
func (s *shape) side(begin string, conns int, durable string) *side {
	config := s.at.Config().ConnConfig
	settle := fmt.Sprintf(`SET search_path = "%s"; SET default_transaction_isolation = 'read committed'; SET jit = off;
		SET synchronous_commit = %s`, s.schema, durable)
	db := stdlib.OpenDB(*config, stdlib.OptionAfterConnect(func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, settle)
		return err
	}))
	side := newSide(db, begin, conns)
	side.text, side.away = forPostgres, s.away
	return side
}

// locked runs f in a transaction, one at a time of all processes: DDL of two that start
// at once would fail.
func (d *Database) locked(ctx context.Context, f func(context.Context, pgx.Tx) error) error {
	conn, err := pgx.ConnectConfig(ctx, d.at.Config().ConnConfig)
	if err != nil {
		return d.away(err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	err = pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, func(tx pgx.Tx) error {
		// A statement of its own: the next ones see what was done meanwhile.
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", turn.Key("ddl "+d.options.Name)); err != nil {
			return err
		}
		// of somebody's query, which may not end
		if _, err := tx.Exec(ctx, "SET LOCAL lock_timeout = '2s'"); err != nil {
			return err
		}
		return f(ctx, tx)
	})
	return d.explain(err)
}

// explain says what has to be granted.
func (d *Database) explain(err error) error {
	e, is := errors.AsType[*pgconn.PgError](err)
	switch {
	case err == nil:
		return nil
	case is && e.Code == "42501":
		return d.away(fmt.Errorf("the ledger's user may not do what it has to: run, as the owner of the database, "+
			"GRANT CREATE ON DATABASE ... TO that user: %w", err))
	case is && e.Code == "42704" && d.options.ReadRole != "":
		return d.away(fmt.Errorf(`the role that is to read the views is not there: run, as an administrator, CREATE ROLE "%s" LOGIN: %w`,
			d.options.ReadRole, err))
	}
	return d.away(err)
}

// metaOfShape is as SQLite's, and knows who wrote last.
const metaOfShape = `CREATE TABLE meta (
	one      bigint PRIMARY KEY CHECK (one = 1),
	position bigint NOT NULL,
	writer   text NOT NULL
);
INSERT INTO meta VALUES (1, 0, '');`

// make makes the shape if it is not there, and reports whether it did.
func (s *shape) make(ctx context.Context, tx pgx.Tx) (made bool, err error) {
	there, err := has(ctx, tx, s.schema)
	if err != nil || there {
		return false, err
	}
	_, err = tx.Exec(ctx, fmt.Sprintf(`CREATE SCHEMA "%[1]s"; SET LOCAL search_path = "%[1]s"; %s %s %s`, s.schema,
		functions, metaOfShape, s.ddl))
	return true, err
}

func has(ctx context.Context, tx pgx.Tx, schema string) (there bool, err error) {
	err = tx.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)", schema).Scan(&there)
	return there, err
}

// shown shows the shape to others if nothing of the read model is shown to them, or
// it has read as much. What they may read is granted in any case.
func (s *shape) shown(ctx context.Context, tx pgx.Tx, made bool) error {
	if err := s.makeViews(ctx, tx); err != nil {
		return err
	}

	is, err := s.shows(ctx, tx)
	if err != nil {
		return err
	}

	switch is {
	case s.schema:
		if !made {
			return s.grant(ctx, tx)
		}
	case "":
	default:
		behind, err := s.behind(ctx, tx, is)
		if err != nil {
			return err
		}
		if behind {
			s.before = is
			return s.grant(ctx, tx)
		}
	}
	return s.become(ctx, tx)
}

// makeViews makes the schema that others read if it is not there.
func (d *Database) makeViews(ctx context.Context, tx pgx.Tx) error {
	there, err := has(ctx, tx, d.views())
	if err != nil || there {
		return err
	}
	_, err = tx.Exec(ctx, fmt.Sprintf(`CREATE SCHEMA "%[1]s";
		CREATE TABLE "%[1]s".shapes (name text PRIMARY KEY, schema text NOT NULL);
		CREATE TABLE "%[1]s".ledger (one boolean PRIMARY KEY DEFAULT true CHECK (one), id text NOT NULL)`, d.views()))
	return err
}

// shows returns the schema whose views others read; empty: none.
func (s *shape) shows(ctx context.Context, tx pgx.Tx) (schema string, err error) {
	err = tx.QueryRow(ctx, fmt.Sprintf(`SELECT schema FROM "%s".shapes WHERE name = $1`, s.views()),
		s.name).Scan(&schema)
	if errors.Is(err, pgx.ErrNoRows) {
		err = nil
	}
	return schema, err
}

// behind reports whether the shape has read less than another one, if that is there.
func (s *shape) behind(ctx context.Context, tx pgx.Tx, other string) (behind bool, err error) {
	there, err := has(ctx, tx, other)
	if err != nil || !there {
		return false, err
	}
	err = tx.QueryRow(ctx, fmt.Sprintf(`SELECT (SELECT position FROM "%s".meta) < (SELECT position FROM "%s".meta)`,
		s.schema, other)).Scan(&behind)
	return behind, err
}

// caughtUp reports whether the shape has read as far as the one that others read, or
// that is not there any more.
func (s *shape) caughtUp(ctx context.Context, db *DB) bool {
	var there int64
	err := db.readers.in(ctx, func(tx *Tx) error {
		return tx.Row(fmt.Sprintf(`SELECT position FROM "%s".meta`, s.before), nil, &there)
	})
	return err != nil || eventstore.Position(there) <= db.at
}

// show shows the shape to others, who read another one still. If somebody's query is in
// the way, it is tried again after the next batch.
func (s *shape) show(ctx context.Context) error {
	err := s.locked(ctx, func(ctx context.Context, tx pgx.Tx) error {
		return s.become(ctx, tx)
	})
	if inTheWay(err) {
		if s.options.Later != nil {
			s.options.Later(fmt.Errorf("the views of %s show its old shape still: a query of theirs does not end: %w",
				s.name, err))
		}
		return nil
	}
	if err == nil {
		s.before = ""
	}
	return err
}

// become has the views that others read show this shape. Where columns were only added
// a view is replaced, and what others have built on it stays; else it is made anew.
func (s *shape) become(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, fmt.Sprintf(`INSERT INTO "%s".shapes VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET schema = excluded.schema`, s.views()),
		s.name, s.schema)
	if err != nil {
		return err
	}

	for _, name := range viewNames(s.ddl) {
		if err := s.view(ctx, tx, name, fmt.Sprintf(`SELECT * FROM "%s".%s`, s.schema, name)); err != nil {
			return err
		}
	}

	positions, err := s.positions(ctx, tx)
	if err == nil {
		err = s.view(ctx, tx, "positions", positions)
	}
	if err != nil {
		return err
	}
	if err := s.grant(ctx, tx); err != nil {
		return err
	}
	return s.dropOthers(ctx, tx)
}

// inTheWay reports whether somebody's query was in the way.
func inTheWay(err error) bool {
	e, is := errors.AsType[*pgconn.PgError](err)
	return is && e.Code == "55P03"
}

func (s *shape) view(ctx context.Context, tx pgx.Tx, name, query string) error {
	inside, err := tx.Begin(ctx)
	if err != nil {
		return err
	}

	_, err = inside.Exec(ctx, fmt.Sprintf(`CREATE OR REPLACE VIEW "%s".%s AS %s`, s.views(), name, query))
	if err == nil {
		return inside.Commit(ctx)
	}
	if e, is := errors.AsType[*pgconn.PgError](err); !is || e.Code != "42P16" { // another type, or a column less
		return err
	}
	if err := inside.Rollback(ctx); err != nil {
		return err
	}

	_, err = tx.Exec(ctx, fmt.Sprintf(`DROP VIEW "%[1]s".%[2]s; CREATE VIEW "%[1]s".%[2]s AS %[3]s`, s.views(), name,
		query))
	return err
}

// positions is a query for the position of every read model that is shown.
func (s *shape) positions(ctx context.Context, tx pgx.Tx) (string, error) {
	rows, err := tx.Query(ctx, fmt.Sprintf(`SELECT format('SELECT %%L::text AS name, position FROM %%I.meta', name, schema)
		FROM "%s".shapes WHERE schema IN (SELECT nspname FROM pg_namespace) ORDER BY name`, s.views()))
	if err != nil {
		return "", err
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return strings.Join(all, " UNION ALL "), err
}

// grant lets the role that reads do so. It gets the views, not the tables below.
func (s *shape) grant(ctx context.Context, tx pgx.Tx) error {
	if s.options.ReadRole == "" {
		return nil
	}

	rows, err := tx.Query(ctx, "SELECT viewname::text FROM pg_views WHERE schemaname = $1", s.views())
	if err != nil {
		return err
	}

	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}

	script := fmt.Sprintf(`GRANT USAGE ON SCHEMA "%s" TO "%s"`, s.views(), s.options.ReadRole)
	for _, name := range all {
		script += fmt.Sprintf(`; GRANT SELECT ON "%s".%s TO "%s"`, s.views(), name, s.options.ReadRole)
	}

	_, err = tx.Exec(ctx, script)
	return err
}

// dropOthers drops the other shapes of the read model into which nobody projects any
// more: there is no process of their version then.
func (s *shape) dropOthers(ctx context.Context, tx pgx.Tx) error {
	rows, err := tx.Query(ctx, "SELECT nspname::text FROM pg_namespace WHERE nspname ~ ('^' || $1::text || "+
		"'_[0-9a-f]{8}$') AND nspname <> $2",
		s.options.Name+"_"+s.name, s.schema)
	if err != nil {
		return err
	}

	others, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}

	for _, other := range others {
		var idle bool
		if err := tx.QueryRow(ctx, "SELECT pg_try_advisory_xact_lock($1)", turn.Key(other)).Scan(&idle); err != nil {
			return err
		}
		if !idle {
			continue
		}
		if err := drop(ctx, tx, other); err != nil {
			return err
		}
	}
	return nil
}

// drop drops a schema, unless somebody reads it still.
func drop(ctx context.Context, tx pgx.Tx, schema string) error {
	err := pgx.BeginFunc(ctx, tx, func(inside pgx.Tx) error {
		_, err := inside.Exec(ctx, fmt.Sprintf(`DROP SCHEMA "%s" CASCADE`, schema))
		return err
	})
	if inTheWay(err) {
		return nil
	}
	return err
}

// Belongs returns an error if the read models are of another ledger than an id is of.
// The first who asks says which they are of.
func (d *Database) Belongs(ctx context.Context, id string) error {
	return d.locked(ctx, func(ctx context.Context, tx pgx.Tx) error {
		if err := d.makeViews(ctx, tx); err != nil {
			return err
		}
		var is string
		err := tx.QueryRow(ctx, fmt.Sprintf(`SELECT id FROM "%s".ledger`, d.views())).Scan(&is)
		if errors.Is(err, pgx.ErrNoRows) {
			_, err := tx.Exec(ctx, fmt.Sprintf(`INSERT INTO "%s".ledger (id) VALUES ($1)`, d.views()), id)
			return err
		}
		if err == nil && is != id {
			err = fmt.Errorf("they are of another ledger, whose first record is %s, and this one's is %s: name "+
				"another database", is, id)
		}
		return err
	})
}

// Discard implements [Place]. Others read nothing of the read model until it was
// opened again.
func (d *Database) Discard(ctx context.Context, name string) error {
	d.mu.Lock()
	schema := d.shapes[name]
	d.mu.Unlock()
	if schema == "" {
		return fmt.Errorf("read model %s was never opened", name)
	}
	return d.locked(ctx, func(ctx context.Context, tx pgx.Tx) error {
		_, err := tx.Exec(ctx, fmt.Sprintf(`DROP SCHEMA IF EXISTS "%s" CASCADE`, schema))
		return err
	})
}
