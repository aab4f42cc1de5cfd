package codec

import (
	"consentledger/domain"
	"consentledger/domain/catalog"
	"consentledger/domain/policy"
	"consentledger/domain/request"
)

// requestShapes are of requests, and of the steps of requests and incidents.
var requestShapes = []shape{
	split[requestReceivedV1]("request.received.v1", func(e domain.RequestReceived) (any, []Plain) {
		return requestReceivedV1{
			Authenticated: e.Authenticated,
			Cause:         eventID(e.Cause),
			Channel:       string(e.Channel),
			Document:      hash(e.Document),
			Guardian:      string(e.Guardian),
			Policy:        e.Policy,
			Purposes:      e.Purposes,
			Subject:       e.Subject,
			Types:         names(e.Types),
			Unpromised:    names(e.Unpromised),
			Version:       hash(e.Version),
		}, details(e.Text)
	}),
	written[subjectRequestedV1]("subject.requested.v1",
		func(e domain.RequestMade) any { return subjectRequestedV1{Request: e.Request, Types: names(e.Types)} }),
	split[steppedV1]("stepped.v1", func(e domain.Stepped) (any, []Plain) {
		return steppedV1{hash(e.Evidence), fieldShapes(e.Fields), string(e.Kind)}, details(e.Details)
	}),
}

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

func (s requestReceivedV1) event() (domain.Event, error) {
	var r reader
	return domain.RequestReceived{
		Types: parseAll(&r, s.Types, request.ParseType), Policy: s.Policy, Version: r.hash(s.Version),
		Channel:       policy.ChannelID(s.Channel),
		Authenticated: s.Authenticated, Purposes: s.Purposes, Subject: s.Subject, Document: r.hash(s.Document),
		Cause:      r.eventID(s.Cause),
		Unpromised: parseAll(&r, s.Unpromised, request.ParseType), Guardian: domain.GuardianRef(s.Guardian),
	}, r.err
}

func (s subjectRequestedV1) event() (domain.Event, error) {
	var r reader
	return domain.RequestMade{Request: s.Request, Types: parseAll(&r, s.Types, request.ParseType)}, r.err
}

func (s steppedV1) event() (domain.Event, error) {
	var r reader
	return domain.Stepped{Kind: catalog.Step(s.Kind), Fields: policy.Fields(s.Fields), Evidence: r.hash(s.Evidence)},
		r.err
}
