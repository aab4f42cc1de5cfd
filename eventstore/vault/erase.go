package vault

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"consentledger/eventstore"
)

// Erase deletes p: data key, parts and lookups, in one write, which is durable
// on return, and has the rows' tables written anew without them. Until the given time a keyed
// tombstone for each lookup tells
// [Vault.ErasedAt] that there was an erasure. Erasing again is no error and
// changes nothing, so who does not know how an Erase ended calls it again.
func (v *Vault) Erase(ctx context.Context, p *Person, at, until time.Time) error {
	if err := v.Delete(ctx, p, at, until); err != nil {
		return err
	}
	if err := v.Purge(ctx, p.App, p.Pseudonym); err != nil {
		return fmt.Errorf("vault: erase %s: %w", p.Pseudonym, err)
	}
	return nil
}

// Delete is [Vault.Erase] that leaves the tables as they are: nothing of p can be read any
// more, and old bytes stay on disk until [Vault.Purge].
func (v *Vault) Delete(ctx context.Context, p *Person, at, until time.Time) error {
	return v.DeleteBut(ctx, p, at, until, Proof{})
}

// DeleteBut is [Vault.Delete] that keeps a proof, if there is one: it is there in the write
// by which the person is gone, so that there is never both, and never neither.
func (v *Vault) DeleteBut(ctx context.Context, p *Person, at, until time.Time, proof Proof) error {
	defer v.people.forget(p)
	for range tries {
		err := v.erase(ctx, p, at, until, proof)
		if errors.Is(err, eventstore.ErrCondition) {
			// A link was added, somebody else erased, or another epoch wraps.
			if err := v.wrapsNow(ctx); err != nil {
				return fmt.Errorf("vault: erase %s: %w", p.Pseudonym, err)
			}
			continue
		}
		if err != nil && !errors.Is(err, ErrErased) {
			return fmt.Errorf("vault: erase %s: %w", p.Pseudonym, err)
		}
		// The entry is gone, so no part comes any more. What a Put brought
		// while the list was read lost its key already; now it goes too.
		if err := v.sweepParts(ctx, p); err != nil {
			return fmt.Errorf("vault: erase %s: %w", p.Pseudonym, err)
		}
		if err := v.sweepNear(ctx, p); err != nil {
			return fmt.Errorf("vault: erase %s: %w", p.Pseudonym, err)
		}
		if err := v.rows.Sync(ctx); err != nil {
			return fmt.Errorf("vault: erase %s: %w", p.Pseudonym, err)
		}
		return nil
	}
	return fmt.Errorf("vault: erase %s: lost %d races", p.Pseudonym, tries)
}

func (v *Vault) erase(ctx context.Context, p *Person, at, until time.Time, proof Proof) error {
	app, err := v.AppKey(ctx, p.App)
	if err != nil {
		return err
	}

	// A key that is on its way to its row is not to be left behind by a new epoch, and what is deleted
	// is wrapped as it was read while the keys are counted.
	v.wrapping.RLock()
	defer v.wrapping.RUnlock()
	macs, epoch, err := v.lookups(ctx, p)
	if err != nil {
		return err
	}

	entry, links := entryKey(p.App, p.Pseudonym), len(macs)-1
	c := eventstore.Change{
		Present: [][]byte{entry},
		Absent:  [][]byte{linkKey(p.App, p.Pseudonym, links)},
		Delete:  [][]byte{entry},
	}
	for n := range links {
		c.Delete = append(c.Delete, linkKey(p.App, p.Pseudonym, n))
	}

	c.Put = append(c.Put, eventstore.Row{Key: erasedKey(p.App), Value: millis(at)})
	for _, m := range macs {
		gone, err := v.isDetached(ctx, p, m)
		if err != nil {
			return err
		}
		if gone { // it may lead to somebody else
			c.Delete = append(c.Delete, detachKey(p.App, p.Pseudonym, m), endKey(p.App, app.tombstone(m), p.Pseudonym))
			continue
		}
		c.Absent = append(c.Absent, detachKey(p.App, p.Pseudonym, m))
		c.Delete = append(c.Delete, lookupKey(p.App, m))
		tomb := tombKey(p.App, app.tombstone(m), until.UnixMilli())
		c.Put = append(c.Put, eventstore.Row{Key: tomb, Value: millis(at)})
	}

	parts, err := v.partRows(ctx, p)
	if err != nil {
		return err
	}

	folds, err := v.foldRowsOf(ctx, p)
	if err != nil {
		return err
	}

	c.Delete = slices.Concat(c.Delete, parts, folds)
	if !proof.IsZero() {
		kept, present, err := v.proofRowsOf(ctx, p, app, macs, proof)
		if err != nil {
			return err
		}
		c.Present = append(c.Present, present...)
		c.Put = append(c.Put, kept...)
	}

	err = v.tally.write(c, func(c eventstore.Change) error { return v.rows.Write(ctx, c) })
	v.tally.removed(epoch, err)
	return err
}

// partRows returns the keys of all parts of p.
func (v *Vault) partRows(ctx context.Context, p *Person) ([][]byte, error) {
	return v.keysBelow(ctx, partKeys(p.App, p.Pseudonym))
}

// sweepParts deletes the parts of p and what their records were folded to.
func (v *Vault) sweepParts(ctx context.Context, p *Person) error {
	parts, err := v.partRows(ctx, p)
	if err != nil {
		return err
	}
	folds, err := v.foldRowsOf(ctx, p)
	if err != nil || len(parts)+len(folds) == 0 {
		return err
	}
	return v.rows.Write(ctx, eventstore.Change{Delete: slices.Concat(parts, folds)})
}

// ErasedAt returns when the person whom l led to was last erased, as far as a
// tombstone that has not expired by now says so, or when l was last taken from
// somebody who was not erased since; and whether there was such a person.
func (v *Vault) ErasedAt(ctx context.Context, l Lookup, now time.Time) (at time.Time, ok bool, err error) {
	if err := l.check(); err != nil {
		return time.Time{}, false, err
	}

	app, ok, err := v.findAppKey(ctx, l.App)
	if err != nil || !ok {
		return time.Time{}, false, err
	}

	ok = false
	m := app.tombstone(app.lookup(l))
	for _, prefix := range [][]byte{tombKeys(l.App, m), endKeys(l.App, m)} {
		isTomb := bytes.HasPrefix(prefix, []byte(tombRows))
		for row, err := range v.rows.Scan(ctx, prefix) {
			if err != nil {
				return time.Time{}, false, fmt.Errorf("vault: tombstone: %w", err)
			}
			t, err := readMillis("tombstone", row.Value)
			if err != nil {
				return time.Time{}, false, err
			}
			if (!isTomb || expires(row.Key).After(now)) && (!ok || t.After(at)) {
				at, ok = t, true
			}
		}
	}
	return at, ok, nil
}

// AnyErased reports whether somebody of an app was erased. Of an app that is
// older than the row that says so nobody knows, and somebody may have been.
func (v *Vault) AnyErased(ctx context.Context, app string) (bool, error) {
	if err := checkApp(app); err != nil {
		return false, err
	}
	value, ok, err := v.rows.Get(ctx, erasedKey(app))
	if err != nil {
		return false, fmt.Errorf("vault: erasures of app %q: %w", app, err)
	}
	if !ok {
		return true, nil
	}
	at, err := readMillis("erasures of app "+app, value)
	return !at.IsZero(), err
}

// millis returns a value that is a time; the zero time is zero.
func millis(t time.Time) []byte {
	ms := int64(0)
	if !t.IsZero() {
		ms = t.UnixMilli()
	}
	return versioned(binary.BigEndian.AppendUint64(nil, uint64(ms)))
}

// readMillis reads what millis returns. The noun is for the error.
func readMillis(noun string, value []byte) (time.Time, error) {
	b, err := body(noun, value, 8)
	if err != nil {
		return time.Time{}, err
	}
	ms := int64(binary.BigEndian.Uint64(b))
	if ms == 0 {
		return time.Time{}, nil
	}
	return time.UnixMilli(ms).UTC(), nil
}

// expires returns the time that a tombstone's key ends with.
func expires(key []byte) time.Time {
	if len(key) < 8 {
		return time.Time{}
	}
	return time.UnixMilli(int64(binary.BigEndian.Uint64(key[len(key)-8:])))
}

// Sweep deletes the tombstones that have expired by now, and says how many.
func (v *Vault) Sweep(ctx context.Context, now time.Time) (int, error) {
	var keys [][]byte
	for row, err := range v.rows.Scan(ctx, []byte(tombRows)) {
		if err != nil {
			return 0, fmt.Errorf("vault: tombstones: %w", err)
		}
		if !expires(row.Key).After(now) {
			keys = append(keys, append([]byte(nil), row.Key...))
		}
	}

	if len(keys) == 0 {
		return 0, nil
	}
	if err := v.rows.Write(ctx, eventstore.Change{Delete: keys}); err != nil {
		return 0, fmt.Errorf("vault: tombstones: %w", err)
	}
	return len(keys), nil
}
