package intake

import (
	"context"
	"strings"

	"consentledger/domain"
	"consentledger/domain/ident"
	"consentledger/eventstore/ledger"

	"github.com/nats-io/nats.go"
)

// A Sender says who sent a message, by the values of its header Authorization: NATS does
// not tell a receiver. It returns a refusal where they are no good or are of somebody who
// may not do that in the app, and another error where nobody can tell now.
type Sender func(ctx context.Context, app ident.AppName, values []string) (pseudonym string, err error)

// credentials takes the values of the header Authorization out of a message, however its
// name is written: what is kept, logged or handed on later holds none.
func credentials(header nats.Header) (values []string) {
	for name, v := range header {
		if strings.EqualFold(name, "Authorization") {
			values = append(values, v...)
			delete(header, name)
		}
	}
	return values
}

// signedBy says in a request who sent it. An opt-out is not refused for what stands beside
// it: by a credential that is no good it is recorded as nobody's in particular, as it is
// without one, since who may publish here may write for the app.
func (c Config) signedBy(ctx context.Context, req ledger.Request, values []string) (ledger.Request, error) {
	if c.Sender == nil || len(values) == 0 {
		return req, nil
	}
	by, err := c.Sender(ctx, req.App, values)
	if err == nil {
		req.RecordedBy = by
		return req, nil
	}
	if domain.IsOptOut(req.Command) {
		return req, nil
	}
	return req, err
}

// asker returns who asks a question, as an answer that is recorded names them.
func (c Config) asker(ctx context.Context, app ident.AppName, values []string) (string, error) {
	if c.AskedBy == nil || len(values) == 0 {
		return ident.Unauthenticated, nil
	}
	return c.AskedBy(ctx, app, values)
}
