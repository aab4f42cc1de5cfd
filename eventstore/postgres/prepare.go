package postgres

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"consentledger/eventstore"
)

// format is the newest form of the schema that this code knows.
const format = 1

// prepare makes the schema if it is not there, and looks whether the user may do
// what has to be done.
func (s *server) prepare(ctx context.Context, c *pgconn.PgConn, user, database string) error {
	there, err := s.exists(ctx, c)
	if err != nil {
		return err
	}

	if !there {
		if m := s.Seen(); m.Position > 0 { // an empty one in its place would look as if it were well
			return s.broken("the schema %s is not in the database %s, and there was "+s.content.newest, s.name,
				database, m.Position)
		}
		if err := s.create(ctx, c, user, database); err != nil {
			return err
		}
	}
	return s.allowed(ctx, c, user)
}

// exists reports whether the schema is there. It needs no rights.
func (s *server) exists(ctx context.Context, c *pgconn.PgConn) (bool, error) {
	row, err := one(ctx, c, fmt.Sprintf(`SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = '%s' AND c.relname = 'store_v1'`, s.name))
	return err == nil && row[0] == "1", err
}

// create makes the schema, unless somebody else is faster.
func (s *server) create(ctx context.Context, c *pgconn.PgConn, user, database string) (err error) {
	defer func() {
		if err != nil {
			_, _ = c.Exec(ctx, "ROLLBACK").ReadAll() // what was wrong is said already
		}
	}()
	lock := fmt.Sprintf("BEGIN; SELECT pg_advisory_xact_lock(hashtextextended('consentledger schema %s', 0))", s.name)
	if _, err := c.Exec(ctx, lock).ReadAll(); err != nil {
		return err
	}
	there, err := s.exists(ctx, c)
	if err != nil {
		return err
	}
	script := "COMMIT"
	if !there {
		script = s.sql(s.content.schema) + "; COMMIT"
	}

	_, err = c.Exec(ctx, script).ReadAll()
	if code(err) == "42501" {
		return refuse("the schema %s is not there, and the user %s may not make it: run, as the owner of the "+
			"database, "+
			`GRANT CREATE ON DATABASE "%s" TO "%s"`, s.name, user, database, user)
	}
	return err
}

// allowed returns an error that says what has to be granted.
func (s *server) allowed(ctx context.Context, c *pgconn.PgConn, user string) error {
	rows, err := all(ctx, c, fmt.Sprintf(`SELECT c.relname, c.relpersistence,
			CASE WHEN has_schema_privilege(n.oid, 'USAGE') THEN 'USAGE' ELSE '' END,
			concat_ws(', ', CASE WHEN has_table_privilege(c.oid, 'SELECT') THEN 'SELECT' END,
				CASE WHEN has_table_privilege(c.oid, 'INSERT') THEN 'INSERT' END,
				CASE WHEN has_table_privilege(c.oid, 'UPDATE') THEN 'UPDATE' END,
				CASE WHEN has_table_privilege(c.oid, 'DELETE') THEN 'DELETE' END),
			pg_has_role(c.relowner, 'USAGE')
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = '%s' AND c.relkind IN ('r', 'p')`, s.name))
	if err != nil {
		return err
	}
	found := make(map[string][]string)
	var grants []string
	for _, row := range rows {
		found[row[0]] = row
		switch {
		case row[1] != "p":
			return refuse("the table %[1]s.%[2]s is not logged, a crash empties it: ALTER TABLE %[1]s.%[2]s SET LOGGED",
				s.name, row[0])
		case s.content.owned && row[4] != "t":
			grants = append(grants, fmt.Sprintf(`ALTER TABLE "%s".%s OWNER TO "%s"`, s.name, row[0], user))
		}
	}

	usage := true
	for _, r := range s.content.relations {
		row := found[r.name]
		if row == nil {
			return s.broken("the table %s.%s is not there any more", s.name, r.name)
		}
		usage = usage && row[2] != ""
		if s.content.owned && row[4] != "t" {
			continue // its owner may do everything
		}
		for _, right := range strings.Split(r.rights, ", ") {
			if !strings.Contains(row[3], right) {
				grants = append(grants, fmt.Sprintf(`GRANT %s ON "%s".%s TO "%s"`, right, s.name, r.name, user))
			}
		}
	}
	if !usage {
		grants = append([]string{fmt.Sprintf(`GRANT USAGE ON SCHEMA "%s" TO "%s"`, s.name, user)}, grants...)
	}
	if len(grants) > 0 {
		return refuse("the user %s lacks rights: run, as the owner of the schema, %s", user, strings.Join(grants, "; "))
	}
	return nil
}

// unchanged looks whether the store is the one of this server, and holds the newest
// record that is known. It returns the mark of the server's timeline.
func (s *server) unchanged(ctx context.Context, c *pgconn.PgConn, now identity) (mark string, err error) {
	row, err := one(ctx, c, s.sql("SELECT format, system FROM {store}.store_v1"))
	if err != nil {
		return "", err
	}
	if row[0] != fmt.Sprint(format) {
		return "", refuse("the store %s has the form %s, and this build knows %d: it was made by a newer one",
			s.name, row[0], format)
	}
	if row[1] != now.system {
		return "", refuse("the store %[1]s was made on the server %[2]s, and this is %[3]s. "+
			"If it was moved on purpose and the old server is gone: "+
			`UPDATE "%[1]s".store_v1 SET system = '%[3]s'`, s.name, row[1], now.system)
	}

	if m := s.Seen(); m.Position > 0 && s.Fault() == nil { // once it is red, what is left can be read
		if err := s.content.holds(ctx, s, c, m); err != nil {
			return "", err
		}
	}

	return s.markOf(ctx, c, now)
}

// markOf returns the mark of a server's timeline. Whoever meets it first makes it.
func (s *server) markOf(ctx context.Context, c *pgconn.PgConn, now identity) (mark string, err error) {
	read := s.sql(fmt.Sprintf("SELECT mark FROM {store}.timelines_v1 WHERE system = '%s' AND timeline = %d", now.system,
		now.timeline))
	rows, err := all(ctx, c, read)
	if err == nil && len(rows) == 0 {
		add := s.sql(fmt.Sprintf(`INSERT INTO {store}.timelines_v1 (system, timeline, mark)
			VALUES ('%s', %d, gen_random_uuid()) ON CONFLICT DO NOTHING`, now.system, now.timeline))
		if _, err := c.Exec(ctx, add).ReadAll(); err != nil {
			return "", err
		}
		rows, err = all(ctx, c, read)
	}
	if err != nil {
		return "", err
	}
	if len(rows) == 0 {
		return "", notYet("the mark of timeline %d was not made", now.timeline)
	}
	return rows[0][0], nil
}

// differs turns the store red if what stands at a mark is not what stood there.
func (s *server) differs(m eventstore.Mark, found [][]string) error {
	if len(found) == 0 {
		return s.broken("the record %s, which was at position %d, is not there any more: "+
			"did a standby take over that did not have it, or was an old copy of the database put in place?",
			m.ID, m.Position)
	}
	if id, err := eventstore.ParseEventID(found[0][0]); err != nil || id != m.ID {
		return s.broken("at position %d there is the record %s, and there was %s", m.Position, found[0][0], m.ID)
	}
	return nil
}
