package dashboard

import (
	"encoding/json"
	"io/fs"
	"net/http"

	"golang.org/x/text/language"
)

// langs are the languages of the pages, the first of which is for everybody else.
var langs = []string{"en", "zh-CN"}

const langCookie = "consentledger-lang"

// words are the texts of each language, by their keys.
type words map[string]map[string]string

func readWords(files fs.FS) words {
	all := words{}
	for _, lang := range langs {
		text, err := fs.ReadFile(files, "words/"+lang+".json")
		if err != nil {
			panic("dashboard: " + err.Error())
		}
		texts := map[string]string{}
		if err := json.Unmarshal(text, &texts); err != nil {
			panic("dashboard: words/" + lang + ".json: " + err.Error())
		}
		all[lang] = texts
	}
	return all
}

// readSummaries returns what operations of the API do, by their ids, in languages other than that of the
// API's description.
func readSummaries(files fs.FS) words {
	all := words{}
	for _, lang := range langs[1:] {
		text, err := fs.ReadFile(files, "words/operations."+lang+".json")
		summaries := map[string]string{}
		if err == nil {
			err = json.Unmarshal(text, &summaries)
		}
		if err != nil {
			panic("dashboard: words/operations." + lang + ".json: " + err.Error())
		}
		all[lang] = summaries
	}
	return all
}

var matcher = language.NewMatcher([]language.Tag{language.English, language.SimplifiedChinese})

// choose returns the language for a request: the one that it names, the one that was
// named before, or the best that its browser knows.
func (w words) choose(r *http.Request) string {
	if lang := r.URL.Query().Get("lang"); w[lang] != nil {
		return lang
	}
	if c, err := r.Cookie(langCookie); err == nil && w[c.Value] != nil {
		return c.Value
	}
	_, best := language.MatchStrings(matcher, r.Header.Get("Accept-Language"))
	return langs[best]
}
