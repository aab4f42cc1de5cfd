package server

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"consentledger/api/auth"
	"consentledger/api/auth/clientcert"
	"consentledger/api/nats/intake"

	"github.com/nats-io/nats-server/v2/server"
)

// A natsAuth lets clients into the embedded NATS server, in the ways of the ledger and to
// the subjects that their roles are for. Whose key ends is cut off, and so is whose token
// or certificate does.
type natsAuth struct {
	keys *auth.Keys
	ways auth.Ways
	log  *slog.Logger
	own  string // the ledger's own token, which no one else has

	renew time.Duration // after which who came by a token is looked at anew

	mu     sync.Mutex
	server *server.Server
	let    map[uint64]auth.Principal // the clients that may have to be cut off: by a key, or in groups of apps
}

func newNATSAuth(ways auth.Ways, renew time.Duration, log *slog.Logger) *natsAuth {
	d := &natsAuth{
		keys: ways.Keys, ways: ways, log: log, renew: renew, own: rand.Text() + rand.Text(), let: map[uint64]auth.Principal{},
	}
	d.keys.Changed = d.cutOff
	return d
}

// authWithin is how long a client may take to be let in: the keys of an identity provider
// may have to be read first.
const authWithin = 10 * time.Second

// Check lets a client in; see [server.Authentication].
func (d *natsAuth) Check(c server.ClientAuthentication) bool {
	if c.Kind() != server.CLIENT {
		return false
	}
	opts := c.GetOpts()
	secret := cmp.Or(opts.Token, opts.Password)
	if auth.SameSecret(secret, d.own) {
		c.RegisterUser(&server.User{Username: "ledger", Permissions: ownPermissions()})
		return true
	}

	ctx, cancel := context.WithTimeout(context.Background(), authWithin)
	defer cancel()
	p, err := d.ways.Connect(ctx, secret, leafOf(c.GetTLSConnectionState()))
	if err != nil {
		d.log.Debug("a connection to NATS is refused", "why", err)
		d.ways.NoteDenied("nats", err)
		return false
	}
	return d.letIn(c, p)
}

// letIn gives a client its subjects, unless its key has ended meanwhile: then nobody would
// cut it off any more. So it is with the groups of apps that it has roles in, too.
func (d *natsAuth) letIn(c server.ClientAuthentication, p auth.Principal) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if byKey(p) {
		if _, good := d.keys.Good(p.Key); !good {
			return false
		}
	}
	p.Bindings = d.keys.Reach(p.Bindings)
	if byKey(p) || p.InGroups() {
		d.let[c.GetID()] = p
	}

	// The groups of a token may lose their roles in the file: nobody would be told.
	ends := p.Ends
	if renewed := time.Now().Add(d.renew); p.Key == "" && renewed.Before(ends) {
		ends = renewed
	}
	c.RegisterUser(&server.User{
		Username: cmp.Or(p.Key, p.Pseudonym), Permissions: permissionsOf(p), ConnectionDeadline: ends,
	})
	return true
}

// byKey reports whether somebody came by an API key: a certificate has a hyphen in its
// place, and a token nothing.
func byKey(p auth.Principal) bool { return p.Key != "" && !strings.HasPrefix(p.Key, clientcert.Prefix) }

// leafOf returns the certificate that a client shows, if it was verified; nil: none.
func leafOf(state *tls.ConnectionState) *x509.Certificate {
	if state == nil || len(state.VerifiedChains) == 0 {
		return nil
	}
	return state.VerifiedChains[0][0]
}

func permissionsOf(p auth.Principal) *server.Permissions {
	publish, subscribe := p.Permissions()
	return &server.Permissions{
		Publish:   &server.SubjectPermission{Allow: publish},
		Subscribe: &server.SubjectPermission{Allow: subscribe},
	}
}

// ownPermissions are those of the ledger itself. Answers go to inboxes and nowhere else:
// who asks names the subject of the answer, and could else let the ledger speak on a
// subject on which they may not speak themselves.
func ownPermissions() *server.Permissions {
	own := intake.Permissions
	return &server.Permissions{
		Publish: &server.SubjectPermission{
			Allow: slices.Concat(own.Publish, own.Make, own.Retire, own.Mend, own.Many, own.Changes,
				[]string{"_INBOX.>"}),
			Deny: []string{intake.InboxPrefix + ".>"},
		},
		Subscribe: &server.SubjectPermission{Allow: own.Subscribe},
	}
}

// serve says which server it is of.
func (d *natsAuth) serve(s *server.Server) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.server = s
}

// cutOff ends the connections of keys that let nobody in any more, and those whose groups of
// apps have other apps now: a client connects anew by itself, and then has the right subjects.
func (d *natsAuth) cutOff() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.server == nil {
		return
	}

	for id, p := range d.let {
		if d.server.GetClient(id) == nil { // it has gone
			delete(d.let, id)
			continue
		}
		_, good := d.keys.Good(p.Key)
		if byKey(p) && !good || d.keys.Moved(p.Bindings) {
			delete(d.let, id)
			_ = d.server.DisconnectClientByID(id) // it has gone meanwhile
		}
	}
}

// options puts authentication, and TLS, before a server.
func (h *Server) natsOptions(o *server.Options) {
	if h.tls != nil {
		o.TLSConfig, o.TLS = h.tls, true
	}
	if h.keys != nil {
		h.natsAuth = newNATSAuth(h.ways, h.Config.Access.natsRenew(), h.Log)
		o.CustomClientAuthentication, o.AuthTimeout = h.natsAuth, authWithin.Seconds()
	}
}

// ownToken is what the ledger's own connections say.
func (h *Server) ownToken() string {
	if h.natsAuth == nil {
		return ""
	}
	return strings.Clone(h.natsAuth.own)
}
