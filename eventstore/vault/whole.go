package vault

import (
	"context"
	"fmt"
)

// Whole unwraps every key in the vault and keeps none, and says how many there are. It
// returns an error that wraps [ErrWrongKeys] if one does not open, as when its epoch was
// destroyed.
func (v *Vault) Whole(ctx context.Context) (n int, err error) {
	for _, kind := range []struct {
		prefix string
		skip   int // before what is wrapped
	}{{appRows, 0}, {entryRows, len(mac{})}} {
		for row, err := range v.rows.Scan(ctx, []byte(kind.prefix)) {
			if err != nil {
				return n, fmt.Errorf("vault: %w", err)
			}
			b, err := body("wrapped key", row.Value, kind.skip+4)
			if err != nil {
				return n, err
			}
			if _, err := v.keys.Unwrap(b[kind.skip:], row.Key); err != nil {
				return n, fmt.Errorf("%w: %w", ErrWrongKeys, err)
			}
			n++
		}
	}
	return n, nil
}
