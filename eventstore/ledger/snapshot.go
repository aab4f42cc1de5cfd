package ledger

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/eventstore"
	"consentledger/eventstore/codec/state"
	"consentledger/eventstore/vault"

	"golang.org/x/sync/errgroup"
)

// A snapshot is what a person's stream was folded to, kept sealed in the person's
// vault entry, so that who is not in memory costs one read and the few records since,
// however long the history is. It is derived: it can be thrown away
// at any time, goes with the entry when the person is erased, and holds nothing
// that the records do not. Before it is used its last record is read, and must be
// the same; else the stream is read from its beginning.
//
// Only persons' own streams have snapshots: other streams are short, or there are
// few of them.
type snapshot struct {
	revision eventstore.Revision
	position eventstore.Position // zero: where the index has it, see [Ledger.beside]
	recorded deadline.Instant
	last     eventstore.EventID
	answers  answers
	subject  domain.Subject
}

// foldVersion is raised when facts fold to something else than before: a
// snapshot of another version, of other rules or of another shape is none. Tests
// fail when it ought to have been raised.
const foldVersion = 5

// snapshots writes and reads snapshots. Texts that are personal are left out, as in a
// record.
var snapshots = state.New[snapshot](state.Types{
	Implement: []any{
		domain.ConsentGiven{}, domain.ConsentRefused{}, domain.ConsentWithdrawn{}, domain.PermissionRevoked{},
		domain.NoticePresented{},
		domain.SubjectReassigned{}, domain.SubjectClosed{}, domain.AgeRecorded{}, domain.ErasureOrdered{},
	},
	Omit: []any{domain.Personal(""), domain.Derived(nil)},
})

// snapshotHead is what a snapshot of this program begins with.
var snapshotHead = func() []byte {
	shape := snapshots.Shape()
	return append([]byte{foldVersion, domain.Rules}, shape[:8]...)
}()

// interval is how many records come after a snapshot of a stream until the next
// is written: a share of the history, so that all snapshots together take as long
// to write as the history is long; of a short one few, since each record that is read
// takes as long as half a snapshot.
func interval(r eventstore.Revision) eventstore.Revision { return max(shortest, r/16) }

const shortest = 8

// snapshotOf returns the fold that a stream's snapshot holds; that of an empty
// stream if there is none that is of use.
func (l *Ledger) snapshotOf(ctx context.Context, stream ident.StreamID) (*fold, error) {
	p, err := l.owner(ctx, stream)
	if err != nil || p == nil {
		return newFold(), err
	}

	text, ok, err := l.vault.KeptFold(ctx, p, string(stream.Noun))
	if errors.Is(err, vault.ErrDamaged) {
		return newFold(), nil
	}
	if err != nil || !ok {
		return newFold(), err
	}

	f, ok := readSnapshot(text)
	if !ok {
		return newFold(), nil
	}
	return f, nil
}

// readSnapshot returns the fold that a snapshot holds, and whether it is one of
// this program's.
func readSnapshot(text []byte) (*fold, bool) {
	if !bytes.HasPrefix(text, snapshotHead) {
		return nil, false
	}

	s, size, err := snapshots.Read(text[len(snapshotHead):])
	if err != nil {
		return nil, false
	}

	s.subject.Derive()
	f := &fold{
		revision: s.revision, position: s.position, recorded: s.recorded, last: s.last,
		answered: s.answers, subject: s.subject, others: &nothing,
		size: foldBytes + size, sized: s.revision,
	}
	f.kept.Store(uint64(s.revision))
	return f, true
}

// writeSnapshot is what readSnapshot reads.
func writeSnapshot(f *fold) ([]byte, error) {
	return snapshots.Append(bytes.Clone(snapshotHead), f.snapshot())
}

// owner returns the person whose stream has snapshots; nil if none has.
func (l *Ledger) owner(ctx context.Context, stream ident.StreamID) (*vault.Person, error) {
	if !ofPerson(stream) {
		return nil, nil
	}
	name, err := vault.ParsePseudonym(stream.ID)
	if err != nil {
		return nil, nil
	}
	p, ok, err := l.vault.ByPseudonym(ctx, string(stream.App), name)
	if err != nil || !ok {
		return nil, err
	}
	return p, nil
}

// ofPerson reports whether a stream is one that may have snapshots.
func ofPerson(s ident.StreamID) bool {
	return s.Noun == ident.SubjectNoun || s.Noun == ident.AccessNoun
}

// keep writes the snapshot of a fold. Of whom there is no entry there is none.
func (l *Ledger) keep(ctx context.Context, stream ident.StreamID, f *fold) error {
	p, err := l.owner(ctx, stream)
	if err != nil || p == nil {
		return err
	}
	text, err := writeSnapshot(f)
	if err != nil {
		return err
	}
	err = l.vault.KeepFold(ctx, p, string(stream.Noun), text)
	if errors.Is(err, vault.ErrErased) {
		return nil
	}
	return err
}

// beside adds the snapshot of a fold to what the vault keeps with the append that makes it
// so: of a person who was not in memory, and will mostly be gone again when they come
// back, as while many are loaded one after the other. It costs less than to read the
// record then. Which position the append will have nobody knows yet: the index does, by
// the same write. So it is done only where vault and records lie in one database.
func (l *Ledger) beside(d *vault.Draft, p *vault.Person, stream ident.StreamID, before, next *fold) error {
	if l.joint == nil || p == nil || !before.read || !ofPerson(stream) || p.Pseudonym.String() != stream.ID {
		return nil
	}
	text, err := writeSnapshot(next)
	if err != nil {
		return err
	}
	next.kept.Store(uint64(next.revision))
	return d.KeepFold(p, string(stream.Noun), text)
}

func (f *fold) snapshot() *snapshot {
	return &snapshot{f.revision, f.position, f.recorded, f.last, f.answered, f.subject}
}

// due are the folds whose snapshots are to be written: of those that have grown enough,
// and of those that are about to be forgotten, so that whoever comes back costs a
// snapshot and no records.
type due struct {
	wanted atomic.Bool // somebody writes them

	mu    sync.Mutex
	folds map[ident.StreamID]*fold
	aged  []agedFold
	wake  chan struct{} // has room for one; made by whoever writes
}

// An agedFold is one that the cache drops next, unless it is asked for.
type agedFold struct {
	stream ident.StreamID
	fold   *fold
}

// mostDue bounds how many folds that have grown wait to be written. What finds no
// place comes again with its stream's next record.
const mostDue = 1024

// add notes that a snapshot is to be written, if so many records have come since the
// last.
func (d *due) add(stream ident.StreamID, f *fold, tail eventstore.Revision) {
	if f.revision-eventstore.Revision(f.kept.Load()) < tail || !ofPerson(stream) || !d.wanted.Load() {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, again := d.folds[stream]; !again && len(d.folds) >= mostDue {
		return
	}
	d.folds[stream] = f
	f.kept.Store(uint64(f.revision))
	d.awake()
}

// agedTail is how many records come after a snapshot until the next is written of a fold
// that goes. To write it for each would take longer, where persons come back to record,
// than to read one record more.
const agedTail = 2

// age notes which snapshots are to be written before a generation of the cache goes.
// Those of the generation before that were not written by now are left out.
func (d *due) age(old map[ident.StreamID]*fold) {
	if !d.wanted.Load() {
		return
	}
	var aged []agedFold
	for stream, f := range old {
		if ofPerson(stream) && uint64(f.revision) >= f.kept.Load()+agedTail {
			aged = append(aged, agedFold{stream, f})
		}
	}

	d.mu.Lock()
	defer d.mu.Unlock()
	d.aged = aged
	d.awake()
}

// awake wakes whoever writes; its caller holds mu.
func (d *due) awake() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// take returns what is to be written, and nothing of it again.
func (d *due) take() (map[ident.StreamID]*fold, []agedFold) {
	d.mu.Lock()
	defer d.mu.Unlock()
	folds, aged := d.folds, d.aged
	d.folds, d.aged = map[ident.StreamID]*fold{}, nil
	return folds, aged
}

// KeepSnapshots writes the snapshots of histories as they grow, beside
// whoever records, until ctx is done; then it writes those that are due, and
// returns. Without it none is written, and those that there are go on being used.
func (l *Ledger) KeepSnapshots(ctx context.Context) error {
	l.due.mu.Lock()
	l.due.wake, l.due.folds = make(chan struct{}, 1), map[ident.StreamID]*fold{}
	l.due.mu.Unlock()
	l.due.wanted.Store(true)
	defer l.due.wanted.Store(false)
	for {
		over := ctx.Err() != nil
		if err := l.keepDue(context.WithoutCancel(ctx)); err != nil || over {
			return err
		}
		select {
		case <-l.due.wake:
		case <-ctx.Done():
		}
	}
}

// keepDue writes the snapshots that are due.
func (l *Ledger) keepDue(ctx context.Context) error {
	grown, aged := l.due.take()
	for stream, f := range grown {
		if err := l.keep(ctx, stream, f); err != nil {
			return err
		}
	}

	var writers errgroup.Group
	writers.SetLimit(agedWriters)
	for _, a := range aged {
		writers.Go(func() error { return l.keepAged(ctx, a) })
	}
	return writers.Wait()
}

// agedWriters is how many snapshots of a generation that goes are written at a time, so
// that they share the store's writes: it goes soon.
const agedWriters = 16

// keepAged writes the snapshot of a fold that is about to be forgotten. One that has
// grown meanwhile is not.
func (l *Ledger) keepAged(ctx context.Context, a agedFold) error {
	if !l.folds.holds(a.stream, a.fold) {
		return nil
	}
	a.fold.kept.Store(uint64(a.fold.revision))
	return l.keep(ctx, a.stream, a.fold)
}
