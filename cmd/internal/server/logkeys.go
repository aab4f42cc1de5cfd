package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"consentledger/api/edge"
	"consentledger/cmd/internal/exit"
	"consentledger/domain"
	"consentledger/domain/catalog"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore/ledger"
	"consentledger/projections/transparency"
)

// A LogKeysReport is the answer to GET /v1/apps/{app}/log/keys: verifier keys, which may be
// given to everybody.
type LogKeysReport struct {
	App    string         `json:"app"`
	Key    string         `json:"key" doc:"what the log is verified with"`
	Joined *time.Time     `json:"joined,omitempty" doc:"when that key joined; absent: the log began with it"`
	Next   string         `json:"next,omitempty" doc:"the key that signs beside it; absent: none does"`
	Since  *time.Time     `json:"since,omitempty" doc:"when the next key joined"`
	Signed bool           `json:"signed" doc:"whether the newest checkpoint carries a signature of every key"`
	Former []FormerLogKey `json:"former,omitempty" doc:"keys that signed before; what they signed still verifies"`
}

// A FormerLogKey signed a log, and signs no more.
type FormerLogKey struct {
	Key     string     `json:"key"`
	Joined  *time.Time `json:"joined,omitempty" doc:"absent: the log began with it"`
	Retired time.Time  `json:"retired"`
}

const logKeysAtOnce = "it makes or takes a key and nothing else; GET /v1/apps/{app}/log/keys shows which there are"

// keysWait is how long a request waits for a checkpoint that carries the signatures that it
// should.
const keysWait = 20 * time.Second

func (h *Server) logKeys(w http.ResponseWriter, r *http.Request) {
	h.answerLogKeys(w, r, edge.Route{}, func(context.Context, ident.AppName) error { return nil })
}

func (h *Server) beginLogKey(w http.ResponseWriter, r *http.Request) {
	takes := edge.Route{NoDryRun: logKeysAtOnce}
	h.answerLogKeys(w, r, takes, func(ctx context.Context, app ident.AppName) error {
		return h.Logs.JoinKey(ctx, app, time.Now())
	})
}

func (h *Server) finishLogKey(w http.ResponseWriter, r *http.Request) {
	takes := edge.Route{NoDryRun: logKeysAtOnce}
	h.answerLogKeys(w, r, takes, func(ctx context.Context, app ident.AppName) error {
		if err := h.cosignedByNext(ctx, app); err != nil {
			return err
		}
		return h.Logs.RetireKey(ctx, app, time.Now())
	})
}

// cosignedByNext refuses to retire a key while the newest checkpoint that witnesses signed
// carries its signature alone: evidence is taken from there, and verified by the next key.
func (h *Server) cosignedByNext(ctx context.Context, app ident.AppName) error {
	if h.witnesses == nil {
		return nil
	}
	keys, err := h.Logs.Keep.Keys(ctx, app)
	if err != nil || keys.Next == "" {
		return err
	}
	_, signed, err := h.witnesses.Cosigned(app)
	if errors.Is(err, transparency.ErrNotThere) {
		return nil
	}
	if err != nil {
		return err
	}
	if !transparency.IsSignedBy(signed, keys.Next) {
		return exit.Conflict(errors.New("the newest checkpoint that the witnesses signed does not carry the " +
			"signature of the next key yet: they are asked again soon, see consentledger log show-witnesses"))
	}
	return nil
}

// answerLogKeys does something with the keys of an app's log, and answers how they are then.
func (h *Server) answerLogKeys(
	w http.ResponseWriter, r *http.Request, takes edge.Route, do func(context.Context, ident.AppName) error,
) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	edge.Limit(w, r, keysWait+10*time.Second)
	if err := takes.Check(r); err != nil {
		edge.Write(w, refusedOf(err))
		return
	}
	app, err := ident.ParseAppName(r.PathValue("app"))
	if err != nil {
		edge.Write(w, edge.Plain(http.StatusNotFound, "there is no such app"))
		return
	}

	// What is begun is finished, also if nobody waits for the answer.
	ctx := context.WithoutCancel(r.Context())
	short, cancel := context.WithTimeout(ctx, keysWait)
	defer cancel()
	_, err = h.Logs.Checkpoint(app) // an app that has no log has no keys
	if err == nil {
		err = do(short, app)
	}
	if err == nil {
		err = h.recordLogKeys(ctx, app)
	}
	var report LogKeysReport
	if err == nil {
		report, err = h.logKeysOf(ctx, app)
	}
	if err != nil {
		h.failLogKeys(w, app, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(report) // who asked has gone
}

func (h *Server) failLogKeys(w http.ResponseWriter, app ident.AppName, err error) {
	text := fmt.Sprintf("app %s: %v", app, err)
	_, conflict := errors.AsType[exit.ConflictError](err)
	switch {
	case conflict:
		edge.Write(w, edge.Plain(http.StatusConflict, err.Error()))
	case errors.Is(err, transparency.ErrOverlap), errors.Is(err, transparency.ErrNoOverlap),
		errors.Is(err, transparency.ErrNotSigned), errors.Is(err, transparency.ErrChanged):
		edge.Write(w, edge.Plain(http.StatusConflict, text))
	case errors.Is(err, transparency.ErrNotThere):
		edge.Write(w, edge.Plain(http.StatusNotFound, "the app has no log yet: it begins with the app's first record"))
	case errors.Is(err, transparency.ErrNotReady):
		edge.Write(w, edge.Plain(http.StatusServiceUnavailable, text))
	default:
		h.Log.Error("the keys of a log", "app", app, "error", err)
		edge.Write(w, edge.Plain(http.StatusInternalServerError,
			"the keys could not be read or changed: the server's log says why"))
	}
}

func (h *Server) logKeysOf(ctx context.Context, app ident.AppName) (LogKeysReport, error) {
	if _, err := h.Logs.Checkpoint(app); err != nil {
		return LogKeysReport{}, err
	}
	keys, err := h.Logs.Keep.Keys(ctx, app)
	if err != nil {
		return LogKeysReport{}, err
	}

	r := LogKeysReport{App: string(app), Key: keys.Current, Joined: given(keys.Joined), Next: keys.Next}
	if r.Signed, err = h.Logs.SignedBy(app, keys.Current); err != nil {
		return r, err
	}
	if keys.Next != "" {
		both, err := h.Logs.SignedBy(app, keys.Next)
		if err != nil {
			return r, err
		}
		r.Since, r.Signed = &keys.Since, r.Signed && both
	}
	for _, f := range keys.Former {
		r.Former = append(r.Former, FormerLogKey{f.Key, given(f.Joined), f.Retired})
	}
	return r, nil
}

// given returns a time; nil: it is none.
func given(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	return &at
}

// recordLogKeys records in an app's own log how its keys changed, each change once: what one
// key signed says there which the next one is. A change that a crash kept from being
// recorded is recorded at the next start, or with the next one.
func (h *Server) recordLogKeys(ctx context.Context, app ident.AppName) error {
	keys, err := h.Logs.Keep.Keys(ctx, app)
	if err != nil {
		return err
	}
	for i, f := range keys.Former {
		follows := keys.Current
		if i+1 < len(keys.Former) {
			follows = keys.Former[i+1].Key
		}
		if err := h.recordLogKey(ctx, app, catalog.LogKeyJoined, follows); err != nil {
			return err
		}
		if err := h.recordLogKey(ctx, app, catalog.LogKeyRetired, f.Key); err != nil {
			return err
		}
	}
	if keys.Next == "" {
		return nil
	}
	return h.recordLogKey(ctx, app, catalog.LogKeyJoined, keys.Next)
}

func (h *Server) recordLogKey(ctx context.Context, app ident.AppName, what catalog.Note, key string) error {
	id := string(what) + " " + key
	_, err := h.Dir.Ledger.Execute(ctx, ledger.Request{
		App: app, Source: "consentledger/log", ID: id, Body: []byte(id),
		Actor: string(ident.System), RecordedBy: ident.Ledger,
		Command: domain.Say{Event: domain.Noted{Kind: what, Fields: policy.Fields(map[string]string{"key": key})}},
	})
	return err
}

// recordAllLogKeys records what became of the keys of all logs and is not recorded yet.
func (h *Server) recordAllLogKeys(ctx context.Context) {
	for _, app := range h.Logs.Logged() {
		if err := h.recordLogKeys(ctx, app); err != nil && ctx.Err() == nil {
			h.Log.Warn("how the keys of a log changed could not be recorded, and is tried at the next start",
				"app", app, "error", err)
		}
	}
}
