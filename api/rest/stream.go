package rest

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"consentledger/api/edge"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// A sentFile is a file that is sent while it is made, so that nobody holds it as a whole. One
// without a name is shown, and not saved.
type sentFile struct {
	kind, name string
	write      func(to io.Writer) error
}

const (
	// sentAtOnce is how much of a file is held: what breaks before that is answered as a problem.
	sentAtOnce = 64 << 10
	// filePatience is how long a reader may take for a part, since a snapshot is kept meanwhile.
	filePatience = time.Minute
)

// send answers with a file. If it breaks off when a part was sent, the connection is cut, so
// that nobody takes the part for the whole.
func (s *server) send(ctx context.Context, operation string, f sentFile) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(c huma.Context) {
		_, w := humago.Unwrap(c)
		to := &fileHead{ResponseWriter: w, file: f}
		held := bufio.NewWriterSize(to, sentAtOnce)
		err := f.write(held)
		if err == nil {
			err = held.Flush()
		}

		switch {
		case err == nil:
		case !to.begun:
			writeFailure(w, s.fail(ctx, operation, err))
		default:
			if to.err == nil && ctx.Err() == nil { // else whoever asked has gone
				s.Log.ErrorContext(ctx, "a file could not be finished", "route", operation, "err", err)
			}
			panic(http.ErrAbortHandler)
		}
	}}
}

// A fileHead writes the head of a file's answer before its first part.
type fileHead struct {
	http.ResponseWriter
	file  sentFile
	begun bool
	err   error // of the connection
}

func (h *fileHead) Write(b []byte) (int, error) {
	if !h.begun {
		h.begun = true
		h.Header().Set("Content-Type", h.file.kind)
		if h.file.name != "" {
			h.Header().Set("Content-Disposition", `attachment; filename="`+h.file.name+`"`)
		}
	}

	// A writer that knows no deadline has none.
	_ = http.NewResponseController(h.ResponseWriter).SetWriteDeadline(time.Now().Add(filePatience))
	n, err := h.ResponseWriter.Write(b)
	h.err = err
	return n, err
}

// writeFailure answers with what [server.fail] made of an error.
func writeFailure(w http.ResponseWriter, err error) {
	if more, has := errors.AsType[huma.HeadersError](err); has {
		for name, values := range more.GetHeaders() {
			w.Header()[name] = values
		}
	}
	f, is := errors.AsType[failure](err)
	if !is {
		panic(err)
	}
	edge.Write(w, f.Problem)
}
