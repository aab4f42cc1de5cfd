package auth

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"

	"consentledger/api/edge"
	"consentledger/api/wire"
	"consentledger/domain/deadline"
	"consentledger/eventstore/rehearsal"

	"github.com/go-json-experiment/json"
)

// A NewKeyRequest is the body of POST /v1/access/keys.
type NewKeyRequest struct {
	Name      string   `json:"name" doc:"whose it is, for those who look after keys"`
	Principal string   `json:"principal,omitempty" doc:"of who has a key already; absent: somebody new"`
	Roles     []string `json:"roles" doc:"as in writer; docs/access.md lists them"`
	Apps      []string `json:"apps,omitempty" doc:"in which the roles hold; group:retail stands for the apps that are registered with the group retail"`
	AllApps   bool     `json:"all_apps,omitempty" doc:"they hold in every app, instead of apps"`
	Days      int      `json:"days" minimum:"1" doc:"until it ends"`
}

// A RotateRequest is the body of POST /v1/access/keys/{id}/rotate.
type RotateRequest struct {
	OverlapHours int `json:"overlap_hours" minimum:"0" doc:"for how long the older key goes on"`
}

// A KeyAnswer is what is told of a key. The key itself is told once, when it is made.
type KeyAnswer struct {
	ID        string   `json:"id"`
	Key       string   `json:"key,omitempty" doc:"the key itself, shown once, when it is made"`
	Principal string   `json:"principal" doc:"the pseudonym by which records name who has it"`
	Name      string   `json:"name" doc:"empty: it was erased"`
	Roles     []Role   `json:"roles"`
	Apps      []string `json:"apps,omitempty" doc:"and groups of them, as in group:retail"`
	Reaches   []string `json:"reaches,omitzero" doc:"the apps that its groups have now; absent: it names no group"`
	AllApps   bool     `json:"all_apps,omitzero"`
	Created   string   `json:"created" format:"date-time"`
	Expires   string   `json:"expires" format:"date-time"`
	Revoked   string   `json:"revoked,omitempty" format:"date-time"`
	State     string   `json:"state" enum:"good,ended,revoked"`
}

// A KeyList is the answer to GET /v1/access/keys.
type KeyList struct {
	Keys []KeyAnswer `json:"keys"`
}

// Answer returns what is told of a key.
func (l Listed) Answer(now deadline.Instant) KeyAnswer {
	a := KeyAnswer{
		ID: l.ID, Principal: l.Principal, Name: l.Name, Roles: l.Roles, AllApps: l.AllApps,
		Apps: appTexts(l.Apps, l.Groups), Created: l.Created.String(), Expires: l.Expires.String(), State: "good",
	}
	if len(l.Groups) > 0 {
		a.Reaches = append([]string{}, appTexts(l.Reached, nil)...)
	}

	switch {
	case l.Revoked != 0:
		a.Revoked, a.State = l.Revoked.String(), "revoked"
	case l.Ended(now):
		a.State = "ended"
	}
	return a
}

// Wish returns what a request asks for.
func (r NewKeyRequest) Wish() (Wish, error) {
	w := Wish{Name: r.Name, Principal: r.Principal, AllApps: r.AllApps, Lasts: time.Duration(r.Days) * 24 * time.Hour}
	for _, text := range r.Roles {
		role, err := ParseRole(text)
		if err != nil {
			return Wish{}, invalid("roles", "roles: "+err.Error())
		}
		w.Roles = append(w.Roles, role)
	}

	var err error
	if w.Apps, w.Groups, err = ParseApps(r.Apps); err != nil {
		return Wish{}, invalid("apps", "apps: "+err.Error())
	}
	return w, nil
}

// Handler returns the routes by which keys are issued. Where nobody is authenticated
// keys are nil, and so nobody issues any: who does so would be let in later.
func Handler(keys *Keys, log *slog.Logger) http.Handler {
	m := &manager{keys: keys, log: log}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/access/keys", m.route(edge.Route{}, (*manager).list))
	mux.HandleFunc("POST /v1/access/keys", m.route(takesJSON, (*manager).issue))
	mux.HandleFunc("POST /v1/access/keys/{id}/rotate", m.route(takesJSON, (*manager).rotate))
	mux.HandleFunc("POST /v1/access/keys/{id}/revoke", m.route(takesNothing, (*manager).revoke))
	mux.HandleFunc("GET /v1/access/principals/{id}", m.route(edge.Route{}, (*manager).principal))
	mux.HandleFunc("POST /v1/access/principals/{id}/erase", m.route(takesNothing, (*manager).forget))
	return mux
}

var (
	takesJSON    = edge.Route{Types: []string{"application/json"}, Flags: []string{edge.DryRun}}
	takesNothing = edge.Route{Flags: []string{edge.DryRun}}
)

type manager struct {
	keys *Keys
	log  *slog.Logger
	dry  bool // nothing is kept
}

func (m *manager) route(takes edge.Route, do func(*manager, *http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		if m.keys == nil {
			edge.Write(w, problem(http.StatusConflict, "not-authenticating", "Nobody is authenticated here",
				"nobody is authenticated here, so nobody may issue keys: start serve with --authenticate"))
			return
		}
		edge.Limit(w, r, 10*time.Second)
		if err := takes.Check(r); err != nil {
			m.fail(w, r, err)
			return
		}
		does := do
		if r.URL.Query().Has(edge.DryRun) {
			does = rehearsed(do)
		}
		answer, err := does(m, r)
		if err != nil {
			m.fail(w, r, err)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.MarshalWrite(w, answer, json.Deterministic(true)) // who asked has gone
	}
}

// rehearsed returns what answers what would be done. Nothing is kept, and a key that would
// be made is not shown: it would let nobody in.
func rehearsed(do func(*manager, *http.Request) (any, error)) func(*manager, *http.Request) (any, error) {
	return func(m *manager, r *http.Request) (any, error) {
		dry, err := m.keys.Rehearse(r.Context())
		if err != nil {
			return nil, err
		}

		keys := &Keys{
			Rows: rehearsal.OverRows(m.keys.Rows), Now: m.keys.Now, Execute: dry.Execute, Apps: m.keys.Apps,
			Groups: m.keys.Groups, FileGroups: m.keys.FileGroups,
		}
		answer, err := do(&manager{keys: keys, log: m.log, dry: true}, r)
		if err != nil {
			return nil, err
		}

		text, err := json.Marshal(answer, json.Deterministic(true))
		if err != nil {
			return nil, err
		}
		entries, err := dry.Recorded()
		if err != nil {
			return nil, err
		}
		return wire.DryRunOf(entries, text)
	}
}

func (m *manager) fail(w http.ResponseWriter, r *http.Request, err error) {
	if no, is := errors.AsType[*edge.Refused](err); is {
		edge.Write(w, no.Problem)
		return
	}
	if errors.Is(err, ErrNoSuchKey) || errors.Is(err, ErrNoSuchPrincipal) {
		edge.Write(w, problem(http.StatusNotFound, "not-found", "Not found", err.Error()))
		return
	}
	p := wire.ProblemOf(err)
	if p.Status >= http.StatusInternalServerError {
		m.log.ErrorContext(r.Context(), "a request about keys failed", "err", err)
	}
	edge.Write(w, p)
}

func (m *manager) list(r *http.Request) (any, error) {
	list, err := m.keys.List(r.Context())
	answer := KeyList{Keys: []KeyAnswer{}}
	for _, l := range list {
		answer.Keys = append(answer.Keys, l.Answer(m.keys.Now()))
	}
	return answer, err
}

func (m *manager) issue(r *http.Request) (any, error) {
	var in NewKeyRequest
	if err := read(r, &in); err != nil {
		return nil, err
	}
	w, err := in.Wish()
	if err != nil {
		return nil, err
	}
	key, l, err := m.keys.Issue(r.Context(), w, Recorder(r.Context()))
	if err != nil {
		return nil, err
	}
	return m.shown(key, l), nil
}

func (m *manager) rotate(r *http.Request) (any, error) {
	var in RotateRequest
	if err := read(r, &in); err != nil {
		return nil, err
	}
	overlap := time.Duration(in.OverlapHours) * time.Hour
	key, l, err := m.keys.Rotate(r.Context(), r.PathValue("id"), overlap, Recorder(r.Context()))
	if err != nil {
		return nil, err
	}
	return m.shown(key, l), nil
}

func (m *manager) revoke(r *http.Request) (any, error) {
	l, err := m.keys.Revoke(r.Context(), r.PathValue("id"), Recorder(r.Context()))
	if err != nil {
		return nil, err
	}
	return l.Answer(m.keys.Now()), nil
}

// shown is the answer with a key that was made.
func (m *manager) shown(key Key, l Listed) KeyAnswer {
	if m.dry {
		return l.Answer(m.keys.Now())
	}
	return l.Shown(key, m.keys.Now())
}

// Shown is the one answer that holds a key, for who asked for it.
func (l Listed) Shown(key Key, now deadline.Instant) KeyAnswer {
	a := l.Answer(now)
	a.Key = key.Reveal()
	return a
}

func read(r *http.Request, into any) error {
	body, err := io.ReadAll(io.LimitReader(r.Body, 64<<10))
	if err == nil {
		err = json.Unmarshal(body, into, json.RejectUnknownMembers(true))
	}
	if err != nil {
		return invalid("", "the body is no JSON object with the members that this takes; see docs/access.md")
	}
	return nil
}
