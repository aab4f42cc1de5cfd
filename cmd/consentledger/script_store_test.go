package main

import (
	"fmt"
	"net"
	"sync"
	"testing"

	"consentledger/eventstore/esdb/esdbserver"
	"consentledger/eventstore/postgres/pgserver"
	"consentledger/eventstore/postgres/pgserver/pgservertest"

	"github.com/rogpeppe/go-internal/testscript"
)

// stores are servers that scripts keep records in: one PostgreSQL for all of them,
// which is started by the first that asks.
type stores struct {
	t *testing.T

	mu        sync.Mutex
	postgres  *pgserver.Server
	databases int
}

// server returns the PostgreSQL server, and the name of a database that nobody has.
func (s *stores) server() (*pgserver.Server, string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.postgres == nil {
		s.postgres = pgservertest.Serve(s.t)
	}
	s.databases++
	return s.postgres, fmt.Sprintf("script%d", s.databases)
}

// scriptPostgres sets a variable to the address of an empty database: postgres NAME.
func (s *stores) scriptPostgres(ts *testscript.TestScript, neg bool, args []string) {
	server, name := s.server()
	_, err := server.SQL(s.t.Context(), "postgres", "CREATE DATABASE "+name)
	ts.Check(err)
	ts.Setenv(args[0], server.Address(name))
}

// scriptEsdb starts a server that speaks EventStoreDB's protocol, and sets a variable to
// its address: esdb NAME. It ends with the script.
func (s *stores) scriptEsdb(ts *testscript.TestScript, neg bool, args []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	server, done := esdbserver.New(esdbserver.Options{}), make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	ts.Defer(func() {
		server.Close()
		<-done
	})
	ts.Setenv(args[0], "esdb://"+l.Addr().String()+"?tls=false")
}
