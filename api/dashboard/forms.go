package dashboard

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"consentledger/api/auth/session"
)

// Forms of the pages record. Three things hold off what somebody else's page sends in a
// visitor's name: package edge refuses another origin, the cookie comes with requests of
// this site alone, and a form holds a token that only the page with that cookie can have.

// formCookie binds forms to the browser that they were shown in.
const formCookie = "consentledger-form"

// maxForm is how many bytes a form may have.
const maxForm = 1 << 20

// bind returns the token of the forms of the pages. A browser that has no cookie yet gets one.
//
// The token is made of the cookie, of the app and of the session or the key that the
// browser sends: a cookie that somebody else put there is of no use without that. No process keeps
// anything, so that any of several may take what another one showed.
func bind(w http.ResponseWriter, a *ask) string {
	c, err := a.Cookie(formCookie)
	if err != nil || len(c.Value) != len(rand.Text()) {
		c = &http.Cookie{Name: formCookie, Value: rand.Text(), Path: Root, HttpOnly: true, Secure: a.secure(),
			SameSite: http.SameSiteStrictMode}
		http.SetCookie(w, c)
	}
	return a.token(c.Value)
}

func (a *ask) token(cookie string) string {
	m := hmac.New(sha256.New, []byte(cookie))
	parts := []string{a.App, a.Header.Get("Authorization")}
	if one, is := session.From(a.Context()); is {
		parts = append(parts, one.Token())
	}
	for _, part := range parts {
		m.Write([]byte(strconv.Quote(part)))
	}
	return hex.EncodeToString(m.Sum(nil))
}

// checkToken refuses a form that this browser was not shown.
func (a *ask) checkToken() error {
	c, err := a.Cookie(formCookie)
	if err != nil || !hmac.Equal([]byte(a.token(c.Value)), []byte(a.PostFormValue("token"))) {
		if a.sessions != nil {
			a.sessions.Refuse(session.WrongForm)
		}
		return &problem{Status: http.StatusForbidden, Code: "form-token"}
	}
	return nil
}

// secure reports whether browsers reach the pages by https.
func (a *ask) secure() bool { return a.TLS != nil || a.sessions != nil && a.sessions.Secure }

// readForm reads a form that records nothing by itself, and checks its token.
func (a *ask) readForm(w http.ResponseWriter) error {
	a.Body = http.MaxBytesReader(w, a.Body, maxForm)
	if err := a.parse(); err != nil {
		return err
	}
	return a.checkToken()
}

// A sent form is one that the API did not take: it is shown again with what was typed,
// and with what is wrong.
type sent struct {
	Form    string // which of the page's forms
	Event   string // the id under which it was sent
	Values  url.Values
	Problem *problem
}

// act does what a form says. It returns where to go next, or the form as it was sent.
func (d *dashboard) act(v view, w http.ResponseWriter, a *ask) (to string, s *sent, err error) {
	a.Body = http.MaxBytesReader(w, a.Body, maxForm)
	if err := a.parse(); err != nil {
		return "", nil, err
	}
	if err := a.checkToken(); err != nil {
		return "", &sent{Problem: err.(*problem)}, nil
	}

	to, err = v.act(a)
	p, is := errors.AsType[*problem](err)
	if !is || p.Status == http.StatusUnauthorized || p.Status == http.StatusNotFound && v.path != "intake" {
		return to, nil, err
	}

	return "", &sent{Form: a.PostFormValue("form"), Event: a.PostFormValue("event"), Values: a.PostForm, Problem: p},
		nil
}

// parse reads a form. What is wrong with it is told without repeating it.
func (a *ask) parse() error {
	err := a.ParseForm()
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return &problem{Status: http.StatusRequestEntityTooLarge, Code: "too-large"}
	}
	if err != nil {
		return &problem{Status: http.StatusBadRequest, Code: "malformed"}
	}
	return nil
}

// newEvent returns the id under which a form records. It stands in the form: what is
// sent twice is recorded once.
func newEvent() string { return rand.Text() }
