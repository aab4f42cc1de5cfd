// Package audit is what an auditor reads over HTTP: the logs of package
// transparency as C2SP tlog-tiles, so that any client of that format works,
// and the proof that one record is in a log.
//
//	/log/<app>/checkpoint           the newest signed checkpoint
//	/log/<app>/tile/...             tiles and entry bundles
//	/log/<app>/proof?event=ID       a c2sp.org/tlog-proof@v1, with the record in it
//	/log/<app>/proof?index=N        the same by index
//	/log/<app>/proof?...&wait=10s   the same, once the record is under a checkpoint
//	/log/<app>/cosigned             the newest checkpoint that a quorum of witnesses signed
//	/log/<app>/proof?...&cosigned=1 a proof in that one
//	/log/<app>/witnesses            how far the witnesses are, as JSON
//	/log/<app>/timestamp            the newest RFC 3161 stamp of a checkpoint, as JSON
//
// A log holds no personal data, and neither does anything here.
package audit

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"time"

	"consentledger/api/audit/witness"
	"consentledger/api/edge"
	"consentledger/domain/ident"
	"consentledger/eventstore"
	"consentledger/projections/transparency"
	"consentledger/projections/transparency/merkle"
)

// Logs is what audit uses of [transparency.Log].
type Logs interface {
	Checkpoint(app ident.AppName) ([]byte, error)
	Tile(ctx context.Context, app ident.AppName, t merkle.Tile) ([]byte, error)
	Find(ctx context.Context, app ident.AppName, id eventstore.EventID) (int64, error)
	Proof(ctx context.Context, app ident.AppName, index int64) (merkle.Proof, error)
	ProofIn(
		ctx context.Context, app ident.AppName, index int64, c merkle.Checkpoint, signed []byte,
	) (merkle.Proof, error)
	Await(ctx context.Context, try func() error) error
}

// Handler returns the routes below /log/. Without witnesses nothing is cosigned,
// without stamps nothing is stamped. A nil log logs nothing.
func Handler(logs Logs, witnesses *witness.Witnesses, stamps *witness.Stamps, log *slog.Logger) http.Handler {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s := server{logs, witnesses, stamps, log}
	mux := http.NewServeMux()
	for pattern, r := range routes {
		mux.HandleFunc(pattern, s.route(r.takes, func(app ident.AppName, asked *http.Request) (answer, error) {
			return r.do(s, app, asked)
		}))
	}
	return mux
}

// Patterns returns every route, as [http.ServeMux] writes it.
func Patterns() []string { return slices.Sorted(maps.Keys(routes)) }

var routes = map[string]struct {
	takes edge.Route
	do    func(server, ident.AppName, *http.Request) (answer, error)
}{
	"GET /log/{app}/checkpoint":     {edge.Route{}, server.checkpoint},
	"GET /log/{app}/tile/{path...}": {edge.Route{}, server.tile},
	"GET /log/{app}/proof":          {ProofRoute, server.proof},
	"GET /log/{app}/cosigned":       {edge.Route{}, server.cosigned},
	"GET /log/{app}/witnesses":      {edge.Route{}, server.witnessed},
	"GET /log/{app}/timestamp":      {edge.Route{}, server.stamped},
}

type server struct {
	logs      Logs
	witnesses *witness.Witnesses // nil: there are none
	stamps    *witness.Stamps    // nil: nothing is stamped
	log       *slog.Logger
}

// An answer is bytes and how long they stay true.
type answer struct {
	kind, cache string
	data        []byte
}

const (
	text  = "text/plain; charset=utf-8"
	bytez = "application/octet-stream"

	changes = "no-cache"                            // ask again, every time
	forever = "public, max-age=31536000, immutable" // a tile of a width never changes
)

// A badRequest says what is wrong with a request.
type badRequest string

func (e badRequest) Error() string { return string(e) }

func (s server) route(takes edge.Route, do func(ident.AppName, *http.Request) (answer, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		if err := takes.Check(r); err != nil {
			s.fail(w, r, err)
			return
		}
		app, err := ident.ParseAppName(r.PathValue("app"))
		if err != nil {
			s.fail(w, r, transparency.ErrNotThere)
			return
		}
		a, err := do(app, r)
		if err != nil {
			s.fail(w, r, err)
			return
		}
		h.Set("Cache-Control", a.cache)
		h.Set("Content-Type", a.kind)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(a.data))
	}
}

// fail answers with a line of text. What is broken is logged, and not told.
func (s server) fail(w http.ResponseWriter, r *http.Request, err error) {
	if no, is := errors.AsType[*edge.Refused](err); is {
		http.Error(w, no.Detail, no.Status)
		return
	}
	if bad, is := errors.AsType[badRequest](err); is {
		http.Error(w, string(bad), http.StatusBadRequest)
		return
	}
	if late, is := errors.AsType[uncovered](err); is {
		w.Header().Set("Retry-After", "1")
		http.Error(w, string(late), http.StatusServiceUnavailable)
		return
	}

	if r.Context().Err() != nil {
		return // nobody hears it
	}

	_, faulty := errors.AsType[*transparency.FaultError](err)
	switch {
	case faulty:
		s.log.ErrorContext(r.Context(), "what is asked for was not signed", "route", r.Pattern, "err", err)
		http.Error(w, "the log cannot answer: the store does not hold what was signed; /readyz?verbose says more",
			http.StatusInternalServerError)
	case errors.Is(err, transparency.ErrNotThere):
		http.Error(w, transparency.ErrNotThere.Error(), http.StatusNotFound)
	case errors.Is(err, transparency.ErrNotReady):
		w.Header().Set("Retry-After", "1")
		http.Error(w, transparency.ErrNotReady.Error(), http.StatusServiceUnavailable)
	default:
		s.log.ErrorContext(r.Context(), "request failed", "route", r.Pattern, "err", err)
		http.Error(w, "the log cannot answer", http.StatusInternalServerError)
	}
}

func (s server) checkpoint(app ident.AppName, _ *http.Request) (answer, error) {
	data, err := s.logs.Checkpoint(app)
	return answer{text, changes, s.withCosignatures(app, data)}, err
}

func (s server) tile(app ident.AppName, r *http.Request) (answer, error) {
	t, err := merkle.ParsePath("tile/" + r.PathValue("path"))
	if err != nil {
		return answer{}, badRequest(err.Error())
	}
	data, err := s.logs.Tile(r.Context(), app, t)
	return answer{bytez, forever, data}, err
}
