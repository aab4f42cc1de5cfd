package wire

import (
	"encoding/json"

	"consentledger/domain"
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
}

// Request returns the request that every app of the group is asked, but for the
// app. It holds what other apps are to be told; who asks them drops that. Its id
// is one of its own: what an app says itself by that id is something else.
func (g GroupEvent) Request() (ledger.Request, error) {
	req, err := ParseGroupEvent(g.Event)
	if err != nil {
		return req, err
	}
	req.ID, req.RecordedBy = "group/"+g.Group+"/"+req.ID, g.By
	if g.Signer != "" {
		req.Signed = &ledger.Signature{Signer: g.Signer, Signature: g.Signature, Original: g.Original}
	}
	if req.Person != (domain.PersonKey{}) {
		req.Group, err = json.Marshal(g)
	}
	return req, err
}

// Sign puts a signature beside the event; nil: it has none.
func (g GroupEvent) Sign(s *ledger.Signature) GroupEvent {
	if s != nil {
		g.Signer, g.Signature, g.Original = s.Signer, s.Signature, s.Original
	}
	return g
}

// ParseKeptGroupEvent reads what [GroupEvent.Request] keeps.
func ParseKeptGroupEvent(text domain.Personal) (GroupEvent, error) {
	var g GroupEvent
	if json.Unmarshal([]byte(text.Reveal()), &g) != nil {
		return g, domain.Refusal{Code: domain.Malformed, Text: "what a group of apps was to be told is no event"}
	}
	return g, nil
}
