package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"

	"consentledger/domain"
	"consentledger/domain/catalog"
	"consentledger/domain/ident"
	"consentledger/domain/lists"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
)

// Interval is [interval].
func Interval(r int) int { return int(interval(eventstore.Revision(r))) }

// FoldSnapshot is how a snapshot begins that this program reads.
func FoldSnapshot() []byte { return bytes.Clone(snapshotHead) }

// CheckSnapshots returns an error unless a stream folds to the same from any
// snapshot on as from its beginning, and as what this process has of it in
// memory.
func (l *Ledger) CheckSnapshots(ctx context.Context, stream ident.StreamID) error {
	var all []codec.Entry
	for e, err := range l.readStream(ctx, stream) {
		if err != nil {
			return err
		}
		all = append(all, e)
	}
	if err := snapshotsAlike(all); err != nil {
		return fmt.Errorf("%s: %w", stream, err)
	}
	hot, err := l.fold(ctx, stream)
	if err != nil {
		return err
	}
	return alike(hot, foldOf(all, lists.Alone))
}

// CheckAnswers returns an error unless every request of a stream is found by its
// receipt, even if all of them were to begin with the same bytes.
func (l *Ledger) CheckAnswers(ctx context.Context, stream ident.StreamID) (requests int, err error) {
	f, err := l.fold(ctx, stream)
	if err != nil {
		return 0, err
	}
	want := map[[16]byte]answer{}
	for e, err := range l.readStream(ctx, stream) {
		if err != nil {
			return 0, err
		}
		a, again := want[e.Request.ID]
		if !again {
			a = answer{receiptOf(e.Envelope, e.Position, e.Event), e.Request.Digest}
		}
		a.receipt.Position = e.Position
		want[e.Request.ID] = a
	}
	for id, want := range want {
		same := make(answers, len(f.answered))
		for i := range same {
			same[i] = markOf(id)
		}
		for _, marks := range []answers{f.answered, same} {
			got, ok, err := l.answer(ctx, stream, &fold{answered: marks}, id)
			if err != nil || !ok || got != want {
				return 0, fmt.Errorf("a request is answered by %+v, %v, %v, and was by %+v", got, ok, err, want)
			}
		}
	}
	_, ok, err := l.answer(ctx, stream, f, [16]byte{1})
	if err != nil || ok {
		return 0, fmt.Errorf("what nobody asked was answered: %v, %v", ok, err)
	}
	return len(want), nil
}

// CheckImpersonal returns an error if this process has something personal of a stream
// in memory.
func (l *Ledger) CheckImpersonal(stream ident.StreamID) error {
	f, ok := l.folds.get(stream)
	if !ok {
		return errors.New("there is no fold in memory")
	}
	for ; f != nil; f = f.before {
		if text := personalIn(reflect.ValueOf(f.subject)); text != "" {
			return fmt.Errorf("%d bytes that are personal are in a fold of %d records", len(text), f.revision)
		}
	}
	return nil
}

// personalIn returns a text that is personal and stands in a value.
func personalIn(v reflect.Value) string {
	switch v.Kind() {
	case reflect.String:
		if v.Type() == reflect.TypeFor[domain.Personal]() {
			return v.String()
		}
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			return personalIn(v.Elem())
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if text := personalIn(v.Index(i)); text != "" {
				return text
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if text := personalIn(v.Field(i)); text != "" {
				return text
			}
		}
	}
	return ""
}

func foldOf(list []codec.Entry, own lists.Own) *fold {
	f := newFold()
	for _, e := range list {
		f.add(e, own)
	}
	return f
}

// alike returns an error unless two folds are the same, but for what is personal.
func alike(a, b *fold) error {
	one, err := snapshots.Append(nil, a.snapshot())
	if err != nil {
		return err
	}
	other, err := snapshots.Append(nil, b.snapshot())
	if err != nil || bytes.Equal(one, other) {
		return err
	}
	return fmt.Errorf("the folds differ after %d records:\n%+v\n%+v", a.revision, a.snapshot(), b.snapshot())
}

// snapshotsAlike returns an error unless entries fold to the same from every
// snapshot on.
func snapshotsAlike(all []codec.Entry) error {
	whole := foldOf(all, lists.Alone)
	if shared := foldOf(all, lists.Shared); !reflect.DeepEqual(shared.snapshot(), whole.snapshot()) {
		return fmt.Errorf("where lists change where they are, %d entries fold to something else", len(all))
	}
	for n := range len(all) + 1 {
		text, err := writeSnapshot(foldOf(all[:n], lists.Alone))
		if err != nil {
			return err
		}
		f, ok := readSnapshot(text)
		if !ok {
			return fmt.Errorf("a snapshot after %d records cannot be read", n)
		}
		for _, e := range all[n:] {
			f.add(e, lists.Newest)
		}
		if !reflect.DeepEqual(f.snapshot(), whole.snapshot()) {
			return fmt.Errorf("from a snapshot after %d of %d records it folds to\n%+v\nfrom the beginning to\n%+v", n, len(all), f.snapshot(), whole.snapshot())
		}
	}
	return nil
}

// Writes reports whether somebody writes snapshots.
func (l *Ledger) Writes() bool { return l.due.wanted.Load() }

// KeepLittle lets whoever follows soon be too far behind for what is kept.
func (l *Ledger) KeepLittle() { l.feed.most = chunkBytes / 4 }

// ApproveAndDie approves a proposal and does what was proposed, and dies before it can record
// that it is done.
func (l *Ledger) ApproveAndDie(ctx context.Context, d Decision, read ReadCommand) error {
	if _, err := l.Execute(ctx, d.note(catalog.ProposalApproved)); err != nil {
		return err
	}
	p, err := l.Proposed(ctx, d.App, d.ID)
	if err == nil {
		_, err = l.carryOut(ctx, d.App, p, read)
	}
	return err
}
