package approval

import (
	"context"
	"errors"
	"fmt"

	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/ident"
	"consentledger/domain/refusal"
	"consentledger/eventstore/ledger"
	"consentledger/eventstore/vault"

	"github.com/go-json-experiment/json"
)

// A Proof says what becomes of the proof that is kept of somebody who is erased, as two
// principals decide it.
type Proof struct {
	ID       string `json:"id" doc:"names the decision: with the same id it is taken once"`
	Do       string `json:"do" enum:"disclose,destroy"`
	Subject  string `json:"subject,omitempty" doc:"account:ID, device:ID or ID, as the person was known: of everybody who had it. It is not kept, and nobody is told whether there is such a proof before two have decided"`
	Person   string `json:"person,omitempty" doc:"instead: the pseudonym, which is in the certificate and in the person's receipts"`
	Sealed   []byte `json:"sealed,omitempty" doc:"what is kept of subject: for the ledger alone; leave it out"`
	Reason   string `json:"reason" doc:"a code; kept in the clear"`
	To       string `json:"to,omitempty" doc:"of disclose: who is shown it, a code, as in court; kept in the clear"`
	Evidence string `json:"evidence,omitempty" doc:"sha256:... of the request or the decision"`
}

// What a [Proof] may do.
const (
	Disclose = "disclose"
	Destroy  = "destroy"
)

// check refuses what is not a decision about one proof.
func (p Proof) check() error {
	switch {
	case p.Do != Disclose && p.Do != Destroy:
		return malformed("proof.do", "proof.do: want disclose or destroy")
	case (p.Subject == "") == (p.Person == ""):
		return malformed("proof.subject", "proof.subject: say whose proof it is, by subject or by person, and not "+
			"by both")
	case p.Sealed != nil:
		return malformed("proof.sealed", "proof.sealed: leave it out: the ledger makes it of subject")
	case p.Do == Destroy && p.To != "":
		return malformed("proof.to", "proof.to: goes with disclose")
	case p.ID == "" || len(p.ID) > 512:
		return malformed("proof.id", "proof.id: is missing or too long: give 1 to 512 bytes of text")
	}
	return nil
}

// hide puts what only the ledger reads in the place of an outside id.
func (p *Proof) hide(ctx context.Context, app ident.AppName, l Ledger) error {
	if p.Subject == "" {
		return nil
	}
	who, err := ident.ParsePersonKey(p.Subject)
	if err != nil {
		return malformed("proof.subject", "proof.subject: "+err.Error())
	}
	p.Sealed, err = l.SealProofsOf(ctx, app, who)
	p.Subject = ""
	return err
}

// explain says of a proposal by an outside id whose own id is used why it is not taken for
// the one that is there: to say whether both mean the same person would say who has a proof.
func (p *Proof) explain(err error) error {
	no, is := errors.AsType[refusal.Refusal](err)
	if !is || no.Code != refusal.IDReused || p.Sealed == nil {
		return err
	}
	no.Text = "a decision was proposed under this id before, and whether about the same person is told nobody: " +
		"look at " +
		"the proposals, and propose it under another id if it is not there"
	return no
}

// Command returns what a decision of two is to the ledger.
func (p Proof) Command(by [2]string) (domain.Command, error) {
	var evidence content.Hash
	if p.Evidence != "" {
		var err error
		if evidence, err = content.ParseNamedHash(p.Evidence); err != nil {
			return nil, malformed("proof.evidence", "proof.evidence: a hash is written sha256: and 64 lower-case "+
				"hex digits")
		}
	}
	if p.Do == Destroy {
		return domain.DestroyProof{Reason: p.Reason, Evidence: evidence, By: by}, nil
	}
	return domain.DiscloseProof{Reason: p.Reason, To: p.To, Evidence: evidence, By: by}, nil
}

// request reads a decision on a proof. Whose it is is no part of its body: a digest of that
// is in the log for ever, and would tell who was erased to whoever guesses their id.
func (p Proof) request(app ident.AppName, by [2]string) (ledger.Request, error) {
	cmd, err := p.Command(by)
	if err != nil {
		return ledger.Request{}, err
	}

	of := ledger.ProofOf{Sealed: p.Sealed}
	if p.Sealed == nil {
		name, err := vault.ParsePseudonym(p.Person)
		if err != nil {
			return ledger.Request{}, malformed("proof.person", "proof.person: "+err.Error())
		}
		of.Names = []vault.Pseudonym{name}
	}

	p.Subject, p.Person, p.Sealed = "", "", nil
	body, err := json.Marshal(struct {
		Proof
		By [2]string `json:"by"`
	}{p, by}, json.Deterministic(true))
	if err != nil {
		return ledger.Request{}, fmt.Errorf("approval: a decision on a proof does not make JSON: %w", err)
	}
	return ledger.Request{
		App: app, Proof: of, Source: "proof", ID: p.ID, Body: body,
		Actor: string(ident.Operator), RecordedBy: by[0], Command: cmd,
	}, nil
}

// Decided returns the request of a decision on a proof that two have taken, as it was sent,
// to whoever records it.
func (p Proof) Decided(
	ctx context.Context, app ident.AppName, by [2]string, l interface {
		ProofsOf(ctx context.Context, app ident.AppName, who ident.PersonKey) (ledger.ProofOf, error)
	},
) (ledger.Request, error) {
	if err := p.check(); err != nil {
		return ledger.Request{}, err
	}
	if p.Subject == "" {
		return p.request(app, by)
	}

	who, err := ident.ParsePersonKey(p.Subject)
	if err != nil {
		return ledger.Request{}, malformed("proof.subject", "proof.subject: "+err.Error())
	}
	of, err := l.ProofsOf(ctx, app, who)
	if err != nil {
		return ledger.Request{}, err
	}
	p.Subject, p.Sealed = "", []byte{}
	r, err := p.request(app, by)
	r.Proof = of
	return r, err
}
