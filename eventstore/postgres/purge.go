package postgres

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// lockWithin is how long a purge waits for the lock of a part at a time: all who read
// wait behind it.
const lockWithin = time.Second

// Purge implements [eventstore.Rows]: the parts that had rows deleted are written
// anew, and the files they were in are deleted.
//
// VACUUM would not do: it frees the space of a deleted row and leaves the bytes there.
// VACUUM FULL copies what lives, but also what some transaction may still see that
// began before the rows were deleted: as long as there is one, nothing is purged.
// What is copied to the log of the server, to standbys and to backups is not reached.
func (r *Rows) Purge(ctx context.Context, _ ...[]byte) error {
	ctx, cancel := patient(ctx)
	defer cancel()
	select { // one at a time: who waits finds most of it done
	case r.purging <- struct{}{}:
		defer func() { <-r.purging }()
	case <-ctx.Done():
		return ctx.Err()
	}

	var last error
	for tries := 0; ; tries++ {
		err := r.purge(ctx)
		switch {
		case err == nil:
			return nil
		case r.life.Err() != nil:
			return ErrClosed
		case ctx.Err() != nil && last != nil:
			return fmt.Errorf("postgres: purge: %w", timely(ctx, last))
		case isFinal(err):
			return fmt.Errorf("postgres: purge: %w", err)
		}
		last = err
		if !pause(ctx, tries) {
			return fmt.Errorf("postgres: purge: %w", timely(ctx, err))
		}
	}
}

// purge writes the parts anew that had rows deleted, on a connection of its own.
func (r *Rows) purge(ctx context.Context) error {
	if err := r.Fault(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(r.life, cancel)()

	v := &verdict{}
	config := r.pool.Config().ConnConfig
	config.OnNotice = v.hear
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	c := conn.PgConn()
	if _, err := c.Exec(ctx, fmt.Sprintf("SET lock_timeout = %d", lockWithin.Milliseconds())).ReadAll(); err != nil {
		return err
	}
	alone := fmt.Sprintf("SELECT pg_advisory_lock(hashtextextended('consentledger purge %s', 0))", r.name)
	if _, err := all(ctx, c, alone); err != nil {
		return busy(err, "another process purges the rows")
	}

	parts, err := all(ctx, c, r.sql("SELECT part, number FROM {store}.dirty_v1 ORDER BY part"))
	if err != nil {
		return err
	}
	for _, p := range parts {
		if err := r.rewrite(ctx, c, v, p[0]); err != nil {
			return err
		}
		// What was deleted meanwhile has a higher number.
		clean := fmt.Sprintf("DELETE FROM {store}.dirty_v1 WHERE part = '%s' AND number = %s", p[0], p[1])
		if _, err := c.Exec(ctx, r.sql(clean)).ReadAll(); err != nil {
			return err
		}
	}
	return nil
}

// rewrite writes a part anew, without the rows that were deleted.
func (r *Rows) rewrite(ctx context.Context, c *pgconn.PgConn, v *verdict, part string) error {
	v.reset()
	full := fmt.Sprintf(`VACUUM (FULL, VERBOSE) {store}."%s"`, part)
	if _, err := c.Exec(ctx, r.sql(full)).ReadAll(); err != nil {
		return busy(err, "the table "+r.name+"."+part+" is read by somebody, as by a backup")
	}

	switch told, kept := v.is(); {
	case !told: // it only warns of what it leaves out
		return refuse("the table %[1]s.%[2]s was not written anew: does the ledger's user own it? "+
			`Run, as its owner, ALTER TABLE "%[1]s".%[2]s OWNER TO ...`, r.name, part)
	case kept > 0:
		return fmt.Errorf("%d deleted rows of %s.%s may still be seen by a transaction that began before: "+
			"look for old ones of this database in pg_stat_activity (backend_xmin), pg_prepared_xacts and "+
			"pg_replication_slots (xmin)", kept, r.name, part)
	}
	return nil
}

// busy says why a lock was not had.
func busy(err error, why string) error {
	if code(err) == "55P03" {
		return fmt.Errorf("%s: %w", why, err)
	}
	return err
}

// A verdict is what VACUUM FULL says of the table that it has written anew.
type verdict struct {
	mu   sync.Mutex
	told bool
	kept int64 // versions of rows that had to be copied although they are deleted
}

var firstNumber = regexp.MustCompile(`[0-9]+`)

// hear is told what the server has to say beside its answers. The words are in the
// server's language: the function that says them and the number are not.
func (v *verdict) hear(_ *pgconn.PgConn, n *pgconn.Notice) {
	if n.Routine != "copy_table_data" {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	kept, err := strconv.ParseInt(firstNumber.FindString(n.Detail), 10, 64)
	v.told = err == nil
	v.kept += kept
}

func (v *verdict) reset() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.told, v.kept = false, 0
}

func (v *verdict) is() (told bool, kept int64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.told, v.kept
}
