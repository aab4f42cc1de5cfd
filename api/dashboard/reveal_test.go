package dashboard

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// TestThePageOfARequestOpensWhatIsSealedOnce: the form says why, what it opens stands in its answer
// alone, and whoever may not open it has no form.
func TestThePageOfARequestOpensWhatIsSealedOnce(t *testing.T) {
	d := newFakeAPI(t)
	d.role = false // an auditor takes no steps, and may open it all the same
	b := &browser{d: d}
	page, _ := b.open()
	form := url.Values{"form": {"reveal"}, "reason": {"dispute"}, "why": {"she called"}, "by": {"ann"}}
	if w := b.send(form); w.Code != http.StatusForbidden || d.asked != "" || !strings.Contains(w.Body.String(), `role="alert"`) {
		t.Errorf("without its token it is answered %d, and asked %s", w.Code, d.asked)
	}

	form.Set("token", tokenIn.FindStringSubmatch(page)[1])
	w := b.send(form)
	if d.asked != `{"by":"ann","reason":"dispute","why":"she called"}` {
		t.Errorf("asked the API for %s", d.asked)
	}
	for _, want := range []string{"<code>account:ada</code>", "Stop &lt;b&gt;this&lt;/b&gt;.", ">Stop what?<",
		`<input type="hidden" name="subject" value="account:ada"><input type="hidden" name="reason" value="dispute"><input type="hidden" name="by" value="ann">`} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("the page has no %s: %s", want, w.Body)
		}
	}
	if kept := w.Header().Get("Cache-Control"); w.Code != http.StatusOK || kept != "no-store" || len(d.taken) > 0 {
		t.Errorf("it is answered %d, may be kept: %s, and recorded %v", w.Code, kept, d.taken)
	}
	if again, _ := b.open(); strings.Contains(again, "ada") || !strings.Contains(again, `name="why"`) {
		t.Errorf("what was opened stands at the page's address: %s", again)
	}

	d.wrong = `{"status":422,"code":"reason-missing","detail":"say why","path":"why"}`
	if body := b.send(form).Body.String(); !strings.Contains(body, `value="she called"`) || strings.Count(body, "say why") != 1 || !strings.Contains(body, "<strong>Say why, by a code and in words") {
		t.Errorf("what was refused is not shown once with what was typed: %s", body)
	}
	d.wrong = `{"status":422,"code":"unknown-person","detail":"gone"}`
	if body := b.send(form).Body.String(); !strings.Contains(body, "Who asked was erased") || strings.Contains(body, `name="why"`) {
		t.Errorf("of who is erased the page says: %s", body)
	}

	no := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) })
	w = httptest.NewRecorder()
	Handler(Config{API: d, May: no, Version: "test", Now: time.Now}).ServeHTTP(w, httptest.NewRequest("GET", requestPage, nil))
	if w.Code != http.StatusOK || strings.Contains(w.Body.String(), `value="reveal"`) {
		t.Errorf("who may not open it is answered %d, with a form: %s", w.Code, w.Body)
	}
}
