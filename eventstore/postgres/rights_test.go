package postgres_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"consentledger/eventstore"
	"consentledger/eventstore/postgres"
	"consentledger/eventstore/postgres/pgserver/pgservertest"
)

// TestRights has the user lack one right after the other, and does each time what
// the error says.
func TestRights(t *testing.T) {
	server := pgservertest.Serve(t)
	sql(t, server, "CREATE ROLE ledger LOGIN; CREATE ROLE owner")
	address := fmt.Sprintf("host=%s user=ledger dbname=postgres", server.Dir())
	ready := func() error {
		s := open(t, address, postgres.Options{})
		defer s.Close()
		return s.Ready(within(t, time.Minute))
	}
	says(t, ready(), "the user ledger may not make it", `GRANT CREATE ON DATABASE "postgres" TO "ledger"`)

	// The schema is made by somebody else, who owns it.
	schema, err := postgres.Schema("consentledger")
	check(t, "schema", err)
	sql(t, server, "GRANT CREATE ON DATABASE postgres TO owner; SET ROLE owner;"+schema)
	err = ready()
	says(t, err, "lacks rights", "GRANT USAGE ON SCHEMA")
	_, grants, _ := strings.Cut(err.Error(), "as the owner of the schema, ")
	all := strings.Split(strings.TrimRight(grants, ")"), "; ")
	if len(all) != 7 {
		t.Errorf("it wants %q", all)
	}
	for _, grant := range all {
		says(t, ready(), grant)
		sql(t, server, "SET ROLE owner; "+grant)
	}
	s := open(t, address, postgres.Options{})
	add(t, s, 0)
	for _, change := range []string{"DELETE FROM", "TRUNCATE", "ALTER TABLE"} {
		_, err := server.SQL(t.Context(), "postgres", "SET ROLE ledger; "+change+" consentledger.records_v1"+map[bool]string{true: " DISABLE TRIGGER ALL"}[change == "ALTER TABLE"])
		says(t, err, "ERROR") // who only has these rights cannot
	}

	// A right that is taken away from a store that is open.
	sql(t, server, "REVOKE INSERT ON consentledger.records_v1 FROM ledger")
	_, err = s.Append(within(t, time.Minute), "a", 1, numbered(1))
	says(t, err, "permission denied")
	_, err = s.Append(within(t, time.Minute), "a", 1, numbered(1))
	says(t, err, `GRANT INSERT ON "consentledger".records_v1 TO "ledger"`)
	sql(t, server, "GRANT INSERT ON consentledger.records_v1 TO ledger")
	add(t, s, 1)

	// One who may make a schema makes it.
	sql(t, server, "GRANT CREATE ON DATABASE postgres TO ledger")
	add(t, open(t, address, postgres.Options{Name: "other"}), 0)
}

// TestUnfit has servers that may lose what they acknowledge, or cannot keep it.
func TestUnfit(t *testing.T) {
	server := pgservertest.Serve(t)
	s := open(t, server.Address("postgres"), postgres.Options{})
	add(t, s, 0)
	for _, tt := range []struct{ setting, says string }{
		{"fsync = off", "set fsync = on"},
		{"full_page_writes = off", "set full_page_writes = on"},
	} {
		check(t, "set", server.Set(tt.setting))
		check(t, "reload", server.Reload(t.Context()))
		name, _, _ := strings.Cut(tt.setting, " ")
		for sql(t, server, "SHOW "+name) != "off" {
			time.Sleep(20 * time.Millisecond)
		}
		says(t, open(t, server.Address("postgres"), postgres.Options{}).Ready(within(t, time.Minute)), tt.says)
		says(t, s.Barrier(within(t, time.Minute)), tt.says) // also on a connection that is there already
		check(t, "set", server.Set(name+" = on"))
		check(t, "reload", server.Reload(t.Context()))
		for sql(t, server, "SHOW "+name) != "on" {
			time.Sleep(20 * time.Millisecond)
		}
	}
	check(t, "set", server.Set("full_page_writes = off"))
	check(t, "reload", server.Reload(t.Context()))
	check(t, "ready", open(t, server.Address("postgres"), postgres.Options{WholePages: true}).Ready(within(t, time.Minute)))
	check(t, "set", server.Set("full_page_writes = on"))
	check(t, "reload", server.Reload(t.Context()))

	sql(t, server, "ALTER DATABASE postgres SET default_transaction_read_only = on")
	saysInTime(t, open(t, server.Address("postgres"), postgres.Options{}).Ready, "it is read-only")
	_, err := server.SQL(t.Context(), "template1", "ALTER DATABASE postgres RESET default_transaction_read_only")
	check(t, "reset", err)

	sql(t, server, "CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0")
	says(t, open(t, server.Address("latin"), postgres.Options{}).Ready(within(t, time.Minute)), "the encoding LATIN1", "needs UTF8")
	says(t, open(t, server.Address("nowhere"), postgres.Options{}).Ready(within(t, time.Minute)), `database "nowhere" does not exist`)

	sql(t, server, "ALTER TABLE consentledger.records_v1 SET UNLOGGED")
	says(t, open(t, server.Address("postgres"), postgres.Options{}).Ready(within(t, time.Minute)), "SET LOGGED")
	sql(t, server, "ALTER TABLE consentledger.records_v1 SET LOGGED; UPDATE consentledger.store_v1 SET format = 2")
	says(t, open(t, server.Address("postgres"), postgres.Options{}).Ready(within(t, time.Minute)), "made by a newer one")

	standby := pgservertest.Standby(t, server)
	saysInTime(t, open(t, standby.Address("postgres"), postgres.Options{}).Ready, "it is a standby")
}

func TestPgBouncer(t *testing.T) {
	server := pgservertest.Serve(t)
	t.Run("session", func(t *testing.T) {
		leavesNothing(t)
		address := pgservertest.Bouncer(t, server, "session")
		s, other := open(t, address, postgres.Options{}), open(t, address, postgres.Options{})
		for n := range 10 {
			add(t, s, n)
			check(t, "barrier", other.Barrier(within(t, time.Minute)))
			if head, err := other.Head(within(t, time.Minute)); err != nil || head != eventstore.Position(n+1) {
				t.Errorf("the head is %d, %v, want %d", head, err, n+1)
			}
		}
		n := 0
		for batch, err := range other.Follow(within(t, time.Minute), 0) {
			check(t, "follow", err)
			if n += len(batch); n == 11 {
				break
			}
			if n == 10 {
				add(t, s, 10)
			}
		}
	})
	for _, mode := range []string{"transaction", "statement"} {
		t.Run(mode, func(t *testing.T) {
			s := open(t, pgservertest.Bouncer(t, server, mode), postgres.Options{})
			says(t, s.Ready(within(t, time.Minute)), "pool_mode = session")
			_, err := s.Append(within(t, time.Minute), "b", 0, numbered(50))
			says(t, err, "pool_mode = session", "nothing was written")
		})
	}
}
