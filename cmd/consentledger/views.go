package main

import (
	"context"

	"consentledger/api/rest"
	"consentledger/domain"
	"consentledger/eventstore"
	"consentledger/projections/activity"
	"consentledger/projections/policies"
)

// restPolicies lets HTTP read the policies projection.
type restPolicies struct{ view *policies.View }

func (r restPolicies) Apps(ctx context.Context) ([]rest.AppCount, eventstore.Position, error) {
	apps, at, err := r.view.Apps(ctx)
	if err != nil {
		return nil, 0, err
	}
	out := make([]rest.AppCount, 0, len(apps))
	for _, a := range apps {
		versions, _, err := r.view.List(ctx, a.Name)
		if err != nil {
			return nil, 0, err
		}
		out = append(out, rest.AppCount{App: string(a.Name), Policies: len(versions)})
	}
	return out, at, nil
}

// restActivity lets HTTP read the activity projection.
type restActivity struct{ view *activity.View }

func (r restActivity) Days(ctx context.Context, app domain.AppName, from, until string) ([]rest.Day, eventstore.Position, error) {
	if from == "" {
		from = "0001-01-01"
	}
	if until == "" {
		until = "9999-12-31"
	}
	days, at, err := r.view.Totals(ctx, app, from, until)
	out := make([]rest.Day, 0, len(days))
	for _, d := range days {
		out = append(out, rest.Day{Day: d.Day, Type: d.Kind, Count: d.Events})
	}
	return out, at, err
}
