package server

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"consentledger/cmd/internal/exit"
	"consentledger/eventstore"
	"consentledger/eventstore/vault"
)

// Several processes that share a vault each have a copy of the file of keys, and none can
// see the others' copies. So each says in a row which epochs it has, and a newer epoch wraps
// only once all of them have it, see [WrapUnderNewest].
//
// A process that was not heard of may be there all the same, as one that sleeps. It loses
// nothing: what it wraps under the older epoch is refused by the vault, see [vault.Vault.Share],
// and it goes on once it is given the newer one.

// What the keys of those rows begin with. The name of the process follows; and, behind
// livesRows, a slash and random digits, which are others each time a process starts. Whoever
// has the name has the one such row: a process that ends takes away what it said only if it
// is not said by the next one of its name by then.
const (
	keysRows  = "keys/1/process/"
	livesRows = "keys/1/lives/"
)

const (
	keysLookEvery = 5 * time.Second  // for another epoch, in the file and in the vault
	keysSayEvery  = 30 * time.Second // that this process is there
	keysGoneAfter = 2 * time.Minute  // without a word a process is taken for gone
	keysForgotten = 24 * time.Hour   // its row is deleted
)

// A KeysOf is which epochs of the vault's keys one of several processes has.
type KeysOf struct {
	Process string    `json:"process" doc:"what it is called, see --process"`
	Epochs  []uint32  `json:"epochs"`
	Heard   time.Time `json:"heard"`
}

type keysOfV1 struct {
	V      int      `json:"v"`
	Epochs []uint32 `json:"epochs"`
	At     int64    `json:"at"` // ms
}

// ReadKeysOf returns which processes have said which epochs they have, in the order of their
// names: those that were heard of within a time.
func ReadKeysOf(
	ctx context.Context, rows eventstore.Rows, now time.Time, within time.Duration,
) (all []KeysOf, err error) {
	for row, err := range rows.Scan(ctx, []byte(keysRows)) {
		if err != nil {
			return nil, err
		}
		name := strings.TrimPrefix(string(row.Key), keysRows)
		var v keysOfV1
		if err := json.Unmarshal(row.Value, &v); err != nil || v.V != 1 {
			return nil, fmt.Errorf("which keys the process %s has is not of a form that this program knows", name)
		}
		of := KeysOf{Process: name, Epochs: v.Epochs, Heard: time.UnixMilli(v.At).UTC()}
		if now.Sub(of.Heard) <= within {
			all = append(all, of)
		}
	}
	return all, nil
}

// say writes which epochs this process has. It does nothing once another process has the name.
func (r *rotation) say(ctx context.Context, epochs []uint32) error {
	if r.replaced {
		return nil
	}
	text, err := json.Marshal(keysOfV1{V: 1, Epochs: epochs, At: time.Now().UnixMilli()})
	if err != nil {
		return err
	}

	row, life := eventstore.Row{Key: []byte(keysRows + r.process), Value: text}, r.life()
	if r.named {
		err = r.rows.Write(ctx, eventstore.Change{Present: [][]byte{life}, Put: []eventstore.Row{row}})
		if !errors.Is(err, eventstore.ErrCondition) {
			return err
		}
	}

	// The name is this process's from now on, or, if it was before, the next one's already.
	c := eventstore.Change{Put: []eventstore.Row{row, {Key: life, Value: []byte{1}}}}
	for other, err := range r.rows.Scan(ctx, []byte(livesRows+r.process+"/")) {
		if err != nil {
			return err
		}
		if r.replaced = r.named; r.replaced {
			r.log.Warn("another process has the name of this one, and is the one of which is told which keys it has",
				"process", r.process)
			return nil
		}
		c.Delete = append(c.Delete, other.Key)
	}
	if err := r.rows.Write(ctx, c); err != nil {
		return err
	}
	r.named = true
	return nil
}

// life is the key of the row that is there while this process has its name.
func (r *rotation) life() []byte {
	if r.digits == "" {
		r.digits = rand.Text()
	}
	return []byte(livesRows + r.process + "/" + r.digits)
}

// A heard is what a process said last, and when this one saw that it had said something new.
type heard struct {
	of      KeysOf
	changed time.Time // by the clock of this process, which nobody sets; zero: it was not seen
}

// listen notes which processes say something new. Clocks of different machines may differ:
// who is seen to say something is there, whatever time it says.
func (r *rotation) listen(ctx context.Context) error {
	all, err := ReadKeysOf(ctx, r.rows, time.Now(), forLong)
	if err != nil {
		return err
	}
	now := time.Now()
	next := map[string]heard{}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, of := range all {
		h, known := r.heard[of.Process]
		if known && !h.of.Heard.Equal(of.Heard) {
			h.changed = now
		}
		h.of = of
		next[of.Process] = h
	}
	r.heard = next
	return nil
}

// isThere reports whether a process was heard of lately: by the time that it says itself, or
// because it was seen to say something.
func (r *rotation) isThere(of KeysOf) bool {
	if time.Since(of.Heard) <= keysGoneAfter {
		return true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	changed := r.heard[of.Process].changed
	return !changed.IsZero() && time.Since(changed) <= keysGoneAfter
}

// present returns which processes are there.
func (r *rotation) present(ctx context.Context) ([]KeysOf, error) {
	all, err := ReadKeysOf(ctx, r.rows, time.Now(), forLong)
	return slices.DeleteFunc(all, func(of KeysOf) bool { return !r.isThere(of) }), err
}

// forLong is longer than any process was not heard of.
const forLong = 100 * 365 * 24 * time.Hour

// among has the rotation be of one of several processes, of a name, that wraps anew while it
// has a turn.
func (r *rotation) among(rows eventstore.Rows, process string, turn func() bool) {
	r.rows, r.process, r.turn = rows, process, turn
}

// keepUp says which epochs this process has, and looks which one wraps, until ctx is done.
func (r *rotation) keepUp(ctx context.Context) {
	var said []uint32
	var at time.Time
	for ctx.Err() == nil {
		wraps, err := r.vault.Wraps(ctx)
		if err == nil || errors.Is(err, vault.ErrMissingEpoch) {
			r.sees(wraps, err)
		}

		epochs := r.keys.Epochs()
		if !slices.Equal(epochs, said) || time.Since(at) >= keysSayEvery {
			if err := errors.Join(r.say(ctx, epochs), r.listen(ctx)); err == nil { // else it is tried again
				said, at = epochs, time.Now()
			}
		}
		select {
		case <-time.After(keysLookEvery):
		case <-ctx.Done():
		}
	}

	// Who has stopped needs no keys. It may take no time from those who wait for the end.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	life := r.life()
	_ = r.rows.Write(ctx, eventstore.Change{
		Present: [][]byte{life}, Delete: [][]byte{[]byte(keysRows + r.process), life},
	})
}

// sees takes note of which epoch wraps, and whether the keys have it.
func (r *rotation) sees(wraps uint32, missing error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if (missing == nil) != (r.missing == nil) {
		if missing != nil {
			r.log.Error("this process lacks the keys under which the vault is wrapped: it refuses whom it cannot read "+
				"and whoever is new, until it is given the newest file of keys", "epoch", wraps)
		} else {
			r.log.Info("this process has the keys again under which the vault is wrapped", "epoch", wraps)
		}
	}
	r.missing = missing
	if wraps != r.wraps {
		r.wraps = wraps
		r.wakeUp()
	}
}

// lacks returns what keys this process lacks; nil: none.
func (r *rotation) lacks() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.missing == nil {
		return nil
	}
	return fmt.Errorf("epoch %d of the keys wraps, and this process does not have it: give it the newest file of keys",
		r.wraps)
}

// isDue reports whether this process is to look for keys that an older epoch wraps.
func (r *rotation) isDue(epochs []uint32) bool {
	if r.alone() {
		return len(epochs) > 1
	}

	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.turn() {
		r.finished = 0 // another one goes on
		return false
	}
	if len(epochs) == 1 && epochs[0] == r.wraps {
		return false
	}
	return r.missing == nil && r.wraps != 0 && r.finished != r.wraps
}

// forgetProcesses deletes what processes said that were not heard of for long.
func (r *rotation) forgetProcesses(ctx context.Context) error {
	if r.alone() {
		return nil
	}
	all, err := ReadKeysOf(ctx, r.rows, time.Now(), forLong)
	if err != nil {
		return err
	}
	var c eventstore.Change
	for _, of := range all {
		if time.Since(of.Heard) <= keysForgotten || r.isThere(of) {
			continue
		}
		c.Delete = append(c.Delete, []byte(keysRows+of.Process))
		for life, err := range r.rows.Scan(ctx, []byte(livesRows+of.Process+"/")) {
			if err != nil {
				return err
			}
			c.Delete = append(c.Delete, life.Key)
		}
	}
	if len(c.Delete) == 0 {
		return nil
	}
	return r.rows.Write(ctx, c)
}

// WrapUnderNewest has the newest epoch of keys wrap in a vault that processes share, once all
// of them have it and nothing is wrapped under an epoch that is older than the one that wraps
// now. It refuses everything else with what is to be done.
func WrapUnderNewest(ctx context.Context, v *vault.Vault, keys *vault.FileKeys, rows eventstore.Rows) error {
	present := func(ctx context.Context) ([]KeysOf, error) {
		return ReadKeysOf(ctx, rows, time.Now(), keysGoneAfter)
	}
	return wrapUnderNewest(ctx, v, keys, present)
}

// wrapUnderNewest is [WrapUnderNewest] for whoever knows which processes are there.
func wrapUnderNewest(
	ctx context.Context, v *vault.Vault, keys *vault.FileKeys, present func(context.Context) ([]KeysOf, error),
) error {
	epochs := keys.Epochs()
	newest := epochs[len(epochs)-1]
	wraps, err := v.Wraps(ctx)
	if errors.Is(err, vault.ErrMissingEpoch) {
		return exit.Conflict(fmt.Errorf("epoch %d wraps, and these keys do not have it: use the newest file of keys",
			wraps))
	}
	if err != nil {
		return err
	}

	by, err := v.Epochs(ctx)
	if err != nil {
		return err
	}
	older := int64(0)
	for number, n := range by {
		if number != wraps {
			older += n
		}
	}
	switch {
	case older > 0 && newest >= wraps:
		return exit.Conflict(fmt.Errorf("a rotation is under way: %d keys are still wrapped under another epoch than "+
			"%d; wait until consentledger keys show says rewrapped", older, wraps))
	case newest == wraps && len(epochs) > 1:
		return exit.Conflict(fmt.Errorf("epoch %d wraps all keys already: destroy the older ones, with consentledger "+
			"keys retire", wraps))
	case newest <= wraps:
		return exit.Conflict(fmt.Errorf("epoch %d wraps, and the file of keys has no newer one: begin one with "+
			"consentledger keys advance, and give the file to every process", wraps))
	}

	all, err := present(ctx)
	if err != nil {
		return err
	}
	var lack []string
	for _, of := range all {
		if !slices.Contains(of.Epochs, newest) {
			lack = append(lack, of.Process)
		}
	}
	if len(lack) > 0 {
		return exit.Conflict(fmt.Errorf("%d of %d processes do not have epoch %d yet: %s; give them the file of keys, "+
			"or stop them (one that was killed is taken for gone after %s)", len(lack), len(all), newest,
			strings.Join(lack, ", "), keysGoneAfter))
	}

	err = v.WrapUnder(ctx, newest)
	if errors.Is(err, vault.ErrShared) {
		return exit.Conflict(errors.New("another rotation was begun at the same moment: see consentledger keys show"))
	}
	return err
}
