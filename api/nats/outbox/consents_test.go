package outbox

import (
	"bytes"
	"context"
	"encoding/json"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"consentledger/api/wire"
	"consentledger/domain"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore"
	"consentledger/eventstore/ledger"
	"consentledger/eventstore/memory"

	"github.com/nats-io/nats.go/jetstream"
)

// tellBoth starts a process that tells of obligations and of consents.
func (w *world) tellBoth(rows eventstore.Rows) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	var consents *Outbox
	for _, topic := range []Topic{Obligations, Consents} {
		o := &Outbox{Conn: w.connect(), Ledger: w.open(), Topic: topic, Rows: rows, Apart: true, Log: slog.New(slog.DiscardHandler)}
		if topic == Consents {
			consents = o
		}
		all.Go(func() {
			if err := o.Run(ctx); err != nil {
				w.t.Error(err)
			}
		})
	}
	stop = func() { cancel(); all.Wait() }
	w.t.Cleanup(stop)
	w.until("consents are told from now on", func() bool { at, err := consents.State(); return at > 0 && err == nil })
	return stop
}

// changes returns what the stream of consents holds, in order.
func (w *world) changes() (all []wire.ConsentChange) {
	w.t.Helper()
	for _, m := range w.messages() {
		var c wire.ConsentChange
		if err := json.Unmarshal(m.Data, &c); err != nil {
			w.t.Fatal(err)
		}
		if m.Subject != "consent.v1.demo.out."+c.Type {
			w.t.Fatalf("on subject %s: %+v", m.Subject, c)
		}
		all = append(all, c)
	}
	return all
}

func (w *world) messages() (all []*jetstream.RawStreamMsg) {
	w.t.Helper()
	if w.reader == nil || !w.reader.IsConnected() {
		w.reader = w.connect()
	}
	js, err := jetstream.New(w.reader)
	if err != nil {
		w.t.Fatal(err)
	}
	s, err := js.Stream(w.t.Context(), ChangesStream)
	if err != nil {
		return nil
	}
	for seq := s.CachedInfo().State.FirstSeq; seq <= s.CachedInfo().State.LastSeq && seq > 0; seq++ {
		m, err := s.GetMsg(w.t.Context(), seq)
		if err != nil {
			continue // it was taken out
		}
		all = append(all, m)
	}
	return all
}

func of(purposes ...policy.PurposeID) policy.Scope { return policy.Scope{Purposes: purposes} }

func (w *world) erase(person string) {
	w.t.Helper()
	req := ledger.Request{
		App: "demo", Source: "test", ID: strconv.FormatInt(w.n.Add(1), 10), Body: []byte("x"), Actor: "operator", RecordedBy: "test",
		Person: ident.PersonKey{Kind: "account", ID: person}, Command: domain.OrderErasure{Reason: "request", By: [2]string{"operator:ann", "operator:ben"}},
	}
	if _, err := w.Erase(w.t.Context(), req); err != nil {
		w.t.Fatal(err)
	}
}

// TestConsentsAreToldFromWhereTheyWereTurnedOn: what was recorded before is told to
// nobody, and what comes after it is told once, whoever tells it.
func TestConsentsAreToldFromWhereTheyWereTurnedOn(t *testing.T) {
	w := newWorld(t)
	w.promise()
	w.owe()
	_, stop := w.tell() // as before there were consents to tell of
	w.say("ada", domain.WithdrawConsent{Scope: policy.Scope{All: true}})
	w.until("its obligations are told", func() bool { return len(w.told()) == 6 })
	stop()

	rows := new(memory.Rows)
	stop = w.tellBoth(rows)
	w.say("bob", domain.GiveConsent{Policy: "privacy", Act: "agree", Kind: policy.GeneralConsent, Purposes: []policy.PurposeID{"ads"}})
	w.say("ada", domain.RefuseConsent{Scope: of("ads")})
	w.until("two are told", func() bool { return len(w.changes()) == 2 })
	stop()
	w.say("bob", domain.WithdrawConsent{Scope: of("ads")})
	w.tellBoth(rows)
	w.until("three are told", func() bool { return len(w.changes()) == 3 })
	w.owe()
	w.until("obligations are told as well", func() bool { return len(w.told()) >= 9+3 })

	var got []string
	for _, c := range w.changes() {
		got = append(got, c.Type+" "+c.Data.Person+" "+strings.Join(c.Data.Purposes, ","))
		if c.ID == "" || c.Data.Position == "" || c.Data.At == "" || c.Data.Pseudonym == "" || c.Subject != "subject-demo-"+c.Data.Pseudonym {
			t.Errorf("%+v", c)
		}
	}
	want := []string{"consent.given account:bob ads", "consent.refused account:ada ads", "consent.withdrawn account:bob ads"}
	if !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
}

// TestAStreamOfConsentsThatIsGoneIsToldAgain, with the same ids, as far back as consents
// are told.
func TestAStreamOfConsentsThatIsGoneIsToldAgain(t *testing.T) {
	w := newWorld(t)
	rows := new(memory.Rows)
	stop := w.tellBoth(rows)
	for _, who := range []string{"ada", "bob", "cai"} {
		w.say(who, domain.WithdrawConsent{Scope: policy.Scope{All: true}})
	}
	w.until("three are told", func() bool { return len(w.changes()) == 3 })
	before := w.changes()
	stop()

	js, err := jetstream.New(w.connect(), jetstream.WithDefaultTimeout(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	if err := js.DeleteStream(t.Context(), ChangesStream); err != nil {
		t.Fatal(err)
	}
	w.tellBoth(rows)
	w.until("three are told again", func() bool { return len(w.changes()) == 3 })
	for i, c := range w.changes() {
		if c.ID != before[i].ID || c.Data.Person != before[i].Data.Person || !c.Data.All {
			t.Errorf("told again %+v, before %+v", c, before[i])
		}
	}
}

// TestAnErasedPersonLeavesTheStream: their messages are taken out of it, with the bytes
// on disk, and what is told afterwards does not name them.
func TestAnErasedPersonLeavesTheStream(t *testing.T) {
	const who = "unmistakable-4711"
	w := newWorld(t)
	rows := new(memory.Rows)
	stop := w.tellBoth(rows)
	w.say(who, domain.WithdrawConsent{Scope: policy.Scope{All: true}})
	w.say("bob", domain.WithdrawConsent{Scope: policy.Scope{All: true}})
	w.until("two are told", func() bool { return len(w.changes()) == 2 })
	w.erase(who)
	w.say("cai", domain.WithdrawConsent{Scope: policy.Scope{All: true}})
	w.until("the third is told", func() bool {
		all := w.changes()
		return len(all) > 0 && all[len(all)-1].Data.Person == "account:cai"
	})
	var people []string
	for _, c := range w.changes() {
		people = append(people, c.Data.Person)
	}
	if !slices.Equal(people, []string{"account:bob", "account:cai"}) {
		t.Errorf("the stream names %q", people)
	}
	stop()

	// Told again from the beginning, the person has no id.
	js, err := jetstream.New(w.connect(), jetstream.WithDefaultTimeout(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	if err := js.DeleteStream(t.Context(), ChangesStream); err != nil {
		t.Fatal(err)
	}
	w.tellBoth(rows)
	w.until("all are told again", func() bool {
		all := w.changes()
		return len(all) > 0 && all[len(all)-1].Data.Person == "account:cai"
	})
	for _, c := range w.changes() {
		if strings.Contains(c.Data.Person, who) {
			t.Errorf("%+v", c)
		}
	}
	w.nats.Shutdown()
	w.nats.WaitForShutdown()
	err = filepath.WalkDir(w.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if bytes.Contains(text, []byte(who)) {
			t.Errorf("%s still names the person", d.Name())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
