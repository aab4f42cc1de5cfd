package dashboard

import (
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"consentledger/api/auth"
	"consentledger/api/auth/provider"
	"consentledger/api/auth/session"
)

// What somebody may do, how they signed in and why they are not is said in words.
func TestEveryCodeOfSigningInHasWords(t *testing.T) {
	var keys []string
	for _, row := range auth.Operations {
		if !row.Open {
			keys = append(keys, "operation."+string(row.Operation))
		}
	}
	for _, way := range session.Ways {
		keys = append(keys, "way."+string(way))
	}
	for _, why := range []session.Ended{session.None, session.WasIdle, session.WasLong, session.LostRole} {
		keys = append(keys, "sign-in.why."+string(why))
	}
	for _, bad := range []session.BadLink{session.UnknownLink, session.UsedLink, session.OldLink} {
		keys = append(keys, "setup.bad."+string(bad))
	}
	for _, code := range wrongs {
		keys = append(keys, "sign-in.wrong."+code)
	}
	for _, of := range []error{
		provider.NoRole, provider.TwoRoles, provider.Fault("access_denied"), provider.BadToken, auth.ErrAway, http.ErrNotSupported, auth.UnknownKey,
	} {
		keys = append(keys, "sign-in.wrong."+wrongOf(of).code)
	}
	for lang, texts := range readWords(files) {
		for _, key := range keys {
			if texts[key] == "" {
				t.Errorf("%s has no text %s", lang, key)
			}
		}
	}
}

// Where nobody is authenticated, every page says so, and none signs anybody in or out.
func TestEveryPageSaysThatNobodyIsAuthenticated(t *testing.T) {
	api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/apps" {
			fmt.Fprint(w, `{"apps":[]}`)
			return
		}
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"status":404,"code":"not-found"}`)
	})
	h := Handler(Config{API: api, Version: "test", Now: time.Now})
	seen := 0
	for _, v := range views {
		path := Root + strings.ReplaceAll(strings.TrimSuffix(v.path, "{$}"), "{id}", "r1")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if body := w.Body.String(); !strings.Contains(body, "NOBODY IS AUTHENTICATED HERE.") || strings.Contains(body, `action="/ui/sign-out"`) {
			t.Errorf("%s: %d %s", path, w.Code, body)
		}
		seen++
	}
	if seen < 10 {
		t.Errorf("saw %d pages", seen)
	}
}

// Every form that is posted holds a token.
func TestEveryFormHoldsAToken(t *testing.T) {
	form := regexp.MustCompile(`(?s)<form[^>]*method="post".*?</form>`)
	all, err := fs.Glob(files, "pages/*.html")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, name := range all {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range form.FindAllString(string(text), -1) {
			if found++; !strings.Contains(f, `{{template "token" `) && !strings.Contains(f, `name="session" value="{{.Token}}"`) {
				t.Errorf("%s: %s", name, f)
			}
		}
	}
	if found < 9 {
		t.Errorf("found %d forms", found)
	}
}
