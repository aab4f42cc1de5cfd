package ledger_test

import (
	"reflect"
	"testing"

	"consentledger/domain"
	"consentledger/eventstore/ledger"
)

// Where nothing was recorded since, the past is what is known now: it is told
// without reading it again, and is the same as what is read.
func TestThePastThatIsUnchangedIsNotReadAgain(t *testing.T) {
	w := newWorld()
	store := &tallied{Store: w.store}
	w.store = store
	l := w.open(t)
	begin(t, l)
	w.live(t, l, 0, 20)
	quiet := w.now
	w.now += 5000
	other := requestOf("other", yes)
	other.Person.ID = "bo"
	must(t, l, other)
	follow(t, l)

	past := func(l *ledger.Ledger) (domain.Subject, int) {
		known, err := l.KnownAt(t.Context(), quiet)
		if err != nil {
			t.Fatal(err)
		}
		p, err := l.Past(t.Context(), "demo")
		if err != nil {
			t.Fatal(err)
		}
		store.read()
		s, err := p.Subject(t.Context(), stream(t, l).ID, known)
		if err != nil {
			t.Fatal(err)
		}
		return s, store.read()
	}

	told, n := past(l)
	if n != 0 {
		t.Errorf("%d records were read of a person of whom nothing was recorded since", n)
	}
	fresh, n := past(w.open(t)) // has heard nothing
	if n == 0 {
		t.Error("a ledger that has heard nothing of the log read nothing")
	}
	if !reflect.DeepEqual(told.Answers(), fresh.Answers()) || len(told.Answers()) == 0 {
		t.Errorf("told %v, read %v", told.Answers(), fresh.Answers())
	}

	// Once something was recorded, then is not now.
	w.now += 1000
	w.live(t, l, 20, 1)
	follow(t, l)
	then, n := past(l)
	if n == 0 || !reflect.DeepEqual(then.Answers(), told.Answers()) {
		t.Errorf("after reading %d records %v, want %v", n, then.Answers(), told.Answers())
	}
}
