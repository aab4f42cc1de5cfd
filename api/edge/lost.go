package edge

import "net/http"

// Lost answers a path or a method that has no route; h is what ServeMux would have said.
func Lost(w http.ResponseWriter, r *http.Request, h http.Handler) {
	m := mute{header: http.Header{}, status: http.StatusNotFound}
	h.ServeHTTP(&m, r)
	if allow := m.header.Get("Allow"); allow != "" {
		w.Header().Set("Allow", allow)
	}
	if m.status < http.StatusBadRequest { // it would lead to the address without its dots
		m.status = http.StatusNotFound
	}
	Write(w, Plain(m.status, ""))
}

// A mute writer keeps the status and the headers of an answer, and drops its body.
type mute struct {
	header http.Header
	status int
}

func (m *mute) Header() http.Header         { return m.header }
func (m *mute) WriteHeader(status int)      { m.status = status }
func (m *mute) Write(b []byte) (int, error) { return len(b), nil }
