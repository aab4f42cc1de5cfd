package rest

import (
	"context"
	"net/http"

	"consentledger/api/audit/upload"
	"consentledger/domain"
	"consentledger/projections/transparency"

	"github.com/danielgtaylor/huma/v2"
)

// Keys are what the logs of apps are verified by.
type Keys interface {
	VerifierKey(app domain.AppName) (string, error)
	Origin(app domain.AppName) string
}

type uploadIn struct {
	App     string `path:"app"`
	RawBody []byte `contentType:"application/octet-stream"`
}

// verifying is how many files are verified at once: each takes the memory of what is in it.
const verifying = 2

// verifyRoute verifies what somebody was given.
func (s *server) verifyRoute(api huma.API) {
	gate := make(chan struct{}, verifying)
	op := huma.Operation{
		OperationID: "verify", Method: http.MethodPost, Path: "/v1/apps/{app}/verify", MaxBodyBytes: upload.Max,
		SkipValidateParams: true, SkipValidateBody: true,
		Summary: "Verify a receipt, a bundle of evidence or a certificate of erasure against the app's log",
		Description: "The file is the body, of at most 32 MiB. It is held against the key of this ledger by the code of the verb verify, and nothing of it is kept. " +
			"Who does not trust the ledger verifies offline, with a key that they had before.",
	}
	huma.Register(api, op, func(ctx context.Context, in *uploadIn) (*out[upload.Answer], error) {
		select {
		case gate <- struct{}{}:
			defer func() { <-gate }()
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		answer, err := s.verify(ctx, in)
		return answer, s.fail(ctx, op.OperationID, err)
	})
}

func (s *server) verify(ctx context.Context, in *uploadIn) (*out[upload.Answer], error) {
	app, err := s.app(ctx, in.App)
	if err != nil {
		return nil, err
	}
	key, err := s.Keys.VerifierKey(app)
	if err != nil {
		return nil, huma.ErrorWithHeaders(failure{plain(http.StatusServiceUnavailable, transparency.ErrNotReady.Error())}, http.Header{"Retry-After": {"1"}})
	}
	a, err := upload.Verify(in.RawBody, key, s.Keys.Origin(app))
	if err != nil {
		return nil, err
	}
	return ok(a)
}
