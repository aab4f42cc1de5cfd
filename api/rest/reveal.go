package rest

import (
	"context"
	"net/http"

	"consentledger/api/wire"
	"consentledger/domain"
	"consentledger/domain/cases"
	"consentledger/domain/ident"
	"consentledger/domain/refusal"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"

	"github.com/danielgtaylor/huma/v2"
)

// A RevealedRequest says who asks in a request, by the id that the app has for them, and what
// was written in it.
type RevealedRequest struct {
	App     string         `json:"app"`
	ID      string         `json:"id"`
	Subject string         `json:"subject,omitzero" doc:"account:ID or device:ID, by which the app knew them first; absent: the request is of nobody whom the app knows"`
	Person  string         `json:"person,omitzero" doc:"a pseudonym"`
	Texts   []RevealedText `json:"texts" doc:"in the order in which they were recorded; none: nothing was written"`
}

// A RevealedText is one text of a request's records.
type RevealedText struct {
	Event    string `json:"event" doc:"the record that has it"`
	Type     string `json:"type" example:"request.received"`
	Recorded string `json:"recorded" format:"date-time"`
	Role     string `json:"role" example:"details"`
	Text     string `json:"text" doc:"of request.received the words themselves; of a step its details, a JSON object"`
}

// A RevealQuery says why somebody reads who asks in a request, and what was written.
type RevealQuery struct {
	KnownAt string `json:"known_at,omitzero" format:"date-time" doc:"what was written by then; who reads is recorded as of now (default: now)"`
	wire.Accessor
}

type revealIn struct {
	App     string `path:"app"`
	ID      string `path:"id"`
	RawBody []byte `contentType:"application/json"`
}

// detailsRole is the part of a record that is what somebody wrote.
const detailsRole = "details"

func (s *server) revealRoute(api huma.API) {
	bodied[RevealQuery](s, api, "reveal-request", http.MethodPost, "/v1/apps/{app}/requests/{id}/reveal",
		"Who asks, by the app's own id, and what they wrote; who reads and why is recorded first", maxBody,
		s.revealRequest)
}

// revealRequest reads the records of the request themselves, so that one that just came can be read.
func (s *server) revealRequest(ctx context.Context, in *revealIn) (*out[RevealedRequest], error) {
	app, err := s.app(ctx, in.App)
	if err != nil {
		return nil, err
	}
	var q RevealQuery
	if err := question(in.RawBody, &q); err != nil {
		return nil, err
	}
	var until eventstore.Position
	if q.KnownAt != "" {
		if _, until, err = s.knownAt(ctx, q.KnownAt); err != nil {
			return nil, err
		}
	}

	var request cases.Request
	var written []codec.Entry
	var found bool
	access := wire.AccessOf(q.Accessor, domain.AccessRequest)
	access.Roles = []string{bindingRole, detailsRole}
	for e, err := range s.Ledger.Stream(ctx, ident.RequestStream(app, in.ID)) {
		if err != nil {
			return nil, err
		}
		if q.KnownAt != "" && e.Position > until {
			break
		}
		request, found = request.Evolve(e.Fact()), true
		if _, has := e.Part(detailsRole); has {
			written = append(written, e)
		}
	}
	if !found {
		return nil, noCase(ident.RequestNoun, q.KnownAt)
	}

	access.Subject, access.Parts = request.Received.Subject, len(written)
	if access.Subject != "" {
		access.Parts++ // by which id the app knows them
	}
	access.Records = access.Parts // one of each
	opened, err := s.access(ctx, app, access)
	if err != nil {
		return nil, err
	}

	a := RevealedRequest{App: in.App, ID: in.ID, Person: access.Subject, Texts: []RevealedText{}}
	if access.Subject != "" {
		if a.Subject, err = s.boundTo(ctx, opened, app, access.Subject); err != nil {
			return nil, err
		}
		if a.Subject == "" {
			return nil, refusal.Refusal{Code: refusal.UnknownPerson, Text: "who asked was erased, and with them " +
				"what they wrote: the request's records and its obligations are all that there is"}
		}
	}
	for _, e := range written {
		text, has, err := opened.Reveal(ctx, e, detailsRole)
		if err != nil {
			return nil, err
		}
		if has {
			a.Texts = append(a.Texts, RevealedText{Event: eventstore.EventID(e.ID).String(), Type: e.Kind(),
				Recorded: e.Recorded.String(), Role: detailsRole, Text: text.Reveal()})
		}
	}
	return ok(a)
}
