package consents

import (
	"context"

	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore"
)

// Progress is where people stand with a purpose, seen from a version of a policy.
// Everybody who ever said anything about the purpose is in one of its members, beside Asked.
type Progress struct {
	Agreed        int64 // to the version
	Older         int64 // to an older version, and that still holds: what changed is nothing to them
	Waiting       int64 // to an older version that covers less: silent so far, or no to what was added alone
	Asked         int64 // of those waiting: about the version or a newer one, since they first spoke of the purpose
	Refused       int64 // or withdrew, since the version binds
	RefusedBefore int64 // or withdrew, before that
	Other         int64 // their consent ran out, or their words do not say enough
}

// Progress returns, by purpose, where the people of an app stand with a version that
// binds since a moment, tests left out, and the position that the answer is as of.
func (v *View) Progress(
	ctx context.Context, app ident.AppName, version content.Hash, since deadline.Instant, when When,
) (map[policy.PurposeID]Progress, eventstore.Position, error) {
	all := map[policy.PurposeID]Progress{}
	asOf, err := v.each(ctx, app, when, func(s share, policies domain.Policies) {
		status := s.By(when.at, s.purpose, policies)
		all[s.purpose] = all[s.purpose].with(status, s.Version == version, s.bound >= since,
			s.asked != 0 && s.asked >= since, s.people)
	})
	return all, asOf, err
}

// with returns p with so many people more.
func (p Progress) with(status domain.Status, ofVersion, after, asked bool, people int64) Progress {
	switch status {
	case domain.Given:
		if ofVersion {
			p.Agreed += people
		} else {
			p.Older += people
		}
	case domain.Stale:
		p.Waiting += people
		if asked {
			p.Asked += people
		}
	case domain.Refused, domain.Withdrawn:
		if after {
			p.Refused += people
		} else {
			p.RefusedBefore += people
		}
	case domain.NeverAsked, domain.Expired, domain.AskAgain:
		p.Other += people
	}
	return p
}
