package past

import (
	"context"
	"encoding/base64"
	"fmt"
	"hash/fnv"

	"consentledger/api/wire"
	"consentledger/domain"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"

	"github.com/go-json-experiment/json"
)

// A LawfulRequest asks whether a processing was lawful: at a moment, or in a
// span, of one person or of everybody.
type LawfulRequest struct {
	Subject string `json:"subject,omitzero" doc:"account:ID, device:ID or ID; absent: everybody"`
	Purpose string `json:"purpose"`
	Action  string `json:"action,omitzero" doc:"collect, use (the default), provide, publish or export"`
	At      string `json:"at,omitzero" format:"date-time" doc:"a moment, instead of a span"`
	From    string `json:"from,omitzero" format:"date-time"`
	To      string `json:"to,omitzero" format:"date-time" doc:"included"`
	Cursor  string `json:"cursor,omitzero" doc:"next of the page before"`
	Limit   int    `json:"limit,omitzero" doc:"at most so many findings on a page, up to 1000; 100 if not said"`
	wire.Reader
}

// Lawful is a page of findings. Nothing in it counts what was not known at its
// time; what was learnt since stands under later.
type Lawful struct {
	App      string    `json:"app"`
	Purpose  string    `json:"purpose"`
	Action   string    `json:"action"`
	From     Moment    `json:"from"`
	To       Moment    `json:"to"`
	Now      string    `json:"now_position" doc:"as far as was looked for what was learnt later"`
	Nobody   Stand     `json:"nobody" doc:"the answer about somebody who never said anything, at the end: the purpose's basis, and the app's own exemptions"`
	Findings []Finding `json:"findings"`
	Next     string    `json:"next,omitzero" doc:"ask again with cursor= this; absent: there is no more"`
}

// A Finding is a person who said something about the purpose, or is exempt, or
// an answer that was given and recorded.
type Finding struct {
	Person  string        `json:"person" doc:"a pseudonym"`
	Test    bool          `json:"test,omitzero" doc:"no person but a test"`
	Answer  *Answered     `json:"answer,omitempty" doc:"an answer that was given and recorded; absent: the finding is where the person stood"`
	Stood   Stand         `json:"stood" doc:"as it was known then: of a span at its beginning, of an answer when it was given"`
	Changes []StandChange `json:"changes,omitempty" doc:"in the span, as they became known"`
	Later   *Later        `json:"later,omitempty" doc:"what was learnt since that says otherwise; it is not counted"`

	After *Withdrawn `json:"after_withdrawal,omitempty" doc:"the answer was yes although a no that counts from before it is known by now"`
}

// An Answered is an answer as it was given.
type Answered struct {
	EventID   string   `json:"event_id"`
	Recorded  string   `json:"recorded" format:"date-time"`
	ValidAt   string   `json:"valid_at" format:"date-time" doc:"the moment that was asked about"`
	AskedBy   string   `json:"asked_by" doc:"the authenticated principal"`
	Allowed   bool     `json:"allowed"`
	Status    string   `json:"status"`
	Why       string   `json:"why"`
	Basis     string   `json:"basis,omitzero"`
	Version   string   `json:"version,omitzero"`
	Events    []string `json:"events"`
	Category  string   `json:"category,omitzero"`
	Recipient string   `json:"recipient,omitzero"`
}

// A StandChange is what an event changed, or time alone: a yes ran out, a version
// began to bind.
type StandChange struct {
	By    *ChangingEvent `json:"by,omitempty" doc:"absent: time alone"`
	Stood Stand          `json:"stood"`
}

// Later is what is known now of then.
type Later struct {
	Stood Stand           `json:"stood"`
	By    []ChangingEvent `json:"by" doc:"the events that came later and changed it"`
}

// Withdrawn is a no that was there before a yes was answered.
type Withdrawn struct {
	Events []string `json:"events"`
	Known  bool     `json:"known_then" doc:"the ledger knew it when it answered"`
}

// ParseLawful reads a [LawfulRequest] from JSON.
func ParseLawful(data []byte) (LawfulRequest, error) {
	var r LawfulRequest
	if err := json.Unmarshal(data, &r, json.RejectUnknownMembers(true)); err != nil {
		return r, malformed(`the question is an object such as {"purpose": "marketing", "at": "2026-03-02T00:00:00Z"}; it has no other members than subject, purpose, action, at, from, to, cursor, limit, reason, why and by`)
	}
	return r, nil
}

// Reading returns what of history a page shows: how many findings, and of whom.
func (a Lawful) Reading(ctx context.Context, l Ledger, app domain.AppName, r LawfulRequest) (domain.DataAccessed, error) {
	q, err := r.parse()
	if err != nil {
		return domain.DataAccessed{}, err
	}
	x := r.Access(domain.AccessReplay)
	x.From, x.To, x.Records = q.from, q.q.At, len(a.Findings)
	if r.Subject != "" {
		x.Subject, _, err = l.Pseudonym(ctx, app, q.who)
	}
	return x, err
}

// Check returns a refusal if r cannot be asked of any ledger. It begins with
// the name of the member that is wrong.
func (r LawfulRequest) Check() error {
	_, err := r.parse()
	return err
}

// A lawful is a question, and how far it came.
type lawful struct {
	q        domain.Question // at the end of the span
	from     domain.Instant
	who      domain.PersonKey
	limit    int
	place    place
	begin    eventstore.Position // known at from
	end      eventstore.Position // known at to
	moment   bool
	findings []Finding
}

// A place is where a page ended, and what was known when the first began.
type place struct {
	After eventstore.Position `json:"a"`
	Now   eventstore.Position `json:"n"`
	Of    string              `json:"o"`
}

// most is how many findings a page has at most.
const most = 1000

func (r LawfulRequest) parse() (l lawful, err error) {
	if r.Subject != "" {
		if l.who, err = domain.ParsePersonKey(r.Subject); err != nil {
			return l, malformed("subject: " + err.Error())
		}
	}
	if l.q.Purpose = domain.PurposeID(r.Purpose); r.Purpose == "" || len(r.Purpose) > 64 {
		return l, malformed("purpose: name one of the policy's, as in marketing")
	}
	if l.q.Action, err = actionOf(r.Action); err != nil {
		return l, err
	}
	switch {
	case (r.At == "") == (r.From == "" && r.To == ""):
		return l, malformed("at: name a moment, or a span by from and to, and not both")
	case r.At != "":
		l.moment = true
		if l.from, err = domain.ParseInstant(r.At); err != nil {
			return l, malformed("at: " + err.Error())
		}
		l.q.At = l.from
	default:
		if l.from, l.q.At, err = span(r.From, r.To); err != nil {
			return l, err
		}
	}
	if l.limit = r.Limit; l.limit == 0 {
		l.limit = 100
	}
	if l.limit < 1 || l.limit > most {
		return l, malformed("limit: is 1 to 1000")
	}
	if r.Cursor == "" {
		return l, nil
	}
	text, err := base64.RawURLEncoding.DecodeString(r.Cursor)
	if err == nil {
		err = json.Unmarshal(text, &l.place, json.RejectUnknownMembers(true))
	}
	if err != nil || l.place.Of != r.sum() {
		return l, malformed("cursor: goes with the question whose page it came with: ask the same, or without it")
	}
	return l, nil
}

// sum sums up what is asked, but for the page.
func (r LawfulRequest) sum() string {
	h := fnv.New64a()
	fmt.Fprintf(h, "%q", []string{r.Subject, r.Purpose, r.Action, r.At, r.From, r.To})
	return fmt.Sprintf("%x", h.Sum64())
}

// LawfulOf answers r. It goes over the log once and has one person at a time in
// memory.
func LawfulOf(ctx context.Context, ledger Ledger, app domain.AppName, r LawfulRequest) (Lawful, error) {
	l, err := r.parse()
	if err != nil {
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
	if l.place.Now == 0 {
		if l.place.Now, err = ledger.Head(ctx); err != nil {
			return Lawful{}, err
		}
	}
	a := Lawful{App: string(app), Purpose: r.Purpose, Action: l.q.Action.String(), Now: position(l.place.Now), Findings: []Finding{},
		From: Moment{l.from.String(), position(l.begin)}, To: Moment{l.q.At.String(), position(l.end)}}
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

func (r LawfulRequest) next(p place) string {
	p.Of = r.sum()
	text, err := json.Marshal(p)
	if err != nil {
		panic("past: a cursor does not make JSON: " + err.Error())
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

// look finds what an entry is about: a person at their first record, an answer
// where it was recorded.
func (l *lawful) look(ctx context.Context, p person, e codec.Entry) error {
	if e.Stream.Noun == domain.SubjectNoun && e.Revision == 1 {
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
	note := func(at domain.Instant, upTo eventstore.Position, by *ChangingEvent) error {
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
func (p person) later(ctx context.Context, q domain.Question, then Stand, known, now eventstore.Position) (*Later, domain.Subject, error) {
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
	q := domain.Question{Purpose: x.Purpose, Action: x.Action, At: x.Valid, Category: x.Category, Recipient: x.Recipient}
	stood, _, err := p.stand(ctx, q, e.Position)
	if err != nil {
		return err
	}
	later, now, err := p.later(ctx, q, stood, e.Position, l.place.Now)
	if err != nil {
		return err
	}
	a := Answered{
		EventID: e.ID.String(), Recorded: e.Recorded.String(), ValidAt: x.Valid.String(), AskedBy: e.RecordedBy, Allowed: x.Allowed, Status: x.Status.String(), Why: string(x.Why),
		Version: hash(x.Version), Events: []string{}, Category: string(x.Category), Recipient: string(x.Recipient),
	}
	if x.Basis != 0 {
		a.Basis = x.Basis.String()
	}
	for _, id := range x.Because {
		a.Events = append(a.Events, eventstore.EventID(id).String())
	}
	f := Finding{Person: p.pseudonym, Test: now.IsTest(), Answer: &a, Stood: stood, Later: later}
	if x.Allowed && x.Basis == domain.BasisConsent {
		f.After = after(stood, later)
	}
	l.findings = append(l.findings, f)
	return nil
}

// after returns the no that counts from before an answer, if one does.
func after(stood Stand, later *Later) *Withdrawn {
	if isNo(stood) {
		return &Withdrawn{stood.Events, true}
	}
	if later != nil && isNo(later.Stood) {
		return &Withdrawn{later.Stood.Events, false}
	}
	return nil
}

func isNo(s Stand) bool {
	switch s.Status {
	case domain.Refused.String(), domain.Withdrawn.String(), domain.AskAgain.String():
		return true
	}
	return false
}
