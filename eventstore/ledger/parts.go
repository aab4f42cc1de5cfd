package ledger

import (
	"context"
	"crypto/ed25519"
	"fmt"

	"consentledger/domain"
	"consentledger/domain/ident"
	"consentledger/domain/refusal"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/vault"
)

// A part is a vault part and whose it is; empty: whom the stream is about.
type part struct {
	vault.Part
	ref string
}

// facts returns the events of one request as entries that are not recorded yet.
func facts(env codec.Envelope, k key, events []domain.Event) []codec.Entry {
	said := make([]codec.Entry, len(events))
	for i, e := range events {
		env.ID = k.EventID(env.Request.ID, i)
		said[i] = codec.Entry{Envelope: env, Event: e}
	}
	return said
}

// encode writes the facts of one request, and returns what of them is personal
// beside them. Extra goes with the first.
func (l *Ledger) encode(
	ctx context.Context, said []codec.Entry, k key, extra []codec.Plain,
) ([]eventstore.Record, []part, error) {
	var records []eventstore.Record
	var parts []part
	stream := said[0].Stream
	about := stream.ID
	if p, ok := k.(*vault.Person); ok {
		about = p.Pseudonym.String()
	}

	others := func(ref string) (codec.Committer, error) { return l.named(ctx, stream.App, ref) }
	for i := range said {
		e := &said[i]
		x, err := codec.Encode(e.Envelope, e.Event, about, k, others, extra...)
		if err == nil && len(x.Record.Data) > eventstore.MaxData && len(e.Owing) > 0 {
			e.Owing, e.Rules = nil, domain.OwedApart // what is owed has no room here: it is recorded after it
			x, err = codec.Encode(e.Envelope, e.Event, about, k, others, extra...)
		}
		if err != nil {
			return nil, nil, err
		}
		r := x.Record
		if len(r.Data) > eventstore.MaxData {
			return nil, nil, refusal.Refusal{Code: refusal.TooLarge,
				Text: fmt.Sprintf("the event takes %d bytes, at most %d fit; keep documents as blobs and name their "+
					"hash", len(r.Data), eventstore.MaxData)}
		}
		for _, p := range x.Plains {
			parts = append(parts, part{vault.Part{Event: e.ID, Stream: stream.String(), Role: p.Role, Plain: p.Text},
				p.Ref})
		}
		records, extra = append(records, r), nil
	}
	return records, parts, nil
}

// named returns the person that a pseudonym names.
func (l *Ledger) named(ctx context.Context, app ident.AppName, ref string) (*vault.Person, error) {
	name, err := vault.ParsePseudonym(ref)
	if err != nil {
		return nil, err
	}
	p, ok, err := l.vault.ByPseudonym(ctx, string(app), name)
	if err == nil && !ok {
		err = vault.ErrErased
	}
	return p, err
}

// draft returns what the vault is to keep of parts, in the entries of those they
// belong to, and of a person who is new. Of whom there is no entry, nothing is
// kept.
func (l *Ledger) draft(
	ctx context.Context, app ident.AppName, p *vault.Person, parts []part,
) (d vault.Draft, err error) {
	var own []vault.Part
	for _, x := range parts {
		if x.ref == "" {
			own = append(own, x.Part)
			continue
		}
		owner, err := l.named(ctx, app, x.ref)
		if err != nil {
			return d, err
		}
		if err := d.Add(owner, x.Part); err != nil {
			return d, err
		}
	}

	if p == nil || len(own) == 0 && !p.IsNew() {
		return d, nil
	}
	return d, d.Add(p, own...)
}

// sign says in ref who asks, and verifies the signature over the request.
func sign(ref *domain.Reference, req Request) error {
	ref.By = ident.By{Actor: ident.Actor(req.Actor), Principal: req.RecordedBy, App: req.FromApp}
	if req.Signed == nil {
		return nil
	}

	s, ok := ref.Service.Signer(req.Signed.Signer)
	if !ok {
		return refusal.Refusal{Code: refusal.UnknownSigner,
			Text: "no signer of that name is registered for this app; see consentledger signer"}
	}

	if !ed25519.Verify(s.Key[:], req.Signed.Original, req.Signed.Signature[:]) {
		return refusal.Refusal{Code: refusal.BadSignature,
			Text: "the signature is not the signer's over the bytes that were sent"}
	}

	ref.By.Signer = s.Name
	return nil
}

// ClaimsRole is the role of the part that holds what an opt-out said and what was
// not understood.
const ClaimsRole = "claims"

// original returns what was signed, to be kept: the signature and the bytes.
// So is what other apps are to be told, and what was not understood.
func original(req Request) []codec.Plain {
	var kept []codec.Plain
	if req.Signed != nil {
		kept = append(kept, codec.Plain{Role: "original",
			Text: append(req.Signed.Signature[:], req.Signed.Original...)})
	}
	if len(req.Group) > 0 {
		kept = append(kept, codec.Plain{Role: GroupRole, Text: req.Group})
	}
	if len(req.Unread.Claims) > 0 {
		kept = append(kept, codec.Plain{Role: ClaimsRole, Text: req.Unread.Claims})
	}
	return kept
}
