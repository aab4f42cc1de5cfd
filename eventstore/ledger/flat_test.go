package ledger_test

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"testing"

	"consentledger/domain"
	"consentledger/domain/policy"
	"consentledger/eventstore"
	"consentledger/eventstore/ledger"
)

// Tallied rows count the rows that are asked for, and the changes.
type talliedRows struct {
	eventstore.Rows
	gets, writes atomic.Int64
}

func (c *talliedRows) Write(ctx context.Context, change eventstore.Change) error {
	c.writes.Add(1)
	return c.Rows.Write(ctx, change)
}

func (c *talliedRows) Get(ctx context.Context, key []byte) ([]byte, bool, error) {
	c.gets.Add(1)
	return c.Rows.Get(ctx, key)
}

// A cost is what something took: no time, which depends on the machine.
type cost struct{ records, rows, writes, allocations int }

// A meter tells what the ledger does in its store, its rows and in memory.
type meter struct {
	w     *world
	store *tallied
	rows  *talliedRows
}

func newMeter() *meter {
	m := &meter{w: newWorld()}
	m.store = &tallied{Store: m.w.store}
	m.w.store = m.store
	m.w.via = func(r eventstore.Rows) eventstore.Rows {
		m.rows = &talliedRows{Rows: r}
		return m.rows
	}
	return m
}

func (m *meter) of(f func()) (c cost) {
	var before, after runtime.MemStats
	m.store.records, m.store.appends = 0, 0
	m.rows.gets.Store(0)
	m.rows.writes.Store(0)
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return cost{m.store.records, int(m.rows.gets.Load()), m.store.appends + int(m.rows.writes.Load()), int(after.Mallocs - before.Mallocs)}
}

// someone is a person whose history the test makes long or short.
func someone(id string, n int) ledger.Request {
	r := requestOf(fmt.Sprint(id, n), said(n))
	r.Person.ID = id
	return r
}

// costs returns what it costs to record of a person of n records and to ask about
// them, once the app is known: with the person in memory, and after a start.
func costs(t *testing.T, n int) map[string]cost {
	t.Helper()
	m := newMeter()
	l := m.w.open(t)
	begin(t, l)
	id := "somebody"
	keeping(t, l, func() {
		for i := range n {
			m.w.now += 1000
			must(t, l, someone(id, i))
		}
		must(t, l, someone("other", 0))
	})
	check := func(l *ledger.Ledger, who string) {
		s, err := l.State(t.Context(), "demo", account(who), ledger.AsOf{})
		if err != nil {
			t.Fatal(err)
		}
		domain.May(s.Subject, s.Reference, domain.Question{Purpose: "ads", Action: policy.Use, At: m.w.now})
	}
	started := func() *ledger.Ledger {
		l := m.w.open(t)
		check(l, "other")
		return l
	}
	record := func(l *ledger.Ledger, i int) {
		m.w.now += 1000
		must(t, l, someone(id, i))
	}

	all := map[string]cost{}
	check(l, id)
	all["hot check"] = m.of(func() { check(l, id) })
	all["hot record"] = m.of(func() {
		for i := range 16 { // lists grow now and then
			record(l, n+i)
		}
	})
	keeping(t, l, func() {
		for i := range ledger.Interval(n + 16) {
			record(l, n+16+i)
		}
	})
	n += ledger.Interval(n + 16)
	l = started()
	all["cold check"] = m.of(func() { check(l, id) })
	l = started()
	all["cold record"] = m.of(func() { record(l, n+16) })
	return all
}

// TestWhatIsDoneStaysTheSameAsHistoriesGrow counts reads, writes and
// allocations, of a person with a short history and of one with a long one.
func TestWhatIsDoneStaysTheSameAsHistoriesGrow(t *testing.T) {
	short, long := costs(t, 12), costs(t, 2000)
	// How much more a long history may take: lists that grow now and then, a
	// personal part that falls into the measurement, records since the snapshot,
	// and what else the process does meanwhile.
	since := ledger.Interval(2000)
	for name, most := range map[string]cost{
		"hot check":   {0, 0, 0, 8},
		"hot record":  {0, 0, 1, 16 * 10},
		"cold check":  {since, 0, 0, since * 10},
		"cold record": {since, 0, 0, since * 10},
	} {
		few, many := short[name], long[name]
		t.Logf("%s: %+v, of a long history %+v", name, few, many)
		if os.Getenv(on) != "" {
			few.allocations, many.allocations = 0, 0 // those of the server are among them
		}
		if many.records > few.records+most.records || many.rows > few.rows+most.rows ||
			many.writes > few.writes+most.writes || many.allocations > few.allocations+most.allocations {
			t.Errorf("%s: %+v, of a long history %+v", name, few, many)
		}
	}
	for _, hot := range []string{"hot check", "hot record"} {
		if c := short[hot]; c.records != 0 || c.rows != 0 {
			t.Errorf("%s reads: %+v", hot, c)
		}
	}

	// Who is not in memory costs the rows of their entry, a snapshot, the record that it
	// ends with, and those since.
	for _, cold := range []string{"cold check", "cold record"} {
		if c := short[cold]; c.records > 1+ledger.Interval(12) || c.rows > 4 {
			t.Errorf("%s reads too much: %+v", cold, c)
		}
	}
}
