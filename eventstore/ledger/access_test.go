package ledger_test

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"

	"consentledger/domain"
	"consentledger/domain/ident"
	"consentledger/domain/refusal"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/ledger"
)

// told is a ledger in which ada and bob said something personal, and their
// entries.
func told(t *testing.T, w *world) (*ledger.Ledger, map[string]codec.Entry) {
	t.Helper()
	l := w.open(t)
	begin(t, l)
	for _, who := range []string{"ada", "bob"} {
		r := requestOf("r", domain.GiveConsent{Act: "agree", Details: domain.Personal("words of " + who)})
		r.Person = ident.PersonKey{Kind: "account", ID: who}
		must(t, l, r)
	}
	entries := map[string]codec.Entry{}
	for e, err := range l.Replay(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Stream.Noun == ident.SubjectNoun {
			entries[map[int]string{0: "ada", 1: "bob"}[len(entries)]] = e
		}
	}
	return l, entries
}

func reading(subject string) ledger.Access {
	return ledger.Access{App: "demo", ID: "one", Actor: "operator", RecordedBy: "desk", DataAccessed: domain.DataAccessed{
		Kind: domain.AccessExport, Subject: subject, Records: 1, Parts: 2, Reason: "dispute", Name: "Li Na", Words: "she disputes it",
	}}
}

func TestNothingIsReadWithoutAnAccessThatCoversIt(t *testing.T) {
	w := newWorld()
	l, entries := told(t, w)
	stranger := reading("")
	stranger.App = "other"
	if _, err := l.Access(t.Context(), stranger); code(err) != refusal.UnknownApp {
		t.Errorf("of an app that is none: %v", err)
	}
	other := requestOf("o", domain.RegisterApp{App: domain.App{Name: "other", Environment: domain.Test, Jurisdiction: "CN", TimeZone: "Asia/Shanghai", Locales: []string{"en"}}})
	other.App, other.Person = "other", ident.PersonKey{}
	must(t, l, other)
	opened := func(change func(*ledger.Access)) ledger.Opened {
		t.Helper()
		a := reading(entries["ada"].Stream.ID)
		change(&a)
		o, err := l.Access(t.Context(), a)
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	for _, c := range []struct {
		name   string
		opened ledger.Opened
		ada    bool
		bob    bool
	}{
		{"no access at all", ledger.Opened{}, false, false},
		{"of ada", opened(func(*ledger.Access) {}), true, false},
		{"of everybody", opened(func(a *ledger.Access) { a.Subject = "" }), true, true},
		{"of no part", opened(func(a *ledger.Access) { a.Parts = 0 }), false, false},
		{"of another role", opened(func(a *ledger.Access) { a.Roles = []string{"binding"} }), false, false},
		{"of another record", opened(func(a *ledger.Access) { a.Events = []ident.EventID{{1}} }), false, false},
		{"of this record", opened(func(a *ledger.Access) { a.Events = []ident.EventID{ident.EventID(entries["ada"].ID)} }), true, false},
		{"of another app", opened(func(a *ledger.Access) { a.App, a.Subject = "other", "" }), false, false},
	} {
		for who, want := range map[string]bool{"ada": c.ada, "bob": c.bob} {
			text, ok, err := c.opened.Reveal(t.Context(), entries[who], "details")
			if ok != want || (err == nil) != want || want && text.Reveal() != "words of "+who {
				t.Errorf("an access %s: %s was read: %v, %v", c.name, who, ok, err)
			}
			all, err := c.opened.Disclose(t.Context(), entries[who])
			if err != nil || slices.ContainsFunc(all, func(d ledger.Disclosure) bool { return d.Role == "details" }) != want {
				t.Errorf("an access %s: of %s %d parts were disclosed, %v", c.name, who, len(all), err)
			}
		}
	}
}

func TestAnAccessSaysWhoAndWhy(t *testing.T) {
	w := newWorld()
	l, entries := told(t, w)
	before, _ := l.Head(t.Context())
	for name, change := range map[string]func(*ledger.Access){
		"no reason":                 func(a *ledger.Access) { a.Reason = "" },
		"a reason that is no code":  func(a *ledger.Access) { a.Reason = "She asked" },
		"the reason that is none":   func(a *ledger.Access) { a.Reason = domain.Unstated },
		"nothing in words":          func(a *ledger.Access) { a.Words = "" },
		"nobody who reads":          func(a *ledger.Access) { a.Name = "" },
		"more words than are taken": func(a *ledger.Access) { a.Words = domain.Personal(strings.Repeat("x", 501)) },
	} {
		a := reading(entries["ada"].Stream.ID)
		change(&a)
		if _, err := l.Access(t.Context(), a); code(err) != refusal.ReasonMissing && code(err) != refusal.TooLarge {
			t.Errorf("%s: %v", name, err)
		}
	}
	if after, _ := l.Head(t.Context()); after != before {
		t.Error("an access that was refused is recorded")
	}
	if _, err := l.Access(t.Context(), reading(entries["ada"].Stream.ID)); err != nil {
		t.Fatal(err)
	}
	for r, err := range w.store.ReadAll(t.Context(), before) {
		if err != nil || strings.Contains(string(r.Data), "Li Na") || strings.Contains(string(r.Data), "disputes it") || strings.Contains(string(r.Data), `"ada"`) || strings.Contains(string(r.Data), ":ada") {
			t.Errorf("in the log: %s, %v", r.Data, err)
		}
		if !strings.HasPrefix(string(r.Stream), "access-demo-") || !strings.Contains(string(r.Data), `"role":"binding"`) || !strings.Contains(string(r.Data), `"reason":"dispute"`) {
			t.Errorf("recorded %s in %s", r.Data, r.Stream)
		}
	}
}

func TestAnAccessIsRecordedOnceAndOpensNothingIfItIsNot(t *testing.T) {
	w := newWorld()
	f := &failing{Store: w.store}
	w.store = f
	l, entries := told(t, w)
	f.fail = true
	o, err := l.Access(t.Context(), reading(entries["ada"].Stream.ID))
	if _, ok, revealed := o.Reveal(t.Context(), entries["ada"], "details"); err == nil || ok || revealed == nil {
		t.Errorf("opened: %v, %v", err, revealed)
	}
	f.fail = false
	before, _ := l.Head(t.Context())
	for range 3 {
		if _, err := l.Access(t.Context(), reading(entries["ada"].Stream.ID)); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	for range w.store.ReadAll(t.Context(), before) {
		n++
	}
	if n > 1 {
		t.Errorf("recorded %d times", n)
	}
}

// A failing store takes nothing while it is told to.
type failing struct {
	eventstore.Store
	fail bool
}

func (f *failing) Append(ctx context.Context, s eventstore.Stream, rev eventstore.Revision, r ...eventstore.Record) (eventstore.Position, error) {
	if f.fail {
		return 0, errLost
	}
	return f.Store.Append(ctx, s, rev, r...)
}

// held holds a log of the store's own records against what is kept.
func held(t *testing.T, l *ledger.Ledger, records []eventstore.Recorded) (*ledger.Holding, string) {
	t.Helper()
	h := l.Holding(t.Context(), "demo")
	var wrong []string
	for _, r := range records {
		wrong = append(wrong, h.Check(r.Data)...)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	return h, strings.Join(wrong, "; ")
}

func TestWhatIsKeptBesideTheLogIsHeldAgainstIt(t *testing.T) {
	swap := func(prefix string) func(*testing.T, *world) {
		return func(t *testing.T, w *world) {
			var rows []eventstore.Row
			for r := range w.rows.Scan(t.Context(), []byte(prefix)) {
				rows = append(rows, eventstore.Row{Key: bytes.Clone(r.Key), Value: bytes.Clone(r.Value)})
			}
			if len(rows) != 2 {
				t.Fatalf("%d rows begin with %s", len(rows), prefix)
			}
			rows[0].Value, rows[1].Value = rows[1].Value, rows[0].Value
			if err := w.rows.Write(t.Context(), eventstore.Change{Put: rows}); err != nil {
				t.Fatal(err)
			}
		}
	}
	drop := func(prefix string) func(*testing.T, *world) {
		return func(t *testing.T, w *world) {
			var c eventstore.Change
			for r := range w.rows.Scan(t.Context(), []byte(prefix)) {
				c.Delete = append(c.Delete, bytes.Clone(r.Key))
			}
			if err := w.rows.Write(t.Context(), c); err != nil || len(c.Delete) == 0 {
				t.Fatal(c, err)
			}
		}
	}
	flip := func(t *testing.T, w *world) {
		for r := range w.rows.Scan(t.Context(), []byte("v/p")) {
			value := bytes.Clone(r.Value)
			value[len(value)-1] ^= 1
			if err := w.rows.Write(t.Context(), eventstore.Change{Put: []eventstore.Row{{Key: bytes.Clone(r.Key), Value: value}}}); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	for name, c := range map[string]struct {
		do   func(*testing.T, *world)
		want string
	}{
		"nothing happened":              {func(*testing.T, *world) {}, ""},
		"two lookups were swapped":      {swap("v/l"), "an entry was swapped"},
		"two keys were swapped":         {swap("v/e"), "of person"},
		"the parts are gone":            {drop("v/p"), "is missing from the vault, and its owner is not erased"},
		"the lookups are gone":          {drop("v/l"), "leads to nobody in the vault"},
		"a part was changed":            {flip, "does not unseal"},
		"the persons have no entry now": {drop("v/e"), "nobody ordered to erase them"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			told(t, w)
			var records []eventstore.Recorded
			for r, err := range w.store.ReadAll(t.Context(), 0) {
				if err != nil {
					t.Fatal(err)
				}
				records = append(records, r)
			}
			c.do(t, w)
			h, wrong := held(t, w.open(t), records)
			if (wrong == "") != (c.want == "") || !strings.Contains(wrong, c.want) || strings.Contains(wrong, "words of") {
				t.Errorf("found %q, want %q", wrong, c.want)
			}
			if name == "nothing happened" && (h.Commitments != 4 || h.Bindings != 2) {
				t.Errorf("%+v", h)
			}
			if name == "the persons have no entry now" && h.Erased != 4 {
				t.Errorf("%+v", h)
			}
		})
	}
}

func TestAnotherRecordThanTheStoreHas(t *testing.T) {
	w := newWorld()
	l, _ := told(t, w)
	var records []eventstore.Recorded
	for r, err := range w.store.ReadAll(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, r)
	}
	records[1].Data = bytes.Replace(records[1].Data, []byte("privacy"), []byte("privacies"), 1)
	if _, wrong := held(t, l, append(records, records[0])); !strings.Contains(wrong, "the store has another record here") || !strings.Contains(wrong, "it ends before the log does") {
		t.Error(wrong)
	}
}
