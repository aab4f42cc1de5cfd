package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"consentledger/eventstore"
	"consentledger/eventstore/postgres"
	"consentledger/eventstore/postgres/pgserver"
	"consentledger/eventstore/postgres/pgserver/pgservertest"
)

// within returns a context that ends after a while.
func within(t testing.TB, long time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), long)
	t.Cleanup(cancel)
	return ctx
}

func numbered(n int) eventstore.Record {
	return eventstore.Record{ID: eventstore.EventID{7, byte(n >> 8), byte(n)}, Type: "test.v1", Data: fmt.Appendf(nil, "record %d", n)}
}

// add appends record n of the stream "a", with all the time that it takes.
func add(t testing.TB, s *postgres.Store, n int) {
	t.Helper()
	if pos, err := s.Append(within(t, 2*time.Minute), "a", eventstore.Revision(n), numbered(n)); err != nil || pos != eventstore.Position(n+1) {
		t.Fatalf("record %d: %d, %v", n, pos, err)
	}
}

func sql(t testing.TB, s *pgserver.Server, script string) string {
	t.Helper()
	said, err := s.SQL(t.Context(), "postgres", script)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(said)
}

func check(t testing.TB, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// says fails t if an error does not say all of what it should.
func says(t testing.TB, err error, all ...string) {
	t.Helper()
	for _, part := range all {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("got %v, want an error that says %q", err, part)
		}
	}
}

// saysInTime is says of a call that waits for a server until its time is over. It is
// given more if it had too little to find out why there is none.
func saysInTime(t testing.TB, call func(context.Context) error, all ...string) {
	t.Helper()
	for long := time.Second; ; long *= 4 {
		err := call(within(t, long))
		found := err != nil
		for _, part := range all {
			found = found && strings.Contains(err.Error(), part)
		}
		if found || err == nil || long > time.Minute {
			says(t, err, all...)
			return
		}
	}
}

// appends is a call that appends record n of the stream "a".
func appends(s *postgres.Store, n int) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := s.Append(ctx, "a", eventstore.Revision(n), numbered(n))
		return err
	}
}

// either is a connection string with both servers.
func either(a, b *pgserver.Server) string {
	return fmt.Sprintf("host=%s,%s user=bench dbname=postgres", a.Dir(), b.Dir())
}

func TestRestart(t *testing.T) {
	leavesNothing(t)
	server := pgservertest.Serve(t)
	s := open(t, server.Address("postgres"), postgres.Options{})
	add(t, s, 0)
	follow := make(chan eventstore.Recorded)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		defer close(follow)
		for batch, err := range s.Follow(ctx, 0) {
			if err != nil && ctx.Err() == nil {
				t.Error(err)
			}
			for _, r := range batch {
				follow <- r
			}
		}
	}()
	<-follow

	for n, how := range []string{"fast", "immediate", "connections"} {
		switch how {
		case "connections":
			sql(t, server, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'consentledger'")
		default:
			check(t, "stop", server.Stop(t.Context(), how == "immediate"))
			if _, err := s.Append(within(t, 300*time.Millisecond), "a", eventstore.Revision(n+1), numbered(n+1)); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("without a server an append ends with %v", err)
			}
			if err := s.Barrier(within(t, 300*time.Millisecond)); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("without a server a barrier ends with %v", err)
			}
			if _, err := s.Head(within(t, 300*time.Millisecond)); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("without a server a read ends with %v", err)
			}
			check(t, "start", server.Start(t.Context()))
		}
		add(t, s, n+1)
		check(t, "barrier", s.Barrier(within(t, time.Minute)))
		if r := <-follow; r.Position != eventstore.Position(n+2) {
			t.Errorf("after %s followed to %d, want %d", how, r.Position, n+2)
		}
	}
	cancel()
	for range follow {
	}
}

// TestOpenedFirst has a store that is there before its server.
func TestOpenedFirst(t *testing.T) {
	server := pgservertest.Serve(t)
	check(t, "stop", server.Stop(t.Context(), false))
	s := open(t, server.Address("postgres"), postgres.Options{})
	if err := s.Ready(within(t, 100*time.Millisecond)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("without a server it is ready: %v", err)
	}
	check(t, "start", server.Start(t.Context()))
	add(t, s, 0)
}

// TestPromoted has a standby take over that has all records.
func TestPromoted(t *testing.T) {
	leavesNothing(t)
	one := pgservertest.Serve(t, "synchronous_standby_names = '*'", "synchronous_commit = local")
	two := pgservertest.Standby(t, one)
	s, other := open(t, either(one, two), postgres.Options{}), open(t, either(one, two), postgres.Options{})
	add(t, s, 0)
	check(t, "barrier", other.Barrier(within(t, time.Minute)))

	check(t, "stop", one.Stop(t.Context(), true))
	check(t, "promote", two.Promote(t.Context()))
	sql(t, two, "ALTER SYSTEM SET synchronous_standby_names = ''")
	check(t, "reload", two.Reload(t.Context()))
	add(t, s, 1)
	add(t, other, 2)
	if rows := sql(t, two, "SELECT count(*) FROM consentledger.timelines_v1"); rows != "2" {
		t.Errorf("%s timelines are marked, want 2", rows)
	}

	// The one that was replaced comes back, and nobody is there but it.
	check(t, "start", one.Start(t.Context()))
	add(t, s, 3)
	check(t, "stop", two.Stop(t.Context(), true))
	saysInTime(t, appends(s, 4), "timeline 1", "has met 2")
	saysInTime(t, other.Barrier, "timeline 1", "has met 2")
	if got := sql(t, one, "SELECT count(*) FROM consentledger.records_v1"); got != "1" {
		t.Errorf("the server that was replaced has %s records, want 1", got)
	}
	if err := s.Fault(); err != nil {
		t.Errorf("it is red: %v", err)
	}
	check(t, "start", two.Start(t.Context()))
	add(t, s, 4)
}

// TestPromotedTooEarly has a standby take over that lacks a record.
func TestPromotedTooEarly(t *testing.T) {
	one := pgservertest.Serve(t)
	two := pgservertest.Standby(t, one)
	told := make(chan error, 1)
	s := open(t, either(one, two), postgres.Options{OnFault: func(err error) { told <- err }})
	add(t, s, 0)
	for sql(t, two, "SELECT CASE WHEN to_regclass('consentledger.records_v1') IS NULL THEN 0 ELSE 1 END") != "1" ||
		sql(t, two, "SELECT count(*) FROM consentledger.records_v1") != "1" {
		time.Sleep(20 * time.Millisecond)
	}
	sql(t, two, "SELECT pg_wal_replay_pause()")
	check(t, "stop", two.Stop(t.Context(), true)) // it does not hear of the next
	add(t, s, 1)
	check(t, "stop", one.Stop(t.Context(), true))
	check(t, "start", two.Start(t.Context()))
	check(t, "promote", two.Promote(t.Context()))

	_, err := s.Append(within(t, time.Minute), "a", 2, numbered(2))
	says(t, err, "history was changed", "position 2", "did a standby take over")
	says(t, <-told, "position 2")
	if _, is := errors.AsType[*postgres.FaultError](s.Barrier(t.Context())); !is {
		t.Error("a barrier is passed")
	}
	for _, err := range s.Follow(t.Context(), 0) {
		if _, is := errors.AsType[*postgres.FaultError](err); !is {
			t.Errorf("it is followed: %v", err)
		}
		break
	}
	n := 0
	for _, err := range s.ReadAll(t.Context(), 0) {
		check(t, "read", err)
		n++
	}
	if n != 1 {
		t.Errorf("it reads %d records, want the one that is left", n)
	}
	if got := sql(t, two, "SELECT count(*) FROM consentledger.records_v1"); got != "1" {
		t.Errorf("%s records are there, want 1", got)
	}

	// Whoever was told what a ledger has seen finds out when it starts.
	later := open(t, two.Address("postgres"), postgres.Options{Seen: s.Seen()})
	if _, is := errors.AsType[*postgres.FaultError](later.Ready(within(t, time.Minute))); !is {
		t.Error("a ledger that starts later does not notice")
	}
}

// TestTwins has two standbys take over.
func TestTwins(t *testing.T) {
	one := pgservertest.Serve(t)
	address := func(of *pgserver.Server) string { return of.Address("postgres") }
	first := open(t, address(one), postgres.Options{})
	add(t, first, 0)
	check(t, "close", first.Close())
	two, three := pgservertest.Standby(t, one), pgservertest.Standby(t, one)
	check(t, "stop", one.Stop(t.Context(), true))
	check(t, "promote", two.Promote(t.Context()))
	check(t, "promote", three.Promote(t.Context()))

	elsewhere := open(t, address(three), postgres.Options{})
	check(t, "ready", elsewhere.Ready(within(t, time.Minute)))
	s := open(t, either(two, three), postgres.Options{})
	check(t, "ready", s.Ready(within(t, time.Minute)))
	check(t, "stop", two.Stop(t.Context(), true))
	_, err := s.Append(within(t, time.Minute), "a", 1, numbered(1))
	says(t, err, "two servers took over on timeline 2")
}

// TestAsleep has a server sleep while another takes over.
func TestAsleep(t *testing.T) {
	one := pgservertest.Serve(t)
	two := pgservertest.Standby(t, one)
	link := filepath.Join(pgservertest.Dir(t), "now") // as a name that is moved
	check(t, "link", os.Symlink(one.Dir(), link))
	s := open(t, "host="+link+" user=bench dbname=postgres", postgres.Options{})
	add(t, s, 0)
	for sql(t, two, "SELECT coalesce(pg_last_wal_replay_lsn() >= '"+sql(t, one, "SELECT pg_current_wal_lsn()")+"', false)") != "t" {
		time.Sleep(20 * time.Millisecond)
	}

	backends := strings.Fields(sql(t, one, "SELECT pid FROM pg_stat_activity WHERE application_name = 'consentledger'"))
	postmaster, err := one.PID()
	check(t, "pid", err)
	pids := []int{postmaster}
	for _, b := range backends {
		var pid int
		fmt.Sscan(b, &pid)
		pids = append(pids, pid)
	}
	for _, pid := range pids {
		check(t, "pause", syscall.Kill(pid, syscall.SIGSTOP))
	}
	defer func() {
		for _, pid := range pids {
			_ = syscall.Kill(pid, syscall.SIGCONT)
		}
	}()

	_, err = s.Append(within(t, 300*time.Millisecond), "a", 1, numbered(1))
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("while the server sleeps an append ends with %v", err)
	}
	check(t, "promote", two.Promote(t.Context()))
	check(t, "link", errors.Join(os.Remove(link), os.Symlink(two.Dir(), link)))
	add(t, s, 1)
	if got := sql(t, two, "SELECT count(*) FROM consentledger.records_v1"); got != "2" {
		t.Errorf("%s records are there, want 2", got)
	}
}

// TestOtherServer has another server at the same address.
func TestOtherServer(t *testing.T) {
	one, two := pgservertest.Serve(t), pgservertest.Another(t)
	s := open(t, either(one, two), postgres.Options{})
	add(t, s, 0)
	check(t, "stop", one.Stop(t.Context(), true))
	saysInTime(t, appends(s, 1), "it is another server")
	check(t, "start", one.Start(t.Context()))
	add(t, s, 1)

	// A copy of the database on another server is not taken for it either.
	dump, err := one.Run(t.Context(), "pg_dump", "-h", one.Dir(), "-U", "bench", "postgres")
	check(t, "dump", err)
	file := filepath.Join(two.Dir(), "dump.sql")
	check(t, "write", os.WriteFile(file, []byte(dump), 0o644))
	_, err = two.Run(t.Context(), "psql", "-X", "-q", "-h", two.Dir(), "-U", "bench", "-v", "ON_ERROR_STOP=1", "-f", file, "postgres")
	check(t, "restore", err)
	moved := open(t, two.Address("postgres"), postgres.Options{Seen: s.Seen()})
	err = moved.Ready(within(t, time.Minute))
	says(t, err, "was made on the server", `UPDATE "consentledger".store_v1 SET system = `)
	_, adopt, _ := strings.Cut(err.Error(), "is gone: ")
	adopt, _, _ = strings.Cut(adopt, ")")
	sql(t, two, adopt)
	add(t, moved, 2)
}

// TestHistoryChanged has somebody with all rights change what is there.
func TestHistoryChanged(t *testing.T) {
	const free = "ALTER TABLE %[1]s.records_v1 DISABLE TRIGGER records_v1_keep; "
	for _, tt := range []struct {
		name, change string
		says         []string // one of them: which, depends on whether the connection is an older one
	}{
		{"the last record is gone", free + "DELETE FROM %[1]s.records_v1 WHERE position = 3", []string{"3"}},
		{"the table is gone", "DROP TABLE %[1]s.records_v1", []string{"does not exist", "is not there any more"}},
		{"the schema is gone", "DROP SCHEMA %[1]s CASCADE", []string{"does not exist", "is not in the database"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			name := newName()
			s := open(t, common.Address("postgres"), postgres.Options{Name: name})
			for n := range 3 {
				add(t, s, n)
			}
			sql(t, common, fmt.Sprintf(tt.change, name))
			_, err := s.Append(within(t, time.Minute), "a", 3, numbered(3))
			says(t, err, "history was changed")
			if !slices.ContainsFunc(tt.says, func(text string) bool { return strings.Contains(fmt.Sprint(err), text) }) {
				t.Errorf("got %v, want an error that says one of %q", err, tt.says)
			}
			if s.Fault() == nil {
				t.Error("it is not red")
			}
		})
	}

	t.Run("a record in the middle is gone", func(t *testing.T) {
		name := newName()
		s := open(t, common.Address("postgres"), postgres.Options{Name: name})
		for n := range 3 {
			add(t, s, n)
		}
		sql(t, common, fmt.Sprintf(free+"DELETE FROM %[1]s.records_v1 WHERE position = 2", name))
		for _, read := range []func(*postgres.Store) error{
			func(s *postgres.Store) (last error) {
				for _, err := range s.ReadAll(t.Context(), 0) {
					last = err
				}
				return last
			},
			func(s *postgres.Store) (last error) {
				for _, err := range s.ReadStream(t.Context(), "a", 1) {
					last = err
				}
				return last
			},
			func(s *postgres.Store) (last error) {
				for _, last = range s.Follow(within(t, time.Minute), 1) {
					break
				}
				return last
			},
			func(s *postgres.Store) (last error) {
				for _, last = range s.Follow(within(t, time.Minute), 2) { // where it resumes
					break
				}
				return last
			},
		} {
			s := open(t, common.Address("postgres"), postgres.Options{Name: name})
			says(t, read(s), "history was changed", "2")
		}
	})

	t.Run("whoever may do everything is stopped by the trigger", func(t *testing.T) {
		name := newName()
		add(t, open(t, common.Address("postgres"), postgres.Options{Name: name}), 0)
		for _, change := range []string{"DELETE FROM %s.records_v1", "UPDATE %s.records_v1 SET data = ''", "TRUNCATE %s.records_v1"} {
			_, err := common.SQL(t.Context(), "postgres", fmt.Sprintf(change, name))
			says(t, err, "records are never changed or deleted")
		}
	})
}

// TestNoText has names and types for which PostgreSQL has no text.
func TestNoText(t *testing.T) {
	s := open(t, common.Address("postgres"), postgres.Options{Name: newName()})
	add(t, s, 0)
	_, err := s.Append(t.Context(), "a\xff", 0, numbered(1))
	says(t, err, "UTF-8")
	for _, kind := range []string{"a\xff", "a\x00"} {
		r := numbered(1)
		r.Type = kind
		_, err := s.Append(t.Context(), "b", 0, r)
		says(t, err, "UTF-8")
	}
	for r, err := range s.ReadStream(t.Context(), "a\xff", 0) {
		t.Errorf("it yields %v, %v", r, err)
	}
}

// TestCommitFails has a commit refused after its statement was carried out.
func TestCommitFails(t *testing.T) {
	name := newName()
	s := open(t, common.Address("postgres"), postgres.Options{Name: name})
	add(t, s, 0)
	sql(t, common, fmt.Sprintf(`CREATE FUNCTION %[1]s.no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not at commit'; END $$;
		CREATE CONSTRAINT TRIGGER no AFTER INSERT ON %[1]s.records_v1 DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
		WHEN (NEW.type = 'bad.v1') EXECUTE FUNCTION %[1]s.no()`, name))
	bad := numbered(1)
	bad.Type = "bad.v1"
	done := make(chan error)
	go func() {
		_, err := s.Append(within(t, time.Minute), "b", 0, numbered(9)) // perhaps in the same transaction
		done <- err
	}()
	_, err := s.Append(within(t, time.Minute), "a", 1, bad)
	says(t, err, "nothing was written", "not at commit")
	check(t, "the other append", <-done)
	if got := sql(t, common, fmt.Sprintf("SELECT string_agg(position::text, ' ' ORDER BY position) FROM %s.records_v1", name)); got != "1 2" {
		t.Errorf("the positions are %s, want 1 2: a transaction that is rolled back leaves no gap", got)
	}
}

// TestIsolation has a server on which transactions see what was there when they began.
func TestIsolation(t *testing.T) {
	server := pgservertest.Serve(t, "default_transaction_isolation = 'serializable'", "synchronous_commit = off", "statement_timeout = 200", "lock_timeout = 1")
	s, other := open(t, server.Address("postgres"), postgres.Options{}), open(t, server.Address("postgres"), postgres.Options{})
	for n := range 20 {
		add(t, []*postgres.Store{s, other}[n%2], n)
	}
	_, err := server.SQL(t.Context(), "postgres", `SET statement_timeout = 0; BEGIN ISOLATION LEVEL SERIALIZABLE;
		SELECT * FROM consentledger.append_v1('{a}', '{1}', '{1}', '{1}', '{a}', '{20}', ARRAY[gen_random_uuid()], '{t}', '{x}', 0, false)`)
	says(t, err, "READ COMMITTED")
	if got := sql(t, server, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'consentledger' AND state LIKE 'idle in%'"); got != "0" {
		t.Errorf("%s transactions are left open", got)
	}
}

// TestNotReplicated has an administrator cancel a commit that waits for its standby.
func TestNotReplicated(t *testing.T) {
	one := pgservertest.Serve(t)
	two := pgservertest.Standby(t, one)
	s := open(t, one.Address("postgres"), postgres.Options{})
	add(t, s, 0)
	sql(t, one, "ALTER SYSTEM SET synchronous_standby_names = '*'")
	check(t, "reload", one.Reload(t.Context()))
	add(t, s, 1)
	check(t, "stop", two.Stop(t.Context(), true))

	// A store that is closed does not cancel its commit: then all would see it.
	const waiting = "FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
	closed := open(t, one.Address("postgres"), postgres.Options{})
	done := make(chan error, 1)
	go func() {
		_, err := closed.Append(within(t, 2*time.Minute), "c", 0, numbered(7))
		done <- err
	}()
	for sql(t, one, "SELECT count(*) "+waiting) != "1" {
		time.Sleep(20 * time.Millisecond)
	}
	check(t, "close", closed.Close())
	if err := <-done; !errors.Is(err, postgres.ErrClosed) {
		t.Errorf("an append of a store that is closed ends with %v", err)
	}
	time.Sleep(500 * time.Millisecond)
	if got := sql(t, one, "SELECT count(*) FROM consentledger.records_v1 WHERE stream = 'c'"); got != "0" {
		t.Error("its commit was cancelled, and so made")
	}

	go func() {
		_, err := s.Append(within(t, 2*time.Minute), "a", 2, numbered(2))
		done <- err
	}()
	for range 3 {
		for sql(t, one, "SELECT count(*) "+waiting) != "1" {
			time.Sleep(20 * time.Millisecond)
		}
		sql(t, one, "SELECT pg_cancel_backend(pid) "+waiting)
	}
	select {
	case err := <-done:
		t.Fatalf("it is acknowledged before a standby has it: %v", err)
	default:
	}
	// Nor is it by a caller who goes away: a cancelled commit would be seen by all.
	_, err := s.Append(within(t, 100*time.Millisecond), "b", 0, numbered(8))
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("without its standby an append ends with %v", err)
	}
	check(t, "start", two.Start(t.Context()))
	check(t, "append", <-done)
	if got := sql(t, one, "SELECT count(*) FROM consentledger.records_v1 WHERE stream = 'a'"); got != "3" {
		t.Errorf("stream a has %s records, want 3", got)
	}
}
