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

// A ProofOf says whose proof is meant.
//
// Whoever knows that an outside id led to a pseudonym reads in the log what that person
// agreed to: it is what the proof says. So whom an id led to is told nobody before two
// principals have decided. A proposal that names an id is taken whether somebody is found or
// not, and what is kept of it is sealed to whoever looks at it.
type ProofOf struct {
	Names  []vault.Pseudonym
	Sealed []byte // instead: names that were found by an outside id, see [Ledger.SealProofsOf]
}

// ProofsOf returns whose proof is meant by an outside id, for a decision that two have taken.
func (l *Ledger) ProofsOf(ctx context.Context, app ident.AppName, who ident.PersonKey) (ProofOf, error) {
	if _, err := l.reference(ctx, app); err != nil {
		return ProofOf{}, err
	}
	names, err := l.vault.ProofsOf(ctx, lookup(app, who))
	return ProofOf{Names: names}, err
}

// SealProofsOf is [Ledger.ProofsOf] for a decision that two have not taken yet: it returns
// the names such that only the ledger reads them. Its length says nothing of how many they
// are, and no two are alike: what were the same whenever the same persons are meant would
// tell who is meant by whom there is no proof.
func (l *Ledger) SealProofsOf(ctx context.Context, app ident.AppName, who ident.PersonKey) ([]byte, error) {
	of, err := l.ProofsOf(ctx, app, who)
	if err != nil {
		return nil, err
	}
	k, err := l.vault.AppKey(ctx, string(app))
	if err != nil {
		return nil, err
	}
	if len(of.Names) > mostSealed {
		return nil, refusal.Refusal{Code: refusal.TooLarge, Text: fmt.Sprintf(
			"more than %d persons had this id one after the other: name one by the pseudonym", mostSealed)}
	}
	plain := make([]byte, mostSealed*len(vault.Pseudonym{}))
	for i, name := range of.Names {
		copy(plain[i*len(name):], name[:])
	}
	return k.Seal(sealedNames, plain), nil
}

// mostSealed is how many persons may have had one id, one after the other.
const mostSealed = 16

// sealedNames is what the names open with.
var sealedNames = []byte("whose proof a proposal is about")

// names returns whose proof is meant.
func (o ProofOf) names(k *vault.AppKey) (names []vault.Pseudonym, err error) {
	if o.Sealed == nil {
		return o.Names, nil
	}
	plain, err := k.Unseal(sealedNames, o.Sealed)
	if err != nil {
		return nil, err
	}
	for some := range slices.Chunk(plain, len(vault.Pseudonym{})) {
		if name := vault.Pseudonym(some); name != (vault.Pseudonym{}) {
			names = append(names, name)
		}
	}
	return names, nil
}

// errUntold is what a dry run of an approval hears: it may not tell what an id finds.
var errUntold = refusal.Refusal{
	Code: refusal.IllegalMove,
	Text: "what an outside id finds is told when two have decided, and not before: this cannot be tried",
}

// errNoProof is what whoever asks for a proof hears that is not there.
var errNoProof = refusal.Refusal{Code: refusal.NoProof, Text: "no proof is kept of this person"}

// DecideOnProof records that a proof is disclosed, or is to be destroyed, which is done then.
// Whose it is says the request. If an outside id led to several persons, one after the other,
// it is about the proofs of all of them, and the receipt is the last one's.
func (l *Ledger) DecideOnProof(ctx context.Context, req Request) (Receipt, error) {
	if err := l.fresh.now(ctx); err != nil {
		return Receipt{}, err
	}
	ref, err := l.lookUp(ctx, req)
	if err != nil {
		return Receipt{}, err
	}
	if err := l.checkNeedsTwo(req); err != nil { // before anybody is told whether there is a proof
		return Receipt{}, err
	}
	k, err := l.vault.AppKey(ctx, string(req.App))
	if err != nil {
		return Receipt{}, err
	}

	if req.Proof.Sealed != nil && req.looks() {
		if err := l.checkStillMay(ctx, req); err != nil {
			return Receipt{}, err
		}
		sum := k.Digest([]byte("a proof by an outside id"))
		req.approved.found = hex.EncodeToString(sum[:])
		return Receipt{}, nil
	}
	if req.Proof.Sealed != nil && l.rehearses {
		return Receipt{}, errUntold
	}
	names, err := req.Proof.names(k)
	if err != nil {
		return Receipt{}, err
	}
	if len(names) == 0 {
		return Receipt{}, errNoProof
	}

	var receipt Receipt
	for _, name := range names {
		one := req
		one.ID += " " + name.String() // an event id is of one stream
		if receipt, err = l.decideOnOne(ctx, one, ref, k, vault.Order{App: string(req.App),
			Pseudonym: name}); err != nil {
			return Receipt{}, err
		}
	}
	return receipt, nil
}

// decideOnOne decides on the proof of one person.
func (l *Ledger) decideOnOne(
	ctx context.Context, req Request, ref domain.Reference, k *vault.AppKey, o vault.Order,
) (receipt Receipt, err error) {
	stream := streamOf(o)
	r := resolved{Request: req, ref: ref, stream: stream, key: k}
	_, destroys := req.Command.(domain.DestroyProof)
	err = l.locked(ctx, stream, func() error {
		f, err := l.fold(ctx, stream)
		if err != nil {
			return err
		}
		_, answered, err := l.answer(ctx, stream, f, k.RequestID(req.Source, req.ID))
		if err != nil {
			return err
		}

		decide := func(recorded deadline.Instant) ([]domain.Event, error) {
			at := atOf(req, recorded)
			if err := l.checkProofApproved(ctx, r, ref, f, recorded); err != nil {
				return nil, err
			}
			return f.subject.Decide(req.Command, ref, at, recorded)
		}
		if !answered {
			// Nothing is noted of what is refused.
			if _, err := decide(l.Now()); err != nil || req.looks() {
				return err
			}
			if destroys {
				if err := l.vault.OrderDestruction(ctx, o); err != nil {
					return err
				}
			}
		}
		receipt, err = l.commit(ctx, r, f, nil, decide)
		return err
	})
	if err != nil || !destroys || req.looks() {
		return receipt, err
	}
	_, err = l.FinishDestructions(ctx)
	return receipt, err
}

// checkProofApproved is [Ledger.checkApproved] of what is decided on a proof. Of one that was
// proposed by an outside id nothing was weighed.
func (l *Ledger) checkProofApproved(
	ctx context.Context, r resolved, ref domain.Reference, f *fold, recorded deadline.Instant,
) error {
	if r.approved != nil && r.Proof.Sealed != nil {
		return l.checkStillMay(ctx, r.Request)
	}
	return l.checkApproved(ctx, r, func(cmd domain.Command) ([]domain.Event, error) {
		return f.subject.Decide(cmd, ref, atOf(r.Request, recorded), recorded)
	}, f, recorded)
}

// FinishDestructions destroys the proofs of whom it was ordered and not done, and says how
// many. The tables are written anew once for all of an app.
func (l *Ledger) FinishDestructions(ctx context.Context) (n int, err error) {
	var orders []vault.Order
	for o, err := range l.vault.Destructions(ctx) {
		if err != nil {
			return 0, err
		}
		orders = append(orders, o)
	}

	gone := map[string][]vault.Pseudonym{}
	var ordered []vault.Order
	for _, o := range orders {
		f, err := l.fold(ctx, streamOf(o))
		if err != nil {
			return 0, err
		}
		p, is := f.subject.Proof()
		if !is || p.Ordered == (ident.EventID{}) {
			continue // it was noted, and nothing followed yet
		}
		if err := l.vault.DestroyProof(ctx, o); err != nil {
			return 0, err
		}
		ordered = append(ordered, o)
		gone[o.App] = append(gone[o.App], o.Pseudonym)
	}
	for app, people := range gone {
		if err := l.vault.Purge(ctx, app, people...); err != nil {
			return 0, err
		}
	}

	for _, o := range ordered {
		done, err := l.recordDestroyed(ctx, o)
		if err != nil {
			return n, fmt.Errorf("the proof of %s is destroyed, and that could not be recorded: %w", o.Pseudonym, err)
		}
		if done {
			n++
		}
	}
	return n, nil
}

// recordDestroyed records that a proof is destroyed, and takes the note away.
func (l *Ledger) recordDestroyed(ctx context.Context, o vault.Order) (done bool, err error) {
	k, err := l.vault.AppKey(ctx, o.App)
	if err != nil {
		return false, err
	}
	ref, err := l.reference(ctx, ident.AppName(o.App))
	if err != nil {
		return false, err
	}

	stream := streamOf(o)
	err = l.locked(ctx, stream, func() error {
		f, err := l.fold(ctx, stream)
		if err != nil {
			return err
		}
		p, _ := f.subject.Proof()
		if p.Destroyed != (ident.EventID{}) {
			return nil
		}
		e := domain.ProofDestroyed{Order: p.Ordered}
		req := Request{
			App: stream.App, Source: ident.Ledger, ID: "proof destroyed " + stream.ID, Actor: string(ident.System),
			RecordedBy: ident.Ledger, Command: domain.Say{Event: e},
		}
		_, err = l.commit(ctx, resolved{Request: req, ref: ref, stream: stream, key: k}, f, nil,
			func(deadline.Instant) ([]domain.Event, error) { return []domain.Event{e}, nil })
		done = err == nil
		return err
	})
	if err != nil {
		return false, err
	}
	return done, l.vault.DestructionDone(ctx, o)
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
			i := slices.IndexFunc(e.Parts, func(p codec.Part) bool { return p.Role == k.Role })
			if i < 0 || vault.Commitment(k.Opening, []byte(k.Text.Reveal())) != e.Parts[i].Commitment {
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
