package ledger_test

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"reflect"
	"runtime"
	"slices"
	"testing"

	"consentledger/domain"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore"
	"consentledger/eventstore/ledger"
	"consentledger/eventstore/vault"
)

// A tallied store counts the records that are read, and the appends.
type tallied struct {
	eventstore.Store
	records, appends int
}

func (c *tallied) Append(ctx context.Context, s eventstore.Stream, expected eventstore.Revision, records ...eventstore.Record) (eventstore.Position, error) {
	c.appends++
	return c.Store.Append(ctx, s, expected, records...)
}

func (c *tallied) counting(seq iter.Seq2[eventstore.Recorded, error]) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		for r, err := range seq {
			c.records++
			if !yield(r, err) {
				return
			}
		}
	}
}

func (c *tallied) ReadStream(ctx context.Context, s eventstore.Stream, after eventstore.Revision) iter.Seq2[eventstore.Recorded, error] {
	return c.counting(c.Store.ReadStream(ctx, s, after))
}

func (c *tallied) ReadAll(ctx context.Context, after eventstore.Position) iter.Seq2[eventstore.Recorded, error] {
	return c.counting(c.Store.ReadAll(ctx, after))
}

// read returns how many records were read since it was asked last.
func (c *tallied) read() int {
	n := c.records
	c.records = 0
	return n
}

// keeping runs f while snapshots are written, and returns once those that were
// due are.
func keeping(t testing.TB, l *ledger.Ledger, f func()) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- l.KeepSnapshots(ctx) }()
	for !l.Writes() {
		runtime.Gosched()
	}
	f()
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// live records n events of ada: what she says, from first on.
func (w *world) live(t testing.TB, l *ledger.Ledger, first, n int) {
	t.Helper()
	for i := first; i < first+n; i++ {
		w.now += 1000
		must(t, l, requestOf(fmt.Sprint("n", i), said(i)))
	}
}

func said(i int) domain.Command {
	if i%3 == 0 {
		return no
	}
	return domain.GiveConsent{Act: "agree", Details: "said to the desk in the lobby"}
}

// folds returns the rows that hold snapshots.
func (w *world) folds(t *testing.T) (rows []eventstore.Row) {
	t.Helper()
	for row, err := range w.rows.Scan(t.Context(), []byte("v/s")) {
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
	return rows
}

func (w *world) state(t *testing.T, l *ledger.Ledger) ledger.State {
	t.Helper()
	s, err := l.State(t.Context(), "demo", ada, ledger.AsOf{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestALongHistoryIsNotReadAgain(t *testing.T) {
	w := newWorld()
	store := &tallied{Store: w.store}
	w.store = store
	l := w.open(t)
	begin(t, l)
	keeping(t, l, func() { w.live(t, l, 0, 500) })
	if len(w.folds(t)) != 1 {
		t.Fatalf("%d snapshots were written, want 1", len(w.folds(t)))
	}
	w.live(t, l, 500, 10) // after the last snapshot
	before := must(t, l, requestOf("n7", said(7)))

	l = w.open(t)
	store.read()
	fresh := w.state(t, l)
	if n := store.read(); n > ledger.Interval(510)+20 {
		t.Errorf("%d records were read of somebody who has 510", n)
	}
	if got := must(t, l, requestOf("n7", said(7))); got != before {
		t.Errorf("what was answered before the snapshot is answered by %+v, and was by %+v", got, before)
	}
	if got, want := fresh.Subject.Standing("ads", w.now, fresh.Reference), w.standing(t); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	w.live(t, l, 510, 1)
	if err := l.CheckSnapshots(t.Context(), stream(t, l)); err != nil {
		t.Error(err)
	}
}

// TestALongListOfAnswersIsNotReadAgain: what was answered about a person is a
// stream too.
func TestALongListOfAnswersIsNotReadAgain(t *testing.T) {
	w := newWorld()
	store := &tallied{Store: w.store}
	w.store = store
	l := w.open(t)
	begin(t, l)
	must(t, l, requestOf("r", yes))
	check := func(l *ledger.Ledger, i int) {
		w.now += 1000
		if err := l.LogCheck(t.Context(), requestOf(fmt.Sprint("check", i), nil), domain.CheckAnswered{Purpose: "ads", Action: policy.Use}); err != nil {
			t.Fatal(err)
		}
	}
	keeping(t, l, func() {
		for i := range 300 {
			check(l, i)
		}
	})
	l = w.open(t)
	w.state(t, l)
	store.read()
	check(l, 300)
	if n := store.read(); n > ledger.Interval(301)+1 {
		t.Errorf("%d records were read of 300", n)
	}
	check(l, 7) // answered before the snapshot: it is not recorded twice
	name := stream(t, l)
	name.Noun, store.records = ident.AccessNoun, 0
	for _, err := range store.ReadStream(t.Context(), eventstore.Stream(name.String()), 0) {
		if err != nil {
			t.Fatal(err)
		}
	}
	if n := store.read(); n != 301 {
		t.Errorf("there are %d answers, want 301", n)
	}
}

// TestWhoIsForgottenCostsOneRecord: what is driven out of memory is written first,
// once it has a few records that no snapshot has.
func TestWhoIsForgottenCostsOneRecord(t *testing.T) {
	const each, records = 150, 5 // persons: twice as many as a generation of the cache holds
	w := newWorld()
	w.memory = 512 << 10
	store := &tallied{Store: w.store}
	w.store = store
	l := w.open(t)
	begin(t, l)
	crowd := func(name string) {
		for i := range each * records {
			w.now += 1000
			r := requestOf(fmt.Sprint(name, i), said(i))
			r.Person.ID = fmt.Sprint(name, i/records)
			must(t, l, r)
		}
	}

	keeping(t, l, func() { crowd("first") })
	written := len(w.folds(t))
	crowd("second")
	if written == 0 || written >= each {
		t.Fatalf("%d snapshots of %d persons were written: want those of the generation that goes", written, each)
	}

	store.read()
	r := requestOf("again", yes)
	r.Person.ID = "first0"
	must(t, l, r)
	if n := store.read(); n != 1 {
		t.Errorf("%d records were read of somebody who was forgotten, want the one that the snapshot ends with", n)
	}
}

// standing returns where ada stands by her records, without any snapshot.
func (w *world) standing(t *testing.T) domain.Standing {
	t.Helper()
	for _, row := range w.folds(t) {
		if err := w.rows.Write(t.Context(), eventstore.Change{Delete: [][]byte{row.Key}}); err != nil {
			t.Fatal(err)
		}
		defer w.rows.Write(t.Context(), eventstore.Change{Put: []eventstore.Row{row}})
	}
	s := w.state(t, w.open(t))
	return s.Subject.Standing("ads", w.now, s.Reference)
}

func stream(t *testing.T, l *ledger.Ledger) ident.StreamID {
	t.Helper()
	name, _, err := l.Pseudonym(t.Context(), "demo", ada)
	if err != nil {
		t.Fatal(err)
	}
	return ident.SubjectStream("demo", name)
}

// TestASnapshotThatIsNotOfTheHistoryIsIgnored: one of another program, of another
// history, or one that is damaged, changes no answer, and is written anew.
func TestASnapshotThatIsNotOfTheHistoryIsIgnored(t *testing.T) {
	other := newWorld() // where ada said something else
	l := other.open(t)
	begin(t, l)
	keeping(t, l, func() { other.live(t, l, 1, 150) })
	_, foreign := other.unseal(t)

	for name, change := range map[string]func(text []byte) []byte{
		"of another version": func(text []byte) []byte { text[0]++; return text },
		"of other rules":     func(text []byte) []byte { text[1]++; return text },
		"of another shape":   func(text []byte) []byte { text[5]++; return text },
		"cut":                func(text []byte) []byte { return text[:len(text)/2] },
		"empty":              func(text []byte) []byte { return nil },
		"of another history": func([]byte) []byte { return foreign },
		"damaged":            nil,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			store := &tallied{Store: w.store}
			w.store = store
			l := w.open(t)
			begin(t, l)
			keeping(t, l, func() { w.live(t, l, 0, 150) })
			p, text := w.unseal(t)
			if change != nil {
				if err := w.vault(t).KeepFold(t.Context(), p, "subject", change(slices.Clone(text))); err != nil {
					t.Fatal(err)
				}
			} else {
				row := w.folds(t)[0]
				row.Value[len(row.Value)-1]++
				if err := w.rows.Write(t.Context(), eventstore.Change{Put: []eventstore.Row{row}}); err != nil {
					t.Fatal(err)
				}
			}

			want := w.standing(t)
			l = w.open(t)
			store.read()
			keeping(t, l, func() {
				s := w.state(t, l)
				if got := s.Subject.Standing("ads", w.now, s.Reference); !reflect.DeepEqual(got, want) {
					t.Errorf("%+v, want %+v", got, want)
				}
			})
			if n := store.read(); n < 150 {
				t.Errorf("only %d records were read", n)
			}
			_, now := w.unseal(t)
			if !bytes.HasPrefix(now, ledger.FoldSnapshot()) || bytes.Equal(now, foreign) {
				t.Error("the snapshot was not written anew")
			}
		})
	}
}

func (w *world) vault(t *testing.T) *vault.Vault {
	t.Helper()
	v, err := vault.Open(t.Context(), w.rows, w.keys)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// unseal returns ada's snapshot.
func (w *world) unseal(t *testing.T) (*vault.Person, []byte) {
	t.Helper()
	v := w.vault(t)
	p, _, err := v.Find(t.Context(), vault.Lookup{App: "demo", Kind: ada.Kind, ID: ada.ID})
	if err != nil {
		t.Fatal(err)
	}
	text, ok, err := v.KeptFold(t.Context(), p, "subject")
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	return p, text
}

func TestASnapshotHoldsNothingThatTheRecordsDoNot(t *testing.T) {
	w := newWorld()
	l := w.open(t)
	begin(t, l)
	keeping(t, l, func() { w.live(t, l, 0, 200) })
	_, text := w.unseal(t)
	for _, personal := range []string{"said to the desk", ada.ID} {
		if bytes.Contains(text, []byte(personal)) {
			t.Errorf("%q is in it", personal)
		}
	}
}

// TestEveryRequestIsAnsweredByItsRecord asks for what was answered, of a person who is
// in memory and of one who is not.
func TestEveryRequestIsAnsweredByItsRecord(t *testing.T) {
	w := newWorld()
	l := w.open(t)
	begin(t, l)
	w.live(t, l, 0, 40)
	for _, l := range []*ledger.Ledger{l, w.open(t)} {
		n, err := l.CheckAnswers(t.Context(), stream(t, l))
		if err != nil || n < 40 {
			t.Errorf("%d requests: %v", n, err)
		}
	}
}

// TestNobodysWordsAreInMemory: what was just said is remembered as it stands in the
// record, where nothing of it is personal.
func TestNobodysWordsAreInMemory(t *testing.T) {
	w := newWorld()
	l := w.open(t)
	begin(t, l)
	w.live(t, l, 0, 9)
	if err := l.CheckImpersonal(stream(t, l)); err != nil {
		t.Error(err)
	}
}

func TestWhoIsErasedHasNoSnapshot(t *testing.T) {
	w := newWorld()
	l := w.open(t)
	begin(t, l)
	keeping(t, l, func() {
		w.live(t, l, 0, 200)
		if _, err := l.Erase(t.Context(), order("erase")); err != nil {
			t.Fatal(err)
		}
	})
	if n := len(w.folds(t)); n != 0 {
		t.Errorf("%d snapshots are left", n)
	}
}
