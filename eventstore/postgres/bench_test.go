package postgres_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"consentledger/eventstore"
	"consentledger/eventstore/postgres"
	"consentledger/eventstore/postgres/pgserver"
	"consentledger/eventstore/postgres/pgserver/pgservertest"
)

// recordBytes is how long the data of a record are here.
const recordBytes = 600

// BenchmarkAgainstTable counts durable records a second of a store with 64 callers
// beside those of a plain table of the same server with 64 clients, which insert one
// row a transaction by pgbench. They take turns, and a turn has some seconds.
func BenchmarkAgainstTable(b *testing.B) {
	const turn = 5 * time.Second
	for _, clients := range []int{1, 16, 64} {
		b.Run(strconv.Itoa(clients), func(b *testing.B) {
			server := pgservertest.Serve(b, "max_connections = 300", "shared_buffers = 256MB")
			table := newTable(b, server)
			stores := []*postgres.Store{open(b, server.Address("postgres"), postgres.Options{})}
			if err := stores[0].Ready(b.Context()); err != nil {
				b.Fatal(err)
			}
			ours, plain := 0.0, 0.0
			b.ResetTimer()
			for n := range b.N {
				plain += table.load(b, clients, turn)
				ours += load(b, stores, clients, turn, n)
			}
			b.ReportMetric(ours/float64(b.N), "records/s")
			b.ReportMetric(plain/float64(b.N), "table-rows/s")
			b.ReportMetric(ours/plain, "times")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkProcesses counts durable records a second of 64 callers of one and of
// three stores on one server, as three processes have them.
func BenchmarkProcesses(b *testing.B) {
	for _, processes := range []int{1, 3} {
		b.Run(strconv.Itoa(processes), func(b *testing.B) {
			server := pgservertest.Serve(b, "max_connections = 300", "shared_buffers = 256MB")
			var stores []*postgres.Store
			for range processes {
				s := open(b, server.Address("postgres"), postgres.Options{})
				if err := s.Ready(b.Context()); err != nil {
					b.Fatal(err)
				}
				stores = append(stores, s)
			}
			rate := 0.0
			b.ResetTimer()
			for n := range b.N {
				rate += load(b, stores, 64, 5*time.Second, n)
			}
			b.ReportMetric(rate/float64(b.N), "records/s")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// load has callers append for a while, each to a stream of its own, and returns how
// many records a second were acknowledged.
func load(b *testing.B, stores []*postgres.Store, callers int, long time.Duration, turn int) float64 {
	b.Helper()
	data := make([]byte, recordBytes)
	var done atomic.Int64
	var all sync.WaitGroup
	began := time.Now()
	for c := range callers {
		all.Go(func() {
			s, name := stores[c%len(stores)], eventstore.Stream(fmt.Sprintf("subject-%d-%d", turn, c))
			for at := eventstore.Revision(0); time.Since(began) < long; at++ {
				r := eventstore.Record{Type: "consent.given.v1", Data: data}
				binary.BigEndian.PutUint64(r.ID[:], uint64(turn)<<32|uint64(c))
				binary.BigEndian.PutUint64(r.ID[8:], uint64(at)+1)
				if _, err := s.Append(b.Context(), name, at, r); err != nil {
					b.Error(err)
					return
				}
				done.Add(1)
			}
		})
	}
	all.Wait()
	return float64(done.Load()) / time.Since(began).Seconds()
}

// A table is a plain one, into which pgbench inserts.
type table struct {
	server *pgserver.Server
	script string
}

func newTable(b *testing.B, server *pgserver.Server) *table {
	b.Helper()
	_, err := server.SQL(b.Context(), "postgres", `CREATE TABLE events (position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
		id uuid NOT NULL UNIQUE, stream text NOT NULL, type text NOT NULL, data bytea NOT NULL)`)
	if err != nil {
		b.Fatal(err)
	}
	script := filepath.Join(server.Dir(), "insert.sql")
	insert := fmt.Sprintf("INSERT INTO events (id, stream, type, data) VALUES (gen_random_uuid(), 'subject-' || :client_id, 'consent.given.v1', "+
		"decode(repeat('00', %d), 'hex'));\n", recordBytes)
	if err := os.WriteFile(script, []byte(insert), 0o644); err != nil {
		b.Fatal(err)
	}
	return &table{server, script}
}

// load returns how many rows a second were inserted, as pgbench says.
func (t *table) load(b *testing.B, clients int, long time.Duration) float64 {
	b.Helper()
	said, err := t.server.Run(b.Context(), "pgbench", "-n", "-M", "prepared", "-h", t.server.Dir(), "-U", "bench",
		"-c", strconv.Itoa(clients), "-j", "2", "-T", strconv.Itoa(int(long.Seconds())), "-f", t.script, "postgres")
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(said) {
		if value, ok := strings.CutPrefix(line, "tps = "); ok {
			rate, err := strconv.ParseFloat(strings.Fields(value)[0], 64)
			if err != nil {
				b.Fatal(err)
			}
			return rate
		}
	}
	b.Fatalf("pgbench said no rate: %.500s", said)
	return 0
}

// BenchmarkFollow counts records a second that one follower is given who begins at
// the beginning.
func BenchmarkFollow(b *testing.B) {
	s := open(b, common.Address("postgres"), postgres.Options{Name: newName()})
	const total = 100_000
	data := make([]byte, recordBytes)
	for n := 0; n < total; n += 500 {
		records := make([]eventstore.Record, 500)
		for i := range records {
			records[i] = eventstore.Record{Type: "test.v1", Data: data}
			binary.BigEndian.PutUint64(records[i].ID[8:], uint64(n+i)+1)
		}
		if _, err := s.Append(b.Context(), eventstore.Stream(fmt.Sprint("s", n)), 0, records...); err != nil {
			b.Fatal(err)
		}
	}
	follow := func(ctx context.Context) (n int) {
		for batch, err := range s.Follow(ctx, 0) {
			if err != nil {
				b.Fatal(err)
			}
			if n += len(batch); n == total {
				break
			}
		}
		return n
	}
	for b.Loop() {
		if n := follow(b.Context()); n != total {
			b.Fatal(n)
		}
	}
	b.ReportMetric(float64(b.N)*total/b.Elapsed().Seconds(), "records/s")
}

// BenchmarkCheck counts questions a second about a stream's newest record, of 64 who
// ask at once: as they are, and behind barriers.
func BenchmarkCheck(b *testing.B) {
	for _, way := range []string{"read", "barrier and read"} {
		b.Run(way, func(b *testing.B) {
			s := open(b, common.Address("postgres"), postgres.Options{Name: newName()})
			if _, err := s.Append(b.Context(), "a", 0, eventstore.Record{ID: eventstore.EventID{1}, Type: "test.v1", Data: make([]byte, recordBytes)}); err != nil {
				b.Fatal(err)
			}
			var left atomic.Int64
			left.Store(int64(b.N))
			b.ResetTimer()
			var all sync.WaitGroup
			for range 64 {
				all.Go(func() {
					for left.Add(-1) >= 0 {
						if way != "read" {
							if err := s.Barrier(b.Context()); err != nil {
								b.Error(err)
							}
						}
						for _, err := range s.ReadStream(b.Context(), "a", 0) {
							if err != nil {
								b.Error(err)
							}
						}
					}
				})
			}
			all.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "questions/s")
		})
	}
}
