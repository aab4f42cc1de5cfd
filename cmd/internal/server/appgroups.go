package server

import (
	"context"
	"slices"
	"sync"

	"consentledger/api/auth"
	"consentledger/domain/ident"
)

// A registered holds apps that this process has registered. The logs know of an app a moment
// later, and what a grant for its group opens holds from the first request on.
type registered struct {
	mu   sync.Mutex
	apps []ident.AppName
}

// add adds an app, once.
func (r *registered) add(app ident.AppName) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Contains(r.apps, app) {
		r.apps = append(r.apps, app)
	}
}

// and returns apps with those that are registered.
func (r *registered) and(apps []ident.AppName) []ident.AppName {
	r.mu.Lock()
	defer r.mu.Unlock()
	apps = slices.Concat(apps, r.apps)
	slices.Sort(apps)
	return slices.Compact(apps)
}

// appRegistered takes note of an app that was registered, or moved to another group: who has
// a role in the group may use it, or not any more, from the next request on. Other processes
// read that within a second.
func (h *Server) appRegistered(ctx context.Context, app ident.AppName) {
	if h.keys == nil {
		return
	}
	h.registered.add(app)
	if err := h.keys.Read(ctx); err != nil && ctx.Err() == nil {
		h.Log.Warn("which apps are in which group could not be read, and is read again", "error", err)
	}
}

// openGroups reads which apps are in which group, once the logs say which apps there are.
func (h *Server) openGroups(ctx context.Context) error {
	if h.keys == nil {
		return nil
	}
	return h.keys.Read(ctx)
}

// appGroups returns which apps are in which group. While the ledger opens, none is: keys are
// read before it is known which apps there are.
func (h *Server) appGroups(ctx context.Context) (map[auth.AppGroup][]ident.AppName, error) {
	if h.Logs == nil {
		return nil, nil
	}
	of, err := h.Dir.Ledger.Groups(ctx, h.registered.and(h.Logs.Logged()))
	if err != nil {
		return nil, err
	}

	groups := map[auth.AppGroup][]ident.AppName{}
	for name, apps := range of {
		groups[auth.AppGroup(name)] = apps
	}
	return groups, nil
}

// filesNameGroups reports whether one of the files of roles gives roles in groups of apps.
func (h *Server) filesNameGroups() bool {
	if h.certificates != nil && h.certificates.NamesGroups() {
		return true
	}
	file := h.rolesNow()
	return file != nil && file.NamesGroups()
}

// allGrants returns what changes without a key being issued: what the files of roles give,
// and what keys give in groups of apps.
func (h *Server) allGrants() (all []auth.Grant) {
	if h.grants != nil {
		all = h.grants()
	}
	return append(all, h.keys.Grants()...)
}
