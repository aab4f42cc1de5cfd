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
// erased, and old backups, do. It may be stopped and run again, also by two
// processes at once.
func (v *Vault) Rewrap(ctx context.Context) (int, error) {
	return v.RewrapTelling(ctx, func(int) {})
}

// RewrapTelling is [Vault.Rewrap] that tells now and then how many keys it has wrapped.
func (v *Vault) RewrapTelling(ctx context.Context, told func(n int)) (int, error) {
	if err := v.wrapsNow(ctx); err != nil {
		return 0, fmt.Errorf("vault: rewrap: %w", err)
	}
	probe, _, err := v.wrap(ctx, nil, nil)
	if err != nil || len(probe) < 4 {
		return 0, fmt.Errorf("vault: rewrap: the keys do not wrap: %w", err)
	}
	// What was being wrapped under an older epoch is in the rows after this.
	v.wrapping.Lock()
	//lint:ignore SA2001 a barrier: nothing to guard
	v.wrapping.Unlock()

	n := 0
	for _, kind := range wrappedKinds {
		done, err := v.rewrap(ctx, kind, probe[:4], func(more int) { told(n + more) })
		n += done
		if err != nil {
			return n, fmt.Errorf("vault: rewrap: %w", err)
		}
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

// wrappedKinds are all kinds of rows that hold a wrapped key.
var wrappedKinds = []keyKind{
	{string(checkKey), 0}, {appRows, 0}, {entryRows, len(mac{})}, {proofRows, timeBytes},
}

// rewrap wraps the rows of a kind anew that are not wrapped under the epoch current. Rows that
// are written meanwhile are wrapped under it.
func (v *Vault) rewrap(ctx context.Context, kind keyKind, current []byte, told func(n int)) (n int, err error) {
	var old []eventstore.Row
	flush := func() error {
		if len(old) == 0 {
			return nil
		}
		done, err := v.rewrapSome(ctx, old, 1+kind.skip, current)
		n, old = n+done, old[:0]
		told(n)
		return err
	}

	for row, err := range v.rows.Scan(ctx, []byte(kind.prefix)) {
		if err != nil {
			return n, err
		}
		b, err := body("wrapped key", row.Value, kind.skip+4)
		if err != nil {
			return n, err
		}
		if bytes.HasPrefix(b[kind.skip:], current) {
			continue
		}

		old = append(old, eventstore.Row{Key: bytes.Clone(row.Key), Value: bytes.Clone(row.Value)})
		if len(old) < rewrapAtOnce {
			continue
		}
		if err := flush(); err != nil {
			return n, err
		}
	}
	return n, flush()
}

// rewrapAtOnce is how many keys are written at once: each write waits for a disk, or for a
// server.
const rewrapAtOnce = 64

// errAdvanced says that what is wrapped now would be wrapped once more.
var errAdvanced = errors.New("the keys were advanced meanwhile")

// rewrapSome wraps rows anew at once; if one of them is not there any more, one by one.
func (v *Vault) rewrapSome(ctx context.Context, rows []eventstore.Row, at int, current []byte) (n int, err error) {
	err = v.rewrapRows(ctx, rows, at, current)
	if err == nil {
		return len(rows), nil
	}
	if !errors.Is(err, eventstore.ErrCondition) {
		return 0, err
	}

	// One was erased meanwhile, or another epoch wraps.
	if err := v.stillWraps(ctx, current); err != nil {
		return 0, err
	}
	if len(rows) == 1 {
		return 0, nil
	}
	for i := range rows {
		done, err := v.rewrapSome(ctx, rows[i:i+1], at, current)
		n += done
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// stillWraps returns an error if the epoch current does not wrap any more.
func (v *Vault) stillWraps(ctx context.Context, current []byte) error {
	if err := v.wrapsNow(ctx); err != nil {
		return err
	}
	probe, _, err := v.wrap(ctx, nil, nil)
	if err == nil && !bytes.HasPrefix(probe, current) {
		err = errAdvanced
	}
	return err
}

// rewrapRows wraps rows anew in one write.
func (v *Vault) rewrapRows(ctx context.Context, rows []eventstore.Row, at int, current []byte) error {
	var c eventstore.Change
	for _, row := range rows {
		plain, err := v.unwrap(ctx, row, at-1)
		if err != nil {
			return err
		}
		wrapped, present, err := v.wrap(ctx, plain, row.Key)
		if err != nil {
			return err
		}
		if !bytes.HasPrefix(wrapped, current) {
			return errAdvanced
		}

		if len(c.Put) == 0 {
			c.Present = append(c.Present, present...)
		}
		c.Present = append(c.Present, row.Key)
		c.Put = append(c.Put, eventstore.Row{Key: row.Key, Value: append(row.Value[:at:at], wrapped...)})
	}
	defer v.tally.lose() // somebody else may wrap them at once
	return v.rows.Write(ctx, c)
}
