package transparency

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"consentledger/domain/ident"
	"consentledger/eventstore"
	"consentledger/projections/transparency/merkle"

	"golang.org/x/mod/sumdb/note"
)

// A Shared is what the processes of one ledger share of its logs: rows that all of
// them see, where a [Keep] of one process has a directory.
//
// Every process computes the trees for itself. The order of the store determines
// them, so they are the same, and each process serves its own tiles. What has to be
// shared is which checkpoint was signed: of an app there is one row for it, with the
// size in its key. Whoever signs the next one takes the row before away and writes
// its own, both or neither:
//
//	present  the row of the size that it knows as the newest
//	absent   the row of the larger size that it signs
//
// So checkpoints follow each other in one line, whoever signs them: no size is signed
// twice, none after a larger one, and a process that slept, and believes that it is
// still its turn, signs nothing. It may sign only once its own records give the root
// that was signed before. That one process at a time signs is not needed for this: it
// only spares the others the work.
//
// A process that finds another root signed than its own records give declares a
// fault, as for a checkpoint of its own.
//
// The signing keys lie in the rows, sealed with the key of their app, so that every
// process has the key of a log that another one began, and the one secret file that
// all processes share is that of the key-encryption keys. A directory of key files,
// the same for all, would have to grow on every machine whenever an app is registered.
//
// # Rows
//
// Every key begins with "t/". Every value begins with a version byte, now 1.
//
//	t/o                the origin
//	t/k app            the signing key, sealed
//	t/s app "/" size   the newest signed checkpoint, as the file of a [Keep] has it; the size is big-endian
//	t/n                16 random bytes, others whenever a checkpoint is signed or a key changes
//	t/j app            the key that signs beside it, while the keys overlap, sealed
//	t/g app "/" n      the n-th change of the keys, from 1, as a line of a [Register]; big-endian
//
// Whoever signs takes for a condition that there is no further change of the keys: a
// process that has not heard of one signs nothing.
type Shared struct {
	Rows eventstore.Rows

	// Seal and Unseal keep a signing key under the key of its app.
	Seal, Unseal func(ctx context.Context, app string, text []byte) ([]byte, error)
}

const (
	originRow   = "t/o"
	keyRows     = "t/k"
	nextKeyRows = "t/j"
	changeRows  = "t/g"
	signedRows  = "t/s"
	newsRow     = "t/n"

	sharedVersion = 1
)

// A shared is a Shared, and what was read of it last.
type shared struct {
	Shared

	mu     sync.Mutex
	news   []byte // of the last time
	newest map[ident.AppName]signedRow
	vkeys  map[ident.AppName]string

	changes map[ident.AppName][]string // of the keys, oldest first
}

// A signedRow is the row of the newest signed checkpoint of an app.
type signedRow struct {
	size int64
	text string
}

// OpenShared returns the keep of a ledger that several processes serve. Origin is as
// for [OpenKeep].
func OpenShared(ctx context.Context, s Shared, origin string) (*Keep, error) {
	k := &Keep{shared: &shared{Shared: s, newest: map[ident.AppName]signedRow{}, vkeys: map[ident.AppName]string{}}}
	is, ok, err := k.shared.get(ctx, []byte(originRow))
	if err != nil {
		return nil, err
	}
	if !ok {
		if is, err = k.shared.begin(ctx, origin); err != nil {
			return nil, err
		}
	}

	k.origin = string(is)
	if err := checkOrigin(k.origin); err != nil {
		return nil, fmt.Errorf("the origin of the logs, as all processes share it: %w", err)
	}
	if origin != "" && origin != k.origin {
		return nil, fmt.Errorf("the logs of this ledger stand under the origin %s, not %s: an origin never changes",
			k.origin, origin)
	}
	return k, k.look(ctx)
}

// begin writes the origin, unless another process is faster, and returns it.
func (s *shared) begin(ctx context.Context, origin string) ([]byte, error) {
	if origin == "" {
		var id [8]byte
		rand.Read(id[:])
		origin = "consentledger.internal/" + hex.EncodeToString(id[:])
	}
	if err := checkOrigin(origin); err != nil {
		return nil, err
	}

	key := []byte(originRow)
	row := eventstore.Row{Key: key, Value: versionedRow([]byte(origin))}
	err := s.write(ctx, eventstore.Change{Absent: [][]byte{key}, Put: []eventstore.Row{row}})
	if err != nil && !errors.Is(err, eventstore.ErrCondition) {
		return nil, err
	}
	is, ok, err := s.get(ctx, key)
	if err == nil && !ok {
		err = errors.New("the origin of the logs was written, and is not there")
	}
	return is, err
}

func versionedRow(value []byte) []byte { return append([]byte{sharedVersion}, value...) }

func unversioned(key, value []byte) ([]byte, error) {
	if len(value) == 0 || value[0] != sharedVersion {
		return nil, fmt.Errorf("row %q of the logs: its version is not %d: use the version that wrote it, "+
			"or a newer one", key, sharedVersion)
	}
	return value[1:], nil
}

func (s *shared) get(ctx context.Context, key []byte) ([]byte, bool, error) {
	value, ok, err := s.Rows.Get(ctx, key)
	if err != nil {
		return nil, false, fmt.Errorf("rows of the logs: %w", err)
	}
	if !ok {
		return nil, false, nil
	}
	value, err = unversioned(key, value)
	return value, err == nil, err
}

// write makes a change, which survives a crash on return.
func (s *shared) write(ctx context.Context, c eventstore.Change) error {
	if err := eventstore.WriteDurably(ctx, s.Rows, c); err != nil {
		return fmt.Errorf("rows of the logs: %w", err)
	}
	return nil
}

// look reads what was signed, if something was since the last time.
func (k *Keep) look(ctx context.Context) error {
	s := k.shared
	news, _, err := s.get(ctx, []byte(newsRow)) // before the others: what is signed meanwhile is seen the next time
	if err != nil {
		return err
	}
	s.mu.Lock()
	same := s.news != nil && bytes.Equal(s.news, news)
	s.mu.Unlock()
	if same {
		return nil
	}

	newest := map[ident.AppName]signedRow{}
	for row, err := range s.Rows.Scan(ctx, []byte(signedRows)) {
		if err != nil {
			return fmt.Errorf("rows of the logs: %w", err)
		}
		app, r, err := parseSignedRow(row)
		if err != nil {
			return err
		}
		if r.size >= newest[app].size {
			newest[app] = r
		}
	}
	changes, err := s.readChanges(ctx)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.news, s.newest, s.changes = bytes.Clone(news), newest, changes
	return nil
}

func signedRowKey(app ident.AppName, size int64) []byte {
	return binary.BigEndian.AppendUint64([]byte(signedRows+string(app)+"/"), uint64(size))
}

func parseSignedRow(row eventstore.Row) (ident.AppName, signedRow, error) {
	rest := bytes.TrimPrefix(row.Key, []byte(signedRows))
	name, size, _ := bytes.Cut(rest, []byte("/"))
	app, err := ident.ParseAppName(string(name))
	if err != nil || len(size) != 8 {
		return "", signedRow{}, fmt.Errorf("row %q of the logs: its key is not that of an app and a size", row.Key)
	}
	text, err := unversioned(row.Key, row.Value)
	return app, signedRow{int64(binary.BigEndian.Uint64(size)), string(text)}, err
}

// signedOf returns the row of the newest checkpoint of an app, as last looked at.
func (k *Keep) signedOf(app ident.AppName) (signedRow, bool) {
	k.shared.mu.Lock()
	defer k.shared.mu.Unlock()
	row, ok := k.shared.newest[app]
	return row, ok
}

// sharedApps is [Keep.Apps], as last looked at.
func (k *Keep) sharedApps() []ident.AppName {
	k.shared.mu.Lock()
	defer k.shared.mu.Unlock()
	return slices.Sorted(maps.Keys(k.shared.newest))
}

// sharedKey is [Keep.VerifierKey].
func (k *Keep) sharedKey(app ident.AppName) (string, error) {
	k.shared.mu.Lock()
	defer k.shared.mu.Unlock()
	vkey, ok := k.shared.vkeys[app]
	if !ok {
		return "", fmt.Errorf("app %s has no log yet", app)
	}
	return vkey, nil
}

// Newest returns the newest signed checkpoint of an app, of a keep that is shared.
func (k *Keep) Newest(ctx context.Context, app ident.AppName) ([]byte, error) {
	s, err := k.openShared(ctx, app)
	if err != nil {
		return nil, err
	}
	return s.note, nil
}

// openShared is [Keep.open]. Of several processes that begin a log one makes its key.
func (k *Keep) openShared(ctx context.Context, app ident.AppName) (*signed, error) {
	key := []byte(keyRows + string(app))
	_, ok, err := k.shared.get(ctx, key)
	if err == nil && !ok {
		if _, begun := k.signedOf(app); begun {
			return nil, &LostError{app, fmt.Sprintf("row %s", key)}
		}
		if err = k.createShared(ctx, app, key); err == nil {
			_, ok, err = k.shared.get(ctx, key)
		}
	}
	if err == nil && !ok {
		err = fmt.Errorf("app %s: the signing key was written, and is not there", app)
	}
	if err != nil {
		return nil, err
	}

	if err := k.look(ctx); err != nil {
		return nil, err
	}
	s := new(signed)
	if s.signing, _, err = k.sharedSigning(ctx, app); err != nil {
		return nil, err
	}
	row, ok := k.signedOf(app)
	if !ok {
		return nil, &LostError{app, "the row of its newest checkpoint"}
	}
	if err := s.parse(row.text, k.Origin(app)); err != nil {
		return nil, fmt.Errorf("app %s: the row of its newest checkpoint: %w", app, err)
	}
	if s.row = row; row.size != s.Size {
		return nil, fmt.Errorf("app %s: the row of its newest checkpoint is of size %d, and the checkpoint of %d",
			app, row.size, s.Size)
	}
	return s, nil
}

// createShared makes a key and signs with it that the log is empty, unless another
// process is faster.
func (k *Keep) createShared(ctx context.Context, app ident.AppName, key []byte) error {
	skey, _, err := note.GenerateKey(rand.Reader, k.Origin(app))
	if err != nil {
		return err
	}
	sealed, err := k.shared.Seal(ctx, string(app), []byte(skey))
	if err != nil {
		return fmt.Errorf("app %s: the signing key: %w", app, err)
	}
	s, err := newSigned(skey)
	if err != nil {
		return err
	}
	var empty merkle.Edge
	text, err := merkle.Sign(merkle.Checkpoint{Origin: k.Origin(app), Root: empty.Root()}, s.signers...)
	if err != nil {
		return err
	}

	first := signedRowKey(app, 0)
	err = k.shared.write(ctx, eventstore.Change{
		Absent: [][]byte{key, first},
		Put: []eventstore.Row{
			{Key: key, Value: versionedRow(sealed)},
			{Key: first, Value: versionedRow(signedText(0, text))},
			newsOf(),
		},
	})
	if errors.Is(err, eventstore.ErrCondition) {
		return nil
	}
	return err
}

// newsOf returns the row that tells others to look again.
func newsOf() eventstore.Row {
	id := make([]byte, 16)
	rand.Read(id)
	return eventstore.Row{Key: []byte(newsRow), Value: versionedRow(id)}
}

// errOvertaken says that another process has signed meanwhile.
var errOvertaken = errors.New("another process signed meanwhile")

// commitShared is [Keep.commit]. If it fails the drafts may have been written or not:
// whoever signs next looks, and finds out.
func (k *Keep) commitShared(ctx context.Context, drafts []draft) error {
	c := eventstore.Change{Put: []eventstore.Row{newsOf()}}
	for _, d := range drafts {
		before, next := signedRowKey(d.app, d.of.row.size), signedRowKey(d.app, d.c.Size)
		c.Present = append(c.Present, before)
		c.Absent = append(c.Absent, changeRowKey(d.app, d.of.changes+1))
		if !bytes.Equal(before, next) { // the same tree is signed again for a key that has joined
			c.Absent, c.Delete = append(c.Absent, next), append(c.Delete, before)
		}
		c.Put = append(c.Put, eventstore.Row{Key: next, Value: versionedRow(signedText(d.position, d.note))})
	}
	err := k.shared.write(ctx, c)
	if errors.Is(err, eventstore.ErrCondition) {
		return errOvertaken
	}
	if err != nil {
		return err
	}

	for _, d := range drafts {
		d.take()
		d.of.row = signedRow{d.c.Size, string(signedText(d.position, d.note))}
	}
	return nil
}
