package rest

import (
	"context"
	"net/http"

	"consentledger/api/audit/upload"
	"consentledger/domain/ident"
	"consentledger/projections/transparency"

	"github.com/danielgtaylor/huma/v2"
)

// Keys are what the logs of apps are verified by.
type Keys interface {
	VerifierKey(app ident.AppName) (string, error)
	Origin(app ident.AppName) string
}

type uploadIn struct {
	App     string `path:"app"`
	RawBody []byte `contentType:"application/json"`
}

// A VerifyRequest is a file that somebody was given. Bodies are JSON here: no page of
// another origin can send one in a visitor's name.
type VerifyRequest struct {
	File []byte `json:"file" doc:"the bytes of the file, in base64; at most 32 MiB"`
}

// maxVerify is how long the body may be: four characters for three bytes.
const maxVerify = upload.Max/3*4 + 1<<10

// verifying is how many files are verified at once: each takes the memory of what is in it.
const verifying = 2

// verifyRoute verifies what somebody was given.
func (s *server) verifyRoute(api huma.API) {
	gate := make(chan struct{}, verifying)
	op := huma.Operation{
		OperationID: "verify", Method: http.MethodPost, Path: "/v1/apps/{app}/verify", MaxBodyBytes: maxVerify,
		SkipValidateParams: true, SkipValidateBody: true,
		Summary: "Verify a receipt, a bundle of evidence or a certificate of erasure against the app's log",
		Description: "The file has at most 32 MiB. It is held against the key of this ledger by the code of the verb " +
			"verify, and nothing of it is kept. Who does not trust the ledger verifies offline, with a key that they " +
			"had before.",
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
	documentBody[VerifyRequest](api, http.MethodPost, op.Path)
}

func (s *server) verify(ctx context.Context, in *uploadIn) (*out[upload.Answer], error) {
	app, err := s.app(ctx, in.App)
	if err != nil {
		return nil, err
	}

	var body VerifyRequest
	if err := question(in.RawBody, &body); err != nil {
		return nil, err
	}

	if len(body.File) == 0 || len(body.File) > upload.Max {
		return nil, bad("file: want the bytes of a file, in base64, of at most 32 MiB; what is larger is verified by " +
			"consentledger verify")
	}

	key, err := s.Keys.VerifierKey(app)
	if err != nil {
		return nil, huma.ErrorWithHeaders(failure{plain(http.StatusServiceUnavailable,
			transparency.ErrNotReady.Error())}, http.Header{"Retry-After": {"1"}})
	}

	a, err := upload.Verify(body.File, key, s.Keys.Origin(app))
	if err != nil {
		return nil, err
	}
	return ok(a)
}
