package ledger

import (
	"context"

	"consentledger/domain"
	"consentledger/domain/content"
	"consentledger/domain/refusal"
	"consentledger/eventstore/blobs"
)

// checkPublished refuses a policy's version whose document or texts are not kept:
// the record names them by their hashes alone, and receipts and evidence are made
// from them for as long as the log stands.
func (l *Ledger) checkPublished(ctx context.Context, cmd domain.PublishPolicy) error {
	if l.blobs == nil {
		return nil
	}

	if err := l.checkKept(ctx, cmd.Version, "document",
		"the document's canonical form is not kept under the version's hash: keep it before it is "+
			"published"); err != nil {
		return err
	}
	for _, t := range cmd.Document.Texts {
		if err := l.checkKept(ctx, t.Hash, "document.texts",
			"the document names a text that is not kept: keep it before it is published"); err != nil {
			return err
		}
	}
	return nil
}

// checkKept refuses what is not kept.
func (l *Ledger) checkKept(ctx context.Context, h content.Hash, path, text string) error {
	_, kept, err := l.blobs.Get(ctx, blobs.Hash(h))
	if err == nil && !kept {
		err = refusal.Refusal{Code: refusal.UnknownText, Text: text, Path: path}
	}
	return err
}
