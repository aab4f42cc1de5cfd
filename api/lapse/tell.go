package lapse

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"consentledger/domain"
	"consentledger/domain/catalog"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/domain/refusal"
	"consentledger/eventstore"
	"consentledger/eventstore/ledger"
)

// most is how many moments of the timetable are looked at before the log is read on, and
// parts in how many the persons of an app are divided: by the first two digits of their
// pseudonyms, which are random.
const (
	most  = 256
	parts = 256
	lanes = 32 // how many persons are looked at at once, so that appends share syncs of the disk
)

// fire looks at the persons whose moment has come, and reports whether there may be more
// of them.
func (f *Follower) fire(ctx context.Context, now deadline.Instant) (more bool, err error) {
	var streams []ident.StreamID
	change, known := eventstore.Change{}, map[ident.StreamID]bool{}
	f.next = never
	for row, err := range f.Rows.Scan(ctx, []byte(dueRows)) {
		if err != nil {
			return false, err
		}
		at, s, err := parseDue(row.Key)
		if err != nil {
			return false, fmt.Errorf("row %s: %w", row.Key, err)
		}
		if at > now || len(change.Delete) == most {
			f.next = at
			break
		}
		change.Delete = append(change.Delete, bytes.Clone(row.Key))
		if !known[s] {
			known[s] = true
			streams = append(streams, s)
		}
	}

	// The rows go once what they led to is recorded. Who dies in between looks again.
	if err := f.all(ctx, streams); err != nil {
		f.next = 0
		return false, err
	}
	if len(change.Delete) == 0 {
		return false, nil
	}
	return f.next <= now, f.Rows.Write(ctx, change)
}

// spread looks at a part of the persons whose consents a new version may have made stale.
func (f *Follower) spread(ctx context.Context) error {
	j, is, err := f.job(ctx)
	if err != nil {
		return err
	}
	if !is {
		f.running = false
		return nil
	}

	streams, err := f.part(ctx, j)
	if err == nil {
		err = f.all(ctx, streams)
	}
	if err != nil {
		return err
	}
	change := eventstore.Change{Present: [][]byte{j.key}}
	if j.Part++; j.Part < parts {
		change.Put = []eventstore.Row{rowOf(j.key, j)}
	} else {
		change.Delete = [][]byte{j.key}
	}
	err = f.Rows.Write(ctx, change)
	if errors.Is(err, eventstore.ErrCondition) {
		return nil // another process, whose turn it is, is done with it
	}
	return err
}

// part returns the persons of the part that comes next who consented to something else
// than the new version.
func (f *Follower) part(ctx context.Context, j job) (streams []ident.StreamID, err error) {
	prefix := fmt.Appendf(nil, "%s%s/%02x", onRows, j.app, j.Part)
	for row, err := range f.Rows.Scan(ctx, prefix) {
		if err != nil {
			return nil, err
		}
		s, version, err := parseOn(row.Key)
		if err != nil {
			return nil, fmt.Errorf("row %s: %w", row.Key, err)
		}
		if version == j.Version || len(streams) > 0 && streams[len(streams)-1] == s {
			continue
		}
		streams = append(streams, s)
	}
	return streams, nil
}

// all looks at persons, some at once.
func (f *Follower) all(ctx context.Context, streams []ident.StreamID) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var errs [lanes]error
	var workers sync.WaitGroup
	for lane := range min(lanes, len(streams)) {
		workers.Go(func() {
			for i := lane; i < len(streams); i += lanes {
				if errs[lane] = f.person(ctx, streams[i]); errs[lane] != nil {
					stop()
					return
				}
			}
		})
	}

	workers.Wait()
	return errors.Join(errs[:]...)
}

// person records which consents of a person ended and were not said to have.
func (f *Follower) person(ctx context.Context, s ident.StreamID) error {
	ref, err := f.Ledger.App(ctx, s.App)
	if err != nil {
		return err
	}

	subject, err := f.Ledger.Whole(ctx, s)
	if err != nil {
		return err
	}

	for _, l := range subject.Lapses(f.Ledger.Now(), ref) {
		if l.Since < f.at.Since {
			continue
		}
		_, err := f.Ledger.ExecuteOn(ctx, s, request(s.App, l))
		if _, refused := errors.AsType[refusal.Refusal](err); refused {
			continue // the person said something, or was erased, since it was looked at
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// request says that a consent ended. Its id says which one and by what, and is the same
// whenever it is made.
func request(app ident.AppName, l domain.Lapse) ledger.Request {
	grant := eventstore.EventID(l.Grant).String()
	fields := map[string]string{"consent": grant, "purposes": names(l.Purposes)}
	kind, id := catalog.ConsentExpired, "expired "+grant+" "+l.Since.String()
	if l.Status == domain.Stale {
		kind, id = catalog.ConsentStale, "stale "+grant+" "+l.Version.String()
		fields["policy"], fields["version"] = l.Policy, l.Version.String()
	}
	return ledger.Request{
		App: app, Source: "consentledger/lapse", ID: id, Body: []byte(id), At: l.Since,
		Actor: string(ident.System), RecordedBy: ident.Ledger,
		Command: domain.Say{Event: domain.Noted{Kind: kind, Fields: policy.Fields(fields)}},
	}
}

func names(purposes []policy.PurposeID) string {
	all := make([]string, len(purposes))
	for i, p := range purposes {
		all[i] = string(p)
	}
	return strings.Join(all, ",")
}
