package server

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"consentledger/api/auth"
	"consentledger/api/auth/clientcert"
	"consentledger/api/auth/limit"
	"consentledger/api/auth/provider"
	"consentledger/api/auth/roles"
	"consentledger/api/auth/token"
	"consentledger/api/edge"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/files"
	"consentledger/domain/ident"
)

// Ways are in which ways somebody is authenticated, beside keys.
type Ways struct {
	Issuer, Audience string   // of the tokens of an identity provider; empty: there is none
	Groups           string   // the file that gives its groups roles
	Client           string   // as which people sign in there in their browser; empty: they do not
	ClientSecret     string   // a file with the client's secret; empty: it has none
	Scopes           []string // what is asked for beside openid
	ClientCA         string   // the authorities (PEM) of clients' certificates; empty: nobody shows one
	Certificates     string   // the file that gives certificates roles

	Origins []string // pages that may use what is one person's, as APP=ORIGIN

	TwoPersons []string // what takes two principals beyond the table, as APP=TYPE,TYPE

	Rate  float64 // requests a second that each may send; zero: as many as they like
	Burst int     // and how many at once; zero: those of ten seconds
}

// check refuses ways that lead nowhere. With callsOut a NATS server elsewhere shows the
// certificates of its clients.
func (w Ways) check(d Access, callsOut bool) error {
	oidc := []string{w.Issuer, w.Audience, w.Groups}
	if slices.Contains(oidc, "") && strings.Join(oidc, "") != "" {
		return exit.Usage(errors.New("--oidc-issuer, --oidc-audience and --oidc-roles go together"))
	}
	if (w.ClientCA == "") != (w.Certificates == "") {
		return exit.Usage(errors.New("--tls-client-ca and --tls-client-roles go together"))
	}

	if w.ClientCA != "" && d.Cert == "" && !callsOut {
		return exit.Usage(errors.New("--tls-client-ca: clients show their certificates in TLS: say --tls-cert and " +
			"--tls-key, too, or --nats-callout for those of a NATS server elsewhere"))
	}

	if !d.Authenticate && (w.Issuer != "" || w.ClientCA != "" || len(w.Origins) > 0 || len(w.TwoPersons) > 0) {
		return exit.Usage(errors.New("--oidc-issuer, --tls-client-ca, --allow-origin, --two-persons: nobody is " +
			"authenticated without --authenticate: say that, too"))
	}

	switch {
	case w.Rate < 0 || w.Burst < 0 || math.IsNaN(w.Rate) || math.IsInf(w.Rate, 0):
		return exit.Usage(errors.New("--rate, --burst: want numbers above zero, as in --rate 50 --burst 200"))
	case w.Burst > 0 && w.Rate == 0:
		return exit.Usage(errors.New("--burst is how many requests of --rate may come at once: say that, too"))
	case w.Rate > 0 && !d.Authenticate:
		return exit.Usage(errors.New("--rate is for each principal, and nobody is one without --authenticate: say " +
			"that, too"))
	}

	if _, err := edge.ParseOrigins(w.Origins); err != nil {
		return exit.Usage(fmt.Errorf("--allow-origin: %w", err))
	}
	if err := w.checkSignIn(); err != nil {
		return err
	}
	if _, err := auth.ParseTwoPersons(w.TwoPersons); err != nil {
		return exit.Usage(fmt.Errorf("--two-persons: %w", err))
	}

	_, err := w.provider(auth.Pseudonyms{}, nil, nil, nil)
	_, err2 := w.known(auth.Pseudonyms{})
	_, err3 := w.authorities()
	return cmp.Or(err, err2, err3)
}

// known returns the certificates that have roles; nil: none has.
func (w Ways) known(names auth.Pseudonyms) (*clientcert.Certificates, error) {
	if w.Certificates == "" {
		return nil, nil
	}
	file, err := readRoles("--tls-client-roles", w.Certificates)
	if err != nil {
		return nil, err
	}
	known, err := clientcert.New(file, names, time.Now)
	if err != nil {
		return nil, exit.Usage(fmt.Errorf("--tls-client-roles: %w", err))
	}
	return known, nil
}

// authorities returns those that clients' certificates have to come from; nil: clients
// show none.
func (w Ways) authorities() (*x509.CertPool, error) {
	if w.ClientCA == "" {
		return nil, nil
	}
	text, err := files.ReadOwnFile(w.ClientCA, files.MaxStampFile)
	if err != nil {
		return nil, exit.Usage(fmt.Errorf("--tls-client-ca: %w", err))
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, exit.Usage(fmt.Errorf("--tls-client-ca: %s holds no certificate in PEM", w.ClientCA))
	}
	return pool, nil
}

// provider returns the identity provider; nil: there is none.
func (w Ways) provider(
	names auth.Pseudonyms, file *rolesFile, failed func(error), seen sees,
) (*provider.Provider, error) {
	if w.Issuer == "" {
		return nil, nil
	}
	c, err := w.providerConfig(names, file, failed)
	if err != nil {
		return nil, err
	}
	c.Seen = seen
	p, err := provider.New(c)
	if err != nil {
		return nil, exit.Usage(fmt.Errorf("--oidc-issuer, --oidc-audience, --oidc-roles: %w", err))
	}
	return p, nil
}

// providerConfig returns what an identity provider stands on. Where the file of roles is
// followed, it is the one that holds now.
func (w Ways) providerConfig(
	names auth.Pseudonyms, file *rolesFile, failed func(error),
) (c provider.Config, err error) {
	c = provider.Config{Issuer: w.Issuer, Audience: w.Audience, Pseudonyms: names, Now: time.Now, Failed: failed}
	if file != nil {
		c.Roles, c.Current = file.get(), file.get
		return c, nil
	}
	c.Roles, err = readRoles("--oidc-roles", w.Groups)
	return c, err
}

// grants returns what the files of roles give now, each by the pseudonym of its holder. The
// file of groups is followed; the one of certificates is read once, as its roles are.
func (w Ways) grants(names auth.Pseudonyms, groups *rolesFile) (func() []auth.Grant, error) {
	var ofCertificates []auth.Grant
	if w.Certificates != "" {
		file, err := readRoles("--tls-client-roles", w.Certificates)
		if err != nil {
			return nil, err
		}
		for _, c := range file.Certificates {
			ofCertificates = append(ofCertificates,
				auth.Grant{Holder: names.Of("certificate", c.Name), Binding: c.Binding})
		}
	}

	return func() []auth.Grant {
		all := slices.Clone(ofCertificates)
		if groups == nil {
			return all
		}
		for _, g := range groups.look().Groups {
			all = append(all, auth.Grant{Holder: names.Of("oidc-group", w.Issuer, g.Name), Binding: g.Binding})
		}
		return all
	}, nil
}

// readRoles reads the file that a flag names.
func readRoles(flag, name string) (*roles.File, error) {
	text, err := files.ReadOwnFile(name, roles.MaxFile)
	if err != nil {
		return nil, exit.Usage(fmt.Errorf("%s: %w", flag, err))
	}
	file, err := roles.Parse(text)
	if err != nil {
		return nil, exit.Usage(fmt.Errorf("%s: %s: %w", flag, name, err))
	}
	return file, nil
}

// openWays opens the ways in, beside keys.
func (h *Server) openWays(ctx context.Context) error {
	seed, err := h.openTokenKey(ctx)
	if err != nil {
		return err
	}

	good := func(key string, app ident.AppName) bool { return h.keys.May(key, auth.Mint, app) }
	if h.tokens, err = token.NewSigner(seed, time.Now, good); err != nil {
		return err
	}

	h.ways = auth.Ways{Keys: h.keys, Bearers: []auth.Bearer{h.tokens}, Trail: h.trail}
	w := h.Config.Access.Ways
	if w.Rate > 0 {
		burst := cmp.Or(w.Burst, max(1, int(math.Ceil(10*w.Rate))))
		h.ways.Limit = limit.New(w.Rate, burst, time.Now, h.Measured.limited)
	}

	if w.Issuer == "" && w.ClientCA == "" {
		h.openSessions(nil)
		return nil
	}

	names, err := auth.OpenPseudonyms(ctx, h.Dir.Rows())
	if err != nil {
		return err
	}
	if err := h.openProvider(names); err != nil {
		return err
	}
	if h.grants, err = w.grants(names, h.roles); err != nil {
		return err
	}

	if h.certificates, err = w.known(names); err != nil {
		return err
	}
	if h.certificates != nil {
		h.ways.Certificates = h.certificates
	}
	return nil
}

// openProvider opens the identity provider, if there is one, and who is signed in by a
// browser.
func (h *Server) openProvider(names auth.Pseudonyms) error {
	w := h.Config.Access.Ways
	if w.Issuer == "" {
		h.openSessions(nil)
		return nil
	}
	failed := func(err error) {
		h.Log.Warn("the identity provider does not answer as it should; its keys that are known hold for a quarter "+
			"of an hour", "error", err)
	}
	var err error
	h.roles, err = watchRoles("--oidc-roles", w.Groups, func(err error) {
		h.Log.Error("the file of roles has changed and is not taken: what it said before holds", "error", err)
	})
	if err != nil {
		return err
	}

	h.seen = &auth.Seen{Rows: h.Dir.Rows(), Now: time.Now}
	p, err := w.provider(names, h.roles, failed, h.noteGroups)
	if err != nil {
		return err
	}
	h.ways.Bearers = append(h.ways.Bearers, p)
	in, err := w.signIn(names, h.roles, failed, h.noteGroups)
	if err != nil {
		return err
	}
	h.openSessions(in)
	return nil
}

// sees is told in which groups somebody is.
type sees = func(ctx context.Context, principal string, groups []string, issued time.Time)

// noteGroups takes note of the groups of somebody who came by a token. If it cannot, they
// come in all the same, and what they propose is refused once it is carried out.
func (h *Server) noteGroups(ctx context.Context, principal string, groups []string, issued time.Time) {
	if err := h.seen.Note(ctx, principal, groups, issued); err != nil && ctx.Err() == nil {
		h.Log.Warn("in which groups somebody is could not be noted", "error", err)
	}
}

// guardPages lets through what no page of another origin sends, but for those that may.
func (c Config) guardPages(next http.Handler, at net.Addr) http.Handler {
	origins, err := edge.ParseOrigins(c.Access.Ways.Origins)
	if err != nil {
		panic("consentledger: origins that were not checked: " + err.Error())
	}
	return edge.GuardWith(next, c.Hosts.Listening(c.HTTP, at), origins)
}
