package rest

import (
	"context"
	"net/http"

	"consentledger/api/wire"
	"consentledger/domain/deadline"
	"consentledger/projections/consents"

	"github.com/danielgtaylor/huma/v2"
)

// A PeopleCount is how many people stand somewhere with a purpose, now: one whose
// consent ran out or grew stale since their last event is counted as that.
type PeopleCount struct {
	Purpose string `json:"purpose"`
	Status  string `json:"status"`
	People  int64  `json:"people"`
}

// A VoidedCount is how many answers of a kind were mistakes.
type VoidedCount struct {
	Answer  string `json:"answer" doc:"given, refused or withdrawn"`
	Answers int64  `json:"answers"`
}

// An OpposedCount is how many people granted a purpose themselves where a
// machine's signal says no.
type OpposedCount struct {
	Purpose string `json:"purpose"`
	Status  string `json:"status" doc:"where they stand: given, if they consented in spite of the signal; else the signal stands in the way"`
	Signal  string `json:"opposed_by"`
	People  int64  `json:"people"`
}

// CountsAnswer is where an app's people stand.
type CountsAnswer struct {
	App     string         `json:"app"`
	Day     string         `json:"day,omitzero" format:"date" doc:"the day at whose end they stood there; absent: they stand there now"`
	Counts  []PeopleCount  `json:"counts" doc:"where they stand now, or stood at the end of the day by what was known then"`
	Voided  []VoidedCount  `json:"voided" doc:"now, whatever the day, as all that follows: answers that were recorded by mistake: they count for nobody, or as ask-again"`
	Opposed []OpposedCount `json:"opposed" doc:"whose own word a machine's signal is at odds with; who they are, consents/opposed lists"`
	Tests   int64          `json:"tests" doc:"how many are no people but tests, and not counted"`
	AsOf    string         `json:"as_of"`
}

type countsIn struct {
	App string `path:"app"`
	Day string `query:"day" doc:"where they stood at the end of this day in UTC, as in 2026-03-02, by what was known then (default: now)"`
	Min string `query:"min_position" doc:"wait up to 10 s until the answer holds at least this position"`
}

func (s *server) countRoute(api huma.API) {
	route(s, api, "count-consents", http.MethodGet, "/v1/apps/{app}/consents/counts",
		"How many people stand where with each purpose, tests left out", s.counts)
	s.opposedRoute(api)
	s.overTimeRoute(api)
	s.progressRoute(api)
	s.whoRoute(api)
	s.minorsRoute(api)
}

// whenOf reads the day of a query, at whose end people are counted: of today, and of no day, now.
func whenOf(text string, now deadline.Instant) (consents.When, error) {
	if text == "" {
		return consents.Now(now), nil
	}
	t, err := dayIn("day", text, now)
	if err != nil {
		return consents.When{}, err
	}

	day := deadline.At(t)
	if day.Add(deadline.Day) > now {
		return consents.Now(now), nil
	}
	return consents.EndOf(day), nil
}

func (s *server) counts(ctx context.Context, in *countsIn) (*out[CountsAnswer], error) {
	name, err := s.app(ctx, in.App)
	if err != nil {
		return nil, err
	}
	if err := s.wait(ctx, in.Min); err != nil {
		return nil, err
	}
	when, err := whenOf(in.Day, s.Ledger.Now())
	if err != nil {
		return nil, err
	}

	tests, asOf, err := s.Consents.Tests(ctx, name)
	if err != nil {
		return nil, err
	}

	// The counts are as of the same position or a later one.
	rows, _, err := s.Consents.Counts(ctx, name, when)
	if err != nil {
		return nil, err
	}

	a := CountsAnswer{
		App:     in.App,
		Day:     in.Day,
		Counts:  []PeopleCount{},
		Voided:  []VoidedCount{},
		Opposed: []OpposedCount{},
		Tests:   tests,
		AsOf:    wire.FormatPosition(asOf),
	}
	for _, r := range rows {
		a.Counts = append(a.Counts, PeopleCount{string(r.Purpose), r.Status.String(), r.People})
	}

	voided, _, err := s.Consents.Voided(ctx, name)
	if err != nil {
		return nil, err
	}

	for _, v := range voided {
		a.Voided = append(a.Voided, VoidedCount{v.Status.String(), v.Answers})
	}

	opposed, _, err := s.Consents.OpposedCounts(ctx, name, s.Ledger.Now())
	if err != nil {
		return nil, err
	}

	for _, o := range opposed {
		a.Opposed = append(a.Opposed, OpposedCount{string(o.Purpose), o.Status.String(), string(o.Signal), o.People})
	}
	return ok(a)
}
