package transparency

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"consentledger/domain/ident"

	"golang.org/x/mod/sumdb/note"
)

// A Keep is the directory of what cannot be built again: the origin, and for
// every app its signing key and what was signed with it last. It is not for
// the store's backup to bring back an older one.
//
//	origin           the name under which all logs of this directory stand
//	<app>.key        a note's signing key, for its owner's eyes only
//	<app>.next.key   the one that signs beside it, while the keys overlap
//	<app>.signed     the last signed checkpoint
type Keep struct {
	dir, origin string
	register    *Register
	lost        *LostError // why nothing may be signed any more

	changing sync.Mutex // held by who changes keys
	keyFiles sync.Mutex // held while they are read, or put in each other's place

	shared *shared // instead of the directory; nil: one process has all of it
}

// OpenKeep opens the directory, or makes it. Origin is the name that logs shall
// stand under: it is written down once and never changes. If it is empty, the
// name that is written down counts, or a random one is made up. If the register
// knows of logs whose directory is gone, none is made: [Open] says so.
func OpenKeep(dir, origin string, register *Register) (*Keep, error) {
	name := filepath.Join(dir, "origin")
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		if lost := register.lostOrigin(name); lost != nil {
			return &Keep{dir: dir, register: register, lost: lost}, nil
		}
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if origin == "" {
			var id [8]byte
			rand.Read(id[:])
			origin = "consentledger.internal/" + hex.EncodeToString(id[:])
		}
		if err := checkOrigin(origin); err != nil {
			return nil, err
		}
		return &Keep{dir: dir, origin: origin, register: register}, writeDurable(name, []byte(origin+"\n"))
	case err != nil:
		return nil, err
	}

	is := strings.TrimSuffix(string(text), "\n")
	if err := checkOrigin(is); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}

	if origin != "" && origin != is {
		return nil, fmt.Errorf("the logs of this data directory stand under the origin %s, not %s: an origin never "+
			"changes", is, origin)
	}
	return &Keep{dir: dir, origin: is, register: register}, nil
}

// checkOrigin refuses what a signed note cannot have as a name.
func checkOrigin(origin string) error {
	for _, r := range origin {
		if r <= ' ' || r == '+' || r > '~' {
			return fmt.Errorf("the origin %q has a character that is not allowed: it is like a URL without its "+
				"scheme, as in logs.example.com/consent", origin)
		}
	}
	if origin == "" || len(origin) > 200 || strings.HasPrefix(origin, "/") || strings.HasSuffix(origin, "/") ||
		strings.Contains(origin, "://") {
		return fmt.Errorf("the origin %q: want something like a URL without its scheme, as in logs.example.com/consent",
			origin)
	}
	return nil
}

// Origin returns the name of an app's log.
func (k *Keep) Origin(app ident.AppName) string { return k.origin + "/" + string(app) }

// Apps returns the apps that have a key.
func (k *Keep) Apps() ([]ident.AppName, error) {
	if k.shared != nil {
		return k.sharedApps(), nil
	}

	names, err := filepath.Glob(filepath.Join(k.dir, "*.signed"))
	if err != nil {
		return nil, err
	}

	var apps []ident.AppName
	for _, name := range names {
		app, err := ident.ParseAppName(strings.TrimSuffix(filepath.Base(name), ".signed"))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		apps = append(apps, app)
	}
	return apps, nil
}

// VerifierKey returns what others verify an app's log with.
func (k *Keep) VerifierKey(app ident.AppName) (string, error) {
	if k.shared != nil {
		return k.sharedKey(app)
	}
	skeys, err := k.signingKeys(app)
	if err != nil {
		return "", err
	}
	s, err := newSigned(skeys...)
	if err != nil {
		return "", err
	}
	return s.vkey(), nil
}

func (k *Keep) file(app ident.AppName, end string) string {
	return filepath.Join(k.dir, string(app)+end)
}

// readKey reads a key file. No error holds a byte of the key.
func (k *Keep) readKey(app ident.AppName, end string) (skey, vkey string, err error) {
	name := k.file(app, end)
	info, err := os.Stat(name)
	if err != nil {
		return "", "", err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return "", "", fmt.Errorf("%s has mode %04o and is open to others: chmod 0600 it", name, info.Mode().Perm())
	}

	text, err := os.ReadFile(name)
	if err != nil {
		return "", "", err
	}

	skey = strings.TrimSuffix(string(text), "\n")
	signer, err := note.NewSigner(skey)
	if err != nil {
		return "", "", fmt.Errorf("%s is not the signing key of a note", name)
	}
	if signer.Name() != k.Origin(app) {
		return "", "", fmt.Errorf("%s is the key of %s, want %s", name, signer.Name(), k.Origin(app))
	}

	vkey, err = verifierKey(skey, signer.Name())
	return skey, vkey, err
}

// verifierKey returns the public half of a signing key.
func verifierKey(skey, name string) (string, error) {
	parts := strings.SplitN(skey, "+", 5) // "PRIVATE", "KEY", name, hash, seed; the seed may hold a plus
	seed, err := base64.StdEncoding.DecodeString(parts[len(parts)-1])
	if err != nil || len(seed) != 1+ed25519.SeedSize {
		return "", errors.New("the signing key is not of Ed25519")
	}
	return note.NewEd25519VerifierKey(name, ed25519.NewKeyFromSeed(seed[1:]).Public().(ed25519.PublicKey))
}
