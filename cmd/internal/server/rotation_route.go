package server

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"consentledger/api/edge"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/files"
)

// A RetireRequest is the body of POST /v1/vault/keys/retire.
type RetireRequest struct {
	Sum string `json:"sum" doc:"what a copy of the file of the keys ends with, as in sum 0123456789abcdef"`
}

// Why the vault's keys have no dry runs, and a backup has none.
const (
	rotatesAtOnce = "it makes or takes keys and nothing else; GET /v1/vault/keys shows which there are"
	retiresAtOnce = "GET /v1/vault/keys shows which keys it would destroy, and what still needs them"
	onlyReads     = "it changes nothing"
)

// vaultKeys answers what becomes of the vault's keys.
func (h *Server) vaultKeys(w http.ResponseWriter, r *http.Request) {
	h.answerKeys(w, r, edge.Route{}, func(context.Context, []byte) error { return nil })
}

func (h *Server) rotateKeys(w http.ResponseWriter, r *http.Request) {
	takes := edge.Route{NoDryRun: rotatesAtOnce}
	h.answerKeys(w, r, takes, func(ctx context.Context, _ []byte) error { return h.rotation.rotate(ctx) })
}

// retireKeys destroys the older epochs. Where several processes share the vault each has a
// copy of the file, and it is changed where it is handed out.
func (h *Server) retireKeys(w http.ResponseWriter, r *http.Request) {
	takes := edge.Route{Types: takesJSON.Types, NoDryRun: retiresAtOnce}
	h.answerKeys(w, r, takes, func(ctx context.Context, body []byte) error {
		if h.Dir.shared != nil {
			return exit.Conflict(errors.New("several processes share these keys: use consentledger keys retire on " +
				"the file that they are handed out from"))
		}
		var asked RetireRequest
		if err := json.Unmarshal(body, &asked); err != nil || asked.Sum == "" {
			return exit.Usage(errors.New(`the body is not JSON of the form {"sum": "sum 0123456789abcdef"}`))
		}
		return h.rotation.retire(ctx, asked.Sum)
	})
}

var takesJSON = edge.Route{Types: []string{"application/json"}}

// answerKeys does something with the keys, and answers how they are then.
func (h *Server) answerKeys(
	w http.ResponseWriter, r *http.Request, takes edge.Route, do func(context.Context, []byte) error,
) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	edge.Limit(w, r, 10*time.Second)
	if err := takes.Check(r); err != nil {
		edge.Write(w, refusedOf(err))
		return
	}

	body, err := io.ReadAll(io.LimitReader(r.Body, files.MaxOwnFile))
	if err == nil {
		err = do(r.Context(), body)
	}

	var report KeysReport
	if err == nil {
		report, err = h.rotation.report(r.Context())
	}
	if err != nil {
		h.failKeys(w, err)
		return
	}

	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(report) // who asked has gone
}

func (h *Server) failKeys(w http.ResponseWriter, err error) {
	if _, is := errors.AsType[exit.ConflictError](err); is {
		edge.Write(w, edge.Plain(http.StatusConflict, err.Error()))
		return
	}
	if _, is := errors.AsType[exit.UsageError](err); is {
		edge.Write(w, edge.Plain(http.StatusBadRequest, err.Error()))
		return
	}
	h.Log.Error("the keys of the vault", "error", err)
	edge.Write(w,
		edge.Plain(http.StatusInternalServerError, "the keys could not be read or changed: the server's log says why"))
}
