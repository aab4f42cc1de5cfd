package rest

import (
	"context"
	"net/http"

	"consentledger/api/wire"
	"consentledger/domain"

	"github.com/danielgtaylor/huma/v2"
)

// MinorsRequest asks who is a minor. Who asks and why is recorded before anybody is shown.
type MinorsRequest struct {
	Day    string `json:"day,omitzero" doc:"who was one at the end of this day in UTC, as in 2026-03-02, by what was known then (default: who is one now)"`
	Cursor string `json:"cursor,omitzero" doc:"next of the page before"`
	Limit  string `json:"limit,omitzero" doc:"at most so many, 1 to 1000 (default 100)"`
	Min    string `json:"min_position,omitzero" doc:"wait up to 10 s until the answer holds at least this position"`
	wire.Accessor
}

// A MinorBand is how many minors are of an age.
type MinorBand struct {
	Band   string `json:"band"`
	People int64  `json:"people"`
}

// A Minor is a person who is no adult by the newest record of their age that was no mistake.
type Minor struct {
	Person    string `json:"person" doc:"a pseudonym"`
	Band      string `json:"band" doc:"under-14, 14 or 15-17"`
	Basis     string `json:"basis" doc:"how it is known, by a code"`
	Since     string `json:"since" format:"date-time" doc:"when it was so, as the record says"`
	Next      string `json:"next" format:"date-time" doc:"when they are of the next age: that day if the basis is birthday, else at the latest, since birth dates are sealed"`
	Guardians int    `json:"guardians" doc:"how many were verified, and are guardians still"`
	Consents  int    `json:"guardian_consents" doc:"for how many purposes a guardian's consent holds now, or held then"`
}

// MinorsAnswer is how many minors there are, and a page of them.
type MinorsAnswer struct {
	App    string      `json:"app"`
	Day    string      `json:"day,omitzero" format:"date" doc:"the day at whose end they were minors; absent: they are now"`
	Bands  []MinorBand `json:"bands" doc:"of all of them, tests left out"`
	Erased int64       `json:"erased_since,omitzero" doc:"how many minors of that day were erased since: they are in no count and in no list"`
	Minors []Minor     `json:"minors" doc:"whoever is of the next age soonest first"`
	Next   string      `json:"next,omitzero" doc:"ask again with this cursor; absent: there is no more"`
	AsOf   string      `json:"as_of"`
}

type minorsIn struct {
	App     string `path:"app"`
	RawBody []byte `contentType:"application/json"`
}

func (s *server) minorsRoute(api huma.API) {
	bodied[MinorsRequest](s, api, "list-minors", http.MethodPost, "/v1/apps/{app}/minors",
		"Who is a minor, or was at the end of a day, their guardians, and when they are of the next age; who reads and "+
			"why is recorded first",
		maxBody, s.minors)
}

func (s *server) minors(ctx context.Context, in *minorsIn) (*out[MinorsAnswer], error) {
	app, err := s.app(ctx, in.App)
	if err != nil {
		return nil, err
	}
	var ask MinorsRequest
	if err := question(in.RawBody, &ask); err != nil {
		return nil, err
	}
	after, limit, err := beginPeople(ctx, s, ask.Cursor, ask.Limit, ask.Min, readMinorCursor)
	if err != nil {
		return nil, err
	}

	when, err := whenOf(ask.Day, s.Ledger.Now())
	if err != nil {
		return nil, err
	}
	list, last, asOf, err := s.Consents.Minors(ctx, app, when, after, limit)
	if err != nil {
		return nil, err
	}
	bands, erased, _, err := s.Consents.Bands(ctx, app, when)
	if err != nil {
		return nil, err
	}

	// Nobody is shown before it is recorded who looked.
	access := wire.AccessOf(ask.Accessor, domain.AccessReplay)
	access.Records = len(list)
	if err := s.recordReading(ctx, app, access); err != nil {
		return nil, err
	}

	a := MinorsAnswer{
		App:    in.App,
		Day:    ask.Day,
		Bands:  []MinorBand{},
		Erased: erased,
		Minors: []Minor{},
		AsOf:   wire.FormatPosition(asOf),
	}
	for _, b := range bands {
		a.Bands = append(a.Bands, MinorBand{Band: b.Band.String(), People: b.People})
	}
	for _, m := range list {
		a.Minors = append(a.Minors, Minor{
			Person: m.Person, Band: m.Band.String(), Basis: m.Basis, Since: m.Since.String(), Next: m.Next.String(),
			Guardians: m.Guardians, Consents: m.Consents,
		})
	}
	if len(list) == limit {
		a.Next = minorCursor(last)
	}
	return ok(a)
}
