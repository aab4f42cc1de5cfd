package server

import (
	"net/http"
	"strings"
	"time"

	"consentledger/api/dashboard"
	"consentledger/cmd/internal/buildinfo"
)

// withPages answers with the dashboard below its root, and with the API elsewhere. It
// cleans no path on the way: what a path means is for the API to say.
func (h *Server) withPages(api http.Handler) http.Handler {
	pages := dashboard.Handler(dashboard.Config{
		API: api, May: h.may, Sessions: h.sessions, Version: buildinfo.Version, Now: time.Now, Log: h.Log,
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, dashboard.Root) {
			pages.ServeHTTP(w, r)
			return
		}
		api.ServeHTTP(w, r)
	})
}
