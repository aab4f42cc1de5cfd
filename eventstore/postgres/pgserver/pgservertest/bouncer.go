package pgservertest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"consentledger/eventstore/postgres/pgserver"
)

// Bouncer starts a PgBouncer before a server, until t ends. Mode is its pool_mode.
func Bouncer(t testing.TB, server *pgserver.Server, mode string) (address string) {
	t.Helper()
	path, err := exec.LookPath("pgbouncer")
	if err != nil {
		path = "/usr/sbin/pgbouncer"
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("PgBouncer is not on this machine; on Debian: apt-get install pgbouncer: %v", err)
	}

	dir := filepath.Join(server.Dir(), "bouncer-"+mode)
	_, err = server.Run(t.Context(), "/bin/mkdir", dir)
	check(t, err)
	config := fmt.Sprintf(`[databases]
* = host=%s user=bench
[pgbouncer]
listen_port = 6432
unix_socket_dir = %s
auth_type = any
pool_mode = %s
pidfile = %s/pid
logfile = %s/log
`, server.Dir(), dir, mode, dir, dir)
	file := filepath.Join(server.Dir(), "bouncer-"+mode+".ini")
	check(t, os.WriteFile(file, []byte(config), 0o644))
	_, err = server.Run(t.Context(), path, "-d", file)
	check(t, err)
	t.Cleanup(func() {
		pid, err := os.ReadFile(filepath.Join(dir, "pid"))
		if err == nil {
			_ = exec.Command("kill", strings.TrimSpace(string(pid))).Run()
		}
	})
	for range 500 {
		if c, err := net.Dial("unix", filepath.Join(dir, ".s.PGSQL.6432")); err == nil {
			c.Close()
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	return fmt.Sprintf("host=%s port=6432 user=bench dbname=postgres", dir)
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
