package followup

import (
	"context"

	"consentledger/domain"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore/codec"
)

// A crossing is an opt-out and the pseudonym of another history by which a grant
// ended there.
type crossing struct {
	optOut  ident.EventID
	history string
}

// openLinked lets what is to be stopped and deleted follow for the histories of the
// same person in which a grant ended by a fact of this one: an opt-out, a link that
// lets earlier ones cross, or the news that the end of a link was a mistake. Nothing
// is asked of whom no link was ever heard.
func (r *Process) openLinked(ctx context.Context, a *app, e codec.Entry) error {
	if x, links := e.Event.(domain.SubjectLinked); links {
		a.linked[e.Stream.ID], a.linked[x.Other] = struct{}{}, struct{}{}
	}
	if _, linked := a.linked[e.Stream.ID]; !linked || !mayCross(e.Event) || !domain.OwedAcross(e.Rules) {
		return nil
	}

	// Every history is as of the fact, whatever was recorded since.
	k := &kin{ledger: r.Ledger, entry: e, read: map[string]domain.Subject{}}
	var err error
	if k.before, err = r.Ledger.SubjectAt(ctx, e.Stream, e.Position-1); err != nil {
		return err
	}
	own, err := k.history(ctx, e.Stream.ID)
	if err != nil {
		return err
	}
	others, err := own.Reached(e.Stream.ID, func(name string) (domain.Subject, error) { return k.history(ctx, name) })
	if err != nil {
		return err
	}
	for _, name := range append([]domain.Reached{{Other: e.Stream.ID}}, others...) {
		if _, agreed := a.agreed[name.Other]; !agreed {
			continue
		}
		if err := r.openLost(ctx, a, k, name.Other); err != nil {
			return err
		}
	}
	return nil
}

// mayCross reports whether a grant of another history may end by an event.
func mayCross(e domain.Event) bool {
	switch e := e.(type) {
	case domain.ConsentRefused, domain.ConsentWithdrawn, domain.ErasureOrdered, domain.SubjectLinked,
		domain.RecordVoided:
		return true
	case domain.PermissionRevoked:
		return len(e.Withdraws) > 0
	}
	return false
}

// openLost lets follow what is owed for one history, for every opt-out of another
// one by which a grant ended there.
func (r *Process) openLost(ctx context.Context, a *app, k *kin, name string) error {
	before, after, err := k.around(ctx, name)
	if err != nil {
		return err
	}

	ref := a.reference()
	scopes := map[ident.EventID]*policy.Scope{}
	var causes []occasion
	for _, lost := range before.Lost(after, k.entry.Recorded, ref) {
		o, ok := k.occasion(lost.By, name)
		if !ok {
			continue // it was said in this very history, which has what is owed for it
		}
		id := ident.EventID(o.ID)
		if scopes[id] == nil {
			scopes[id], causes = new(policy.Scope), append(causes, o)
		}
		scopes[id].Purposes = append(scopes[id].Purposes, lost.Purpose)
	}

	for _, o := range causes {
		c := crossing{ident.EventID(o.ID), name}
		if _, known := a.crossed[c]; known || !a.policies.Open(o.kind) {
			continue
		}
		a.crossed[c] = struct{}{}
		if err := r.openFor(ctx, a, o, *scopes[c.optOut]); err != nil {
			return err
		}
	}
	return nil
}

// Kin are the histories of one person as of a fact. Each is read once.
type kin struct {
	ledger Ledger
	entry  codec.Entry
	before domain.Subject            // the fact's own history without it
	read   map[string]domain.Subject // by pseudonym
	names  []string                  // in the order in which they were read
}

func (k *kin) history(ctx context.Context, name string) (domain.Subject, error) {
	if s, ok := k.read[name]; ok {
		return s, nil
	}
	stream := k.entry.Stream
	stream.ID = name
	s, err := k.ledger.SubjectAt(ctx, stream, k.entry.Position)
	if err == nil {
		k.read[name], k.names = s, append(k.names, name)
	}
	return s, err
}

// around returns a history with what crosses to it, just before the fact and with it.
func (k *kin) around(ctx context.Context, name string) (before, after domain.Subject, err error) {
	past := func(other string) (domain.Subject, error) {
		if other == k.entry.Stream.ID {
			return k.before, nil
		}
		return k.history(ctx, other)
	}

	now := func(other string) (domain.Subject, error) { return k.history(ctx, other) }
	was, err := past(name)
	if err != nil {
		return before, after, err
	}

	is, err := now(name)
	if err != nil {
		return before, after, err
	}
	if before, err = was.Whole(name, past); err != nil {
		return before, after, err
	}

	after, err = is.Whole(name, now)
	return before, after, err
}

// occasion returns on what occasion something is owed for a history in which a
// grant ended: the fact itself if it is an opt-out of another, else the one that is
// in the way since, as of the fact.
func (k *kin) occasion(by ident.EventID, name string) (occasion, bool) {
	o := occasion{k.entry, k.entry.Kind(), k.entry.Stream}
	o.history.ID = name
	if _, optOut := k.read[k.entry.Stream.ID].OptOut(ident.EventID(k.entry.ID)); optOut {
		return o, o.crossed()
	}

	for _, from := range k.names {
		f, said := k.read[from].OptOut(by)
		if !said {
			continue
		}
		o.ID, o.Event, o.Stream.ID, o.kind = [16]byte(by), f.Event, from, optOutKind(f.Event)
		o.At = max(min(o.At, o.Recorded), min(f.At, f.Recorded))
		return o, o.crossed()
	}
	return occasion{}, false
}

// optOutKind returns the kind of an opt-out that is known by its event alone.
func optOutKind(e domain.Event) string {
	switch e.(type) {
	case domain.ConsentRefused:
		return "consent.refused"
	case domain.ConsentWithdrawn:
		return "consent.withdrawn"
	case domain.PermissionRevoked:
		return "permission.revoked"
	case domain.ErasureOrdered:
		return "erasure.ordered"
	}
	return ""
}
