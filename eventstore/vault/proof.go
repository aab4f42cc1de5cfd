package vault

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"time"

	"consentledger/eventstore"
)

// A Proof is what is kept of somebody who is erased: a text that is sealed under a key of
// its own, which no key of the person gives and which gives none. Zero: nothing is kept.
//
// What is to be kept, why, and who may open it is not for the vault to say: see
// [domain.KeptProof]. The vault keeps it beside the persons, never as one: no lookup leads
// to it but by [Vault.ProofsOf], and [Vault.Find], [Vault.Everybody] and [Vault.ByPseudonym]
// do not know of it.
type Proof struct {
	Until time.Time // when it is to be destroyed
	Text  []byte
}

// IsZero reports whether nothing is kept.
func (p Proof) IsZero() bool { return len(p.Text) == 0 && p.Until.IsZero() }

// A finder is what a lookup becomes to find the proof of whom it led to. Without the key of
// the app it says nothing, and it is not what a lookup is while the person lives.
type finder [16]byte

// timeBytes is what a time takes before what is wrapped.
const timeBytes = 8

// finder returns the finder of a lookup's mac.
func (a *AppKey) finder(m mac) finder {
	sum := a.keyed("proof finder", m[:])
	return finder(sum[:16])
}

// proofRowsOf returns the rows of a new proof. The lookups of the person find it, those
// included that lead to somebody else by now. What must be present when they are written is
// returned beside them.
func (v *Vault) proofRowsOf(
	ctx context.Context, p *Person, app *AppKey, macs []mac, proof Proof,
) (rows []eventstore.Row, present [][]byte, err error) {
	key := make([]byte, keySize)
	rand.Read(key)
	d, err := derive(key)
	if err != nil {
		return nil, nil, err
	}

	place := proofKey(p.App, p.Pseudonym)
	wrapped, present, err := v.wrap(ctx, key, place)
	if err != nil {
		return nil, nil, fmt.Errorf("vault: key of the proof of %s: %w", p.Pseudonym, err)
	}

	if len(macs) > 1<<16-1 {
		return nil, nil, fmt.Errorf("vault: %s has %d lookups, more than a proof has finders", p.Pseudonym, len(macs))
	}
	finders := binary.BigEndian.AppendUint16(nil, uint16(len(macs)))
	for _, m := range macs {
		f := app.finder(m)
		finders = append(finders, f[:]...)
		rows = append(rows, eventstore.Row{Key: finderKey(p.App, f, p.Pseudonym), Value: versioned()})
	}

	at := proof.Until.UnixMilli()
	when := binary.BigEndian.AppendUint64(nil, uint64(at))
	sealed := d.seal(proof.Text, sealedProof(p.App, p.Pseudonym))
	return append(rows,
		eventstore.Row{Key: place, Value: versioned(when, wrapped)},
		eventstore.Row{Key: keptKey(p.App, p.Pseudonym), Value: versioned(finders, sealed)},
		eventstore.Row{Key: dueKey(at, p.App, p.Pseudonym), Value: versioned()},
	), present, nil
}

// sealedProof is what a proof opens with beside its key: the proof of one person is not
// another's.
func sealedProof(app string, name Pseudonym) []byte { return fields(nil, "proof", app, name.String()) }

// OpenProof returns what is kept of somebody who is erased, and whether something is.
func (v *Vault) OpenProof(ctx context.Context, app string, name Pseudonym) (text []byte, ok bool, err error) {
	if err := checkApp(app); err != nil {
		return nil, false, err
	}
	place := proofKey(app, name)
	value, ok, err := v.rows.Get(ctx, place)
	if err != nil || !ok {
		return nil, false, err
	}
	if _, err := body("key of the proof of "+name.String(), value, timeBytes+1); err != nil {
		return nil, false, err
	}
	key, err := v.unwrap(ctx, eventstore.Row{Key: place, Value: value}, timeBytes)
	if err != nil {
		return nil, false, fmt.Errorf("vault: key of the proof of %s: %w", name, err)
	}
	d, err := derive(key)
	if err != nil {
		return nil, false, fmt.Errorf("vault: key of the proof of %s: %w", name, err)
	}

	value, ok, err = v.rows.Get(ctx, keptKey(app, name))
	if err != nil {
		return nil, false, err
	}
	if !ok { // destroyed between the two reads; else somebody took it away
		_, still, err := v.rows.Get(ctx, place)
		if err == nil && still {
			err = fmt.Errorf("vault: proof of %s: there is its key, and no proof", name)
		}
		return nil, false, err
	}
	_, sealed, err := findersIn(name, value)
	if err != nil {
		return nil, false, err
	}
	if text, err = d.unseal(sealed, sealedProof(app, name)); err != nil {
		return nil, false, fmt.Errorf("vault: proof of %s: %w", name, err)
	}
	return text, true, nil
}

// findersIn splits the row of a proof.
func findersIn(name Pseudonym, value []byte) (all []finder, sealed []byte, err error) {
	b, err := body("proof of "+name.String(), value, 2)
	if err != nil {
		return nil, nil, err
	}
	n := int(binary.BigEndian.Uint16(b))
	if b = b[2:]; len(b) < n*len(finder{}) {
		return nil, nil, fmt.Errorf("vault: proof of %s: it is cut off", name)
	}
	for range n {
		all = append(all, finder(b[:len(finder{})]))
		b = b[len(finder{}):]
	}
	return all, b, nil
}

// HasProof reports whether something is kept of somebody who is erased.
func (v *Vault) HasProof(ctx context.Context, app string, name Pseudonym) (bool, error) {
	_, ok, err := v.rows.Get(ctx, proofKey(app, name))
	if err == nil && !ok {
		_, ok, err = v.rows.Get(ctx, keptKey(app, name))
	}
	return ok, err
}

// ProofsOf returns whom a lookup led to while they lived, of whom a proof is kept.
func (v *Vault) ProofsOf(ctx context.Context, l Lookup) (names []Pseudonym, err error) {
	if err := l.check(); err != nil {
		return nil, err
	}
	app, ok, err := v.findAppKey(ctx, l.App)
	if err != nil || !ok {
		return nil, err
	}
	prefix := finderKeys(l.App, app.finder(app.lookup(l)))
	for row, err := range v.rows.Scan(ctx, prefix) {
		name, err := pseudonymIn(row, prefix, err)
		if err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, nil
}

// Proofs yields of whom an app keeps proofs, that follow one, in their order; of the zero
// pseudonym, all.
func (v *Vault) Proofs(ctx context.Context, app string, after Pseudonym) iter.Seq2[Pseudonym, error] {
	return v.named(ctx, proofRows, app, after)
}

// OrderDestruction takes note that a proof is to be destroyed, as [Vault.Order] does that
// somebody is to be erased.
func (v *Vault) OrderDestruction(ctx context.Context, o Order) error {
	row := eventstore.Row{Key: dueKey(0, o.App, o.Pseudonym), Value: versioned()}
	if err := v.rows.Write(ctx, eventstore.Change{Put: []eventstore.Row{row}}); err != nil {
		return fmt.Errorf("vault: order to destroy the proof of %s: %w", o.Pseudonym, err)
	}
	return nil
}

// DestroyProof deletes a proof with its key and its finders in one write, which is durable
// on return. Old bytes stay on disk until [Vault.Purge]. Of whom there is none, nothing is
// done.
func (v *Vault) DestroyProof(ctx context.Context, o Order) error {
	if err := v.destroyProof(ctx, o); err != nil {
		return fmt.Errorf("vault: destroy the proof of %s: %w", o.Pseudonym, err)
	}
	return v.rows.Sync(ctx)
}

func (v *Vault) destroyProof(ctx context.Context, o Order) error {
	c := eventstore.Change{Delete: [][]byte{proofKey(o.App, o.Pseudonym), keptKey(o.App, o.Pseudonym)}}
	key, hasKey, err := v.rows.Get(ctx, c.Delete[0])
	if err != nil {
		return err
	}
	text, hasText, err := v.rows.Get(ctx, c.Delete[1])
	if err != nil || !hasKey && !hasText {
		return err
	}

	if hasKey {
		b, err := body("key of the proof of "+o.Pseudonym.String(), key, timeBytes)
		if err != nil {
			return err
		}
		c.Delete = append(c.Delete, dueKey(int64(binary.BigEndian.Uint64(b)), o.App, o.Pseudonym),
			heldKey(o.App, o.Pseudonym))
	}
	if hasText {
		finders, _, err := findersIn(o.Pseudonym, text)
		if err != nil {
			return err
		}
		for _, f := range finders {
			c.Delete = append(c.Delete, finderKey(o.App, f, o.Pseudonym))
		}
	}
	defer v.tally.lose() // somebody else may destroy it at once
	return v.rows.Write(ctx, c)
}

// DestructionDone takes the note of an order away.
func (v *Vault) DestructionDone(ctx context.Context, o Order) error {
	err := v.rows.Write(ctx, eventstore.Change{Delete: [][]byte{dueKey(0, o.App, o.Pseudonym)}})
	if err != nil {
		return fmt.Errorf("vault: order to destroy the proof of %s: %w", o.Pseudonym, err)
	}
	return nil
}

// Destructions yields whose proofs were ordered to be destroyed.
func (v *Vault) Destructions(ctx context.Context) iter.Seq2[Order, error] {
	return v.dueProofs(ctx, string(binary.BigEndian.AppendUint64([]byte(dueRows), 0)), 0)
}

// DueProofs yields whose proofs were to be destroyed by a moment, those included that were
// ordered to be. It reads nothing of those that are kept for longer.
func (v *Vault) DueProofs(ctx context.Context, now time.Time) iter.Seq2[Order, error] {
	return v.dueProofs(ctx, dueRows, now.UnixMilli())
}

// Hold takes note that proofs which were due are kept by a legal hold: [Vault.DueProofs] yields
// them no more, and [Vault.HeldProofs] does. One that is destroyed meanwhile stays so.
func (v *Vault) Hold(ctx context.Context, orders ...Order) error {
	for _, o := range orders {
		if err := v.hold(ctx, o); err != nil {
			return fmt.Errorf("vault: hold the proof of %s: %w", o.Pseudonym, err)
		}
	}
	return nil
}

func (v *Vault) hold(ctx context.Context, o Order) error {
	place := proofKey(o.App, o.Pseudonym)
	value, ok, err := v.rows.Get(ctx, place)
	if err != nil || !ok {
		return err
	}
	b, err := body("key of the proof of "+o.Pseudonym.String(), value, timeBytes)
	if err != nil {
		return err
	}

	due := dueKey(int64(binary.BigEndian.Uint64(b)), o.App, o.Pseudonym)
	err = v.rows.Write(ctx, eventstore.Change{
		Present: [][]byte{place},
		Delete:  [][]byte{due},
		Put:     []eventstore.Row{{Key: heldKey(o.App, o.Pseudonym), Value: versioned()}},
	})
	if errors.Is(err, eventstore.ErrCondition) {
		return nil
	}
	return err
}

// HeldApps yields the apps of which proofs are held, each once. It reads every held proof.
func (v *Vault) HeldApps(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		last := ""
		for row, err := range v.rows.Scan(ctx, []byte(heldRows)) {
			var o Order
			if err == nil {
				o, err = parseNamed(row.Key[len(heldRows):])
			}
			if err == nil && o.App == last {
				continue
			}
			if !yield(o.App, err) || err != nil {
				return
			}
			last = o.App
		}
	}
}

// HeldProofs yields of whom an app keeps proofs that were due and are held.
func (v *Vault) HeldProofs(ctx context.Context, app string) iter.Seq2[Pseudonym, error] {
	return v.named(ctx, heldRows, app, Pseudonym{})
}

func (v *Vault) dueProofs(ctx context.Context, prefix string, now int64) iter.Seq2[Order, error] {
	return func(yield func(Order, error) bool) {
		for row, err := range v.rows.Scan(ctx, []byte(prefix)) {
			var o Order
			at := int64(0)
			if err == nil {
				at, o, err = parseDue(row.Key)
			}
			if err == nil && at > now {
				return
			}
			if !yield(o, err) || err != nil {
				return
			}
		}
	}
}

func parseDue(key []byte) (at int64, o Order, err error) {
	rest := key[len(dueRows):]
	if len(rest) < timeBytes {
		return 0, Order{}, fmt.Errorf("vault: the key of a proof that is due has %d bytes", len(key))
	}
	o, err = parseNamed(rest[timeBytes:])
	return int64(binary.BigEndian.Uint64(rest)), o, err
}
