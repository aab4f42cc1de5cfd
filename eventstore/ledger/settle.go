package ledger

import (
	"context"
	"fmt"

	"consentledger/domain"
	"consentledger/domain/cases"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/vault"
)

// A resolved request knows where it is recorded, under whose key, and what its
// decision looks up. Every request takes three steps: it is resolved, each kind in
// its own way; [Ledger.decide] says what it adds to its stream; and [Ledger.commit]
// makes that durable. [Ledger.settle] takes the last two, with the stream locked.
type resolved struct {
	Request
	ref    domain.Reference
	stream ident.StreamID
	key    key

	parties cases.Parties // of a request of a person

	said  domain.Event  // in an access stream: what is recorded as it is
	bound []codec.Plain // in an access stream, if the request names no person: what ties it to one
}

// lookUp returns what the decision of a request looks up, and who asks.
func (l *Ledger) lookUp(ctx context.Context, req Request) (ref domain.Reference, err error) {
	if _, registers := req.Command.(domain.RegisterApp); registers { // nothing is known of the app yet
		err = sign(&ref, req)
		return ref, err
	}

	if ref, err = l.reference(ctx, req.App); err != nil {
		return domain.Reference{}, err
	}
	err = sign(&ref, req)
	return ref, err
}

// settle decides a resolved request on the fold of its stream and commits what
// was decided. No other request of the stream does so meanwhile in this process;
// if another process does, one of the two loses the race.
func (l *Ledger) settle(ctx context.Context, r resolved) (Receipt, error) {
	unlock, err := l.lock(ctx, r.stream)
	if err != nil {
		return Receipt{}, err
	}
	defer unlock()
	f, err := l.fold(ctx, r.stream)
	if err != nil {
		return Receipt{}, err
	}

	subject := r.stream.Noun == ident.SubjectNoun
	if subject {
		if r.Request, err = l.overtaken(ctx, r.Request, f.subject); err != nil {
			return Receipt{}, err
		}
	}

	receipt, err := l.commit(ctx, r, f, r.plains(f), func(recorded deadline.Instant) ([]domain.Event, error) {
		err := l.checkApproved(ctx, r, func(cmd domain.Command) ([]domain.Event, error) {
			as := r
			as.Command = cmd
			return l.decide(ctx, as, f, recorded)
		}, f, recorded)
		if err != nil || r.looks() {
			return nil, err
		}
		return l.decide(ctx, r, f, recorded)
	})
	switch {
	case err != nil:
		return receipt, err
	case subject && receipt.Event == (eventstore.EventID{}):
		if of, repeats := f.subject.Repeats(r.Command, r.ref); repeats {
			return l.repeated(ctx, r.stream, f, of)
		}
	case isCase(r.stream.Noun):
		receipt.Stream = r.stream
	}
	return receipt, nil
}

// isCase reports whether the receipts of a noun's streams name the stream.
func isCase(n ident.Noun) bool {
	return n == ident.RequestNoun || n == ident.IncidentNoun || n == ident.ObligationNoun
}

// plains returns the personal parts that go with the first fact of a request,
// beside those of the fact itself: what ties a stream that begins to its person,
// and what was sent.
func (r resolved) plains(f *fold) []codec.Plain {
	if len(r.sealed) > 0 {
		return r.sealed
	}
	p, person := r.key.(*vault.Person)
	if !person || isCase(r.stream.Noun) && r.Person == (ident.PersonKey{}) {
		return nil
	}

	plains := r.bound
	switch {
	case f.revision > 0:
		plains = nil
	case r.Person != (ident.PersonKey{}):
		plains = bindingOf(lookup(r.App, r.Person), p)
	}
	if r.stream.Noun == ident.AccessNoun {
		return plains
	}
	return append(plains, original(r.Request)...)
}

// decide returns what a request adds to its stream, recorded at a time.
func (l *Ledger) decide(ctx context.Context, r resolved, f *fold, recorded deadline.Instant) ([]domain.Event, error) {
	at := atOf(r.Request, recorded)
	switch r.stream.Noun {
	case ident.SubjectNoun:
		return l.decideSubject(ctx, r, f, recorded)
	case ident.AccessNoun:
		return []domain.Event{r.said}, nil
	case ident.ServiceNoun:
		return f.service.Decide(r.Command, r.ref, at, recorded)
	case ident.SurfaceNoun:
		return f.surfaces.Decide(r.Command, r.ref)
	case ident.CalendarNoun:
		return domain.DecideCalendars(f.calendars, r.Command, r.ref.By)
	case ident.PolicyNoun:
		events, err := f.policies.Decide(r.Command, r.ref.By, recorded)
		if cmd, publishes := r.Command.(domain.PublishPolicy); publishes && err == nil && len(events) > 0 {
			err = l.checkPublished(ctx, cmd)
		}
		return events, err
	case ident.RequestNoun:
		return f.request.Decide(r.Command, cases.Reference{Reference: r.ref, Parties: r.parties}, at, recorded)
	case ident.IncidentNoun:
		return f.incident.Decide(r.Command, r.ref, at, recorded)
	case ident.ObligationNoun:
		return f.duties.Decide(r.Command, r.ref, at, recorded)
	}

	panic(fmt.Sprintf("ledger: a request on a %s stream has no case in decide", r.stream.Noun))
}

// An endedError says that a history has ended, and when, and that it never
// answered the request.
type endedError deadline.Instant

func (endedError) Error() string { return "the history has ended" }

// decideSubject decides on a person's own history. It returns an endedError if
// that has ended.
func (l *Ledger) decideSubject(
	ctx context.Context, r resolved, f *fold, recorded deadline.Instant,
) ([]domain.Event, error) {
	if ended := f.subject.Ended(); ended != 0 {
		return nil, endedError(ended)
	}
	at, _ := r.times(recorded)
	if since := f.subject.Since(); at < since && r.Person != (ident.PersonKey{}) {
		if err := l.checkEarlier(ctx, r.Request, f.subject, at); err != nil {
			return nil, err
		}
	}

	// The linked histories say too what a consent may confirm, whether somebody is
	// asked too soon, and whether a grant counts. Anything else is decided on this one
	// history alone.
	subject, err := f.subject, error(nil)
	switch cmd := r.Command.(type) {
	case domain.GiveConsent:
		if len(cmd.Confirms) > 0 {
			r.ref.Linked, err = l.answersOfLinked(ctx, r.App, subject)
		}
	case domain.RequestConsent:
		subject, err = l.withLinks(ctx, r.stream, subject, false, 0)
	}
	if err != nil {
		return nil, err
	}
	events, err := subject.Decide(r.Command, r.ref, at, recorded)
	if err != nil || len(events) == 0 {
		return nil, err
	}

	if _, grant := events[0].(domain.ConsentGiven); grant {
		subject, err = l.withLinks(ctx, r.stream, f.subject, false, 0)
		if err != nil {
			return nil, err
		}
		events[0] = subject.Weigh(domain.Fact{
			At: at, Recorded: recorded, Source: r.key.Source(r.Source), Sequence: r.Sequence, Rules: domain.Rules,
			Event: events[0],
		}, r.ref)
	}
	return events, nil
}
