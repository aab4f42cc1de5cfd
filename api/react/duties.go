package react

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"consentledger/domain"
	"consentledger/eventstore/codec"
)

// learnDuty takes note of what a fact is to obligations: one may be about an
// obligation, meet some, void some, and open others, in this order.
func (r *Reactor) learnDuty(ctx context.Context, e codec.Entry) error {
	a := r.app(e.Stream.App)
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
	case domain.ObligationMoved, domain.ObligationMet, domain.ObligationVoided, domain.ObligationAtRisk, domain.ObligationOverdue:
		r.learnChange(a, e)
		return nil
	case domain.Stepped:
		r.learnDuplicate(a, e, x)
		r.learnReopened(a, e, x)
	case domain.RequestReceived:
		// The reply to the withdrawal is the answer to the request, if one was
		// promised for it.
		if x.Cause != (domain.EventID{}) && !slices.Contains(x.Unpromised, domain.AskWithdraw) {
			person := domain.SubjectStream(e.Stream.App, x.Subject)
			r.voidReplies(a, person, dutyStream(e.Stream.App, x.Cause), "answered-by-request")
		}
	case domain.RecordVoided:
		if err := r.learnMistake(ctx, a, e); err != nil {
			return err
		}
	case domain.SubjectClosed, domain.SubjectReassigned:
		r.voidReplies(a, e.Stream, domain.StreamID{}, "history-ended")
	}
	r.learnBegun(a, e)
	r.meet(a, e)
	err := r.open(ctx, a, e)
	if err == nil {
		err = r.openLinked(ctx, a, e)
	}
	a.keepStep(e)
	a.keepDone(e)
	return err
}

func (a *app) learnPolicy(e codec.Entry, x domain.PolicyPublished) {
	a.policies = a.policies.Evolve(e.Fact())
	for _, d := range x.Document.Duties {
		for _, kind := range d.On {
			a.kinds[kind] = true
		}
		for _, metBy := range d.MetBy {
			kind, _, _ := strings.Cut(metBy, " ")
			a.meets[kind] = true
		}
	}
	for _, p := range x.Document.Purposes {
		if p.KeepAfter != "" {
			a.kinds[p.KeepAfter] = true
		}
	}
}

// dutyStream names the stream of what follows from a fact.
func dutyStream(app domain.AppName, cause domain.EventID) domain.StreamID {
	return domain.ObligationStream(app, hex.EncodeToString(cause[:]))
}

// open lets what a policy promises follow from a fact. The version that was in
// force when it happened binds; if that promised nothing, the one that was when
// the ledger took it: what comes late from before a promise is owed like the rest.
func (r *Reactor) open(ctx context.Context, a *app, e codec.Entry) error {
	kind := e.Kind()
	if !a.kinds[kind] {
		return nil
	}
	if x, ok := e.Event.(domain.PermissionRevoked); ok && len(x.Withdraws) == 0 {
		return nil // it withdrew nothing
	}
	scope := scopeOf(e.Event)
	ended, err := r.ends(ctx, a, e)
	if err != nil {
		return err
	}
	if ended.asked {
		scope = domain.Scope{Purposes: ended.purposes}
	}
	return r.openFor(ctx, a, occasion{e, kind, e.Stream}, scope)
}

// An occasion is a fact from which something may be owed, and the history for which
// it is: its own, or a linked one that it crossed to.
type occasion struct {
	codec.Entry
	kind    string // of the fact
	history domain.StreamID
}

func (o occasion) crossed() bool { return o.history != o.Stream }

// cause names the fact, and to whom it is owed.
func (o occasion) cause() domain.Cause {
	c := causeOf(o.Entry)
	if o.crossed() {
		c.Kind, c.Subject = o.kind, o.history.ID
	}
	return c
}

// stream names the stream of what follows: after the fact, and in a linked history
// after both.
func (o occasion) stream() domain.StreamID {
	if !o.crossed() {
		return dutyStream(o.Stream.App, domain.EventID(o.ID))
	}
	sum := sha256.Sum256([]byte("linked " + o.ID.String() + " " + o.history.ID))
	return dutyStream(o.Stream.App, domain.EventID(sum[:16]))
}

// openFor lets follow what is owed on an occasion that is about a scope. In a linked
// history that is what is to be stopped and deleted, and nothing else.
func (r *Reactor) openFor(ctx context.Context, a *app, e occasion, scope domain.Scope) error {
	kind, fields := e.kind, membersOf(e.Event)
	keeps := kind
	if e.crossed() {
		keeps = "consent.withdrawn" // an order to erase one history is an opt-out to the others
	}
	said := saidOf(e.Event, scope)
	for _, at := range []domain.Instant{min(e.At, e.Recorded), e.Recorded} {
		who, err := r.promisee(ctx, a, e.history, at)
		if err != nil {
			return err
		}
		ref := domain.Reference{Policies: a.policies, Service: a.voids}
		kept := ref.Kept(keeps, said, at)
		ends := ref.Without(scope, kept)
		promises := append(ref.Promises(who, kind, fields, at), ref.Retained(who, kind, scope, at)...)
		for _, p := range promises {
			about, stays := scope, []domain.PurposeID(nil)
			ending := p.Duty.Kind == domain.DutyStop || p.Duty.Kind == domain.DutyDelete
			if e.crossed() && !ending {
				continue
			}
			if p.Purpose == "" && ending {
				about, stays = ends, kept
				if !about.All && len(about.Purposes) == 0 {
					continue // no yes was taken away, or what goes on rests on none
				}
			}
			for _, rule := range p.Rules {
				if !a.begins(kind, p.Duty, rule) {
					continue
				}
				if err := r.openOne(ctx, a, e, p, rule, at, about, stays); err != nil {
					return err
				}
			}
		}
		if len(promises) > 0 {
			return nil
		}
	}
	return nil
}

// An ending is which purposes lost their yes by a fact of which that is to be
// asked: a withdrawal says it itself.
type ending struct {
	asked    bool
	purposes []domain.PurposeID
}

// ends asks the person's history what a fact took away. Of a person who never
// said yes it does not ask.
func (r *Reactor) ends(ctx context.Context, a *app, e codec.Entry) (ending, error) {
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
func (a *app) begins(kind string, d domain.DutyRule, rule domain.DeadlineRule) bool {
	if kind == headcountRecorded {
		return a.heads.cross(d, rule)
	}
	return rule.Persons == 0 || a.heads.still(rule)
}

// promisee returns whose promises bind: that matters only where a version
// reduces rights.
func (r *Reactor) promisee(ctx context.Context, a *app, stream domain.StreamID, at domain.Instant) (domain.Subject, error) {
	if stream.Noun != domain.SubjectNoun || !a.policies.Reduced(at) {
		return domain.Subject{}, nil
	}
	return r.Ledger.Subject(ctx, stream)
}

// openOne lets a duty follow from a fact, on one rule. In an incident it does so
// once: one that is classified anew is the same incident, and what was owed for
// it is owed, or done, already.
func (r *Reactor) openOne(ctx context.Context, a *app, e occasion, p domain.Promise, rule domain.DeadlineRule, at domain.Instant, scope domain.Scope, kept []domain.PurposeID) error {
	if e.Stream.Noun == domain.IncidentNoun && !a.owes(e.Stream.ID, p.Duty.Kind, rule.ID) {
		return nil
	}
	cmd := domain.OpenDuties{Cause: e.cause(), Rule: p.Duty, Start: a.start(e.Entry, p.Duty, rule), Rules: []domain.DeadlineRule{rule}, Policy: p.Version, Keeps: kept}
	cmd.Held = p.Duty.Kind == domain.DutyDelete && a.held[e.history]
	if p.Purpose != "" {
		scope = domain.Scope{Purposes: []domain.PurposeID{p.Purpose}}
	}
	if p.Duty.Each == domain.DutyEachSystem {
		cmd.Target = a.holders.targets(scope, a.policies.Declared(at), a.policies.Recipients(scope, at))
	}
	stream := e.stream()
	o := &opening{wanted: wanted{stream: stream, kind: p.Duty.Kind, rule: rule.ID, metBy: p.Duty.MetBy, place: placeOf(e.history), causeKind: cmd.Cause.Kind}}
	if n, ok := e.Event.(domain.Noted); ok {
		o.about = n.Fields
	}
	if p.Duty.Renews {
		r.renew(a, o, p.Duty.On)
	}
	var err error
	if o.since, err = r.metBefore(ctx, a, e, cmd.Start, o.metBy); err != nil {
		return err
	}
	if a.await(o) {
		id := fmt.Sprintf("duty %s by %s of %s", p.Duty.ID, rule.ID, e.ID)
		r.follow(o.key(), 0, stream, id, 0, cmd)
	}
	return nil
}

// owes remembers what is owed for an incident; it returns false if that was
// known.
func (a *app) owes(incident string, kind domain.DutyKind, rule domain.DeadlineRuleID) bool {
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
func (a *app) voided(o *obligation) {
	if o != nil && o.cause.Noun == domain.IncidentNoun {
		delete(a.owed[o.cause.ID], string(o.kind)+" "+string(o.due.Rule))
	}
}

// start returns when a duty's clock starts. A date that the fact should name
// and does not is none: what is owed has no date yet.
func (a *app) start(e codec.Entry, d domain.DutyRule, rule domain.DeadlineRule) domain.Instant {
	own := min(e.At, e.Recorded)
	switch {
	case d.Start == domain.StartOwn:
		return own
	case d.Start == domain.StartStream, strings.Contains(d.Start, "."):
		if began, ok := a.began[e.Stream.ID][strings.TrimPrefix(d.Start, domain.StartStream)]; ok {
			return began
		}
		return own
	case e.Kind() == headcountRecorded && d.Start == "counted":
		return a.heads.reached(d, rule)
	}
	date, err := domain.ParseDate(member(membersOf(e.Event), d.Start))
	zone, bad := domain.ParseZone(rule.TimeZone)
	if err != nil || bad != nil {
		return 0
	}
	return zone.Midnight(date)
}

// meet lets a fact meet what is open in its place, or shall open there.
func (r *Reactor) meet(a *app, e codec.Entry) {
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
		if domain.MeetsBy(o.metBy, kind, membersOf(e.Event)) {
			o.since = append(o.since, e)
		}
	}
}

func (r *Reactor) meetOne(o *obligation, kind string, e codec.Entry) {
	if !domain.MeetsBy(o.metBy, kind, membersOf(e.Event)) || !fits(membersOf(e.Event), o.target) || kind != o.causeKind && contradicts(e.Event, o.about) {
		return
	}
	if key := o.key("meet"); !r.waiting.has(key) {
		met := max(e.At, e.Recorded)
		if early := min(e.At, e.Recorded); evidenceOf(e.Event) != (domain.Hash{}) && !o.before(early) {
			met = early
		}
		id := fmt.Sprintf("met %s by %s", o.id, e.ID)
		r.follow(key, 0, o.stream, id, met, domain.MeetObligation{ID: o.id, By: causeOf(e), Evidence: evidenceOf(e.Event)})
	}
}

// before reports whether a moment lies before what is owed began, so that no
// evidence shows that it was done then. What a notice announces comes after it,
// and who is told of an incident may be told before it is known for sure.
func (o *obligation) before(at domain.Instant) bool {
	if o.cause.Noun == domain.IncidentNoun {
		return at < o.notBefore
	}
	return !o.backward && at < o.due.Start
}

// voidReplies lets the replies be void that are owed to a person, or will be:
// those in one stream, or all if none is named. Somebody who is there no more
// cannot be replied to; what is to be stopped or deleted stays so.
func (r *Reactor) voidReplies(a *app, person, stream domain.StreamID, reason string) {
	p := a.places[person]
	if p == nil {
		return
	}
	in := func(s domain.StreamID) bool { return s == stream || stream == domain.StreamID{} }
	for _, o := range p.open {
		if in(o.stream) && o.kind == domain.DutyReply {
			r.voidOne(o, reason)
		}
	}
	for _, o := range p.openings {
		if in(o.stream) && o.kind == domain.DutyReply {
			o.void = reason
		}
	}
}

// renew lets what an earlier fact opened by a duty be void, since a later one
// opens it anew: nobody owes the same twice. What is about to be met is not.
func (r *Reactor) renew(a *app, by *opening, on []string) {
	p := a.places[by.place]
	if p == nil {
		return
	}
	for _, o := range p.open {
		if o.stream != by.stream && o.kind == by.kind && o.due.Rule == by.rule && slices.Contains(on, o.causeKind) && !r.waiting.has(o.key("meet")) {
			r.voidOne(o, "renewed")
		}
	}
	for _, o := range p.openings {
		if o.stream != by.stream && o.kind == by.kind && o.rule == by.rule && slices.Contains(on, o.causeKind) && len(o.since) == 0 {
			o.void = "renewed"
		}
	}
}

func (r *Reactor) voidOne(o *obligation, reason string) {
	if key := o.key("void"); !r.waiting.has(key) {
		r.follow(key, 0, o.stream, "void "+o.id+" "+reason, 0, domain.VoidObligation{ID: o.id, Reason: reason})
	}
}

// follow lets a command follow on a stream once it is due. Its id says what it
// follows from and, since a record's id derives from it, in which stream.
func (r *Reactor) follow(key string, due domain.Instant, stream domain.StreamID, id string, at domain.Instant, cmd domain.Command) {
	r.waiting.add(key, due, stream, func(ctx context.Context) error {
		_, err := r.Ledger.ExecuteOn(ctx, stream, request(stream.App, id+" in "+stream.String(), at, cmd))
		return err
	})
}
