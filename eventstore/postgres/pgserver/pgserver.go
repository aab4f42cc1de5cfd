// Package pgserver starts PostgreSQL servers for tests and for the bench: real
// ones, each in a directory of its own, that listen on a socket there and nowhere
// else.
package pgserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Oldest is the oldest version that the ledger works with.
const Oldest = 15

// A Server is one PostgreSQL server. It may be stopped and started again.
type Server struct {
	bin string // where its programs are
	dir string
	as  []string // the command that runs another as whom PostgreSQL takes; empty: we are
}

// Find returns the directory of PostgreSQL's programs: the newest that Debian's
// packages have put on this machine, or that of the initdb that is in PATH.
func Find() (string, error) {
	all, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb") // the pattern is well-formed
	best, newest := "", Oldest-1
	for _, initdb := range all {
		bin := filepath.Dir(initdb)
		if n, err := strconv.Atoi(filepath.Base(filepath.Dir(bin))); err == nil && n > newest {
			best, newest = bin, n
		}
	}

	if best != "" {
		return best, nil
	}
	if initdb, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(initdb), nil
	}
	return "", fmt.Errorf("no PostgreSQL from %d on is on this machine; on Debian: apt-get install postgresql", Oldest)
}

// Make makes a server below dir by the programs in bin, and starts it. Its user is
// "bench", and may do everything. Settings are lines of postgresql.conf, as in
// "max_connections = 300".
func Make(ctx context.Context, bin, dir string, settings ...string) (*Server, error) {
	s, err := Init(ctx, bin, dir)
	if err != nil {
		return nil, err
	}
	if err := s.Set(settings...); err != nil {
		return nil, err
	}
	return s, s.Start(ctx)
}

// Data returns the directory of the server's data.
func (s *Server) Data() string { return filepath.Join(s.dir, "data") }

// Copy is Make, but for initdb: the server has a copy of the data of one that was made
// and never started. By its system identifier it is that one.
func Copy(ctx context.Context, bin, data, dir string, settings ...string) (*Server, error) {
	s, err := below(ctx, bin, dir)
	if err != nil {
		return nil, err
	}
	if text, err := exec.CommandContext(ctx, "cp", "-a", data, s.Data()).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("copy %s: %w: %s", data, err, text)
	}
	if err := s.Set(settings...); err != nil {
		return nil, err
	}
	return s, s.Start(ctx)
}

// Init makes the data of a server below dir that is never started, for [Copy].
func Init(ctx context.Context, bin, dir string) (*Server, error) {
	s, err := below(ctx, bin, dir)
	if err != nil {
		return nil, err
	}
	return s, s.run(ctx, "initdb", "-D", s.Data(), "-A", "trust", "-U", "bench", "-E", "UTF8", "--locale=C",
		"--no-sync")
}

// below makes the directory of a server, for whom PostgreSQL runs as.
func below(ctx context.Context, bin, dir string) (*Server, error) {
	s := &Server{bin: bin, dir: dir}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	if os.Geteuid() != 0 {
		return s, nil
	}
	// PostgreSQL does not run as root; Debian's package makes it a user.
	s.as = []string{"setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"}
	if text, err := exec.CommandContext(ctx, "chown", "postgres", dir).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("PostgreSQL does not run as root, and there is no user postgres: %s", text)
	}
	return s, nil
}

// Standby makes a server below dir that follows s, and starts it.
func (s *Server) Standby(ctx context.Context, dir string, settings ...string) (*Server, error) {
	b, err := below(ctx, s.bin, dir)
	if err != nil {
		return nil, err
	}
	copied := []string{"-h", s.dir, "-U", "bench", "-D", b.Data(), "-R", "-X", "stream", "-c", "fast", "--no-sync"}
	if err := b.run(ctx, "pg_basebackup", copied...); err != nil {
		return nil, err
	}
	// The last line counts: the copy has the socket of its original.
	if err := b.Set(append(slices.Clip(settings), "unix_socket_directories = '"+dir+"'")...); err != nil {
		return nil, err
	}
	return b, b.Start(ctx)
}

// Set adds lines to postgresql.conf, which count from the next start or
// [Server.Reload] on.
func (s *Server) Set(lines ...string) error {
	f, err := os.OpenFile(filepath.Join(s.Data(), "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	lines = append([]string{"", "listen_addresses = ''", "unix_socket_directories = '" + s.dir + "'"}, lines...)
	_, err = f.WriteString(strings.Join(lines, "\n") + "\n")
	return errors.Join(err, f.Close())
}

// Start starts the server, and returns once it takes connections.
func (s *Server) Start(ctx context.Context) error {
	return s.run(ctx, "pg_ctl", "-D", s.Data(), "-w", "-t", "120", "-l", filepath.Join(s.dir, "log"), "start")
}

// Stop ends the server. Immediately is as a crash is.
func (s *Server) Stop(ctx context.Context, immediately bool) error {
	how := "fast"
	if immediately {
		how = "immediate"
	}
	return s.run(ctx, "pg_ctl", "-D", s.Data(), "-m", how, "-w", "-t", "120", "stop")
}

// Reload has the server read its settings.
func (s *Server) Reload(ctx context.Context) error {
	return s.run(ctx, "pg_ctl", "-D", s.Data(), "reload")
}

// Promote makes a primary of a standby.
func (s *Server) Promote(ctx context.Context) error {
	return s.run(ctx, "pg_ctl", "-D", s.Data(), "-w", "-t", "120", "promote")
}

// PID returns the process id of the server.
func (s *Server) PID() (int, error) {
	text, err := os.ReadFile(filepath.Join(s.Data(), "postmaster.pid"))
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(string(text), "\n")
	return strconv.Atoi(first)
}

// Dir is where the server and its socket are.
func (s *Server) Dir() string { return s.dir }

// Address is a connection string of a database, for the user "bench".
func (s *Server) Address(database string) string {
	return fmt.Sprintf("host=%s user=bench dbname=%s", s.dir, database)
}

// SQL carries out a script in a database.
func (s *Server) SQL(ctx context.Context, database, script string) (string, error) {
	return s.Run(ctx, "psql", "-X", "-h", s.dir, "-U", "bench", "-d", database,
		"-v", "ON_ERROR_STOP=1", "-qAt", "-c", script)
}

func (s *Server) run(ctx context.Context, program string, args ...string) error {
	_, err := s.Run(ctx, program, args...)
	return err
}

// Run runs one of PostgreSQL's programs to its end, and returns what it says. A
// program with a path is any other, run by the same user.
func (s *Server) Run(ctx context.Context, program string, args ...string) (string, error) {
	path := program
	if !filepath.IsAbs(program) {
		path = filepath.Join(s.bin, program)
	}
	line := append(slices.Concat(s.as, []string{path}), args...)
	cmd := exec.CommandContext(ctx, line[0], line[1:]...)
	cmd.Dir = s.dir

	said, err := os.CreateTemp("", "consentledger-pgserver-")
	if err != nil {
		return "", err
	}
	defer os.Remove(said.Name())
	defer said.Close()
	cmd.Stdout, cmd.Stderr = said, said // a file: the server that pg_ctl starts holds it open

	err = cmd.Run()
	text, bad := os.ReadFile(said.Name())
	if err != nil {
		err = fmt.Errorf("%s: %w: %.500s", program, err, text)
	}
	return string(text), errors.Join(err, bad)
}
