package restore

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"consentledger/eventstore"
	"consentledger/eventstore/backup"

	"filippo.io/age"
)

// Anybody who knows a recipient can write a file that decrypts. What no backup has is
// refused, whatever it is, and nothing of it is believed.
func TestAFileThatNoBackupWroteIsRefused(t *testing.T) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	row := func(key string) func(*backup.Writer) error {
		return func(w *backup.Writer) error { return w.Row(eventstore.Row{Key: []byte(key), Value: []byte{1}}) }
	}
	for _, tt := range []struct {
		name string
		kind backup.Kind
		add  func(*backup.Writer) error
		want string
	}{
		{"a record in a vault", backup.Vault, func(w *backup.Writer) error { return w.Record(eventstore.Recorded{Position: 1}) }, "more than rows"},
		{"a file in a vault", backup.Vault, func(w *backup.Writer) error { return w.File("feed.key", strings.NewReader("x")) }, "more than rows"},
		{"a fold in a vault", backup.Vault, row("v/sx"), "which this program does not know"},
		{"a row of the vault in a log", backup.Log, row("v/e"), "which this program does not know"},
		{"an API key", backup.Vault, row("access/1/key/x"), "which this program does not know"},
		{"a person", backup.Vault, row("v/e"), ""},
		{"a text", backup.Log, row("b/x"), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			name := filepath.Join(t.TempDir(), "file")
			var text bytes.Buffer
			w, err := backup.NewWriter(&text, backup.Head{Kind: tt.kind}, id.Recipient())
			if err == nil {
				err = tt.add(w)
			}
			if err == nil {
				_, err = w.Close()
			}
			if err = errors.Join(err, os.WriteFile(name, text.Bytes(), 0o600)); err != nil {
				t.Fatal(err)
			}

			b, err := new(Backup).openFile("--vault", name, tt.kind, []age.Identity{id})
			if err != nil {
				t.Fatal(err)
			}
			defer b.close()
			to := sink{begin: func() error { return nil }, row: func(eventstore.Row) error { return nil }}
			switch err := b.drain(t.Context(), to); {
			case tt.want == "" && err != nil:
				t.Error(err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("%v, want: %s", err, tt.want)
			}
		})
	}
}
