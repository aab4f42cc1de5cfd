package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/postgres"
	"consentledger/projections"
	"consentledger/projections/activity"
	"consentledger/projections/policies"
	"consentledger/projections/readmodel"
	"consentledger/projections/rebuild"
	"consentledger/projections/requests"
)

// Where the projections' tables are, if they are not in the data directory, and who
// else may read them. A connection string may hold a password, so it may come from a
// file, and is never kept.
const (
	viewsVariable       = "CONSENTLEDGER_VIEWS"
	viewsFileVariable   = "CONSENTLEDGER_VIEWS_FILE"
	viewsReaderVariable = "CONSENTLEDGER_VIEWS_READER"
)

var viewsPlace = location{
	what: "read models", engines: []engine{postgreSQL},
	flag: "--views", variable: viewsVariable, fileVariable: viewsFileVariable,
}

// openPlace returns where the read models are: in PostgreSQL, if the configuration
// says so, or in the data directory.
func (h *house) openPlace(ctx context.Context) (readmodel.Place, error) {
	address, err := viewsPlace.address(h.config.views)
	if err != nil {
		return nil, err
	}
	reader := h.config.viewsReader
	if reader == "" {
		reader = os.Getenv(viewsReaderVariable)
	}
	if address == "" {
		if reader != "" {
			return nil, usageError{fmt.Errorf("--views-reader, or %s, names a role of PostgreSQL, and the read models are files: "+
				"say where PostgreSQL is, with --views, %s or %s", viewsReaderVariable, viewsVariable, viewsFileVariable)}
		}
		views := filepath.Join(h.config.data, "views")
		return readmodel.Dir(views), os.MkdirAll(views, 0o700)
	}

	if engineOf(address).name != postgreSQL.name {
		return nil, usageError{fmt.Errorf("--views: read models are in PostgreSQL, as in %s", postgreSQL.example)}
	}
	at, err := postgres.ParseAddress(address)
	if err != nil {
		return nil, usageError{fmt.Errorf("--views: %w", err)}
	}
	later := func(err error) { h.log.Warn("read models", "error", err) }
	if h.views, err = readmodel.NewDatabase(at, readmodel.Options{Reader: reader, Later: later}); err != nil {
		return nil, usageError{fmt.Errorf("--views: %w", err)}
	}
	return h.views, h.checkViews(ctx)
}

// checkViews returns an error if the read models are those of another ledger. Which
// they are of is the first record's id.
func (h *house) checkViews(ctx context.Context) error {
	for e, err := range h.dir.ledger.Replay(ctx, 0) {
		if err != nil {
			return err
		}
		return h.views.Belongs(ctx, e.ID.String())
	}
	return nil // nothing was recorded yet
}

// isOfStore returns an error if read models at a position know of records that the
// store does not have. Other processes may read them, so they are not thrown away.
func (h *house) isOfStore(ctx context.Context, at eventstore.Position) error {
	if err := h.dir.store.Barrier(ctx); err != nil {
		return err
	}
	head, err := h.dir.ledger.Head(ctx)
	if err != nil || at <= head {
		return err
	}
	return fmt.Errorf("the read models at %s have read up to position %d, and the store ends at %d: they are of another ledger, "+
		"or an older copy of the store was put in place; name another database with --views, or have them built again, "+
		"as docs/sql.md says", h.views, at, head)
}

// viewsAnswer returns why the read models cannot be asked; nil: they can, or are files.
func (h *house) viewsAnswer(ctx context.Context) error {
	if h.views == nil {
		return nil
	}
	_, err := h.policies.Checkpoint(ctx)
	return err
}

// writers open the projections once more, to write. Each turn has one that nobody has
// written with before: what it holds in memory is what the tables hold.
func (h *house) writers() map[string]func(context.Context, readmodel.Place) (rebuild.Model, error) {
	return map[string]func(context.Context, readmodel.Place) (rebuild.Model, error){
		"consents": func(ctx context.Context, p readmodel.Place) (rebuild.Model, error) { return h.openConsents(ctx, p) },
		"policies": func(ctx context.Context, p readmodel.Place) (rebuild.Model, error) { return policies.Open(ctx, p) },
		"activity": func(ctx context.Context, p readmodel.Place) (rebuild.Model, error) { return activity.Open(ctx, p) },
		"requests": func(ctx context.Context, p readmodel.Place) (rebuild.Model, error) { return requests.Open(ctx, p) },
	}
}

// takeTurns keeps the read models in PostgreSQL up to date, each while this process has
// its turn, and watches how far they are, until ctx is done.
func (h *house) takeTurns(ctx context.Context, stopped func(error)) {
	open := h.writers()
	var crew sync.WaitGroup
	defer crew.Wait()
	for _, r := range h.runners {
		name := r.Projection.Name()
		turn := h.views.Turn(name)
		turn.Tell = func(err error) {
			if ctx.Err() == nil {
				h.log.Warn("a projection is tried again", "projection", name, "error", err)
			}
		}
		crew.Go(func() { r.Watch(ctx) })
		crew.Go(func() {
			err := turn.Run(ctx, func(ctx context.Context) error {
				err := h.project(ctx, r, open[name])
				if ctx.Err() == nil {
					r.Trouble(err)
				}
				return err
			})
			if ctx.Err() == nil {
				r.Trouble(err)
				stopped(err)
			}
		})
	}
}

// project writes one projection until ctx is done, or it stops. Its readers' runner
// hears how far it is.
func (h *house) project(ctx context.Context, readers *projections.Runner, open func(context.Context, readmodel.Place) (rebuild.Model, error)) (err error) {
	if err := h.checkViews(ctx); err != nil {
		return err
	}
	v, err := openView(ctx, h, readmodel.Place(h.views), open)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, v.Close()) }()
	readers.Trouble(nil)

	r := &projections.Runner{Projection: announced{v, readers}, Traces: h.measured.traces}
	group := projections.Group{History: h.dir.ledger, Runners: []*projections.Runner{r}, Pace: pace}
	group.Run(ctx, func(why error) { err = why })
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// An announced projection tells its readers' runner what it has applied.
type announced struct {
	rebuild.Model
	readers *projections.Runner
}

// Apply implements [projections.Projection].
func (a announced) Apply(ctx context.Context, entries []codec.Entry) error {
	if err := a.Model.Apply(ctx, entries); err != nil {
		return err
	}
	a.readers.Trouble(nil)
	a.readers.Reached(entries[len(entries)-1].Position)
	return nil
}
