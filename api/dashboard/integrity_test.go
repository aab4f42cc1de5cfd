package dashboard

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// integrityPart returns the part of the page Today that is about integrity, at noon of a day.
func integrityPart(t *testing.T, status string, lang string) string {
	t.Helper()
	api := systemAPI{
		"/v1/apps":                        `{"apps":[{"app":"shop"}]}`,
		"/readyz":                         `{"ok":true}`,
		"/v1/apps/shop/reports/deadlines": `{"as_of":"7","obligations":[],"summary":{"states":[]}}`,
		"/v1/apps/shop/incidents":         `{"cases":[]}`,
	}
	if status != "" {
		api["/v1/status"] = status
	}
	now := func() time.Time { return time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC) }
	w := httptest.NewRecorder()
	Handler(Config{API: api, Version: "test", Now: now}).
		ServeHTTP(w, httptest.NewRequest("GET", "/ui/?app=shop&lang="+lang, nil))
	_, part, found := strings.Cut(w.Body.String(), `id="part-integrity"`)
	part, _, ended := strings.Cut(part, "</section>")
	if w.Code != http.StatusOK || !found || !ended {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	return part
}

func TestTodayShowsTheIntegrityOfTheRecords(t *testing.T) {
	const root = `"root":"bc9bca909516d5bf148c2bf2dea0a0d9f717ce49"`
	for _, c := range []struct {
		name, status string
		want, not    []string
	}{
		{"all is well", `{"integrity":{"witnessed":true,"backup":"2026-03-01T12:00:00Z","logs":[{"app":"other","size":5},` +
			`{"app":"shop","size":812,` + root + `,"verified":true,"at":"2026-03-02T11:00:00Z",` +
			`"witnesses":{"size":800,"at":"2026-03-02T09:00:00Z"}}]}}`,
			[]string{`<li class="good"><strong>The first 812 records are as they were signed.`, "<code>bc9bca909516</code>",
				"2026-03-02 11:00 UTC", `<li class="good"><strong>Newest signature of the witnesses 3 hours ago, of 800 records`,
				`<li class="good"><strong>Newest backup that this server made 24 hours ago`},
			[]string{`class="bad"`, "No backup", "No witnesses", "not verified"}},
		{"nothing is known yet", `{"integrity":{"witnessed":false,"logs":[]}}`,
			[]string{"No record is signed yet.", "serve --witnesses FILE", "No backup is known", "consentledger backup"},
			[]string{`class="bad"`, `class="good"`}},
		{"not verified yet", `{"integrity":{"witnessed":true,"logs":[{"app":"shop","size":3,` + root + `,"verified":false,"witnesses":{"size":0}}]}}`,
			[]string{"<li><strong>3 records are signed.", "not verified yet", "<li><strong>No quorum of the witnesses has signed yet."},
			[]string{`class="bad"`, `class="good"`, "as they were signed"}},
		{"a mismatch", `{"integrity":{"read_only":"the ledger is read-only: x","mismatch":{"app":"other","detail":"a record was changed"},` +
			`"witnessed":false,"logs":[{"app":"shop","size":3,` + root + `,"verified":true,"at":"2026-03-02T11:00:00Z"}]}}`,
			[]string{`<li class="bad"><strong>Nothing can be recorded:</strong> <span lang="en">the ledger is read-only: x`,
				`<li class="bad"><strong>The records of other are not those that were signed.</strong> <span lang="en">a record was changed`},
			nil},
		{"witnesses that cannot be read", `{"integrity":{"witnessed":true,"logs":[{"app":"shop","size":3,"witnesses":{"size":0,"error":"the file is torn"}}]}}`,
			[]string{`<li class="bad"><strong>What the witnesses signed cannot be read:</strong> <span lang="en">the file is torn`}, nil},
		{"whoever may not see it", "", []string{"may see the state of the whole ledger"}, []string{"<li", "backup"}},
	} {
		part := integrityPart(t, c.status, "en")
		for _, want := range c.want {
			if !strings.Contains(part, want) {
				t.Errorf("%s: no %s in %s", c.name, want, part)
			}
		}
		for _, not := range c.not {
			if strings.Contains(part, not) {
				t.Errorf("%s: %s in %s", c.name, not, part)
			}
		}
	}

	part := integrityPart(t, `{"integrity":{"logs":[{"app":"shop","size":812,"verified":true,"at":"2026-03-02T11:00:00Z"}]}}`, "zh-CN")
	if !strings.Contains(part, "前 812 条记录与签名一致。") || !strings.Contains(part, "尚无已知备份") {
		t.Errorf("in Chinese: %s", part)
	}
}
