package dashboard

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// versions is an API with two versions of a policy. Who shows the key of a viewer may not
// compare them.
func versions(t *testing.T) http.Handler {
	t.Helper()
	answers := map[string]string{
		"/v1/apps": `{"apps":[{"app":"shop"}]}`,
		"/v1/apps/shop/policies": `{"policies":[{"policy":"privacy","version":"sha256:01","effective":"2026-01-01T00:00:00Z"},
			{"policy":"other","version":"sha256:0f","effective":"2026-01-02T00:00:00Z"},
			{"policy":"privacy","version":"sha256:02","effective":"2026-02-01T00:00:00Z","material":["MAT-1"],"in_force":true}]}`,
		"/v1/apps/shop/policies/sha256:01": `{"policy":"privacy","version":"sha256:01","document":{"texts":[{"hash":"sha256:a1","locale":"en"}]}}`,
		"/v1/apps/shop/policies/sha256:02": `{"policy":"privacy","version":"sha256:02","in_force":true,
			"document":{"title":[{"locale":"en","text":"Privacy"}],"texts":[{"hash":"sha256:a2","locale":"en"},{"hash":"sha256:a3","locale":"zh-CN"}]}}`,
		"/v1/apps/shop/policies/sha256:01/progress": `{"progress":[],"as_of":"9"}`,
		"/v1/apps/shop/policies/sha256:02/progress": `{"progress":[{"purpose":"mail","agreed":4,"older":3,"waiting":2,"asked":8,"refused":1}],"as_of":"9"}`,
		"/v1/apps/shop/policies/diff": `{"differences":[{"section":"retention","name":"mail","old":"30 days","new":"90 days","material":"MAT-1","reduces":true}],
			"touched":[{"purpose":"mail","people":5}]}`,
		"/v1/blobs/sha256:a1": "We keep it.\nFor 30 days.\nThe end.\n",
		"/v1/blobs/sha256:a2": "We keep it.\nFor <90> days.\nThe end.\n",
		"/v1/blobs/sha256:a3": "保存九十天。\n",
		"/v1/apps/shop/surfaces": `{"surfaces":[{"id":"sha256:51","build":"1.0","screen":"welcome","version":"sha256:01"},
			{"id":"sha256:52","build":"2.0","screen":"welcome","version":"sha256:02","publisher":"p-ann"}]}`,
		"/v1/apps/shop/surfaces/sha256:51": `{"id":"sha256:51","version":"sha256:01"}`,
		"/v1/apps/shop/surfaces/sha256:52": `{"id":"sha256:52","build":"2.0","screen":"welcome","version":"sha256:02","publisher":"p-ann",
			"surface":{"locales":[{"locale":"en","screenshot":"sha256:0c0ffee0"},{"locale":"zh-CN","screenshot":"sha256:0c0ffee1"}]},
			"pictures":[{"hash":"sha256:0c0ffee0","width":3,"height":2}]}`,
	}
	unseen := func(r *http.Request) bool {
		asksMore := strings.HasSuffix(r.URL.Path, "/diff") || strings.HasSuffix(r.URL.Path, "/progress")
		return asksMore && strings.Contains(r.Header.Get("Authorization"), "viewer")
	}
	may := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if unseen(r) {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `{"status":403,"code":"no"}`)
			return
		}
		fmt.Fprint(w, `{}`)
	})
	api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if unseen(r) {
			t.Errorf("the page asks %s for who may not, which is then refused and noted", r.URL.Path)
		}
		answer, has := answers[r.URL.Path]
		if !has {
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `{"status":404,"code":"no"}`)
			return
		}
		if r.Method == http.MethodPost {
			body, _ := io.ReadAll(r.Body)
			if string(body) != `{"new":"sha256:02","old":"sha256:01"}` {
				t.Errorf("it compares %s", body)
			}
		}
		fmt.Fprint(w, answer)
	})
	return Handler(Config{API: api, May: may, Version: "test", Now: time.Now})
}

func TestThePageOfAPolicyShowsWhatChangedAndWhoIsLeft(t *testing.T) {
	h := versions(t)
	page := func(query, key string) string {
		t.Helper()
		r := httptest.NewRequest(http.MethodGet, "/ui/policy?"+query, nil)
		if key != "" {
			r.SetBasicAuth("x", key)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			t.Fatalf("%s: %d %s", query, w.Code, w.Body)
		}
		return w.Body.String()
	}
	holds := func(text string, wanted ...string) {
		t.Helper()
		for _, want := range wanted {
			if !strings.Contains(text, want) {
				t.Errorf("it does not say %s:\n%s", want, text)
			}
		}
	}

	// It is compared with the version before it, and not with that of another policy.
	text := page("version=sha256:02", "")
	holds(text, "<del>For 30 days.</del>", "<ins>For &lt;90&gt; days.</ins>", `<td lang="en">We keep it.</td>`,
		"30 days", "90 days", "reduces rights", `aria-label="mail: agreed to this version 4, `,
		`<td class="number">5</td>`, `<td class="number">10</td><td class="number">8</td></tr>`, "2.0", "0c0ffee0", "As of position 9",
		`src="/ui/pictures/sha256:0c0ffee0?app=shop" alt="The screen welcome of the build 2.0`, "only the hash is kept")
	if strings.Contains(text, "sha256:0f") || strings.Contains(text, "1.0") {
		t.Errorf("it shows what is of another version:\n%s", text)
	}

	// Without a version it is the newest in force.
	holds(page("app=shop", ""), "<del>For 30 days.</del>")

	// A text that the older version did not have is new as a whole.
	holds(page("version=sha256:02&locale=zh-CN&with=sha256:01", ""), "<ins>保存九十天。</ins>")

	// The first version is compared with nothing, and who may see neither differences nor numbers sees the texts.
	if text := page("version=sha256:01", ""); !strings.Contains(text, "first version of this policy") {
		t.Errorf("the first version:\n%s", text)
	}
	text = page("version=sha256:02", "viewer")
	holds(text, "<del>For 30 days.</del>")
	if strings.Contains(text, "90 days</td>") || strings.Contains(text, "agreed to this version 4") {
		t.Errorf("a viewer sees differences:\n%s", text)
	}
}

func TestTextsStandSideBySide(t *testing.T) {
	lines := func(n int) (all []string) {
		for i := range n {
			all = append(all, fmt.Sprint("line ", i))
		}
		return all
	}
	was := lines(20)
	is := slices.Concat(was[:9], []string{"another", "and one more"}, was[10:])
	want := []textLine{
		{Gap: 7}, {Was: "line 7", Is: "line 7"}, {Was: "line 8", Is: "line 8"},
		{Was: "line 9", Is: "another", Changed: true}, {Is: "and one more", Changed: true},
		{Was: "line 10", Is: "line 10"}, {Was: "line 11", Is: "line 11"}, {Gap: 8},
	}
	if got := compareTexts(was, is).Lines; !slices.Equal(got, want) {
		t.Errorf("%+v\nwant %+v", got, want)
	}

	if d := compareTexts(was, lines(20)); !d.Same || len(d.Lines) > 0 {
		t.Errorf("the same text: %+v", d)
	}
	if d := compareTexts(was, lines(longText+1)); !d.Long || len(d.Lines) > 0 {
		t.Errorf("a long text is compared: %d lines", len(d.Lines))
	}
}
