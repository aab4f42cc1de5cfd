package auditreport_test

import (
	"strings"
	"testing"

	"consentledger/api/report/auditreport"
	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/eventstore/ledger"
	"consentledger/projections/projectiontest"
)

// An import says by whose list it was filtered, and the report names the orders
// to erase that it may contradict.
func TestImportsAreTiedToErasures(t *testing.T) {
	w := projectiontest.NewTeller(t)
	w.Register()
	w.Publish(projectiontest.Document("one"))
	erase := func(who string) string {
		r, err := w.Erase(t.Context(), ledger.Request{App: projectiontest.App, Person: ident.PersonKey{Kind: "account", ID: who}, Source: "test", ID: "erase " + who, Actor: "operator", RecordedBy: "desk",
			Command: domain.OrderErasure{Reason: "request", By: [2]string{"eve", "bob"}}})
		if err != nil {
			t.Fatal(err)
		}
		return r.Event.String()
	}
	w.Rest(90 * deadline.Day)
	imported := func(who string, days deadline.Span, by string) {
		w.TellAt(who, w.Time().Add(-days*deadline.Day), domain.GiveConsent{Act: "click", Import: true, FilteredBy: by})
	}
	imported("ann", 60, "")
	for _, who := range []string{"bob", "cyd"} {
		w.Tell(who, domain.GiveConsent{Act: "click"})
	}
	early := erase("bob")
	w.Rest(20 * deadline.Day)
	late := erase("cyd")
	w.Rest(deadline.Day)
	imported("dee", 60, "operator:ann")
	imported("eve", 50, "operator:ann")
	imported("fay", 10, "operator:ben")

	r := made(t, w, 0, w.Time()+1)
	if len(r.Imports) != 3 || r.Consents.Imported != 4 {
		t.Fatalf("%+v", r.Imports)
	}
	for i, want := range []struct {
		by               string
		consents, erased int64
		orders           string
	}{{"", 1, 0, ""}, {"operator:ann", 2, 2, late + " " + early}, {"operator:ben", 1, 1, late}} {
		if x := r.Imports[i]; x.FilteredBy != want.by || x.Consents != want.consents || x.Erased != want.erased || strings.Join(x.Orders, " ") != want.orders {
			t.Errorf("import %d: %+v, want %+v", i+1, x, want)
		}
	}
	if a, b := r.Imports[1].Oldest, r.Imports[1].Newest; a >= b {
		t.Errorf("from %s to %s", a, b)
	}
	for lang, title := range map[string]string{"en": "Imports, and who was erased before them", "zh": "导入，以及导入之前的删除"} {
		if text := string(written(t, r, auditreport.Markdown, lang)); !strings.Contains(text, title) || !strings.Contains(text, "operator:ann") {
			t.Errorf("%s: the report does not show them", lang)
		}
	}
}

// What was imported before the rule says nothing of a list: the first page says so.
func TestAnImportWithoutAListIsSaid(t *testing.T) {
	r := auditreport.Report{Imports: []auditreport.Import{{Consents: 3, Erased: 1}, {Consents: 5}, {Consents: 7, Erased: 1, FilteredBy: "operator:ann"}}}
	text := string(written(t, r, auditreport.Markdown, "en"))
	if !strings.Contains(text, "although somebody was erased before: 3.") {
		t.Error(text)
	}
}
