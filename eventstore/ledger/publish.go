package ledger

import (
	"context"

	"consentledger/domain"
	"consentledger/eventstore/blobs"
)

// publish decides a policy's publication. A version is published only once its
// document and its texts are kept: the record names them by their hashes alone,
// and receipts and evidence are made from them for as long as the log stands.
func (l *Ledger) publish(ctx context.Context, cmd domain.PublishPolicy, decide func() ([]domain.Event, error)) ([]domain.Event, error) {
	events, err := decide()
	if err != nil || len(events) == 0 || l.blobs == nil {
		return events, err
	}

	if err := l.checkKept(ctx, cmd.Version, "document", "the document's canonical form is not kept under the version's hash: keep it before it is published"); err != nil {
		return nil, err
	}
	for _, t := range cmd.Document.Texts {
		if err := l.checkKept(ctx, t.Hash, "document.texts", "the document names a text that is not kept: keep it before it is published"); err != nil {
			return nil, err
		}
	}
	return events, nil
}

// checkKept refuses what is not kept.
func (l *Ledger) checkKept(ctx context.Context, h domain.Hash, path, text string) error {
	_, kept, err := l.blobs.Get(ctx, blobs.Hash(h))
	if err == nil && !kept {
		err = domain.Refusal{Code: domain.UnknownText, Text: text, Path: path}
	}
	return err
}
