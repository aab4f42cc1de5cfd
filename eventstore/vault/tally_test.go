package vault

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"sync"
	"testing"

	"consentledger/eventstore"
)

// counted are rows that say how often the entries were gone over, and do something before a pass over
// them begins, or once its first row was read.
type counted struct {
	eventstore.Rows
	passes        int
	before, after func()
}

func (c *counted) Scan(ctx context.Context, prefix []byte) iter.Seq2[eventstore.Row, error] {
	if !bytes.Equal(prefix, []byte(entryRows)) {
		return c.Rows.Scan(ctx, prefix)
	}
	return func(yield func(eventstore.Row, error) bool) {
		c.passes++
		before, after := c.before, c.after
		if c.before, c.after = nil, nil; before != nil {
			before()
		}
		for row, err := range c.Rows.Scan(ctx, prefix) {
			if after != nil {
				after()
				after = nil
			}
			if !yield(row, err) {
				return
			}
		}
	}
}

// isCounted says what is kept of how many keys each epoch wraps, and holds it to a count.
func isCounted(t *testing.T, v *Vault) {
	t.Helper()
	got, err := v.Wrapped(t.Context())
	ok(t, err)
	want := must[map[uint32]int64](t)(v.Epochs(t.Context()))
	if !maps.Equal(got, want) {
		t.Fatalf("%v are kept, %v are there", got, want)
	}
}

// Whatever becomes of the keys, what is kept is what a count finds, in a vault that was opened again as well.
func TestWhatIsKeptOfEpochsIsWhatACountFinds(t *testing.T) {
	for seed := range uint64(4) {
		rows, keys := newRows(), NewMemoryKeys()
		v, dice := open(t, rows, keys), rand.New(rand.NewPCG(seed, 1))
		var people []*Person
		var proofs []Order
		for i := range 300 {
			app := fmt.Sprint("app", dice.IntN(3))
			switch n := dice.IntN(20); {
			case n < 10:
				people = append(people, enrol(t, v, Lookup{app, "device", fmt.Sprint(i)}))
			case n < 15 && len(people) > 0:
				p := people[0]
				people = people[1:]
				var proof Proof
				if n < 12 {
					proof = Proof{Until: later, Text: []byte("kept")}
					proofs = append(proofs, Order{App: p.App, Pseudonym: p.Pseudonym})
				}
				ok(t, v.DeleteBut(t.Context(), p, noon, later, proof))
				ok(t, v.DeleteBut(t.Context(), p, noon, later, proof)) // again is no error
			case n < 17 && len(proofs) > 0:
				ok(t, v.DestroyProof(t.Context(), proofs[0]))
				proofs = proofs[1:]
			case n == 17:
				ok(t, keys.Advance())
			case n == 18:
				must[int](t)(v.Rewrap(t.Context()))
			case n == 19:
				v = open(t, rows, keys)
			}
			isCounted(t, v)
		}
	}
}

func TestKeysAreCountedOnce(t *testing.T) {
	rows := &counted{Rows: newRows()}
	v := open(t, rows, NewMemoryKeys())
	var people []*Person
	for i := range 6 {
		people = append(people, enrol(t, v, Lookup{"smartkey", "device", fmt.Sprint(i)}))
		ok(t, v.Delete(t.Context(), people[0], noon, later))
		must[map[uint32]int64](t)(v.Wrapped(t.Context()))
	}
	if rows.passes != 1 {
		t.Errorf("the keys were counted %d times, want once", rows.passes)
	}
	isCounted(t, v)
}

// Who comes while the keys are counted is counted once, whether the count saw them or not. If somebody
// is deleted meanwhile, what was counted is not kept.
func TestWhatIsWrittenWhileKeysAreCounted(t *testing.T) {
	for name, passes := range map[string]int{"somebody comes": 1, "somebody goes": 2, "all are wrapped anew": 2} {
		for _, seen := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, seen %t", name, seen), func(t *testing.T) {
				keys := NewMemoryKeys()
				rows := &counted{Rows: newRows()}
				v := open(t, rows, keys)
				first := enrol(t, v, Lookup{"smartkey", "device", "first"})
				enrol(t, v, Lookup{"smartkey", "device", "second"})
				meanwhile := func() {
					switch name {
					case "somebody comes":
						enrol(t, v, Lookup{"smartkey", "device", "third"})
					case "somebody goes":
						ok(t, v.Delete(t.Context(), first, noon, later))
					default:
						ok(t, keys.Advance())
						must[int](t)(v.Rewrap(t.Context()))
					}
				}
				if rows.before = meanwhile; !seen {
					rows.before, rows.after = nil, meanwhile
				}
				must[map[uint32]int64](t)(v.Wrapped(t.Context()))
				rows.passes = 1
				got := must[map[uint32]int64](t)(v.Wrapped(t.Context()))
				if rows.passes != passes {
					t.Errorf("the keys were counted %d times, want %d", rows.passes, passes)
				}
				if want := must[map[uint32]int64](t)(v.Epochs(t.Context())); !maps.Equal(got, want) {
					t.Errorf("%v are kept, %v are there", got, want)
				}
			})
		}
	}
}

// A write that failed may have been made.
func TestKeysAreCountedAfterAWriteThatFailed(t *testing.T) {
	for _, made := range []bool{false, true} {
		for _, do := range []func(*Vault, *Person) error{
			func(v *Vault, _ *Person) error {
				_, _, err := v.Enrol(t.Context(), Lookup{"smartkey", "device", "second"})
				return err
			},
			func(v *Vault, p *Person) error { return v.Delete(t.Context(), p, noon, later) },
			func(v *Vault, _ *Person) error { _, err := v.AppKey(t.Context(), "another"); return err },
		} {
			rows := &faulty{Rows: newRows(), left: 1000}
			v := open(t, rows, NewMemoryKeys())
			p := enrol(t, v, Lookup{"smartkey", "device", "first"})
			isCounted(t, v)
			rows.left, rows.made = 0, made
			want(t, do(v, p), errDisk)
			isCounted(t, v)
		}
	}
}

func TestKeysAreCountedWhileOthersComeAndGo(t *testing.T) {
	v := open(t, newRows(), NewMemoryKeys())
	var others sync.WaitGroup
	for w := range 4 {
		others.Go(func() {
			for i := range 50 {
				p, _, err := v.Enrol(t.Context(), Lookup{fmt.Sprint("app", w%2), "device", fmt.Sprint(w, i)})
				if err == nil && i%3 == 0 {
					err = v.Delete(t.Context(), p, noon, later)
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 50 {
		must[map[uint32]int64](t)(v.Wrapped(t.Context()))
	}
	others.Wait()
	isCounted(t, v)
}
