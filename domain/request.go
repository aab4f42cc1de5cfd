package domain

import (
	"slices"
	"strings"
)

// A RequestType is what a person asks for.
type RequestType uint8

const (
	AskAccess RequestType = iota + 1
	AskCopy
	AskPortability
	AskCorrect
	AskComplete
	AskDelete
	AskCancelAccount
	AskWithdraw
	AskRestrict
	AskRefuse // processing, or a decision made by a machine
	AskExplanation
	AskComplaint // or a report of something wrong
	AskQuestion
	AskGuardian  // a guardian asks for a child
	AskRelative  // of somebody who died
	AskAuthority // an authority asks
)

var requestTypes = codes{"", "access", "copy", "portability", "correct", "complete", "delete", "cancel-account", "withdraw", "restrict", "refuse",
	"explanation", "complaint", "question", "guardian", "relative", "authority"}

func (t RequestType) String() string { return requestTypes.name(uint8(t)) }

// ParseRequestType reads what [RequestType.String] writes.
func ParseRequestType(s string) (RequestType, error) {
	return parseCode[RequestType](s, requestTypes, "a type of request")
}

// RequestTypes returns every type.
func RequestTypes() []RequestType {
	var all []RequestType
	for t := AskAccess; t <= AskAuthority; t++ {
		all = append(all, t)
	}
	return all
}

// Right returns the right of a policy that a type of request uses.
func (t RequestType) Right() RightID {
	switch t {
	case AskWithdraw:
		return "withdraw-consent"
	case AskExplanation:
		return "explain-decision"
	case AskComplaint:
		return "complain"
	case AskQuestion:
		return "contact"
	}
	return RightID(t.String())
}

// OpenRequest asks to take in a request. One message may ask for several
// things: every type opens its clocks.
type OpenRequest struct {
	Types         []RequestType
	Policy        string
	Channel       ChannelID // of the policy's, or "app"
	Authenticated bool      // whoever asks was logged in: their identity is known
	Purposes      []PurposeID
	Text          Personal    // the person's words
	Document      Hash        // a letter, a form
	Cause         EventID     // the withdrawal that came with it; the ledger fills it in
	Subject       string      // the person's pseudonym; the ledger fills it in
	Guardian      GuardianRef // who asks for the person; empty: the person, or somebody who is no guardian
}

func (OpenRequest) isCommand() {}

// RequestReceived records a request.
type RequestReceived struct {
	Types         []RequestType
	Policy        string
	Version       Hash // whose promises bind: see [Policies.Promised]
	Channel       ChannelID
	Authenticated bool
	Purposes      []PurposeID
	Subject       string // the pseudonym of who asks; empty: nobody that we know
	Text          Personal
	Document      Hash
	Cause         EventID // the withdrawal that came with it; zero: none
	Unpromised    []RequestType
	Guardian      GuardianRef // who asks for the person
}

func (RequestReceived) isEvent() {}

// RequestMade records in a person's own history that they asked for something,
// and which stream tells of it.
type RequestMade struct {
	Request string // the id of its stream
	Types   []RequestType
}

func (RequestMade) isEvent() {}

// made is a RequestMade and when it counts from.
type made struct {
	RequestMade
	at Instant
}

// Requests returns the ids of the streams of the person's requests, in the
// order in which the ledger took them.
func (s Subject) Requests() []string {
	var ids []string
	for _, m := range s.requests {
		ids = append(ids, m.Request)
	}
	return ids
}

// RepeatWindow is how long a request is remembered as an earlier one for the
// same: a fee may be asked for those that repeat it (VII(III): "beyond the
// reasonable limit", which the policy does not say).
const RepeatWindow = 90 * Day

// repeats returns how many earlier requests of the person asked for one of the
// same things within [RepeatWindow].
func (s Subject) repeats(types []RequestType, at Instant) int {
	n := 0
	for _, m := range s.requests {
		same := slices.ContainsFunc(m.Types, func(t RequestType) bool { return slices.Contains(types, t) })
		if same && m.at < at && at-m.at <= Instant(RepeatWindow) {
			n++
		}
	}
	return n
}

// A Request is what a person asked for, and what became of it. The zero Request
// was not received.
type Request struct {
	Received RequestReceived
	At       Instant
	Recorded Instant
	Marks    Marks
	Done     []RequestType // answered or rejected
	Outcome  StepKind      // the step that closed it; empty: open
	Duties   Duties
	rounds   int    // how often it was opened
	fee      string // that was quoted
}

// Evolve returns r as it is after f.
func (r Request) Evolve(f Fact) Request {
	if duties, ok := r.Duties.Evolve(f); ok {
		r.Duties = duties
		return r
	}
	switch e := f.Event.(type) {
	case RequestReceived:
		r.Received, r.At, r.Recorded, r.Marks, r.rounds = e, f.noFrom(), f.Recorded, e.marks(), 1
	case Stepped:
		return r.step(e)
	default:
		unknownEvent(e, "Request")
	}
	return r
}

func (e RequestReceived) marks() Marks {
	m := Marks{"open"}
	if e.Authenticated {
		m = append(m, "identity-known")
	}
	if slices.Contains(e.Types, AskComplaint) {
		m = append(m, "complaint")
	}
	return m
}

func (r Request) step(e Stepped) Request {
	rule, _ := StepRuleOf(e.Kind)
	r.Marks = r.Marks.after(rule)
	switch {
	case rule.Closes:
		r.Done = slices.Concat(r.Done, typesOf(e.Fields, r.left()))
		if len(r.left()) == 0 {
			r.Marks, r.Outcome = r.Marks.after(StepRule{Clears: []string{"open"}}), e.Kind
		}
	case rule.Voids:
		r.Outcome = e.Kind
	case e.Kind == "fee.quoted":
		r.fee = e.Field("amount")
	case e.Kind == "request.reopened":
		r.Done, r.Outcome = nil, ""
		r.rounds++
	}
	return r
}

// left returns the types that have no answer yet.
func (r Request) left() []RequestType {
	return slices.DeleteFunc(slices.Clone(r.Received.Types), func(t RequestType) bool { return slices.Contains(r.Done, t) })
}

// typesOf returns the types that a step names; those that are left if it names
// none.
func typesOf(fields []Field, left []RequestType) []RequestType {
	names := fieldOf(fields, "types")
	if names == "" {
		return left
	}
	var types []RequestType
	for _, name := range strings.Split(names, ",") {
		if t, err := ParseRequestType(name); err == nil {
			types = append(types, t)
		}
	}
	return types
}

// Decide answers cmd with the facts that it makes true. At is when it
// happened, as its source says; recorded is the ledger's time. What runs
// against the handler counts from the earlier of the two, what speaks for the
// handler from the later.
func (r Request) Decide(cmd Command, ref Reference, at, recorded Instant) ([]Event, error) {
	switch cmd := cmd.(type) {
	case OpenRequest:
		return r.receive(cmd, ref, min(at, recorded), recorded)
	case TakeStep:
		return r.take(cmd, ref, at, recorded)
	}
	return r.Duties.Decide(cmd, ref, at, recorded)
}

func (r Request) receive(cmd OpenRequest, ref Reference, at, recorded Instant) ([]Event, error) {
	if r.Recorded != 0 {
		return nil, refuse(IllegalMove, "the request was received before")
	}
	if len(cmd.Types) == 0 {
		return nil, refuseAt(NothingNamed, "data.types", "say what is asked for: "+strings.Join(requestTypes[1:], ", "))
	}
	if !isName(string(cmd.Channel), 64) {
		return nil, refuseAt(Incomplete, "data.channel", `say by which channel it came: a name of 1 to 64 of a-z, 0-9 and "-"`)
	}
	if cmd.Subject == "" && cmd.Text != "" {
		return nil, refuseAt(Malformed, "data.text", "of nobody that is known there is nobody's vault to seal a text in: keep the letter as a document and name its hash")
	}
	v, ok := ref.Promised(ref.Person, cmd.Policy, at)
	if !ok { // what comes late from before a promise is owed like the rest
		v, ok = ref.Promised(ref.Person, cmd.Policy, recorded)
	}
	if !ok {
		return nil, cmd.unpromised()
	}
	e := RequestReceived{
		Types: cmd.Types, Policy: v.Document.Name, Version: v.Version, Channel: cmd.Channel, Authenticated: cmd.Authenticated,
		Purposes: ref.shown(cmd.Purposes), Subject: cmd.Subject, Text: cmd.Text, Document: cmd.Document, Cause: cmd.Cause, Guardian: cmd.Guardian,
	}
	for _, t := range cmd.Types {
		if len(v.Document.deadlines(t)) == 0 {
			e.Unpromised = append(e.Unpromised, t)
		}
	}
	opened, err := e.open(v.Document, "", at, ref)
	events := append([]Event{e}, opened...)
	if n := ref.Person.repeats(cmd.Types, at); n > 0 {
		events = append(events, Stepped{Kind: "request.repeated", Fields: Fields(map[string]string{"times": itoa(n), "days": itoa(int(RepeatWindow / Day))})})
	}
	return events, err
}

// unpromised says that no policy promises a reply, and that a no was kept all
// the same.
func (cmd OpenRequest) unpromised() error {
	text := "the app has no policy in force: no promise says by when to reply"
	if cmd.Cause != (EventID{}) {
		text += "; the withdrawal that is in it was recorded"
	}
	return refuse(NoPolicy, text)
}

// anyRequest is the right that answers what no other right of a policy names.
const anyRequest RightID = "request"

// deadlines returns the rules that a type of request opens.
func (d *Document) deadlines(t RequestType) []DeadlineRule {
	if rules := d.deadlinesOf(t.Right()); len(rules) > 0 {
		return rules
	}
	return d.deadlinesOf(anyRequest)
}

// deadlinesBy returns the rules that a request opens by the channel alone by
// which it came: a letter is a contact, whatever it asks for. Rights name a
// channel by its id or its kind.
func (d *Document) deadlinesBy(channel ChannelID) []DeadlineRule {
	kind := ""
	for _, c := range d.Channels {
		if c.ID == channel {
			kind = c.Kind.String()
		}
	}
	var rules []DeadlineRule
	for _, right := range d.Rights {
		if slices.Contains(right.Channels, string(channel)) || kind != "" && slices.Contains(right.Channels, kind) {
			rules = append(rules, d.deadlinesOf(right.ID)...)
		}
	}
	return rules
}

func (d *Document) deadlinesOf(id RightID) []DeadlineRule {
	var rules []DeadlineRule
	for _, right := range d.Rights {
		if right.ID != id {
			continue
		}
		for _, id := range right.Deadlines {
			if r, ok := d.DeadlineRule(id); ok {
				rules = append(rules, r)
			}
		}
	}
	return rules
}

// DeadlineRule returns the rule with that id, and whether there is one.
func (d *Document) DeadlineRule(id DeadlineRuleID) (DeadlineRule, bool) {
	for _, r := range d.DeadlineRules {
		if r.ID == id {
			return r, true
		}
	}
	return DeadlineRule{}, false
}

// open opens every rule that a type of the request has, each rule once.
func (e RequestReceived) open(d Document, suffix string, at Instant, ref Reference) ([]Event, error) {
	types := map[DeadlineRuleID][]RequestType{}
	o := obligationRules{kind: DutyReply, version: e.Version, ruleSet: ref.Policies.RuleSet(e.Version), suffix: suffix, types: func(id DeadlineRuleID) []RequestType { return types[id] }}
	byChannel := d.deadlinesBy(e.Channel)
	for _, t := range e.Types {
		for _, rule := range append(d.deadlines(t), byChannel...) {
			if slices.Contains(types[rule.ID], t) {
				continue
			}
			if types[rule.ID] == nil {
				o.rules = append(o.rules, rule)
			}
			types[rule.ID] = append(types[rule.ID], t)
		}
	}
	return o.open(func(r DeadlineRule) Instant { return e.startOf(r, at) }, Cause{Kind: "request.received", Subject: e.Subject}, ref.Calendars)
}

// startOf returns when a rule's clock starts for a request received at a
// moment; zero if it waits for a step.
func (e RequestReceived) startOf(r DeadlineRule, at Instant) Instant {
	waits := slices.ContainsFunc(StepRules, func(s StepRule) bool { return s.Starts != "" && s.Starts == r.ClockStart })
	if waits && !(r.ClockStart == "IdentityVerified" && e.Authenticated) {
		return 0
	}
	return at
}

// take takes a step.
func (r Request) take(cmd TakeStep, ref Reference, at, recorded Instant) ([]Event, error) {
	if err := ref.By.checkDoor(cmd); err != nil {
		return nil, err
	}
	rule, err := r.Marks.check(cmd, RequestNoun)
	if err != nil {
		return nil, err
	}
	if rule.Found {
		return nil, refuse(IllegalMove, "a request is found to repeat an earlier one when it comes in, by a rule: nobody says so")
	}
	if err := r.checkStep(cmd, ref); err != nil {
		return nil, err
	}
	follows, err := r.follow(cmd, rule, ref, at, recorded)
	return append([]Event{Stepped(cmd)}, follows...), err
}

// follow returns what a step does to the clocks.
func (r Request) follow(cmd TakeStep, rule StepRule, ref Reference, at, recorded Instant) ([]Event, error) {
	early, late, k := min(at, recorded), max(at, recorded), ref.Calendars
	switch {
	case rule.Pauses == "*":
		events, err := r.Duties.pause(fieldOf(cmd.Fields, "reason"), late, k)
		if err == nil && len(events) == 0 {
			err = refuseAt(NotPausable, "data.reason", "no rule of this request stands still for that reason")
		}
		return events, err
	case rule.Pauses != "":
		return r.Duties.pause(rule.Pauses, late, k)
	case rule.Resumes == "*":
		return r.resumeAll(early, k)
	case rule.Resumes != "":
		return r.goOn(rule, early, k)
	case rule.Starts != "":
		return r.Duties.start(rule.Starts, early, k)
	case cmd.Kind == "request.extended":
		return r.extend(cmd, recorded, k)
	case cmd.Kind == "request.reopened":
		return r.reopen(ref, early)
	case rule.Closes:
		return r.reply(cmd, doneAt(at, recorded, cmd.Evidence)), nil
	case rule.Voids:
		return r.Duties.void(strings.TrimPrefix(string(cmd.Kind), "request.")), nil
	}
	return nil, nil
}

// goOn lets clocks go on, and starts those that waited for the same.
func (r Request) goOn(rule StepRule, at Instant, k Calendars) ([]Event, error) {
	resumed, err := r.Duties.resume(rule.Resumes, at, k)
	if err != nil || rule.Starts == "" {
		return resumed, err
	}
	started, err := r.Duties.start(rule.Starts, at, k)
	return append(resumed, started...), err
}

// resumeAll ends the pause that an operator made.
func (r Request) resumeAll(at Instant, k Calendars) ([]Event, error) {
	return r.Duties.move(MovedResumed, EventID{}, k, func(_ *Duty, c *clock) bool {
		resumed := false
		for i, p := range c.pauses {
			if p.To == 0 && p.Reason != "identity_verification" && p.Reason != "clarification" {
				c.pauses[i].To, resumed = max(at, p.From), true
			}
		}
		return resumed
	})
}

// reply meets the obligations whose types all have their answer now.
func (r Request) reply(cmd TakeStep, met Instant) []Event {
	done := slices.Concat(r.Done, typesOf(cmd.Fields, r.left()))
	return r.Duties.meet(met, Cause{Kind: string(cmd.Kind)}, cmd.Evidence, func(x Duty) bool {
		return x.Kind == DutyReply && !slices.ContainsFunc(x.Types, func(t RequestType) bool { return !slices.Contains(done, t) })
	})
}

// reopen opens the request's rules anew, in the version that they had. Clocks
// begin at the reopening, also those that waited for proof of identity if there
// was such: a person proves once who they are. What waits for facts to be
// verified waits again, since the answer that rested on them did not stand.
func (r Request) reopen(ref Reference, at Instant) ([]Event, error) {
	v, ok := ref.Policies.Version(r.Received.Version)
	if !ok {
		return nil, refuse(UnknownVersion, "the version whose promises bind is not there any more")
	}
	again := r.Received
	again.Authenticated = again.Authenticated || r.Marks.Has("identity-known")
	return again.open(v.Document, "."+itoa(r.rounds+1), at, ref)
}
