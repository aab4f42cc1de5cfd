package consents

import (
	"cmp"
	"slices"

	"consentledger/domain"

	"github.com/go-json-experiment/json"
)

// A count names a number of people.
type count struct {
	app     domain.AppName
	purpose domain.PurposeID
	status  domain.Status
}

// write writes what the batch changed, in the order of the tables' keys.
func (b *batch) write() error {
	b.settle()
	slices.SortFunc(b.facts, func(x, y storedFact) int {
		return cmp.Or(cmp.Compare(x.app, y.app), cmp.Compare(x.person, y.person), cmp.Compare(x.position, y.position))
	})
	for _, f := range b.facts {
		text, err := json.Marshal(&f.factV1)
		if err != nil {
			return err
		}
		if _, err := b.tx.Exec("INSERT INTO facts VALUES (?, ?, ?, ?)", string(f.app), f.person, int64(f.position), string(text)); err != nil {
			return err
		}
	}
	keys := make([]rowKey, 0, len(b.rows))
	for k := range b.rows {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(x, y rowKey) int {
		return cmp.Or(cmp.Compare(x.app, y.app), cmp.Compare(x.person, y.person), cmp.Compare(x.purpose, y.purpose))
	})
	for _, k := range keys {
		if err := b.writeRow(k, b.rows[k]); err != nil {
			return err
		}
	}
	return b.writeCounts()
}

func (b *batch) writeRow(k rowKey, r row) error {
	events, err := idsText(r.Because)
	if err != nil {
		return err
	}
	version := ""
	if r.Version != (domain.Hash{}) {
		version = r.Version.String()
	}
	_, err = b.tx.Exec(`INSERT INTO consents VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET status = excluded.status, since = excluded.since, until = excluded.until,
			policy = excluded.policy, version = excluded.version, act = excluded.act,
			events = excluded.events, updated_position = excluded.updated_position`,
		string(k.app), k.person, string(k.purpose), r.Status.String(), int64(r.Since), int64(r.Until),
		r.Policy, version, string(r.Act), events, int64(r.position))
	return err
}

func (b *batch) writeCounts() error {
	for k, n := range b.counts {
		if n == 0 {
			continue
		}
		if _, err := b.tx.Exec("INSERT INTO counts VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET people = people + excluded.people",
			string(k.app), string(k.purpose), k.status.String(), n); err != nil {
			return err
		}
	}
	if _, err := b.tx.Exec("DELETE FROM counts WHERE people = 0"); err != nil {
		return err
	}
	return nil
}
