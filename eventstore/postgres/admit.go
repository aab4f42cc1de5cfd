package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// An identity tells servers apart.
type identity struct {
	system   string // its system identifier: that of a copy is the same
	timeline uint64 // grows when a standby takes over
	mark     string // of the timeline, by whoever met it first
	started  string // when its postmaster was started
}

// A session is what was found out about a connection when it was made.
type session struct {
	identity identity
	backend  uint32 // the process that serves it
	pooled   bool   // it comes by way of a pooler
}

// What a connection keeps of its own.
const (
	ofSession = "session"
	ofNotice  = "notice"
)

func sessionOf(c *pgconn.PgConn) session {
	return c.CustomData()[ofSession].(session)
}

// settle gives a session the settings that appends and reads rely on. A setting of
// synchronous_commit that waits for more than the disk, remote_apply, is kept.
const settle = `SET search_path = pg_catalog; SET default_transaction_isolation = 'read committed';
	SET lock_timeout = 0; SET jit = off;
	SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') <> 'remote_apply'`

// admit is asked of each new connection whether it is used.
func (s *server) admit(ctx context.Context, c *pgconn.PgConn) error {
	found, err := inspect(ctx, c, &s.pool.Config().ConnConfig.Config)
	if err != nil {
		return err
	}
	if err := s.durable(found.fsync, found.fullPages); err != nil {
		return err
	}
	if _, err := c.Exec(ctx, settle+"; "+s.content.settings).ReadAll(); err != nil {
		return err
	}

	now := found.session
	if err := s.precedes(now.identity); err != nil {
		return err
	}
	if err := s.prepare(ctx, c, found.user, found.database); err != nil {
		return err
	}
	if now.identity.mark, err = s.unchanged(ctx, c, now.identity); err != nil {
		return err
	}
	if err := s.use(now.identity); err != nil {
		return err
	}
	c.CustomData()[ofSession] = now
	return nil
}

// durable returns an error if the server may lose what it has committed.
func (s *server) durable(fsync, fullPages string) error {
	if fsync != "on" {
		return refuse("fsync is off: a crash takes away what was acknowledged; set fsync = on")
	}
	if fullPages != "on" && !s.options.WholePages {
		return refuse("full_page_writes is off: a crash may tear pages that hold what was acknowledged; " +
			"set full_page_writes = on, or tell the store that the file system writes pages whole")
	}
	return nil
}

// precedes returns an error if a server is not the one that is used, nor one that
// took over from it.
func (s *server) precedes(now identity) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.known.system == "" || now.system == s.known.system && now.timeline >= s.known.timeline:
		return nil
	case now.system != s.known.system:
		return notYet("its system identifier is %s, and that of the store's server is %s: it is another server",
			now.system, s.known.system)
	}
	return notYet("it is on timeline %d, and the ledger has met %d: it was replaced by another primary, "+
		"and must be kept away from it", now.timeline, s.known.timeline)
}

// use makes a server the one that is used. Connections to another one are not used
// any more.
func (s *server) use(now identity) error {
	s.mu.Lock()
	before := s.known
	late := before.system != "" && (now.system != before.system || now.timeline < before.timeline)
	twin := !late && now.timeline == before.timeline && before.mark != "" && now.mark != before.mark
	twin = twin && s.Fault() == nil // once it is red, what is left can be read
	if !late && !twin && now != before {
		s.known = now
		close(s.moved)
		s.moved = make(chan struct{})
	}
	s.mu.Unlock()

	switch {
	case late:
		return notYet("it is on timeline %d, and the ledger has met %d meanwhile", now.timeline, before.timeline)
	case twin:
		return s.broken("two servers took over on timeline %d: this one was first met as %s, the one before as %s",
			now.timeline, now.mark, before.mark)
	}
	return nil
}

// current returns the server that is used, and what is closed once it is another.
func (s *server) current() (identity, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known, s.moved
}

// stillGood reports whether a connection of the pool is used once more.
func (s *server) stillGood(ctx context.Context, c *pgx.Conn) (bool, error) {
	now := sessionOf(c.PgConn())
	if known, _ := s.current(); now.identity != known {
		return false, nil
	}
	if !now.pooled {
		return true, nil
	}

	row, err := one(ctx, c.PgConn(), "SELECT pg_backend_pid()")
	if err != nil {
		return false, nil // another one is made
	}
	if row[0] != fmt.Sprint(now.backend) {
		return false, errShared
	}
	return true, nil
}

// one carries out a statement that returns one row, as text.
func one(ctx context.Context, c *pgconn.PgConn, statement string) ([]string, error) {
	rows, err := all(ctx, c, statement)
	if err != nil {
		return nil, err
	}
	if len(rows) != 1 {
		return nil, fmt.Errorf("the server returns %d rows where it has to return one", len(rows))
	}
	return rows[0], nil
}

func all(ctx context.Context, c *pgconn.PgConn, statement string) (rows [][]string, err error) {
	results, err := c.Exec(ctx, statement).ReadAll()
	if err != nil {
		return nil, err
	}
	if len(results) == 0 {
		return nil, errors.New("the server returns no result")
	}

	for _, values := range results[len(results)-1].Rows {
		row := make([]string, len(values))
		for i, v := range values {
			row[i] = string(v)
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// dialer dials with keep-alives that notice a server that is gone within half a
// minute.
func dialer(timeout time.Duration) pgconn.DialFunc {
	d := &net.Dialer{
		Timeout:         timeout,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 10 * time.Second, Interval: 5 * time.Second, Count: 3},
	}
	return d.DialContext
}

// noticed remembers that a commit did not wait for its standby to the end: somebody
// has cancelled the waiting, and the server says so by nothing but a warning.
func noticed(c *pgconn.PgConn, n *pgconn.Notice) {
	if strings.HasPrefix(n.Routine, "SyncRep") {
		c.CustomData()[ofNotice] = true
	}
}
