package ledger

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"

	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/refusal"
	"consentledger/eventstore/vault"
)

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
