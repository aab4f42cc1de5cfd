package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"consentledger/domain"
	"consentledger/domain/ident"
	"consentledger/domain/refusal"
	"consentledger/eventstore"
	"consentledger/eventstore/ledger"
	"consentledger/eventstore/vault"
)

func order(id string) ledger.Request {
	r := requestOf(id, domain.OrderErasure{Reason: "request", By: [2]string{"officer", "second"}})
	r.Actor, r.RecordedBy = "operator", "desk"
	return r
}

// A dying store breaks at its nth append from now on: before it is written, or
// behind it.
type dying struct {
	eventstore.Store
	left    int
	persist bool
}

func (d *dying) Append(ctx context.Context, s eventstore.Stream, rev eventstore.Revision, r ...eventstore.Record) (eventstore.Position, error) {
	if d.left--; d.left < 0 {
		if d.left == -1 && d.persist {
			if _, err := d.Store.Append(ctx, s, rev, r...); err != nil {
				return 0, err
			}
		}
		return 0, errLost
	}
	return d.Store.Append(ctx, s, rev, r...)
}

// kinds returns what the log says of persons, and whether the vault has ada.
func (w *world) kinds(t *testing.T) (string, bool) {
	t.Helper()
	var all []string
	for e, err := range w.open(t).Replay(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Stream.Noun == ident.SubjectNoun {
			all = append(all, e.Kind())
		}
	}
	v, err := vault.Open(t.Context(), w.rows, w.keys)
	if err != nil {
		t.Fatal(err)
	}
	_, found, err := v.Find(t.Context(), vault.Lookup{App: "demo", Kind: ada.Kind, ID: ada.ID})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(all, " "), found
}

const erased = "consent.given erasure.ordered subject.erased"

// TestAnErasureThatBreaksIsFinished: wherever it breaks, a restart finishes what
// was ordered, and nothing else.
func TestAnErasureThatBreaksIsFinished(t *testing.T) {
	for _, c := range []struct {
		name    string
		left    int
		persist bool
		done    bool
	}{
		{"before the order", 0, false, false},
		{"behind the order", 0, true, true},
		{"before it is recorded that it is done", 1, false, true},
		{"behind that", 1, true, true},
		{"nowhere", 9, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld()
			whole := w.store
			l := w.open(t)
			begin(t, l)
			must(t, l, requestOf("r1", domain.GiveConsent{Act: "agree", Details: "my words"}))
			w.store = &dying{Store: whole, left: c.left, persist: c.persist}
			if _, err := w.open(t).Erase(t.Context(), order("e1")); (err == nil) != (c.name == "nowhere") {
				t.Fatal(err)
			}
			w.store = whole
			for range 2 { // finishing twice does nothing
				if _, err := w.open(t).FinishErasures(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			got, found := w.kinds(t)
			if want := map[bool]string{true: erased, false: "consent.given"}[c.done]; got != want || found == c.done {
				t.Errorf("the log says %q, the vault has the person: %v", got, found)
			}
			if n, err := w.open(t).FinishErasures(t.Context()); n != 0 || err != nil {
				t.Errorf("%d erasures are left: %v", n, err)
			}
			if !c.done { // it can be asked again
				if _, err := w.open(t).Erase(t.Context(), order("e1")); err != nil {
					t.Error(err)
				}
				return
			}
			for r := range w.rows.Scan(t.Context(), []byte("v/")) {
				switch r.Key[2] {
				case 'p', 'e', 'l', 'o':
					t.Errorf("the vault still has a row %.3s", r.Key)
				}
			}
		})
	}
}

// Dying rows break at the nth of what is done to them from now on: before it, or
// behind it. After that nothing is done.
type dyingRows struct {
	eventstore.Rows
	left    int
	persist bool
}

func (d *dyingRows) step(do func() error) error {
	if d.left--; d.left >= 0 {
		return do()
	}
	if d.left == -1 && d.persist {
		if err := do(); err != nil {
			return err
		}
	}
	return errLost
}

func (d *dyingRows) Write(ctx context.Context, c eventstore.Change) error {
	return d.step(func() error { return d.Rows.Write(ctx, c) })
}

func (d *dyingRows) Sync(ctx context.Context) error {
	return d.step(func() error { return d.Rows.Sync(ctx) })
}

func (d *dyingRows) Purge(ctx context.Context, prefixes ...[]byte) error {
	return d.step(func() error { return d.Rows.Purge(ctx, prefixes...) })
}

// TestACrashBetweenTheVaultsRowsLeavesNobodyHalfErased: wherever what is done to
// the rows breaks off, the person is whole or gone, never half; a restart
// finishes what was ordered, and what was not can be asked again.
func TestACrashBetweenTheVaultsRowsLeavesNobodyHalfErased(t *testing.T) {
	whole := "c a e l p p" // check, app key, entry, lookup, and the binding and the words of one record
	for _, persist := range []bool{false, true} {
		broke := true
		for n := 0; broke; n++ {
			t.Run(fmt.Sprintf("at step %d, made %t", n, persist), func(t *testing.T) {
				w := newWorld()
				l := w.open(t)
				begin(t, l)
				must(t, l, requestOf("r1", domain.GiveConsent{Act: "agree", Details: "my words"}))
				if got := w.rowsBut(t, ""); got != whole {
					t.Fatalf("before it the vault has %s", got)
				}
				w.via = func(r eventstore.Rows) eventstore.Rows { return &dyingRows{r, n, persist} }
				_, err := w.open(t).Erase(t.Context(), order("e1"))
				broke = err != nil
				w.via = nil
				got := w.rowsBut(t, "ot")
				if got != whole && got != "c a" {
					t.Errorf("after it the vault has %s: somebody is half erased", got)
				}
				if _, err := w.open(t).FinishErasures(t.Context()); err != nil {
					t.Fatal(err)
				}
				log, found := w.kinds(t)
				switch got := w.rowsBut(t, "t"); {
				case log == erased && !found && got == "c a":
				case log == "consent.given" && found && strings.Trim(got, " o") == strings.Trim(whole, " "):
					if _, err := w.open(t).Erase(t.Context(), order("e1")); err != nil {
						t.Errorf("asked again: %v", err)
					}
				default:
					t.Errorf("after a restart the log says %q, the vault has %s", log, got)
				}
			})
		}
	}
}

// rowsBut lists the kinds of the vault's rows, in their order, but for some.
func (w *world) rowsBut(t *testing.T, some string) string {
	t.Helper()
	kinds := map[string][]string{}
	for r, err := range w.rows.Scan(t.Context(), []byte("v/")) {
		if err != nil {
			t.Fatal(err)
		}
		if k := string(r.Key[2]); !strings.Contains(some, k) {
			kinds[k] = append(kinds[k], k)
		}
	}
	var all []string
	for _, k := range []string{"c", "a", "e", "l", "p", "k", "d", "o", "t"} {
		all = append(all, kinds[k]...)
	}
	return strings.Join(all, " ")
}

func TestWhoIsErasedIsForgottenAndComesBackAsSomebodyNew(t *testing.T) {
	w := newWorld()
	l := w.open(t)
	begin(t, l)
	w.now += 1000
	must(t, l, requestOf("r1", yes))
	w.now += 1000
	if _, err := l.Erase(t.Context(), order("e1")); err != nil {
		t.Fatal(err)
	}
	late := requestOf("r2", yes)
	late.At = w.now - 500
	if _, err := l.Execute(t.Context(), late); code(err) != refusal.EarlierPerson {
		t.Errorf("a yes of before the erasure: %v", err)
	}
	if _, err := l.Erase(t.Context(), order("e2")); code(err) != refusal.UnknownPerson {
		t.Errorf("erased again: %v", err)
	}
	w.now += 1000
	if got := status(t, l, w); got != domain.NeverAsked {
		t.Errorf("they stand at %s", got)
	}
	must(t, l, requestOf("r3", yes))
	if got := status(t, l, w); got != domain.Given {
		t.Errorf("who came back stands at %s", got)
	}
	if got, _ := w.kinds(t); got != erased+" consent.given" {
		t.Error(got)
	}
	if _, wrong := held(t, l, records(t, w)); wrong != "" {
		t.Errorf("beside the log: %s", wrong)
	}
}

// After an erasure a clock that was put back makes an opt-out seem older than it is.
// Were it refused, the grant that was said before it would stand.
func TestANoThatSeemsOlderThanAnErasureIsNotLost(t *testing.T) {
	for _, tt := range []struct {
		name string
		tell []ledger.Request
		want domain.Status
		kept string
	}{
		{"a yes of before it comes after it", []ledger.Request{at(start.Add(500), requestOf("n", no)), at(start.Add(5000), requestOf("y", yes))}, domain.AskAgain, " consent.withdrawn consent.given"},
		{"it comes after the yes", []ledger.Request{at(start.Add(5000), requestOf("y", yes)), at(start.Add(500), requestOf("n", no))}, domain.Withdrawn, " consent.given consent.withdrawn"},
		{"it comes twice", []ledger.Request{at(start.Add(500), requestOf("n", no)), at(start.Add(500), requestOf("n", no))}, domain.Withdrawn, " consent.withdrawn"},
		{"a yes that is later in both times counts", []ledger.Request{at(start.Add(500), requestOf("n", no)), requestOf("y", yes)}, domain.Given, " consent.withdrawn consent.given"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld()
			l := w.open(t)
			begin(t, l)
			w.now = start.Add(1000)
			must(t, l, requestOf("r1", yes))
			w.now = start.Add(2000)
			if _, err := l.Erase(t.Context(), order("e1")); err != nil {
				t.Fatal(err)
			}
			for _, r := range tt.tell {
				w.now += 10_000
				must(t, l, r)
			}
			for name, l := range map[string]*ledger.Ledger{"at once": l, "after a restart": w.open(t)} {
				if got := status(t, l, w); got != tt.want {
					t.Errorf("%s: %v, want %v", name, got, tt.want)
				}
			}
			if got, _ := w.kinds(t); got != erased+tt.kept {
				t.Errorf("the log says %q", got)
			}
			if _, err := l.Execute(t.Context(), at(start.Add(500), requestOf("late", yes))); code(err) != refusal.EarlierPerson {
				t.Errorf("a yes that is older than the erasure: %v", err)
			}
			if _, err := l.Erase(t.Context(), order("e2")); err != nil {
				t.Errorf("whose history it is cannot be erased: %v", err)
			}
		})
	}
}

func records(t *testing.T, w *world) (all []eventstore.Recorded) {
	t.Helper()
	for r, err := range w.store.ReadAll(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

func TestAnOrderToEraseIsNotTakenLightly(t *testing.T) {
	w := newWorld()
	l := w.open(t)
	begin(t, l)
	if _, err := l.Erase(t.Context(), order("e1")); code(err) != refusal.UnknownPerson {
		t.Errorf("nobody: %v", err)
	}
	must(t, l, requestOf("r1", yes))
	for name, change := range map[string]func(*ledger.Request, *domain.OrderErasure){
		"one person twice":         func(_ *ledger.Request, o *domain.OrderErasure) { o.By[1] = o.By[0] },
		"one person":               func(_ *ledger.Request, o *domain.OrderErasure) { o.By[1] = "" },
		"no reason":                func(_ *ledger.Request, o *domain.OrderErasure) { o.Reason = "" },
		"a reason that is a story": func(_ *ledger.Request, o *domain.OrderErasure) { o.Reason = "She asked" },
		"an app":                   func(r *ledger.Request, _ *domain.OrderErasure) { r.FromApp = true },
	} {
		r := order("e2")
		o := r.Command.(domain.OrderErasure)
		change(&r, &o)
		r.Command = o
		if _, err := l.Erase(t.Context(), r); !errors.As(err, new(refusal.Refusal)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	hold := requestOf("h1", domain.Say{Event: domain.HoldPlaced{Reason: "court-order"}})
	hold.Actor = "operator"
	must(t, l, hold)
	w.now += 1000
	if _, err := l.Erase(t.Context(), order("e3")); code(err) != refusal.OnHold {
		t.Errorf("under a legal hold: %v", err)
	}
	if got, found := w.kinds(t); got != "consent.given hold.placed" || !found {
		t.Errorf("%s, %v", got, found)
	}
}
