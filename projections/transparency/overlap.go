package transparency

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"consentledger/domain/ident"
	"consentledger/eventstore/atomicfile"
	"consentledger/projections/transparency/merkle"

	"golang.org/x/mod/sumdb/note"
)

// The signing key of a log changes by an overlap. First another key joins: from then on
// every checkpoint carries the signatures of both, under the same name, so that who knows
// only one of the keys verifies it. Then the older key is retired, and the next one is the
// log's key. The log itself goes on: its origin, size and root have nothing to do with it.
//
// What is newest is signed again when a key joins, with the size and the root that it had:
// who knows the next key need not wait for the next record. No key is retired before that
// is durable.
//
// A key that was stolen is another matter: whoever has it signs what they like for as long
// as anybody verifies with it. See [Renew].

// keyEnds are how the files of the current key and of the next one end.
var keyEnds = [2]string{".key", ".next.key"}

// Why keys are not changed. None of them passes by itself, but [ErrNotSigned].
var (
	ErrOverlap   = errors.New("another key signs beside this one already")
	ErrNoOverlap = errors.New("no other key signs beside this one: let one join first")
	ErrNotSigned = errors.New("the newest checkpoint does not carry the signature of the next key yet")
	ErrChanged   = errors.New("another process has just changed the keys of this log")
)

// JoinKey makes another key, which signs the log of an app beside the one that does, and
// waits for the newest checkpoint to carry both signatures, or for ctx to be done. Then they
// follow as soon as they can.
func (l *Log) JoinKey(ctx context.Context, app ident.AppName, at time.Time) error {
	return l.changeKeys(ctx, app, func() error { return l.Keep.join(ctx, app, at) })
}

// RetireKey destroys the older one of the two keys that sign the log of an app. What it has
// signed still verifies.
func (l *Log) RetireKey(ctx context.Context, app ident.AppName, at time.Time) error {
	return l.changeKeys(ctx, app, func() error { return l.Keep.retire(ctx, app, at) })
}

func (l *Log) changeKeys(ctx context.Context, app ident.AppName, change func() error) error {
	if f := l.fault.Load(); f != nil {
		return f
	}
	if _, _, err := l.open(app); err != nil {
		return err
	}
	if err := change(); err != nil {
		return err
	}

	l.mu.Lock()
	l.rekeyed = true
	if l.wake != nil {
		l.wake()
	}
	l.mu.Unlock()
	return l.awaitKeys(ctx, app)
}

// awaitKeys waits until the keys that an app's log has now sign it, or until ctx is done.
func (l *Log) awaitKeys(ctx context.Context, app ident.AppName) error {
	keys, err := l.Keep.Keys(ctx, app)
	if err != nil {
		return err
	}
	err = l.Await(ctx, func() error {
		signs := l.tree(app).keys.Load().vkeys
		if len(signs) == 1 && keys.Next == "" && signs[0] == keys.Current {
			return nil
		}
		if both, err := l.SignedBy(app, keys.Next); err != nil || both {
			return err
		}
		return ErrNotReady
	})
	if errors.Is(err, ErrNotReady) {
		return nil // it is on its way
	}
	return err
}

// SignedBy reports whether the newest published checkpoint of an app carries the signature
// of a key.
func (l *Log) SignedBy(app ident.AppName, vkey string) (bool, error) {
	signed, err := l.Checkpoint(app)
	return err == nil && IsSignedBy(signed, vkey), err
}

// IsSignedBy reports whether a checkpoint carries the signature of a verifier key.
func IsSignedBy(signed []byte, vkey string) bool {
	v, err := note.NewVerifier(vkey)
	if err != nil {
		return false
	}
	_, err = merkle.Open(signed, v, v.Name())
	return err == nil
}

// onRekey has a function called when keys change, and reports whether they have since the
// last time.
func (l *Log) onRekey(wake func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	changed := l.rekeyed
	l.wake, l.rekeyed = wake, false
	return changed
}

// takeKeys has the keys sign that there are now. It is Run's.
func (l *Log) takeKeys(ctx context.Context) error {
	for _, t := range l.everyTree() {
		if err := l.Keep.rekey(ctx, t.app, t.signed); err != nil {
			return err
		}
		t.showKeys()
	}
	if err := l.checkpoint(ctx, false); err != nil {
		return err
	}
	l.tell()
	return nil
}

// Keys returns the keys of an app's log.
func (k *Keep) Keys(ctx context.Context, app ident.AppName) (LogKeys, error) {
	if k.shared != nil {
		return k.sharedKeys(ctx, app)
	}
	if keys := k.register.keys(app); keys.Current != "" {
		return keys, nil
	}

	skeys, err := k.signingKeys(app)
	if err != nil {
		return LogKeys{}, err
	}
	s, err := newSigned(skeys...)
	if err != nil {
		return LogKeys{}, err
	}
	keys := LogKeys{Current: s.vkey()}
	if len(s.vkeys) > 1 {
		keys.Next = s.vkeys[1]
	}
	return keys, nil
}

// rekey takes the keys that sign an app's log now.
func (k *Keep) rekey(ctx context.Context, app ident.AppName, s *signed) (err error) {
	next := signing{}
	if k.shared != nil {
		next, _, err = k.sharedSigning(ctx, app)
	} else {
		var skeys []string
		skeys, err = k.signingKeys(app)
		for _, skey := range skeys {
			err = errors.Join(err, next.add(skey))
		}
	}
	if err != nil {
		return fmt.Errorf("app %s: the signing keys: %w", app, err)
	}

	s.signing = next
	_, s.partly, err = s.openNote(s.note, k.Origin(app))
	return err
}

// signingKeys returns the keys that sign an app's log: the current one and, while they
// overlap, the next. What the register knows decides, not which files there are.
func (k *Keep) signingKeys(app ident.AppName) ([]string, error) {
	k.keyFiles.Lock()
	defer k.keyFiles.Unlock()
	skey, _, err := k.readKey(app, keyEnds[0])
	if err != nil {
		return nil, err
	}

	keys := k.register.keys(app)
	next, vkey, err := k.readKey(app, keyEnds[1])
	switch {
	case errors.Is(err, fs.ErrNotExist) && keys.Next == "":
		return []string{skey}, nil
	case errors.Is(err, fs.ErrNotExist):
		return nil, &LostError{app, k.file(app, keyEnds[1])}
	case err != nil:
		return nil, err
	case vkey == keys.Current: // the other one is retired, and its file not replaced yet
		return []string{next}, nil
	case k.register == nil || vkey == keys.Next:
		return []string{skey, next}, nil
	case keys.Next != "":
		return nil, &LostError{app, k.file(app, keyEnds[1]) + " (there is another key in its place)"}
	}
	return []string{skey}, nil // the other one was made and has not joined
}

// join makes another key. It is durable before the register says that it signs, and that is
// durable before it signs anything.
func (k *Keep) join(ctx context.Context, app ident.AppName, at time.Time) error {
	k.changing.Lock()
	defer k.changing.Unlock()
	if k.shared != nil {
		return k.joinShared(ctx, app, at)
	}
	keys, err := k.Keys(ctx, app)
	if err != nil {
		return err
	}
	if keys.Next != "" {
		return ErrOverlap
	}

	// One that was made before and has not joined is used: the register might know it.
	_, vkey, err := k.readKey(app, keyEnds[1])
	if errors.Is(err, fs.ErrNotExist) {
		vkey, err = k.makeNext(app)
	}
	if err != nil {
		return err
	}
	return k.register.add(ctx, app, joined(vkey, at))
}

func (k *Keep) makeNext(app ident.AppName) (string, error) {
	skey, vkey, err := note.GenerateKey(rand.Reader, k.Origin(app))
	if err != nil {
		return "", err
	}
	return vkey, writeDurable(k.file(app, keyEnds[1]), []byte(skey+"\n"))
}

// retire takes the older key away. Once the register says so it signs no more, even if its
// file is still there: see [Keep.settleKeys].
func (k *Keep) retire(ctx context.Context, app ident.AppName, at time.Time) error {
	k.changing.Lock()
	defer k.changing.Unlock()
	if k.shared != nil {
		return k.retireShared(ctx, app, at)
	}
	keys, err := k.Keys(ctx, app)
	if err != nil {
		return err
	}
	if keys.Next == "" {
		return ErrNoOverlap
	}
	s, err := k.read(app)
	if err != nil {
		return err
	}
	if s.partly {
		return ErrNotSigned
	}

	if err := k.register.add(ctx, app, retired(keys.Current, at)); err != nil {
		return err
	}
	return k.replaceKey(app)
}

// settleKeys puts the next key in the place of one that was retired before a crash.
func (k *Keep) settleKeys(app ident.AppName) error {
	_, vkey, err := k.readKey(app, keyEnds[1])
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if vkey != k.register.begun(app) {
		return nil
	}
	return k.replaceKey(app)
}

func (k *Keep) replaceKey(app ident.AppName) error {
	k.keyFiles.Lock()
	defer k.keyFiles.Unlock()
	if err := os.Rename(k.file(app, keyEnds[1]), k.file(app, keyEnds[0])); err != nil {
		return err
	}
	return atomicfile.SyncDir(filepath.Clean(k.dir))
}

// keyLines returns the changes of the keys of an app's log, oldest first.
func (k *Keep) keyLines(app ident.AppName) []string {
	if k.shared != nil {
		return k.changesOf(app)
	}
	return k.register.changes(app)
}
