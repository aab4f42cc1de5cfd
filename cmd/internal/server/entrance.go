package server

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"

	"consentledger/api/edge"
	"consentledger/api/rest"

	"github.com/go-json-experiment/json"
)

// An entrance is where HTTP is answered. It opens when the ledger does, or before that,
// once something is away that the ledger needs: then it says that the process lives, what
// it waits for, and that nothing is taken yet.
type entrance struct {
	config   Config
	log      *slog.Logger
	waits    waiting
	listener *edge.Conns // nil: it is not listened to
	answers  atomic.Pointer[http.Handler]
	stop     context.CancelFunc
	ended    chan error // nil: nothing is answered yet
}

// ServeHTTP implements [http.Handler].
func (e *entrance) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	(*e.answers.Load()).ServeHTTP(w, r)
}

// listen takes the address, unless it is taken. Who comes waits until the entrance opens.
func (e *entrance) listen() (err error) {
	if e.listener == nil {
		e.listener, err = e.config.listenHTTP()
	}
	return err
}

// open answers that the ledger waits, unless it does already.
func (e *entrance) open() error {
	if err := e.listen(); err != nil {
		return err
	}
	return e.answer(e.config.guardPages(http.HandlerFunc(e.wait), e.listener.Addr()))
}

// answer answers by h from now on.
func (e *entrance) answer(h http.Handler) error {
	speaks, err := e.config.Access.config()
	if err != nil {
		return err
	}
	e.answers.Store(&h)
	if e.ended != nil {
		return nil
	}
	ctx, stop := context.WithCancel(context.Background())
	e.stop, e.ended = stop, make(chan error, 1)
	go func() { e.ended <- serveConns(ctx, e.listener, e, speaks, e.log) }()
	return nil
}

// serve answers by h until ctx is done.
func (e *entrance) serve(ctx context.Context, h http.Handler) error {
	if err := e.answer(h); err != nil {
		return err
	}
	defer context.AfterFunc(ctx, e.stop)()
	err := <-e.ended
	e.ended <- nil // for close
	return err
}

// close ends the entrance, if it is open.
func (e *entrance) close() error {
	switch {
	case e.listener == nil:
		return nil
	case e.ended == nil:
		return e.listener.Close()
	}
	e.stop()
	return <-e.ended
}

// wait answers while the ledger is not open: what asks how it is, and nothing else.
func (e *entrance) wait(w http.ResponseWriter, r *http.Request) {
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	switch path := r.URL.Path; {
	case reads && path == "/livez":
		writeHealth(w, rest.Health{OK: true})
	case reads && (path == "/readyz" || path == "/healthz"):
		h := rest.Health{}
		for _, c := range e.waits.checks() {
			if !c.OK || r.URL.Query().Has("verbose") {
				h.Checks = append(h.Checks, c)
			}
		}
		writeHealth(w, h)
	default:
		w.Header().Set("Retry-After", "1")
		edge.Write(w, edge.Plain(http.StatusServiceUnavailable, e.refusal()))
	}
}

// refusal says why nothing is taken.
func (e *entrance) refusal() string {
	var missing []string
	for _, c := range e.waits.checks() {
		if !c.OK && c.Name != "opening" {
			missing = append(missing, c.Name)
		}
	}
	if len(missing) == 0 {
		return "the ledger is being opened: nothing was recorded or answered; ask again"
	}
	return "the ledger starts, and waits for what holds a part of it (" + strings.Join(missing, ", ") +
		"): nothing was recorded or answered; ask again, and see /readyz"
}

func writeHealth(w http.ResponseWriter, h rest.Health) {
	b, err := json.Marshal(h)
	if err != nil {
		panic("consentledger: health does not make JSON: " + err.Error())
	}
	w.Header().Set("Content-Type", "application/json")
	if !h.OK {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_, _ = w.Write(b) // who asked has gone
}
