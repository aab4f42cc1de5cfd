package lapse

import (
	"bytes"
	"context"
	"slices"

	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
)

// learn takes note of what entries say of consents that end, in one change with how far
// the log is read then.
func (f *Follower) learn(ctx context.Context, entries []codec.Entry) error {
	l := learning{Follower: f, apps: map[ident.AppName]domain.Reference{}, now: f.Ledger.Now()}
	for _, e := range entries {
		if err := l.entry(ctx, e); err != nil {
			return err
		}
	}

	last, next := entries[len(entries)-1], f.at
	next.Position, next.ID = last.Position, last.ID.String()
	l.change.Put = append(l.change.Put, rowOf([]byte(atRow), next))
	if err := f.Rows.Write(ctx, l.change); err != nil {
		return err
	}
	f.at, f.running = next, f.running || l.job
	if l.due != 0 {
		f.next = min(f.next, l.due)
	}
	return nil
}

// A learning is what is learned of some entries.
type learning struct {
	*Follower
	apps   map[ident.AppName]domain.Reference
	now    deadline.Instant
	change eventstore.Change
	due    deadline.Instant // the earliest; zero: none
	job    bool
}

func (l *learning) entry(ctx context.Context, e codec.Entry) error {
	switch x := e.Event.(type) {
	case domain.ConsentGiven:
		return l.given(ctx, e, x)
	case domain.ConsentUsed, domain.AgeRecorded, domain.RecordVoided:
		if e.Stream.Noun == ident.SubjectNoun && e.Recorded >= l.at.Since {
			l.lookAt(e.Recorded, e.Stream)
		}
	case domain.PolicyEffective:
		return l.effective(ctx, e, x)
	case domain.SubjectClosed, domain.SubjectReassigned, domain.ErasureOrdered:
		return l.forget(ctx, e.Stream)
	}
	return nil
}

// given notes when a consent ends, and which version it is to. One that is over or stale
// when it comes, as what an app kept without a network for a while, is looked at at once.
func (l *learning) given(ctx context.Context, e codec.Entry, x domain.ConsentGiven) error {
	ref, err := l.app(ctx, e.Stream.App)
	if err != nil {
		return err
	}

	moments := map[deadline.Instant]bool{}
	for _, item := range x.Items {
		if item.Short != "" {
			continue
		}
		ends, status := domain.LapseOf(e.Fact(), item.Purpose, l.now, ref.Policies)
		if status != domain.Given && e.Recorded >= l.at.Since {
			moments[e.Recorded] = true
		}
		if ends >= l.at.Since { // what ended before is told to nobody
			moments[ends] = true
		}
	}

	for at := range moments {
		l.lookAt(at, e.Stream)
	}

	l.change.Put = append(l.change.Put, eventstore.Row{Key: onKey(e.Stream, x.Version), Value: []byte{version}})
	return nil
}

func (l *learning) lookAt(at deadline.Instant, s ident.StreamID) {
	l.change.Put = append(l.change.Put, eventstore.Row{Key: dueKey(at, s), Value: []byte{version}})
	if l.due == 0 || at < l.due {
		l.due = at
	}
}

// effective notes that a version binds, if consents may be stale since.
func (l *learning) effective(ctx context.Context, e codec.Entry, x domain.PolicyEffective) error {
	if e.Recorded < l.at.Since {
		return nil
	}
	ref, err := l.app(ctx, e.Stream.App)
	if err != nil || !ref.Policies.MayMakeStale(x.Version) {
		return err
	}
	l.job = true
	l.change.Put = append(l.change.Put,
		rowOf(jobKey(e.Stream.App, e.Position), job{V: version, Version: x.Version.String()}))
	return nil
}

// forget leaves nothing to look at of a person whose history is over. What stands in the
// timetable finds nothing when its time comes.
func (l *learning) forget(ctx context.Context, s ident.StreamID) error {
	prefix := []byte(onRows + string(s.App) + "/" + s.ID + "/")
	l.change.Put = slices.DeleteFunc(l.change.Put,
		func(row eventstore.Row) bool { return bytes.HasPrefix(row.Key, prefix) })
	for row, err := range l.Rows.Scan(ctx, prefix) {
		if err != nil {
			return err
		}
		l.change.Delete = append(l.change.Delete, row.Key)
	}
	return nil
}

// app returns what is known about an app, read once for some entries.
func (l *learning) app(ctx context.Context, name ident.AppName) (domain.Reference, error) {
	if ref, known := l.apps[name]; known {
		return ref, nil
	}
	ref, err := l.Ledger.App(ctx, name)
	if err == nil {
		l.apps[name] = ref
	}
	return ref, err
}
