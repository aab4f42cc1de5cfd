package consents

import (
	"slices"

	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore/codec"
)

// ask marks the rows of somebody who was asked with the newest version that they were asked
// about. Who has no row yet is not marked: they are asked for the first time, not again. As with
// where they stand otherwise, the void of a build takes away answers alone.
func (b *batch) ask(e *codec.Entry) error {
	if e.Revision == 1 {
		return nil // they said nothing before
	}
	about := askedAbout(e, b.view.references.at(e.Stream.App, e.Position).Policies)
	if len(about) == 0 {
		return nil
	}

	p, err := b.find(key{e.Stream.App, e.Stream.ID}, false)
	if err != nil || p.number == 0 {
		return err
	}
	b.people[p.key] = p
	for i := range p.rows {
		r := &p.rows[i]
		since := about[r.purpose]
		if since <= r.asked {
			continue
		}

		b.count(p, r, -1)
		r.asked, r.askedBy, r.changed = since, ident.EventID(e.ID), true
		b.count(p, r, 1)
	}
	return nil
}

// askAnew finds anew on which records the marks rest that rest on records which were a mistake: the
// person may have been asked by others. Only the first that asks about a version is kept, so all of the
// person's are read, which happens seldom. The person's rows are not counted meanwhile.
func (b *batch) askAnew(p *person, records []ident.EventID) error {
	rest := false
	for i := range p.rows {
		if r := &p.rows[i]; r.asked != 0 && slices.Contains(records, r.askedBy) {
			r.asked, r.askedBy, r.changed, rest = 0, ident.EventID{}, true, true
		}
	}
	if !rest {
		return nil
	}

	asks, err := b.asks(p)
	if err != nil {
		return err
	}
	for i := range asks {
		e := &asks[i]
		about := askedAbout(e, b.view.references.at(p.app, e.Position).Policies)
		for j := range p.rows {
			r := &p.rows[j]
			if since := about[r.purpose]; since > r.asked && e.Position > r.first {
				r.asked, r.askedBy, r.changed = since, ident.EventID(e.ID), true
			}
		}
	}
	return nil
}

// asks returns the records by which a person was asked up to the entry under way, without those that
// were a mistake. The ledger may have more of the person than was read.
func (b *batch) asks(p *person) (list []codec.Entry, err error) {
	var mistakes []ident.EventID
	for e, err := range b.view.persons.Stream(b.ctx, p.stream()) {
		if err != nil {
			return nil, err
		}
		if e.Position > b.at {
			break
		}

		switch x := e.Event.(type) {
		case domain.NoticePresented, domain.ConsentRequested:
			list = append(list, e)
		case domain.RecordVoided:
			mistakes = append(mistakes, x.Records...)
		}
	}
	return slices.DeleteFunc(list, func(e codec.Entry) bool {
		return slices.Contains(mistakes, ident.EventID(e.ID))
	}), nil
}

// askedAbout returns the purposes that an entry asks about, and since when the version binds whose
// they are: that of a notice, or the one that was in force when a consent was requested. Nobody can
// stand on an older version than the first, so that one is left out.
func askedAbout(e *codec.Entry, policies domain.Policies) map[policy.PurposeID]deadline.Instant {
	about := map[policy.PurposeID]deadline.Instant{}
	switch x := e.Event.(type) {
	case domain.NoticePresented:
		v, found := policies.Version(x.Version)
		if !found || !hasOlder(policies, v.Effective) {
			return nil
		}
		for _, purpose := range v.Document.Purposes {
			about[purpose.ID] = v.Effective
		}

	case domain.ConsentRequested:
		inForce := policies.AllInForce(e.At)
		for _, id := range x.Purposes {
			if v, _, found := inForce.Declaring(id); found && hasOlder(policies, v.Effective) {
				about[id] = v.Effective
			}
		}
	}
	return about
}

// hasOlder reports whether a version bound before a moment.
func hasOlder(policies domain.Policies, since deadline.Instant) bool {
	for _, v := range policies.Versions() {
		if v.Effective != 0 && v.Effective < since {
			return true
		}
	}
	return false
}
