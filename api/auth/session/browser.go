package session

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"strings"
	"time"

	"consentledger/api/auth"
	"consentledger/api/auth/provider"
	"consentledger/api/auth/trail"

	"github.com/go-json-experiment/json"
)

// A Why is why somebody is not signed in, or something was not done for who is.
type Why string

const (
	WrongKey     Why = "key"      // it is none that is good
	WrongRole    Why = "role"     // who signed in has no role here, or has one no more
	WrongState   Why = "state"    // the provider's answer is to another sign-in, or was used
	WrongAnswer  Why = "provider" // the provider says no, or something that is not its
	WrongLink    Why = "link"     // the link is used up, or is none
	WrongForm    Why = "form"     // it is not of a page that this browser was shown
	TooOften     Why = "rate"     // there are too many attempts
	OverSession  Why = "session"  // it has ended
	NotAvailable Why = "away"     // nobody can tell now
)

// Whys are all of them.
var Whys = []Why{WrongKey, WrongRole, WrongState, WrongAnswer, WrongLink, WrongForm, TooOften, OverSession,
	NotAvailable}

// Refuse counts that somebody was refused, for a reason that the pages found.
func (s *Sessions) Refuse(why Why) { s.refused(why) }

func (s *Sessions) refused(why Why) {
	if why != NotAvailable {
		s.Trail.Note(trail.Event{Kind: trail.SignInRefused, Why: string(why)})
	}
	if s.Count.Refused != nil {
		s.Count.Refused(why)
	}
}

// Where the cookies are. A browser takes one of the prefix __Host- only over https, for
// this host alone and from no other. Without TLS the ledger listens on this machine
// alone: then the cookie has another name and is not Secure, since not every browser keeps
// a Secure one there. Then other programs of this machine that listen on its loopback
// addresses are sent it by the same browser, since cookies know no ports.
const (
	sessionCookie = "consentledger-session"
	pendingCookie = "consentledger-signin"
	hostPrefix    = "__Host-"
)

func (s *Sessions) cookie(name, value string, same http.SameSite) *http.Cookie {
	if s.Secure {
		name = hostPrefix + name
	}
	return &http.Cookie{Name: name, Value: value, Path: "/", HttpOnly: true, Secure: s.Secure, SameSite: same}
}

// shown returns the value of a cookie. A browser that shows two of one name has one of
// them from elsewhere.
func (s *Sessions) shown(r *http.Request, name string) string {
	if s.Secure {
		name = hostPrefix + name
	}
	all := r.CookiesNamed(name)
	if len(all) != 1 {
		return ""
	}
	return all[0].Value
}

// Keep gives a browser a session that was begun for it, and ends the one that it had.
func (s *Sessions) Keep(w http.ResponseWriter, r *http.Request, id string) error {
	if before := s.shown(r, sessionCookie); before != "" {
		if err := s.Replace(r.Context(), before); err != nil {
			return err
		}
	}
	http.SetCookie(w, s.cookie(sessionCookie, id, http.SameSiteStrictMode))
	return nil
}

// Forget takes the session away from a browser.
func (s *Sessions) Forget(w http.ResponseWriter) {
	c := s.cookie(sessionCookie, "", http.SameSiteStrictMode)
	c.MaxAge = -1
	http.SetCookie(w, c)
}

// Shows reports whether a browser shows a session, be it good or not.
func (s *Sessions) Shows(r *http.Request) bool { return s.shown(r, sessionCookie) != "" }

// Of returns the session that a browser shows. The error is an [Ended], or wraps
// [auth.ErrAway].
//
// What a page's script asks by itself is no use of a session: a page that is left open
// must not keep somebody signed in.
func (s *Sessions) Of(r *http.Request) (Session, error) {
	one, err := s.find(r.Context(), s.shown(r, sessionCookie), r.Header.Get("Sec-Fetch-Dest") != "empty")
	if ended := Ended(""); errors.As(err, &ended) && s.Shows(r) {
		s.refused(OverSession)
	}
	return one, err
}

type sessionKey struct{}

// With returns a context of what a browser asks by a session.
func (s *Sessions) With(ctx context.Context, one Session) context.Context {
	again := func(ctx context.Context) (auth.Principal, error) {
		now, err := s.find(ctx, one.id, false)
		return now.Principal, err
	}
	return auth.SignedIn(context.WithValue(ctx, sessionKey{}, one), one.Principal, again)
}

// From returns the session that ctx is of; not ok: there is none.
func From(ctx context.Context) (Session, bool) {
	one, is := ctx.Value(sessionKey{}).(Session)
	return one, is
}

// Token returns what the forms of a session's pages hold. Only who has the id can make it.
func (one Session) Token() string {
	m := hmac.New(sha256.New, []byte(one.id))
	m.Write([]byte("consentledger form"))
	return hex.EncodeToString(m.Sum(nil))
}

// CheckForm reports whether a form was sent from a page of the ledger that the session
// was shown: by what the browser says of where it comes from, and by its token. Token is
// what the form holds.
func (s *Sessions) CheckForm(r *http.Request, one Session, token string) bool {
	good := s.OwnOrigin(r) && auth.SameSecret(one.Token(), token)
	if !good {
		s.refused(WrongForm)
	}
	return good
}

// OwnOrigin reports whether a browser says that a request comes from a page of the ledger.
// Browsers say so of every form. The pages' policy of referrers lets them leave Origin out
// (null), and then Sec-Fetch-Site says it.
func (s *Sessions) OwnOrigin(r *http.Request) bool {
	origin, site := r.Header.Get("Origin"), r.Header.Get("Sec-Fetch-Site")
	if len(r.Header["Origin"]) > 1 || len(r.Header["Sec-Fetch-Site"]) > 1 {
		return false
	}
	if origin == "" || origin == "null" {
		return site == "same-origin"
	}
	return (site == "" || site == "same-origin") && strings.EqualFold(origin, s.Origin(r))
}

// Origin returns the ledger's own origin, under the name that a request asks for. Package
// edge lets through only names that are the ledger's.
func (s *Sessions) Origin(r *http.Request) string {
	if s.Secure {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// Attempt counts an attempt to sign in. If it is one too many, wait says after what time
// another would do. An address is kept in memory alone, and in no log.
func (s *Sessions) Attempt(r *http.Request) (wait time.Duration, ok bool) {
	if !s.Shared {
		if wait, ok := s.each.Take(auth.Principal{Pseudonym: network(r.RemoteAddr)}); !ok {
			s.refused(TooOften)
			return wait, false
		}
	}
	if wait, ok = s.all.Take(auth.Principal{}); !ok {
		s.refused(TooOften)
	}
	return wait, ok
}

// network returns whose address somebody has: of version 6 one has 64 bits of them.
func network(remote string) string {
	at, err := netip.ParseAddrPort(remote)
	if err != nil {
		return ""
	}
	ip := at.Addr().Unmap().WithZone("")
	if ip.Is4() {
		return ip.String()
	}
	of, err := ip.Prefix(64)
	if err != nil {
		return ""
	}
	return of.String()
}

// Local reports whether a request may show a secret in its address: it comes over TLS, or
// from this machine.
func (s *Sessions) Local(r *http.Request) bool {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return s.Secure
	}
	ip, err := netip.ParseAddr(host)
	return s.Secure || err == nil && ip.Unmap().IsLoopback()
}

// A pending is a sign-in at the provider, as its browser keeps it in a cookie.
type pending struct {
	provider.Pending
	Return string `json:"return"`
}

// pendingLasts is how long a browser keeps one.
const pendingLasts = 10 * time.Minute

// Depart begins a sign-in at the provider, and returns where the browser goes. Callback is
// the path to which the provider sends it back, and then it goes on to back.
func (s *Sessions) Depart(w http.ResponseWriter, r *http.Request, callback, back string) (to string, err error) {
	to, p, err := s.SignIn.Begin(r.Context(), s.Origin(r)+callback)
	if err != nil {
		s.refused(NotAvailable)
		return "", err
	}
	text, err := json.Marshal(pending{p, back})
	if err != nil {
		return "", err
	}

	// Coming back is a link from the provider's page: SameSite=Strict would hold the
	// cookie back.
	c := s.cookie(pendingCookie, base64.RawURLEncoding.EncodeToString(text), http.SameSiteLaxMode)
	c.MaxAge = int(pendingLasts.Seconds())
	http.SetCookie(w, c)
	return to, nil
}

// Arrive signs in who comes back from the provider, and returns where they wanted to go.
// The error is an [auth.Denied], an [auth.Unmapped], a [provider.Fault], or wraps
// [auth.ErrAway].
func (s *Sessions) Arrive(w http.ResponseWriter, r *http.Request, callback string) (back string, err error) {
	var p pending
	text, err := base64.RawURLEncoding.DecodeString(s.shown(r, pendingCookie))
	if err != nil || json.Unmarshal(text, &p) != nil {
		s.refused(WrongState)
		return "", provider.OtherBrowser
	}
	who, err := s.SignIn.Finish(r.Context(), s.Origin(r)+callback, p.Pending, r.URL.Query())
	if err != nil {
		s.refused(whyOf(err))
		return "", err
	}
	id, err := s.BeginAs(r.Context(), who, p.State)
	if err != nil {
		return "", err
	}

	gone := s.cookie(pendingCookie, "", http.SameSiteLaxMode)
	gone.MaxAge = -1
	http.SetCookie(w, gone)
	return p.Return, s.Keep(w, r, id)
}

// whyOf returns how an error of a sign-in is counted.
func whyOf(err error) Why {
	unmapped := auth.Unmapped("")
	switch {
	case errors.Is(err, auth.ErrAway):
		return NotAvailable
	case errors.As(err, &unmapped):
		return WrongRole
	case errors.Is(err, provider.OtherBrowser), errors.Is(err, provider.OtherNonce), errors.Is(err, provider.UsedCode):
		return WrongState
	}
	return WrongAnswer
}

// Back returns a place to go on to after signing in: text if it is a path of the pages
// below root, and root if it is anything else. What a browser could take for another
// origin is refused by being written anew from its parts.
func Back(text, root string) string {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" || len(text) > 2000 {
		return root
	}
	plain := path.Clean(u.Path) == strings.TrimSuffix(u.Path, "/") && !strings.ContainsAny(u.Path, "\\\r\n\t")
	if !plain || !strings.HasPrefix(u.Path, root) {
		return root
	}
	return (&url.URL{Path: u.Path, RawQuery: u.Query().Encode()}).String()
}
