package dashboard

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"consentledger/projections/transparency/merkle"
)

// aPerson is an API with one person of two records, of which a checkpoint covers the first.
func aPerson(t *testing.T, asked *[]string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Method + " " + r.URL.RequestURI() {
		case "GET /v1/apps":
			fmt.Fprint(w, `{"apps":[{"app":"shop"}]}`)
		case "POST /v1/replay":
			fmt.Fprint(w, `{"event_id":"e-1","type":"consent.given","position":"41","at":"2026-03-01T00:00:00Z","recorded":"2026-03-01T00:00:00Z","actor":"person","leaf":"0af1","data":{"purpose":"ads<b>"}}
{"event_id":"e-2","type":"permission.revoked","position":"42","at":"2026-03-02T00:00:00Z","recorded":"2026-03-02T00:00:00Z","actor":"person","data":{"permission":"network"}}
`)
		case "POST /v1/apps/shop/subjects/state":
			fmt.Fprint(w, `{"purposes":[]}`)
		case "GET /log/shop/proof?event=e-1":
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			w.Write(merkle.Proof{Index: 3, Extra: []byte("the record")}.Format())
		case "POST /v1/apps/shop/receipts":
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			*asked = append(*asked, string(body))
			if string(body) != `{"event":"e-1"}` {
				w.WriteHeader(http.StatusBadRequest)
				fmt.Fprint(w, `{"status":400,"code":"malformed","detail":"event: it is no answer"}`)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `{"receipt":1}`)
		default:
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, "not yet")
		}
	})
}

// A history that breaks off lacks the newest records: it is not shown as the whole.
func TestAHistoryThatBreaksOffIsNotShown(t *testing.T) {
	t.Parallel()
	whole := aPerson(t, nil)
	b := &browser{d: &fakeAPI{t: t, h: Handler(Config{Version: "test", Now: time.Now,
		API: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if whole.ServeHTTP(w, r); r.URL.Path == "/v1/replay" {
				fmt.Fprintln(w, `{"error":{"status":503,"code":"unavailable","detail":"the store is away"}}`)
			}
		})})}}
	token := tokenIn.FindStringSubmatch(b.do(httptest.NewRequest("GET", "/ui/person?app=shop", nil)).Body.String())[1]
	form := url.Values{"token": {token}, "subject": {"account:17"}, "reason": {"audit"}, "by": {"ann"}}
	r := httptest.NewRequest("POST", "/ui/person?app=shop", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if w := b.do(r); w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "e-2") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// lookAt opens the page of the person as an officer does.
func lookAt(t *testing.T, h http.Handler) string { return lookAtPage(t, h, "") }

// lookAtPage opens the page of the person that has the records before a position.
func lookAtPage(t *testing.T, h http.Handler, before string) string {
	t.Helper()
	b := &browser{d: &fakeAPI{t: t, h: h}}
	token := tokenIn.FindStringSubmatch(b.do(httptest.NewRequest("GET", "/ui/person?app=shop", nil)).Body.String())[1]
	form := url.Values{"token": {token}, "subject": {"account:17"}, "reason": {"audit"}, "by": {"ann"}, "before": {before}}
	r := httptest.NewRequest("POST", "/ui/person?app=shop", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := b.do(r)
	if w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	return w.Body.String()
}

// TestARecordHasItsEvidence: its position, the hash that the log has, and links to what
// proves it, for which the API is not asked.
func TestARecordHasItsEvidence(t *testing.T) {
	body := lookAt(t, Handler(Config{API: aPerson(t, new([]string)), Version: "test", Now: time.Now}))
	for _, want := range []string{
		`<td class="number">41</td><td><code>e-1</code><br><code class="raw">0af1</code></td>`,
		`<td class="number">42</td><td><code>e-2</code><br>–</td>`,
		`{&#34;purpose&#34;:&#34;ads&lt;b&gt;&#34;}`,
		`href="/ui/records/e-1/proof?app=shop"`, `href="/ui/records/e-2/proof?app=shop"`, `href="/ui/records/e-1/receipt?app=shop"`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s in %s", want, body)
		}
	}
	if strings.Contains(body, "records/e-2/receipt") {
		t.Error("a revoked permission that withdraws nothing has a receipt")
	}
}

// TestWhoMayNotHaveEvidenceSeesNoLink: an auditor may have proofs and no receipts.
func TestWhoMayNotHaveEvidenceSeesNoLink(t *testing.T) {
	for refused, has := range map[string]string{"/v1/apps/shop/receipts": "records/e-1/proof", "/log/shop/proof": "records/e-1/receipt"} {
		may := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == refused {
				w.WriteHeader(http.StatusForbidden)
			}
			fmt.Fprint(w, "{}")
		})
		body := lookAt(t, Handler(Config{API: aPerson(t, new([]string)), May: may, Version: "test", Now: time.Now}))
		if n := strings.Count(body, `href="/ui/records/`); !strings.Contains(body, has) || n != strings.Count(body, has[strings.LastIndex(has, "/"):]+"?app=shop") {
			t.Errorf("without %s there are %d links in %s", refused, n, body)
		}
	}
}

// TestEvidenceIsTakenAsAFile: as the API gives it, under a name of its own. What the API
// refuses is said on a page.
func TestEvidenceIsTakenAsAFile(t *testing.T) {
	var asked []string
	h := Handler(Config{API: aPerson(t, &asked), Version: "test", Now: time.Now})
	get := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", path+"?app=shop", nil))
		return w
	}
	for path, want := range map[string][2]string{
		"/ui/records/e-1/proof":   {"attachment; filename=proof-e-1.txt", "c2sp.org/tlog-proof@v1\n"},
		"/ui/records/e-1/receipt": {"attachment; filename=receipt-e-1.json", `{"receipt":1}`},
	} {
		if w := get(path); w.Code != 200 || w.Header().Get("Content-Disposition") != want[0] || !strings.HasPrefix(w.Body.String(), want[1]) {
			t.Errorf("%s: %d %v %s", path, w.Code, w.Header(), w.Body)
		}
	}
	for path, status := range map[string]int{"/ui/records/e-2/proof": 404, "/ui/records/e-2/receipt": 400} {
		if w := get(path); w.Code != status || w.Header().Get("Content-Disposition") != "" || !strings.Contains(w.Body.String(), "<!doctype html>") {
			t.Errorf("%s: %d %v %s", path, w.Code, w.Header(), w.Body)
		}
	}
	if len(asked) != 2 {
		t.Errorf("asked for receipts: %q", asked)
	}
}

// TestThePagesOfAPersonHaveEveryRecord: each has a hundred at most, the newest first; where the
// person stood is on the first.
func TestThePagesOfAPersonHaveEveryRecord(t *testing.T) {
	var asked []string
	api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/v1/apps":
			fmt.Fprint(w, `{"apps":[{"app":"shop"}]}`)
		case "/v1/apps/shop/subjects/state":
			fmt.Fprint(w, `{"purposes":[{"purpose":"ads","status":"given","allowed":true}]}`)
		case "/v1/replay":
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			asked = append(asked, string(body))
			first, last := 60, 160
			if strings.Contains(string(body), `"before":"61"`) {
				first, last = 1, 60
			}
			for i := first; i <= last; i++ {
				fmt.Fprintf(w, `{"event_id":"e-%d","type":"consent.given","position":"%[1]d","at":"2026-03-01T00:00:00Z","recorded":"2026-03-01T00:00:00Z","actor":"person","leaf":"0%[1]d","data":{}}`+"\n", i)
			}
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	})
	h := Handler(Config{API: api, Version: "test", Now: time.Now})
	for _, page := range []struct {
		before, oldest, not string
		records             int
		stands              bool
		more                string
	}{
		{"", "e-61", "e-60", 100, true, `name="before" value="61"`},
		{"61", "e-1", "e-61", 60, false, "Back to the newest records"},
	} {
		body := lookAtPage(t, h, page.before)
		has := func(text string) bool { return strings.Contains(body, text) }
		if n := strings.Count(body, "<code>e-"); n != page.records || !has("<code>"+page.oldest+"<") || has("<code>"+page.not+"<") || has(`id="stands"`) != page.stands || !has(page.more) {
			t.Errorf("before %q: %d records, %s", page.before, n, body)
		}
	}
	for i, body := range asked {
		if !strings.Contains(body, `"hashes":true`) || !strings.Contains(body, `"last":"101"`) || strings.Contains(body, "before") != (i == 1) {
			t.Errorf("the API was asked %s", body)
		}
	}
	if len(asked) != 2 {
		t.Errorf("%d questions for two pages", len(asked))
	}
}

func TestARevokedPermissionThatWithdrawsHasAReceipt(t *testing.T) {
	for data, want := range map[string]bool{`{"permission":"network","withdraws":["net"]}`: true, `{"permission":"network"}`: false, `{"withdraws":1}`: false, "": false} {
		if got := (entry{Type: "permission.revoked", Data: []byte(data)}).HasReceipt(); got != want {
			t.Errorf("%s: %v", data, got)
		}
	}
}
