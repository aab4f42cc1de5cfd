package vault

import (
	"bytes"
	"slices"
	"testing"
	"time"
)

func TestIdsThatAreEasilyMistaken(t *testing.T) {
	account := func(id string) Lookup { return Lookup{"demo", "account", id} }
	for _, tt := range []struct {
		name string
		a, b Lookup
		want []Difference // nil: not near misses
	}{
		{"case", account("Ada"), account("ada"), []Difference{InCase}},
		{"kind", account("tablet-1"), Lookup{"demo", "device", "tablet-1"}, []Difference{InKind}},
		{"a kind that was written into the id", account("device-tablet"), Lookup{"demo", "device", "tablet"}, []Difference{InKind}},
		{"leading zeros", account("0042"), account("42"), []Difference{InZeros}},
		{"leading zeros after a separator", account("user-007"), account("user-7"), []Difference{InZeros}},
		{"full-width letters", account("ａｄａ"), account("ada"), []Difference{InForm}},
		{"full-width capitals", account("Ａｄａ"), account("ada"), []Difference{InForm, InCase}},
		{"composed and decomposed", account("andr\u00e9"), account("andre\u0301"), []Difference{InForm}},
		{"spaces around", account(" ada "), account("ada"), []Difference{InSpace}},
		{"an invisible character", account("a\u200bda"), account("ada"), []Difference{InSpace}},
		{"case and zeros", account("User-07"), account("user-7"), []Difference{InCase, InZeros}},
		{"sharp s", account("STRASSE"), account("straße"), []Difference{InCase}},
		{"another letter", account("ada"), account("ava"), nil},
		{"another number", account("user-1"), account("user-10"), nil},
		{"a zero that is no leading one", account("user-10"), account("user-1"), nil},
		{"zero itself", account("0"), account("00"), []Difference{InZeros}},
		{"another separator", account("user-1"), account("user.1"), nil},
		{"a zero in the middle of a name", account("a01"), account("a1"), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if near := folded(tt.a) == folded(tt.b); near != (tt.want != nil) {
				t.Errorf("near misses: %v", near)
			}
			if got := DifferencesOf(tt.a, tt.b); tt.want != nil && !slices.Equal(got, tt.want) {
				t.Errorf("differ in %v, want %v", got, tt.want)
			}
		})
	}
}

func nearNames(t *testing.T, v *Vault, l Lookup) []Pseudonym {
	t.Helper()
	names, err := v.Near(t.Context(), l)
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// Near misses are found by whoever was enrolled, linked or heard of, and by
// nobody who was erased or detached; of another app nobody is.
func TestNearMissesComeAndGoWithThePerson(t *testing.T) {
	rows := newRows()
	v, err := Open(t.Context(), rows, NewMemoryKeys())
	if err != nil {
		t.Fatal(err)
	}
	ada, upper, device := Lookup{"demo", "account", "ada"}, Lookup{"demo", "account", "ADA"}, Lookup{"demo", "device", "Ada"}
	p, _, err := v.Enrol(t.Context(), ada)
	if err != nil {
		t.Fatal(err)
	}
	if got := nearNames(t, v, upper); !slices.Equal(got, []Pseudonym{p.Pseudonym}) {
		t.Errorf("ADA: %v", got)
	}
	if got := append(nearNames(t, v, ada), nearNames(t, v, Lookup{"other", "account", "Ada"})...); len(got) != 0 {
		t.Errorf("oneself, and another app: %v", got)
	}
	q, _, err := v.Enrol(t.Context(), upper)
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Link(t.Context(), q, device); err != nil {
		t.Fatal(err)
	}
	if got := nearNames(t, v, ada); len(got) != 2 || got[0] != q.Pseudonym || got[1] != q.Pseudonym {
		t.Errorf("ada: %v, want q by two ids", got)
	}
	now := time.UnixMilli(1_767_225_600_000)
	if err := v.Detach(t.Context(), q, upper, now, now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if got := nearNames(t, v, ada); len(got) != 1 {
		t.Errorf("ada, after ADA was taken from q: %v", got)
	}
	for _, x := range []*Person{p, q} {
		if err := v.Erase(t.Context(), x, now, now.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	for _, kind := range []string{ownRows, nearsRows} {
		if n := count(t, rows, kind); n != 0 {
			t.Errorf("%d rows %q outlive whom they are of", n, kind)
		}
	}
}

// Who was enrolled before there were near misses is found once they are heard of.
func TestWhoIsOlderIsFoundWhenHeardOf(t *testing.T) {
	rows := newRows()
	keys := NewMemoryKeys()
	v, err := Open(t.Context(), rows, keys)
	if err != nil {
		t.Fatal(err)
	}
	ada := Lookup{"demo", "account", "ada"}
	p, _, err := v.Enrol(t.Context(), ada)
	if err != nil {
		t.Fatal(err)
	}
	if err := v.sweepNear(t.Context(), p); err != nil { // as an older program left it
		t.Fatal(err)
	}
	if v, err = Open(t.Context(), rows, keys); err != nil {
		t.Fatal(err)
	}
	if got := nearNames(t, v, Lookup{"demo", "account", "Ada"}); len(got) != 0 {
		t.Fatalf("before: %v", got)
	}
	p, _, err = v.Find(t.Context(), ada)
	if err == nil {
		err = v.Index(t.Context(), p, ada)
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := nearNames(t, v, Lookup{"demo", "account", "Ada"}); !slices.Equal(got, []Pseudonym{p.Pseudonym}) {
		t.Errorf("after: %v", got)
	}
	// Erased meanwhile, nothing of them comes back.
	now := time.UnixMilli(1_767_225_600_000)
	if err := v.Erase(t.Context(), p, now, now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	p.indexed.Store(false)
	if err := v.Index(t.Context(), p, ada); err != nil {
		t.Error(err)
	}
	if n := count(t, rows, nearsRows); n != 0 {
		t.Errorf("%d rows of whom was erased", n)
	}
}

// Nothing of an id stands in the rows: what ids have in common is keyed.
func TestNearMissesKeepNoIdInTheClear(t *testing.T) {
	rows := newRows()
	v, err := Open(t.Context(), rows, NewMemoryKeys())
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := v.Enrol(t.Context(), Lookup{"demo", "account", "Ada-Lovelace"}); err != nil {
		t.Fatal(err)
	}
	for row, err := range rows.Scan(t.Context(), nil) {
		if err != nil {
			t.Fatal(err)
		}
		if all := bytes.ToLower(append(bytes.Clone(row.Key), row.Value...)); bytes.Contains(all, []byte("lovelace")) {
			t.Errorf("row %q has the id", row.Key)
		}
	}
}
