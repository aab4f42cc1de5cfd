package consents

import (
	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
)

// A group is people who stand alike with a purpose, in all that a question tells apart.
type group struct {
	app     ident.AppName
	purpose policy.PurposeID
	status  domain.Status
	terms   int64
	bound   deadline.Instant // of an opt-out: see [batch.bound]
	asked   deadline.Instant // of a consent: as in [row]
	signal  string           // a machine's, that is at odds with what they said; empty: none
}

// count counts a person, unless it is none but a test.
func (b *batch) count(p *person, r *row, n int64) {
	if p.test || r.status == unwritten {
		return
	}

	g := group{
		app:     p.app,
		purpose: r.purpose,
		status:  r.status,
		terms:   r.terms,
		bound:   r.bound,
		signal:  r.opposedBy,
	}
	if r.status == domain.Given || r.status == domain.Stale {
		g.asked = r.asked
	}

	b.counts[g] += n
	b.move(g, r.until, n)
	if r.until != 0 {
		b.ends[shift{g, r.until, true}] += n
	}
}

// bound returns since when the newest version binds of those that did when an opt-out was said, as was
// known with the row's last fact. A version that is published later binds later, too. The row keeps it,
// so that a person leaves the group that they came into.
func (b *batch) bound(p *person, r *row, st *domain.Standing) (newest deadline.Instant) {
	if st.Status != domain.Refused && st.Status != domain.Withdrawn {
		return 0
	}
	for _, v := range b.view.references.at(p.app, r.position).Policies.Versions() {
		if v.Effective <= st.Since {
			newest = max(newest, v.Effective)
		}
	}
	return newest
}
