package rest

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

// A StatusReport is how the ledger is doing. It names no person.
type StatusReport struct {
	Version     string           `json:"version"`
	Store       string           `json:"store,omitempty" doc:"what keeps the records: embedded, in the data directory; postgres; or esdb"`
	Vault       string           `json:"vault,omitempty" doc:"what keeps the persons: embedded or postgres"`
	Views       string           `json:"views,omitempty" doc:"what keeps the read models: embedded or postgres"`
	Started     string           `json:"started,omitempty" format:"date-time"`
	Head        string           `json:"head" doc:"the position of the last durable record"`
	Projections []Projection     `json:"projections,omitempty" doc:"and what else follows the log"`
	Reading     []Reading        `json:"reading,omitempty" doc:"questions under way that read the whole log"`
	Limits      *Limits          `json:"limits,omitempty" doc:"how much is taken at once"`
	Process     *Process         `json:"process,omitempty" doc:"where several processes serve one ledger: which of them answered"`
	Integrity   *IntegrityReport `json:"integrity,omitempty" doc:"whether what is recorded is what was signed"`
}

// IntegrityReport says whether what is recorded is what was signed, and who else could tell.
type IntegrityReport struct {
	ReadOnly  string       `json:"read_only,omitempty" doc:"why nothing can be recorded; absent: it can"`
	Mismatch  *LogMismatch `json:"mismatch,omitempty" doc:"the records are not those that were signed; absent: none was found"`
	Logs      []SignedLog  `json:"logs" doc:"of every app that has a signed checkpoint"`
	Witnessed bool         `json:"witnessed" doc:"the logs are shown to witnesses"`
	Backup    string       `json:"backup,omitempty" format:"date-time" doc:"when the newest backup began that this process sent whole; absent: none since it started, and of others the ledger does not know"`
}

// A LogMismatch is what is wrong with the log of an app, or that what signs it is lost.
type LogMismatch struct {
	App    string `json:"app"`
	Detail string `json:"detail"`
}

// A SignedLog is the newest signed checkpoint of an app's log.
type SignedLog struct {
	App       string        `json:"app"`
	Size      int64         `json:"size" doc:"records that the checkpoint covers"`
	Root      string        `json:"root" doc:"in base64, as in the checkpoint"`
	Verified  bool          `json:"verified" doc:"this process has read all of these records from the store and derived this root of them"`
	At        string        `json:"at,omitempty" format:"date-time" doc:"when it had; absent: not yet"`
	Witnesses *LogWitnesses `json:"witnesses,omitempty" doc:"absent: the logs are shown to none"`
}

// LogWitnesses is the newest that a quorum of a log's witnesses signed.
type LogWitnesses struct {
	Size  int64  `json:"size"`
	At    string `json:"at,omitempty" format:"date-time" doc:"absent: there was no quorum yet"`
	Error string `json:"error,omitempty" doc:"why it cannot be told"`
}

// A Process is one of several that serve one ledger.
type Process struct {
	Name  string   `json:"name"`
	Turns []string `json:"turns,omitempty" doc:"the work that it does now, of what one process does at a time: intake, follow-ups, checkpoints"`
}

// A Reading is how far a question is that reads the whole log.
type Reading struct {
	What     string `json:"what" doc:"as in audit report"`
	Started  string `json:"started" format:"date-time"`
	Position string `json:"position" doc:"what it has read last; it is done at head"`
}

// A Projection is how far one projection is, or another part that follows the
// log. Positions have gaps: how far it is behind is counted in records.
type Projection struct {
	Name     string `json:"name"`
	Position string `json:"position"`
	Behind   int    `json:"behind" doc:"records that it has not taken; no more than 10000 are counted"`
	Seconds  int64  `json:"seconds" doc:"since the oldest of them was recorded"`
	Error    string `json:"error,omitempty" doc:"why it stopped, or cannot tell how far it is behind"`
}

// A Check is one thing that must be well before requests should come; or, if it is
// an alarm, one that somebody must look at although the ledger can answer.
type Check struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail,omitempty"`
	Alarm  bool   `json:"alarm,omitzero" doc:"somebody must look, and the ledger can answer: this check does not change what is ok as a whole"`
}

// Health is ok if every check is that is no alarm: then the ledger can answer. If it is
// not, the checks that are not well are shown; if ?verbose is asked for, all of them, and
// the alarms. An alarm does not change what is ok: one message of one app would keep all
// others from being answered.
type Health struct {
	OK     bool    `json:"ok"`
	Checks []Check `json:"checks,omitempty"`
	Alarms []Alarm `json:"alarms,omitempty"`
}

// An Alarm is something that somebody must look at. It stays until somebody
// did, or until what it is about has ended.
type Alarm struct {
	Name   string `json:"name" example:"rejected-messages"`
	App    string `json:"app,omitempty" doc:"whose it is; absent: the ledger's own"`
	Count  int    `json:"count,omitzero" doc:"how many things there are to look at"`
	Since  string `json:"since,omitempty" format:"date-time"`
	Detail string `json:"detail"`
	See    string `json:"see,omitempty" doc:"the command that shows it"`
}

// AlarmList is every alarm there is now.
type AlarmList struct {
	OK     bool    `json:"ok" doc:"there is none"`
	Alarms []Alarm `json:"alarms"`
}

type none struct{}

type verboseIn struct{ verbose bool }

// Resolve reads a parameter that has no value.
func (in *verboseIn) Resolve(c huma.Context) []error {
	u := c.URL()
	in.verbose = u.Query().Has("verbose")
	return nil
}

func (s *server) healthRoutes(api huma.API, mux *http.ServeMux) {
	route(s, api, "get-status", http.MethodGet, "/v1/status", "How the ledger is doing",
		func(ctx context.Context, _ *none) (*out[StatusReport], error) { return ok(s.Status(ctx)) })
	route(s, api, "list-alarms", http.MethodGet, "/v1/alarms",
		"What somebody must look at; it stays until somebody did",
		func(ctx context.Context, _ *none) (*out[AlarmList], error) {
			list := s.alarms(ctx)
			return ok(AlarmList{OK: len(list) == 0, Alarms: list})
		})
	route(s, api, "livez", http.MethodGet, "/livez", "The process answers",
		func(context.Context, *none) (*out[Health], error) { return ok(Health{OK: true}) })
	route(s, api, "readyz", http.MethodGet, "/readyz",
		"The ledger can answer; a 503 names what cannot; ?verbose lists the checks, and the alarms", s.ready)
	route(s, api, "healthz", http.MethodGet, "/healthz", "The same as /readyz", s.ready)
	for _, path := range []string{"/readyz", "/healthz"} {
		get := api.OpenAPI().Paths[path].Get
		get.Parameters = append(get.Parameters, &huma.Param{
			Name:            "verbose",
			In:              "query",
			AllowEmptyValue: true,
			Schema:          &huma.Schema{Type: huma.TypeString},
		})
		get.Responses["503"] = &huma.Response{Description: "A check is not well; checks says which",
			Content: get.Responses["200"].Content}
	}

	mux.HandleFunc("GET /{$}", root)
}

func (s *server) ready(ctx context.Context, in *verboseIn) (*out[Health], error) {
	h := Health{OK: true}
	checks := s.Ready(ctx)
	for _, c := range checks {
		if !c.OK && !c.Alarm {
			h.OK = false
			h.Checks = append(h.Checks, c)
		}
	}

	if in.verbose {
		h.Checks, h.Alarms = checks, s.alarms(ctx)
	}
	if !h.OK {
		return &out[Health]{http.StatusServiceUnavailable, h}, nil
	}
	return ok(h)
}

func (s *server) alarms(ctx context.Context) []Alarm {
	if s.Alarms == nil {
		return []Alarm{}
	}
	return append([]Alarm{}, s.Alarms(ctx)...)
}

func root(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'")
	w.Write([]byte(page))
}

const page = `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>consentledger</title>
<h1>consentledger</h1>
<ul>
<li><a href="/ui/">/ui/</a>: the pages
<li><a href="/openapi.json">/openapi.json</a>, <a href="/openapi.yaml">.yaml</a>: every route; <a href="/asyncapi.json">/asyncapi.json</a>: every subject of NATS
<li><a href="/v1/apps">/v1/apps</a>
<li><a href="/v1/status">/v1/status</a>
<li><a href="/readyz?verbose">/readyz?verbose</a>, <a href="/livez">/livez</a>
<li><a href="/v1/alarms">/v1/alarms</a>
</ul>
`
