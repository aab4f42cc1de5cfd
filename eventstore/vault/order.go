package vault

import (
	"context"
	"fmt"
	"iter"

	"consentledger/eventstore"
)

// An Order says that somebody is to be erased.
type Order struct {
	App       string
	Pseudonym Pseudonym
}

// Order takes note that p is to be erased, so that whoever starts again can
// finish what was begun. It survives a crash no later than any record appended
// after it returned. An order that nothing follows from is harmless.
func (v *Vault) Order(ctx context.Context, p *Person) error {
	row := eventstore.Row{Key: orderKey(p.App, p.Pseudonym), Value: versioned()}
	if err := v.rows.Write(ctx, eventstore.Change{Put: []eventstore.Row{row}}); err != nil {
		return fmt.Errorf("vault: order to erase %s: %w", p.Pseudonym, err)
	}
	return nil
}

// Done takes the note away.
func (v *Vault) Done(ctx context.Context, o Order) error {
	if err := v.rows.Write(ctx, eventstore.Change{Delete: [][]byte{orderKey(o.App, o.Pseudonym)}}); err != nil {
		return fmt.Errorf("vault: order to erase %s: %w", o.Pseudonym, err)
	}
	return nil
}

// Orders yields the orders that are noted.
func (v *Vault) Orders(ctx context.Context) iter.Seq2[Order, error] {
	return func(yield func(Order, error) bool) {
		for row, err := range v.rows.Scan(ctx, []byte(orderRows)) {
			var o Order
			if err == nil {
				o, err = parseOrder(row.Key)
			}
			if !yield(o, err) || err != nil {
				return
			}
		}
	}
}

func parseOrder(key []byte) (Order, error) { return parseNamed(key[len(orderRows):]) }

// parseNamed reads the end of a key that names a person.
func parseNamed(rest []byte) (Order, error) {
	if len(rest) < 1 || len(rest) != 1+int(rest[0])+len(Pseudonym{}) {
		return Order{}, fmt.Errorf("vault: the key of an order ends with %d bytes that name nobody", len(rest))
	}
	n := 1 + int(rest[0])
	return Order{string(rest[1:n]), Pseudonym(rest[n:])}, nil
}
