package lawfulness

import (
	"context"
	"fmt"

	"consentledger/api/query"
	"consentledger/api/wire"
	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
)

// A lawful is a question, and how far it came.
type lawful struct {
	q        domain.Question // at the end of the span
	from, to deadline.Instant
	who      ident.PersonKey
	limit    int
	place    place
	begin    eventstore.Position // known at from
	end      eventstore.Position // known at to
	moment   bool
	findings []Finding
}

// Reading returns what of history a page shows: how many findings, and of whom.
func (a Lawful) Reading(
	ctx context.Context, l Ledger, app ident.AppName, r LawfulRequest,
) (domain.DataAccessed, error) {
	q, err := r.parse()
	if err != nil {
		return domain.DataAccessed{}, err
	}
	x := wire.AccessOf(r.Accessor, domain.AccessReplay)
	x.From, x.To, x.Records = q.from, q.q.At, len(a.Findings)
	if r.Subject != "" {
		x.Subject, _, err = l.Pseudonym(ctx, app, q.who)
	}
	return x, err
}

// LawfulOf answers r. It goes over the log once and has one person at a time in
// memory.
func LawfulOf(ctx context.Context, ledger Ledger, app ident.AppName, r LawfulRequest) (Lawful, error) {
	l, err := r.parse()
	if err != nil {
		return Lawful{}, err
	}
	if err := l.isPast(ledger.Now()); err != nil {
		return Lawful{}, err
	}

	p, err := ledger.Past(ctx, app)
	if err != nil {
		return Lawful{}, err
	}
	if l.begin, err = ledger.KnownAt(ctx, l.from); err != nil {
		return Lawful{}, err
	}
	if l.end, err = ledger.KnownAt(ctx, l.q.At); err != nil {
		return Lawful{}, err
	}
	if err := ledger.Place(l.place.Now); err != nil {
		return Lawful{}, err
	}

	if l.place.Now == 0 {
		if l.place.Now, err = ledger.Head(ctx); err != nil {
			return Lawful{}, err
		}
	}

	now, err := p.Reference(ctx, l.place.Now)
	if err != nil {
		return Lawful{}, err
	}
	if err := query.CheckPurpose(now.Policies, l.q.Purpose); err != nil {
		return Lawful{}, err // no findings would be a good word for a misspelt name
	}

	a := Lawful{App: string(app), Purpose: r.Purpose, Action: l.q.Action.String(),
		Now: wire.FormatPosition(l.place.Now), Findings: []Finding{},
		From: Moment{l.from.String(), wire.FormatPosition(l.begin)}, To: Moment{l.to.String(),
			wire.FormatPosition(l.end)}}
	if a.Nobody, _, err = (person{p, ""}).stand(ctx, l.q, l.end); err != nil {
		return Lawful{}, err
	}

	only := ""
	if r.Subject != "" {
		var known bool
		if only, known, err = ledger.Pseudonym(ctx, app, l.who); err != nil || !known {
			return a, err
		}
	}

	for e, err := range p.Log(ctx, only, l.place.After, l.place.Now) {
		if err != nil {
			return Lawful{}, err
		}
		if len(l.findings) == l.limit {
			a.Next = r.next(l.place)
			break
		}
		if err := l.look(ctx, person{p, e.Stream.ID}, e); err != nil {
			return Lawful{}, fmt.Errorf("record %d: %w", e.Position, err)
		}
		l.place.After = e.Position
	}

	a.Findings = append(a.Findings, l.findings...)
	return a, nil
}

// isPast refuses a span that has not all come, see [query.HasCome].
func (l *lawful) isPast(now deadline.Instant) (err error) {
	first, last := "from", "to"
	if l.moment {
		first, last = "at", "at"
	}
	if l.from, err = query.HasCome(first, l.from, now); err != nil {
		return err
	}
	l.to, err = query.HasCome(last, l.to, now)
	l.q.At = l.to
	return err
}

// look finds what an entry is about: a person at their first record, an answer
// where it was recorded.
func (l *lawful) look(ctx context.Context, p person, e codec.Entry) error {
	if e.Stream.Noun == ident.SubjectNoun && e.Revision == 1 {
		return l.lookAtPerson(ctx, p)
	}
	x, ok := e.Event.(domain.CheckAnswered)
	if ok && x.Purpose == l.q.Purpose && x.Action == l.q.Action && l.from <= x.Valid && x.Valid <= l.q.At {
		return l.lookAtAnswer(ctx, p, e, x)
	}
	return nil
}

func (l *lawful) lookAtPerson(ctx context.Context, p person) error {
	q := l.q
	q.At = l.from
	stood, _, err := p.stand(ctx, q, l.begin)
	if err != nil {
		return err
	}

	f := Finding{Person: p.pseudonym, Stood: stood}
	last := stood
	if !l.moment {
		if f.Changes, last, err = l.changes(ctx, p, stood); err != nil {
			return err
		}
	}

	later, now, err := p.later(ctx, l.q, last, l.end, l.place.Now)
	if err != nil {
		return err
	}

	f.Later, f.Test = later, now.IsTest()
	if speaks(stood) || len(f.Changes) > 0 || later != nil {
		l.findings = append(l.findings, f)
	}
	return nil
}

// speaks reports whether an answer is about this person more than about anybody.
func speaks(s Stand) bool {
	return s.Status != domain.NeverAsked.String() || s.Short != "" || s.Ground != nil || len(s.Events) > 0
}

// changes returns what changed in the span, by time alone and by what became
// known, and how it was at the end.
func (l *lawful) changes(ctx context.Context, p person, stood Stand) ([]StandChange, Stand, error) {
	var all []StandChange
	last, known := stood, l.begin
	note := func(at deadline.Instant, upTo eventstore.Position, by *ChangingEvent) error {
		q := l.q
		q.At = at
		now, _, err := p.stand(ctx, q, upTo)
		if err == nil && !now.same(last) {
			all = append(all, StandChange{by, now})
			last = now
		}
		return err
	}

	for e, err := range p.Changes(ctx, p.pseudonym, l.begin, l.end) {
		if err != nil {
			return nil, last, err
		}
		at, by := max(l.from, e.Recorded), eventOf(e)
		if err := note(at, known, nil); err != nil {
			return nil, last, err
		}
		if err := note(at, e.Position, &by); err != nil {
			return nil, last, err
		}
		known = e.Position
	}

	err := note(l.q.At, l.end, nil)
	return all, last, err
}

// later returns what is known now and was not then, of the same moment; nil if
// it says the same.
func (p person) later(
	ctx context.Context, q domain.Question, then Stand, known, now eventstore.Position,
) (*Later, domain.Subject, error) {
	stood, s, err := p.stand(ctx, q, now)
	if err != nil || stood.same(then) {
		return nil, s, err
	}

	later := &Later{Stood: stood, By: []ChangingEvent{}}
	last := then
	for e, err := range p.Changes(ctx, p.pseudonym, known, now) {
		if err != nil {
			return nil, s, err
		}
		next, _, err := p.stand(ctx, q, e.Position)
		if err != nil {
			return nil, s, err
		}
		if !next.same(last) {
			later.By = append(later.By, eventOf(e))
		}
		last = next
	}
	return later, s, nil
}

func (l *lawful) lookAtAnswer(ctx context.Context, p person, e codec.Entry, x domain.CheckAnswered) error {
	q := domain.Question{Purpose: x.Purpose, Action: x.Action, At: x.Valid, Category: x.Category,
		Recipient: x.Recipient}
	stood, _, err := p.stand(ctx, q, e.Position)
	if err != nil {
		return err
	}

	later, now, err := p.later(ctx, q, stood, e.Position, l.place.Now)
	if err != nil {
		return err
	}

	a := Answered{
		EventID: e.ID.String(), Recorded: e.Recorded.String(), ValidAt: x.Valid.String(), AskedBy: e.RecordedBy,
		Allowed: x.Allowed, Status: x.Status.String(), Why: string(x.Why),
		Version: hash(x.Version), Events: []string{}, Category: string(x.Category), Recipient: string(x.Recipient),
	}
	if x.Basis != 0 {
		a.Basis = x.Basis.String()
	}

	for _, id := range x.Because {
		a.Events = append(a.Events, eventstore.EventID(id).String())
	}

	f := Finding{Person: p.pseudonym, Test: now.IsTest(), Answer: &a, Stood: stood, Later: later}
	if x.Allowed && x.Basis == policy.BasisConsent {
		f.After = after(stood, later)
	}

	l.findings = append(l.findings, f)
	return nil
}

// after returns the opt-out that counts from before an answer, if one does.
func after(stood Stand, later *Later) *Withdrawn {
	if denied(stood) {
		return &Withdrawn{stood.Events, true}
	}
	if later != nil && denied(later.Stood) {
		return &Withdrawn{later.Stood.Events, false}
	}
	return nil
}

func denied(s Stand) bool {
	switch s.Status {
	case domain.Refused.String(), domain.Withdrawn.String(), domain.AskAgain.String():
		return true
	}
	return false
}
