package operator

import (
	"net/http"
	"slices"
	"strings"

	"consentledger/api/nats/subject"
)

// A Route says which route of HTTP a subject is.
type Route struct {
	Subject, Method, Path string
	InPath, InQuery       []string // members of the body that stand in the URL
	Events                bool     // the body is one event
	DryRun                bool     // it is asked what it would do
	File                  bool     // the body is a file: Content-Type says of which type, or its first bytes do
	AppInBody             bool     // HTTP has the app's name in the body: it becomes the subject's
}

// endpoint is the route's name in the service: query-state.
func (r Route) endpoint() string {
	_, name := subject.Parse(r.Subject)
	return strings.ReplaceAll(name, ".", "-")
}

// asks reports whether a route is a question, and records nothing.
func (r Route) asks() bool { return strings.Contains(r.Subject, ".query.") }

// Routes are all of them: what is recorded, each with its dry run, and what is asked.
var Routes = slices.Concat(commands, dryRuns(commands), questions)

// dryRuns returns the routes by which is asked what others would do.
func dryRuns(of []Route) (all []Route) {
	for _, r := range of {
		_, what := subject.Parse(r.Subject)
		r.Subject, r.DryRun = subject.Any+subject.DryRun(what), true
		all = append(all, r)
	}
	return all
}

// What operators record about persons and the app, voids, holds, exemptions, notes,
// signers and the steps of requests, incidents and obligations among it, comes in by the
// first.
var commands = []Route{
	{Subject: subject.Any + "operate", Method: http.MethodPost, Path: "/v1/apps/{app}/operator/events", Events: true},
	{Subject: subject.Any + "operate.app", Method: http.MethodPut, Path: "/v1/apps/{app}"},
	{Subject: subject.Any + "operate.environment", Method: http.MethodPost, Path: "/v1/apps/{app}/environment"},
	{Subject: subject.Any + "operate.policy", Method: http.MethodPost, Path: "/v1/apps/{app}/policies"},
	{Subject: subject.Any + "operate.surface", Method: http.MethodPost, Path: "/v1/apps/{app}/surfaces"},
	{Subject: subject.Any + "operate.picture", Method: http.MethodPost, Path: "/v1/apps/{app}/pictures", File: true},
	{Subject: subject.Any + "operate.calendar", Method: http.MethodPost, Path: "/v1/apps/{app}/calendars"},
	{Subject: subject.Any + "operate.propose", Method: http.MethodPost, Path: "/v1/apps/{app}/proposals"},
	{Subject: subject.Any + "operate.approve", Method: http.MethodPost, Path: "/v1/apps/{app}/proposals/{id}/approve", InPath: []string{"id"}},
	{Subject: subject.Any + "operate.decline", Method: http.MethodPost, Path: "/v1/apps/{app}/proposals/{id}/decline", InPath: []string{"id"}},
	{Subject: subject.Any + "operate.withdraw", Method: http.MethodPost, Path: "/v1/apps/{app}/proposals/{id}/withdraw", InPath: []string{"id"}},
	{Subject: subject.Any + "group", Method: http.MethodPost, Path: "/v1/groups/{group}/events", Events: true},
}

var questions = []Route{
	{Subject: subject.Any + "query.app", Method: http.MethodGet, Path: "/v1/apps/{app}"},
	{Subject: subject.Any + "query.state", Method: http.MethodPost, Path: "/v1/apps/{app}/subjects/state"},
	{Subject: subject.Any + "query.consents", Method: http.MethodPost, Path: "/v1/apps/{app}/subjects/consents", InQuery: []string{"min_position"}},
	{Subject: subject.Any + "query.history", Method: http.MethodPost, Path: "/v1/apps/{app}/subjects/history", InQuery: []string{"after", "limit"}},
	{Subject: subject.Any + "query.counts", Method: http.MethodGet, Path: "/v1/apps/{app}/consents/counts", InQuery: []string{"day", "min_position"}},
	{Subject: subject.Any + "query.over-time", Method: http.MethodGet, Path: "/v1/apps/{app}/consents/over-time", InQuery: []string{"by", "purpose", "version", "screen", "language", "build", "from", "until", "min_position"}},
	{Subject: subject.Any + "query.opposed", Method: http.MethodGet, Path: "/v1/apps/{app}/consents/opposed", InQuery: []string{"cursor", "limit", "min_position"}},
	{Subject: subject.Any + "query.minors", Method: http.MethodPost, Path: "/v1/apps/{app}/minors"},
	{Subject: subject.Any + "query.activity", Method: http.MethodGet, Path: "/v1/apps/{app}/activity", InQuery: []string{"from", "until", "by", "min_position"}},

	{Subject: subject.Any + "query.proof", Method: http.MethodGet, Path: "/log/{app}/proof", InQuery: []string{"event", "index", "cosigned", "wait"}},

	{Subject: subject.Any + "query.policies", Method: http.MethodGet, Path: "/v1/apps/{app}/policies", InQuery: []string{"known_at"}},
	{Subject: subject.Any + "query.policy", Method: http.MethodGet, Path: "/v1/apps/{app}/policies/{version}", InPath: []string{"version"}},
	{Subject: subject.Any + "query.policy-progress", Method: http.MethodGet, Path: "/v1/apps/{app}/policies/{version}/progress", InPath: []string{"version"}, InQuery: []string{"day", "min_position"}},
	{Subject: subject.Any + "query.policy-diff", Method: http.MethodPost, Path: "/v1/apps/{app}/policies/diff"},
	{Subject: subject.Any + "query.void-preview", Method: http.MethodPost, Path: "/v1/apps/{app}/voids/preview"},
	{Subject: subject.Any + "query.surfaces", Method: http.MethodGet, Path: "/v1/apps/{app}/surfaces"},
	{Subject: subject.Any + "query.surface", Method: http.MethodGet, Path: "/v1/apps/{app}/surfaces/{surface}", InPath: []string{"surface"}},
	{Subject: subject.Any + "query.calendars", Method: http.MethodGet, Path: "/v1/apps/{app}/calendars", InQuery: []string{"known_at"}},

	{Subject: subject.Any + "query.requests", Method: http.MethodPost, Path: "/v1/apps/{app}/requests/query"},
	{Subject: subject.Any + "query.request", Method: http.MethodGet, Path: "/v1/apps/{app}/requests/{id}", InPath: []string{"id"}, InQuery: []string{"as_of", "known_at", "min_position"}},
	{Subject: subject.Any + "query.request-next", Method: http.MethodGet, Path: "/v1/apps/{app}/requests/{id}/next", InPath: []string{"id"}},
	{Subject: subject.Any + "query.incidents", Method: http.MethodPost, Path: "/v1/apps/{app}/incidents/query"},
	{Subject: subject.Any + "query.incident", Method: http.MethodGet, Path: "/v1/apps/{app}/incidents/{id}", InPath: []string{"id"}, InQuery: []string{"as_of", "known_at", "min_position"}},
	{Subject: subject.Any + "query.incident-next", Method: http.MethodGet, Path: "/v1/apps/{app}/incidents/{id}/next", InPath: []string{"id"}},
	{Subject: subject.Any + "query.proposals", Method: http.MethodGet, Path: "/v1/apps/{app}/proposals", InQuery: []string{"state", "known_at"}},
	{Subject: subject.Any + "query.proposal", Method: http.MethodGet, Path: "/v1/apps/{app}/proposals/{id}", InPath: []string{"id"}, InQuery: []string{"known_at"}},
	{Subject: subject.Any + "query.obligations", Method: http.MethodPost, Path: "/v1/apps/{app}/obligations/query"},
	{Subject: subject.Any + "query.deadlines", Method: http.MethodPost, Path: "/v1/apps/{app}/reports/deadlines"},
	{Subject: subject.Any + "query.due", Method: http.MethodPost, Path: "/v1/deadlines/compute", AppInBody: true},
}
