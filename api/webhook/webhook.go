// Package webhook sends apps by HTTP what becomes of consents and obligations, by the
// convention of Standard Webhooks: every request is a CloudEvent with a signature that its
// receiver checks with a secret.
//
// A webhook is of one app. It follows the log from a position of its own, and sends what is
// of its app, one event after the other: the next one goes when the one before was
// taken. What is not taken is sent again, later each time; a webhook that fails too often
// is paused, and somebody is told. So an event is sent at least once, with the same id each
// time, and a webhook can be set back to any position.
//
// Whom an event is about is looked up for each attempt: a person who was erased since is
// not named.
//
// A webhook goes to addresses on the internet alone, by https, unless [Hooks.Private] lets
// it go further: whoever may add one would reach through the ledger what only the ledger
// can. The address is checked when it is dialled, after names are resolved, and redirects
// are not followed. Proxies of the environment are not used: they would dial unchecked.
package webhook

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"consentledger/api/nats/outbox"
	"consentledger/api/outgoing"
	"consentledger/api/wire"
	"consentledger/domain/ident"
	"consentledger/domain/refusal"
	"consentledger/eventstore"
)

// A Ledger is what webhooks send from.
type Ledger = outbox.Ledger

// Hooks are the webhooks of a ledger. Fill in the fields up to Unseal. Its methods may be
// called concurrently, also by several processes; one of these runs [Hooks.Run].
type Hooks struct {
	Ledger Ledger
	Rows   eventstore.Rows

	// Seal and Unseal keep secrets under the key of an app, each for one webhook.
	Seal   func(ctx context.Context, app, id string, plain []byte) ([]byte, error)
	Unseal func(ctx context.Context, app, id string, sealed []byte) ([]byte, error)

	Private bool                 // also to private addresses, and without TLS
	Roots   *x509.CertPool       // that receivers' certificates come from; nil: the system's
	Log     *slog.Logger         // nil: slog.Default
	Tried   func(delivered bool) // is called after each attempt; nil: nobody counts
	Pace    Pace

	// Changed, once it is made by Run, is told that settings changed in this process.
	once    sync.Once
	changed chan struct{}
}

// A Pace says how often is tried again. The zero Pace has good values.
type Pace struct {
	First, Last time.Duration // how long the first pause is, and the longest; zero: a second, an hour
	Failures    int           // after how many in a row a webhook is paused; zero: 30, which is about half a day
	Look        time.Duration // how often settings are read; zero: a second
	Answer      time.Duration // how long a receiver may take; zero: 15 seconds
}

func (p Pace) filled() Pace {
	fill := func(d *time.Duration, with time.Duration) {
		if *d == 0 {
			*d = with
		}
	}
	fill(&p.First, time.Second)
	fill(&p.Last, time.Hour)
	fill(&p.Look, time.Second)
	fill(&p.Answer, 15*time.Second)
	if p.Failures == 0 {
		p.Failures = 30
	}
	return p
}

// A Hook is a webhook, as it is set and as it does.
type Hook struct {
	App     ident.AppName
	ID      string
	URL     string
	Types   []string // of the events that it is sent
	Created time.Time
	By      string // the pseudonym of who added it

	Paused time.Time // zero: it is not
	Why    string    // it is paused: asked, failing or gone

	Position eventstore.Position // up to which all was taken
	Failures int                 // in a row
	Last     string              // what the last failure was
}

// Why a webhook is paused.
const (
	Asked   = "asked"   // somebody paused it
	Failing = "failing" // it failed too often in a row
	Gone    = "gone"    // its receiver answered 410
)

// State says in a word how a webhook does: well, failing or paused.
func (h Hook) State() string {
	switch {
	case !h.Paused.IsZero():
		return "paused"
	case h.Failures > 0:
		return "failing"
	}
	return "well"
}

// States are the words of [Hook.State].
var States = []string{"well", "failing", "paused"}

// Types are the types of events that a webhook can be sent.
func Types() []string { return slices.Concat(wire.ConsentTypes, wire.ObligationTypes) }

// maxHooks is how many webhooks an app may have: each follows the log.
const maxHooks = 20

// ErrNone says that an app has no such webhook.
var ErrNone = errors.New("the app has no such webhook: webhook list shows them")

func refuse(path, format string, args ...any) error {
	return refusal.Refusal{Code: refusal.Malformed, Path: path, Text: path + ": " + fmt.Sprintf(format, args...)}
}

// parseTypes returns the types that a webhook is to be sent; of none, those of consents.
func parseTypes(texts []string) ([]string, error) {
	if len(texts) == 0 {
		return wire.ConsentTypes, nil
	}

	known := Types()
	var types []string
	for _, text := range texts {
		if !slices.Contains(known, text) {
			return nil, refuse("types", "one of them is not told; there are: %s", strings.Join(known, ", "))
		}
		if !slices.Contains(types, text) {
			types = append(types, text)
		}
	}
	return types, nil
}

// parseURL returns a URL that a webhook may have.
func (h *Hooks) parseURL(text string) (string, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "" || len(text) > 2000:
		return "", refuse("url", "want an absolute URL of at most 2000 bytes, as in https://shop.example.com/consents")
	case u.Scheme != "https" && !(u.Scheme == "http" && h.Private):
		return "", refuse("url", "want https: what is sent names persons. serve --webhook-allow-private allows http, "+
			"for a network that nobody else reads")
	case u.User != nil:
		return "", refuse("url", "it holds a name or password: receivers check the signature instead")
	case u.Fragment != "":
		return "", refuse("url", "what stands behind a # is sent to nobody: leave it out")
	}

	if addr, err := netip.ParseAddr(u.Hostname()); err == nil && !h.Private && !outgoing.IsPublic(addr) {
		return "", refuse("url", "its address is not of the internet: serve --webhook-allow-private allows it")
	}
	return u.String(), nil
}

func (h *Hooks) log() *slog.Logger {
	if h.Log == nil {
		return slog.Default()
	}
	return h.Log
}
