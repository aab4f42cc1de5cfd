package codec

import (
	"fmt"

	"consentledger/domain"
	"consentledger/domain/policy"
)

// The shapes of requests, and of the steps of requests and incidents.
type (
	requestReceivedV1 struct {
		Authenticated bool               `json:"authenticated,omitzero"`
		Cause         string             `json:"cause,omitzero"`
		Channel       string             `json:"channel"`
		Document      string             `json:"document,omitzero"`
		Guardian      string             `json:"guardian,omitzero"`
		Policy        string             `json:"policy"`
		Purposes      []policy.PurposeID `json:"purposes,omitempty"`
		Subject       string             `json:"subject,omitzero"`
		Types         []string           `json:"types"`
		Unpromised    []string           `json:"unpromised,omitempty"`
		Version       string             `json:"version"`
	}
	subjectRequestedV1 struct {
		Request string   `json:"request"`
		Types   []string `json:"types"`
	}
	steppedV1 notedV1
)

func shapeOfRequest(e domain.Event) (string, any, []Plain) {
	switch e := e.(type) {
	case domain.RequestReceived:
		return "request.received.v1", requestReceivedV1{
			e.Authenticated, eventID(e.Cause), string(e.Channel), hash(e.Document), string(e.Guardian), e.Policy, e.Purposes, e.Subject,
			names(e.Types), names(e.Unpromised), hash(e.Version),
		}, details(e.Text)
	case domain.RequestMade:
		return "subject.requested.v1", subjectRequestedV1{e.Request, names(e.Types)}, nil
	case domain.Stepped:
		s := steppedV1{hash(e.Evidence), map[string]string{}, string(e.Kind)}
		for _, f := range e.Fields {
			s.Fields[f.Name] = f.Value
		}
		return "stepped.v1", s, details(e.Details)
	}
	panic(fmt.Sprintf("codec: event %T has no case in shapeOfRequest", e))
}

func (s requestReceivedV1) event() (domain.Event, error) {
	var r reader
	return domain.RequestReceived{
		Types: parseAll(&r, s.Types, domain.ParseRequestType), Policy: s.Policy, Version: r.hash(s.Version), Channel: policy.ChannelID(s.Channel),
		Authenticated: s.Authenticated, Purposes: s.Purposes, Subject: s.Subject, Document: r.hash(s.Document), Cause: r.eventID(s.Cause),
		Unpromised: parseAll(&r, s.Unpromised, domain.ParseRequestType), Guardian: domain.GuardianRef(s.Guardian),
	}, r.err
}

func (s subjectRequestedV1) event() (domain.Event, error) {
	var r reader
	return domain.RequestMade{Request: s.Request, Types: parseAll(&r, s.Types, domain.ParseRequestType)}, r.err
}

func (s steppedV1) event() (domain.Event, error) {
	var r reader
	return domain.Stepped{Kind: domain.StepKind(s.Kind), Fields: domain.Fields(s.Fields), Evidence: r.hash(s.Evidence)}, r.err
}
