package vault

import (
	"context"
	"encoding/binary"
	"fmt"
	"iter"
)

// wrapped yields every wrapped key of the vault, with the key of its row.
func (v *Vault) wrapped(ctx context.Context) iter.Seq2[[2][]byte, error] {
	return func(yield func([2][]byte, error) bool) {
		for _, kind := range wrappedKinds {
			for row, err := range v.rows.Scan(ctx, []byte(kind.prefix)) {
				var b []byte
				if err == nil {
					b, err = body("wrapped key", row.Value, kind.skip+4)
				}
				if err != nil {
					yield([2][]byte{}, fmt.Errorf("vault: %w", err))
					return
				}
				if !yield([2][]byte{row.Key, b[kind.skip:]}, nil) {
					return
				}
			}
		}
	}
}

// Epochs says how many keys each epoch wraps.
func (v *Vault) Epochs(ctx context.Context) (map[uint32]int64, error) {
	all := map[uint32]int64{}
	for w, err := range v.wrapped(ctx) {
		if err != nil {
			return nil, err
		}
		all[binary.BigEndian.Uint32(w[1])]++
	}
	return all, nil
}

// Whole unwraps every key in the vault and keeps none, and says how many there are. It
// returns an error that wraps [ErrWrongKeys] if one does not open, as when its epoch was
// destroyed.
func (v *Vault) Whole(ctx context.Context) (n int, err error) {
	for w, err := range v.wrapped(ctx) {
		if err != nil {
			return n, err
		}
		if _, err := v.keys.Unwrap(w[1], w[0]); err != nil {
			return n, fmt.Errorf("%w: %w", ErrWrongKeys, err)
		}
		n++
	}
	return n, nil
}
