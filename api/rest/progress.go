package rest

import (
	"context"
	"net/http"

	"consentledger/api/wire"
	"consentledger/domain/content"
	"consentledger/domain/policy"

	"github.com/danielgtaylor/huma/v2"
)

// A PurposeProgress is where people stand with a purpose since a version binds. Each
// person who ever said anything about the purpose is counted once, and again in Asked.
type PurposeProgress struct {
	Purpose       string `json:"purpose"`
	Agreed        int64  `json:"agreed" doc:"to this version"`
	Older         int64  `json:"older" doc:"to an older version, and that holds still: what changed does not touch it"`
	Waiting       int64  `json:"waiting" doc:"agreed to an older version that covers less, and said no yes to the rest: they are silent so far, or refused what was added and keep what they had"`
	Asked         int64  `json:"asked" doc:"of those waiting: they were shown a notice of this version or a newer one, or asked for consent to the purpose while one was in force, since they first spoke of it"`
	Refused       int64  `json:"refused" doc:"or withdrew, since the version binds"`
	RefusedBefore int64  `json:"refused_before" doc:"or withdrew, before that"`
	Other         int64  `json:"other" doc:"their consent ran out, or what they said does not say enough"`
}

// ProgressAnswer is how far people have come with a version.
type ProgressAnswer struct {
	App       string            `json:"app"`
	Policy    string            `json:"policy"`
	Version   string            `json:"version"`
	Effective string            `json:"effective" format:"date-time"`
	Progress  []PurposeProgress `json:"progress" doc:"a row for each purpose of the version that rests on consent"`
	Day       string            `json:"day,omitzero" format:"date" doc:"the day at whose end they stood there; absent: they stand there now"`
	AsOf      string            `json:"as_of"`
}

type progressIn struct {
	App     string `path:"app"`
	Version string `path:"version" doc:"sha256:..."`
	Day     string `query:"day" doc:"where they stood at the end of this day in UTC, as in 2026-03-02, by what was known then (default: now)"`
	Min     string `query:"min_position" doc:"wait up to 10 s until the answer holds at least this position"`
}

func (s *server) progressRoute(api huma.API) {
	route(s, api, "policy-progress", http.MethodGet, "/v1/apps/{app}/policies/{version}/progress",
		"How many people agreed to a version, refused, or said nothing to it since it binds, and were asked, tests left out",
		s.progress)
}

func (s *server) progress(ctx context.Context, in *progressIn) (*out[ProgressAnswer], error) {
	name, err := s.app(ctx, in.App)
	if err != nil {
		return nil, err
	}
	h, err := content.ParseHash(in.Version)
	if err != nil {
		return nil, bad(err.Error())
	}
	if err := s.wait(ctx, in.Min); err != nil {
		return nil, err
	}
	when, err := whenOf(in.Day, s.Ledger.Now())
	if err != nil {
		return nil, err
	}
	ref, err := s.Ledger.App(ctx, name)
	if err != nil {
		return nil, err
	}
	v, found := ref.Policies.Version(h)
	if !found {
		return nil, failure{plain(http.StatusNotFound, "this app has no such version")}
	}

	people, asOf, err := s.Consents.Progress(ctx, name, h, v.Effective, when)
	if err != nil {
		return nil, err
	}

	a := ProgressAnswer{
		App:       in.App,
		Policy:    v.Document.Name,
		Version:   in.Version,
		Effective: v.Effective.String(),
		Progress:  []PurposeProgress{},
		Day:       in.Day,
		AsOf:      wire.FormatPosition(asOf),
	}
	for _, p := range v.Document.Purposes {
		if p.Basis != policy.BasisConsent {
			continue
		}
		n := people[p.ID]
		a.Progress = append(a.Progress, PurposeProgress{
			Purpose:       string(p.ID),
			Agreed:        n.Agreed,
			Older:         n.Older,
			Waiting:       n.Waiting,
			Asked:         n.Asked,
			Refused:       n.Refused,
			RefusedBefore: n.RefusedBefore,
			Other:         n.Other,
		})
	}
	return ok(a)
}
