package audit

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"consentledger/domain"
	"consentledger/domain/catalog"
	"consentledger/domain/content"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/policy"
	"consentledger/eventstore/codec/policydoc"
	"consentledger/eventstore/ledger"
	"consentledger/eventstore/memory"
	"consentledger/eventstore/vault"

	"golang.org/x/mod/sumdb/note"
)

var promises = policy.Document{
	Name: "privacy", Jurisdiction: "CN", TimeZone: "Asia/Shanghai",
	Title: []policy.LocalText{{Locale: "en", Text: "Privacy"}},
	Purposes: []policy.Purpose{{ID: "ads", Title: "Ads", Section: "I", Basis: policy.BasisConsent,
		Actions: []policy.Action{policy.Use}, Categories: []policy.CategoryID{"clicks"}}},
	Categories: []policy.Category{{ID: "clicks", Title: "Clicks", Section: "I"}},
	Acts:       []policy.Act{{ID: "agree", Title: "Agree", Section: "I", Counts: policy.GeneralConsent}},
	Minors:     policy.Minors{AdultAge: 18, ChildBelowPolicy: 14, ChildBelowLaw: 14},
	Texts:      []policy.Text{{Locale: "en", Hash: content.Hash{1}, Force: policy.Sample}},
}

// openedProofs returns the opened proofs of two persons who are erased, ada and grace.
func openedProofs(t *testing.T, h *testServer) map[string]ProofOpened {
	t.Helper()
	v, err := vault.Open(t.Context(), new(memory.Rows), vault.NewMemoryKeys())
	if err != nil {
		t.Fatal(err)
	}
	clock := deadline.Instant(1767225600000)
	l, err := ledger.Open(t.Context(), ledger.Config{Store: h.store, Vault: v, Now: func() deadline.Instant { clock++; return clock }})
	if err != nil {
		t.Fatal(err)
	}
	request := func(person, id string, c domain.Command) ledger.Request {
		r := ledger.Request{App: "demo", Source: "test", ID: id + person, Body: []byte(id), Actor: "operator", RecordedBy: "desk", Command: c}
		if person != "" {
			r.Person, r.Actor = ident.PersonKey{Kind: "account", ID: person}, "person"
		}
		return r
	}
	must := func(r ledger.Request, do func(ledger.Request) (ledger.Receipt, error)) ledger.Receipt {
		t.Helper()
		receipt, err := do(r)
		if err != nil {
			t.Fatalf("%s: %v", r.ID, err)
		}
		return receipt
	}
	execute := func(r ledger.Request) (ledger.Receipt, error) { return l.Execute(t.Context(), r) }
	erase := func(r ledger.Request) (ledger.Receipt, error) { return l.Erase(t.Context(), r) }
	decide := func(r ledger.Request) (ledger.Receipt, error) { return l.DecideOnProof(t.Context(), r) }

	version, err := policydoc.Hash(promises)
	if err != nil {
		t.Fatal(err)
	}
	must(request("", "a", domain.RegisterApp{App: domain.App{Name: "demo", Environment: domain.Test, Jurisdiction: "CN", TimeZone: "Asia/Shanghai", Locales: []string{"en"}}}), execute)
	must(request("", "p", domain.PublishPolicy{Version: version, Document: promises}), execute)
	must(request("", "duty", domain.Say{Event: domain.Noted{Kind: catalog.DutyDeclared, Fields: policy.Fields(map[string]string{
		"duty": "claims", "law": "GDPR 17(3)(e)", "reason": "claims", "keeps": "proof", "until": "2026-12-31"})}}), execute)

	x := &Exporter{Logs: h.logs, Proofs: l}
	all := map[string]ProofOpened{}
	for _, person := range []string{"ada", "grace"} {
		must(request(person, "yes", domain.GiveConsent{Act: "agree", Details: "the blue one"}), execute)
		must(request(person, "no", domain.WithdrawConsent{Scope: policy.Scope{All: true}, Details: "enough"}), execute)
		order := request(person, "erase", domain.OrderErasure{Reason: "request", By: [2]string{"officer", "second"}})
		order.Actor = "operator"
		must(order, erase)

		disclose := request("", "disclose "+person, domain.DiscloseProof{Reason: "claim", To: "court", By: [2]string{"officer", "second"}})
		if disclose.Proof, err = l.ProofsOf(t.Context(), "demo", ident.PersonKey{Kind: "account", ID: person}); err != nil {
			t.Fatal(err)
		}
		decided := must(disclose, decide)
		h.covers()
		all[person], err = x.OpenProof(t.Context(), "demo", OpenProof{Disclosure: decided.Event.String(), Why: "a court asks"}, "officer")
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// covers waits until checkpoints cover all that is in the store.
func (h *testServer) covers() {
	h.t.Helper()
	head, _ := h.store.Head(h.t.Context())
	for until := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		at, err := h.logs.Covered()
		if err != nil || time.Now().After(until) {
			h.t.Fatalf("covered up to %d of %d: %v", at, head, err)
		}
		if at >= head {
			return
		}
	}
}

// Every text of an opened proof is shown by the log, and nothing that was changed in the file
// is: whoever changes one text is told which one, and the others stay good.
func TestAnOpenedProofVerifiesOfflineAndNothingElseDoes(t *testing.T) {
	h := newTestServer(t)
	all := openedProofs(t, h)
	v, err := note.NewVerifier(h.vkey())
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(all["ada"])
	if err != nil {
		t.Fatal(err)
	}
	origin := v.Name()

	opened, err := ParseOpened(append(text, '\n'))
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	for _, p := range opened.Verify(v, origin) {
		if p.Wrong != nil || p.Recorded == 0 || p.Index >= p.Log.Size {
			t.Errorf("%s of %s: %v, %+v", p.Role, p.Event, p.Wrong, p)
		}
		said = append(said, p.Role+" "+p.Kind)
	}
	if got := strings.Join(said, ", "); !strings.HasPrefix(got, "binding ") || !strings.Contains(got, "details consent.given") ||
		!strings.Contains(got, "details consent.withdrawn") {
		t.Errorf("it holds %s", got)
	}

	_, other, err := note.GenerateKey(nil, origin)
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := note.NewVerifier(other)
	if err != nil {
		t.Fatal(err)
	}
	grace := all["grace"].Parts
	last := len(opened.Parts) - 1
	for name, c := range map[string]struct {
		change func(o *ProofOpened)
		wrong  []int // which parts are not shown; nil: all
		why    string
		by     note.Verifier
		origin string
	}{
		"another text":        {func(o *ProofOpened) { o.Parts[1].Text = "the red one" }, []int{1}, "commits to", v, origin},
		"another opening":     {func(o *ProofOpened) { o.Parts[1].Opening = o.Parts[0].Opening }, []int{1}, "commits to", v, origin},
		"no opening":          {func(o *ProofOpened) { o.Parts[1].Opening = "" }, []int{1}, "64 hex digits", v, origin},
		"another role":        {func(o *ProofOpened) { o.Parts[1].Role = "name" }, []int{1}, "no part", v, origin},
		"another event":       {func(o *ProofOpened) { o.Parts[1].Event = o.Parts[last].Event }, []int{1}, "not the event", v, origin},
		"a record of another": {func(o *ProofOpened) { o.Parts[1] = grace[1] }, []int{1}, "not of the history", v, origin},
		"one text twice":      {func(o *ProofOpened) { o.Parts[last] = o.Parts[1] }, []int{last}, "twice", v, origin},
		"no record":           {func(o *ProofOpened) { o.Parts[1].Record = "" }, []int{1}, "", v, origin},
		"a path that was changed": {func(o *ProofOpened) {
			o.Parts[1].Record = strings.Replace(o.Parts[1].Record, "\nindex ", "\nindex 1", 1)
		}, []int{1}, "", v, origin},
		"another person": {func(o *ProofOpened) { o.Person = all["grace"].Person }, nil, "not of the history", v, origin},
		"another app":    {func(o *ProofOpened) { o.App = "bank" }, nil, "not of the history", v, origin},
		"another key":    {func(*ProofOpened) {}, nil, "", stranger, origin},
		"another origin": {func(*ProofOpened) {}, nil, "", v, "elsewhere.example"},
	} {
		changed, err := ParseOpened(text)
		if err != nil {
			t.Fatal(err)
		}
		c.change(&changed)
		for i, p := range changed.Verify(c.by, c.origin) {
			want := c.wrong == nil
			for _, n := range c.wrong {
				want = want || n == i
			}
			if want != (p.Wrong != nil) || want && !strings.Contains(p.Wrong.Error(), c.why) {
				t.Errorf("%s: part %d: %v", name, i, p.Wrong)
			}
		}
	}

	for name, bad := range map[string]string{
		"nothing":         "",
		"cut":             string(text[:len(text)/2]),
		"two":             string(text) + string(text),
		"a member more":   `{"says":"it is so",` + string(text[1:]),
		"no texts":        `{"app":"demo","person":"` + opened.Person + `","disclosure":"x","to":"court","parts":[]}`,
		"no person":       strings.Replace(string(text), opened.Person, "ada", 1),
		"no app":          strings.Replace(string(text), `"app":"demo"`, `"app":"De mo"`, 1),
		"a receipt or so": `{"evidence":{}}`,
	} {
		if _, err := ParseOpened([]byte(bad)); err == nil {
			t.Errorf("%s is read", name)
		}
	}
}

// Whatever stands in a file, it is read or refused, and shows nothing unless it was signed.
func FuzzParseOpened(f *testing.F) {
	f.Add([]byte(`{"app":"demo","person":"0123456789abcdef0123456789abcdef","disclosure":"x","to":"court","parts":[` +
		`{"event":"01234567-89ab-cdef-0123-456789abcdef","role":"details","text":"yes","opening":"00","record":` +
		`"c2sp.org/tlog-proof@v1\nextra e30=\nindex 0\n\nlogs.example.com/demo\n1\nAAAA\n"}]}`))
	_, key, err := note.GenerateKey(nil, "logs.example.com/demo")
	if err != nil {
		f.Fatal(err)
	}
	v, err := note.NewVerifier(key)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		o, err := ParseOpened(text)
		if err != nil {
			return
		}
		for _, p := range o.Verify(v, v.Name()) {
			if p.Wrong == nil {
				t.Errorf("a text is shown by a key that signed nothing: %+v", p)
			}
		}
	})
}
