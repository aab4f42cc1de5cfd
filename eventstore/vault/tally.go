package vault

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"maps"
	"sync"

	"consentledger/eventstore"
)

// A tally is how many keys each epoch wraps, kept from write to write once they were counted. What a
// write that failed did is not known, nor whether a count saw what was deleted meanwhile: then they are
// counted anew. It lies in memory alone, so that it says nothing wrong after a kill.
type tally struct {
	turn sync.Mutex // of whoever counts

	mu       sync.Mutex
	by       map[uint32]int64 // nil: not known
	counting bool
	written  map[string]bool  // keys that came, or may come, since the count began: it leaves them out
	more     map[uint32]int64 // how many of them came, by epoch
	lost     bool             // the count that is under way will not be right
}

// Wrapped says how many keys each epoch wraps, as [Vault.Epochs] does, and counts them only where it
// is not known from before. It is for a vault whose rows no other process writes. Who destroys an
// epoch counts.
func (v *Vault) Wrapped(ctx context.Context) (map[uint32]int64, error) {
	t := &v.tally
	t.turn.Lock()
	defer t.turn.Unlock()
	if by := t.known(); by != nil {
		return by, nil
	}

	// What is on its way is in the rows after this, and what comes later is noted before it is written.
	v.wrapping.Lock()
	t.begin()
	v.wrapping.Unlock()

	all := map[uint32]int64{}
	for w, err := range v.wrapped(ctx) {
		if err != nil {
			t.end(nil)
			return nil, err
		}
		if !t.leavesOut(w[0]) {
			all[binary.BigEndian.Uint32(w[1])]++
		}
	}
	return t.end(all), nil
}

func (t *tally) known() map[uint32]int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.by)
}

func (t *tally) begin() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counting, t.lost, t.written, t.more = true, false, map[string]bool{}, map[uint32]int64{}
}

func (t *tally) leavesOut(key []byte) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.written[string(key)]
}

// end keeps what was counted with what came meanwhile, and returns it; nil: the count failed.
func (t *tally) end(all map[uint32]int64) map[uint32]int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	for epoch, n := range t.more {
		if all != nil {
			all[epoch] += n
		}
	}
	if all != nil && !t.lost {
		t.by = maps.Clone(all)
	}
	t.counting, t.written, t.more = false, nil, nil
	return all
}

// write makes a change that may bring wrapped keys, and takes note of them and of how that ended. The
// caller holds the lock of what is being wrapped meanwhile.
func (t *tally) write(c eventstore.Change, do func(eventstore.Change) error) error {
	epochs := t.come(c)
	err := do(c)
	for _, epoch := range epochs {
		t.change(epoch, 1, err)
	}
	return err
}

// come returns the epochs that wrap the keys which a change brings, each as often as it does. A count
// that is under way leaves these keys out.
func (t *tally) come(c eventstore.Change) (epochs []uint32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, row := range c.Put {
		epoch, is := wrappedIn(row)
		if !is {
			continue
		}
		epochs = append(epochs, epoch)
		if t.counting {
			t.written[string(row.Key)] = true
		}
	}
	return epochs
}

// removed takes note that a key which an epoch wrapped was deleted, or of the error of that.
func (t *tally) removed(epoch uint32, err error) { t.change(epoch, -1, err) }

func (t *tally) change(epoch uint32, n int64, err error) {
	switch {
	case errors.Is(err, eventstore.ErrCondition):
		return // nothing was written
	case err != nil:
		t.lose()
		return
	}

	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.counting && n < 0:
		t.lost = true // it may have been counted before
	case t.counting:
		t.more[epoch] += n
	case t.by != nil:
		if t.by[epoch] += n; t.by[epoch] == 0 {
			delete(t.by, epoch)
		}
	}
}

// lose has the keys counted anew.
func (t *tally) lose() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.by, t.lost = nil, true
}

// wrappedIn returns which epoch wraps the key of a row, and whether it holds one.
func wrappedIn(row eventstore.Row) (epoch uint32, is bool) {
	for _, kind := range wrappedKinds {
		if bytes.HasPrefix(row.Key, []byte(kind.prefix)) && len(row.Value) >= 1+kind.skip+4 {
			return binary.BigEndian.Uint32(row.Value[1+kind.skip:]), true
		}
	}
	return 0, false
}
