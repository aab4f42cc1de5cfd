package auditreport

import (
	"cmp"
	"context"
	"iter"
	"maps"
	"slices"

	"consentledger/api/report"
	"consentledger/api/wire"
	"consentledger/domain"
	"consentledger/domain/amount"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/domain/request"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/projections/requests"
)

// A Ledger is what a report is counted from.
type Ledger interface {
	Of(ctx context.Context, app ident.AppName, after eventstore.Position) iter.Seq2[codec.Entry, error]
	Own(ctx context.Context, app ident.AppName) iter.Seq2[codec.Entry, error]
	KnownAt(ctx context.Context, at deadline.Instant) (eventstore.Position, error)
	App(ctx context.Context, app ident.AppName) (domain.Reference, error)
}

// Requests sums up what was owed, and knows who is a test; see [requests.View]. It must
// be as far as the end of the span.
type Requests interface {
	Tests(ctx context.Context, app ident.AppName, k requests.Known) ([]string, eventstore.Position, error)
	Report(
		ctx context.Context, q requests.Query,
	) ([]requests.Obligation, requests.Place, requests.Summary, eventstore.Position, error)
}

// Make makes the report of a span.
func Make(
	ctx context.Context, l Ledger, owed Requests, app ident.AppName, from, to deadline.Instant, outside Outside,
) (Report, error) {
	c, err := open(ctx, l, app, from, to)
	if err != nil {
		return Report{}, err
	}
	if err := c.look(ctx, l, owed); err != nil {
		return Report{}, err
	}
	if err := c.run(c.until(l.Of(ctx, app, 0))); err != nil {
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
func (c *counting) owed(ctx context.Context, owed Requests, from, to deadline.Instant, r *Report) error {
	q := requests.Query{App: c.app, At: to, Known: requests.Known{Past: true, At: c.end}, Since: from,
		SinceSteps: c.begin, Limit: 1}
	_, _, sum, _, err := owed.Report(ctx, q)
	if err != nil {
		return err
	}

	r.Requests = report.SummaryOf(sum)
	if len(c.unpromised) > 0 {
		r.Unpromised = c.unpromised.list()
	}

	for i := range r.Rules {
		q.Rule = deadline.RuleID(r.Rules[i].ID)
		if _, _, sum, _, err = owed.Report(ctx, q); err != nil {
			return err
		}
		r.Rules[i].Kept = report.SummaryOf(sum).Tally
	}
	return c.byLaw(ctx, owed, q, r)
}

// byLaw adds the rules by which a reply was owed in the span that no policy
// promises: the law's, or those that give no date.
func (c *counting) byLaw(ctx context.Context, owed Requests, q requests.Query, r *Report) error {
	seen := map[deadline.RuleID]bool{}
	for _, t := range request.Types() {
		x := request.LawReply(c.service.App.Jurisdiction, c.service.App.TimeZone, t)
		if seen[x.ID] {
			continue
		}
		seen[x.ID], q.Rule = true, x.ID
		_, _, sum, _, err := owed.Report(ctx, q)
		if err != nil {
			return err
		}
		if kept := report.SummaryOf(sum).Tally; kept.Obligations > 0 {
			r.Rules = append(r.Rules, Rule{ID: string(x.ID), Source: x.Source, Length: x.Length, Unit: x.Unit.String(),
				Law: true, Kept: kept})
		}
	}
	return nil
}

// open finds the span.
func open(ctx context.Context, l Ledger, app ident.AppName, from, to deadline.Instant) (*counting, error) {
	ref, err := l.App(ctx, app)
	if err != nil {
		return nil, err
	}

	c := &counting{
		app: app, service: ref.Service, tests: map[string]bool{}, owners: map[ident.StreamID]string{},
		calendars: map[string]Calendar{}, events: tally{},
		purposes: map[policy.PurposeID]*Asked{}, versions: tally{}, acts: tally{}, surfaces: tally{}, locales: tally{},
		evidence: tally{}, short: tally{}, why: tally{},
		minors: tally{}, erasures: tally{}, clock: tally{}, unpromised: tally{}, access: map[Reader]seen{},
		changing: map[policy.PurposeID]bool{}, stands: map[pair]deadline.Instant{}, touched: map[pair][]int{},
		builds: map[string]*builds{}, ended: map[ident.EventID]bool{}, incidents: map[string]*occurrence{},
		imports: map[[2]string]*importing{},
	}
	if from > 0 {
		if c.begin, err = l.KnownAt(ctx, from-1); err != nil {
			return nil, err
		}
	}

	if c.end, err = l.KnownAt(ctx, to-1); err != nil {
		return nil, err
	}
	return c, nil
}

// look finds what has to be known before records are counted: who is a test by the end of
// the span, which builds were mistakes, and of which purposes it matters what stands.
func (c *counting) look(ctx context.Context, l Ledger, owed Requests) error {
	tests, _, err := owed.Tests(ctx, c.app, requests.Known{Past: true, At: c.end})
	if err != nil {
		return err
	}
	for _, person := range tests {
		c.tests[person] = true
	}
	c.r.Tests.Persons = int64(len(c.tests))

	for e, err := range c.until(l.Own(ctx, c.app)) {
		if err != nil {
			return err
		}
		switch x := e.Event.(type) {
		case domain.BuildVoided:
			c.builds[e.ID.String()] = &builds{x, 0}
		case domain.PolicyPublished:
			for _, id := range changedBy(x) {
				c.changing[id] = true
			}
		}
	}
	return nil
}

// report gathers what was counted.
func (c *counting) report(to deadline.Instant) Report {
	r := c.r
	a := c.service.App
	r.Schema = "audit-report/1"
	r.App = App{string(a.Name), a.Handler, a.Environment.String(), a.Jurisdiction, a.TimeZone}
	r.Promises, r.versions = promised(c.policies, to-1), versionsOf(c.policies, to-1)
	r.Events, r.Minors, r.Erasures, r.Clock = c.events.list(), c.minors.list(), c.erasures.list(), c.clock.list()
	r.Consents.ByPurpose = []Asked{}
	for _, id := range slices.Sorted(maps.Keys(c.purposes)) {
		r.Consents.ByPurpose = append(r.Consents.ByPurpose, *c.purposes[id])
	}

	r.Consents.ByVersion, r.Consents.ByAct, r.Consents.BySurface, r.Consents.ByLocale = c.versions.list(),
		c.acts.list(), c.surfaces.list(), c.locales.list()
	r.Consents.Short, r.Answers.Why = c.short.list(), c.why.list()
	r.Consents.Evidence = []Share{}
	for _, q := range c.evidence.list() {
		r.Consents.Evidence = append(r.Consents.Evidence,
			Share{q.Name, q.Count, amount.Percent(q.Count, c.evidence.sum())})
	}

	r.Changes = []Change{}
	c.ranOut(to)
	for _, ch := range c.changes {
		ch.Waiting = ch.Touched - ch.Again - ch.No - ch.RanOut
		ch.Percent = amount.Percent(ch.Again+ch.No, ch.Touched)
		r.Changes = append(r.Changes, ch)
	}

	c.fill(&r, to)
	return r
}

func (c *counting) fill(r *Report, to deadline.Instant) {
	r.Exemptions, r.Sharing, r.Voids = append([]Exemption{}, r.Exemptions...), append([]Note{},
		r.Sharing...), append([]Void{}, r.Voids...)
	for i := range r.Voids {
		if b := c.builds[r.Voids[i].Event]; b != nil {
			r.Voids[i].Records = b.records
		}
	}

	for i := range r.Exemptions {
		if id, err := eventstore.ParseEventID(r.Exemptions[i].Event); err == nil {
			r.Exemptions[i].Ended = c.ended[ident.EventID(id)]
		}
	}

	r.Imports = c.importsOf()
	r.Incidents = []Incident{}
	for _, stream := range slices.Sorted(maps.Keys(c.incidents)) {
		if i := c.incidents[stream]; !i.over {
			r.Incidents = append(r.Incidents, i.shown())
		}
	}

	slices.SortStableFunc(r.Incidents, func(a, b Incident) int { return cmp.Compare(a.Known, b.Known) })
	r.Access = []Reader{}
	for x, n := range c.access {
		x.Count, x.Records, x.Parts = n.times, n.records, n.parts
		r.Access = append(r.Access, x)
	}

	slices.SortFunc(r.Access, func(a, b Reader) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Way, b.Way),
			cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Who, b.Who))
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
