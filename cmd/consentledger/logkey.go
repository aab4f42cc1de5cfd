package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"consentledger/domain"
	"consentledger/projections/transparency"

	"golang.org/x/mod/sumdb/note"
)

// verifierKeyOf returns the key of an app's log in a data directory.
func verifierKeyOf(ctx context.Context, data string, app domain.AppName) (string, error) {
	if isShared(data) {
		return sharedKeyOf(ctx, app)
	}
	if _, err := os.Stat(filepath.Join(keepDir(data), "origin")); err != nil {
		return "", notFound{fmt.Errorf("there are no logs at %s", data)}
	}
	keep, err := transparency.OpenKeep(keepDir(data), "", nil)
	if err != nil {
		return "", err
	}
	key, err := keep.VerifierKey(app)
	if errors.Is(err, fs.ErrNotExist) {
		return "", notFound{fmt.Errorf("the app %s has no log yet: it begins with the app's first record", app)}
	}
	return key, err
}

// verifierOf reads --key, the key itself or a file that holds it, and returns
// the origin too: the key's name if none is given.
func verifierOf(key, origin string) (note.Verifier, string, error) {
	if !strings.Contains(key, "+") {
		text, err := readPlainFile(key, maxKeyFile)
		if err != nil {
			return nil, "", usageError{fmt.Errorf("--key: want a key as consentledger log key prints it, or a file that holds one: %w", err)}
		}
		key = string(text)
	}
	v, err := note.NewVerifier(bareKey(key))
	if err != nil {
		return nil, "", usageError{errors.New("--key: this is not a verifier key; consentledger log key prints one")}
	}
	if origin == "" {
		origin = v.Name()
	}
	return v, origin, nil
}

// bareKey returns a key without what editors and shells put around it: blanks, ends of
// lines, and a byte order mark.
func bareKey(text string) string { return strings.TrimSpace(strings.TrimPrefix(text, "\ufeff")) }
