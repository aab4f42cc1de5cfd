package followup_test

import (
	"bytes"
	"context"
	"iter"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"consentledger/api/followup"
	"consentledger/domain"
	"consentledger/domain/policy"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/ledger"
	"consentledger/eventstore/memory"
)

// recalls holds what the newest checkpoint knows against what the log says: after
// every process that ends, in every test.
func (w *world) recalls(rows *memory.Rows) {
	w.t.Helper()
	recalled := w.memory(rows, func(ctx context.Context, r *followup.Process) (followup.Memory, error) { return r.Recalled(ctx) })
	read := w.memory(nil, func(ctx context.Context, r *followup.Process) (followup.Memory, error) {
		return r.Reads(ctx, recalled.At)
	})
	if recalled.At == 0 || !reflect.DeepEqual(recalled, read) {
		w.t.Errorf("the checkpoint knows as of %d\n%s\nthe log says\n%s", recalled.At,
			strings.Join(append(recalled.Shares, recalled.Later...), "\n"), strings.Join(append(read.Shares, read.Later...), "\n"))
	}
}

func (w *world) memory(rows eventstore.Rows, get func(context.Context, *followup.Process) (followup.Memory, error)) followup.Memory {
	w.t.Helper()
	l, err := w.open()
	if err != nil {
		w.t.Fatal(err)
	}
	m, err := get(context.Background(), &followup.Process{Ledger: l, Rows: rows})
	if err != nil {
		w.t.Error(err)
	}
	return m
}

// A counted ledger counts the records that whoever follows is told of.
type counted struct {
	*ledger.Ledger
	told int
}

func (c *counted) Follow(ctx context.Context, after eventstore.Position) iter.Seq2[[]codec.Entry, error] {
	return func(yield func([]codec.Entry, error) bool) {
		for list, err := range c.Ledger.Follow(ctx, after) {
			c.told += len(list)
			if !yield(list, err) {
				return
			}
		}
	}
}

func (w *world) head() eventstore.Position {
	w.t.Helper()
	head, err := w.Head(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return head
}

// withdraws lets some persons agree and withdraw, and waits until what follows is
// recorded.
func (w *world) withdraws(persons ...string) {
	w.t.Helper()
	for _, p := range persons {
		w.tell(p, domain.GiveConsent{Act: "agree"})
		w.tell(p, domain.WithdrawConsent{Scope: policy.Scope{All: true}})
	}
	synctest.Wait()
}

// runs lets a process run for a while, and returns how many records it was told of.
func (w *world) runs(rows eventstore.Rows) (told int) {
	w.t.Helper()
	l, err := w.open()
	if err != nil {
		w.t.Fatal(err)
	}
	c := &counted{Ledger: l}
	ctx, stop := context.WithTimeout(context.Background(), time.Second)
	defer stop()
	if err := (&followup.Process{Ledger: c, Rows: rows, Log: slog.New(slog.NewTextHandler(&w.log, nil))}).Run(ctx); err != nil {
		w.t.Error(err)
	}
	return c.told
}

// After a clean stop the next start reads the records since, and one to see that
// the log is the same.
func TestAStartAfterACleanStopReadsWhatIsNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.tell("", promising(nil))
		w.runs(&w.rows)
		w.withdraws("ada", "bo", "cem")
		if told := w.runs(&w.rows); told < 12 {
			t.Errorf("the second was told of %d records: too few, this proves nothing", told)
		}
		opened := len(facts[domain.ObligationOpened](w))
		if told := w.runs(&w.rows); told != 1 {
			t.Errorf("the third was told of %d records, want 1", told)
		}
		w.recalls(&w.rows)
		before := w.head()
		w.withdraws("dee")
		told := w.runs(&w.rows)
		if news := int(w.head() - before); told != 1+2+news { // the two that dee said come twice: with the record before them, to see that that is the same
			t.Errorf("the fourth was told of %d records, and %d are new", told, news)
		}
		if now := len(facts[domain.ObligationOpened](w)); opened == 0 || now <= opened {
			t.Errorf("%d obligations, then %d", opened, now)
		}
	})
}

// Rows that fail from some moment on, as those of a process that was killed.
type killed struct {
	eventstore.Rows
	dead bool
}

func (k *killed) Write(ctx context.Context, c eventstore.Change) error {
	if k.dead {
		return context.DeadlineExceeded
	}
	return k.Rows.Write(ctx, c)
}

// Who was killed goes on from an older checkpoint, and does nothing twice.
func TestWhoWasKilledGoesOnFromTheLastCheckpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.tell("", promising(nil))
		w.withdraws("ada")
		w.runs(&w.rows)
		w.withdraws("bo")
		w.runs(&killed{Rows: &w.rows, dead: true})
		head := w.head()
		if told := w.runs(&w.rows); told < 3 {
			t.Errorf("told of %d records: the checkpoint was not an older one", told)
		}
		if now := w.head(); now != head {
			t.Errorf("something was done again: %d, then %d", head, now)
		}
		w.recalls(&w.rows)
	})
}

// A checkpoint that is damaged, of another program or of another log is none, and
// that is said.
func TestACheckpointThatIsOfNoUse(t *testing.T) {
	for name, spoil := range map[string]func(*world){
		"another program": func(w *world) { w.change(followup.HeadRow, func(b []byte) { b[0]++ }) },
		"a cut head":      func(w *world) { w.put(followup.HeadRow, []byte{1}) },
		"another record":  func(w *world) { w.change(followup.HeadRow, func(b []byte) { b[10+8]++ }) },
		"a later record":  func(w *world) { w.change(followup.HeadRow, func(b []byte) { b[10]++ }) },
		"a damaged share": func(w *world) { w.change(w.share(), func(b []byte) { b[len(b)/2] ^= 1 }) },
		"a lost share":    func(w *world) { w.lose(w.share()) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.tell("", promising(nil))
				w.withdraws("ada")
				w.runs(&w.rows)
				head := w.head()
				spoil(w)
				if told := w.runs(&w.rows); told < int(head) {
					t.Errorf("it was told of %d records, and there are %d", told, head)
				}
				if !strings.Contains(w.log.String(), "reads the log from its beginning") {
					t.Errorf("nothing was said of it: %s", w.log.String())
				}
				if now := w.head(); now != head {
					t.Errorf("something was done again: %d, then %d", head, now)
				}
				w.recalls(&w.rows)
				if told := w.runs(&w.rows); told != 1 {
					t.Errorf("the next start was told of %d records, want 1", told)
				}
			})
		})
	}
}

func (w *world) put(key string, value []byte) {
	w.t.Helper()
	if err := w.rows.Write(w.t.Context(), eventstore.Change{Put: []eventstore.Row{{Key: []byte(key), Value: value}}}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) change(key string, change func([]byte)) {
	w.t.Helper()
	value, ok, err := w.rows.Get(w.t.Context(), []byte(key))
	if err != nil || !ok {
		w.t.Fatalf("no row %q: %v", key, err)
	}
	value = bytes.Clone(value)
	change(value)
	w.put(key, value)
}

func (w *world) lose(key string) {
	w.t.Helper()
	if err := w.rows.Write(w.t.Context(), eventstore.Change{Delete: [][]byte{[]byte(key)}}); err != nil {
		w.t.Fatal(err)
	}
}

// share returns the key of the first share.
func (w *world) share() string {
	w.t.Helper()
	for row, err := range w.rows.Scan(w.t.Context(), []byte(followup.ShareRows)) {
		if err != nil {
			w.t.Fatal(err)
		}
		return string(row.Key)
	}
	w.t.Fatal("there is no share")
	return ""
}
