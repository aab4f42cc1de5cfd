package rest

import (
	"context"
	"crypto/rand"
	"maps"
	"slices"

	"consentledger/api/wire"
	"consentledger/api/wire/parse"
	"consentledger/domain"
	"consentledger/domain/ident"
	"consentledger/eventstore/ledger"
)

// AccessorIn is who is about to read, and why, in the headers of a request
// without a body.
type AccessorIn struct {
	Reason string `header:"Consent-Reason" doc:"a code for why it is read, as in audit or incident; recorded"`
	Why    string `header:"Consent-Why" doc:"the same in words, UTF-8, percent-encoded; recorded, sealed"`
	By     string `header:"Consent-By" doc:"who reads it, UTF-8, percent-encoded; recorded, sealed"`
}

func (in AccessorIn) accessor() (wire.Accessor, error) {
	return parse.Accessor(in.Reason, in.Why, in.By)
}

// recordReading records that history is about to be shown to somebody, before it
// is. While that cannot be recorded nothing is shown. An answer of nothing shows
// nothing, and is not recorded.
func (s *server) recordReading(ctx context.Context, app ident.AppName, a domain.DataAccessed) error {
	if a.Records == 0 {
		return nil
	}
	_, err := s.access(ctx, app, a)
	return err
}

// access records that somebody is about to read, and lets them.
func (s *server) access(ctx context.Context, app ident.AppName, a domain.DataAccessed) (ledger.Opened, error) {
	return s.Ledger.Access(ctx, ledger.Access{
		App:          app,
		ID:           rand.Text(),
		Actor:        string(ident.Operator),
		RecordedBy:   s.principal(ctx),
		DataAccessed: a,
	})
}

// recordReplay records who is about to see a selection, in every app of which it
// has records. It returns the selection as it was counted: what is recorded
// meanwhile, the access itself included, is not of it.
func (s *server) recordReplay(ctx context.Context, who wire.Accessor, sel ledger.Selection) (ledger.Selection, error) {
	head, err := s.Ledger.Head(ctx)
	if err != nil {
		return sel, err
	}
	if sel.Until == 0 || sel.Until > head {
		sel.Until = head
	}

	entries, err := s.Ledger.SelectBy(ctx, sel, s.Places)
	if err != nil {
		return sel, err
	}

	counts := map[ident.AppName]int{}
	for e, err := range entries {
		if err != nil {
			return sel, err
		}
		counts[e.Stream.App]++
	}

	a := wire.AccessOf(who, domain.AccessReplay)
	a.From, a.To = sel.From, sel.To
	if sel.Person != (ident.PersonKey{}) {
		if a.Subject, _, err = s.Ledger.Pseudonym(ctx, sel.App, sel.Person); err != nil {
			return sel, err
		}
	}

	for _, app := range slices.Sorted(maps.Keys(counts)) {
		a.Records = counts[app]
		if err := s.recordReading(ctx, app, a); err != nil {
			return sel, err
		}
	}
	return sel, nil
}
