package vault

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"consentledger/eventstore"
)

// An AppKey is the key of an app: it hashes lookups, seals what belongs to no
// person, and derives ids for streams that belong to no person. It never
// changes and may be used concurrently.
type AppKey struct {
	App string
	derived
	lookups, tombstones, nears [keySize]byte
}

// String shows no key, nor does a log that is given a.
func (a *AppKey) String() string { return "key of app " + a.App }

// GoString is String.
func (a *AppKey) GoString() string { return a.String() }

func newAppKey(app string, key []byte) (*AppKey, error) {
	d, err := derive(key)
	if err != nil {
		return nil, err
	}
	return &AppKey{App: app, derived: d, lookups: d.subkey("lookup"), tombstones: d.subkey("tombstone"),
		nears: d.subkey("near")}, nil
}

// lookup returns the mac of l.
func (a *AppKey) lookup(l Lookup) mac {
	var buf [256]byte
	sum := keyed(&a.lookups, fields(buf[:0], l.Kind, l.ID))
	return mac(sum[:16])
}

// tombstone returns the mac that the tombstone of a lookup has. The lookup's own
// does not outlive the entry.
func (a *AppKey) tombstone(lookup mac) mac {
	sum := keyed(&a.tombstones, lookup[:])
	return mac(sum[:16])
}

// Seal returns plain such that only Unseal with the same aad opens it.
func (a *AppKey) Seal(aad, plain []byte) []byte {
	return a.seal(plain, fields(nil, "app", a.App, string(aad)))
}

// Unseal returns what Seal was given.
func (a *AppKey) Unseal(aad, sealed []byte) ([]byte, error) {
	plain, err := a.unseal(sealed, fields(nil, "app", a.App, string(aad)))
	if err != nil {
		return nil, fmt.Errorf("vault: sealed text of app %q: %w", a.App, err)
	}
	return plain, nil
}

// AppKey returns the key of app, which it makes when it is first asked for. It
// is durable on return.
func (v *Vault) AppKey(ctx context.Context, app string) (*AppKey, error) {
	a, ok, err := v.findAppKey(ctx, app)
	if err != nil || ok {
		return a, err
	}
	for range tries {
		err := v.makeAppKey(ctx, app)
		if errors.Is(err, eventstore.ErrCondition) {
			err = v.wrapsNow(ctx) // or somebody else was quicker
		}
		if err != nil {
			return nil, err
		}
		if err := v.rows.Sync(ctx); err != nil {
			return nil, fmt.Errorf("vault: key of app %q: %w", app, err)
		}
		a, ok, err := v.findAppKey(ctx, app)
		if err != nil || ok {
			return a, err
		}
	}
	return nil, fmt.Errorf("vault: key of app %q lost %d races", app, tries)
}

func (v *Vault) findAppKey(ctx context.Context, app string) (*AppKey, bool, error) {
	if a, ok := v.apps.Load(app); ok {
		return a.(*AppKey), true, nil
	}
	if err := checkApp(app); err != nil {
		return nil, false, err
	}

	value, ok, err := v.rows.Get(ctx, appRowKey(app))
	if err != nil {
		return nil, false, fmt.Errorf("vault: key of app %q: %w", app, err)
	}
	if !ok {
		return nil, false, nil
	}

	if _, err := body("key of app "+app, value, 1); err != nil {
		return nil, false, err
	}

	key, err := v.unwrap(ctx, eventstore.Row{Key: appRowKey(app), Value: value}, 0)
	if err != nil {
		return nil, false, fmt.Errorf("vault: key of app %q: %w", app, err)
	}

	a, err := newAppKey(app, key)
	if err != nil {
		return nil, false, fmt.Errorf("vault: key of app %q: %w", app, err)
	}

	v.apps.Store(app, a)
	return a, true, nil
}

func (v *Vault) makeAppKey(ctx context.Context, app string) error {
	key := make([]byte, keySize)
	rand.Read(key)
	v.wrapping.RLock()
	defer v.wrapping.RUnlock()
	row := appRowKey(app)
	wrapped, present, err := v.wrap(ctx, key, row)
	if err != nil {
		return fmt.Errorf("vault: key of app %q: %w", app, err)
	}

	c := eventstore.Change{
		Present: present,
		Absent:  [][]byte{row},
		Put: []eventstore.Row{{Key: row, Value: versioned(wrapped)},
			{Key: erasedKey(app), Value: millis(time.Time{})}},
	}
	err = v.tally.write(c, func(c eventstore.Change) error { return v.rows.Write(ctx, c) })
	if err != nil {
		return fmt.Errorf("vault: key of app %q: %w", app, err)
	}
	return nil
}
