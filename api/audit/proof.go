package audit

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"consentledger/api/edge"
	"consentledger/api/wire/parse"
	"consentledger/domain/ident"
	"consentledger/eventstore"
	"consentledger/projections/transparency"
	"consentledger/projections/transparency/merkle"
)

// longestWait is for how long a request may wait for a checkpoint.
const longestWait = 30 * time.Second

// An uncovered says that no checkpoint covered a record while somebody waited,
// and what to do.
type uncovered string

func (e uncovered) Error() string { return string(e) }

// ProofRoute is what the route of proofs takes, which package rest describes.
var ProofRoute = edge.Route{Query: []string{"event", "index", "wait"}, Flags: []string{"cosigned"}}

func (s server) proof(app ident.AppName, r *http.Request) (answer, error) {
	query := r.URL.Query()
	find, err := s.wanted(r.Context(), app, query.Get("event"), query.Get("index"))
	if err != nil {
		return answer{}, err
	}

	cosigned := query.Has("cosigned")
	wait, err := waitOf(query.Get("wait"), cosigned)
	if err != nil {
		return answer{}, err
	}

	var p merkle.Proof
	err = s.await(r.Context(), wait, func() error {
		index, err := find()
		if err == nil {
			p, err = prove(r.Context(), s.logs, s.witnesses, app, index, cosigned)
		}
		return err
	})
	if err != nil {
		return answer{}, fmt.Errorf("proof: %w", err)
	}
	return answer{text, "no-store", p.Format()}, nil
}

// wanted returns what finds the record that is asked for.
func (s server) wanted(ctx context.Context, app ident.AppName, event, number string) (func() (int64, error), error) {
	if (event == "") == (number == "") {
		return nil, badRequest("want ?event= with an event id, or ?index= with a number from 0")
	}

	if event != "" {
		id, err := eventstore.ParseEventID(event)
		if err != nil {
			return nil, badRequest("an event id is written as in 01234567-89ab-cdef-0123-456789abcdef")
		}
		return func() (int64, error) { return s.logs.Find(ctx, app, id) }, nil
	}

	index, ok := parse.Count(number)
	if !ok {
		return nil, badRequest("the index is a number from 0, without a sign or zeros before it, as in index=17")
	}
	return func() (int64, error) { return index, nil }, nil
}

// waitOf reads for how long somebody waits; zero: not at all.
func waitOf(text string, cosigned bool) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	wait, err := time.ParseDuration(text)
	switch {
	case err != nil || wait <= 0 || wait > longestWait:
		return 0, badRequest(fmt.Sprintf("wait is a time above zero and up to %s, as in wait=10s", longestWait))
	case cosigned:
		return 0, badRequest("wait is for the log's own checkpoint: witnesses sign when they are asked next; leave " +
			"out wait, and ask again later")
	}
	return wait, nil
}

// await does what has to be done, at once or, if there is a time to wait, as
// soon as a checkpoint lets it.
func (s server) await(ctx context.Context, wait time.Duration, do func() error) error {
	if wait == 0 {
		return do()
	}

	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	err := s.logs.Await(ctx, do)
	switch {
	case errors.Is(err, transparency.ErrStopped):
		return uncovered("no more checkpoints are signed: /v1/status says why, under transparency; the record's " +
			"receipt holds " +
			"all the same")
	case errors.Is(err, transparency.ErrNotThere), errors.Is(err, transparency.ErrNotReady):
		return uncovered(fmt.Sprintf("no checkpoint covered such a record within %s: a receipt holds all the same; "+
			"ask again, and if it stays so, see transparency in /v1/status", wait))
	}
	return err
}
