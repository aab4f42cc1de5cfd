package ledger_test

import (
	"testing"

	"consentledger/domain"
	"consentledger/eventstore/ledger"
)

func TestWhatAnEarlierProgramKnewByAnotherNameIsNotRecordedTwice(t *testing.T) {
	l := newWorld().open(t)
	begin(t, l)
	grant := requestOf("xA", yes)
	first := must(t, l, grant)

	// The header x%41 was the id xA once.
	again := grant
	again.ID, again.Former = "x%41", ledger.Name{Source: grant.Source, ID: "xA"}
	if r := must(t, l, again); r.Event != first.Event || r.ID != "x%41" {
		t.Errorf("recorded as %+v, and then as %+v", first, r)
	}
	other := again
	other.Body = []byte(`{"another":"body"}`)
	if r := must(t, l, other); r.Event == first.Event {
		t.Error("another event is taken for one that an earlier program knew")
	}

	// An opt-out is never taken for another: a second record of it is harmless.
	optOut := requestOf("yA", no)
	withdrawn := must(t, l, optOut)
	optOut.ID, optOut.Former = "y%41", ledger.Name{Source: optOut.Source, ID: "yA"}
	if r := must(t, l, optOut); r.Event == withdrawn.Event {
		t.Error("an opt-out is taken for another by a name that it does not have")
	}
}

func TestAnAppSaysThatItsSendersEscapeNothing(t *testing.T) {
	l := newWorld().open(t)
	begin(t, l)
	r := requestOf("a b", no)
	r.Raw = ledger.Name{Source: r.Source, ID: "a%20b"}
	if got := must(t, l, r); got.ID != "a b" || got.Person != r.Person {
		t.Errorf("understood as %+v", got)
	}
	ref, err := l.App(t.Context(), r.App)
	if err != nil {
		t.Fatal(err)
	}
	app := ref.Service.App
	app.Escapes = domain.RawEscapes
	must(t, l, ledger.Request{App: r.App, Source: "test", ID: "raw", Body: []byte("{}"), Actor: "operator", RecordedBy: "test", Command: domain.RegisterApp{App: app}})
	raw := must(t, l, r)
	if raw.ID != "a%20b" {
		t.Errorf("understood as %+v", raw)
	}
	r.Raw, r.ID = ledger.Name{}, "a%20b" // as it comes in structured mode
	if got := must(t, l, r); got != raw {
		t.Errorf("in structured mode it is %+v, want %+v", got, raw)
	}
}

func TestWhatWasNotUnderstoodIsInTheReceiptForEver(t *testing.T) {
	w := newWorld()
	l := w.open(t)
	begin(t, l)
	r := requestOf("r1", no)
	r.Unread = ledger.Unread{Names: "data.screen,time", Claims: []byte(`[["time","01/01/1970"]]`)}
	first := must(t, l, r)
	if first.NotUnderstood != r.Unread.Names {
		t.Errorf("%+v", first)
	}
	for name, l := range map[string]*ledger.Ledger{"at once": l, "after a restart": w.open(t)} {
		if again := must(t, l, r); again != first {
			t.Errorf("%s: %+v and %+v", name, first, again)
		}
	}
	for e, err := range l.History(t.Context(), r.App, r.Person) {
		if err != nil || e.NotUnderstood != r.Unread.Names || e.Parts[len(e.Parts)-1].Role != ledger.ClaimsRole {
			t.Errorf("%+v, %v", e, err)
		}
	}
}
