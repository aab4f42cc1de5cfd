package auditreport

import (
	"math"
	"slices"

	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore/codec"
)

// follow keeps what stands, whenever it was said.
func (c *counting) follow(e codec.Entry) {
	switch x := e.Event.(type) {
	case domain.PolicyPublished:
		c.policies = c.policies.Evolve(e.Fact())
		c.changed(x, e.Recorded)
	case domain.CalendarPublished:
		c.calendars[x.Calendar.ID().String()] = Calendar{x.Calendar.ID().String(), x.Calendar.Notice,
			x.Calendar.Projected}
	case domain.ConsentGiven:
		for _, i := range x.Items {
			if i.Short == "" && c.changing[i.Purpose] {
				c.stands[pair{e.Stream.ID, i.Purpose}] = ends(x, i.Purpose)
				c.settle(pair{e.Stream.ID, i.Purpose}, x.Version, func(ch *Change) { ch.Again++ })
			}
		}
	case domain.ConsentRefused:
		c.no(e.Stream.ID, x.Scope)
	case domain.ConsentWithdrawn:
		c.no(e.Stream.ID, x.Scope)
	case domain.PermissionRevoked:
		c.no(e.Stream.ID, policy.Scope{Purposes: x.Withdraws})
	case domain.SubjectClosed, domain.SubjectReassigned:
		c.no(e.Stream.ID, policy.Scope{All: true})
	case domain.ExemptionEnded:
		c.ended[x.Exemption] = true
	case domain.Stepped:
		if e.Stream.Noun == ident.IncidentNoun {
			c.incident(e, x)
		}
	}
}

// never is the end of a consent that holds until it is withdrawn.
const never deadline.Instant = math.MaxInt64

// ends returns when a consent to a purpose runs out.
func ends(x domain.ConsentGiven, id policy.PurposeID) deadline.Instant {
	for _, e := range x.Ends {
		if e.Purpose == id {
			return e.Until
		}
	}
	if x.Until != 0 {
		return x.Until
	}
	return never
}

// changedBy returns the purposes that a version changes.
func changedBy(x domain.PolicyPublished) []policy.PurposeID {
	var ids []policy.PurposeID
	ids = append(ids, x.Stale...)
	for _, s := range x.Scopes {
		if !slices.Contains(ids, s.Purpose) {
			ids = append(ids, s.Purpose)
		}
	}
	return ids
}

// changed begins to wait for every consent that a version touches: that stands at
// the moment, and did not run out before.
func (c *counting) changed(x domain.PolicyPublished, at deadline.Instant) {
	ids := changedBy(x)
	if len(ids) == 0 && len(x.Material) == 0 {
		return
	}

	ch := Change{Policy: x.Document.Name, Version: hash(x.Version), Effective: moment(x.Effective),
		Material: append([]string{}, x.Material...), Purposes: texts(ids)}
	for p, end := range c.stands {
		if slices.Contains(ids, p.purpose) && end > at {
			ch.Touched++
			c.touched[p] = append(c.touched[p], len(c.changes))
		}
	}

	c.changes = append(c.changes, ch)
}

// ranOut ends the waiting for the consents that ran out by the end of the span:
// nobody need ask for them again because of a change.
func (c *counting) ranOut(to deadline.Instant) {
	for p, changes := range c.touched {
		if c.stands[p] > to-1 {
			continue
		}
		for _, i := range changes {
			c.changes[i].RanOut++
		}
	}
}

// settle ends the waiting for a pair: of a grant only for the changes up to the
// version that it is to, of an opt-out for all.
func (c *counting) settle(p pair, version content.Hash, note func(*Change)) {
	if len(c.touched[p]) == 0 {
		return
	}
	var wait []int
	reached := version == (content.Hash{})
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

func (c *counting) no(person string, s policy.Scope) {
	if len(c.changing) == 0 {
		return
	}
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
		c.settle(p, content.Hash{}, func(ch *Change) { ch.No++ })
	}
}
