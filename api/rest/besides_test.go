package rest

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"consentledger/api/wire/parse"
	"consentledger/api/wire/wiretest"
	"consentledger/domain"
	"consentledger/domain/ident"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/ledger"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// keepsClaims reports whether each of a person's records has sealed what was not understood.
func (h *testServer) keepsClaims(id string) bool {
	h.t.Helper()
	all := true
	for e, err := range h.ledg.History(h.t.Context(), "demo", ident.PersonKey{Kind: "account", ID: id}) {
		if err != nil {
			h.t.Fatal(err)
		}
		all = all && e.NotUnderstood != "" && slices.ContainsFunc(e.Parts, func(p codec.Part) bool { return p.Role == ledger.ClaimsRole })
	}
	return all
}

func TestASignatureThatDoesNotHoldRefusesNoOptOut(t *testing.T) {
	h := open(t)
	h.furnish()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	h.receipt(operatorEndpoint, aboutApp("s", "signer.registered", `{"name":"backend","key":"`+base64.StdEncoding.EncodeToString(public)+`"}`))
	other := base64.StdEncoding.EncodeToString(ed25519.Sign(private, []byte("something else")))
	for i, text := range []string{"nobody;" + other, "backend;" + other, "backend;AAAA", "garbled", ";", "", "backend;" + other + ";x"} {
		header := "Consent-Signature: " + text
		who := "ann-" + string(rune('a'+i))
		for name, no := range map[string]string{"structured": event("", who, "consent.withdrawn", `{"all":true}`), "refused": event("", who, "consent.refused", `{"purposes":["mail"]}`)} {
			r := h.receipt(appEndpoint, no, header, "Idempotency-Key: "+name)
			if again := h.receipt(appEndpoint, no, "Idempotency-Key: "+name); again.EventID != r.EventID || r.NotUnderstood != "consent-signature" {
				t.Errorf("%q: %+v, and without the signature %+v", text, r, again)
			}
			if !h.keepsClaims(who) {
				t.Errorf("%q: what it said is not kept", text)
			}
		}
		if code, answer := h.do("POST", appEndpoint, event("g", who, "consent.given", yes), header); code != 400 && code != 403 {
			t.Errorf("%q: a grant is %d %s", text, code, answer)
		}
		if n := h.records(who); n != 2 {
			t.Errorf("%q: %d records", text, n)
		}
	}
}

func TestASignatureBesideABatchOrBinaryModeRefusesNoOptOut(t *testing.T) {
	h := open(t)
	h.furnish()
	signature := "Consent-Signature: backend;" + base64.StdEncoding.EncodeToString(make([]byte, 64))
	batch := "[" + event("1", "ann", "consent.withdrawn", `{"all":true}`) + "," + event("2", "ann", "consent.given", yes) + "]"
	var rows Rows
	if err := json.Unmarshal([]byte(h.want(200, "", "POST", appEndpoint, batch, signature)), &rows); err != nil {
		t.Fatal(err)
	}
	if a, b := rows.Results[0], rows.Results[1]; a.Status != 200 || a.Receipt.NotUnderstood != "consent-signature" || b.Status != 400 || !strings.Contains(b.Problem.Detail, "neither binary mode nor a batch") {
		t.Errorf("%+v, %+v", a.Receipt, b.Problem)
	}
	binary := []string{"ce-specversion: 1.0", "ce-id: b", "ce-source: a", "ce-subject: bo", signature}
	h.want(200, `"not_understood":"consent-signature"`, "POST", appEndpoint, `{"all":true}`, append(binary, "ce-type: consent.withdrawn")...)
	h.want(400, "neither binary mode nor a batch", "POST", appEndpoint, yes, append(binary, "ce-type: consent.given")...)
}

func TestAnOptOutIsTakenByItsOwnIDBesideAKey(t *testing.T) {
	h := open(t)
	h.furnish()
	no := event("own", "ann", "consent.withdrawn", `{"all":true}`)
	for _, key := range []string{"middleware-1", "middleware-2", "a b", "", strings.Repeat("x", 300)} {
		r := h.receipt(appEndpoint, no, "Idempotency-Key: "+key)
		if r.NotUnderstood != "idempotency-key" || r.ID != "own" {
			t.Errorf("%q: %+v", key, r)
		}
	}
	if n := h.records("ann"); n != 1 {
		t.Errorf("%d records, want one: the id is the same", n)
	}
	if !h.keepsClaims("ann") {
		t.Error("the key is not kept")
	}
	binary := []string{"ce-specversion: 1.0", "ce-id: b", "ce-source: a", "ce-subject: bo", "Idempotency-Key: k"}
	h.want(200, `"not_understood":"idempotency-key"`, "POST", appEndpoint, `{"all":true}`, append(binary, "ce-type: consent.withdrawn")...)
	h.want(400, "without Idempotency-Key", "POST", appEndpoint, yes, append(binary, "ce-type: consent.given")...)
	h.want(400, "without Idempotency-Key", "POST", appEndpoint, event("g", "ann", "consent.given", yes), "Idempotency-Key: k")

	both := h.receipt(appEndpoint, event("both", "cy", "consent.withdrawn", `{"purposes":["mail"],"act":5}`), "Idempotency-Key: k", "Consent-Signature: x")
	if both.NotUnderstood != "consent-signature,idempotency-key,data.act" {
		t.Errorf("%+v", both)
	}
	h.want(409, `"id-reused"`, "POST", appEndpoint, event("own", "ann", "consent.withdrawn", `{"purposes":["mail"]}`), "Idempotency-Key: k")
	rows := h.want(200, "", "POST", appEndpoint, "["+event("r1", "dan", "consent.withdrawn", `{"all":true}`)+","+event("", "dan", "consent.refused", `{"all":true}`)+","+event("r3", "dan", "consent.given", yes)+"]", "Idempotency-Key: night")
	if strings.Count(rows, `"receipt"`) != 2 || strings.Count(rows, `"not_understood":"idempotency-key"`) != 1 || !wiretest.Holds(rows, `"id":"night/2"`) {
		t.Error(rows)
	}
}

// A header that stands twice or is empty refuses what is no opt-out, as on any other
// route, and an opt-out that has no other id.
func TestAHeaderThatStandsTwiceRefusesNoOptOut(t *testing.T) {
	h := open(t)
	h.furnish()
	send := func(event string, headers ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("POST", "http://localhost"+appEndpoint, strings.NewReader(event))
		r.Header.Set("Content-Type", "application/json")
		for _, line := range headers {
			name, value, _ := strings.Cut(line, ": ")
			r.Header.Add(name, value)
		}
		w := httptest.NewRecorder()
		h.h.ServeHTTP(w, r)
		return w
	}
	for _, headers := range [][]string{{"Idempotency-Key: a", "Idempotency-Key: b"}, {"Idempotency-Key: "}, {"Consent-Signature: x", "Consent-Signature: y"}, {"Consent-Signature: "}} {
		name, _, _ := strings.Cut(headers[0], ":")
		w := send(event("own", "ann", "consent.withdrawn", `{"all":true}`), headers...)
		if w.Code != 200 || !wiretest.Holds(w.Body.String(), `"id":"own"`) {
			t.Errorf("%v: %d %s", headers, w.Code, w.Body)
		}
		if w := send(event("yes", "ann", "consent.given", yes), headers...); w.Code != 400 || !strings.Contains(w.Body.String(), name) {
			t.Errorf("%v: a grant is %d %s", headers, w.Code, w.Body)
		}
	}
	for id, want := range map[string]int{"": 400, "own": 200} {
		if w := send(event(id, "bo", "consent.withdrawn", `{"all":true}`), "Idempotency-Key: a", "Idempotency-Key: b"); w.Code != want {
			t.Errorf("id %q: %d %s", id, w.Code, w.Body)
		}
	}
}

func TestAGroupTakesAnOptOutWhateverStandsBeside(t *testing.T) {
	h := open(t)
	h.furnish()
	h.want(200, "", "PUT", "/v1/apps/demo", `{"environment":"test","jurisdiction":"CN","group":"acme"}`)
	no := event("own", "ann", "consent.withdrawn", `{"all":true}`)
	for _, header := range []string{"Consent-Signature: nobody;" + base64.StdEncoding.EncodeToString(make([]byte, 64)), "Consent-Signature: x", "Idempotency-Key: k"} {
		name, text, _ := strings.Cut(header, ": ")
		if answer := h.want(200, `"status":200`, "POST", "/v1/groups/acme/events", no, header); !wiretest.Holds(answer, `"not_understood":"consent-signature"`) {
			t.Error(name, text, answer)
		}
	}
	if n := h.records("ann"); n != 1 {
		t.Errorf("%d records, want one: the id is the same", n)
	}
	kept, err := parse.GroupEvent{Group: "acme", By: "gate", Event: []byte(no)}.Request()
	if err != nil {
		t.Fatal(err)
	}
	kept.Unread = kept.Unread.With("consent-signature", "x")
	if kept, err = (parse.GroupEvent{Group: "acme", By: "gate", Event: []byte(no)}).Keep(kept); err != nil {
		t.Fatal(err)
	}
	told, err := parse.KeptGroupEvent(domain.Personal(kept.Group))
	if err != nil {
		t.Fatal(err)
	}
	if again, err := told.Request(); err != nil || again.Unread.Names != "consent-signature" || !bytes.Equal(again.Unread.Claims, kept.Unread.Claims) {
		t.Errorf("the other apps are told %+v, %v", again.Unread, err)
	}
}

func TestAContentTypeWithABrokenParameterIsItsType(t *testing.T) {
	h := open(t)
	h.furnish()
	for i, typ := range []string{"application/json; charset", "application/cloudevents+json; charset=", "application/json;charset=utf-8;charset=utf-8", "application/json; =x", "application/json;;"} {
		who := "ann-" + string(rune('a'+i))
		h.want(200, `"event_id"`, "POST", appEndpoint, event("no", who, "consent.withdrawn", `{"all":true}`), "Content-Type: "+typ)
		h.want(200, `"event_id"`, "POST", appEndpoint, event("yes", who, "consent.given", yes), "Content-Type: "+typ)
		h.want(200, `"allowed"`, "POST", "/v1/apps/demo/check", `{"subject":"`+who+`","purpose":"mail"}`, "Content-Type: "+typ)
	}
	for _, typ := range []string{"text/plain; application/json", "text/plain, application/json", "application/json, text/plain", "application/json; charset=utf-16", "; application/json"} {
		h.want(415, "", "POST", appEndpoint, event("no", "bo", "consent.withdrawn", `{"all":true}`), "Content-Type: "+typ)
	}
}

func TestABrokenEventOfABatchDoesNotTouchItsNeighbours(t *testing.T) {
	h := open(t)
	h.furnish()
	deep := `{"specversion":"1.0","id":"d","source":"a","type":"consent.given","subject":"bo","data":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}`
	for i, broken := range []string{deep, `{"a":}`, `{"a" 1}`, `{"a":1,}`, `{"a":1} {"b":2}`, `nul`, `{"text":"a` + "\n" + `b"}`} {
		id := string(rune('a' + i))
		batch := "[" + event(id+"1", "ann", "consent.withdrawn", `{"all":true}`) + " ,\n" + broken + "," + event(id+"2", "cy", "consent.refused", `{"all":true}`) + "]"
		var rows Rows
		if err := json.Unmarshal([]byte(h.want(200, "", "POST", appEndpoint, batch)), &rows); err != nil || len(rows.Results) != 3 {
			t.Fatalf("%.40s: %+v, %v", broken, rows, err)
		}
		if s := rows.Results; s[0].Status != 200 || s[1].Status != 400 || s[2].Status != 200 {
			t.Errorf("%.40s: %d %d %d", broken, s[0].Status, s[1].Status, s[2].Status)
		}
	}
	good := event("g", "ann", "consent.withdrawn", `{"all":true}`)
	for _, batch := range []string{"[" + good + "," + good, "[" + good + ",]", "[," + good + "]", "[" + good + "]]", "[" + good + `,{"a":"b}]`, "[" + good + ",{]}]", "[" + good + "] x", "["} {
		h.want(400, "not a JSON array", "POST", appEndpoint, batch)
	}
	h.want(400, "1 to 1000", "POST", appEndpoint, "[ ]")
}

func FuzzSplit(f *testing.F) {
	for _, seed := range []string{`[]`, `[1,"a,]",{"b":[2,3]}]`, `[{"a":},{"b":1}]`, `[[[`, `[{]}]`, `["\"",1]`, "[1\n,2 ] ", `[,]`, `["\`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		elements, err := split(body)
		var want []jsontext.Value
		if json.Unmarshal(body, &want, lenient) == nil && want != nil {
			if err != nil || len(elements) != len(want) {
				t.Fatalf("%q: %d elements, %v, want %d", body, len(elements), err, len(want))
			}
			for i := range want {
				if !bytes.Equal(elements[i], bytes.TrimSpace(want[i])) {
					t.Errorf("%q: element %d is %q", body, i, elements[i])
				}
			}
		}
		if err != nil {
			return
		}
		// Each stands for itself: put together in another order it is split so.
		whole := []byte("[")
		for i := len(elements) - 1; i >= 0; i-- {
			whole = append(append(whole, elements[i]...), ',')
		}
		whole = append(bytes.TrimSuffix(whole, []byte(",")), ']')
		again, err := split(whole)
		if err != nil || len(again) != len(elements) {
			t.Fatalf("%q: %q, %v", body, again, err)
		}
		for i, e := range elements {
			if len(e) == 0 || !bytes.Equal(again[len(again)-1-i], e) {
				t.Errorf("%q: element %d is %q", body, i, e)
			}
		}
	})
}

// One rule with NATS: a header that is not read here refuses a grant, and no opt-out.
func TestAHeaderOfOursThatIsNotReadRefusesNoOptOut(t *testing.T) {
	h := open(t)
	h.furnish()
	h.want(200, "", "PUT", "/v1/apps/demo", `{"environment":"test","jurisdiction":"CN","group":"acme"}`)
	const reason, named = "Consent-Reason: audit", `"not_understood":"consent-reason"`
	no, grant := event("no", "ann", "consent.withdrawn", `{"all":true}`), event("yes", "ann", "consent.given", yes)
	for _, endpoint := range []string{appEndpoint, operatorEndpoint} {
		h.want(200, named, "POST", endpoint, no, reason)
		h.want(200, named, "POST", endpoint, "["+event("row", "ann", "consent.withdrawn", `{"all":true}`)+"]", reason)
		h.want(400, "Consent-... that is not read here", "POST", endpoint, grant, reason)
		h.want(200, `"status":400`, "POST", endpoint, "["+grant+"]", reason)
	}
	h.want(200, named, "POST", "/v1/groups/acme/events", event("group", "ann", "consent.refused", `{"all":true}`), reason)
	h.want(400, "Consent-... that is not read here", "POST", "/v1/groups/acme/events", event("linked", "ann", "subject.linked", `{"other":"device:d","proof":"login"}`), reason)

	binary := []string{"ce-specversion: 1.0", "ce-id: b", "ce-source: a", "ce-subject: bo", reason}
	h.want(200, named, "POST", appEndpoint, `{"all":true}`, append(binary, "ce-type: consent.withdrawn")...)
	h.want(400, "Consent-... that is not read here", "POST", appEndpoint, yes, append(binary, "ce-type: consent.given")...)
	if !h.keepsClaims("ann") || !h.keepsClaims("bo") {
		t.Error("what the header said is not kept")
	}
	if n := h.records("ann"); n != 3 {
		t.Errorf("%d records of ann, want 3 opt-outs", n)
	}
}

// So is an attribute's header that stands twice, as long as it does not tell who
// says what.
func TestAnAttributeThatStandsTwiceInBinaryModeRefusesNoOptOut(t *testing.T) {
	h := open(t)
	h.furnish()
	send := func(kind, data string, twice ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("POST", "http://localhost"+appEndpoint, strings.NewReader(data))
		r.Header = map[string][]string{"Content-Type": {"application/json"}, "Ce-Specversion": {"1.0"}, "Ce-Id": {kind}, "Ce-Source": {"a"}, "Ce-Subject": {"ann"}, "Ce-Type": {kind}}
		r.Header.Add(twice[0], twice[1])
		r.Header.Add(twice[0], twice[2])
		w := httptest.NewRecorder()
		h.h.ServeHTTP(w, r)
		return w
	}
	if w := send("consent.withdrawn", `{"all":true}`, "ce-sequence", "1", "2"); w.Code != 200 || !wiretest.Holds(w.Body.String(), `"not_understood":"sequence"`) {
		t.Errorf("an opt-out with two numbers is %d %s", w.Code, w.Body)
	}
	if w := send("consent.given", yes, "ce-sequence", "1", "2"); w.Code != 400 {
		t.Errorf("a grant with two numbers is %d %s", w.Code, w.Body)
	}
	if w := send("consent.refused", `{"all":true}`, "ce-subject", "bo", "cy"); w.Code != 400 {
		t.Errorf("an opt-out of two people is %d %s", w.Code, w.Body)
	}
}
