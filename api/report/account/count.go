package account

import (
	"cmp"
	"context"
	"iter"
	"maps"
	"slices"
	"strconv"

	"consentledger/api/report"
	"consentledger/api/wire"
	"consentledger/domain"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/projections/requests"
)

// A Ledger is what a report is counted from.
type Ledger interface {
	Replay(ctx context.Context, after eventstore.Position) iter.Seq2[codec.Entry, error]
	KnownAt(ctx context.Context, at domain.Instant) (eventstore.Position, error)
	App(ctx context.Context, app domain.AppName) (domain.Reference, error)
}

// Requests sums up what was owed; see [requests.View]. It must be as far as the
// end of the span.
type Requests interface {
	Report(ctx context.Context, q requests.Query) ([]requests.Obligation, requests.Place, requests.Summary, eventstore.Position, error)
}

// tally counts by name.
type tally map[string]int64

func (t tally) list() []Count {
	list := []Count{}
	for name, n := range t {
		list = append(list, Count{name, n})
	}
	slices.SortFunc(list, func(a, b Count) int { return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Name, b.Name)) })
	return list
}

func (t tally) sum() (n int64) {
	for _, c := range t {
		n += c
	}
	return n
}

// A pair is one person's consent to one purpose.
type pair struct {
	person  string
	purpose domain.PurposeID
}

// A counting goes over the log of one app.
type counting struct {
	app     domain.AppName
	begin   eventstore.Position // the span is after it
	end     eventstore.Position // the last that counts
	tests   map[string]bool     // pseudonyms
	owners  map[domain.StreamID]string
	service domain.Service

	policies  domain.Policies
	calendars map[string]Calendar
	events    tally
	purposes  map[domain.PurposeID]*Asked
	versions  tally
	acts      tally
	surfaces  tally
	locales   tally
	evidence  tally
	short     tally
	why       tally
	minors    tally
	erasures  tally
	clock     tally
	access    map[Reader]seen // by who, how and why
	stands    map[pair]bool
	touched   map[pair][]int // the changes that wait for the pair
	changes   []Change
	builds    map[string]*builds // by the event that voids
	ended     map[domain.EventID]bool
	incidents map[string]*Incident
	known     map[string]domain.Instant
	r         Report
}

// A seen is how often somebody was shown something, and how much.
type seen struct{ times, records, parts int64 }

// A builds is a void of what a build recorded, and how many records that is.
type builds struct {
	domain.BuildVoided
	records int64
}

// Make makes the report of a span.
func Make(ctx context.Context, l Ledger, owed Requests, app domain.AppName, from, to domain.Instant, outside Outside) (Report, error) {
	c, err := open(ctx, l, app, from, to)
	if err != nil {
		return Report{}, err
	}
	if err := c.run(ctx, l); err != nil {
		return Report{}, err
	}
	r := c.report(to)
	r.From, r.To, r.Position, r.Outside = moment(from), to.String(), wire.FormatPosition(c.end), outside
	if err := c.owed(ctx, owed, from, to, &r); err != nil {
		return Report{}, err
	}
	if r.Outside.Integrity.Witnesses == nil {
		r.Outside.Integrity.Witnesses = []Witness{}
	}
	return r, nil
}

// owed sums up what was owed in the span: all of it, and by every rule.
func (c *counting) owed(ctx context.Context, owed Requests, from, to domain.Instant, r *Report) error {
	q := requests.Query{App: c.app, At: to, Known: requests.Known{Past: true, At: c.end}, Since: from, SinceSteps: c.begin, Limit: 1}
	_, _, sum, _, err := owed.Report(ctx, q)
	if err != nil {
		return err
	}
	r.Requests = report.SummaryOf(sum)
	for i := range r.Rules {
		q.Rule = domain.DeadlineRuleID(r.Rules[i].ID)
		if _, _, sum, _, err = owed.Report(ctx, q); err != nil {
			return err
		}
		r.Rules[i].Kept = report.SummaryOf(sum).Tally
	}
	return nil
}

// open finds the span, and in a first pass who is a test by its end.
func open(ctx context.Context, l Ledger, app domain.AppName, from, to domain.Instant) (*counting, error) {
	ref, err := l.App(ctx, app)
	if err != nil {
		return nil, err
	}
	c := &counting{
		app: app, service: ref.Service, tests: map[string]bool{}, owners: map[domain.StreamID]string{}, calendars: map[string]Calendar{}, events: tally{},
		purposes: map[domain.PurposeID]*Asked{}, versions: tally{}, acts: tally{}, surfaces: tally{}, locales: tally{}, evidence: tally{}, short: tally{}, why: tally{},
		minors: tally{}, erasures: tally{}, clock: tally{}, access: map[Reader]seen{}, stands: map[pair]bool{}, touched: map[pair][]int{},
		builds: map[string]*builds{}, ended: map[domain.EventID]bool{}, incidents: map[string]*Incident{}, known: map[string]domain.Instant{},
	}
	if from > 0 {
		if c.begin, err = l.KnownAt(ctx, from-1); err != nil {
			return nil, err
		}
	}
	if c.end, err = l.KnownAt(ctx, to-1); err != nil {
		return nil, err
	}
	marks := map[domain.EventID]string{}
	for e, err := range c.log(ctx, l) {
		if err != nil {
			return nil, err
		}
		switch x := e.Event.(type) {
		case domain.SubjectMarkedTest:
			marks[domain.EventID(e.ID)] = e.Stream.ID
		case domain.RecordVoided:
			for _, id := range x.Records {
				delete(marks, id)
			}
		case domain.BuildVoided:
			c.builds[e.ID.String()] = &builds{x, 0}
		case domain.RequestReceived:
			c.owners[e.Stream] = x.Subject
		case domain.ObligationOpened:
			if e.Stream.Noun == domain.ObligationNoun {
				c.owners[e.Stream] = x.Cause.Subject
			}
		}
	}
	for _, person := range marks {
		c.tests[person] = true
	}
	c.r.Tests.Persons = int64(len(c.tests))
	return c, nil
}

// log yields the app's entries up to the end of the span.
func (c *counting) log(ctx context.Context, l Ledger) iter.Seq2[codec.Entry, error] {
	return func(yield func(codec.Entry, error) bool) {
		if c.end == 0 {
			return
		}
		for e, err := range l.Replay(ctx, 0) {
			switch {
			case err == nil && e.Position > c.end:
				return
			case err == nil && e.Stream.App != c.app:
				continue
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// person returns whom an entry is about; empty: nobody.
func (c *counting) person(e codec.Entry) string {
	if e.Stream.Noun == domain.SubjectNoun || e.Stream.Noun == domain.AccessNoun {
		return e.Stream.ID
	}
	return c.owners[e.Stream]
}

func (c *counting) run(ctx context.Context, l Ledger) error {
	for e, err := range c.log(ctx, l) {
		if err != nil {
			return err
		}
		in := e.Position > c.begin
		if p := c.person(e); p != "" && c.tests[p] {
			if in {
				c.r.Tests.Records++
			}
			continue
		}
		c.follow(e)
		c.built(e)
		if in {
			c.events[e.Kind()]++
			c.count(e)
		}
	}
	return nil
}

// built counts a record for every void, earlier or later, of what its build
// recorded then.
func (c *counting) built(e codec.Entry) {
	build := domain.BuildOf(e.Event)
	if build == "" {
		return
	}
	for _, v := range c.builds {
		if v.Build == build && v.From <= e.Recorded && e.Recorded < v.To {
			v.records++
		}
	}
}

// follow keeps what stands, whenever it was said.
func (c *counting) follow(e codec.Entry) {
	switch x := e.Event.(type) {
	case domain.PolicyPublished:
		c.policies = c.policies.Evolve(e.Fact())
		c.changed(x)
	case domain.CalendarPublished:
		c.calendars[x.Calendar.ID().String()] = Calendar{x.Calendar.ID().String(), x.Calendar.Notice, x.Calendar.Projected}
	case domain.ConsentGiven:
		for _, i := range x.Items {
			if i.Short == "" {
				c.stands[pair{e.Stream.ID, i.Purpose}] = true
				c.settle(pair{e.Stream.ID, i.Purpose}, x.Version, func(ch *Change) { ch.Again++ })
			}
		}
	case domain.ConsentRefused:
		c.no(e.Stream.ID, x.Scope)
	case domain.ConsentWithdrawn:
		c.no(e.Stream.ID, x.Scope)
	case domain.PermissionRevoked:
		c.no(e.Stream.ID, domain.Scope{Purposes: x.Withdraws})
	case domain.SubjectClosed, domain.SubjectReassigned:
		c.no(e.Stream.ID, domain.Scope{All: true})
	case domain.ExemptionEnded:
		c.ended[x.Exemption] = true
	case domain.Stepped:
		if e.Stream.Noun == domain.IncidentNoun {
			c.incident(e, x)
		}
	}
}

// changed begins to wait for every consent that a version touches.
func (c *counting) changed(x domain.PolicyPublished) {
	var ids []domain.PurposeID
	ids = append(ids, x.Stale...)
	for _, s := range x.Scopes {
		if !slices.Contains(ids, s.Purpose) {
			ids = append(ids, s.Purpose)
		}
	}
	if len(ids) == 0 && len(x.Material) == 0 {
		return
	}
	ch := Change{Policy: x.Document.Name, Version: hash(x.Version), Effective: moment(x.Effective), Material: append([]string{}, x.Material...), Purposes: texts(ids)}
	for p := range c.stands {
		if slices.Contains(ids, p.purpose) {
			ch.Touched++
			c.touched[p] = append(c.touched[p], len(c.changes))
		}
	}
	c.changes = append(c.changes, ch)
}

// settle ends the waiting for a pair: of a yes only for the changes up to the
// version that it is to, of a no for all.
func (c *counting) settle(p pair, version domain.Hash, note func(*Change)) {
	var wait []int
	reached := version == (domain.Hash{})
	for i := len(c.changes) - 1; i >= 0; i-- {
		reached = reached || c.changes[i].Version == hash(version)
		if !slices.Contains(c.touched[p], i) {
			continue
		}
		if reached {
			note(&c.changes[i])
		} else {
			wait = append(wait, i)
		}
	}
	if c.touched[p] = wait; len(wait) == 0 {
		delete(c.touched, p)
	}
}

func (c *counting) no(person string, s domain.Scope) {
	ids := s.Purposes
	if s.All {
		ids = nil
		for _, v := range c.policies.Versions() {
			for _, p := range v.Document.Purposes {
				ids = append(ids, p.ID)
			}
		}
	}
	for _, id := range ids {
		p := pair{person, id}
		delete(c.stands, p)
		if len(c.touched[p]) > 0 {
			c.settle(p, domain.Hash{}, func(ch *Change) { ch.No++ })
		}
	}
}

// count counts what happened in the span.
func (c *counting) count(e codec.Entry) {
	switch x := e.Event.(type) {
	case domain.ConsentGiven:
		c.given(x)
	case domain.ConsentRefused:
		c.r.Noes.Refused++
		c.scoped(x.Scope, func(a *Asked) { a.Refused++ })
	case domain.ConsentWithdrawn:
		c.r.Noes.Withdrawn++
		c.scoped(x.Scope, func(a *Asked) { a.Withdrawn++ })
	case domain.PermissionRevoked:
		if len(x.Withdraws) > 0 {
			c.r.Noes.Permissions++
			c.scoped(domain.Scope{Purposes: x.Withdraws}, func(a *Asked) { a.Withdrawn++ })
		}
	case domain.ConsentRequested:
		if x.TooSoon {
			c.r.TooSoon++
		}
	case domain.CheckAnswered:
		c.answered(x)
	case domain.ExemptionInvoked:
		c.r.Exemptions = append(c.r.Exemptions, Exemption{e.ID.String(), moment(e.Recorded), x.List.String(), x.Code, x.Doubtful, texts(x.Purposes), x.Reason, x.Approver, moment(x.Until), false})
	case domain.RecordVoided:
		c.r.Voids = append(c.r.Voids, Void{e.ID.String(), "records", x.Reason, x.By[0] + ", " + x.By[1], int64(len(x.Records))})
	case domain.BuildVoided:
		c.r.Voids = append(c.r.Voids, Void{e.ID.String(), x.Build, x.Reason, x.By[0] + ", " + x.By[1], 0})
	case domain.RecordDisputed:
		c.r.Disputed += int64(len(x.Records))
	case domain.AgeRecorded:
		if x.Band.Minor() {
			c.minors["age "+x.Band.String()]++
		}
	case domain.MinorDataFound, domain.GuardianVerified, domain.GuardianEnded:
		c.minors[e.Kind()]++
	case domain.SubjectClosed, domain.ErasureOrdered, domain.SubjectErased:
		c.erasures[e.Kind()]++
	case domain.Noted:
		c.noted(e, x)
	}
	if e.Stream.Noun == domain.AccessNoun {
		c.read(e)
	}
}

// read counts who read or asked, and what they were shown.
func (c *counting) read(e codec.Entry) {
	who := Reader{Kind: e.Kind(), Who: e.RecordedBy}
	x, is := e.Event.(domain.DataAccessed)
	if is {
		who.Way, who.Reason = string(x.Kind), x.Reason
	}
	n := c.access[who]
	c.access[who] = seen{n.times + 1, n.records + int64(x.Records), n.parts + int64(x.Parts)}
}

func (c *counting) noted(e codec.Entry, x domain.Noted) {
	switch x.Kind {
	case "recipient.added", "recipient.changed", "recipient.removed", "entrustment.agreed", "entrustment.ended", "disclosure.made", "transfer.merger",
		"crossborder.started", "crossborder.stopped", "crossborder.filed":
		c.r.Sharing = append(c.r.Sharing, noteOf(e, x))
	case "data.deleted", "processing.stopped", "retention.ended", "cessation.deleted":
		c.erasures[string(x.Kind)]++
	case domain.ClockObserved:
		name := field(x.Fields, "observation")
		if d := field(x.Fields, "direction"); d != "" {
			name += " " + d
		}
		c.clock[name]++
	}
}

func noteOf(e codec.Entry, x domain.Noted) Note {
	n := Note{e.ID.String(), moment(e.Recorded), string(x.Kind), []Pair{}}
	for _, f := range x.Fields {
		n.Fields = append(n.Fields, Pair(f))
	}
	return n
}

func field(fields []domain.Field, name string) string {
	for _, f := range fields {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

func (c *counting) given(x domain.ConsentGiven) {
	c.r.Consents.Given++
	if x.Import {
		c.r.Consents.Imported++
	}
	if x.Kind == domain.GuardianConsent {
		c.minors["guardian consent"]++
	}
	c.versions[hash(x.Version)]++
	c.acts[string(x.Act)]++
	c.surfaces[hash(x.Surface)]++
	c.locales[x.Locale]++
	quality := x.Evidence.Quality.String()
	if quality == "" {
		quality = "unrated"
	}
	c.evidence[quality]++
	for _, i := range x.Items {
		if i.Short == "" {
			c.asked(i.Purpose).Counted++
			continue
		}
		c.asked(i.Purpose).Short++
		c.short[string(i.Short)]++
	}
}

func (c *counting) asked(id domain.PurposeID) *Asked {
	a := c.purposes[id]
	if a == nil {
		a = &Asked{Purpose: string(id)}
		c.purposes[id] = a
	}
	return a
}

// everything is the name under which a no to all there is is counted.
const everything = "*"

func (c *counting) scoped(s domain.Scope, note func(*Asked)) {
	if s.All {
		note(c.asked(everything))
		return
	}
	for _, id := range s.Purposes {
		note(c.asked(id))
	}
}

func (c *counting) answered(x domain.CheckAnswered) {
	if x.Allowed {
		c.r.Answers.Yes++
	} else {
		c.r.Answers.No++
	}
	if x.Why == domain.WhyExempt {
		c.r.Answers.Exempt++
	}
	c.why[string(x.Why)]++
}

// incident follows an incident from step to step. A notice counts from when the
// incident was first known.
func (c *counting) incident(e codec.Entry, x domain.Stepped) {
	stream := e.Stream.String()
	i := c.incidents[stream]
	if i == nil {
		i = &Incident{Stream: stream, Kind: x.Field("kind"), Known: moment(min(e.At, e.Recorded))}
		c.incidents[stream], c.known[stream] = i, min(e.At, e.Recorded)
	}
	at := max(e.At, e.Recorded) // what somebody says that they did counts from the later
	minutes := strconv.FormatInt(int64(at-c.known[stream])/int64(domain.Minute), 10)
	switch x.Kind {
	case "incident.classified":
		i.Level = x.Field("level")
	case "incident.authority-told":
		if i.Authority == "" {
			i.Authority, i.AuthorityMins = moment(at), minutes
		}
	case "incident.persons-told", "incident.announced", "incident.guardians-told":
		if i.Persons == "" {
			i.Persons, i.PersonsMins = moment(at), minutes
		}
	case "incident.closed", "incident.dismissed":
		if i.Closed = moment(at); e.Position <= c.begin {
			delete(c.incidents, stream)
		}
	}
}

// report gathers what was counted.
func (c *counting) report(to domain.Instant) Report {
	r := c.r
	a := c.service.App
	r.Schema = "audit-report/1"
	r.App = App{string(a.Name), a.Handler, a.Environment.String(), a.Jurisdiction, a.TimeZone}
	r.Promises = promised(c.policies, to-1)
	r.Events, r.Minors, r.Erasures, r.Clock = c.events.list(), c.minors.list(), c.erasures.list(), c.clock.list()
	r.Consents.ByPurpose = []Asked{}
	for _, id := range slices.Sorted(maps.Keys(c.purposes)) {
		r.Consents.ByPurpose = append(r.Consents.ByPurpose, *c.purposes[id])
	}
	r.Consents.ByVersion, r.Consents.ByAct, r.Consents.BySurface, r.Consents.ByLocale = c.versions.list(), c.acts.list(), c.surfaces.list(), c.locales.list()
	r.Consents.Short, r.Answers.Why = c.short.list(), c.why.list()
	r.Consents.Evidence = []Share{}
	for _, q := range c.evidence.list() {
		r.Consents.Evidence = append(r.Consents.Evidence, Share{q.Name, q.Count, domain.Percent(q.Count, c.evidence.sum())})
	}
	r.Changes = []Change{}
	for _, ch := range c.changes {
		ch.Waiting = ch.Touched - ch.Again - ch.No
		ch.Percent = domain.Percent(ch.Again+ch.No, ch.Touched)
		r.Changes = append(r.Changes, ch)
	}
	c.fill(&r, to)
	return r
}

func (c *counting) fill(r *Report, to domain.Instant) {
	r.Exemptions, r.Sharing, r.Voids = append([]Exemption{}, r.Exemptions...), append([]Note{}, r.Sharing...), append([]Void{}, r.Voids...)
	for i := range r.Voids {
		if b := c.builds[r.Voids[i].Event]; b != nil {
			r.Voids[i].Records = b.records
		}
	}
	for i := range r.Exemptions {
		if id, err := eventstore.ParseEventID(r.Exemptions[i].Event); err == nil {
			r.Exemptions[i].Ended = c.ended[domain.EventID(id)]
		}
	}
	r.Incidents = []Incident{}
	for _, stream := range slices.Sorted(maps.Keys(c.incidents)) {
		r.Incidents = append(r.Incidents, *c.incidents[stream])
	}
	slices.SortStableFunc(r.Incidents, func(a, b Incident) int { return cmp.Compare(a.Known, b.Known) })
	r.Access = []Reader{}
	for x, n := range c.access {
		x.Count, x.Records, x.Parts = n.times, n.records, n.parts
		r.Access = append(r.Access, x)
	}
	slices.SortFunc(r.Access, func(a, b Reader) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Way, b.Way), cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Who, b.Who))
	})
	r.Calendars = []Calendar{}
	for _, id := range slices.Sorted(maps.Keys(c.calendars)) {
		r.Calendars = append(r.Calendars, c.calendars[id])
	}
	r.Gaps, r.Rules = gapsOf(c.policies, c.service.App.Handler, to-1), rulesOf(c.policies, to-1)
}

func texts[T ~string](list []T) []string {
	out := []string{}
	for _, x := range list {
		out = append(out, string(x))
	}
	return out
}
