package ledger

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/refusal"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/vault"
)

// isStatement reports whether the words that go with an event are kept.
func isStatement(e domain.Event) bool {
	switch e.(type) {
	case domain.ConsentGiven, domain.ConsentRefused, domain.ConsentWithdrawn, domain.PermissionRevoked:
		return true
	}
	return false
}

// A keptV1 is a proof as it is sealed. Lost are records whose part could not be read when
// the person was erased: that keeps nobody from being erased.
type keptV1 struct {
	Version int          `json:"version"`
	App     string       `json:"app"`
	Person  string       `json:"person"`
	Parts   []keptPartV1 `json:"parts"`
	Lost    []string     `json:"lost,omitempty"`
}

type keptPartV1 struct {
	Event   string `json:"event"`
	Role    string `json:"role"`
	Text    string `json:"text"`
	Opening string `json:"opening"`
}

// keptOf returns what is kept of somebody who is about to be deleted; nothing if the order
// does not say so, or they are gone already.
func (l *Ledger) keptOf(ctx context.Context, stream ident.StreamID, s domain.Subject) (vault.Proof, error) {
	state, is := s.Proof()
	if !is || state.Ordered != (ident.EventID{}) {
		return vault.Proof{}, nil
	}
	p, err := l.named(ctx, stream.App, stream.ID)
	if errors.Is(err, vault.ErrErased) {
		return vault.Proof{}, nil
	}
	if err != nil {
		return vault.Proof{}, err
	}

	kept := keptV1{Version: 1, App: string(stream.App), Person: stream.ID, Parts: []keptPartV1{}}
	for e, err := range l.Stream(ctx, stream) {
		if err != nil {
			return vault.Proof{}, err
		}
		for _, part := range e.Parts {
			if part.Ref != stream.ID || part.Role != "binding" && !(part.Role == "details" && isStatement(e.Event)) {
				continue
			}
			text, ok, err := l.reveal(ctx, e, part.Role)
			if _, lost := errors.AsType[*codec.UnreadableError](err); lost {
				kept.Lost = append(kept.Lost, e.ID.String())
				continue
			}
			if err != nil {
				return vault.Proof{}, err
			}
			if !ok {
				return vault.Proof{}, nil // deleted meanwhile, with a proof, by another process
			}
			opening := p.Opening(e.ID, part.Role)
			kept.Parts = append(kept.Parts, keptPartV1{Event: e.ID.String(), Role: part.Role, Text: text.Reveal(),
				Opening: hex.EncodeToString(opening[:])})
		}
	}

	until, err := l.destroyAt(ctx, stream.App, state)
	if err != nil {
		return vault.Proof{}, err
	}
	text, err := json.Marshal(kept)
	if err != nil {
		return vault.Proof{}, fmt.Errorf("ledger: the proof of %s does not make JSON: %w", stream.ID, err)
	}
	return vault.Proof{Until: until.Time(), Text: text}, nil
}

// destroyAt returns when the last day of a proof is over.
func (l *Ledger) destroyAt(
	ctx context.Context, app ident.AppName, p domain.ProofState,
) (deadline.Instant, error) {
	ref, err := l.reference(ctx, app)
	if err != nil {
		return 0, err
	}
	zone, err := deadline.ParseZone(ref.Service.App.TimeZone)
	if err != nil {
		return 0, err
	}
	return zone.End(p.Until), nil
}

// A KeptPart is a text of somebody who is erased, which was kept as proof. Whoever has it and
// the record of its event can show that the record meant this text: the record's commitment
// is the HMAC-SHA-256 of the text under the opening.
type KeptPart struct {
	Event   eventstore.EventID
	Role    string
	Text    domain.Personal
	Opening [32]byte
}

// An OpenedProof is what was kept of somebody who is erased.
type OpenedProof struct {
	Disclosed domain.Disclosed
	Parts     []KeptPart
	Lost      []string // records of whose words nothing could be read when the person was erased
}

// OpenProof returns what is kept of somebody who is erased, by a decision to disclose it, for
// as long as that holds. Where disclosing takes two authenticated principals, one of these
// two opens it. First the access is recorded. Every text is held against its record.
func (l *Ledger) OpenProof(
	ctx context.Context, name vault.Pseudonym, disclosure ident.EventID, a Access,
) (OpenedProof, error) {
	stream := ident.SubjectStream(a.App, name.String())
	s, err := l.Subject(ctx, stream)
	if err != nil {
		return OpenedProof{}, err
	}
	p, is := s.Proof()
	if !is {
		return OpenedProof{}, errNoProof
	}
	d, err := p.Opens(disclosure, l.Now())
	if err != nil {
		return OpenedProof{}, err
	}
	two := l.needsTwo != nil && l.needsTwo(a.App, codec.Kind(d.ProofDisclosed))
	if two && !slices.Contains(d.By[:], a.RecordedBy) {
		return OpenedProof{}, refusal.Refusal{Code: refusal.NotTheProposer,
			Text: "a proof is opened by one of the two who decided to disclose it"}
	}

	text, there, err := l.vault.OpenProof(ctx, string(a.App), name)
	if err != nil {
		return OpenedProof{}, err
	}
	if !there {
		return OpenedProof{}, refusal.Refusal{Code: refusal.NoProof,
			Text: "the proof is not there: the vault is older than the erasure, or the proof was just destroyed"}
	}
	var kept keptV1
	if err := json.Unmarshal(text, &kept); err != nil || kept.Version != 1 {
		return OpenedProof{}, fmt.Errorf("ledger: the proof of %s is not of a form that this program knows", name)
	}

	a.Kind, a.Subject, a.Reason = domain.AccessProof, name.String(), d.Reason
	a.Records, a.Parts = len(kept.Parts), len(kept.Parts)
	if _, err := l.Access(ctx, a); err != nil {
		return OpenedProof{}, err
	}
	parts, err := l.heldAgainst(ctx, stream, kept)
	return OpenedProof{Disclosed: d, Parts: parts, Lost: kept.Lost}, err
}

// heldAgainst holds what was kept against the records of the stream.
func (l *Ledger) heldAgainst(ctx context.Context, stream ident.StreamID, kept keptV1) (all []KeptPart, err error) {
	for _, k := range kept.Parts {
		id, err := eventstore.ParseEventID(k.Event)
		if err != nil {
			return nil, err
		}
		part := KeptPart{Event: id, Role: k.Role, Text: domain.Personal(k.Text)}
		opening, err := hex.DecodeString(k.Opening)
		if err != nil || len(opening) != len(part.Opening) {
			return nil, fmt.Errorf("ledger: the proof of %s holds no key for the record %s", stream.ID, k.Event)
		}
		copy(part.Opening[:], opening)
		all = append(all, part)
	}

	left := len(all)
	for e, err := range l.Stream(ctx, stream) {
		if err != nil {
			return nil, err
		}
		for _, k := range all {
			if k.Event != e.ID {
				continue
			}
			left--
			part, has := e.Part(k.Role)
			if !has || vault.Commitment(k.Opening, []byte(k.Text.Reveal())) != part.Commitment {
				return nil, unreadable(e, fmt.Errorf("what was kept of its part %s is not what the record commits "+
					"to", k.Role))
			}
		}
	}
	if left != 0 {
		return nil, fmt.Errorf("ledger: the proof of %s names records that the log does not have", stream.ID)
	}
	return all, nil
}

// A NamedProof is what became of the proof of somebody who is erased.
type NamedProof struct {
	Person string // the pseudonym
	domain.ProofState
}

// ProofNamed returns what became of a proof, those included that are destroyed.
func (l *Ledger) ProofNamed(ctx context.Context, app ident.AppName, name vault.Pseudonym) (NamedProof, error) {
	s, err := l.Subject(ctx, ident.SubjectStream(app, name.String()))
	if err != nil {
		return NamedProof{}, err
	}
	p, is := s.Proof()
	if !is {
		return NamedProof{}, errNoProof
	}
	return NamedProof{name.String(), p}, nil
}

// KeptProofs returns the proofs that an app keeps, in the order of the pseudonyms, after one;
// at most so many.
func (l *Ledger) KeptProofs(
	ctx context.Context, app ident.AppName, after vault.Pseudonym, most int,
) (all []NamedProof, err error) {
	if _, err := l.reference(ctx, app); err != nil {
		return nil, err
	}
	for name, err := range l.vault.Proofs(ctx, string(app), after) {
		if err != nil {
			return nil, err
		}
		if len(all) == most {
			break
		}
		p, err := l.ProofNamed(ctx, app, name)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}
