package restore

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"consentledger/api/audit/erasure"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/files"
	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/ident"
	"consentledger/domain/refusal"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/ledger"
	"consentledger/eventstore/vault"
	"consentledger/projections/transparency"

	"golang.org/x/mod/sumdb/note"
)

// A person is somebody whom the log says to erase, or whose proof it says to destroy.
type person struct {
	app  ident.AppName
	name vault.Pseudonym
}

// eraseAgain erases whom the log says to erase and the vault still has: the order is as
// good as on the day it was given.
func (r *Restoration) eraseAgain(ctx context.Context) error {
	var ordered, destroyed []person
	for e, err := range r.dir.Ledger.Replay(ctx, 0) {
		if err != nil {
			return err
		}
		list := &ordered
		switch e.Event.(type) {
		case domain.ErasureOrdered:
		case domain.DestructionOrdered:
			list = &destroyed
		default:
			continue
		}
		name, err := vault.ParsePseudonym(e.Stream.ID)
		if err != nil {
			return unreadableErasure(e, err)
		}
		*list = append(*list, person{e.Stream.App, name})
	}

	again := int64(0)
	for _, p := range ordered {
		owner, there, err := r.dir.Vault.ByPseudonym(ctx, string(p.app), p.name)
		if err == nil && there {
			again++
			err = r.dir.Vault.Order(ctx, owner)
		}
		if err != nil {
			return err
		}
	}
	if _, err := r.dir.Ledger.FinishErasures(ctx); err != nil {
		return fmt.Errorf("an erasure that was ordered could not be finished: %w", err)
	}

	if err := r.destroyAgain(ctx, destroyed); err != nil {
		return err
	}
	for _, p := range ordered {
		if _, there, err := r.dir.Vault.ByPseudonym(ctx, string(p.app), p.name); err != nil || there {
			return errors.Join(err, fmt.Errorf("person %s of %s is erased, and is in the vault again", p.name, p.app))
		}
	}
	if err := r.eraseCertified(ctx); err != nil {
		return err
	}
	r.told("persons whom the log says to erase", int64(len(ordered)), fmt.Sprintf("%d of them erased again", again))
	return nil
}

// destroyAgain destroys the proofs that the log says to destroy: the vault may be older than
// the order. Of whom a proof is to be kept it is there, or is made again with the erasure.
func (r *Restoration) destroyAgain(ctx context.Context, people []person) error {
	again := int64(0)
	for _, p := range people {
		o := vault.Order{App: string(p.app), Pseudonym: p.name}
		there, err := r.dir.Vault.HasProof(ctx, o.App, o.Pseudonym)
		if err == nil && there {
			again++
			err = r.dir.Vault.OrderDestruction(ctx, o)
		}
		if err != nil {
			return err
		}
	}
	if _, err := r.dir.Ledger.FinishDestructions(ctx); err != nil {
		return fmt.Errorf("a proof that was to be destroyed could not be: %w", err)
	}
	for _, p := range people {
		if there, err := r.dir.Vault.HasProof(ctx, string(p.app), p.name); err != nil || there {
			return errors.Join(err, fmt.Errorf("the proof of person %s of %s is destroyed, and is in the vault again",
				p.name, p.app))
		}
	}
	if len(people) > 0 {
		r.told("proofs that the log says to destroy", int64(len(people)),
			fmt.Sprintf("%d of them destroyed again", again))
	}
	return nil
}

func unreadableErasure(e codec.Entry, err error) error {
	return &codec.UnreadableError{Position: e.Position, Type: e.Type, Err: err}
}

// eraseCertified erases whom certificates name: they were erased behind the end of the
// log, so the order is recorded once more, with the certificate as its evidence.
func (r *Restoration) eraseCertified(ctx context.Context) error {
	if len(r.Erased) == 0 {
		return nil
	}

	config, err := r.dir.LogConfig(ctx, "")
	if err != nil {
		return err
	}

	again := int64(0)
	for _, file := range r.Erased {
		done, err := r.eraseOne(ctx, config.Keep, file)
		if err != nil {
			return fmt.Errorf("--erased: %s: %w", file, err)
		}
		if done {
			again++
		}
	}

	r.told("persons whom certificates say to be erased", int64(len(r.Erased)),
		fmt.Sprintf("%d of them erased again", again))
	return nil
}

// eraseOne reports whether the vault had the person.
func (r *Restoration) eraseOne(ctx context.Context, keep *transparency.Keep, file string) (bool, error) {
	text, err := files.ReadPlainFile(file, erasure.Max)
	if err != nil {
		return false, files.OrNotFound(err)
	}

	s, err := r.certified(keep, text)
	if err != nil {
		return false, exit.NotAuthentic(err)
	}

	name, err := vault.ParsePseudonym(s.Person)
	if err != nil {
		return false, err
	}

	_, err = r.dir.Ledger.EraseNamed(ctx, ledger.Request{
		App:        s.App,
		Source:     "restore",
		ID:         "certificate " + s.Order.String(),
		Body:       text,
		Actor:      string(ident.Operator),
		RecordedBy: "ledger",
		Command: domain.OrderErasure{Reason: s.Reason, By: s.By, Evidence: content.Hash(sha256.Sum256(text)),
			Again: true, Proof: s.Kept},
	}, name)
	erased := err == nil
	if errors.Is(err, vault.ErrErased) {
		err = nil
	}
	if err != nil || s.Destroyed == 0 {
		return erased, err
	}

	// The certificate says that the proof, too, was destroyed behind the end of the log.
	by := s.DestroyedBy
	if by == [2]string{} {
		by = s.By // its last day is over
	}
	_, err = r.dir.Ledger.DecideOnProof(ctx, ledger.Request{
		App:        s.App,
		Proof:      ledger.ProofOf{Names: []vault.Pseudonym{name}},
		Source:     "restore",
		ID:         "certificate " + s.Destruction.String(),
		Body:       text,
		Actor:      string(ident.Operator),
		RecordedBy: "ledger",
		Command:    domain.DestroyProof{Reason: s.Reason, By: by, Evidence: content.Hash(sha256.Sum256(text))},
	})
	if no, refused := errors.AsType[refusal.Refusal](err); refused &&
		(no.Code == refusal.NoProof || no.Code == refusal.ProofDestroyed) {
		return erased, nil
	}
	return true, err
}

// certified verifies a certificate with the key of that log of the backup that signed it.
func (r *Restoration) certified(keep *transparency.Keep, text []byte) (erasure.Statement, error) {
	c, err := erasure.Parse(text)
	if err != nil {
		return erasure.Statement{}, err
	}

	err = errors.New("the backup has no log that could have signed it")
	for _, name := range slices.Sorted(maps.Keys(r.kept)) {
		base, is := strings.CutSuffix(name, ".key")
		app, bad := ident.ParseAppName(base)
		if !is || bad != nil {
			continue
		}
		vkey, kept := keep.VerifierKey(app)
		if kept != nil {
			return erasure.Statement{}, kept
		}
		v, broken := note.NewVerifier(vkey)
		if broken != nil {
			return erasure.Statement{}, broken
		}
		s, no := c.Verify(v, v.Name())
		if no == nil && s.App == app {
			return s, nil
		}
		err = no
	}
	return erasure.Statement{}, err
}
