package audit

import (
	"context"
	"crypto/rand"
	"encoding/hex"

	"consentledger/domain"
	"consentledger/domain/ident"
	"consentledger/eventstore"
	"consentledger/eventstore/ledger"
	"consentledger/eventstore/vault"
	"consentledger/projections/transparency/merkle"
)

// An OpenProof asks to open the proof that is kept of somebody who is erased, by the record
// of a decision to disclose it.
type OpenProof struct {
	Disclosure string `json:"disclosure" doc:"the event id of a proof.disclosed that is not older than seven days"`
	Why        string `json:"why" maxLength:"500" doc:"in words, for what it is opened; sealed"`
}

// A ProofOpened is what was kept of somebody who is erased, with what shows that it was said.
type ProofOpened struct {
	App        string      `json:"app"`
	Person     string      `json:"person" doc:"the pseudonym"`
	Disclosure string      `json:"disclosure" doc:"the event id of the decision"`
	To         string      `json:"to" doc:"who is shown it, a code"`
	Parts      []ProofPart `json:"parts" doc:"the first says by which outside id the app knew the person, the others what they said with their answers"`
	Lost       []string    `json:"lost,omitempty" doc:"records of whose words nothing could be read when the person was erased"`
}

// A ProofPart is one text of the person. The commitment of the record that has this role is
// the HMAC-SHA-256 of the text under the opening.
type ProofPart struct {
	Event   string `json:"event" doc:"the record that it was said with"`
	Role    string `json:"role" example:"binding"`
	Text    string `json:"text"`
	Opening string `json:"opening" doc:"64 hex digits: the key of the record's commitment"`
	Record  string `json:"record" doc:"c2sp.org/tlog-proof@v1 with the record, which verifies by the key of the app's log"`
}

// OpenProof opens what is kept of somebody who is erased. Every text was held against its
// record, and comes with the proof that the record is in the log.
func (x *Exporter) OpenProof(
	ctx context.Context, app ident.AppName, ask OpenProof, principal string,
) (ProofOpened, error) {
	id, err := eventstore.ParseEventID(ask.Disclosure)
	if err != nil {
		return ProofOpened{}, malformed("disclosure: an event id is written as in 01234567-89ab-cdef-0123-456789abcdef")
	}
	if ask.Why == "" {
		return ProofOpened{}, malformed("why: say in words for what it is opened; it is sealed")
	}
	record, err := x.prove(ctx, app, id)
	if err != nil {
		return ProofOpened{}, err
	}
	e, err := entryOf(record.Extra)
	if err != nil {
		return ProofOpened{}, err
	}
	if _, is := e.Event.(domain.ProofDisclosed); !is {
		return ProofOpened{}, malformed("disclosure: the record is a " + e.Kind() + ": want a proof.disclosed")
	}
	name, err := vault.ParsePseudonym(e.Stream.ID)
	if err != nil {
		return ProofOpened{}, err
	}

	opened, err := x.Proofs.OpenProof(ctx, name, ident.EventID(id), ledger.Access{
		App: app, ID: rand.Text(), Actor: string(ident.Operator), RecordedBy: principal,
		DataAccessed: domain.DataAccessed{Name: domain.Personal(principal), Words: domain.Personal(ask.Why)},
	})
	if err != nil {
		return ProofOpened{}, err
	}
	answer := ProofOpened{App: string(app), Person: name.String(), Disclosure: id.String(), To: opened.Disclosed.To,
		Parts: []ProofPart{}}
	for _, part := range opened.Parts {
		p, err := x.prove(ctx, app, part.Event)
		if err != nil {
			return ProofOpened{}, err
		}
		answer.Parts = append(answer.Parts, ProofPart{Event: part.Event.String(), Role: part.Role,
			Text: part.Text.Reveal(), Opening: hex.EncodeToString(part.Opening[:]), Record: string(p.Format())})
	}
	answer.Lost = opened.Lost
	return answer, nil
}

// prove returns the proof that a record is in its app's log.
func (x *Exporter) prove(ctx context.Context, app ident.AppName, id eventstore.EventID) (merkle.Proof, error) {
	index, err := x.Logs.Find(ctx, app, id)
	if err != nil {
		return merkle.Proof{}, err
	}
	return x.Logs.Proof(ctx, app, index)
}
