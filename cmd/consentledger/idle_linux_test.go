package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"consentledger/eventstore/esdb/esdbserver"
	"consentledger/eventstore/postgres/pgserver"
	"consentledger/eventstore/postgres/pgserver/pgservertest"
)

// Three processes that nobody asks anything ask little themselves: they hold or ask for
// their turns, look for records of which nobody told them, and ask a quorum now and then whether they are told.
func TestAnIdleFleetAsksLittle(t *testing.T) {
	t.Parallel() // it waits
	pg := pgservertest.Serve(t)
	t.Run("EventStoreDB", func(t *testing.T) {
		store := newEventStore(t)
		var empty atomic.Int64
		store.server.SetFaults(esdbserver.Faults{Append: func(w esdbserver.Write) *esdbserver.Fate {
			if w.Events == 0 {
				empty.Add(1)
			}
			return nil
		}})
		f := newFleet(t, pg, store.url(), databaseOf(t, pg, "idle_esdb"), "", 3)
		if n := idle(t, f, pg, "idle_esdb", 6, &empty); n > 3 { // each may ask once whether the silence is one
			t.Errorf("%d appends of no events by three who are asked nothing", n)
		}
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		db := databaseOf(t, pg, "idle_pg")
		f := newFleet(t, pg, db, db, db, 3)
		idle(t, f, pg, "idle_pg", 15, new(atomic.Int64))
	})
}

// idle waits until a fleet that does nothing has come to rest: until each process makes no
// more than so many transactions a second. What is counted while it rests is returned.
func idle(t *testing.T, f *fleet, pg *pgserver.Server, database string, most float64, count *atomic.Int64) (counted int64) {
	t.Helper()
	prepare(t, f.member(0))
	for i := range f.members {
		eventually(t, "", func() string { return verbose(t, &f.member(i).running) })
	}
	eventually(t, "at rest", func() string {
		transactions, used, was, began := transactionsOf(t, pg, database), cpuOf(t, f), count.Load(), time.Now()
		time.Sleep(5 * time.Second)
		took := time.Since(began).Seconds() * float64(len(f.members))
		each := float64(transactionsOf(t, pg, database)-transactions) / took
		counted = count.Load() - was
		t.Logf("each of %d idle processes: %.1f transactions a second, %.2f CPU seconds a minute, %d appends of no events of all",
			len(f.members), each, (cpuOf(t, f)-used).Seconds()/took*60, counted)
		if each > most {
			return "at work"
		}
		return "at rest"
	})
	return counted
}

func transactionsOf(t *testing.T, pg *pgserver.Server, database string) int64 {
	t.Helper()
	said, err := pg.SQL(t.Context(), "postgres", fmt.Sprintf("SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = '%s'", database))
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.ParseInt(strings.TrimSpace(said), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// cpuOf returns what the members have used so far.
func cpuOf(t *testing.T, f *fleet) (sum time.Duration) {
	t.Helper()
	for i := range f.members {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", f.member(i).cmd.Process.Pid))
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(text), ") ")
		fields := strings.Fields(rest)
		for _, field := range fields[11:13] { // in user mode and in the kernel, in hundredths of a second
			n, err := strconv.ParseInt(field, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			sum += time.Duration(n) * 10 * time.Millisecond
		}
	}
	return sum
}
