package vault

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"consentledger/eventstore"
)

// Rewrap wraps every key that an older epoch wraps under the current one, and
// says how many. It is durable on return. When it returned nil after the keys
// were advanced, nothing living in this vault needs an older epoch; what was
// erased, and old backups, do. It may be stopped and run again.
func (v *Vault) Rewrap(ctx context.Context) (int, error) {
	return v.RewrapTelling(ctx, func(int) {})
}

// RewrapTelling is [Vault.Rewrap] that tells now and then how many keys it has wrapped.
func (v *Vault) RewrapTelling(ctx context.Context, told func(n int)) (int, error) {
	probe, err := v.keys.Wrap(nil, nil)
	if err != nil || len(probe) < 4 {
		return 0, fmt.Errorf("vault: rewrap: the keys do not wrap: %w", err)
	}
	// What was being wrapped under an older epoch is in the rows after this.
	v.wrapping.Lock()
	//lint:ignore SA2001 a barrier: nothing to guard
	v.wrapping.Unlock()

	n, err := v.rewrap(ctx, string(checkKey), 0, probe[:4])
	if err != nil {
		return n, fmt.Errorf("vault: rewrap: %w", err)
	}
	done, err := v.rewrap(ctx, appRows, 0, probe[:4])
	n += done
	if err != nil {
		return n, fmt.Errorf("vault: rewrap: %w", err)
	}
	told(n)
	done, err = v.rewrapEntries(ctx, probe[:4], func(more int) { told(n + more) })
	n += done
	if err != nil {
		return n, fmt.Errorf("vault: rewrap: %w", err)
	}
	if err := v.rows.Sync(ctx); err != nil {
		return n, fmt.Errorf("vault: rewrap: %w", err)
	}
	return n, nil
}

// A keyKind is a kind of rows that hold a wrapped key.
type keyKind struct {
	prefix string
	skip   int // before what is wrapped
}

// personal are the kinds of rows that hold a key of one person.
var personal = []keyKind{{entryRows, len(mac{})}, {proofRows, timeBytes}}

// rewrapEntries goes through the keys of persons of every app in 256 turns, by the first
// byte of the pseudonym, so as not to hold them all in memory.
func (v *Vault) rewrapEntries(ctx context.Context, current []byte, told func(n int)) (n int, err error) {
	var apps []string
	for row, err := range v.rows.Scan(ctx, []byte(appRows)) {
		if err != nil {
			return 0, err
		}
		apps = append(apps, string(row.Key[len(appRows):])) // with its length
	}

	for _, app := range apps {
		for first := range 256 {
			turn := app + string([]byte{byte(first)})
			for _, kind := range personal {
				done, err := v.rewrap(ctx, kind.prefix+turn, kind.skip, current)
				n += done
				told(n)
				if err != nil {
					return n, err
				}
			}
		}
	}
	return n, nil
}

// rewrap wraps anew, under the epoch current, the rows under prefix that are
// not wrapped so. Each value has skip bytes before what is wrapped.
func (v *Vault) rewrap(ctx context.Context, prefix string, skip int, current []byte) (n int, err error) {
	var old []eventstore.Row
	for row, err := range v.rows.Scan(ctx, []byte(prefix)) {
		if err != nil {
			return 0, err
		}
		b, err := body("wrapped key", row.Value, skip+4)
		if err != nil {
			return 0, err
		}
		if !bytes.HasPrefix(b[skip:], current) {
			old = append(old, eventstore.Row{Key: bytes.Clone(row.Key), Value: bytes.Clone(row.Value)})
		}
	}

	for _, row := range old {
		err := v.rewrapRow(ctx, row, 1+skip, current)
		if errors.Is(err, eventstore.ErrCondition) {
			continue // erased meanwhile
		}
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

func (v *Vault) rewrapRow(ctx context.Context, row eventstore.Row, at int, current []byte) error {
	plain, err := v.keys.Unwrap(row.Value[at:], row.Key)
	if err != nil {
		return err
	}

	wrapped, err := v.keys.Wrap(plain, row.Key)
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(wrapped, current) {
		return errors.New("the keys were advanced meanwhile")
	}

	return v.rows.Write(ctx, eventstore.Change{
		Present: [][]byte{row.Key},
		Put:     []eventstore.Row{{Key: row.Key, Value: append(row.Value[:at:at], wrapped...)}},
	})
}
