// Package vault keeps who is who: lookup keys, pseudonyms, data keys and sealed
// personal parts.
//
// A person has one entry per app. It is found by lookup keys, and it is erased
// with everything that hangs on it. Nothing of it is in the log: the log has
// the random pseudonym and keyed hashes, and without the entry's data key
// these are noise.
//
// # Rows
//
// Every key begins with "v/" and a letter. An app is one byte of length and
// its name. Every value begins with a version byte, now 1. Numbers are
// big-endian. Keys hold no outside id, only HMACs under the app key (mac below,
// 16 bytes).
//
//	v/c                                check text, wrapped: tells wrong keys at once
//	v/a app                            app key, wrapped
//	v/d app pseudonym mac              nothing: that lookup leads to the person no more
//	v/e app pseudonym                  mac of the first lookup; data key, wrapped
//	v/f app finder, pseudonym          nothing: that lookup led to the person, of whom a proof is kept
//	v/g app                            when somebody was erased last (ms); zero: nobody was; absent: not known
//	v/h app tombstone mac, pseudonym   when that lookup was taken from the person (ms)
//	v/i ms, app pseudonym              nothing: the proof is to be destroyed then; zero: it was ordered
//	v/j app pseudonym                  when the proof is to be destroyed (ms); its key, wrapped
//	v/k app pseudonym n (uint32)       mac of lookup n+2, made by Link, without gaps
//	v/l app mac                        pseudonym
//	v/m app pseudonym mac              what that lookup has in common with its near misses, mac
//	v/n app near mac, mac              pseudonym
//	v/o app pseudonym                  nothing: it was ordered to erase the person
//	v/p app pseudonym event id role    part, sealed
//	v/q app pseudonym                  its finders, counted (uint16); the proof, sealed under the key in v/j
//	v/r app pseudonym                  nothing: the proof was due, instead of v/i, and a legal hold keeps it
//	v/s app pseudonym name             what the person's records of a noun fold to, sealed; it can be done without
//	v/t app tombstone mac, until (ms)  erased at (ms)
//	v/w                                nothing: a row says which epoch wraps
//	v/w epoch (uint32)                 nothing: that epoch wraps, see [Vault.Share]
//
// What is wrapped begins with the epoch of the key-encryption key. An entry's
// row never changes but for its wrapping, so no reader needs a lock.
//
// # Not guaranteed
//
// The vault never reads the clock. Bytes of an erased entry are in no table of
// the rows when Erase returns, and may stay, sealed, in the rows' logs until these
// are opened the next time (see [eventstore.Rows.Purge]), and in backups: there
// they die for good when the epoch does ([Vault.Rewrap], then [FileKeys.Retire]).
package vault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"consentledger/eventstore"
)

// MaxName is the most bytes that an app, a lookup's kind or a part's role has.
const MaxName = 100

var (
	// ErrErased says that a person's entry is gone.
	ErrErased = errors.New("vault: the person is erased")

	// ErrTaken says that a lookup key already leads to somebody else.
	ErrTaken = errors.New("vault: the lookup key belongs to another person")

	// ErrDamaged says that what is sealed is not what was sealed there.
	ErrDamaged = errors.New("does not unseal: the bytes or their place were changed")

	// ErrWrongKeys says that the keys are not those the vault was made with.
	ErrWrongKeys = errors.New("vault: these are not the keys that this vault was made with")
)

// A Lookup is an identity as the outside world knows it: in an app, of a kind
// ("device", "account"), an id.
type Lookup struct{ App, Kind, ID string }

// check returns an error, without the id, if no vault may take l.
func (l Lookup) check() error {
	switch {
	case l.Kind == "" || len(l.Kind) > MaxName:
		return fmt.Errorf("vault: a lookup's kind has 1 to %d bytes, this has %d", MaxName, len(l.Kind))
	case l.ID == "":
		return errors.New("vault: a lookup has no id")
	}
	return checkApp(l.App)
}

func checkApp(app string) error {
	if app == "" || len(app) > MaxName {
		return fmt.Errorf("vault: an app's name has 1 to %d bytes, this has %d", MaxName, len(app))
	}
	return nil
}

// A Vault keeps its rows sealed under keys. Its methods may be called
// concurrently. Several vaults may share rows and keys, but an answer of Find,
// Enrol or ByPseudonym may be as old as this vault's cache: what another vault
// erased is noticed by Put and Link, which then forget.
type Vault struct {
	rows eventstore.Rows
	keys Keys

	// wrapping is read-locked from wrapping a key until its row is written, so
	// that Rewrap can wait for the keys that are on their way, and whoever counts them.
	wrapping sync.RWMutex

	wraps atomic.Uint32 // the epoch that wraps; zero: the newest of the keys

	tally tally // of what is wrapped

	apps   sync.Map // app name to *AppKey
	people cache
}

// Open returns the vault in rows. An empty one is bound to keys for ever, and
// every later Open with other keys fails with an error that wraps
// [ErrWrongKeys].
func Open(ctx context.Context, rows eventstore.Rows, keys Keys) (*Vault, error) {
	v := &Vault{rows: rows, keys: keys}
	if err := v.checkKeys(ctx); err != nil {
		return nil, err
	}
	if _, err := v.Wraps(ctx); errors.Is(err, ErrMissingEpoch) {
		return nil, fmt.Errorf("%w: %w", ErrWrongKeys, err)
	} else if err != nil {
		return nil, err
	}
	return v, nil
}

// Over returns a vault under the same keys, whose rows are what over makes of this one's.
// It remembers nobody yet.
func (v *Vault) Over(over func(eventstore.Rows) eventstore.Rows) *Vault {
	o := &Vault{rows: over(v.rows), keys: v.keys}
	o.wraps.Store(v.wraps.Load())
	return o
}

var checkText = []byte("consentledger vault")

func (v *Vault) checkKeys(ctx context.Context) error {
	value, ok, err := v.rows.Get(ctx, checkKey)
	if err != nil {
		return fmt.Errorf("vault: check row: %w", err)
	}

	if !ok {
		if value, err = v.bind(ctx); err != nil {
			return err
		}
	}

	wrapped, err := body("check row", value, 1)
	if err != nil {
		return err
	}

	plain, err := v.keys.Unwrap(wrapped, checkKey)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrWrongKeys, err)
	}
	if !bytes.Equal(plain, checkText) {
		return fmt.Errorf("%w: the check text differs", ErrWrongKeys)
	}
	return nil
}

// bind writes the check row of an empty vault and returns the one that is
// there then, its own or a quicker one's.
func (v *Vault) bind(ctx context.Context) ([]byte, error) {
	used, err := Used(ctx, v.rows)
	if err != nil {
		return nil, err
	}

	if used {
		// It may be the check row of an Open that runs beside this one.
		value, ok, err := v.rows.Get(ctx, checkKey)
		if err == nil && !ok {
			err = errors.New("there are rows, but no check row")
		}
		if err != nil {
			return nil, fmt.Errorf("vault: %w", err)
		}
		return value, nil
	}

	wrapped, err := v.keys.Wrap(checkText, checkKey)
	if err != nil {
		return nil, fmt.Errorf("vault: check row: %w", err)
	}

	err = v.rows.Write(ctx, eventstore.Change{
		Absent: [][]byte{checkKey},
		Put:    []eventstore.Row{{Key: checkKey, Value: versioned(wrapped)}},
	})
	if err != nil && !errors.Is(err, eventstore.ErrCondition) {
		return nil, fmt.Errorf("vault: check row: %w", err)
	}
	if err := v.rows.Sync(ctx); err != nil {
		return nil, fmt.Errorf("vault: check row: %w", err)
	}

	value, _, err := v.rows.Get(ctx, checkKey)
	return value, err
}

// Used reports whether there is a vault in rows.
func Used(ctx context.Context, rows eventstore.Rows) (bool, error) {
	for _, err := range rows.Scan(ctx, []byte(space)) {
		if err != nil {
			return false, fmt.Errorf("vault: %w", err)
		}
		return true, nil
	}
	return false, nil
}
