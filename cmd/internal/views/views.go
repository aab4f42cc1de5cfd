// Package views is the table of the views: of the projections that keep tables, from
// which a server answers.
package views

import (
	"context"
	"fmt"
	"slices"

	"consentledger/eventstore/ledger"
	"consentledger/projections/activity"
	"consentledger/projections/consents"
	"consentledger/projections/policies"
	"consentledger/projections/readmodel"
	"consentledger/projections/rebuild"
	"consentledger/projections/requests"
)

// A View is one of them, open. Whoever has opened it closes it.
type View interface {
	rebuild.Model

	// Gate keeps the view from answering; see [readmodel.DB.Gate].
	Gate(check func(context.Context) error)
}

// A Kind is a view as the table has it.
type Kind struct {
	Name string // which the open view says, too
	Open func(ctx context.Context, place readmodel.Place, l *ledger.Ledger) (View, error)
}

// All are the views, in the order in which a status lists them.
//
// A view is added by a row here. A server opens it then, keeps it up to date, lets it
// answer once it has read the log, builds it again when its store is an older one, and
// closes it; status, readyz and metrics list it; replay --check compares it, whether the
// server runs or not; bench measures how fast it is built, and may leave it out. What
// else a new view needs:
//
//   - whoever asks it takes it from what is open, with [Of]: see openViews of package server
//   - the tables that others may read stand in docs/sql.md
//   - docs/observability.md names it as a label, which TestThePageOfDocsListsEveryMetric says
//   - tests that name every view on purpose: figuresOf in cmd/consentledger/bench_test.go,
//     and TestNotYetKnownIsNotNeverAsked
var All = []Kind{
	{"consents", func(ctx context.Context, place readmodel.Place, l *ledger.Ledger) (View, error) {
		return orNone(consents.Open(ctx, place, l))
	}},
	{"policies", func(ctx context.Context, place readmodel.Place, _ *ledger.Ledger) (View, error) {
		return orNone(policies.Open(ctx, place))
	}},
	{"activity", func(ctx context.Context, place readmodel.Place, _ *ledger.Ledger) (View, error) {
		return orNone(activity.Open(ctx, place))
	}},
	{"requests", func(ctx context.Context, place readmodel.Place, _ *ledger.Ledger) (View, error) {
		return orNone(requests.Open(ctx, place))
	}},
}

// orNone returns nil instead of a nil pointer that is a View.
func orNone[V View](v V, err error) (View, error) {
	if err != nil {
		return nil, err
	}
	return v, nil
}

// Names returns the names of all views, in the order of [All].
func Names() (names []string) {
	for _, k := range All {
		names = append(names, k.Name)
	}
	return names
}

// Open opens the view of a name.
func Open(ctx context.Context, name string, place readmodel.Place, l *ledger.Ledger) (View, error) {
	at := slices.IndexFunc(All, func(k Kind) bool { return k.Name == name })
	if at < 0 {
		return nil, fmt.Errorf("there is no view %q: want one of %q", name, Names())
	}
	return All[at].Open(ctx, place, l)
}

// Of returns the view of a type among those that are open. It has to be in [All].
func Of[V View](open []View) (v V) {
	for _, one := range open {
		if is, ok := one.(V); ok {
			return is
		}
	}
	panic(fmt.Sprintf("views: %T is not in the table", v))
}
