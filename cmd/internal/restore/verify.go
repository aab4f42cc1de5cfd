package restore

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"consentledger/cmd/internal/exit"
	"consentledger/eventstore/blobs"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/vault"
)

// judge says whether the ledger may go on from here.
func (r *Restoration) judge() error {
	if err := r.roots.Done(); err != nil {
		return exit.NotAuthentic(r.log.wrong(err))
	}

	for _, t := range r.roots.Trees() {
		r.told("log of "+string(t.App), t.Size, fmt.Sprintf("%d signed, root %s", t.Signed, t.Root))
	}

	behind := r.roots.Behind()
	switch unknown := r.roots.Unpublished(); {
	case r.Drill:
		return nil
	case behind != nil && r.Fork == "":
		return exit.Conflict(fmt.Errorf("--log: %w; restore a newer backup. If there is none, say why with --fork: "+
			"the logs begin anew under another origin", behind))
	case behind == nil && len(unknown) == 0 && r.Fork != "" && len(r.Checkpoints) > 0:
		return exit.Conflict(errors.New("--fork: nothing was published that this backup does not have, so nothing " +
			"has to fork: leave it out"))
	case len(unknown) > 0 && r.Fork == "":
		return exit.Usage(fmt.Errorf("say with --checkpoint what was published last of %s: nobody knows otherwise "+
			"whether this backup is the newest. "+
			"If it cannot be had, say why with --fork; to look only, give --drill", unknown[0]))
	}
	return nil
}

// open opens the ledger in the directory, which has no FORMAT yet.
func (r *Restoration) open(ctx context.Context, keys *vault.FileKeys) error {
	used, err := vault.Used(ctx, r.dir.DB.Rows())
	if err == nil && !used {
		err = r.vault.wrong(errors.New("it holds no vault"))
	}
	if err != nil {
		return err
	}
	if err := r.dir.OpenRestored(ctx, keys); err != nil {
		return r.wrongKeys(err)
	}
	n, err := r.dir.Vault.Whole(ctx)
	r.told("keys of apps and persons", int64(max(n-1, 0)), "") // one tells wrong keys
	return r.wrongKeys(err)
}

func (r *Restoration) wrongKeys(err error) error {
	if !errors.Is(err, vault.ErrWrongKeys) {
		return err
	}
	return exit.NotAuthentic(fmt.Errorf("--vault-keys: %s does not open --vault %s, which is of %s: %w; bring the "+
		"file of then, "+
		"or a backup that was made after the epoch was destroyed", r.Keys, r.vault.name, r.vault.Head.Made, err))
}

// maxFindings is how many are told.
const maxFindings = 10

// verify holds every record against what is kept beside it. What was sealed after an older
// vault is not there: that is counted, and no finding.
func (r *Restoration) verify(ctx context.Context) error {
	fmt.Fprintf(r.Tell, "verifying %d records\n", r.log.Head.Position)
	h := r.dir.Ledger.Holding(ctx, "")
	var wrong []string
	more, lost, n := 0, int64(0), int64(0)
	for record, err := range r.dir.Store.ReadAll(ctx, 0) {
		if err != nil {
			return errors.Join(err, h.Close())
		}
		n++
		for _, what := range h.Check(record.Data) {
			switch {
			case record.Position > r.vault.Head.Position && codec.KindOf(record.Type) == "proof.destroyed":
				// The vault has a proof that was destroyed since, and it is destroyed again.
			case record.Position > r.vault.Head.Position:
				lost++
			case len(wrong) < maxFindings:
				wrong = append(wrong, fmt.Sprintf("record %d: %s", record.Position, what))
			default:
				more++
			}
		}
	}
	if err := h.Close(); err != nil {
		return err
	}

	if len(wrong) > 0 {
		return exit.NotAuthentic(fmt.Errorf("--vault: %s does not hold what the records commit to, in %d places:\n%s",
			r.vault.name,
			len(wrong)+more, strings.Join(wrong, "\n")))
	}

	r.told("commitments that sealed parts keep", h.Commitments, "")
	if lost > 0 {
		r.told("what was sealed since the vault's backup", lost, "lost")
	}
	return r.verifyTexts(ctx)
}

// verifyTexts holds every public text against its hash.
func (r *Restoration) verifyTexts(ctx context.Context) error {
	n := int64(0)
	for row, err := range r.dir.Rows().Scan(ctx, []byte("b/")) {
		if err != nil {
			return err
		}
		var hash blobs.Hash
		if len(row.Key) != 2+len(hash) {
			return exit.NotAuthentic(r.log.wrong(errors.New("a text has no hash for a name")))
		}
		copy(hash[:], row.Key[2:])
		if _, _, err := r.dir.Blobs.Get(ctx, hash); err != nil {
			return exit.NotAuthentic(r.log.wrong(err))
		}
		n++
	}

	r.told("public texts", n, "")
	return nil
}
