package server

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"consentledger/eventstore"
	inmemory "consentledger/eventstore/memory"
	"consentledger/eventstore/vault"
)

// The key of tokens is its owner's alone, and the same at every start.
func TestTheKeyOfTokensStays(t *testing.T) {
	dir := t.TempDir()
	seed, err := OwnTokenKey(dir)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, TokenKeyFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	if again, err := OwnTokenKey(dir); err != nil || !bytes.Equal(again, seed) {
		t.Errorf("another key at the next start: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, TokenKeyFile), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OwnTokenKey(dir); err == nil || !strings.Contains(err.Error(), "is not 64 hex digits") {
		t.Errorf("%v", err)
	}
}

// Of processes that serve one ledger one makes the key of tokens, and all have it. It lies
// sealed.
func TestProcessesShareTheKeyOfTokens(t *testing.T) {
	kept := new(inmemory.Rows)
	v, err := vault.Open(t.Context(), kept, vault.NewMemoryKeys())
	if err != nil {
		t.Fatal(err)
	}
	one, err1 := sharedTokenKey(t.Context(), v, kept)
	other, err2 := sharedTokenKey(t.Context(), v, kept)
	if err1 != nil || err2 != nil || len(one) != 32 || !bytes.Equal(one, other) {
		t.Errorf("%d, %d bytes: %v %v", len(one), len(other), err1, err2)
	}
	row, _, err := kept.Get(t.Context(), TokenKeyRow)
	if err != nil || bytes.Contains(row, one) {
		t.Errorf("it lies in the clear: %v", err)
	}
	if err := kept.Write(t.Context(), eventstore.Change{Put: []eventstore.Row{{Key: TokenKeyRow, Value: []byte{9}}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := sharedTokenKey(t.Context(), v, kept); err == nil || !strings.Contains(err.Error(), "a version that this program does not know") {
		t.Errorf("of another version: %v", err)
	}
}
