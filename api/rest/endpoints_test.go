package rest

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"consentledger/api/wire"
	"consentledger/domain/deadline"
	"consentledger/domain/policy"

	"github.com/go-json-experiment/json"
)

const (
	appEndpoint      = "/v1/apps/demo/events"
	operatorEndpoint = "/v1/apps/demo/operator/events"
)

// aboutApp is an event that names no person.
func aboutApp(id, kind, data string) string {
	return strings.Replace(event(id, "ann", kind, data), `"subject":"ann",`, "", 1)
}

func (h *testServer) receipt(path, body string, headers ...string) wire.Receipt {
	h.t.Helper()
	var r wire.Receipt
	if err := json.Unmarshal([]byte(h.want(200, `"event_id"`, "POST", path, body, headers...)), &r); err != nil {
		h.t.Fatal(err)
	}
	return r
}

func TestOperatorsHaveEndpointsOfTheirOwn(t *testing.T) {
	h := open(t)
	h.furnish()
	given := h.receipt(appEndpoint, event("e1", "ann", "consent.given", yes))
	void := event("v1", "ann", "record.voided", fmt.Sprintf(`{"records":[%q],"reason":"mistake","evidence":"sha256:40529c2085aed8cc8bba5ce6c83994a217ed98daf51490f12fa8afce3cf3366d","by":["ann","bo"]}`, given.EventID))
	h.want(403, "not-for-apps", "POST", appEndpoint, void)
	h.want(403, "not-for-apps", "POST", appEndpoint, aboutApp("s1", "service.ceased", `{"reason":"over"}`))
	h.receipt(operatorEndpoint, void)
	h.want(200, `"allowed":false`, "POST", "/v1/apps/demo/check", `{"subject":"ann","purpose":"mail"}`)

	recipient := aboutApp("", "recipient.removed", `{"recipient":"acme","reason":"contract ended"}`)
	first := h.receipt(operatorEndpoint, recipient, "Idempotency-Key: k1")
	if again := h.receipt(operatorEndpoint, recipient, "Idempotency-Key: k1"); again != first {
		t.Errorf("%v, then %v", first, again)
	}
	h.want(200, `"actor":"operator"`, "GET", "/v1/replay?type=recipient.removed", "")

	b := h.want(200, "", "POST", operatorEndpoint, "["+aboutApp("c", "service.ceased", `{"reason":"over"}`)+","+event("h", "ann", "hold.placed", `{"reason":"court"}`)+","+aboutApp("x", "hold.placed", `{"reason":"court"}`)+"]")
	var rows Rows
	if err := json.Unmarshal([]byte(b), &rows); err != nil || len(rows.Results) != 3 || rows.Results[0].Status != 200 || rows.Results[1].Status != 200 || rows.Results[2].Status != 400 {
		t.Errorf("%s, %v", b, err)
	}
	h.want(200, `"why":"service-ceased"`, "POST", "/v1/apps/demo/check", `{"subject":"ann","purpose":"mail"}`)
	if _, spec := h.do("GET", "/openapi.json", ""); !strings.Contains(spec, "Where serve has no --authenticate") {
		t.Error("the specification does not say that the operators' endpoints are open")
	}
}

func TestASignatureIsOverTheBytesThatWereSent(t *testing.T) {
	h := open(t)
	id := h.surface(h.furnish())
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	header := func(body string) string {
		return "Consent-Signature: backend;" + base64.StdEncoding.EncodeToString(ed25519.Sign(private, []byte(body)))
	}
	notice := h.receipt(appEndpoint, event("n", "ann", "notice.presented", fmt.Sprintf(`{"surface":%q,"locale":"en"}`, id)))
	answer := " " + event("", "ann", "consent.given", fmt.Sprintf(`{"notice":%q,"control":"yes"}`, notice.EventID)) + "\n"
	h.want(403, "unknown-signer", "POST", appEndpoint, answer, header(answer), "Idempotency-Key: y")
	h.receipt(operatorEndpoint, aboutApp("s", "signer.registered", fmt.Sprintf(`{"name":"backend","key":%q}`, base64.StdEncoding.EncodeToString(public))))
	h.want(403, "bad-signature", "POST", appEndpoint, answer+" ", header(answer), "Idempotency-Key: y")
	h.want(400, "Consent-Signature", "POST", appEndpoint, answer, "Consent-Signature: backend;AAAA", "Idempotency-Key: y")
	batch := "[" + event("b", "ann", "consent.withdrawn", `{"all":true}`) + "]"
	h.want(200, `"not_understood":"consent-signature"`, "POST", appEndpoint, batch, header(batch)) // it opts out
	h.receipt(appEndpoint, answer, header(answer), "Idempotency-Key: y")
	h.want(200, `"evidence":"strong"`, "POST", "/v1/apps/demo/check", `{"subject":"ann","purpose":"mail"}`)
	h.receipt(appEndpoint, event("plain", "bo", "consent.given", yes))
	h.want(200, `"evidence":"weak"`, "POST", "/v1/apps/demo/check", `{"subject":"bo","purpose":"mail"}`)
}

func TestAVoidIsLookedAtBeforeItIsDone(t *testing.T) {
	h := open(t)
	h.furnish()
	from := h.ledg.Now()
	var ids []string
	for i, who := range []string{"ann", "bo", "bo"} {
		ids = append(ids, h.receipt(appEndpoint, event(fmt.Sprint(i), who, "consent.given", `{"act":"click","purposes":["mail"],"build":"1.0"}`)).EventID)
	}
	h.receipt(appEndpoint, event("n", "cy", "consent.refused", `{"purposes":["mail"],"build":"1.0"}`))
	h.receipt(appEndpoint, event("o", "cy", "consent.given", `{"act":"click","purposes":["mail"],"build":"2.0"}`))
	const path = "/v1/apps/demo/voids/preview"
	span := func(from, to deadline.Instant) string {
		return fmt.Sprintf(`{"build":"1.0","from":%q,"to":%q}`, from, to)
	}
	end := h.ledg.Now().Add(deadline.Day)
	h.want(200, `{"records":4,"persons":3,"by_type":[{"type":"consent.given","records":3},{"type":"consent.refused","records":1}],"unknown":0`, "POST", path, span(from, end))
	h.want(200, `{"records":0,"persons":0,"by_type":[]`, "POST", path, span(end, end.Add(deadline.Day)))
	h.want(200, `{"records":2,"persons":2,`, "POST", path, fmt.Sprintf(`{"records":[%q,%q]}`, ids[0], ids[1]))
	h.want(200, `"unknown":1`, "POST", path, fmt.Sprintf(`{"records":[%q,"01234567-89ab-cdef-0123-456789abcdef"]}`, ids[0]))
	for _, b := range []string{`{}`, `{"build":"1.0"}`, span(end, from), `{"records":["x"]}`, fmt.Sprintf(`{"records":[%q,%q]}`, ids[0], ids[0]), fmt.Sprintf(`{"build":"1.0","records":[%q]}`, ids[0])} {
		if code, answer := h.do("POST", path, b); code != 400 {
			t.Errorf("%s: %d %s", b, code, answer)
		}
	}
	h.want(404, "unknown-app", "POST", "/v1/apps/nosuch/voids/preview", span(from, end))
	h.want(200, `"before":"given","after":"never-asked","persons":2`, "POST", path, span(from, end))
	var page, rest VoidCount
	for i, a := range []*VoidCount{&page, &rest} {
		b := strings.TrimSuffix(span(from, end), "}") + `,"limit":2}`
		if page.Next != "" {
			b = strings.TrimSuffix(b, "}") + fmt.Sprintf(`,"cursor":%q}`, page.Next)
		}
		if err := json.Unmarshal([]byte(h.want(200, "", "POST", path, b)), a); err != nil || len(a.Touched) != 2-i || a.Persons != 3 || (a.Next == "") != (i == 1) {
			t.Errorf("page %d: %+v, %v", i, *a, err)
		}
	}
	h.receipt(operatorEndpoint, event("t", "cy", "subject.test", `{"reason":"monkey"}`))
	h.want(200, `{"records":3,"persons":2,"by_type":[{"type":"consent.given","records":3}],"unknown":0,"tests":1,`, "POST", path, span(from, end))
	// The void does what was foreseen.
	h.receipt(operatorEndpoint, aboutApp("v", "build.voided", strings.TrimSuffix(span(from, end), "}")+`,"reason":"mistake","evidence":"sha256:40529c2085aed8cc8bba5ce6c83994a217ed98daf51490f12fa8afce3cf3366d","by":["ann","bo"]}`))
	h.want(200, `"allowed":false`, "POST", "/v1/apps/demo/check", `{"subject":"bo","purpose":"mail"}`)
}

func TestAGroupHearsANoAtOnce(t *testing.T) {
	h := openWithViews(t)
	body, _ := publishedIn(t)
	for app, settings := range map[string]string{
		"demo": strings.Replace(appJSON, "{", `{"group":"acme",`, 1), "demo2": strings.Replace(appJSON, "{", `{"group":"acme",`, 1), "other": appJSON,
	} {
		h.want(200, "", "PUT", "/v1/apps/"+app, settings)
		h.want(200, "", "POST", "/v1/apps/"+app+"/policies", body)
		h.receipt("/v1/apps/"+app+"/events", event("e1", "ann", "consent.given", yes))
	}
	h.want(200, `"group":"acme"`, "GET", "/v1/apps/demo", "")
	const path = "/v1/groups/acme/events"
	no := event("", "ann", "consent.withdrawn", `{"all":true}`)
	var first GroupRows
	answer := h.want(200, "", "POST", path, no, "Idempotency-Key: e1")
	if err := json.Unmarshal([]byte(answer), &first); err != nil || len(first.Results) != 2 {
		t.Fatalf("%s, %v", answer, err)
	}
	for _, r := range first.Results {
		if r.Status != 200 || r.Receipt == nil || r.App == "other" {
			t.Errorf("%+v", r)
		}
		h.want(200, `"status":"withdrawn"`, "POST", "/v1/apps/"+r.App+"/check", `{"subject":"ann","purpose":"mail"}`)
	}
	h.want(200, `"allowed":true`, "POST", "/v1/apps/other/check", `{"subject":"ann","purpose":"mail"}`)
	if again := h.want(200, "", "POST", path, no, "Idempotency-Key: e1"); again != answer {
		t.Errorf("sent again: %s, want %s", again, answer)
	}
	h.want(400, "does not go to a group", "POST", path, event("y", "ann", "consent.given", yes))
	h.want(400, "does not go to a group", "POST", path, event("p", "ann", "permission.revoked", `{"permission":"network"}`))
	h.want(200, `"status":422`, "POST", path, event("u", "ann", "consent.refused", `{"purposes":["nothing"]}`))
	h.want(200, `"app":"demo2"`, "POST", path, event("c", "ann", "subject.closed", `{"reason":"account-deleted"}`))
	h.want(404, "no app", "POST", "/v1/groups/nobody/events", no, "Idempotency-Key: e1")
	h.want(400, "a group is named", "POST", "/v1/groups/A%20b/events", no, "Idempotency-Key: e1")
	h.want(400, "a group is named", "PUT", "/v1/apps/demo", strings.Replace(appJSON, "{", `{"group":"A b",`, 1))
}

func TestChecksByHTTPAreRecordedAsThePolicySays(t *testing.T) {
	h := open(t)
	h.want(200, "", "PUT", "/v1/apps/demo", appJSON)
	watched := doc
	watched.Purposes = append([]policy.Purpose(nil), doc.Purposes...)
	watched.Purposes[0].LogChecks = policy.LogAll
	body, _ := document(t, watched)
	h.want(200, "", "POST", "/v1/apps/demo/policies", fmt.Sprintf(`{"document":%s,"texts":{%q:%q}}`, body, doc.Texts[0].Hash, text))
	h.receipt(appEndpoint, event("e", "ann", "consent.given", yes))
	one := `{"subject":"ann","purpose":"mail","valid_at":"` + deadline.At(time.Now()).String() + `"}`
	h.want(200, `"allowed":true`, "POST", "/v1/apps/demo/check", `{"checks":[`+one+","+one+`]}`)
	h.want(200, `"allowed":true`, "GET", "/v1/apps/demo/subjects/ann/purposes/mail/check", "")
	h.want(200, `"why":"category-not-declared"`, "GET", "/v1/apps/demo/subjects/ann/purposes/mail/check?category=faces", "")
	b := h.want(200, "", "GET", "/v1/replay?type=check.answered", "")
	if strings.Count(b, "\n") != 4 || strings.Contains(b, `"ann"`) {
		t.Error(b)
	}
}
