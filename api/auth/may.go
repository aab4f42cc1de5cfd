package auth

import (
	"io"
	"net/http"
)

// May answers a request as [Guard] does, and does nothing: with an empty object if the sender
// may use the route, and otherwise with why they may not. So a menu knows what to leave out.
//
// Nobody is refused by it, so the trail is told nothing, and it is no request of theirs that
// counts for their rate.
func May(ways Ways) http.Handler {
	ways.Trail, ways.Limit = nil, nil
	return Guard(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, "{}") // whoever went away asks again
	}), ways)
}
