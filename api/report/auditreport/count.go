package auditreport

import (
	"iter"

	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
)

// A counting goes over the log of one app.
type counting struct {
	app     ident.AppName
	begin   eventstore.Position // the span is after it
	end     eventstore.Position // the last that counts
	tests   map[string]bool     // pseudonyms
	owners  map[ident.StreamID]string
	service domain.Service

	policies   domain.Policies
	calendars  map[string]Calendar
	events     tally
	purposes   map[policy.PurposeID]*Asked
	versions   tally
	acts       tally
	surfaces   tally
	locales    tally
	evidence   tally
	short      tally
	why        tally
	minors     tally
	erasures   tally
	clock      tally
	access     map[Reader]seen           // by who, how and why
	changing   map[policy.PurposeID]bool // that a version changes by the end of the span
	stands     map[pair]deadline.Instant // until when; of those purposes
	touched    map[pair][]int            // the changes that wait for the pair
	changes    []Change
	builds     map[string]*builds // by the event that voids
	ended      map[ident.EventID]bool
	incidents  map[string]*occurrence
	imports    map[[2]string]*importing
	erasings   []erasing // of all of the log up to the end of the span
	r          Report
	unpromised tally
}

// A seen is how often somebody was shown something, and how much.
type seen struct{ times, records, parts int64 }

// A builds is a void of what a build recorded, and how many records that is.
type builds struct {
	domain.BuildVoided
	records int64
}

// until yields what of a log is up to the end of the span.
func (c *counting) until(log iter.Seq2[codec.Entry, error]) iter.Seq2[codec.Entry, error] {
	return func(yield func(codec.Entry, error) bool) {
		for e, err := range log {
			if err == nil && e.Position > c.end {
				return
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// person returns whom an entry is about; empty: nobody. Whom a request or what is owed is
// about is said where its stream begins.
func (c *counting) person(e codec.Entry) string {
	if e.Stream.Noun == ident.SubjectNoun || e.Stream.Noun == ident.AccessNoun {
		return e.Stream.ID
	}
	if history, _, owed := e.Stream.OwedSince(); owed {
		return history.ID
	}

	switch x := e.Event.(type) {
	case domain.RequestReceived:
		c.owners[e.Stream] = x.Subject
	case domain.ObligationOpened:
		if e.Stream.Noun == ident.ObligationNoun {
			c.owners[e.Stream] = x.Cause.Subject
		}
	}
	return c.owners[e.Stream]
}

func (c *counting) run(log iter.Seq2[codec.Entry, error]) error {
	for e, err := range log {
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
		if _, ordered := e.Event.(domain.ErasureOrdered); ordered {
			c.erasings = append(c.erasings, erasing{e.Recorded, e.ID.String()})
		}
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

// count counts what happened in the span.
func (c *counting) count(e codec.Entry) {
	switch x := e.Event.(type) {
	case domain.ConsentGiven:
		c.given(x)
		c.imported(e, x)
	case domain.ConsentRefused:
		c.r.Noes.Refused++
		c.scoped(x.Scope, func(a *Asked) { a.Refused++ })
	case domain.ConsentWithdrawn:
		c.r.Noes.Withdrawn++
		c.scoped(x.Scope, func(a *Asked) { a.Withdrawn++ })
	case domain.PermissionRevoked:
		if len(x.Withdraws) > 0 {
			c.r.Noes.Permissions++
			c.scoped(policy.Scope{Purposes: x.Withdraws}, func(a *Asked) { a.Withdrawn++ })
		}
	case domain.ConsentRequested:
		if x.TooSoon {
			c.r.TooSoon++
		}
	case domain.CheckAnswered:
		c.answered(x)
	case domain.ExemptionInvoked:
		c.r.Exemptions = append(c.r.Exemptions,
			Exemption{e.ID.String(), moment(e.Recorded), x.List.String(), x.Code, x.Doubtful, texts(x.Purposes),
				x.Reason, x.Approver, moment(x.Until), false})
	case domain.RecordVoided:
		c.r.Voids = append(c.r.Voids,
			Void{e.ID.String(), "records", x.Reason, x.By[0] + ", " + x.By[1], int64(len(x.Records))})
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
	case domain.RequestReceived:
		for _, t := range x.Unpromised {
			c.unpromised[t.String()]++
		}
	case domain.Noted:
		c.noted(e, x)
	}

	if e.Stream.Noun == ident.AccessNoun {
		c.read(e)
	}
}
