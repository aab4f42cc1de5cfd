package postgres_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"consentledger/eventstore/postgres"
)

func TestAddress(t *testing.T) {
	service := filepath.Join(t.TempDir(), "services")
	if err := os.WriteFile(service, []byte("[ledger]\nhost=db9\nport=5439\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PGSERVICEFILE", service)
	for _, tt := range []struct{ address, servers string }{
		{"postgres://ledger:secret@db1/ledger", "db1:5432"},
		{"postgresql://ledger@db1:5433,db2:5434/ledger?sslmode=require", "db1:5433,db2:5434"},
		{"postgres://ledger@db1,db2/ledger?sslmode=prefer&target_session_attrs=read-write", "db1:5432,db2:5432"},
		{"host=db1,db2 port=5433 user=ledger password='a b' dbname=ledger target_session_attrs=primary", "db1:5433,db2:5433"},
		{"postgres://ledger@%2Frun%2Fpostgresql/ledger", "/run/postgresql"},
		{"host=/run/postgresql dbname=ledger connect_timeout=3 application_name=one", "/run/postgresql"},
		{"postgres://ledger@[::1]:5433/ledger", "[::1]:5433"},
		{"service=ledger", "db9:5439"},
		{"postgres://ledger@db1/ledger?port=1&port=2", "db1:2"},
	} {
		a, err := postgres.ParseAddress(tt.address)
		if err != nil {
			t.Errorf("%s: %v", tt.address, err)
			continue
		}
		if a.String() != tt.servers {
			t.Errorf("%s: servers %s, want %s", tt.address, a, tt.servers)
		}
	}
}

func TestAddressRefused(t *testing.T) {
	for _, tt := range []struct{ address, says string }{
		{"postgres://ledger:h1dden@db1/ledger?sslmod=require", `there is no setting "sslmod"`},
		{"postgres://ledger:h1dden@db1/ledger?pool_max_conns=4", `there is no setting "pool_max_conns"`},
		{"host=db1 password=h1dden default_query_exec_mode=exec", `there is no setting "default_query_exec_mode"`},
		{"postgres://ledger:h1dden@db1/ledger?target_session_attrs=standby", "only the primary knows"},
		{"postgres://ledger:h1dden@db1/ledger?target_session_attrs=prefer-standby", "only the primary knows"},
		{"postgres://ledger:h1dden@db1/ledger?target_session_attrs=read-only", "only the primary knows"},
		{"postgres://ledger:h1dden@db1:port/ledger", "port"},
		{"postgres://ledger:h1dden@db1/ledger?sslmode=sometimes", "sslmode"},
		{"postgres://ledger:h1dden@db1:1,db2:2,db3/ledger?connect_timeout=soon", "connect_timeout"},
		{"mysql://ledger:h1dden@db1/ledger", "it is written postgres://"},
		{"password='h1dden", "it is written postgres://"},
	} {
		_, err := postgres.ParseAddress(tt.address)
		says(t, err, "connection string: ", tt.says)
		if err != nil && strings.Contains(err.Error(), "h1dden") {
			t.Errorf("%s: the error tells the password: %v", tt.address, err)
		}
	}
}

func TestNames(t *testing.T) {
	a, err := postgres.ParseAddress("host=/nowhere")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"A", "1a", "a-b", "pg_a", "a b", `a"b`, strings.Repeat("a", 33)} {
		_, err := postgres.Open(a, postgres.Options{Name: name})
		says(t, err, "store name")
		_, err = postgres.Schema(name)
		says(t, err, "store name")
	}
	for _, name := range []string{"user", "select", "a_1"} { // words of SQL, too
		add(t, open(t, common.Address("postgres"), postgres.Options{Name: name}), 0)
	}
}
