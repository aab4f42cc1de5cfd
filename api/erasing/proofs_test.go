package erasing_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"consentledger/api/audit/erasure"
	"consentledger/domain"
	"consentledger/domain/catalog"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore"
	"consentledger/eventstore/ledger"
	"consentledger/projections/transparency/merkle"
)

// unsigned proves what is in a log that nobody signed: it is for what a certificate says.
type unsigned struct{ w *world }

func (u unsigned) Find(ctx context.Context, _ ident.AppName, id eventstore.EventID) (n int64, err error) {
	for e, err := range u.w.l.Replay(ctx, 0) {
		if err != nil {
			return 0, err
		}
		if e.ID == id {
			return n, nil
		}
		n++
	}
	return 0, fmt.Errorf("no record %s", id)
}

func (u unsigned) Proof(ctx context.Context, _ ident.AppName, index int64) (merkle.Proof, error) {
	for r, err := range u.w.store.ReadAll(ctx, 0) {
		if err != nil {
			return merkle.Proof{}, err
		}
		if index--; index < 0 {
			return merkle.Proof{Extra: r.Data, Checkpoint: []byte("nobody signed it\n")}, nil
		}
	}
	return merkle.Proof{}, fmt.Errorf("no record %d", index)
}

// TestAJobKeepsProofAndItIsDestroyedWhenItsDayIsOver: of many as of one.
func TestAJobKeepsProofAndItIsDestroyedWhenItsDayIsOver(t *testing.T) {
	w := newWorld(t)
	w.must(t, "", "d", domain.Say{Event: domain.Noted{Kind: catalog.DutyDeclared, Fields: policy.Fields(map[string]string{
		"duty": "claims", "law": "GDPR 17(3)(e)", "reason": "claims", "keeps": "proof", "until": "2026-12-31"})}})
	const persons = 20
	var who []ident.PersonKey
	for i := range persons {
		id := fmt.Sprintf("user-%d", i)
		w.must(t, id, "y", domain.GiveConsent{Act: "agree"})
		who = append(who, ident.PersonKey{Kind: "account", ID: id})
	}

	j := w.jobs(w.l)
	if _, err := j.Begin(t.Context(), "demo", begin()); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Add(t.Context(), "demo", "spring", "desk", 1, who); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Start(t.Context(), "demo", "spring", "desk", content.Hash{}); err != nil {
		t.Fatal(err)
	}
	if job := until(t, j, "done"); job.Erased != persons || job.Kept != 0 {
		t.Fatalf("%+v", job)
	}
	var file strings.Builder
	if err := j.Certify(t.Context(), "demo", "spring", unsigned{w}, w.l, &file); err != nil {
		t.Fatal(err)
	}
	head, lines, _ := strings.Cut(file.String(), "\n")
	if !strings.Contains(head, erasure.BatchNameKept) || strings.Count(lines, `"`+erasure.NameKept+`"`) != persons {
		t.Errorf("the certificate is\n%s", file.String())
	}

	// Nothing happens on the last day, and all goes when it is over.
	zone, err := deadline.ParseZone("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	over := zone.Midnight(deadline.NewDate(2027, 1, 1))
	w.now.Store(int64(over) - 1000)
	if n, err := w.l.DestroyDue(t.Context(), new(ledger.HeldProofs)); n != 0 || err != nil {
		t.Fatal(n, err)
	}
	w.now.Store(int64(over))
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { j.DestroyProofs(ctx); close(done) }()
	for w.records(t, "proof.destroyed") < persons {
		time.Sleep(time.Millisecond)
	}
	stop()
	<-done
	if n := w.records(t, "destruction.ordered"); n != persons {
		t.Errorf("%d destructions are ordered", n)
	}
	if left, err := w.l.KeptProofs(t.Context(), "demo", [16]byte{}, 100); len(left) != 0 || err != nil {
		t.Errorf("%d proofs are left: %v", len(left), err)
	}
}
