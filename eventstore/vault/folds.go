package vault

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"consentledger/eventstore"
)

// KeepFold keeps what a person's records were folded to, under a name, or
// returns [ErrErased]. It takes the place of what was kept under that name
// before, is sealed as parts are, and goes when the person is erased. Nothing
// says when it survives a crash: whoever reads it must be able to do without.
func (v *Vault) KeepFold(ctx context.Context, p *Person, name string, text []byte) error {
	row, err := p.foldRow(name, text)
	if err != nil {
		return err
	}

	err = v.rows.Write(ctx, eventstore.Change{Present: [][]byte{entryKey(p.App, p.Pseudonym)},
		Put: []eventstore.Row{row}})
	if errors.Is(err, eventstore.ErrCondition) {
		v.people.forget(p)
		return ErrErased
	}
	if err != nil {
		return fmt.Errorf("vault: fold of %s: %w", p.Pseudonym, err)
	}
	return nil
}

// KeepFold is [Vault.KeepFold] of somebody of the draft, by the write that makes it.
func (d *Draft) KeepFold(p *Person, name string, text []byte) error {
	row, err := p.foldRow(name, text)
	if err != nil {
		return err
	}
	if !slices.Contains(d.people, p) && d.joining != p {
		d.change.Present = append(d.change.Present, entryKey(p.App, p.Pseudonym))
		d.people = append(d.people, p)
	}
	d.change.Put = append(d.change.Put, row)
	return nil
}

func (p *Person) foldRow(name string, text []byte) (eventstore.Row, error) {
	if name == "" || len(name) > MaxName {
		return eventstore.Row{}, fmt.Errorf("vault: a fold has a name of 1 to %d bytes, this has %d", MaxName,
			len(name))
	}
	return eventstore.Row{Key: foldKey(p.App, p.Pseudonym, name), Value: versioned(p.seal(text, p.foldPlace(name)))},
		nil
}

// KeptFold returns what [Vault.KeepFold] kept of a person under a name, and whether anything
// was. What is damaged is an error.
func (v *Vault) KeptFold(ctx context.Context, p *Person, name string) ([]byte, bool, error) {
	value, ok, err := v.rows.Get(ctx, foldKey(p.App, p.Pseudonym, name))
	if err != nil {
		return nil, false, fmt.Errorf("vault: fold of %s: %w", p.Pseudonym, err)
	}
	if !ok {
		return nil, false, nil
	}

	sealed, err := body("fold of "+p.Pseudonym.String(), value, 1)
	if err != nil {
		return nil, false, err
	}

	text, err := p.unseal(sealed, p.foldPlace(name))
	if err != nil {
		return nil, false, fmt.Errorf("vault: fold of %s: %w", p.Pseudonym, err)
	}
	return text, true, nil
}

// foldPlace returns what the seal binds it to.
func (p *Person) foldPlace(name string) []byte {
	return fields(nil, "fold", p.App, string(p.Pseudonym[:]), name)
}

// foldRowsOf returns the keys of all folds of p.
func (v *Vault) foldRowsOf(ctx context.Context, p *Person) ([][]byte, error) {
	return v.keysBelow(ctx, foldKeys(p.App, p.Pseudonym))
}

// keysBelow returns the keys that begin with a prefix.
func (v *Vault) keysBelow(ctx context.Context, prefix []byte) ([][]byte, error) {
	var keys [][]byte
	for row, err := range v.rows.Scan(ctx, prefix) {
		if err != nil {
			return nil, err
		}
		keys = append(keys, append([]byte(nil), row.Key...))
	}
	return keys, nil
}
