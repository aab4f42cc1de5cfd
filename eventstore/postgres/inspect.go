package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Config returns how to connect to the server at an address, for what is kept there
// beside records. Each connection that is made with it is to a server that can be
// worked with, see [ServerOf]: the primary, which takes writes, 15 or later, UTF-8, and
// no pooler between gives the connection to others.
func (a *Address) Config() *pgxpool.Config {
	c := a.config.Copy()
	c.ConnConfig.DialFunc = dialer(c.ConnConfig.ConnectTimeout)
	again := c.ConnConfig.Config.Copy()
	c.ConnConfig.ValidateConnect = func(ctx context.Context, conn *pgconn.PgConn) error {
		found, err := inspect(ctx, conn, again)
		conn.CustomData()[ofSession] = found.session
		return err
	}
	return c
}

// A Server tells servers apart. One that took over from another has its system
// identifier and a higher timeline.
type Server struct {
	System   string
	Timeline uint64
}

// ServerOf returns the server of a connection that was made by [Address.Config].
func ServerOf(c *pgconn.PgConn) Server {
	i := sessionOf(c).identity
	return Server{System: i.system, Timeline: i.timeline}
}

// NeedsOperator reports whether an error says that a server is not used until somebody
// changes it or what is between: trying again does not help.
func NeedsOperator(err error) bool {
	r, is := errors.AsType[*refusal](err)
	return is && r.final
}

// found is what a server says of itself.
type found struct {
	session          session
	user, database   string
	fsync, fullPages string
}

// probe is what a server says of itself, without looking at the store.
const probe = `SELECT current_setting('server_version_num'), pg_is_in_recovery(), current_setting('transaction_read_only'),
	current_setting('server_encoding'), current_setting('fsync'), current_setting('full_page_writes'),
	(SELECT system_identifier FROM pg_control_system()),
	CASE WHEN pg_is_in_recovery() THEN '' ELSE substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) END,
	pg_postmaster_start_time(), pg_backend_pid(), current_user, current_database()`

// inspect asks a new connection what its server is, and refuses one with which nothing
// can be done. Config is how to connect once more.
func inspect(ctx context.Context, c *pgconn.PgConn, config *pgconn.Config) (found, error) {
	if _, err := c.Exec(ctx, "SET statement_timeout = 0").ReadAll(); err != nil {
		return found{}, err
	}
	row, err := one(ctx, c, probe)
	if err != nil {
		return found{}, err
	}
	f := found{fsync: row[4], fullPages: row[5], user: row[10], database: row[11]}
	version, _ := strconv.Atoi(row[0])
	switch {
	case version < 150000:
		return f, refuse("it is PostgreSQL %d, and the ledger needs 15 or later", version/10000)
	case row[1] == "t":
		return f, notYet("it is a standby, and only the primary knows what was acknowledged")
	case row[2] == "on":
		return f, notYet("it is read-only: default_transaction_read_only is on")
	case row[3] != "UTF8":
		return f, refuse("the database %s has the encoding %s, and the ledger needs UTF8: "+
			"CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0", f.database, row[3])
	}

	timeline, err := strconv.ParseUint(row[7], 16, 64)
	if err != nil {
		return f, fmt.Errorf("timeline %q: %w", row[7], err)
	}
	backend, _ := strconv.ParseUint(row[9], 10, 32)
	f.session = session{
		backend:  uint32(backend),
		identity: identity{system: row[6], timeline: timeline, started: row[8]},
	}
	// A pooler gives its clients numbers of its own.
	if f.session.pooled = c.PID() != f.session.backend; f.session.pooled {
		return f, shared(ctx, c, f.session, config)
	}
	return f, nil
}

var errShared = refuse("a pooler between shares its connections among clients " +
	"(pool_mode = transaction or statement in PgBouncer): the ledger needs pool_mode = session, or a connection " +
	"straight to the server")

// shared returns an error if a pooler gives the server's connection to others while
// c has it. It has another client begin a transaction, which takes whatever is free.
func shared(ctx context.Context, c *pgconn.PgConn, now session, config *pgconn.Config) error {
	config = config.Copy()
	config.ValidateConnect = nil
	other, err := pgconn.ConnectConfig(ctx, config)
	if err != nil {
		return fmt.Errorf("a second connection by way of the pooler: %w", err)
	}
	defer other.Close(context.WithoutCancel(ctx))
	_, err = other.Exec(ctx, "BEGIN").ReadAll()
	if code(err) == "08P01" { // PgBouncer in statement mode knows no transactions
		return errShared
	}
	if err != nil {
		return err
	}

	taken, err := one(ctx, other, "SELECT pg_backend_pid()")
	if err != nil {
		return err
	}

	mine, err := one(ctx, c, "SELECT pg_backend_pid()")
	if err != nil {
		return err
	}
	if backend := fmt.Sprint(now.backend); taken[0] == backend || mine[0] != backend {
		return errShared
	}
	return nil
}
