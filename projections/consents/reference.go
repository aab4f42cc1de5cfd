package consents

import (
	"sync"

	"consentledger/domain"
	"consentledger/eventstore"
)

// references is what was published and voided, per app, as of every position at which it
// changed. It may be ahead of the file: who reads it says as of where.
type references struct {
	mu   sync.RWMutex
	apps map[domain.AppName][]reference
}

type reference struct {
	from eventstore.Position
	domain.Reference
}

// at returns what standings of an app look up, as of a position.
func (r *references) at(app domain.AppName, p eventstore.Position) domain.Reference {
	r.mu.RLock()
	defer r.mu.RUnlock()
	list := r.apps[app]
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].from <= p {
			return list[i].Reference
		}
	}
	return domain.Reference{}
}

func (r *references) add(app domain.AppName, p eventstore.Position, f domain.Fact) {
	now := r.at(app, p)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.apps == nil {
		r.apps = map[domain.AppName][]reference{}
	}
	if _, void := f.Event.(domain.BuildVoided); void {
		now.Service = now.Service.Evolve(f)
	} else {
		now.Policies = now.Policies.Evolve(f)
	}
	r.apps[app] = append(r.apps[app], reference{p, now})
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
}
