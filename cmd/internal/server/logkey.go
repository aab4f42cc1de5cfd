package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/files"
	"consentledger/domain/ident"
	"consentledger/projections/transparency"

	"golang.org/x/mod/sumdb/note"
)

// VerifierKeyOf returns the key of an app's log in a data directory.
func VerifierKeyOf(ctx context.Context, data string, app ident.AppName) (string, error) {
	if isShared(data) {
		return sharedKeyOf(ctx, app)
	}
	if _, err := os.Stat(filepath.Join(KeepDir(data), "origin")); err != nil {
		return "", exit.NotFound(fmt.Errorf("there are no logs at %s", data))
	}

	keep, err := transparency.OpenKeep(KeepDir(data), "", nil)
	if err != nil {
		return "", err
	}

	key, err := keep.VerifierKey(app)
	if errors.Is(err, fs.ErrNotExist) {
		return "", exit.NotFound(fmt.Errorf("the app %s has no log yet: it begins with the app's first record", app))
	}
	return key, err
}

// VerifierOf reads --key, the key itself or a file that holds it, and returns
// the origin too: the key's name if none is given.
func VerifierOf(key, origin string) (note.Verifier, string, error) {
	if !strings.Contains(key, "+") {
		text, err := files.ReadPlainFile(key, files.MaxKeyFile)
		if err != nil {
			return nil, "", exit.Usage(fmt.Errorf("--key: want a key as consentledger log show-key prints it, or a "+
				"file that holds one: %w", err))
		}
		key = string(text)
	}

	v, err := note.NewVerifier(BareKey(key))
	if err != nil {
		return nil, "", exit.Usage(errors.New("--key: this is not a verifier key; consentledger log show-key " +
			"prints one"))
	}
	if origin == "" {
		origin = v.Name()
	}
	return v, origin, nil
}

// BareKey returns a key without what editors and shells put around it: blanks, ends of
// lines, and a byte order mark.
func BareKey(text string) string { return strings.TrimSpace(strings.TrimPrefix(text, "\ufeff")) }
