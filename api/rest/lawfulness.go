package rest

import (
	"bytes"
	"context"
	"net/http"

	"consentledger/api/lawfulness"
	"consentledger/domain/ident"

	"github.com/danielgtaylor/huma/v2"
)

type lawfulIn struct {
	App     string `path:"app"`
	Purpose string `query:"purpose"`
	Action  string `query:"action" doc:"collect, use (the default), provide, publish or export"`
	At      string `query:"at" doc:"RFC 3339; a moment, instead of a span"`
	From    string `query:"from" doc:"RFC 3339"`
	To      string `query:"to" doc:"RFC 3339, included"`
	Subject string `query:"subject" doc:"account:ID, device:ID or ID; better asked in a body"`
	Cursor  string `query:"cursor" doc:"next of the page before"`
	Limit   string `query:"limit" doc:"at most so many findings on a page, up to 1000; 100 if not said"`
	AccessorIn
}

func (s *server) lawfulnessRoutes(api huma.API) {
	bodied[lawfulness.DiffRequest](s, api, "diff-person", http.MethodPost, "/v1/apps/{app}/replay/diff",
		"What changed for a person between two moments, and by which events", maxBody,
		func(ctx context.Context, in *checkBody) (*out[lawfulness.Diff], error) {
			var r lawfulness.DiffRequest
			if err := question(bytes.Clone(in.RawBody), &r); err != nil {
				return nil, err
			}
			name, err := s.app(ctx, in.App)
			if err != nil {
				return nil, err
			}
			d, err := lawfulness.DiffOf(ctx, s.Ledger, name, r)
			if err != nil {
				return nil, err
			}
			reading, err := d.Reading(ctx, s.Ledger, name, r)
			if err == nil {
				err = s.recordReading(ctx, name, reading)
			}
			if err != nil {
				return nil, err
			}
			return ok(d)
		})
	route(s, api, "get-lawful", http.MethodGet, "/v1/apps/{app}/lawful",
		"Was it lawful, as it was known then? It reads the log, a page at a time",
		func(ctx context.Context, in *lawfulIn) (*out[lawfulness.Lawful], error) {
			limit := 0
			if in.Limit != "" {
				var err error
				if limit, err = count(in.Limit, maxRows); err != nil {
					return nil, err
				}
			}
			who, err := in.accessor()
			if err != nil {
				return nil, err
			}
			return s.lawful(ctx, in.App, lawfulness.LawfulRequest{
				Subject:  in.Subject,
				Purpose:  in.Purpose,
				Action:   in.Action,
				At:       in.At,
				From:     in.From,
				To:       in.To,
				Cursor:   in.Cursor,
				Limit:    limit,
				Accessor: who,
			})
		})
	isRecorded(api, "/v1/apps/{app}/lawful")
	bodied[lawfulness.LawfulRequest](s, api, "query-lawful", http.MethodPost, "/v1/apps/{app}/lawful",
		"The same, with no id in the URL", maxBody,
		func(ctx context.Context, in *checkBody) (*out[lawfulness.Lawful], error) {
			r, err := lawfulness.ParseLawful(bytes.Clone(in.RawBody))
			if err != nil {
				return nil, err
			}
			return s.lawful(ctx, in.App, r)
		})
}

func (s *server) lawful(ctx context.Context, app string, r lawfulness.LawfulRequest) (*out[lawfulness.Lawful], error) {
	name, err := ident.ParseAppName(app)
	if err != nil {
		return nil, bad(err.Error())
	}

	a, err := lawfulness.LawfulOf(ctx, s.Ledger, name, r)
	if err != nil {
		return nil, err
	}

	reading, err := a.Reading(ctx, s.Ledger, name, r)
	if err == nil {
		err = s.recordReading(ctx, name, reading)
	}
	if err != nil {
		return nil, err
	}
	return ok(a)
}
