package rest

import (
	"context"
	"crypto/rand"
	"net/http"

	"consentledger/api/approval"
	"consentledger/api/wire"
	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/ident"
	"consentledger/domain/refusal"
	"consentledger/eventstore/ledger"

	"github.com/danielgtaylor/huma/v2"
)

// An Erasure orders to erase a person.
type Erasure struct {
	ID       string   `json:"id,omitempty" doc:"names the order: with the same id it is given once; absent: a random one"`
	Subject  string   `json:"subject" doc:"account:ID, device:ID or ID"`
	Reason   string   `json:"reason" example:"subject-request" doc:"a code; kept in the clear"`
	By       []string `json:"by,omitempty" minItems:"2" maxItems:"2" doc:"two principals who order it; kept in the clear. Where principals are authenticated an erasure is proposed instead, and names nobody"`
	Evidence string   `json:"evidence,omitempty" doc:"sha256:... of the request or the decision"`
}

func (s *server) eraseRoute(api huma.API) {
	bodied[Erasure](s, api, "erase-subject", http.MethodPost, "/v1/apps/{app}/subjects/erase",
		"Erase a person: their key, their personal texts, and the outside ids that lead to them. It cannot be "+
			"undone", maxBody, s.erase)
}

type erasureBody struct {
	App     string `path:"app"`
	Key     string `header:"Idempotency-Key" doc:"the order's id, for an order that has none"`
	RawBody []byte `contentType:"application/json"`
}

func (s *server) erase(ctx context.Context, in *erasureBody) (*out[wire.Receipt], error) {
	app, err := ident.ParseAppName(in.App)
	if err != nil {
		return nil, bad(err.Error())
	}

	var b Erasure
	if err := strict(in.RawBody, &b); err != nil {
		return nil, err
	}

	cmd := domain.OrderErasure{Reason: b.Reason}
	who, err := ident.ParsePersonKey(b.Subject)
	if err != nil {
		return nil, bad("subject: " + err.Error())
	}

	if len(b.By) != 2 {
		return nil, s.orProposed(app, approval.ErasureKind,
			refusal.Refusal{Code: refusal.TwoPersons, Path: "by", Text: "erasing takes two different persons"})
	}

	cmd.By = [2]string(b.By)
	if b.Evidence != "" {
		if cmd.Evidence, err = content.ParseNamedHash(b.Evidence); err != nil {
			return nil, bad("evidence: a hash is written sha256: and 64 lower-case hex digits")
		}
	}

	key, err := parseKey(in.Key)
	switch {
	case err != nil:
		return nil, err
	case key != "" && b.ID != "":
		return nil, bad("an order that has an id comes without Idempotency-Key: it is known by its id, and may be " +
			"sent again with it")
	case key != "":
		b.ID = key
	case b.ID == "":
		b.ID = rand.Text()
	}

	r, err := s.Ledger.Erase(ctx, ledger.Request{
		App:        app,
		Person:     who,
		Source:     "erasure",
		ID:         b.ID,
		Body:       in.RawBody,
		Actor:      string(ident.Operator),
		RecordedBy: s.principal(ctx),
		Command:    cmd,
	})
	if err != nil {
		return nil, keyReused(key, err)
	}
	return ok(wire.ReceiptOf(r))
}
