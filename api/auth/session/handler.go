package session

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"

	"consentledger/api/auth"
	"consentledger/api/edge"

	"github.com/go-json-experiment/json"
)

// A Me is the answer to GET /v1/access/me.
type Me struct {
	Principal string           `json:"principal" doc:"the pseudonym by which records name who asks"`
	Bindings  []Binding        `json:"bindings"`
	May       []auth.Operation `json:"may" doc:"in one app at least"`
}

// A Binding is roles in some apps, or in all of them.
type Binding struct {
	Roles   []auth.Role `json:"roles"`
	Apps    []string    `json:"apps,omitempty" doc:"and groups of them, as in group:retail"`
	Reaches []string    `json:"reaches,omitzero" doc:"the apps that these groups have now; absent: none is named"`
	AllApps bool        `json:"all_apps,omitzero"`
}

// A SessionList is the answer to GET /v1/access/sessions.
type SessionList struct {
	Sessions []SessionRow `json:"sessions"`
}

// A SessionRow is what an administrator is told of a session.
type SessionRow struct {
	Principal string `json:"principal"`
	Way       Way    `json:"way" doc:"how they signed in"`
	Begun     string `json:"begun" format:"date-time"`
	Seen      string `json:"seen" format:"date-time"`
	Ends      string `json:"ends" format:"date-time"`
}

// An EndRequest is the body of POST /v1/access/sessions/end.
type EndRequest struct {
	Principal string `json:"principal" doc:"whose sessions end, as in p-abcdefghijkl"`
}

// An EndAnswer is the answer to it.
type EndAnswer struct {
	Principal string `json:"principal"`
	Ended     int    `json:"ended" doc:"how many sessions there were"`
}

// Patterns are the routes of [Handler].
var Patterns = []string{"GET /v1/access/me", "GET /v1/access/sessions", "POST /v1/access/sessions/end"}

// NoDryRun is why ending sessions has none.
const NoDryRun = "GET /v1/access/sessions shows whose sessions it would end"

// Handler returns the routes by which somebody asks who they are, and an administrator who
// is signed in. Where nobody is authenticated sessions are nil, and so nobody is signed in.
func Handler(sessions *Sessions, log *slog.Logger) http.Handler {
	h := &handler{sessions, log}
	mux := http.NewServeMux()
	mux.HandleFunc(Patterns[0], h.route(edge.Route{}, h.me))
	mux.HandleFunc(Patterns[1], h.route(edge.Route{}, h.list))
	ends := edge.Route{Types: []string{"application/json"}, NoDryRun: NoDryRun}
	mux.HandleFunc(Patterns[2], h.route(ends, h.end))
	return mux
}

type handler struct {
	sessions *Sessions
	log      *slog.Logger
}

func (h *handler) route(takes edge.Route, do func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		if h.sessions == nil {
			p := edge.Plain(http.StatusConflict,
				"nobody is authenticated here, so nobody is signed in: start serve with --authenticate")
			p.Type, p.Title, p.Code = "urn:consentledger:problem:not-authenticating",
				"Nobody is authenticated here", "not-authenticating"
			edge.Write(w, p)
			return
		}
		edge.Limit(w, r, 10*time.Second)
		if err := takes.Check(r); err != nil {
			h.fail(w, r, err)
			return
		}
		answer, err := do(r)
		if err != nil {
			h.fail(w, r, err)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.MarshalWrite(w, answer, json.Deterministic(true)) // who asked has gone
	}
}

func (h *handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	if no, is := errors.AsType[*edge.Refused](err); is {
		edge.Write(w, no.Problem)
		return
	}
	if errors.Is(err, errPrincipal) || errors.Is(err, errBody) {
		edge.Write(w, edge.Plain(http.StatusBadRequest, err.Error()))
		return
	}
	h.log.ErrorContext(r.Context(), "a request about sessions failed", "error", err)
	edge.Write(w, edge.Plain(http.StatusServiceUnavailable, auth.ErrAway.Error()))
}

func (h *handler) me(r *http.Request) (any, error) {
	p, _ := auth.From(r.Context())
	me := Me{Principal: p.Pseudonym, Bindings: []Binding{}, May: []auth.Operation{}}
	for _, b := range p.Bindings {
		one := Binding{Roles: b.Roles, Apps: b.Texts(), AllApps: b.AllApps}
		if len(b.Groups) > 0 {
			one.Reaches = append([]string{}, auth.Binding{Apps: b.Reached}.Texts()...)
		}
		me.Bindings = append(me.Bindings, one)
	}

	for _, row := range auth.Operations {
		if !row.Open && p.May(row.Operation) {
			me.May = append(me.May, row.Operation)
		}
	}
	return me, nil
}

func (h *handler) list(r *http.Request) (any, error) {
	all, err := h.sessions.List(r.Context())
	answer := SessionList{Sessions: []SessionRow{}}
	for _, l := range all {
		answer.Sessions = append(answer.Sessions,
			SessionRow{l.Principal, l.Way, l.Begun.String(), l.Seen.String(), l.Ends.String()})
	}
	return answer, err
}

var errBody = errors.New(`the body is no JSON object with the member that this takes, as in {"principal":"p-abcdefghijkl"}`)

func (h *handler) end(r *http.Request) (any, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 4<<10))
	if err != nil {
		return nil, errBody
	}
	var in EndRequest
	if err := json.Unmarshal(body, &in, json.RejectUnknownMembers(true)); err != nil {
		return nil, errBody
	}
	n, err := h.sessions.EndAll(r.Context(), in.Principal, ByAdministrator)
	return EndAnswer{in.Principal, n}, err
}
