package vault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"consentledger/eventstore"
)

// kept is how long the proofs of these tests are kept.
var kept = noon.Add(1000 * time.Hour)

var whole = Proof{Until: kept, Text: []byte("Erika agreed")}

// deleteBut erases somebody but for a proof.
func deleteBut(t *testing.T, v *Vault, p *Person, proof Proof) Order {
	t.Helper()
	ok(t, v.DeleteBut(t.Context(), p, noon, later, proof))
	ok(t, v.Purge(t.Context(), p.App, p.Pseudonym))
	return Order{App: p.App, Pseudonym: p.Pseudonym}
}

// rowsOf lists how many rows there are of who was erased, by kind.
func rowsOf(t *testing.T, rows eventstore.Rows) string {
	t.Helper()
	all := ""
	for _, kind := range []string{entryRows, linkRows, lookupRows, partRows, foldRows, proofRows, keptRows, finderRows, dueRows} {
		all += fmt.Sprint(count(t, rows, kind))
	}
	return all
}

func TestAProofOutlivesThePerson(t *testing.T) {
	rows, keys := newRows(), NewMemoryKeys()
	v := open(t, rows, keys)
	p := enrol(t, v, phone)
	ok(t, v.Link(t.Context(), p, login))
	ok(t, v.Put(t.Context(), p, Part{event1, "s", "subject", []byte("Erika")}))
	ok(t, v.Detach(t.Context(), p, phone, noon, later))
	enrol(t, v, phone) // somebody else has it now
	o := deleteBut(t, v, p, whole)

	if got := rowsOf(t, rows); got != "101001121" {
		t.Errorf("rows: %s", got)
	}
	if there, err := v.HasProof(t.Context(), o.App, o.Pseudonym); !there || err != nil {
		t.Error("it is not there", err)
	}
	for _, l := range []Lookup{phone, login} { // also by what was somebody else's when they were erased
		if got, err := v.ProofsOf(t.Context(), l); err != nil || len(got) != 1 || got[0] != p.Pseudonym {
			t.Errorf("%s finds %v, %v", l.Kind, got, err)
		}
	}
	if _, found, err := v.Find(t.Context(), login); found || err != nil {
		t.Error("the person is found", err)
	}
	if _, found, err := v.ByPseudonym(t.Context(), p.App, p.Pseudonym); found || err != nil {
		t.Error("the person is there", err)
	}
	for name, err := range v.Everybody(t.Context(), p.App, Pseudonym{}) {
		if name == p.Pseudonym || err != nil {
			t.Error("they are among everybody", err)
		}
	}
	for row, err := range rows.Scan(t.Context(), []byte(space)) {
		ok(t, err)
		if bytes.Contains(row.Value, whole.Text) || bytes.Contains(row.Value, []byte("Erika")) {
			t.Errorf("%q is in the clear", row.Key)
		}
	}
	if text, there, err := v.OpenProof(t.Context(), o.App, o.Pseudonym); string(text) != string(whole.Text) || !there || err != nil {
		t.Error(string(text), there, err)
	}

	// A new epoch takes the key of the proof along.
	ok(t, keys.Advance())
	if _, err := v.Rewrap(t.Context()); err != nil {
		t.Fatal(err)
	}
	ok(t, keys.Retire())
	v = open(t, rows, keys)
	if _, err := v.Whole(t.Context()); err != nil {
		t.Error(err)
	}
	if text, there, err := v.OpenProof(t.Context(), o.App, o.Pseudonym); string(text) != string(whole.Text) || !there || err != nil {
		t.Error("under a new epoch:", string(text), there, err)
	}

	for range 2 { // twice does nothing
		ok(t, v.DestroyProof(t.Context(), o))
	}
	if got := rowsOf(t, rows); got != "101000000" {
		t.Errorf("rows after it is destroyed: %s", got)
	}
	if _, there, err := v.OpenProof(t.Context(), o.App, o.Pseudonym); there || err != nil {
		t.Error("it opens", err)
	}
}

func TestProofsComeUpInTheOrderOfTheirDays(t *testing.T) {
	rows := newRows()
	v := open(t, rows, NewMemoryKeys())
	var orders []Order
	for i := range 3 {
		p := enrol(t, v, Lookup{"smartkey", "device", fmt.Sprint(i)})
		orders = append(orders, deleteBut(t, v, p, Proof{Until: kept.Add(time.Duration(-i) * time.Hour), Text: []byte("x")}))
	}
	due := func(now time.Time) (all []Order) {
		for o, err := range v.DueProofs(t.Context(), now) {
			ok(t, err)
			all = append(all, o)
		}
		return all
	}
	if got := due(kept.Add(-2*time.Hour - 1)); len(got) != 0 {
		t.Error("before the first day is over:", got)
	}
	if got := due(kept.Add(-time.Hour)); len(got) != 2 || got[0] != orders[2] || got[1] != orders[1] {
		t.Error(got)
	}
	ok(t, v.OrderDestruction(t.Context(), orders[0]))
	if got := due(noon); len(got) != 1 || got[0] != orders[0] {
		t.Error("what was ordered is not due at once:", got)
	}
	ok(t, v.DestroyProof(t.Context(), orders[0]))
	ok(t, v.DestructionDone(t.Context(), orders[0]))
	if got := due(later.Add(9999 * time.Hour)); len(got) != 2 {
		t.Error(got)
	}
}

// TestAPersonAndTheProofAreNeverBothAndNeverNeither: wherever a write breaks off.
func TestAPersonAndTheProofAreNeverBothAndNeverNeither(t *testing.T) {
	for _, made := range []bool{false, true} {
		for left := range 5 {
			t.Run(fmt.Sprintf("made %v, write %d", made, left), func(t *testing.T) {
				rows, keys := newRows(), NewMemoryKeys()
				p := enrol(t, open(t, rows, keys), phone)
				v := open(t, &faulty{rows, left, made}, keys)
				broken := v.DeleteBut(context.Background(), p, noon, later, whole)
				if broken != nil && !errors.Is(broken, errDisk) {
					t.Fatal(broken)
				}
				if n := count(t, rows, entryRows) + count(t, rows, proofRows); n != 1 || count(t, rows, keptRows) != count(t, rows, proofRows) {
					t.Errorf("after it there are %s", rowsOf(t, rows))
				}
				w := open(t, rows, keys)
				ok(t, w.DeleteBut(t.Context(), p, noon, later, whole))
				if got := rowsOf(t, rows); got != "000001111" {
					t.Errorf("done again there are %s", got)
				}
			})
		}
	}
}

func TestADamagedProofIsAnErrorAndNeverPanics(t *testing.T) {
	for name, change := range map[string]func([]byte) []byte{
		"empty":              func([]byte) []byte { return nil },
		"of a later version": func(b []byte) []byte { return append([]byte{9}, b[1:]...) },
		"short":              func(b []byte) []byte { return b[:1] },
		"cut":                func(b []byte) []byte { return b[:len(b)/2] },
		"a bit":              func(b []byte) []byte { b[len(b)-1] ^= 1; return b },
	} {
		for _, kind := range []string{proofRows, keptRows} {
			t.Run(name+" "+kind, func(t *testing.T) {
				rows, keys := newRows(), NewMemoryKeys()
				v := open(t, rows, keys)
				o := deleteBut(t, v, enrol(t, v, phone), whole)
				for row, err := range rows.Scan(t.Context(), []byte(kind)) {
					ok(t, err)
					value := change(bytes.Clone(row.Value))
					ok(t, rows.Write(t.Context(), eventstore.Change{Put: []eventstore.Row{{Key: row.Key, Value: value}}}))
				}
				if text, _, err := v.OpenProof(t.Context(), o.App, o.Pseudonym); err == nil {
					t.Errorf("it opens: %q", text)
				}
			})
		}
	}
}

func TestTheProofOfOneIsNotAnothers(t *testing.T) {
	rows, keys := newRows(), NewMemoryKeys()
	v := open(t, rows, keys)
	one, other := deleteBut(t, v, enrol(t, v, phone), whole), deleteBut(t, v, enrol(t, v, login), whole)
	for _, kind := range []func(string, Pseudonym) []byte{proofKey, keptKey} {
		value, _, err := rows.Get(t.Context(), kind(one.App, one.Pseudonym))
		ok(t, err)
		ok(t, rows.Write(t.Context(), eventstore.Change{Put: []eventstore.Row{{Key: kind(other.App, other.Pseudonym), Value: value}}}))
		if _, _, err := v.OpenProof(t.Context(), other.App, other.Pseudonym); err == nil {
			t.Error("it opens in another's place")
		}
	}
}
