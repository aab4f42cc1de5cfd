package migration_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"testing"
	"time"

	"consentledger/eventstore"
	"consentledger/eventstore/embedded"
	"consentledger/eventstore/esdb"
	"consentledger/eventstore/esdb/esdbserver"
	"consentledger/eventstore/migration"
	"consentledger/eventstore/postgres"
	"consentledger/eventstore/postgres/pgserver/pgservertest"
)

// BenchmarkRecords counts the records a second that are copied from one store to
// another, and how many times a plain reading of the source is as fast: b.N records of
// 600 bytes, of streams that take turns. EventStoreDB's protocol is that of the server of
// this project, which keeps its records in memory.
func BenchmarkRecords(b *testing.B) {
	server := pgservertest.Serve(b)
	databases := 0
	kinds := map[string]func(*testing.B) eventstore.Store{
		"directory": onDisk,
		"esdb":      onESDB,
		"postgres": func(b *testing.B) eventstore.Store {
			databases++
			name := fmt.Sprint("bench", databases)
			if _, err := server.SQL(b.Context(), "postgres", "CREATE DATABASE "+name); err != nil {
				b.Fatal(err)
			}
			return onPostgreSQL(b, server.Address(name))
		},
	}

	for _, way := range [][2]string{{"directory", "postgres"}, {"postgres", "directory"}, {"directory", "esdb"}, {"esdb", "directory"}} {
		b.Run(way[0]+"-"+way[1], func(b *testing.B) {
			from, to := kinds[way[0]](b), kinds[way[1]](b)
			fill(b, from, b.N)
			began := time.Now()
			for _, err := range from.ReadAll(b.Context(), 0) {
				if err != nil {
					b.Fatal(err)
				}
			}
			read := time.Since(began)

			b.ResetTimer()
			if err := migration.Records(b.Context(), from, to, func(int64) {}); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
			b.ReportMetric(b.Elapsed().Seconds()/read.Seconds(), "times-reading")
		})
	}
}

// fill writes a history whose streams take turns, as those of persons do.
func fill(b *testing.B, s eventstore.Store, n int) {
	b.Helper()
	lengths := map[eventstore.Stream]eventstore.Revision{}
	var batch []eventstore.Recorded
	for i := range n {
		stream := eventstore.Stream(fmt.Sprintf("subject-shop-%d", i*7919%(1+n/8)))
		lengths[stream]++
		r := eventstore.Recorded{Stream: stream, Revision: lengths[stream]}
		r.Type, r.Data = "consent.given.v1", make([]byte, 600)
		binary.BigEndian.PutUint64(r.ID[8:], uint64(i+1))
		binary.BigEndian.PutUint64(r.Data, uint64(i))
		if batch = append(batch, r); len(batch) < 1000 && i < n-1 {
			continue
		}
		if _, err := eventstore.Import(b.Context(), s, batch...); err != nil {
			b.Fatal(err)
		}
		batch = nil
	}
}

func onDisk(b *testing.B) eventstore.Store {
	db, err := embedded.Open(b.TempDir(), embedded.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { closed(b, db.Close()) })
	return db.Store()
}

func onPostgreSQL(b *testing.B, address string) eventstore.Store {
	at, err := postgres.ParseAddress(address)
	if err != nil {
		b.Fatal(err)
	}
	s, err := postgres.Open(at, postgres.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { closed(b, s.Close()) })
	ready(b, s.Ready)
	return s
}

func onESDB(b *testing.B) eventstore.Store {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	server, done := esdbserver.New(esdbserver.Options{}), make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	b.Cleanup(func() {
		server.Close()
		closed(b, <-done)
	})
	at, err := esdb.ParseAddress("esdb://" + l.Addr().String() + "?tls=false")
	if err != nil {
		b.Fatal(err)
	}
	s, err := esdb.Open(at, esdb.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { closed(b, s.Close()) })
	ready(b, s.Ready)
	return s
}

func ready(b *testing.B, wait func(context.Context) error) {
	b.Helper()
	if err := wait(b.Context()); err != nil {
		b.Fatal(err)
	}
}

func closed(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Error(err)
	}
}
