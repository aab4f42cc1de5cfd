package ledger_test

import (
	"errors"
	"fmt"
	"testing"

	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/domain/refusal"
	"consentledger/domain/surface"
	"consentledger/eventstore"
	"consentledger/eventstore/ledger"
)

// Every signal has a receipt, for ever the same, and a thousand of them leave
// one record.
func TestAThousandSignalsLeaveOneRecord(t *testing.T) {
	w := newWorld()
	l := w.open(t)
	begin(t, l)
	gpc := domain.RefuseConsent{Scope: policy.Scope{All: true}, Act: "gpc"}
	first := must(t, l, requestOf("s", gpc))
	w.now += 1000
	must(t, l, requestOf("yes", yes))
	head, err := l.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := first
	want.Repeats = true
	for i := range 1000 {
		w.now += 10
		want.ID = fmt.Sprint("s", i) // what this one was called
		if got := must(t, l, requestOf(fmt.Sprint("s", i), gpc)); got != want {
			t.Fatalf("signal %d: %+v, want %+v", i, got, want)
		}
	}
	want.ID = "s7"
	for name, l := range map[string]*ledger.Ledger{"at once": l, "after a restart": w.open(t)} {
		if got := must(t, l, requestOf("s7", gpc)); got != want {
			t.Errorf("%s again: %+v", name, got)
		}
		if got := must(t, l, requestOf("s", gpc)); got != first {
			t.Errorf("%s the first again: %+v", name, got)
		}
		if now, err := l.Head(t.Context()); err != nil || now != head {
			t.Errorf("%s: %d records more, %v", name, now-head, err)
		}
		if got := status(t, l, w); got != domain.Given {
			t.Errorf("%s: %v", name, got)
		}
	}
	if got := must(t, l, requestOf("own", domain.RefuseConsent{Scope: policy.Scope{All: true}})); got.Repeats || status(t, l, w) != domain.Refused {
		t.Errorf("the person's own refusal: %+v, %v", got, status(t, l, w))
	}
}

// The id of a repeat has no record, so nothing is known under it: an opt-out that
// comes under the same id is recorded, and only then is the id taken.
func TestTheIDOfARepeatedSignalIsFree(t *testing.T) {
	w := newWorld()
	l := w.open(t)
	begin(t, l)
	gpc := requestOf("s", domain.RefuseConsent{Scope: policy.Scope{All: true}, Act: "gpc"})
	must(t, l, gpc)
	gpc.ID = "page"
	if got := must(t, l, gpc); !got.Repeats {
		t.Fatalf("no repeat: %+v", got)
	}

	own := requestOf("page", no)
	own.Body = []byte("another body")
	if got := must(t, l, own); got.Repeats || status(t, l, w) != domain.Withdrawn {
		t.Errorf("the person's own opt-out: %+v, %v", got, status(t, l, w))
	}
	_, err := l.Execute(t.Context(), gpc)
	if no, ok := errors.AsType[refusal.Refusal](err); !ok || no.Code != refusal.IDReused {
		t.Errorf("the signal under an id that is taken: %v", err)
	}
}

func TestAReceiptSaysWhetherAConsentCounts(t *testing.T) {
	w := newWorld()
	l := w.open(t)
	begin(t, l)
	for _, tt := range []struct {
		name   string
		cmd    domain.Command
		at     deadline.Instant
		counts ledger.Counting
		short  string
	}{
		{"a consent", yes, 0, ledger.CountsForAll, ""},
		{"one by an act that is none", domain.GiveConsent{Act: "agree", Initial: surface.Ticked}, 0, ledger.CountsNot, "ads=ticked-before"},
		{"an opt-out says nothing of it", no, 0, ledger.NotSaid, ""},
		{"a consent from before the opt-out", yes, start - 5000, ledger.CountsNot, "ads=opt-out-stands"},
		{"and one after it", yes, 0, ledger.CountsForAll, ""},
	} {
		w.now += 1000
		r := requestOf(tt.name, tt.cmd)
		r.At = tt.at
		receipt := must(t, l, r)
		if receipt.Counts != tt.counts || receipt.Short != tt.short {
			t.Errorf("%s: %+v", tt.name, receipt)
		}
		if again := must(t, w.open(t), r); again != receipt {
			t.Errorf("%s: %+v after a restart, %+v before", tt.name, again, receipt)
		}
	}
}

// An opt-out that was said in a linked history hinders a consent too.
func TestAReceiptKnowsTheOptOutsOfLinkedHistories(t *testing.T) {
	w := newWorld()
	l := w.open(t)
	begin(t, l)
	device := requestOf("d", no)
	device.Person = ident.PersonKey{Kind: "device", ID: "phone"}
	w.now += 1000
	must(t, l, device)
	link := requestOf("l", domain.Say{Event: domain.SubjectLinked{Proof: "login"}})
	link.Other = device.Person
	must(t, l, link)
	late := requestOf("y", yes)
	late.At = start
	if got := must(t, l, late); got.Counts != ledger.CountsNot || got.Short != "ads=opt-out-stands" {
		t.Errorf("%+v", got)
	}
}

// Who is linked already is linked once more at each login. Every one of these answers
// is the receipt of the record that made the link, from either side, until it is
// over: then a link is news.
func TestALinkThatIsOpenIsAnsweredByItsRecord(t *testing.T) {
	w := newWorld()
	l := w.open(t)
	begin(t, l)
	phone := ident.PersonKey{Kind: "device", ID: "phone"}
	link := func(id string) ledger.Request {
		r := requestOf(id, domain.Say{Event: domain.SubjectLinked{Proof: "login"}})
		r.Other = phone
		return r
	}
	first := must(t, l, link("first"))
	mirror := link("mirror")
	mirror.Person, mirror.Other = phone, mirror.Person
	other := must(t, l, mirror)
	head, err := l.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		w.now += 1000
		want := first
		want.ID, want.Repeats = fmt.Sprint("again", i), true
		if got := must(t, l, link(want.ID)); got != want || got.Event == (eventstore.EventID{}) {
			t.Errorf("linked again: %+v, want %+v", got, want)
		}
		mirror.ID = fmt.Sprint("mirror", i)
		if got := must(t, l, mirror); got.Event == (eventstore.EventID{}) || !got.Repeats && got.Event != other.Event {
			t.Errorf("linked again from the other side: %+v, first %+v", got, other)
		}
	}
	if now, err := l.Head(t.Context()); err != nil || now != head {
		t.Errorf("%d records more, %v", now-head, err)
	}

	w.now += 1000
	parted := requestOf("parted", domain.Say{Event: domain.SubjectUnlinked{Reason: "logout"}})
	parted.Other = phone
	must(t, l, parted)
	w.now += 1000
	if got := must(t, l, link("anew")); got.Repeats || got.Event == first.Event {
		t.Errorf("linked anew: %+v", got)
	}
}
