package vault

import (
	"bytes"
	"errors"
	"testing"

	"consentledger/eventstore"
)

func TestAFoldIsKeptUntilThePersonIsErased(t *testing.T) {
	rows, text := newRows(), []byte("what the records fold to")
	v := open(t, rows, NewMemoryKeys())
	p, other := enrol(t, v, phone), enrol(t, v, Lookup{"smartkey", "device", "other"})
	if _, found, err := v.KeptFold(t.Context(), p, "subject"); found || err != nil {
		t.Fatal(found, err)
	}
	ok(t, v.KeepFold(t.Context(), p, "subject", []byte("older")))
	ok(t, v.KeepFold(t.Context(), p, "subject", text))
	ok(t, v.KeepFold(t.Context(), p, "access", []byte("another")))
	if got, found, err := v.KeptFold(t.Context(), p, "subject"); !bytes.Equal(got, text) || !found || err != nil {
		t.Fatalf("%q, %v, %v", got, found, err)
	}
	for row, err := range rows.Scan(t.Context(), []byte(foldRows)) {
		ok(t, err)
		if bytes.Contains(row.Value, text) {
			t.Error("a fold is not sealed")
		}
	}

	ok(t, v.Erase(t.Context(), p, noon, later))
	want(t, v.KeepFold(t.Context(), p, "subject", text), ErrErased)
	if n := count(t, rows, foldRows); n != 0 {
		t.Errorf("%d folds are left of somebody who was erased", n)
	}
	ok(t, v.KeepFold(t.Context(), other, "subject", text))
}

func TestAFoldThatWasMovedIsDamaged(t *testing.T) {
	rows := newRows()
	v := open(t, rows, NewMemoryKeys())
	p := enrol(t, v, phone)
	ok(t, v.KeepFold(t.Context(), p, "subject", []byte("a fold")))
	for row, err := range rows.Scan(t.Context(), []byte(foldRows)) {
		ok(t, err)
		ok(t, rows.Write(t.Context(), eventstore.Change{Put: []eventstore.Row{{Key: foldKey(p.App, p.Pseudonym, "access"), Value: row.Value}}}))
	}
	if _, _, err := v.KeptFold(t.Context(), p, "access"); !errors.Is(err, ErrDamaged) {
		t.Errorf("a fold under another's name: %v", err)
	}
}
