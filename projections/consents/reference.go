package consents

import (
	"cmp"
	"slices"
	"sync"

	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/ident"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/codec/policydoc"
	"consentledger/projections/readmodel"

	"github.com/go-json-experiment/json"
)

// references is what was published and voided, per app, as of every position at which it
// changed. It may be ahead of the file: who reads it says as of where. What another
// process writes is read from the tables, see [references.read].
type references struct {
	mu     sync.RWMutex
	apps   map[ident.AppName][]reference
	newest eventstore.Position // of what was added
	asOf   eventstore.Position // up to which the tables hold nothing more
	writer string              // of the tables
}

type reference struct {
	from eventstore.Position
	domain.Reference
}

// at returns what standings of an app look up, as of a position.
func (r *references) at(app ident.AppName, p eventstore.Position) domain.Reference {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.find(app, p)
}

func (r *references) find(app ident.AppName, p eventstore.Position) domain.Reference {
	list := r.apps[app]
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].from <= p {
			return list[i].Reference
		}
	}
	return domain.Reference{}
}

// add adds what was published or voided at a position, in their order.
func (r *references) add(app ident.AppName, p eventstore.Position, f domain.Fact) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.append(app, p, f)
}

func (r *references) append(app ident.AppName, p eventstore.Position, f domain.Fact) {
	if p <= r.newest {
		return // it is there: a table was read of what this process has written
	}
	now := r.find(app, p)
	if r.apps == nil {
		r.apps = map[ident.AppName][]reference{}
	}
	if _, void := f.Event.(domain.BuildVoided); void {
		now.Service = now.Service.Evolve(f)
	} else {
		now.Policies = now.Policies.Evolve(f)
	}
	r.apps[app], r.newest = append(r.apps[app], reference{p, now}), p
}

// follow says that a batch that began behind a position is in the tables.
func (r *references) follow(before eventstore.Position, entries []codec.Entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.asOf == before && len(entries) > 0 {
		r.asOf = entries[len(entries)-1].Position
	}
}

// forgetAfter undoes what a transaction that failed had added.
func (r *references) forgetAfter(p eventstore.Position) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for app, list := range r.apps {
		for len(list) > 0 && list[len(list)-1].from > p {
			list = list[:len(list)-1]
		}
		r.apps[app] = list
	}
	r.newest, r.asOf = min(r.newest, p), min(r.asOf, p)
}

// read reads what the tables hold more, up to the snapshot of tx.
func (r *references) read(tx *readmodel.Tx, position eventstore.Position) error {
	r.mu.RLock()
	there := r.asOf >= position && r.writer == tx.Writer()
	r.mu.RUnlock()
	if there {
		return nil
	}

	r.mu.Lock()
	defer r.mu.Unlock()
	if r.writer != tx.Writer() {
		r.apps, r.newest, r.asOf, r.writer = nil, 0, 0, tx.Writer()
	}
	if r.asOf >= position {
		return nil
	}

	list, err := published(tx, r.asOf)
	if err != nil {
		return err
	}

	more, err := voids(tx, r.asOf)
	if err != nil {
		return err
	}

	list = append(list, more...)
	slices.SortFunc(list, func(a, b change) int { return cmp.Compare(a.position, b.position) })
	for _, c := range list {
		r.append(c.app, c.position, c.fact)
	}

	r.asOf = position
	return nil
}

// A change is a row of one of the two tables.
type change struct {
	app      ident.AppName
	position eventstore.Position
	fact     domain.Fact
}

func published(tx *readmodel.Tx, after eventstore.Position) (list []change, err error) {
	err = tx.Each("SELECT app, position, version, effective, stale, scopes, later, document FROM policies WHERE "+
		"position > ? ORDER BY position",
		[]any{int64(after)}, func(scan func(...any) error) error {
			var c change
			var version, stale, scopes, later, document string
			var e domain.PolicyPublished
			err := scan(&c.app, &c.position, &version, &e.Effective, &stale, &scopes, &later, &document)
			if err != nil {
				return err
			}
			if e.Version, err = content.ParseHash(version); err != nil {
				return err
			}
			if e.Document, err = policydoc.Unmarshal([]byte(document)); err != nil {
				return err
			}
			if err = json.Unmarshal([]byte(stale), &e.Stale); err != nil {
				return err
			}
			if err = json.Unmarshal([]byte(scopes), &e.Scopes); err != nil {
				return err
			}
			if err = json.Unmarshal([]byte(later), &e.Later); err != nil {
				return err
			}
			c.fact = domain.Fact{Event: e}
			list = append(list, c)
			return nil
		})
	return list, err
}

func voids(tx *readmodel.Tx, after eventstore.Position) (list []change, err error) {
	err = tx.Each("SELECT app, position, event, build, start, stop FROM voids WHERE position > ? ORDER BY position",
		[]any{int64(after)}, func(scan func(...any) error) error {
			var c change
			var event string
			var e domain.BuildVoided
			if err := scan(&c.app, &c.position, &event, &e.Build, &e.From, &e.To); err != nil {
				return err
			}
			id, err := eventstore.ParseEventID(event)
			c.fact = domain.Fact{ID: ident.EventID(id), Event: e}
			list = append(list, c)
			return err
		})
	return list, err
}
