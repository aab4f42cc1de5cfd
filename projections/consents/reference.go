package consents

import (
	"sync"

	"consentledger/domain"
	"consentledger/eventstore"
)

// references is what was published, per app, as of every position at which it
// changed. It may be ahead of the file: who reads it says as of where.
type references struct {
	mu   sync.RWMutex
	apps map[domain.AppName][]reference
}

type reference struct {
	from     eventstore.Position
	policies domain.Policies
}

// at returns an app's policies as of a position.
func (r *references) at(app domain.AppName, p eventstore.Position) domain.Policies {
	r.mu.RLock()
	defer r.mu.RUnlock()
	list := r.apps[app]
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].from <= p {
			return list[i].policies
		}
	}
	return domain.Policies{}
}

func (r *references) add(app domain.AppName, p eventstore.Position, f domain.Fact) {
	now := r.at(app, p)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.apps == nil {
		r.apps = map[domain.AppName][]reference{}
	}
	r.apps[app] = append(r.apps[app], reference{p, now.Evolve(f)})
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

// declared returns the purposes that the policies in force at a moment
// declare, in their order.
func declared(policies domain.Policies, at domain.Instant) []domain.PurposeID {
	var ids []domain.PurposeID
	names, seen := map[string]bool{}, map[domain.PurposeID]bool{}
	for _, v := range policies.Versions() {
		name := v.Document.Name
		now, ok := policies.InForce(name, at)
		if names[name] || !ok {
			continue
		}
		names[name] = true
		for _, p := range now.Document.Purposes {
			if !seen[p.ID] {
				seen[p.ID] = true
				ids = append(ids, p.ID)
			}
		}
	}
	return ids
}
