package requests

import (
	"consentledger/domain"
	"consentledger/domain/catalog"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/projections/readmodel"
)

// A Deletion says that data were deleted, or are to go.
type Deletion struct {
	Kind     catalog.Note
	Event    string
	Recorded deadline.Instant
	Fields   []policy.Field // sorted by name
}

func (b *batch) noted(e codec.Entry, x domain.Noted) error {
	switch x.Kind {
	case "data.deleted", "retention.ended", "cessation.deleted":
	default:
		return nil
	}
	person := ""
	if e.Stream.Noun == ident.SubjectNoun {
		person = e.Stream.ID
	}
	_, err := b.tx.Exec("INSERT INTO deletion_notes VALUES (?, ?, ?, ?, ?, ?, ?)",
		string(e.Stream.App), int64(e.Position), string(x.Kind), person, e.ID.String(), int64(e.Recorded), fields(x.Fields))
	return err
}

// Deletions returns what was said of data that go, oldest first, but for those of tests,
// and the position that the answer is as of.
func (v *View) Deletions(ctx ctx, app ident.AppName, k Known) (list []Deletion, asOf eventstore.Position, err error) {
	err = v.db.View(ctx, func(tx *readmodel.Tx, position eventstore.Position) error {
		if asOf, err = k.position(position); err != nil {
			return err
		}
		return tx.Each("SELECT kind, event, recorded, fields FROM deletion_notes s WHERE app = ? AND position <= ?"+notTests+" ORDER BY position",
			[]any{string(app), int64(asOf), int64(asOf)}, func(scan func(...any) error) error {
				var d Deletion
				err := scan(&d.Kind, &d.Event, &d.Recorded, (*fields)(&d.Fields))
				list = append(list, d)
				return err
			})
	})
	return list, asOf, err
}

// Tests returns the pseudonyms of an app's persons who are none but tests, and the
// position that the answer is as of.
func (v *View) Tests(ctx ctx, app ident.AppName, k Known) (people []string, asOf eventstore.Position, err error) {
	err = v.db.View(ctx, func(tx *readmodel.Tx, position eventstore.Position) error {
		if asOf, err = k.position(position); err != nil {
			return err
		}
		return tx.Each("SELECT DISTINCT person FROM tests WHERE app = ? AND ? BETWEEN position AND ended - 1 ORDER "+
			"BY person",
			[]any{string(app), int64(asOf)}, func(scan func(...any) error) error {
				var person string
				err := scan(&person)
				people = append(people, person)
				return err
			})
	})
	return people, asOf, err
}
