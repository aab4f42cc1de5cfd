package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"consentledger/api/auth"
	"consentledger/api/auth/provider"
	"consentledger/api/auth/session"
	"consentledger/api/dashboard"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/files"
	"consentledger/cmd/internal/telemetry"
)

// checkSignIn refuses a sign-in that leads nowhere.
func (w Ways) checkSignIn() error {
	switch {
	case w.Client == "" && (w.ClientSecret != "" || len(w.Scopes) > 0):
		return exit.Usage(errors.New("--oidc-client-secret-file and --oidc-scopes are of a client: name it with " +
			"--oidc-client-id"))
	case w.Client != "" && w.Issuer == "":
		return exit.Usage(errors.New("--oidc-client-id: say at which provider, with --oidc-issuer, --oidc-audience " +
			"and --oidc-roles"))
	}
	_, err := w.signIn(auth.Pseudonyms{}, nil, nil, nil)
	return err
}

// signIn returns how people sign in at the identity provider; nil: they do not.
func (w Ways) signIn(
	names auth.Pseudonyms, file *rolesFile, failed func(error), seen sees,
) (*provider.SignIn, error) {
	if w.Client == "" {
		return nil, nil
	}

	c, err := w.providerConfig(names, file, failed)
	if err != nil {
		return nil, err
	}
	c.Seen = seen

	secret := ""
	if w.ClientSecret != "" {
		text, err := files.ReadOwnFile(w.ClientSecret, files.MaxKeyFile)
		if err != nil {
			return nil, exit.Usage(fmt.Errorf("--oidc-client-secret-file: %w", err))
		}
		if secret = strings.TrimSpace(string(text)); secret == "" {
			return nil, exit.Usage(errors.New("--oidc-client-secret-file: the file is empty: leave the flag out for " +
				"a client without a secret"))
		}
	}

	s, err := provider.NewSignIn(c, w.Client, secret, w.Scopes)
	if err != nil {
		return nil, exit.Usage(fmt.Errorf("--oidc-issuer, --oidc-client-id: %w", err))
	}
	return s, nil
}

// openSessions opens who is signed in by a browser.
func (h *Server) openSessions(in *provider.SignIn) {
	a := h.Config.Access
	h.sessions = session.New(session.Config{
		Rows: h.Dir.Rows(), Now: h.Dir.Ledger.Now, Keys: h.keys, SignIn: in,
		Secure: a.Cert != "" || a.Elsewhere, Shared: a.Elsewhere,
		Count: h.Measured.sessions, Trail: h.trail,
	})
}

// keepSessions removes what has ended, until ctx is done.
func (h *Server) keepSessions(ctx context.Context) {
	h.sessions.Run(ctx, func(err error) {
		h.Log.Warn("sessions that have ended could not be removed, which lets nobody in; it is tried again", "error",
			err)
	})
}

// A firstIn is how the first administrator gets in.
type firstIn struct {
	key  auth.Key
	link string // its secret
}

// setup returns how the first administrator gets in; nil: there is one.
func (h *Server) setup(ctx context.Context) (*firstIn, error) {
	if h.keys == nil || h.keys.HasAdministrator() {
		return nil, nil
	}
	key, err := h.keys.Setup(ctx)
	if err != nil {
		return nil, err
	}
	link, err := h.sessions.Link(ctx, key)
	if err != nil {
		return nil, err
	}
	return &firstIn{key, link}, nil
}

// setupLink returns the address that signs in the first administrator. Under which name
// browsers reach the ledger it knows only where it listens on one address itself.
func (h *Server) setupLink(addr, secret string) string {
	at := h.scheme() + "://" + addr
	ip, err := netip.ParseAddrPort(addr)
	switch {
	case h.Config.Access.Elsewhere:
		at = "https://LEDGER"
	case err == nil && ip.Addr().IsUnspecified():
		at = h.scheme() + "://" + net.JoinHostPort("LEDGER", fmt.Sprint(ip.Port()))
	}
	return at + dashboard.SetupPath + secret
}

// countSessions counts who signs in and out.
func (m *measured) countSessions(t *telemetry.Telemetry) error {
	ins, err1 := telemetry.SignIns.Int64Counter(t.Meter)
	outs, err2 := telemetry.SignOuts.Int64Counter(t.Meter)
	refusals, err3 := telemetry.SignInRefusals.Int64Counter(t.Meter)
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}

	// All are there from the beginning, so that a rate sees the first.
	ctx := context.Background()
	for _, way := range session.Ways {
		ins.Add(ctx, 0, telemetry.SignIns.Of(string(way)))
	}
	for _, how := range session.Hows {
		outs.Add(ctx, 0, telemetry.SignOuts.Of(string(how)))
	}
	for _, why := range session.Whys {
		refusals.Add(ctx, 0, telemetry.SignInRefusals.Of(string(why)))
	}
	m.sessions = session.Counter{
		SignedIn:  func(way session.Way) { ins.Add(ctx, 1, telemetry.SignIns.Of(string(way))) },
		SignedOut: func(how session.How) { outs.Add(ctx, 1, telemetry.SignOuts.Of(string(how))) },
		Refused:   func(why session.Why) { refusals.Add(ctx, 1, telemetry.SignInRefusals.Of(string(why))) },
	}
	return nil
}

// linkMinutes is how long the link is good, for people.
const linkMinutes = int(session.LinkLasts / time.Minute)
