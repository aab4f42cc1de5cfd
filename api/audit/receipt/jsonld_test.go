package receipt_test

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"os"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"testing"

	"consentledger/api/audit/receipt"
	"consentledger/api/internal/npm"
	"consentledger/domain"
	"consentledger/domain/policy"
)

// dpvTerms are the names of every class and property that the Data Privacy
// Vocabulary has in all of its versions from 2.0 to 2.3.
//
//go:embed testdata/dpv-terms.txt
var dpvTerms string

const (
	dpv = "https://w3id.org/dpv#"
	dct = "http://purl.org/dc/terms/"
	own = "urn:consentledger:"
)

// expand gives a record to npm's jsonld, in the mode in which it refuses to drop
// anything, without leave to load anything. It returns the expanded record.
func expand(t *testing.T, record []byte) map[string]any {
	t.Helper()
	modules := npm.Modules(t)
	var log bytes.Buffer

	c := exec.CommandContext(t.Context(), "node", "-e", `
const jsonld = require('jsonld');
const documentLoader = url => { throw new Error('it wants to load ' + url); };
const record = JSON.parse(require('fs').readFileSync(0, 'utf8'));
(async () => {
	const expanded = await jsonld.expand(record, {safe: true, documentLoader});
	await jsonld.toRDF(record, {safe: true, documentLoader, format: 'application/n-quads'});
	console.log(JSON.stringify(expanded));
})().catch(e => { console.error(e); process.exit(1); });`)
	c.Env = append(os.Environ(), "NODE_PATH="+modules)
	c.Stdin, c.Stderr = bytes.NewReader(record), &log
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%v: %s\n%s", err, &log, record)
	}

	var all []map[string]any
	if err := json.Unmarshal(out, &all); err != nil || len(all) != 1 {
		t.Fatalf("%d nodes, %v: %s", len(all), err, out)
	}
	return all[0]
}

// at follows names through the first of each list.
func at(v any, path ...string) any {
	for _, name := range path {
		if list, is := v.([]any); is && len(list) > 0 {
			v = list[0]
		}
		node, _ := v.(map[string]any)
		v = node[name]
	}
	return v
}

// TestAnISORecordIsConceptsToAJSONLDProcessor: nothing is dropped, what is a
// concept is one, and the evidence survives.
func TestAnISORecordIsConceptsToAJSONLDProcessor(t *testing.T) {
	c, _ := given(t)
	c.State = &receipt.State{AsOf: "2026-02-01T00:00:00.000Z", Purposes: []receipt.Purpose{
		{Purpose: "ads", Status: "withdrawn", Since: "2026-01-15T00:00:00.000Z", Because: []string{c.Entry.ID.String()}},
		{Purpose: "net", Status: "given", Since: "2026-01-01T00:00:01.000Z", Because: []string{c.Entry.ID.String()}},
	}}
	text, err := receipt.Write(receipt.ISO, c)
	if err != nil {
		t.Fatal(err)
	}
	node := expand(t, text)

	id := func(iri string) any { return []any{map[string]any{"@id": iri}} }
	process := func(path ...string) any { return at(node, append([]string{dpv + "hasProcess"}, path...)...) }
	for name, tt := range map[string]struct{ got, want any }{
		"the record's type":        {node["@type"], []any{dpv + "ConsentRecord"}},
		"the legal basis":          {process(dpv + "hasLegalBasis"), id(dpv + "Consent")},
		"the processing":           {process(dpv + "hasProcessing"), []any{map[string]any{"@id": dpv + "Collect"}, map[string]any{"@id": dpv + "Share"}}},
		"the jurisdiction":         {process(dpv + "hasJurisdiction"), id("https://w3id.org/dpv/loc#CN")},
		"who gave it":              {at(node, own+"answer", dpv+"hasEntity"), id(dpv + "DataSubject")},
		"the kind of consent":      {at(node, own+"answer", "@type"), []any{dpv + "ExplicitlyExpressedConsent"}},
		"how to withdraw":          {process(dpv+"hasConsentControl", "@type"), []any{dpv + "WithdrawConsent"}},
		"and by what procedure":    {process(dpv+"hasConsentControl", dct+"description", "@value"), "tap Withdraw"},
		"the state of the purpose": {process(dpv+"hasConsentStatus", "@type"), []any{dpv + "ConsentWithdrawn"}},
		"the data":                 {process(dpv+"hasPersonalData", "@type"), []any{dpv + "PersonalData"}},
		"the proof":                {at(node, own+"evidence", own+"proof", "@value"), base64Of(c.Proof)},
		"the opening":              {at(node, own+"evidence", own+"parts", own+"opening", "@value"), base64Of(opening)},
		"what holds":               {at(node, own+"evidence", own+"state", own+"purposes", own+"status", "@value"), "withdrawn"},
	} {
		if !reflect.DeepEqual(tt.got, tt.want) {
			t.Errorf("%s is %v, want %v", name, tt.got, tt.want)
		}
	}
	if statuses, _ := node[dpv+"hasConsentStatus"].([]any); len(statuses) != 3 {
		t.Errorf("the record has the statuses %v, want withdrawn, invalidated and given", statuses)
	}
	checkTerms(t, node)
}

// TestAVoidedISORecordKeepsItsVoid: an expansion drops none of it.
func TestAVoidedISORecordKeepsItsVoid(t *testing.T) {
	c, _ := given(t)
	c.State = &receipt.State{
		AsOf:     "2026-02-01T00:00:00.000Z",
		Voided:   &receipt.Void{Event: c.Entry.ID.String(), Type: "record.voided", At: "2026-01-20T00:00:00.000Z", Reason: "wrong-person"},
		Purposes: []receipt.Purpose{{Purpose: "ads", Status: "never-asked"}},
	}
	text, err := receipt.Write(receipt.ISO, c)
	if err != nil {
		t.Fatal(err)
	}
	node := expand(t, text)
	if got := at(node, own+"answer", own+"voided", dct+"description", "@value"); got != "wrong-person" {
		t.Errorf("the reason is %v", got)
	}
	if got := at(node, dpv+"hasConsentStatus", "@type"); !reflect.DeepEqual(got, []any{dpv + "ConsentInvalidated"}) {
		t.Errorf("the status is %v", got)
	}
	checkTerms(t, node)
}

// TestWhatNobodySaidIsLeftOut: no form of a receipt has an empty text, and no
// receipt uses a word that the vocabulary does not have.
func TestWhatNobodySaidIsLeftOut(t *testing.T) {
	bare := policy.Document{Name: "privacy", Jurisdiction: "CN", TimeZone: "Asia/Shanghai", Purposes: []policy.Purpose{{ID: "ads"}, {ID: "net", Basis: policy.BasisLegalDuty}}}
	little, _ := givenTo(t, bare, origin)
	little.App = domain.App{Name: "demo"}
	opt, _ := recorded(t, domain.ConsentWithdrawn{Scope: policy.Scope{All: true}}, policy.Document{}, origin)
	for _, c := range []receipt.Consent{little, opt} {
		text, err := receipt.Write(receipt.ISO, c)
		if err != nil {
			t.Fatal(err)
		}
		checkTerms(t, expand(t, text))
		kantara, err := receipt.Write(receipt.Kantara, c)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range [][]byte{text, kantara} {
			if strings.Contains(string(text), `: ""`) || strings.Contains(string(text), ": null") {
				t.Errorf("an empty value in %s", text)
			}
		}
	}
}

// checkTerms finds words that the vocabulary does not have, and empty values.
func checkTerms(t *testing.T, v any) {
	t.Helper()
	known := strings.Fields(dpvTerms)
	check := func(iri string) {
		if term, is := strings.CutPrefix(iri, dpv); is && !slices.Contains(known, term) {
			t.Errorf("the vocabulary has no dpv:%s", term)
		}
	}
	switch v := v.(type) {
	case map[string]any:
		for name, inner := range v {
			check(name)
			checkTerms(t, inner)
		}
	case []any:
		for _, inner := range v {
			checkTerms(t, inner)
		}
	case string:
		check(v)
		if v == "" {
			t.Error("an unknown value is an empty text")
		}
	}
}
