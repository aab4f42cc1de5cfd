package views

import (
	"slices"
	"testing"

	"consentledger/projections/consents"
	"consentledger/projections/readmodel"
)

// Whoever finds a view by its name in the table finds that one in the tables' names, in
// metrics and in turns, too.
func TestEveryViewHasTheNameThatTheTableGivesIt(t *testing.T) {
	var open []View
	place := readmodel.Dir(t.TempDir())
	for _, name := range Names() {
		v, err := Open(t.Context(), name, place, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		if v.Name() != name {
			t.Errorf("%s calls itself %s", name, v.Name())
		}
		open = append(open, v)
	}
	if names := slices.Sorted(slices.Values(Names())); len(slices.Compact(names)) != len(All) {
		t.Errorf("a name is there twice: %q", Names())
	}
	if v := Of[*consents.View](open); v.Name() != "consents" {
		t.Errorf("the view of consents is %s", v.Name())
	}
}

func TestAViewThatThereIsNotIsNamed(t *testing.T) {
	if _, err := Open(t.Context(), "balances", readmodel.Dir(t.TempDir()), nil); err == nil {
		t.Error("there is a view of balances")
	}
	defer func() {
		if recover() == nil {
			t.Error("a view is found that is not open")
		}
	}()
	Of[*consents.View](nil)
}
