package server

import (
	"context"
	"errors"

	"consentledger/api/auth"
	"consentledger/api/nats/intake"
	"consentledger/domain/ident"
	"consentledger/domain/refusal"
)

// senders returns who says who sent a message on NATS, by an operation; nil: nobody is
// authenticated.
func (h *Server) senders(op auth.Operation) intake.Sender {
	if h.keys == nil {
		return nil
	}
	return func(ctx context.Context, app ident.AppName, values []string) (string, error) {
		by, err := h.ways.Sender(ctx, op, app, values)
		if err == nil || errors.Is(err, auth.ErrAway) {
			return by, err
		}
		h.ways.NoteDenied("nats", err)
		return "", refusal.Refusal{Code: refusal.Malformed, Path: "authorization",
			Text: "authorization: " + err.Error()}
	}
}

// readers says who may read persons of those who send messages on NATS; nil: nobody is
// authenticated. Whoever may not has asked for something else, and is not refused by it.
func (h *Server) readers() func(ctx context.Context, app ident.AppName, values []string) bool {
	if h.keys == nil {
		return nil
	}
	return func(ctx context.Context, app ident.AppName, values []string) bool {
		if len(values) == 0 {
			return false
		}
		_, err := h.ways.Sender(ctx, auth.ReadPerson, app, values)
		return err == nil
	}
}
