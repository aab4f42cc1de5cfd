package server

import (
	"context"
	"io"

	"consentledger/api/erasing"
	"consentledger/domain/ident"
)

// restErasures are the jobs as package rest asks for them.
type restErasures struct {
	*erasing.Jobs
	h *Server
}

// Certify writes the certificate of a job, by what this server's logs prove.
func (r restErasures) Certify(ctx context.Context, app ident.AppName, id string, w io.Writer) error {
	return r.Jobs.Certify(ctx, app, id, r.h.Logs, r.h.Dir.Ledger, w)
}

// busy reports whether somebody waits for a place over HTTP or NATS.
func (h *Server) busy() bool { return h.places.Busy() || h.natsPlaces.Busy() }
