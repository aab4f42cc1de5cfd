package followup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"consentledger/domain"
	"consentledger/domain/catalog"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/obligation"
	"consentledger/domain/policy"
	"consentledger/domain/request"
	"consentledger/eventstore/codec"
)

// learnDuty takes note of what a fact is to obligations: one may be about an
// obligation, meet some, void some, and open others, in this order.
func (r *Process) learnDuty(ctx context.Context, e codec.Entry) error {
	a := r.app(e.Stream.App)
	if err := r.fetch(ctx, a, e); err != nil {
		return err
	}

	switch x := e.Event.(type) {
	case domain.CheckAnswered:
		return nil
	case domain.ConsentGiven:
		a.agreed[e.Stream.ID] = struct{}{}
	case domain.HoldPlaced, domain.HoldReleased:
		r.learnHold(a, e)
	case domain.ObligationOpened:
		r.learnOpened(a, e, x)
		return nil
	case domain.ObligationMoved, domain.ObligationMet, domain.ObligationVoided, domain.ObligationAtRisk,
		domain.ObligationOverdue:
		r.learnChange(a, e)
		return nil
	case domain.Stepped:
		r.learnDuplicate(a, e, x)
		r.learnReopened(a, e, x)
	case domain.RequestReceived:
		// The reply to the withdrawal is the answer to the request, if one was
		// promised for it.
		if x.Cause != (ident.EventID{}) && !slices.Contains(x.Unpromised, request.Withdraw) {
			person := ident.SubjectStream(e.Stream.App, x.Subject)
			r.voidReplies(a, person, x.Cause, "answered-by-request")
		}
	case domain.RecordVoided:
		if err := r.learnMistake(ctx, a, e); err != nil {
			return err
		}
	case domain.SubjectClosed, domain.SubjectReassigned:
		r.voidReplies(a, e.Stream, ident.EventID{}, "history-ended")
	}

	r.learnBegun(a, e)
	r.meet(a, e)
	err := r.openOwed(ctx, a, e)
	if err == nil {
		err = r.openLinked(ctx, a, e)
	}

	a.keepStep(e)
	a.keepDone(e)
	return err
}

// fetch brings to hand what a fact may be to: what is open in its stream, if it says what
// became of that, and what is open in its place, if it may meet, void or stop any of it.
func (r *Process) fetch(ctx context.Context, a *app, e codec.Entry) error {
	switch x := e.Event.(type) {
	case domain.ObligationOpened, domain.ObligationMoved, domain.ObligationMet, domain.ObligationVoided,
		domain.ObligationAtRisk, domain.ObligationOverdue:
		return r.fetchStream(ctx, a, e.Stream)
	case domain.RequestReceived:
		if x.Cause != (ident.EventID{}) {
			if err := r.fetchPlace(ctx, a, ident.SubjectStream(e.Stream.App, x.Subject)); err != nil {
				return err
			}
		}
	case domain.SubjectClosed, domain.SubjectReassigned, domain.HoldPlaced, domain.HoldReleased:
		return r.fetchPlace(ctx, a, placeOf(e.Stream))
	}

	// What meets nothing by any version finds nothing there, and most facts do not.
	if e.Stream.Noun == ident.IncidentNoun || a.meets[e.Kind()] && domain.Meets(e.Event) {
		return r.fetchPlace(ctx, a, placeOf(e.Stream))
	}
	return nil
}

func (a *app) learnPolicy(e codec.Entry, x domain.PolicyPublished) {
	a.policies = a.policies.Evolve(e.Fact())
	for _, d := range x.Document.Duties {
		for _, metBy := range d.MetBy {
			kind, _, _ := strings.Cut(metBy, " ")
			a.meets[kind] = true
		}
	}
}

// reference is what the log has of an app so far.
func (a *app) reference() domain.Reference {
	return domain.Reference{Policies: a.policies, Service: a.service}
}

// dutyStream names the stream of what follows from a fact.
func dutyStream(app ident.AppName, cause ident.EventID) ident.StreamID {
	return ident.ObligationStream(app, hex.EncodeToString(cause[:]))
}

// openOwed takes note of what a fact says is owed since. Of one that does not say so,
// what is owed is recorded.
func (r *Process) openOwed(ctx context.Context, a *app, e codec.Entry) error {
	if e.Stream.Noun != ident.SubjectNoun || !domain.SaysOwed(e.Rules) {
		return r.open(ctx, a, e)
	}

	for _, o := range e.Owed() {
		if err := r.fetchStream(ctx, a, o.Stream); err != nil {
			return err
		}
		switch x := o.Event.(type) {
		case domain.ObligationOpened:
			if err := r.learnSaid(ctx, a, e, o, x); err != nil {
				return err
			}
		default:
			r.learnChange(a, o)
		}
	}
	return nil
}

// learnSaid takes note of an obligation that the fact itself says, from which it
// follows: what an earlier one opened may be void since, and it may be met already.
func (r *Process) learnSaid(ctx context.Context, a *app, e, o codec.Entry, x domain.ObligationOpened) error {
	opened := &opening{wanted: wanted{
		stream: o.Stream,
		since:  ident.EventID(e.ID),
		kind:   x.Obligation.Kind,
		rule:   x.Obligation.Rule.ID,
		metBy:  x.Obligation.MetBy,
		place:  placeOf(e.Stream),
	}}
	if n, ok := e.Event.(domain.Noted); ok {
		opened.about = n.Fields
	}
	if d, ok := a.dutyOf(x.Obligation, x.Cause.Kind); ok && d.Renews {
		if err := r.renew(ctx, a, opened, d.On); err != nil {
			return err
		}
	}

	var err error
	if opened.facts, err = r.metBefore(ctx, a, occasion{e, e.Kind(), e.Stream}, x.Due.Start, opened.metBy); err != nil {
		return err
	}

	r.learnOpened(a, o, x)
	r.meetBefore(a.find(o.Stream, x.Obligation.ID), opened)
	return nil
}

// dutyOf returns the duty of a policy that opened an obligation.
func (a *app) dutyOf(x obligation.Obligation, kind string) (policy.DutyRule, bool) {
	v, _ := a.policies.Version(x.Version)
	i := slices.IndexFunc(v.Document.Duties, func(d policy.DutyRule) bool {
		return d.Kind == x.Kind && slices.Contains(d.Rules, x.Rule.ID) && slices.Contains(d.On, kind)
	})
	if i < 0 {
		return policy.DutyRule{}, false
	}
	return v.Document.Duties[i], true
}

// open lets what a policy promises follow from a fact. The version that was in
// force when it happened binds; if that promised nothing, the one that was when
// the ledger took it: what comes late from before a promise is owed like the rest.
func (r *Process) open(ctx context.Context, a *app, e codec.Entry) error {
	kind := e.Kind()
	if !a.policies.Open(kind) {
		return nil
	}
	if x, ok := e.Event.(domain.PermissionRevoked); ok && len(x.Withdraws) == 0 {
		return nil // it withdrew nothing
	}

	scope := domain.ScopeOf(e.Event)
	ended, err := r.ends(ctx, a, e)
	if err != nil {
		return err
	}
	if ended.asked {
		scope = policy.Scope{Purposes: ended.purposes}
	}
	return r.openFor(ctx, a, occasion{e, kind, e.Stream}, scope)
}

// An occasion is a fact from which something may be owed, and the history for which
// it is: its own, or a linked one that it crossed to.
type occasion struct {
	codec.Entry
	kind    string // of the fact
	history ident.StreamID
}

func (o occasion) crossed() bool { return o.history != o.Stream }

// cause names the fact, and to whom it is owed.
func (o occasion) cause() obligation.Cause {
	c := causeOf(o.Entry)
	if o.crossed() {
		c.Kind, c.Subject = o.kind, o.history.ID
	}
	return c
}

// stream names the stream of what follows: after the fact, and in a linked history
// after both.
func (o occasion) stream() ident.StreamID {
	if !o.crossed() {
		return dutyStream(o.Stream.App, ident.EventID(o.ID))
	}
	sum := sha256.Sum256([]byte("linked " + o.ID.String() + " " + o.history.ID))
	return dutyStream(o.Stream.App, ident.EventID(sum[:16]))
}

// openFor lets follow what is owed on an occasion that is about a scope.
func (r *Process) openFor(ctx context.Context, a *app, e occasion, scope policy.Scope) error {
	o := domain.Occasion{Kind: e.kind, Event: e.Event, Scope: scope, Crossed: e.crossed()}
	for _, at := range []deadline.Instant{min(e.At, e.Recorded), e.Recorded} {
		who, err := r.promisee(ctx, a, e.history, at)
		if err != nil {
			return err
		}
		owed, promised := a.reference().Owed(o, who, at)
		for _, x := range owed {
			if !a.begins(e.kind, x.Duty, x.Rule) {
				continue
			}
			if err := r.openOne(ctx, a, e, x, at); err != nil {
				return err
			}
		}
		if promised {
			return nil
		}
	}
	return nil
}

// An ending is which purposes lost their grant by a fact of which that is to be
// asked: a withdrawal says it itself.
type ending struct {
	asked    bool
	purposes []policy.PurposeID
}

// ends asks the person's history what a fact took away. Of a person who never
// granted anything it does not ask.
func (r *Process) ends(ctx context.Context, a *app, e codec.Entry) (ending, error) {
	switch e.Event.(type) {
	case domain.ConsentRefused, domain.RecordVoided, domain.AgeRecorded:
	default:
		return ending{}, nil
	}
	if _, agreed := a.agreed[e.Stream.ID]; !agreed {
		return ending{asked: true}, nil
	}
	who, err := r.Ledger.Subject(ctx, e.Stream)
	return ending{true, who.Ends(e.Fact())}, err
}

// begins reports whether the rule of a duty begins with a fact of a kind, as
// far as it wants a number of persons.
func (a *app) begins(kind string, d policy.DutyRule, rule deadline.Rule) bool {
	if kind == string(catalog.HeadcountRecorded) {
		return a.reach(d, rule)
	}
	return a.service.Register.Counts(rule)
}

// reach reports whether a count of persons opens a duty: the first one does that
// reaches its rule's number. Those that come later open nothing.
func (a *app) reach(d policy.DutyRule, rule deadline.Rule) bool {
	key := d.ID + " " + string(rule.ID)
	if a.reached[key] || a.service.Register.Reached(d, rule) == 0 {
		return false
	}
	a.reached[key] = true
	return true
}

// promisee returns whose promises bind: that matters only where a version
// reduces rights.
func (r *Process) promisee(
	ctx context.Context, a *app, stream ident.StreamID, at deadline.Instant,
) (domain.Subject, error) {
	if stream.Noun != ident.SubjectNoun || !a.policies.Reduced(at) {
		return domain.Subject{}, nil
	}
	return r.Ledger.Subject(ctx, stream)
}

// openOne lets a duty follow from a fact, on one rule. In an incident it does so
// once: one that is classified anew is the same incident, and what was owed for
// it is owed, or done, already.
func (r *Process) openOne(ctx context.Context, a *app, e occasion, x domain.Owed, at deadline.Instant) error {
	if e.Stream.Noun == ident.IncidentNoun && !a.owes(e.Stream.ID, x.Duty.Kind, x.Rule.ID) {
		return nil
	}

	cmd := domain.OpenDuties{
		Cause:  e.cause(),
		Rule:   x.Duty,
		Start:  a.start(e.Entry, x.Duty, x.Rule),
		Rules:  []deadline.Rule{x.Rule},
		Policy: x.Version,
		Keeps:  x.Keeps,
	}
	cmd.Held = x.Duty.Kind == policy.DutyDelete && a.held[e.history]
	if x.Duty.Each == policy.DutyEachSystem {
		cmd.Target = a.reference().Targets(x.Scope, at)
	}

	stream := e.stream()
	o := &opening{wanted: wanted{
		stream:    stream,
		since:     ident.EventID(e.ID),
		kind:      x.Duty.Kind,
		rule:      x.Rule.ID,
		metBy:     x.Duty.MetBy,
		place:     placeOf(e.history),
		causeKind: cmd.Cause.Kind,
	}}
	if n, ok := e.Event.(domain.Noted); ok {
		o.about = n.Fields
	}
	if x.Duty.Renews {
		if err := r.renew(ctx, a, o, x.Duty.On); err != nil {
			return err
		}
	}

	var err error
	if o.facts, err = r.metBefore(ctx, a, e, cmd.Start, o.metBy); err != nil {
		return err
	}

	if a.await(o) {
		id := fmt.Sprintf("duty %s by %s of %s", x.Duty.ID, x.Rule.ID, e.ID)
		r.follow(o.key(), 0, stream, id, 0, cmd)
	}
	return nil
}

// owes remembers what is owed for an incident; it returns false if that was
// known.
func (a *app) owes(incident string, kind policy.DutyKind, rule deadline.RuleID) bool {
	owed, key := a.owedFor(incident), string(kind)+" "+string(rule)
	was := owed[key]
	owed[key] = true
	return !was
}

func (a *app) owedFor(incident string) map[string]bool {
	if a.owed[incident] == nil {
		a.owed[incident] = map[string]bool{}
	}
	return a.owed[incident]
}

// voided forgets that what became void was owed for an incident: should it be
// found to be owed after all, it opens again.
func (a *app) voided(o *openDuty) {
	if o != nil && o.cause.Noun == ident.IncidentNoun {
		delete(a.owed[o.cause.ID], string(o.kind)+" "+string(o.due.Rule))
	}
}

// start returns when a duty's clock starts.
func (a *app) start(e codec.Entry, d policy.DutyRule, rule deadline.Rule) deadline.Instant {
	if d.Start == policy.StartStream || strings.Contains(d.Start, ".") {
		if began, ok := a.began[e.Stream.ID][strings.TrimPrefix(d.Start, policy.StartStream)]; ok {
			return began
		}
	}
	if e.Kind() == string(catalog.HeadcountRecorded) && d.Start == "counted" {
		return a.service.Register.Reached(d, rule)
	}
	return domain.StartsAt(d, e.Fact(), rule)
}

// meet lets a fact meet what is open in its place, or shall open there.
func (r *Process) meet(a *app, e codec.Entry) {
	p := a.places[placeOf(e.Stream)]
	if p == nil {
		return
	}

	kind := e.Kind()
	if !domain.Meets(e.Event) {
		return
	}

	for _, o := range p.open {
		r.meetOne(o, kind, e)
	}

	for _, o := range p.openings {
		if policy.MeetsBy(o.metBy, kind, domain.Members(e.Event)) {
			o.facts = append(o.facts, e)
		}
	}
}

func (r *Process) meetOne(o *openDuty, kind string, e codec.Entry) {
	members := domain.Members(e.Event)
	if !policy.MeetsBy(o.metBy, kind, members) || !domain.IsOf(o.target, members) {
		return
	}
	if n, noted := e.Event.(domain.Noted); noted && kind != o.causeKind && n.Contradicts(o.about) {
		return
	}

	if key := o.key("meet"); !r.waiting.has(key) {
		met := max(e.At, e.Recorded)
		if early := min(e.At, e.Recorded); domain.EvidenceOf(e.Event) != (content.Hash{}) && !o.before(early) {
			met = early
		}
		id := fmt.Sprintf("met %s by %s", o.id, e.ID)
		r.follow(key, 0, o.stream, id, met, domain.MeetObligation{
			ID:       o.id,
			By:       causeOf(e),
			Evidence: domain.EvidenceOf(e.Event),
		})
	}
}

// before reports whether a moment lies before what is owed began, so that no
// evidence shows that it was done then. What a notice announces comes after it,
// and who is told of an incident may be told before it is known for sure.
func (o *openDuty) before(at deadline.Instant) bool {
	if o.cause.Noun == ident.IncidentNoun {
		return at < o.notBefore
	}
	return !o.backward && at < o.due.Start
}

// voidReplies lets the replies be void that are owed to a person, or will be:
// those since one fact, or all if none is named. Somebody who is there no more
// cannot be replied to; what is to be stopped or deleted stays so.
func (r *Process) voidReplies(a *app, person ident.StreamID, since ident.EventID, reason string) {
	p := a.places[person]
	if p == nil {
		return
	}

	meant := func(fact ident.EventID) bool { return fact == since || since == ident.EventID{} }
	for _, o := range p.open {
		if meant(o.since) && o.kind == policy.DutyReply {
			r.voidOne(o, reason)
		}
	}

	for _, o := range p.openings {
		if meant(o.since) && o.kind == policy.DutyReply {
			o.void = reason
		}
	}
}

// renew lets what an earlier fact opened by a duty be void, since a later one
// opens it anew: nobody owes the same twice. What is about to be met is not.
func (r *Process) renew(ctx context.Context, a *app, by *opening, on []string) error {
	if err := r.fetchPlace(ctx, a, by.place); err != nil {
		return err
	}
	p := a.places[by.place]
	if p == nil {
		return nil
	}

	for _, o := range p.open {
		if o.stream != by.stream && o.kind == by.kind && o.due.Rule == by.rule && slices.Contains(on, o.causeKind) &&
			!r.waiting.has(o.key("meet")) {
			r.voidOne(o, "renewed")
		}
	}

	for _, o := range p.openings {
		if o.stream != by.stream && o.kind == by.kind && o.rule == by.rule && slices.Contains(on, o.causeKind) &&
			len(o.facts) == 0 {
			o.void = "renewed"
		}
	}
	return nil
}

func (r *Process) voidOne(o *openDuty, reason string) {
	if key := o.key("void"); !r.waiting.has(key) {
		r.follow(key, 0, o.stream, "void "+o.id+" "+reason, 0, domain.VoidObligation{ID: o.id, Reason: reason})
	}
}

// follow lets a command follow on a stream once it is due. Its id says what it
// follows from and, since a record's id derives from it, in which stream.
func (r *Process) follow(
	key string, due deadline.Instant, stream ident.StreamID, id string, at deadline.Instant, cmd domain.Command,
) {
	r.waiting.add(key, due, stream, func(ctx context.Context) error { return r.followNow(ctx, stream, id, at, cmd) })
}

// followNow executes what follows.
func (r *Process) followNow(
	ctx context.Context, stream ident.StreamID, id string, at deadline.Instant, cmd domain.Command,
) error {
	_, err := r.Ledger.ExecuteOn(ctx, stream, requestFor(stream.App, id+" in "+stream.String(), at, cmd))
	return err
}

// causeOf names a fact that something follows from.
func causeOf(e codec.Entry) obligation.Cause {
	c := obligation.Cause{Event: ident.EventID(e.ID), Kind: e.Kind(), Stream: e.Stream.String()}
	switch x := e.Event.(type) {
	case domain.RequestReceived:
		c.Subject = x.Subject
	default:
		if e.Stream.Noun == ident.SubjectNoun {
			c.Subject = e.Stream.ID
		}
	}
	return c
}
