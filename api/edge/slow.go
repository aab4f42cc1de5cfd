package edge

import (
	"io"
	"net/http"
	"time"
)

// Limit gives a body a time in which it has to come, and takes the limit off the
// connection when it has. A limit that stays would end a request that takes its
// time to answer, and cut the connection's next one.
func Limit(w http.ResponseWriter, r *http.Request, limit time.Duration) {
	if r.Body == nil || r.Body == http.NoBody {
		return
	}
	rc, until := http.NewResponseController(w), time.Now().Add(limit)
	if err := rc.SetReadDeadline(until); err != nil {
		return // it came in a message, and is there as a whole
	}
	r.Body = &limited{r.Body, rc, until}
}

type limited struct {
	io.ReadCloser
	rc    *http.ResponseController
	until time.Time
}

// Read sets the limit every time: a framework in between may have taken it off.
// If it cannot be set the connection is gone, which reading tells.
func (b *limited) Read(p []byte) (int, error) {
	_ = b.rc.SetReadDeadline(b.until)
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		_ = b.rc.SetReadDeadline(time.Time{})
	}
	return n, err
}
