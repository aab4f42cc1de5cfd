package server

import (
	"crypto/rand"
	"crypto/subtle"
	"slices"
	"strings"
	"sync"

	"consentledger/api/auth"
	"consentledger/api/nats/intake"

	"github.com/nats-io/nats-server/v2/server"
)

// A natsAuth lets clients into the embedded NATS server: by a key, as a token or a
// password, to the subjects that the key is for. Whose key ends is cut off.
type natsAuth struct {
	keys *auth.Keys
	with auth.Certificates // nil: nobody comes by one
	own  string            // the ledger's own token, which no one else has

	mu     sync.Mutex
	server *server.Server
	let    map[uint64]string // the key of each client that was let in
}

func newNATSAuth(keys *auth.Keys, with auth.Certificates) *natsAuth {
	d := &natsAuth{keys: keys, with: with, own: rand.Text() + rand.Text(), let: map[uint64]string{}}
	keys.Changed = d.cutOff
	return d
}

// Check lets a client in; see [server.Authentication].
func (d *natsAuth) Check(c server.ClientAuthentication) bool {
	if c.Kind() != server.CLIENT {
		return false
	}
	opts := c.GetOpts()
	secret := opts.Token
	if secret == "" {
		secret = opts.Password
	}
	if subtle.ConstantTimeCompare([]byte(secret), []byte(d.own)) == 1 {
		c.RegisterUser(&server.User{Username: "ledger", Permissions: ownPermissions()})
		return true
	}
	if secret == "" {
		return d.checkCertificate(c)
	}
	p, err := d.keys.Authenticate(secret)
	if err != nil {
		return false
	}
	until, good := d.keys.Good(p.Key)
	if !good {
		return false
	}

	d.mu.Lock()
	defer d.mu.Unlock()
	d.let[c.GetID()] = p.Key
	c.RegisterUser(&server.User{Username: p.Key, Permissions: permissionsOf(p), ConnectionDeadline: until.Time()})
	return true
}

// checkCertificate lets in who has a certificate, for as long as it holds.
func (d *natsAuth) checkCertificate(c server.ClientAuthentication) bool {
	state := c.GetTLSConnectionState()
	if d.with == nil || state == nil || len(state.VerifiedChains) == 0 {
		return false
	}
	leaf := state.VerifiedChains[0][0]
	p, err := d.with.Authenticate(leaf)
	if err != nil {
		return false
	}
	c.RegisterUser(&server.User{Username: p.Key, Permissions: permissionsOf(p), ConnectionDeadline: leaf.NotAfter})
	return true
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

// cutOff ends the connections of keys that let nobody in any more.
func (d *natsAuth) cutOff() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.server == nil {
		return
	}

	for id, key := range d.let {
		if d.server.GetClient(id) == nil { // it has gone
			delete(d.let, id)
			continue
		}
		if _, good := d.keys.Good(key); !good {
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
		h.natsAuth = newNATSAuth(h.keys, h.ways.Certificates)
		o.CustomClientAuthentication = h.natsAuth
	}
}

// ownToken is what the ledger's own connections say.
func (h *Server) ownToken() string {
	if h.natsAuth == nil {
		return ""
	}
	return strings.Clone(h.natsAuth.own)
}
