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
	"time"

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
		return nil, fmt.Errorf("row %q of the logs: its version is not %d: use the version that wrote it, or a newer "+
			"one",
			key, sharedVersion)
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

// sharedTime is how long rows may take to answer the logs.
const sharedTime = 10 * time.Second

// adopt takes what was signed last, by whatever process, for what this tree is held
// against. Whose root is known to be another is a fault.
func (l *Log) adopt(ctx context.Context, t *tree) error {
	if err := l.adoptKeys(ctx, t); err != nil {
		return err
	}
	row, ok := l.Keep.signedOf(t.app)
	if !ok {
		return l.halt(t.app, &LostError{t.app, "the row of its newest checkpoint"})
	}
	if row == t.signed.row {
		return nil
	}

	next := &signed{signing: t.signed.signing}
	if err := next.parse(row.text, l.Keep.Origin(t.app)); err != nil {
		return l.halt(t.app, fmt.Errorf("the row of its newest checkpoint: %w", err))
	}
	if next.Size != row.size {
		return l.halt(t.app, fmt.Errorf("the row of its newest checkpoint is of size %d, and the checkpoint of %d",
			row.size, next.Size))
	}
	if next.Size < t.signed.Size && t.proven {
		// The rows went back, as when a standby took over that had not all of them. What
		// this process knows is newer, and it signs the next one behind the row that is there.
		l.Log.Warn("the rows of the logs have an older checkpoint than was seen before",
			"app", t.app, "size", next.Size, "seen", t.signed.Size)
		t.signed.row = row
		return nil
	}

	proven := next.Size <= t.edge.Size
	if proven {
		root, err := t.rootAt(next.Size)
		if err != nil {
			return fmt.Errorf("app %s: %w: %w", t.app, errRebuild, err)
		}
		if root != next.Root {
			return l.differs(t, next.Checkpoint, root)
		}
	}
	t.signed.Checkpoint, t.signed.position, t.signed.note, t.signed.row = next.Checkpoint, next.position, next.note, row
	t.signed.partly = next.partly
	t.proven = proven
	return nil
}

// saveAfter is after how long the state of the tiles is saved at the latest.
const saveAfter = 5 * time.Second

// checkpointShared signs, if it is this process's turn, and publishes what was signed. All
// says that no record is missing, as far as this process can tell. What cannot be
// read or written now is tried again.
func (l *Log) checkpointShared(ctx context.Context, all bool) error {
	ctx, cancel := context.WithTimeout(ctx, sharedTime)
	defer cancel()
	err := l.tryCheckpointShared(ctx, all)
	_, fault := errors.AsType[*FaultError](err)
	if fault || errors.Is(err, errRebuild) {
		return err
	}
	l.troubled(err)
	return nil
}

// errAgain says that something could not be read or written that all processes share.
var errAgain = errors.New("what the processes share of the logs cannot be had now")

// troubled notes why checkpoints are not up to date; nil: they are.
func (l *Log) troubled(err error) {
	l.mu.Lock()
	before := l.trouble
	l.trouble = err
	l.mu.Unlock()
	if err != nil && before == nil {
		l.Log.Warn("checkpoints are not up to date, and are tried again", "error", err)
	}
}

// passes reports whether what went wrong while trees are made passes by itself, after a
// rest: where processes share a keep, it may be away.
func (l *Log) passes(ctx context.Context, err error) bool {
	_, fault := errors.AsType[*FaultError](err)
	_, lost := errors.AsType[*LostError](err)
	if l.Keep.shared == nil || fault || lost || ctx.Err() != nil {
		return false
	}
	l.troubled(err)
	rest(ctx, time.Second)
	return ctx.Err() == nil
}

func (l *Log) tryCheckpointShared(ctx context.Context, all bool) error {
	if err := l.Keep.look(ctx); err != nil {
		return err
	}
	trees := l.everyTree()
	var grown []*tree
	for _, t := range trees {
		if err := l.adopt(ctx, t); err != nil {
			return err
		}
		if t.proven && (t.signed.Size < t.edge.Size || t.signed.row.size < t.signed.Size || t.signed.partly) {
			grown = append(grown, t)
		}
	}

	if all {
		if err := l.nothingIsMissing(ctx, trees); err != nil {
			return err
		}
	}
	if l.Turn == nil || l.Turn() {
		if err := l.sign(ctx, grown); err != nil && !errors.Is(err, errOvertaken) {
			return err
		}
	}
	return l.publishShared(trees)
}

// nothingIsMissing declares a fault if the store ends before what was signed. A
// process may be behind another: so the store is asked behind a barrier.
func (l *Log) nothingIsMissing(ctx context.Context, trees []*tree) error {
	for _, t := range trees {
		if t.edge.Size >= t.signed.Size || t.signed.position <= l.at {
			continue
		}
		head, err := l.head(ctx)
		if err != nil {
			return err
		}
		if head < t.signed.position {
			return l.isShort(t)
		}
		return nil // it is on its way
	}
	return nil
}

// head returns where the store ends, behind a barrier if it has one.
func (l *Log) head(ctx context.Context) (eventstore.Position, error) {
	if store, has := l.Records.(interface{ Barrier(context.Context) error }); has {
		if err := store.Barrier(ctx); err != nil {
			return 0, err
		}
	}
	return l.Records.Head(ctx)
}

// publishShared publishes what is signed and proven and was not published yet.
func (l *Log) publishShared(trees []*tree) error {
	whole, flushed := true, true
	for _, t := range trees {
		whole = whole && t.proven
		p := t.published.Load()
		if !t.proven || p != nil && (p.Size > t.signed.Size || p.Size == t.signed.Size &&
			bytes.Equal(p.note, t.signed.note)) {
			flushed = flushed && t.flushed == t.edge.Size
			continue
		}
		if err := t.flush(); err != nil {
			return err
		}
		t.publish()
		if err := t.writeCheckpoint(); err != nil {
			return fmt.Errorf("app %s: %w", t.app, err)
		}
	}
	l.tell()
	if !whole {
		return nil // the state must not run ahead of what readers see
	}

	if !flushed && time.Since(l.saved) < saveAfter {
		return l.covers(trees)
	}
	for _, t := range trees {
		if err := t.flush(); err != nil {
			return err
		}
	}
	if err := l.saveState(trees); err != nil {
		return err
	}
	l.saved = time.Now()
	return l.covers(trees)
}

// covers notes up to where every record is under a checkpoint that is published.
func (l *Log) covers(trees []*tree) error {
	covered := l.at
	for _, t := range trees {
		p := t.published.Load()
		if p == nil || p.Size >= t.edge.Size {
			continue
		}
		first, err := t.ids.places(p.Size, 1) // of what is not covered
		if err != nil {
			return fmt.Errorf("app %s: %w: %w", t.app, errRebuild, err)
		}
		covered = min(covered, first[0]-1)
	}

	l.mu.Lock()
	defer l.mu.Unlock()
	l.covered = covered
	return nil
}

// idlePace is how many paces a process waits for the next record that has seen all of
// them under a checkpoint: nobody signs anything before there is one.
const idlePace = 15

// followShared is a turn of following the records, and of looking at what the others
// have signed meanwhile.
func (l *Log) followShared(ctx context.Context) error {
	pace := max(l.Pace, 10*time.Millisecond)
	patience := pace
	if l.quiet {
		patience = idlePace * pace
	}
	short, stop := context.WithTimeout(ctx, patience)
	defer stop()
	l.onRekey(stop)
	waiting := 0
	for records, err := range l.Records.Follow(short, l.at) {
		if err != nil && short.Err() != nil {
			break
		}
		if err == nil {
			err = l.apply(ctx, records)
		}
		if errors.Is(err, errAgain) && ctx.Err() == nil {
			l.troubled(err)
			rest(ctx, pace)
			return nil
		}
		if err != nil {
			return err
		}
		if waiting++; waiting >= sliceLimit || l.quiet {
			break
		}
	}
	l.quiet = false
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}

	head, err := l.Records.Head(ctx)
	if err != nil { // nobody knows whether something is missing
		return l.checkpointShared(ctx, false)
	}
	all := l.at >= head
	if err := l.checkpointShared(ctx, all); err != nil {
		return err
	}
	l.quiet = all && waiting == 0 && l.isCovered()
	return nil
}

// isCovered reports whether every record that was followed is under a checkpoint that is
// published, and all of it is saved.
func (l *Log) isCovered() bool {
	for _, t := range l.everyTree() {
		p := t.published.Load()
		if !t.proven || p == nil || p.Size < t.edge.Size || t.flushed != t.edge.Size {
			return false
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.trouble == nil && l.covered >= l.at
}
