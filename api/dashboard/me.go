package dashboard

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"consentledger/api/auth/session"
)

// me is who looks at the pages, and what they may do.
type me struct {
	session.Me
	Way, Begun, Ends string // of their session; empty: they show a key each time
	Administers      bool   // they may end the sessions of others
	Setup            bool   // they may make the first key
	None             bool   // nobody is authenticated here
}

func readMe(a *ask) (any, error) {
	m := &me{None: a.sessions == nil}
	if m.None {
		return m, nil
	}
	if err := a.get("/v1/access/me", nil, &m.Me); err != nil {
		return nil, err
	}
	if one, is := session.From(a.Context()); is {
		m.Way, m.Begun, m.Ends, m.Setup = string(one.Way), until(one.Begun.Time()), until(one.Ends.Time()), one.Setup
	}
	m.Administers = slices.Contains(m.May, "manage-sessions")
	return m, nil
}

// signedIns is who is signed in, for an administrator.
type signedIns struct {
	Sessions   []session.SessionRow
	Principals []string // whose sessions these are, each once
	Done       string   // whose sessions were ended
	Wrong      *problem
}

func readSessions(a *ask) (any, error) {
	var list session.SessionList
	if err := a.get("/v1/access/sessions", nil, &list); err != nil {
		return nil, err
	}

	s := &signedIns{Sessions: list.Sessions, Done: a.URL.Query().Get("done")}
	if a.sent != nil {
		s.Wrong = a.sent.Problem
	}

	for _, row := range list.Sessions {
		if !slices.Contains(s.Principals, row.Principal) {
			s.Principals = append(s.Principals, row.Principal)
		}
	}
	return s, nil
}

// endSessions ends all sessions of a principal.
func endSessions(a *ask) (string, error) {
	principal := strings.TrimSpace(a.PostFormValue("principal"))
	var answer session.EndAnswer
	if err := a.do(http.MethodPost, "/v1/access/sessions/end", session.EndRequest{Principal: principal},
		&answer); err != nil {
		return "", err
	}
	return (&page{App: a.App}).Link("sessions", "done", "ended"), nil
}

// A firstKey is the page on which the first administrator gets a key of their own.
type firstKey struct {
	Name, Days string
	Made       *madeKey
	Wrong      *problem
}

// A madeKey is a key that was made, and is shown this once.
type madeKey struct {
	ID      string `json:"id"`
	Key     string `json:"key"`
	Expires string `json:"expires"`
	Left    string `json:"-"` // the key of the first hour, if it could not be ended
}

func readFirstKey(a *ask) (any, error) {
	f := &firstKey{Days: "90", Made: a.made}
	one, is := session.From(a.Context())
	if f.Made == nil && (!is || !one.Setup) {
		return nil, errLost
	}
	if s := a.sent; s != nil {
		f.Name, f.Days, f.Wrong = s.Values.Get("name"), s.Values.Get("days"), s.Problem
	}
	return f, nil
}

// makeFirstKey makes a key for the first administrator, and ends that of the first hour:
// what was printed is good for nothing from then on. Who made the key goes on with it. The
// form cannot be sent twice, since the session that it was shown to is over.
func makeFirstKey(a *ask) (string, error) {
	one, is := session.From(a.Context())
	if !is || !one.Setup {
		return "", errLost
	}
	days, err := strconv.Atoi(a.PostFormValue("days"))
	if err != nil {
		return "", &problem{Status: http.StatusBadRequest, Code: "malformed", Detail: "days: want a number, as in 90"}
	}
	wish := map[string]any{
		"name": strings.TrimSpace(a.PostFormValue("name")), "roles": []string{"administrator"}, "all_apps": true,
		"days": days,
	}
	made := new(madeKey)
	if err := a.do(http.MethodPost, "/v1/access/keys", wish, made); err != nil {
		return "", err
	}

	// From here on there is a key that is shown this once: it is shown whatever else fails.
	a.made = made
	if next, err := goOnWith(a, made.Key); err == nil {
		defer func() { a.Request = a.WithContext(a.sessions.With(a.Context(), next)) }()
	}
	var revoked madeKey
	if a.do(http.MethodPost, "/v1/access/keys/"+url.PathEscape(one.Principal.Key)+"/revoke", nil, &revoked) != nil {
		made.Left = one.Principal.Key
	}
	return "", nil
}

// goOnWith gives the browser a session of another key.
func goOnWith(a *ask, key string) (session.Session, error) {
	id, err := a.sessions.Begin(a.Context(), key)
	if err != nil {
		return session.Session{}, err
	}
	if err := a.sessions.Keep(a.writer, a.Request, id); err != nil {
		return session.Session{}, err
	}
	return a.sessions.Find(a.Context(), id)
}
