package server

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"consentledger/api/auth"
	"consentledger/api/edge"

	"filippo.io/age"
)

// Who asks an authenticating server for a backup does not choose who reads it.
func TestWhoReadsABackup(t *testing.T) {
	recipient := func() string {
		id, err := age.GenerateX25519Identity()
		if err != nil {
			t.Fatal(err)
		}
		return id.Recipient().String() + "\n"
	}
	one, two, other := recipient(), recipient(), recipient()
	file := filepath.Join(t.TempDir(), "backup.pub")
	if err := os.WriteFile(file, []byte("# operators\n"+one+two), 0o600); err != nil {
		t.Fatal(err)
	}
	open, closed := &Server{}, &Server{keys: new(auth.Keys)}
	told := &Server{keys: new(auth.Keys), Config: Config{BackupTo: file}}
	for _, c := range []struct {
		name   string
		of     *Server
		asked  string
		want   int // how many read it
		status int
	}{
		{"whom the request names", open, one + other, 2, 0},
		{"nobody is named", open, "# nobody\n", 0, 400},
		{"no recipient", open, "ada\n", 0, 400},
		{"nobody may be named", closed, one, 0, 409},
		{"those that the server knows", told, "", 2, 0},
		{"one of them", told, two, 1, 0},
		{"one of them and another", told, two + other, 0, 403},
		{"another", told, other, 0, 403},
	} {
		to, err := c.of.readersOf(c.asked)
		status := 0
		if no, is := errors.AsType[*edge.Refused](err); is {
			status = no.Problem.Status
		}
		if len(to) != c.want || status != c.status || (err != nil) != (c.status != 0) {
			t.Errorf("%s: %d read it, status %d, %v", c.name, len(to), status, err)
		}
	}
}
