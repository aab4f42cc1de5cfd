package rest

import (
	"context"
	"net/http"

	"consentledger/api/wire"
	"consentledger/eventstore"

	"github.com/danielgtaylor/huma/v2"
)

// An Opposed is a person who granted a purpose where a machine's signal opts out.
type Opposed struct {
	Person  string   `json:"person" doc:"a pseudonym"`
	Purpose string   `json:"purpose"`
	Status  string   `json:"status" doc:"given, if they consented in spite of the signal; else the signal stands in the way"`
	Since   string   `json:"since,omitempty" format:"date-time"`
	Because []string `json:"because,omitempty" doc:"the events that prove the status"`
	Signal  string   `json:"opposed_by" doc:"the machine's signal, such as gpc"`
	Event   string   `json:"opposed_event" doc:"the event that said it"`
}

// OpposedAnswer is a page of them.
type OpposedAnswer struct {
	App     string    `json:"app"`
	Opposed []Opposed `json:"opposed" doc:"in the order in which the persons came; a person once for every purpose"`
	Next    string    `json:"next,omitzero" doc:"ask again with cursor= this; absent: there is no more"`
	AsOf    string    `json:"as_of"`
}

type opposedIn struct {
	App    string `path:"app"`
	Cursor string `query:"cursor" doc:"next of the page before"`
	Limit  string `query:"limit" doc:"at most so many, 1 to 1000 (default 100)"`
	Min    string `query:"min_position" doc:"wait up to 10 s until the answer holds at least this position"`
}

func (s *server) opposedRoute(api huma.API) {
	route(s, api, "list-opposed", http.MethodGet, "/v1/apps/{app}/consents/opposed",
		"Who said yes where a machine's signal says no, tests left out", s.opposed)
}

func (s *server) opposed(ctx context.Context, in *opposedIn) (*out[OpposedAnswer], error) {
	name, err := s.app(ctx, in.App)
	if err != nil {
		return nil, err
	}
	after, limit, err := beginPeople(ctx, s, in.Cursor, in.Limit, in.Min, readPeopleCursor)
	if err != nil {
		return nil, err
	}

	rows, last, asOf, err := s.Consents.Opposed(ctx, name, s.Ledger.Now(), after, limit)
	if err != nil {
		return nil, err
	}

	a := OpposedAnswer{App: in.App, Opposed: []Opposed{}, AsOf: wire.FormatPosition(asOf)}
	for _, r := range rows {
		c := consentOf(r.Purpose, r.Standing, true)
		a.Opposed = append(a.Opposed, Opposed{
			Person: r.Person, Purpose: c.Purpose, Status: c.Status, Since: c.Since, Because: c.Because,
			Signal: c.Opposed, Event: eventstore.EventID(r.Opposed.Because).String(),
		})
	}

	// A full page may be the last: the next one is empty then.
	if len(rows) == limit {
		a.Next = peopleCursor(last)
	}
	return ok(a)
}
