package vault

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"consentledger/eventstore"
)

// Of a vault that several processes share, a row says which epoch wraps, because no process
// knows which epochs the others have. Every write that brings a wrapped key requires that
// row. So no key is wrapped under an older epoch once [Vault.WrapUnder] has moved the row,
// also by a process that slept meanwhile.

// ErrMissingEpoch says that keys lack an epoch under which something is wrapped. What is
// wrapped is there, and opens once the keys have that epoch.
var ErrMissingEpoch = errors.New("the file of keys is an older or a newer copy than the vault needs, " +
	"or another vault's")

// ErrShared says that another process has changed which epoch wraps.
var ErrShared = errors.New("vault: another process has changed which epoch wraps")

// wrapsKey returns the row that says that an epoch wraps.
func wrapsKey(epoch uint32) []byte {
	return binary.BigEndian.AppendUint32([]byte(wrapsRows), epoch)
}

// Share makes the row that says which epoch wraps, if there is none: the one under which the
// vault was bound to its keys, which all processes have. From then on a newer epoch of the
// keys wraps only after [Vault.WrapUnder].
func (v *Vault) Share(ctx context.Context) error {
	value, ok, err := v.rows.Get(ctx, checkKey)
	if err == nil && !ok {
		err = errors.New("there is no check row")
	}
	if err != nil {
		return fmt.Errorf("vault: share: %w", err)
	}
	wrapped, err := body("check row", value, 4)
	if err != nil {
		return err
	}

	// The row without a number stays when the other one moves, so that of processes which
	// begin at once only one makes it.
	made := []byte(wrapsRows)
	wraps := wrapsKey(binary.BigEndian.Uint32(wrapped))
	err = eventstore.WriteDurably(ctx, v.rows, eventstore.Change{
		Absent: [][]byte{made},
		Put:    []eventstore.Row{{Key: made, Value: versioned()}, {Key: wraps, Value: versioned()}},
	})
	if err != nil && !errors.Is(err, eventstore.ErrCondition) {
		return fmt.Errorf("vault: share: %w", err)
	}
	_, err = v.Wraps(ctx)
	return err
}

// Wraps returns which epoch wraps, as a row says; zero: there is none, and the newest of the
// keys wraps. It returns that epoch and an error that wraps [ErrMissingEpoch] if the keys do
// not have it.
func (v *Vault) Wraps(ctx context.Context) (epoch uint32, err error) {
	for row, err := range v.rows.Scan(ctx, []byte(wrapsRows)) {
		if err != nil {
			return 0, fmt.Errorf("vault: which epoch wraps: %w", err)
		}
		switch rest := row.Key[len(wrapsRows):]; len(rest) {
		case 0: // that there is such a row
		case 4:
			epoch = binary.BigEndian.Uint32(rest)
		default:
			return 0, fmt.Errorf("vault: which epoch wraps: a key of %d bytes", len(row.Key))
		}
	}

	v.wraps.Store(epoch)
	if epoch != 0 {
		_, err = v.keys.WrapUnder(epoch, nil, nil)
	}
	return epoch, err
}

// WrapUnder has a newer epoch wrap from then on, durably, in all processes that share the
// vault. A process that does not have it writes no new person until it has. It is no error
// if that epoch wraps already, nor if no row says which epoch wraps. Of two that do it at
// once one has an error that wraps [ErrShared].
func (v *Vault) WrapUnder(ctx context.Context, epoch uint32) error {
	is, err := v.Wraps(ctx)
	if err != nil || is == 0 || is == epoch {
		return err
	}
	if epoch < is {
		return fmt.Errorf("vault: epoch %d wraps, and an older one, %d, never does again", is, epoch)
	}
	if _, err := v.keys.WrapUnder(epoch, nil, nil); err != nil {
		return err
	}

	err = eventstore.WriteDurably(ctx, v.rows, eventstore.Change{
		Present: [][]byte{wrapsKey(is)},
		Absent:  [][]byte{wrapsKey(epoch)},
		Delete:  [][]byte{wrapsKey(is)},
		Put:     []eventstore.Row{{Key: wrapsKey(epoch), Value: versioned()}},
	})
	if errors.Is(err, eventstore.ErrCondition) {
		return ErrShared
	}
	if err != nil {
		return fmt.Errorf("vault: epoch %d is to wrap: %w", epoch, err)
	}
	_, err = v.Wraps(ctx)
	return err
}

// wrap wraps a key under the epoch that wraps, and returns the rows that must be there when
// it is written. After [eventstore.ErrCondition] the caller asks [Vault.Wraps], and wraps
// again.
func (v *Vault) wrap(ctx context.Context, plain, aad []byte) (wrapped []byte, present [][]byte, err error) {
	epoch := v.wraps.Load()
	if epoch == 0 {
		wrapped, err = v.keys.Wrap(plain, aad)
		return wrapped, nil, err
	}

	wrapped, err = v.keys.WrapUnder(epoch, plain, aad)
	if errors.Is(err, ErrMissingEpoch) { // it may be destroyed, and another one wraps
		if epoch, err = v.Wraps(ctx); err == nil {
			wrapped, err = v.keys.WrapUnder(epoch, plain, aad)
		}
	}
	return wrapped, [][]byte{wrapsKey(epoch)}, err
}

// unwrap returns what is wrapped in a row that was read, behind so many bytes. The row may have
// been wrapped anew since, and the older epoch destroyed: then it is read once more.
func (v *Vault) unwrap(ctx context.Context, row eventstore.Row, skip int) ([]byte, error) {
	plain, err := v.keys.Unwrap(row.Value[1+skip:], row.Key)
	if !errors.Is(err, ErrMissingEpoch) {
		return plain, err
	}
	now, ok, gone := v.rows.Get(ctx, row.Key)
	if gone != nil || !ok || len(now) < 1+skip || bytes.Equal(now, row.Value) {
		return nil, errors.Join(err, gone)
	}
	return v.keys.Unwrap(now[1+skip:], row.Key)
}

// wrapsNow is [Vault.Wraps] for whoever lost a race: the epoch may have been the cause. That
// the keys lack it is told by whoever wraps next.
func (v *Vault) wrapsNow(ctx context.Context) error {
	if v.wraps.Load() == 0 {
		return nil
	}
	if _, err := v.Wraps(ctx); err != nil && !errors.Is(err, ErrMissingEpoch) {
		return err
	}
	return nil
}

// missing returns the error of keys that lack an epoch.
func missing(epoch uint32) error {
	return fmt.Errorf("keys: epoch %d is not among them: %w", epoch, ErrMissingEpoch)
}
