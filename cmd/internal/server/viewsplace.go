package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/views"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/postgres"
	"consentledger/projections"
	"consentledger/projections/readmodel"
	"consentledger/projections/rebuild"
)

// Where the projections' tables are, if they are not in the data directory, and who
// else may read them. A connection string may hold a password, so it may come from a
// file, and is never kept.
const (
	ViewsVariable     = "CONSENTLEDGER_VIEWS"
	ViewsFileVariable = "CONSENTLEDGER_VIEWS_FILE"
	ViewsRoleVariable = "CONSENTLEDGER_VIEWS_READER"
)

var ViewsPlace = Location{
	what: "read models", engines: []engine{PostgreSQL},
	Flag: "--views", variable: ViewsVariable, fileVariable: ViewsFileVariable,
}

// OpenPlace returns where the read models are: in PostgreSQL, if the configuration
// says so, or in the data directory.
func (h *Server) OpenPlace(ctx context.Context) (readmodel.Place, error) {
	models, err := h.database()
	if err != nil {
		return nil, err
	}
	if models == nil {
		views := filepath.Join(h.Config.Data, "views")
		return readmodel.Dir(views), os.MkdirAll(views, 0o700)
	}
	h.views = models
	return models, h.checkViews(ctx)
}

// database returns the read models that the configuration puts in PostgreSQL, without
// connecting; nil: they are in the data directory.
func (h *Server) database() (*readmodel.Database, error) {
	address, err := ViewsPlace.Address(h.Config.Views)
	if err != nil {
		return nil, err
	}
	role := h.Config.ViewsRole
	if role == "" {
		role = os.Getenv(ViewsRoleVariable)
	}
	if address == "" {
		if role != "" {
			return nil, exit.Usage(fmt.Errorf("--views-reader, or %s, names a role of PostgreSQL, and the read "+
				"models are files: "+
				"say where PostgreSQL is, with --views, %s or %s", ViewsRoleVariable, ViewsVariable, ViewsFileVariable))
		}
		return nil, nil
	}

	if EngineOf(address).name != PostgreSQL.name {
		return nil, exit.Usage(fmt.Errorf("--views: read models are in PostgreSQL, as in %s", PostgreSQL.Example))
	}
	at, err := postgres.ParseAddress(address)
	if err != nil {
		return nil, exit.Usage(fmt.Errorf("--views: %w", err))
	}
	later := func(err error) { h.Log.Warn("read models", "error", err) }
	models, err := readmodel.NewDatabase(at, readmodel.Options{ReadRole: role, Later: later})
	if err != nil {
		return nil, exit.Usage(fmt.Errorf("--views: %w", err))
	}
	return models, nil
}

// checkViews returns an error if the read models are those of another ledger. Which
// they are of is the first record's id.
func (h *Server) checkViews(ctx context.Context) error {
	for e, err := range h.Dir.Ledger.Replay(ctx, 0) {
		if err != nil {
			return err
		}
		return h.views.Belongs(ctx, e.ID.String())
	}
	return nil // nothing was recorded yet
}

// isOfStore returns an error if read models at a position know of records that the
// store does not have. Other processes may read them, so they are not thrown away.
func (h *Server) isOfStore(ctx context.Context, at eventstore.Position) error {
	if err := h.Dir.Store.Barrier(ctx); err != nil {
		return err
	}
	head, err := h.Dir.Ledger.Head(ctx)
	if err != nil || at <= head {
		return err
	}
	return fmt.Errorf("the read models at %s have read up to position %d, and the store ends at %d: they are of "+
		"another ledger, "+
		"or an older copy of the store was put in place; name another database with --views, or have them built "+
		"again, as docs/sql.md says", h.views, at, head)
}

// viewsAnswer returns why the read models cannot be asked; nil: they can, or are files.
func (h *Server) viewsAnswer(ctx context.Context) error {
	if h.views == nil {
		return nil
	}
	_, err := h.Policies.Checkpoint(ctx)
	return err
}

// A writer is a projection that is opened once more, to write. Each turn has one that
// nobody has written with before: what it holds in memory is what the tables hold.
type writer func(context.Context, readmodel.Place) (views.View, error)

func (h *Server) writerOf(name string) writer {
	return func(ctx context.Context, place readmodel.Place) (views.View, error) {
		return views.Open(ctx, name, place, h.Dir.Ledger)
	}
}

// takeTurns keeps the read models in PostgreSQL up to date, each while this process has
// its turn, and watches how far they are, until ctx is done.
func (h *Server) takeTurns(ctx context.Context, stopped func(error)) {
	var workers sync.WaitGroup
	defer workers.Wait()
	for _, r := range h.Runners {
		name := r.Projection.Name()
		turn := h.views.Turn(name)
		turn.Tell = func(err error) {
			if ctx.Err() == nil {
				h.Log.Warn("a projection is tried again", "projection", name, "error", err)
			}
		}
		workers.Go(func() { r.Watch(ctx) })
		workers.Go(func() {
			err := turn.Run(ctx, func(ctx context.Context) error {
				err := h.project(ctx, r, h.writerOf(name))
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
func (h *Server) project(ctx context.Context, readers *projections.Runner, open writer) (err error) {
	if err := h.checkViews(ctx); err != nil {
		return err
	}
	v, err := OpenView(ctx, h, readmodel.Place(h.views), open)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, v.Close()) }()
	readers.Trouble(nil)

	r := &projections.Runner{Projection: announced{v, readers}, Traces: h.Measured.traces}
	group := projections.Group{History: h.Dir.Ledger, Runners: []*projections.Runner{r}, Pace: Pace}
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
