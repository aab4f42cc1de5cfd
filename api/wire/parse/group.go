package parse

import (
	"encoding/json"

	"consentledger/domain"
	"consentledger/domain/ident"
	"consentledger/domain/refusal"
	"consentledger/eventstore/ledger"
)

// A GroupEvent is what was said to a group of apps, as it came in. It is kept
// sealed until every app was told, and as long as the person's data are.
type GroupEvent struct {
	Group string `json:"group"`
	By    string `json:"by"`    // the authenticated principal
	Event []byte `json:"event"` // a structured CloudEvent that has an id

	Signer    string   `json:"signer,omitzero"`
	Signature [64]byte `json:"signature,omitzero"`
	Original  []byte   `json:"original,omitzero"` // what was signed

	Beside json.RawMessage `json:"beside,omitzero"` // claims of what stood beside an opt-out, and was not understood
	Names  string          `json:"names,omitzero"`  // and how the record names all of them
}

// Request returns the request that every app of the group is asked, but for the
// app. It holds what other apps are to be told; who asks them drops that. Its id
// is one of its own: what an app says itself by that id is something else.
func (g GroupEvent) Request() (ledger.Request, error) {
	req, err := EventForGroup(g.Event)
	if err != nil {
		return req, err
	}
	req.ID, req.RecordedBy = "group/"+g.Group+"/"+req.ID, g.By
	if g.Signer != "" {
		req.Signed = &ledger.Signature{Signer: g.Signer, Signature: g.Signature, Original: g.Original}
	}
	if g.Names != "" {
		req.Unread = ledger.Unread{Names: g.Names, Claims: g.Beside}
	}
	return g.kept(req)
}

// Keep returns a request of the event as other apps are to be told of it: with what
// stood beside the event, which [GroupEvent.Request] does not know.
func (g GroupEvent) Keep(req ledger.Request) (ledger.Request, error) {
	if s := req.Signed; s != nil {
		g.Signer, g.Signature, g.Original = s.Signer, s.Signature, s.Original
	}
	g.Names, g.Beside = req.Unread.Names, req.Unread.Claims
	return g.kept(req)
}

func (g GroupEvent) kept(req ledger.Request) (_ ledger.Request, err error) {
	if req.Person != (ident.PersonKey{}) {
		req.Group, err = json.Marshal(g)
	}
	return req, err
}

// KeptGroupEvent reads what [GroupEvent.Request] keeps.
func KeptGroupEvent(text domain.Personal) (GroupEvent, error) {
	var g GroupEvent
	if json.Unmarshal([]byte(text.Reveal()), &g) != nil {
		return g, refusal.Refusal{Code: refusal.Malformed, Text: "what a group of apps was to be told is no event"}
	}
	return g, nil
}
