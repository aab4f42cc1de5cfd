package transparency

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"consentledger/domain/ident"
	"consentledger/eventstore"
	"consentledger/eventstore/atomicfile"
	"consentledger/projections/transparency/merkle"

	"golang.org/x/mod/sumdb/note"
)

// A signed is what was signed last, and with what more will be.
type signed struct {
	merkle.Checkpoint
	position eventstore.Position // of the last record that it covers
	note     []byte
	signing
	partly bool      // the note lacks a signature of a key that signs now
	row    signedRow // of a keep that is shared: the newest that the rows have
}

// A signing is the keys that sign a log: the current one, and while they overlap the next.
type signing struct {
	signers   []note.Signer
	verifiers []note.Verifier
	vkeys     []string
	changes   int // of a keep that is shared: how many changes of the keys these rows knew
}

// vkey returns the verifier key of the current one.
func (s signing) vkey() string { return s.vkeys[0] }

// open returns what is kept for an app, or makes a key and signs that the log
// is empty. The key is written behind what it signed, and then the register:
// nothing that was signed leaves the server before both are durable.
func (k *Keep) open(ctx context.Context, app ident.AppName) (*signed, error) {
	if k.shared != nil {
		return k.openShared(ctx, app)
	}
	if k.lost != nil {
		return nil, k.lost
	}

	_, err := os.Stat(k.file(app, ".key"))
	switch begun := k.register.begun(app); {
	case errors.Is(err, fs.ErrNotExist) && begun != "":
		return nil, &LostError{app, k.file(app, ".key")}
	case errors.Is(err, fs.ErrNotExist):
		return k.create(ctx, app)
	case err != nil:
		return nil, err
	}

	if err := k.settleKeys(app); err != nil {
		return nil, err
	}
	s, err := k.read(app)
	if err != nil {
		return nil, err
	}
	if begun := k.register.begun(app); begun != "" && begun != s.vkey() {
		return nil, &LostError{app, k.file(app, ".key") + " (there is another key in its place)"}
	}
	return s, k.register.begin(app, s.vkey())
}

func (k *Keep) create(ctx context.Context, app ident.AppName) (*signed, error) {
	if text, err := os.ReadFile(k.file(app, ".signed")); err == nil {
		if _, body, _ := strings.Cut(string(text), "\n\n"); !strings.HasPrefix(body, k.Origin(app)+"\n0\n") {
			return nil, &LostError{app, k.file(app, ".key")}
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
	d, err := k.sign(app, s, merkle.Checkpoint{Origin: k.Origin(app), Root: empty.Root()}, 0)
	if err == nil {
		err = k.commit(ctx, d)
	}
	if err != nil {
		return nil, err
	}
	return s, errors.Join(writeDurable(k.file(app, ".key"), []byte(skey+"\n")), k.register.begin(app, s.vkey()))
}

// newSigned returns what is signed with keys, of which nothing was signed yet.
func newSigned(skeys ...string) (*signed, error) {
	s := new(signed)
	for _, skey := range skeys {
		if err := s.add(skey); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// add has one more key sign. No error holds a byte of it.
func (s *signing) add(skey string) error {
	signer, err := note.NewSigner(skey)
	if err != nil {
		return errors.New("it is not the signing key of a note")
	}
	vkey, err := verifierKey(skey, signer.Name())
	if err != nil {
		return err
	}
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return err
	}

	s.signers = append(s.signers, signer)
	s.verifiers = append(s.verifiers, verifier)
	s.vkeys = append(s.vkeys, vkey)
	return nil
}

func (k *Keep) read(app ident.AppName) (*signed, error) {
	skeys, err := k.signingKeys(app)
	if err != nil {
		return nil, err
	}

	s, err := newSigned(skeys...)
	if err != nil {
		return nil, err
	}

	name := k.file(app, ".signed")
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &LostError{app, name}
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
	if s.Checkpoint, s.partly, err = s.openNote([]byte(signedNote), origin); err != nil {
		return err
	}

	s.position, s.note = eventstore.Position(position), []byte(signedNote)
	return nil
}

// openNote reads a note that one of the keys has signed, and says whether another has not.
func (s signing) openNote(text []byte, origin string) (c merkle.Checkpoint, partly bool, err error) {
	var none error
	for _, v := range s.verifiers {
		got, err := merkle.Open(text, v, origin)
		if err != nil {
			none, partly = cmp.Or(none, err), true
			continue
		}
		c = got
	}
	if c.Origin == "" {
		return c, true, none
	}
	return c, partly, nil
}

// A draft is a checkpoint that is signed and not durable yet: nobody may see it.
type draft struct {
	app      ident.AppName
	of       *signed
	c        merkle.Checkpoint
	position eventstore.Position
	note     []byte
	path     string
	file     *os.File // the next file, written and open; nil: of a keep that is shared
}

// take lets what was signed know that the draft is durable.
func (d draft) take() {
	d.of.Checkpoint, d.of.position, d.of.note, d.of.partly = d.c, d.position, d.note, false
}

// signedText is what is kept of a signed checkpoint.
func signedText(position eventstore.Position, note []byte) []byte {
	return append([]byte(signedHeader+strconv.FormatUint(uint64(position), 10)+"\n\n"), note...)
}

// sign signs a checkpoint. Whoever calls it has made sure that the checkpoint
// extends the one before, and commits the draft.
func (k *Keep) sign(app ident.AppName, s *signed, c merkle.Checkpoint, position eventstore.Position) (draft, error) {
	text, err := merkle.Sign(c, s.signers...)
	if err != nil {
		return draft{}, err
	}
	d := draft{app: app, of: s, c: c, position: position, note: text}
	if k.shared != nil {
		return d, nil
	}
	d.path = k.file(app, ".signed")
	d.file, err = writeNext(d.path, signedText(position, text))
	return d, err
}

// commit makes drafts durable, all at once, since syncs that follow each other
// cost little. If it fails they may or may not be durable: the logs stop, since
// other checkpoints would be signed in their place.
func (k *Keep) commit(ctx context.Context, drafts ...draft) error {
	if len(drafts) == 0 {
		return nil
	}
	if k.shared != nil {
		return k.commitShared(ctx, drafts)
	}

	var err error
	for _, d := range drafts {
		err = errors.Join(err, d.file.Sync(), d.file.Close())
	}
	if err != nil {
		return err
	}

	for _, d := range drafts {
		if err := os.Rename(d.path+".next", d.path); err != nil {
			return err
		}
	}
	if err := atomicfile.SyncDir(k.dir); err != nil {
		return err
	}

	for _, d := range drafts {
		d.take()
	}
	return nil
}

// writeDurable puts a file in the place of another, or leaves the other there.
// When it returns nil, the file survives a crash.
func writeDurable(path string, data []byte) error {
	f, err := writeNext(path, data)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+".next", path); err != nil {
		return err
	}
	return atomicfile.SyncDir(filepath.Dir(path))
}

// writeNext writes the file that shall take another's place.
func writeNext(path string, data []byte) (*os.File, error) {
	f, err := os.OpenFile(path+".next", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	if _, err := f.Write(data); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
