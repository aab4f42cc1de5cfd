package rest

import (
	"context"
	"net/http"
	"slices"
	"time"

	"consentledger/api/auth"
	"consentledger/api/query"
	"consentledger/api/wire"
	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore"
	"consentledger/eventstore/ledger"
	"consentledger/projections/activity"
	"consentledger/projections/consents"

	"github.com/danielgtaylor/huma/v2"
)

// Consents says where persons stand; see [consents.View].
type Consents interface {
	Counts(ctx context.Context, app ident.AppName, when consents.When) ([]consents.Count, eventstore.Position, error)
	Touched(
		ctx context.Context, app ident.AppName, c consents.Change,
	) (map[policy.PurposeID]int64, eventstore.Position, error)
	Bands(
		ctx context.Context, app ident.AppName, when consents.When,
	) (counts []consents.BandCount, erased int64, asOf eventstore.Position, err error)
	Minors(
		ctx context.Context, app ident.AppName, when consents.When, after consents.MinorCursor, limit int,
	) ([]consents.Minor, consents.MinorCursor, eventstore.Position, error)
	Tests(ctx context.Context, app ident.AppName) (int64, eventstore.Position, error)
	Voided(ctx context.Context, app ident.AppName) ([]consents.VoidedCount, eventstore.Position, error)
	OpposedCounts(
		ctx context.Context, app ident.AppName, at deadline.Instant,
	) ([]consents.OpposedCount, eventstore.Position, error)
	Progress(
		ctx context.Context, app ident.AppName, version content.Hash, since deadline.Instant, when consents.When,
	) (map[policy.PurposeID]consents.Progress, eventstore.Position, error)
	Who(ctx context.Context, app ident.AppName, purpose policy.PurposeID, at deadline.Instant, after consents.Cursor,
		limit int) ([]consents.Row, consents.Cursor, eventstore.Position, error)
	Opposed(
		ctx context.Context, app ident.AppName, at deadline.Instant, after consents.Cursor, limit int,
	) ([]consents.Row, consents.Cursor, eventstore.Position, error)
}

// Policies counts the published versions of every app.
type Policies interface {
	Apps(ctx context.Context) ([]AppCount, eventstore.Position, error)
	// AppsBy counts those of apps and versions that were recorded by a moment.
	AppsBy(ctx context.Context, at deadline.Instant) ([]AppCount, eventstore.Position, error)
}

// Activity counts an app's events by day. From and until are days as in 2026-03-02, both included.
type Activity interface {
	// Days counts events by day and type. An empty day is no bound.
	Days(
		ctx context.Context, app ident.AppName, from, until string,
	) (days []Day, tests int64, asOf eventstore.Position, err error)

	// Hours counts events by hour and type.
	Hours(
		ctx context.Context, app ident.AppName, from, until string,
	) (hours []Day, tests int64, asOf eventstore.Position, err error)

	// Answers is [activity.View.Answers].
	Answers(ctx context.Context, app ident.AppName, counts ...activity.Count) (asOf eventstore.Position, err error)
}

// A Consent is where a person stands with one purpose.
type Consent struct {
	Purpose string   `json:"purpose"`
	Status  string   `json:"status"`
	Since   string   `json:"since,omitempty" format:"date-time"`
	Until   string   `json:"until,omitempty" format:"date-time"`
	Policy  string   `json:"policy,omitempty"`
	Version string   `json:"version,omitempty"`
	Act     string   `json:"act,omitempty"`
	Because []string `json:"because,omitempty" doc:"the events that prove it"`
	Numbers []uint64 `json:"sequences,omitempty" doc:"the numbers that their sources gave these events, in their order; 0: none; absent: none has one"`

	Declared bool `json:"declared" doc:"by a policy in force now"`

	Signal  string `json:"signal,omitempty" doc:"the machine's signal, such as gpc, by which the refusal or withdrawal was said"`
	Opposed string `json:"opposed_by,omitempty" doc:"a machine's signal that says no where the person said yes"`
}

// An AppCount is an app and how many policy versions it published.
type AppCount struct {
	App      string `json:"app"`
	Policies int    `json:"policies"`
}

// A Day is how many events of a type an app recorded on a day, or in an hour of it.
type Day struct {
	Day   string `json:"day" format:"date"`
	Hour  string `json:"hour,omitempty" example:"13:00" doc:"when the hour begins, in UTC; absent: the whole day"`
	Type  string `json:"type"`
	Count int64  `json:"count"`

	Voided int64 `json:"voided,omitzero" doc:"how many of them were mistakes, and are voided"`
}

// ConsentsAnswer is where a person stands with every purpose.
type ConsentsAnswer struct {
	App      string    `json:"app"`
	Consents []Consent `json:"consents"`
	AsOf     string    `json:"as_of"`
}

// AppsAnswer is every app.
type AppsAnswer struct {
	KnownAt string     `json:"known_at,omitzero" format:"date-time" doc:"only what was known then counts"`
	Apps    []AppCount `json:"apps"`
	AsOf    string     `json:"as_of"`
}

// ActivityAnswer is an app's days.
type ActivityAnswer struct {
	App  string `json:"app"`
	Days []Day  `json:"days"`

	Tests int64 `json:"tests" doc:"how many are no persons but tests, and left out of every day"`

	AsOf string `json:"as_of"`
}

type appsIn struct {
	Min     string `query:"min_position" doc:"wait up to 10 s until the answer holds at least this position"`
	KnownAt string `query:"known_at" doc:"RFC 3339; only what was known then counts (default: now)"`
}

type activityIn struct {
	App   string `path:"app"`
	From  string `query:"from" doc:"a day, as in 2026-03-02"`
	Until string `query:"until" doc:"a day, included"`
	By    string `query:"by" enum:"day,hour" doc:"hour: of at most 31 days; absent: day"`
	Min   string `query:"min_position" doc:"wait up to 10 s until the answer holds at least this position"`
}

// mostHourDays is of how many days hours are told at once.
const mostHourDays = 31

func (s *server) activityRoute(api huma.API) {
	route(s, api, "get-activity", http.MethodGet, "/v1/apps/{app}/activity",
		"Events by day or hour and type, tests left out", s.activity)
}

func (s *server) consents(ctx context.Context, app, id, min string) (*out[ConsentsAnswer], error) {
	name, who, err := s.person(ctx, app, id)
	if err != nil {
		return nil, err
	}
	if _, err := s.reached(ctx, min); err != nil {
		return nil, err
	}

	// The fold knows of this person all that was recorded up to the head, or more.
	head, err := s.Ledger.Head(ctx)
	if err != nil {
		return nil, err
	}
	state, err := s.Ledger.State(ctx, name, who, ledger.AsOf{})
	if err != nil {
		return nil, err
	}
	now := s.Ledger.Now()
	declared := state.Reference.Policies.Declared(now)
	a := ConsentsAnswer{app, []Consent{}, wire.FormatPosition(max(head, state.Position))}
	for _, id := range declared {
		a.Consents = append(a.Consents, consentOf(id, state.Subject.Standing(id, now, state.Reference), true))
	}
	for _, id := range state.Subject.Spoken(state.Reference) {
		if !slices.Contains(declared, id) {
			a.Consents = append(a.Consents, consentOf(id, state.Subject.Standing(id, now, state.Reference), false))
		}
	}
	return ok(a)
}

// consentOf says a standing with a purpose, which a policy in force declares or not.
func consentOf(id policy.PurposeID, r domain.Standing, declared bool) Consent {
	c := Consent{
		Purpose:  string(id),
		Status:   r.Status.String(),
		Policy:   r.Policy,
		Act:      string(r.Act),
		Declared: declared,
		Numbers:  r.Numbers,
		Signal:   string(r.Signal),
		Opposed:  string(r.Opposed.Signal),
	}
	if r.Since != 0 {
		c.Since = r.Since.String()
	}
	if r.Until != 0 {
		c.Until = r.Until.String()
	}
	if r.Version != (content.Hash{}) {
		c.Version = r.Version.String()
	}

	for _, id := range r.Because {
		c.Because = append(c.Because, eventstore.EventID(id).String())
	}
	return c
}

func (s *server) listApps(ctx context.Context, in *appsIn) (*out[AppsAnswer], error) {
	if err := s.wait(ctx, in.Min); err != nil {
		return nil, err
	}
	apps := s.Policies.Apps
	if in.KnownAt != "" {
		at, err := s.past("known_at", in.KnownAt)
		if err != nil {
			return nil, err
		}
		apps = func(ctx context.Context) ([]AppCount, eventstore.Position, error) { return s.Policies.AppsBy(ctx, at) }
	}
	rows, p, err := apps(ctx)
	if err != nil {
		return nil, err
	}
	rows = slices.DeleteFunc(rows, func(r AppCount) bool { return !auth.Sees(ctx, ident.AppName(r.App)) })
	return ok(AppsAnswer{in.KnownAt, rows, wire.FormatPosition(p)})
}

func (s *server) activity(ctx context.Context, in *activityIn) (*out[ActivityAnswer], error) {
	name, err := s.app(ctx, in.App)
	if err != nil {
		return nil, err
	}

	for _, day := range []struct{ member, text string }{{"from", in.From}, {"until", in.Until}} {
		first, err := time.Parse(time.DateOnly, day.text)
		if day.text != "" && err != nil {
			return nil, bad(day.member + ": a day is written as in 2026-03-02")
		}
		if _, err := query.HasCome(day.member, deadline.At(first), s.Ledger.Now()); err != nil {
			return nil, err
		}
	}

	if in.Until != "" && in.Until < in.From { // days of one form are in the order of their texts
		return nil, bad("until: is before from")
	}
	if err := s.wait(ctx, in.Min); err != nil {
		return nil, err
	}

	count := s.Activity.Days
	switch in.By {
	case "", "day":
	case "hour":
		first, err1 := time.Parse(time.DateOnly, in.From)
		last, err2 := time.Parse(time.DateOnly, in.Until)
		if err1 != nil || err2 != nil || last.Sub(first) >= mostHourDays*24*time.Hour {
			return nil, bad("by: hours are of the days from one to another: say from and until, at most 31 days")
		}
		count = s.Activity.Hours
	default:
		return nil, bad("by: is day or hour")
	}

	rows, tests, p, err := count(ctx, name, in.From, in.Until)
	if err != nil {
		return nil, err
	}
	return ok(ActivityAnswer{App: in.App, Days: rows, Tests: tests, AsOf: wire.FormatPosition(p)})
}
