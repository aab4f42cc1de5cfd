package dashboard

import (
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

// What an operation does is said in the page's language where that has words for it, and else in that of
// the description, which is marked.
func TestOperationsAreSummedUpInTheLanguageOfThePage(t *testing.T) {
	api := systemAPI{"/v1/apps": `{"apps":[]}`, "/openapi.json": `{"tags":[{"name":"log"}],"paths":{
		"/livez":{"get":{"operationId":"livez","summary":"The process answers","tags":["log"]}},
		"/new":{"get":{"operationId":"nobody-knows","summary":"Something new","tags":["log"]}}}}`}
	for lang, want := range map[string][]string{
		"zh-CN": {`<td class="says">进程有应答</td>`, `<td class="says" lang="en">Something new</td>`},
		"en":    {`<td class="says" lang="en">The process answers</td>`},
	} {
		w := httptest.NewRecorder()
		Handler(Config{API: api, Version: "test", Now: time.Now}).ServeHTTP(w, httptest.NewRequest("GET", "/ui/api?lang="+lang, nil))
		for _, text := range want {
			if !strings.Contains(w.Body.String(), text) {
				t.Errorf("%s: no %s in %s", lang, text, w.Body)
			}
		}
	}
}

// Whatever the sample policy makes owed has a name in both languages, and not a code alone.
func TestWhatIsOwedHasAName(t *testing.T) {
	policy, err := os.ReadFile("../../cmd/consentledger/smartkey/policy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	kinds := regexp.MustCompile(`, kind: ([a-z-]+), (?:each|rules|target)`).FindAllSubmatch(policy, -1)
	if len(kinds) < 20 {
		t.Fatalf("%d kinds", len(kinds))
	}
	for lang, words := range readWords(files) {
		for _, kind := range kinds {
			if words["kind."+string(kind[1])] == "" {
				t.Errorf("%s has no word for what is owed of the kind %s", lang, kind[1])
			}
		}
	}
}
