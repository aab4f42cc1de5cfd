package server

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"consentledger/eventstore/vault"
)

// The environment may hold the keys of the vault themselves. It has them no more once they
// were read, they are never beside others, and no error tells a part of them.
func TestKeysOfTheEnvironment(t *testing.T) {
	t.Cleanup(func() { keysText.text = "" })
	dir, away := t.TempDir(), filepath.Join(t.TempDir(), "keys")
	open := func(with DirOptions) error {
		d, err := OpenDataDirWith(t.Context(), dir, "live", true, with)
		if err != nil {
			return err
		}
		return d.Close()
	}
	if err := open(DirOptions{}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "keys"))
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(KeysTextVariable, string(text))
	if err := open(DirOptions{}); err == nil || !strings.Contains(err.Error(), "and there is the file "+dir) {
		t.Errorf("opened with the keys of the environment beside a file: %v", err)
	}

	if err := os.Rename(filepath.Join(dir, "keys"), away); err != nil {
		t.Fatal(err)
	}
	if err := open(DirOptions{}); err != nil {
		t.Errorf("with the right keys: %v", err)
	}
	if _, is := os.LookupEnv(KeysTextVariable); is {
		t.Error("programs that are started from here have the keys")
	}
	if !slices.Contains(wholeEnviron(), KeysTextVariable+"="+string(text)) {
		t.Error("the same program, started anew, does not have them")
	}
	if err := open(DirOptions{VaultKeys: away}); err == nil || !strings.Contains(err.Error(), "give one of the two") {
		t.Errorf("opened with two sources of keys: %v", err)
	}

	other := filepath.Join(t.TempDir(), "other")
	if _, err := vault.CreateFileKeys(other); err != nil {
		t.Fatal(err)
	}
	wrong, err := os.ReadFile(other)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(KeysTextVariable, string(wrong))
	if err := open(DirOptions{}); !errors.Is(err, vault.ErrWrongKeys) || !strings.Contains(err.Error(), KeysTextVariable) {
		t.Errorf("opened with other keys: %v", err)
	}
	for _, broken := range []string{strings.Fields(string(text))[5], string(text[:60])} {
		t.Setenv(KeysTextVariable, broken)
		if err := open(DirOptions{}); err == nil || strings.Contains(err.Error(), strings.Fields(string(text))[5][:8]) {
			t.Errorf("taken, or told of: %v", err)
		}
	}
}
