package followup_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"consentledger/api/wire/parse"
	"consentledger/domain"
	"consentledger/domain/catalog"
	"consentledger/domain/ident"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/ledger"
)

// newGroup is a world with three apps of one group and one of another, in all
// of which yuki agreed.
func newGroup(t *testing.T) *world {
	w := newWorld(t)
	for _, app := range []ident.AppName{"demo", "east", "west", "other"} {
		w.join(app, map[bool]string{true: "rival", false: "acme"}[app == "other"])
	}
	return w
}

func (w *world) join(app ident.AppName, group string) {
	w.ask(app, "", domain.RegisterApp{App: domain.App{Name: app, Group: group, Environment: domain.Test, Jurisdiction: "CN", TimeZone: "Asia/Shanghai", Locales: []string{"en"}}})
	w.ask(app, "", document("privacy"))
	w.ask(app, "yuki", domain.GiveConsent{Act: "agree"})
}

func (w *world) ask(app ident.AppName, person string, cmd domain.Command) {
	w.t.Helper()
	w.n++
	r := ledger.Request{App: app, Source: "test", ID: fmt.Sprint(w.n), Body: []byte("x"), Actor: "operator", RecordedBy: "test", Command: cmd}
	if person != "" {
		r.Person = ident.PersonKey{Kind: "account", ID: person}
	}
	if _, err := w.Execute(w.t.Context(), r); err != nil {
		w.t.Fatal(err)
	}
}

// toldFirst is a process that dies when the first app has recorded what was
// said to its group.
func (w *world) toldFirst(kind, data string) ledger.Receipt {
	w.t.Helper()
	event := fmt.Sprintf(`{"specversion":"1.0","id":"e1","source":"backend","type":%q,"subject":"account:yuki","data":%s}`, kind, data)
	r, err := parse.GroupEvent{Group: "acme", By: "gate", Event: []byte(event)}.Request()
	if err != nil {
		w.t.Fatal(err)
	}
	r.App = "demo"
	receipt, err := w.Execute(w.t.Context(), r)
	if err != nil {
		w.t.Fatal(err)
	}
	return receipt
}

// appsWith returns in which apps something of a type was recorded, each as
// often as it was.
func appsWith[E domain.Event](w *world) string {
	var apps []string
	for _, e := range facts[E](w) {
		apps = append(apps, string(e.Stream.App))
	}
	slices.Sort(apps)
	return strings.Join(apps, " ")
}

func told(w *world) (notes []codec.Entry) {
	for _, e := range facts[domain.Noted](w) {
		if e.Kind() == string(catalog.GroupTold) {
			notes = append(notes, e)
		}
	}
	return notes
}

func TestWhatAGroupWasToldIsFinishedAfterADeath(t *testing.T) {
	for name, tt := range map[string]struct {
		kind, data string
		count      func(*world) string
	}{
		"a no":             {"consent.withdrawn", `{"all":true}`, appsWith[domain.ConsentWithdrawn]},
		"a refusal":        {"consent.refused", `{"purposes":["ads"]}`, appsWith[domain.ConsentRefused]},
		"an account's end": {"subject.closed", `{"reason":"account-deleted"}`, appsWith[domain.SubjectClosed]},
		"a request":        {"request.received", `{"types":["access"],"channel":"app"}`, appsWith[domain.RequestReceived]},
		"one that says no": {"request.received", `{"types":["withdraw"],"channel":"app"}`, appsWith[domain.RequestReceived]},
		"a link, both ways": {"subject.linked", `{"other":"device:tablet","proof":"login"}`, func(w *world) string {
			return strings.Join(slices.Compact(strings.Fields(appsWith[domain.SubjectLinked](w))), " ")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newGroup(t)
				w.toldFirst(tt.kind, tt.data)
				if got := tt.count(w); got != "demo" {
					t.Fatalf("at death it was in %q", got)
				}
				w.join("late", "acme") // nobody has said it there
				said := w.Now()
				_, stop := w.react()
				_, stopToo := w.react()
				time.Sleep(2 * time.Minute)
				synctest.Wait()
				stop()
				stopToo()
				if got := tt.count(w); got != "demo east west" {
					t.Errorf("told in %q", got)
				}
				if got := appsWith[domain.ConsentGiven](w); got != "demo east late other west" {
					t.Errorf("a consent moved: %q", got)
				}
				if len(told(w)) != 1 || told(w)[0].Stream.App != "demo" {
					t.Errorf("that it is done is said by %v", told(w))
				}
				for _, e := range facts[domain.ConsentWithdrawn](w) {
					if e.At > said {
						t.Errorf("%s: the no is from %s, and was said by %s", e.Stream.App, e.At, said)
					}
				}
				before, _ := w.Head(t.Context())
				w.react() // and again after a restart
				time.Sleep(2 * time.Minute)
				synctest.Wait()
				if after, _ := w.Head(t.Context()); after != before {
					t.Errorf("a restart recorded %d more", after-before)
				}
				for e, err := range w.store.ReadAll(t.Context(), 0) {
					if err != nil || bytes.Contains(e.Data, []byte("yuki")) {
						t.Errorf("who it is stands in the log: %s, %v", e.Data, err)
					}
				}
			})
		})
	}
}

func TestNothingIsOpenedOfWhatAGroupWasTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newGroup(t)
		first := w.toldFirst("consent.withdrawn", `{"all":true}`)
		w.react()
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if _, err := w.Execute(t.Context(), ledger.ToldGroup("demo", "acme", first.Event)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if n := len(facts[domain.DataAccessed](w)); n != 0 {
			t.Errorf("%d accesses", n)
		}
	})
}
