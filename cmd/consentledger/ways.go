package main

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"math"
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

	"github.com/spf13/pflag"
)

// A ways is in which ways somebody is authenticated, beside keys.
type ways struct {
	issuer, audience string // of the tokens of an identity provider; empty: there is none
	groups           string // the file that gives its groups roles
	clientCA         string // the authorities (PEM) of clients' certificates; empty: nobody shows one
	certificates     string // the file that gives certificates roles

	origins []string // pages that may use what is one person's, as APP=ORIGIN

	rate  float64 // requests a second that each may send; zero: as many as they like
	burst int     // and how many at once; zero: those of ten seconds
}

func (w *ways) flags(f *pflag.FlagSet) {
	f.StringVar(&w.issuer, "oidc-issuer", "", "let in who has a token of this identity provider, as in https://id.example.com/realms/main, exactly as its tokens name it")
	f.StringVar(&w.audience, "oidc-audience", "", "for whom its tokens have to be, as in consentledger")
	f.StringVar(&w.groups, "oidc-roles", "", "the file (YAML) that says which of its groups have which roles in which apps; see docs/access.md")
	f.StringVar(&w.clientCA, "tls-client-ca", "", "let in who has a certificate of these authorities (PEM), over HTTP and the embedded NATS server")
	f.StringVar(&w.certificates, "tls-client-roles", "", "the file (YAML) that says which certificates have which roles in which apps; it may be that of --oidc-roles")
	f.StringArrayVar(&w.origins, "allow-origin", nil, "let pages of an origin record and ask by subject tokens in an app, as in shop=https://shop.example.com; may stand several times")
	f.Float64Var(&w.rate, "rate", 0, "how many requests a second each principal may send over HTTP; who sends more is told to wait (default: as many as they like)")
	f.IntVar(&w.burst, "burst", 0, "how many of them at once (default: ten times --rate, and one at least)")
}

// check refuses ways that lead nowhere.
func (w ways) check(d doors) error {
	oidc := []string{w.issuer, w.audience, w.groups}
	if slices.Contains(oidc, "") && strings.Join(oidc, "") != "" {
		return usageError{errors.New("--oidc-issuer, --oidc-audience and --oidc-roles go together")}
	}
	if (w.clientCA == "") != (w.certificates == "") {
		return usageError{errors.New("--tls-client-ca and --tls-client-roles go together")}
	}
	if w.clientCA != "" && d.cert == "" {
		return usageError{errors.New("--tls-client-ca: clients show their certificates in TLS: say --tls-cert and --tls-key, too")}
	}
	if !d.authenticate && (w.issuer != "" || w.clientCA != "" || len(w.origins) > 0) {
		return usageError{errors.New("--oidc-issuer, --tls-client-ca, --allow-origin: nobody is authenticated without --authenticate: say that, too")}
	}
	switch {
	case w.rate < 0 || w.burst < 0 || math.IsNaN(w.rate) || math.IsInf(w.rate, 0):
		return usageError{errors.New("--rate, --burst: want numbers above zero, as in --rate 50 --burst 200")}
	case w.burst > 0 && w.rate == 0:
		return usageError{errors.New("--burst is how many requests of --rate may come at once: say that, too")}
	case w.rate > 0 && !d.authenticate:
		return usageError{errors.New("--rate is for each principal, and nobody is one without --authenticate: say that, too")}
	}
	if _, err := edge.ParseOrigins(w.origins); err != nil {
		return usageError{fmt.Errorf("--allow-origin: %w", err)}
	}
	_, err := w.provider(auth.Pseudonyms{}, nil)
	_, err2 := w.known(auth.Pseudonyms{})
	_, err3 := w.authorities()
	return cmp.Or(err, err2, err3)
}

// known returns the certificates that have roles; nil: none has.
func (w ways) known(names auth.Pseudonyms) (*clientcert.Certificates, error) {
	if w.certificates == "" {
		return nil, nil
	}
	file, err := readRoles("--tls-client-roles", w.certificates)
	if err != nil {
		return nil, err
	}
	known, err := clientcert.New(file, names, time.Now)
	if err != nil {
		return nil, usageError{fmt.Errorf("--tls-client-roles: %w", err)}
	}
	return known, nil
}

// authorities returns those that clients' certificates have to come from; nil: clients
// show none.
func (w ways) authorities() (*x509.CertPool, error) {
	if w.clientCA == "" {
		return nil, nil
	}
	text, err := readOwnFile(w.clientCA, maxStampFile)
	if err != nil {
		return nil, usageError{fmt.Errorf("--tls-client-ca: %w", err)}
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, usageError{fmt.Errorf("--tls-client-ca: %s holds no certificate in PEM", w.clientCA)}
	}
	return pool, nil
}

// provider returns the identity provider; nil: there is none.
func (w ways) provider(names auth.Pseudonyms, failed func(error)) (*provider.Provider, error) {
	if w.issuer == "" {
		return nil, nil
	}
	file, err := readRoles("--oidc-roles", w.groups)
	if err != nil {
		return nil, err
	}
	p, err := provider.New(provider.Config{
		Issuer: w.issuer, Audience: w.audience, Roles: file, Pseudonyms: names, Now: time.Now, Failed: failed,
	})
	if err != nil {
		return nil, usageError{fmt.Errorf("--oidc-issuer, --oidc-audience, --oidc-roles: %w", err)}
	}
	return p, nil
}

// readRoles reads the file that a flag names.
func readRoles(flag, name string) (*roles.File, error) {
	text, err := readOwnFile(name, roles.MaxFile)
	if err != nil {
		return nil, usageError{fmt.Errorf("%s: %w", flag, err)}
	}
	file, err := roles.Parse(text)
	if err != nil {
		return nil, usageError{fmt.Errorf("%s: %s: %w", flag, name, err)}
	}
	return file, nil
}

// openWays opens the ways in, beside keys.
func (h *house) openWays(ctx context.Context) error {
	seed, err := h.openTokenKey(ctx)
	if err != nil {
		return err
	}
	good := func(key string) bool { _, is := h.keys.Good(key); return is }
	if h.tokens, err = token.NewSigner(seed, time.Now, good); err != nil {
		return err
	}
	h.ways = auth.Ways{Keys: h.keys, Bearers: []auth.Bearer{h.tokens}}
	w := h.config.doors.ways
	if w.rate > 0 {
		burst := cmp.Or(w.burst, max(1, int(math.Ceil(10*w.rate))))
		h.ways.Limit = limit.New(w.rate, burst, time.Now, h.measured.limited)
	}
	if w.issuer == "" && w.clientCA == "" {
		return nil
	}
	names, err := auth.OpenPseudonyms(ctx, h.dir.rows())
	if err != nil {
		return err
	}
	failed := func(err error) {
		h.log.Warn("the keys of the identity provider cannot be read; those that are known hold for a quarter of an hour", "error", err)
	}
	if p, err := w.provider(names, failed); err != nil {
		return err
	} else if p != nil {
		h.ways.Bearers = append(h.ways.Bearers, p)
	}
	if c, err := w.known(names); err != nil {
		return err
	} else if c != nil {
		h.ways.Certificates = c
	}
	return nil
}

// guardPages lets through what no page of another origin sends, but for those that may.
func (h *house) guardPages(next http.Handler, hosts edge.Hosts) http.Handler {
	origins, err := edge.ParseOrigins(h.config.doors.ways.origins)
	if err != nil {
		panic("consentledger: origins that were not checked: " + err.Error())
	}
	return edge.GuardWith(next, hosts, origins)
}
