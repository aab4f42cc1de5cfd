package vault

import (
	"context"
	"fmt"

	"consentledger/eventstore"
)

// A Part is what an event holds of a person, in a role.
type Part struct {
	Event  eventstore.EventID
	Stream string
	Role   string // as in "subject", "guardian"; at most MaxName bytes
	Plain  []byte
}

// place returns what a part's seal binds it to.
func (p *Person) place(event eventstore.EventID, stream, role string) []byte {
	buf := make([]byte, 0, 64+len(p.App)+len(stream)+len(role))
	return fields(buf, "part", p.App, string(p.Pseudonym[:]), string(event[:]), stream, role)
}

// Put keeps parts of p, all or none, or returns [ErrErased]. A part of the same
// event and role is replaced: who may be racing with another body for one
// event id must settle that first, or put the digest into the id.
//
// The parts survive a crash no later than any record appended after Put
// returned.
func (v *Vault) Put(ctx context.Context, p *Person, parts ...Part) error {
	var d Draft
	if err := d.Add(p, parts...); err != nil {
		return err
	}
	return v.write(ctx, &d, func(c eventstore.Change) error { return v.rows.Write(ctx, c) })
}

// Part returns the part of p that event has on stream in role, and whether
// there is one. A part that was moved or changed is an error.
func (v *Vault) Part(
	ctx context.Context, p *Person, event eventstore.EventID, stream, role string,
) ([]byte, bool, error) {
	value, ok, err := v.rows.Get(ctx, partKey(p.App, p.Pseudonym, event, role))
	if err != nil {
		return nil, false, fmt.Errorf("vault: part of event %s: %w", event, err)
	}
	if !ok {
		return nil, false, nil
	}

	sealed, err := body("part of event "+event.String(), value, 1)
	if err != nil {
		return nil, false, err
	}

	plain, err := p.unseal(sealed, p.place(event, stream, role))
	if err != nil {
		return nil, false, fmt.Errorf("vault: part of event %s: %w", event, err)
	}
	return plain, true, nil
}
