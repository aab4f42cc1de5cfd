package natsrest

import (
	"net/http"
	"strings"
)

// prefix begins every subject; an app's or a group's name follows.
const prefix = "consent.v1."

// A Route says which route of HTTP a subject is.
type Route struct {
	Subject, Method, Path string
	InPath, InQuery       []string // members of the body that stand in the URL
	Events                bool     // the body is one event
	AppInBody             bool     // HTTP has the app's name in the body: it becomes the subject's
}

// endpoint is the route's name in the service: query-state.
func (r Route) endpoint() string {
	_, name, _ := strings.Cut(strings.TrimPrefix(r.Subject, prefix), ".")
	return strings.ReplaceAll(name, ".", "-")
}

// asks reports whether a route is a question, and records nothing.
func (r Route) asks() bool { return strings.Contains(r.Subject, ".query.") }

// Routes are all of them. What operators record about persons and the app,
// voids, holds, exemptions, notes, signers and the steps of requests, incidents
// and obligations among it, comes in by the first.
var Routes = []Route{
	{Subject: "consent.v1.*.operate", Method: http.MethodPost, Path: "/v1/apps/{app}/operator/events", Events: true},
	{Subject: "consent.v1.*.operate.app", Method: http.MethodPut, Path: "/v1/apps/{app}"},
	{Subject: "consent.v1.*.operate.environment", Method: http.MethodPost, Path: "/v1/apps/{app}/environment"},
	{Subject: "consent.v1.*.operate.policy", Method: http.MethodPost, Path: "/v1/apps/{app}/policies"},
	{Subject: "consent.v1.*.operate.surface", Method: http.MethodPost, Path: "/v1/apps/{app}/surfaces"},
	{Subject: "consent.v1.*.operate.calendar", Method: http.MethodPost, Path: "/v1/apps/{app}/calendars"},
	{Subject: "consent.v1.*.group", Method: http.MethodPost, Path: "/v1/groups/{group}/events", Events: true},

	{Subject: "consent.v1.*.query.app", Method: http.MethodGet, Path: "/v1/apps/{app}"},
	{Subject: "consent.v1.*.query.state", Method: http.MethodPost, Path: "/v1/apps/{app}/subjects/state"},
	{Subject: "consent.v1.*.query.consents", Method: http.MethodPost, Path: "/v1/apps/{app}/subjects/consents", InQuery: []string{"min_position"}},
	{Subject: "consent.v1.*.query.history", Method: http.MethodPost, Path: "/v1/apps/{app}/subjects/history", InQuery: []string{"after", "limit"}},
	{Subject: "consent.v1.*.query.counts", Method: http.MethodGet, Path: "/v1/apps/{app}/consents/counts", InQuery: []string{"min_position"}},
	{Subject: "consent.v1.*.query.opposed", Method: http.MethodGet, Path: "/v1/apps/{app}/consents/opposed", InQuery: []string{"cursor", "limit", "min_position"}},
	{Subject: "consent.v1.*.query.activity", Method: http.MethodGet, Path: "/v1/apps/{app}/activity", InQuery: []string{"from", "until", "min_position"}},

	{Subject: "consent.v1.*.query.proof", Method: http.MethodGet, Path: "/log/{app}/proof", InQuery: []string{"event", "index", "cosigned", "wait"}},

	{Subject: "consent.v1.*.query.policies", Method: http.MethodGet, Path: "/v1/apps/{app}/policies"},
	{Subject: "consent.v1.*.query.policy", Method: http.MethodGet, Path: "/v1/apps/{app}/policies/{version}", InPath: []string{"version"}},
	{Subject: "consent.v1.*.query.policy-diff", Method: http.MethodPost, Path: "/v1/apps/{app}/policies/diff"},
	{Subject: "consent.v1.*.query.void-preview", Method: http.MethodPost, Path: "/v1/apps/{app}/voids/preview"},
	{Subject: "consent.v1.*.query.surfaces", Method: http.MethodGet, Path: "/v1/apps/{app}/surfaces"},
	{Subject: "consent.v1.*.query.surface", Method: http.MethodGet, Path: "/v1/apps/{app}/surfaces/{surface}", InPath: []string{"surface"}},
	{Subject: "consent.v1.*.query.calendars", Method: http.MethodGet, Path: "/v1/apps/{app}/calendars"},

	{Subject: "consent.v1.*.query.requests", Method: http.MethodPost, Path: "/v1/apps/{app}/requests/query"},
	{Subject: "consent.v1.*.query.request", Method: http.MethodGet, Path: "/v1/apps/{app}/requests/{id}", InPath: []string{"id"}, InQuery: []string{"as_of", "known_at", "min_position"}},
	{Subject: "consent.v1.*.query.incidents", Method: http.MethodPost, Path: "/v1/apps/{app}/incidents/query"},
	{Subject: "consent.v1.*.query.incident", Method: http.MethodGet, Path: "/v1/apps/{app}/incidents/{id}", InPath: []string{"id"}, InQuery: []string{"as_of", "known_at", "min_position"}},
	{Subject: "consent.v1.*.query.obligations", Method: http.MethodPost, Path: "/v1/apps/{app}/obligations/query"},
	{Subject: "consent.v1.*.query.deadlines", Method: http.MethodPost, Path: "/v1/apps/{app}/reports/deadlines"},
	{Subject: "consent.v1.*.query.due", Method: http.MethodPost, Path: "/v1/deadlines/compute", AppInBody: true},
}
