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
	"strconv"
	"strings"

	"consentledger/domain"
	"consentledger/eventstore"
	"consentledger/projections/transparency/merkle"

	"golang.org/x/mod/sumdb/note"
)

// A Keep is the directory of what cannot be built again: the origin, and for
// every app its signing key and what was signed with it last. It is not for
// the store's backup to bring back an older one.
//
//	origin           the name under which all logs of this directory stand
//	<app>.key        a note's signing key, for its owner's eyes only
//	<app>.signed     the last signed checkpoint
type Keep struct{ dir, origin string }

// OpenKeep opens the directory, or makes it. Origin is the name that logs shall
// stand under: it is written down once and never changes. If it is empty, the
// name that is written down counts, or a random one is made up.
func OpenKeep(dir, origin string) (*Keep, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	name := filepath.Join(dir, "origin")
	text, err := os.ReadFile(name)
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
		return &Keep{dir, origin}, writeDurable(name, []byte(origin+"\n"), 0o600)
	case err != nil:
		return nil, err
	}
	is := strings.TrimSuffix(string(text), "\n")
	if err := checkOrigin(is); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if origin != "" && origin != is {
		return nil, fmt.Errorf("the logs of this data directory stand under the origin %s, not %s: an origin never changes", is, origin)
	}
	return &Keep{dir, is}, nil
}

// checkOrigin refuses what a signed note cannot have as a name.
func checkOrigin(origin string) error {
	for _, r := range origin {
		if r <= ' ' || r == '+' || r > '~' {
			return fmt.Errorf("the origin %q has a character that is not allowed: it is like a URL without its scheme, as in logs.example.com/consent", origin)
		}
	}
	if origin == "" || len(origin) > 200 || strings.HasPrefix(origin, "/") || strings.HasSuffix(origin, "/") || strings.Contains(origin, "://") {
		return fmt.Errorf("the origin %q: want something like a URL without its scheme, as in logs.example.com/consent", origin)
	}
	return nil
}

// Origin returns the name of an app's log.
func (k *Keep) Origin(app domain.AppName) string { return k.origin + "/" + string(app) }

// Apps returns the apps that have a key.
func (k *Keep) Apps() ([]domain.AppName, error) {
	names, err := filepath.Glob(filepath.Join(k.dir, "*.signed"))
	if err != nil {
		return nil, err
	}
	var apps []domain.AppName
	for _, name := range names {
		app, err := domain.ParseAppName(strings.TrimSuffix(filepath.Base(name), ".signed"))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		apps = append(apps, app)
	}
	return apps, nil
}

// VerifierKey returns what others verify an app's log with.
func (k *Keep) VerifierKey(app domain.AppName) (string, error) {
	_, vkey, err := k.readKey(app)
	return vkey, err
}

func (k *Keep) file(app domain.AppName, end string) string {
	return filepath.Join(k.dir, string(app)+end)
}

// A signed is what was signed last, and with what more will be.
type signed struct {
	merkle.Checkpoint
	position eventstore.Position // of the last record that it covers
	note     []byte
	signer   note.Signer
	verifier note.Verifier
	vkey     string
}

// open returns what is kept for an app, or makes a key and signs that the log
// is empty. The key is written last: as long as it is not there, nothing that
// was signed with it has left the house.
func (k *Keep) open(app domain.AppName) (*signed, error) {
	_, err := os.Stat(k.file(app, ".key"))
	if errors.Is(err, fs.ErrNotExist) {
		return k.create(app)
	}
	if err != nil {
		return nil, err
	}
	return k.read(app)
}

func (k *Keep) create(app domain.AppName) (*signed, error) {
	if text, err := os.ReadFile(k.file(app, ".signed")); err == nil {
		if _, body, _ := strings.Cut(string(text), "\n\n"); !strings.HasPrefix(body, k.Origin(app)+"\n0\n") {
			return nil, fmt.Errorf("app %s: the log was signed, and its key %s is gone: bring it back from where you keep it", app, k.file(app, ".key"))
		}
	}
	skey, _, err := note.GenerateKey(rand.Reader, k.Origin(app))
	if err != nil {
		return nil, err
	}
	s, err := newSigned(skey)
	if err != nil {
		return nil, err
	}
	var empty merkle.Edge
	if err := k.sign(app, s, merkle.Checkpoint{Origin: k.Origin(app), Root: empty.Root()}, 0); err != nil {
		return nil, err
	}
	return s, writeDurable(k.file(app, ".key"), []byte(skey+"\n"), 0o600)
}

func newSigned(skey string) (*signed, error) {
	signer, err := note.NewSigner(skey)
	if err != nil {
		return nil, err
	}
	s := &signed{signer: signer}
	if s.vkey, err = verifierKey(skey, signer.Name()); err != nil {
		return nil, err
	}
	s.verifier, err = note.NewVerifier(s.vkey)
	return s, err
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

// readKey reads a key file. No error holds a byte of the key.
func (k *Keep) readKey(app domain.AppName) (skey, vkey string, err error) {
	name := k.file(app, ".key")
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

func (k *Keep) read(app domain.AppName) (*signed, error) {
	skey, _, err := k.readKey(app)
	if err != nil {
		return nil, err
	}
	s, err := newSigned(skey)
	if err != nil {
		return nil, err
	}
	name := k.file(app, ".signed")
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("app %s: there is a signing key, but %s is gone, which says what was signed last: bring it back, or two histories may be signed", app, name)
	}
	if err != nil {
		return nil, err
	}
	if err := s.parse(string(text), k.Origin(app)); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return s, nil
}

const signedHeader = "consentledger signed v1\nposition "

func (s *signed) parse(text, origin string) error {
	rest, ok := strings.CutPrefix(text, signedHeader)
	number, signedNote, found := strings.Cut(rest, "\n\n")
	if !ok || !found {
		return errors.New("it does not begin as it should")
	}
	position, err := strconv.ParseUint(number, 10, 64)
	if err != nil {
		return errors.New("its position is not a number")
	}
	if s.Checkpoint, err = merkle.Open([]byte(signedNote), s.verifier, origin); err != nil {
		return err
	}
	s.position, s.note = eventstore.Position(position), []byte(signedNote)
	return nil
}

// sign signs a checkpoint. When it returns nil, the checkpoint is durable: only
// then may anybody see it. Whoever calls it has made sure that it extends the
// one before.
func (k *Keep) sign(app domain.AppName, s *signed, c merkle.Checkpoint, position eventstore.Position) error {
	text, err := merkle.Sign(c, s.signer)
	if err != nil {
		return err
	}
	file := append([]byte(signedHeader+strconv.FormatUint(uint64(position), 10)+"\n\n"), text...)
	if err := writeDurable(k.file(app, ".signed"), file, 0o600); err != nil {
		return err
	}
	s.Checkpoint, s.position, s.note = c, position, text
	return nil
}

// writeDurable puts a file in the place of another, or leaves the other there.
// When it returns nil, the file survives a crash.
func writeDurable(path string, data []byte, mode fs.FileMode) error {
	next := path + ".next"
	f, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(next, path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
