package policies

import (
	"context"

	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore"
	"consentledger/eventstore/codec/policydoc"
	"consentledger/projections/readmodel"

	"github.com/go-json-experiment/json"
)

// A Version is a version of a policy, without its document.
type Version struct {
	Policy    string
	Version   content.Hash
	Effective deadline.Instant
	Published eventstore.Position
	Recorded  deadline.Instant
	Event     eventstore.EventID
	Texts     []policy.Text // locales and whether they bind
	Purposes  int
	Material  []string
	Stale     []policy.PurposeID
}

const columns = "policy, version, effective, published_position, recorded, event, texts, purposes, material, stale"

// List returns the versions of an app in the order of their publication, and
// the position that the answer is as of.
func (v *View) List(ctx context.Context, app ident.AppName) ([]Version, eventstore.Position, error) {
	var list []Version
	var asOf eventstore.Position
	err := v.db.View(ctx, func(tx *readmodel.Tx, position eventstore.Position) error {
		asOf = position
		return tx.Each("SELECT "+columns+" FROM versions WHERE app = ? ORDER BY published_position", []any{string(app)},
			func(scan func(...any) error) error {
				x, err := scanVersion(scan)
				list = append(list, x)
				return err
			})
	})
	return list, asOf, err
}

// Show returns a version with its document, and whether there is one; and the
// position that the answer is as of.
func (v *View) Show(
	ctx context.Context, app ident.AppName, version content.Hash,
) (found Version, d policy.Document, ok bool, asOf eventstore.Position, err error) {
	err = v.db.View(ctx, func(tx *readmodel.Tx, position eventstore.Position) error {
		asOf = position
		return tx.Each("SELECT "+columns+", document FROM versions WHERE app = ? AND version = ?",
			[]any{string(app), version.String()}, func(scan func(...any) error) error {
				var document []byte
				var err error
				if found, err = scanVersion(scan, &document); err == nil {
					d, err = policydoc.Unmarshal(document)
				}
				ok = err == nil
				return err
			})
	})
	return found, d, ok, asOf, err
}

func scanVersion(scan func(...any) error, more ...any) (Version, error) {
	var x Version
	var version, event string
	var effective, published, recorded int64
	var texts, material, stale []byte
	if err := scan(append([]any{&x.Policy, &version, &effective, &published, &recorded, &event, &texts, &x.Purposes,
		&material, &stale}, more...)...); err != nil {
		return x, err
	}

	x.Effective, x.Published, x.Recorded = deadline.Instant(effective), eventstore.Position(published),
		deadline.Instant(recorded)
	var err error
	if x.Version, err = content.ParseHash(version); err != nil {
		return x, err
	}
	if x.Event, err = eventstore.ParseEventID(event); err != nil {
		return x, err
	}

	var list []textV1
	if err = json.Unmarshal(texts, &list); err != nil {
		return x, err
	}

	for _, t := range list {
		h, err := content.ParseHash(t.Hash)
		if err != nil {
			return x, err
		}
		force, err := policy.ParseTextForce(t.Standing)
		if err != nil {
			return x, err
		}
		x.Texts = append(x.Texts, policy.Text{Locale: t.Locale, Hash: h, Force: force})
	}
	if err = json.Unmarshal(material, &x.Material); err != nil {
		return x, err
	}
	return x, json.Unmarshal(stale, &x.Stale)
}

// An App is a registered app. Since is when it was registered first.
type App struct {
	domain.App
	Since   deadline.Instant
	Updated eventstore.Position
}

// Apps returns the registered apps by name, and the position that the answer
// is as of.
func (v *View) Apps(ctx context.Context) ([]App, eventstore.Position, error) {
	var apps []App
	var asOf eventstore.Position
	err := v.db.View(ctx, func(tx *readmodel.Tx, position eventstore.Position) error {
		asOf = position
		return tx.Each("SELECT app, handler, environment, jurisdiction, time_zone, locales, since, updated_position "+
			"FROM apps ORDER BY app", nil, func(scan func(...any) error) error {
			var a App
			var name, environment string
			var locales []byte
			var since, updated int64
			err := scan(&name, &a.Handler, &environment, &a.Jurisdiction, &a.TimeZone, &locales, &since, &updated)
			if err != nil {
				return err
			}
			a.Name, a.Since, a.Updated = ident.AppName(name), deadline.Instant(since), eventstore.Position(updated)
			if a.Environment, err = domain.ParseEnvironment(environment); err != nil {
				return err
			}
			apps = append(apps, a)
			return json.Unmarshal(locales, &apps[len(apps)-1].Locales)
		})
	})
	return apps, asOf, err
}
