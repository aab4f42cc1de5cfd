package query

import (
	"strconv"
	"strings"
	"testing"

	"consentledger/api/smartkeytest"
	"consentledger/api/wire"
	"consentledger/api/wire/parse"
	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/eventstore/ledger"
)

// aText is the hash of the text of the sample app.
const aText = "sha256:bbc4f8627c18bf9349657dd70fc230dd40c51c441d0e1c514ce586cae39adeea"

// What the examples alone cannot reach: one event refers to another.
func TestOneEventRefersToAnother(t *testing.T) {
	l := smartkeytest.Ledger(t)
	say := func(kind, data string) ledger.Receipt {
		t.Helper()
		r, err := parse.OperatorEvent("smartkey", []byte(`{"specversion":"1.0","id":`+strconv.Quote(kind+data)+`,"source":"/a","type":"`+kind+`","subject":"kid","data":{`+data+`}}`))
		if err != nil {
			t.Fatal(err)
		}
		if names := strings.Contains(data, "account:mum") || strings.Contains(data, "device:tablet"); names != (r.Other.ID != "") {
			t.Errorf("%s: the other is %v", kind, r.Other)
		}
		receipt, err := l.Execute(t.Context(), r)
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		return receipt
	}
	const proof = `"proof":{"document":"` + aText + `","method":"in-person","checked_by":"ann"}`
	say("age.recorded", `"band":"under-14","basis":"declared"`)
	say("guardian.verified", `"guardian":"account:mum",`+proof)
	yes := say("consent.given", `"act":"confirm-next","purposes":["personalisation"],"once":true,"guardian":"account:mum",`+proof)
	check := func(want bool, why domain.Why) {
		t.Helper()
		a, err := Check(t.Context(), l, "smartkey", wire.CheckRequest{Subject: "kid", Purpose: "personalisation"}, "test", l.Now())
		if err != nil || a.Allowed != want || a.Why != string(why) || a.Band != "under-14" {
			t.Errorf("%+v, %v", a, err)
		}
	}
	check(true, domain.WhyConsent)
	say("record.disputed", `"records":["`+yes.Event.String()+`"],"reason":"never-agreed"`)
	say("consent.used", `"consents":["`+yes.Event.String()+`"]`)
	check(false, domain.WhyGuardian)
	say("guardian.ended", `"guardian":"account:mum","reason":"of-age"`)
	say("subject.linked", `"other":"device:tablet","proof":"login"`)
	say("subject.unlinked", `"other":"device:tablet","reason":"logout"`)
	say("record.voided", `"records":["`+yes.Event.String()+`"],"reason":"mistake","evidence":"`+aText+`","by":["ann","bo"]`)
	held := say("exemption.invoked", `"list":"collect","code":"EXC-C4","purposes":["safety"],"reason":"danger","approver":"bo","until":"`+l.Now().Add(deadline.Day).String()+`"`)
	say("exemption.ended", `"exemption":"`+held.Event.String()+`"`)
}
