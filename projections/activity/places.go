package activity

import (
	"context"
	"slices"

	"consentledger/domain"
	"consentledger/domain/ident"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/ledger"
	"consentledger/projections/readmodel"
)

var _ ledger.Index = (*View)(nil)

// An ofApp is a type of record of an app.
type ofApp struct {
	app  ident.AppName
	kind string
}

// place notes where an entry lies, under its type and under whatever else it is found by.
func (b *batch) place(e *codec.Entry) error {
	kind := e.Kind()
	if err := b.placeAs(e, kind); err != nil {
		return err
	}
	const opened = "obligation.opened"
	if len(e.Owing) > 0 && kind != opened {
		if err := b.placeAs(e, opened); err != nil {
			return err
		}
	}
	if x, is := e.Event.(domain.DataAccessed); is {
		return b.placeAs(e, ledger.PlaceOf(x.Kind))
	}
	return nil
}

func (b *batch) placeAs(e *codec.Entry, kind string) error {
	n, err := b.typeNumber(ofApp{e.Stream.App, kind})
	if err == nil {
		b.places.Add(n, int64(e.Position))
	}
	return err
}

// typeNumber returns the number of a type of an app, a new one if nothing of it was recorded.
func (b *batch) typeNumber(t ofApp) (int64, error) {
	if n, ok := b.view.types.Get(t); ok {
		return n, nil
	}

	var n int64
	err := b.tx.Each("SELECT number FROM types WHERE app = ? AND type = ?", []any{string(t.app), t.kind},
		func(scan func(...any) error) error { return scan(&n) })
	if err == nil && n == 0 {
		b.types++
		n = b.types
		_, err = b.tx.Exec("INSERT INTO types VALUES (?, ?, ?)", n, string(t.app), t.kind)
	}
	if err == nil {
		b.view.types.Put(t, n)
	}
	return n, err
}

// Places implements [ledger.Index].
func (v *View) Places(
	ctx context.Context, app ident.AppName, kind string, after, until eventstore.Position, limit int,
) (places []eventstore.Position, more bool, asOf eventstore.Position, err error) {
	const mostPosition = 1<<63 - 1 // what a column holds
	err = v.db.View(ctx, func(tx *readmodel.Tx, position eventstore.Position) error {
		asOf = position
		numbers, err := typesOf(tx, app, kind)
		if err != nil {
			return err
		}
		for _, n := range numbers {
			if err := tx.Each("SELECT position FROM places WHERE type = ? AND position > ? AND position <= ? "+
				"ORDER BY position DESC LIMIT ?",
				[]any{n, int64(min(after, mostPosition)), int64(min(until, mostPosition)), int64(limit) + 1},
				func(scan func(...any) error) error {
					var at int64
					err := scan(&at)
					places = append(places, eventstore.Position(at))
					return err
				}); err != nil {
				return err
			}
		}
		return nil
	})

	// A record lies under several names, and of each type come as many as are wanted of all.
	slices.Sort(places)
	places = slices.Compact(places)
	if more = len(places) > limit; more {
		places = places[len(places)-limit:]
	}
	return places, more, asOf, err
}

// typesOf returns the numbers of a type of an app, or of all; none: nothing of it was recorded.
func typesOf(tx *readmodel.Tx, app ident.AppName, kind string) (numbers []int64, err error) {
	query, args := "SELECT number FROM types WHERE app = ?", []any{string(app)}
	if kind != "" {
		query, args = query+" AND type = ?", append(args, kind)
	}
	err = tx.Each(query, args, func(scan func(...any) error) error {
		var n int64
		err := scan(&n)
		numbers = append(numbers, n)
		return err
	})
	return numbers, err
}
