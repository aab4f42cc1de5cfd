package server

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"consentledger/api/auth"
	"consentledger/api/auth/roles"
	"consentledger/api/auth/trail"
	"consentledger/api/edge"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/files"
	"consentledger/domain/ident"
)

// An Access is who is let in: whether anybody is authenticated, and where
// the lines are encrypted. The zero Access lets in whoever is on this machine.
type Access struct {
	Authenticate bool
	Cert, Key    string // PEM files of TLS
	Elsewhere    bool   // TLS is ended by somebody before us
	Ways         Ways   // beside keys

	// NATSRenew is after how long a connection to NATS is looked at anew that could not be
	// cut off: at a server elsewhere each, at the embedded one those by a token. Zero:
	// usualRenew.
	NATSRenew time.Duration
}

// How long a connection lasts until it is looked at anew.
const (
	usualRenew   = 5 * time.Minute
	longestRenew = time.Hour
)

func (d Access) natsRenew() time.Duration { return cmp.Or(d.NATSRenew, usualRenew) }

// CheckAccess refuses to listen where others than this machine are without knowing who
// comes, or on a line on which keys and persons can be read.
func (s Config) CheckAccess() error {
	if (s.Access.Cert == "") != (s.Access.Key == "") {
		return exit.Usage(errors.New("--tls-cert and --tls-key go together"))
	}
	if s.Access.Cert != "" && s.Access.Elsewhere {
		return exit.Usage(errors.New("--tls-cert and --tls-elsewhere: TLS is ended here or elsewhere, say one of them"))
	}
	if d := s.Access.NATSRenew; d != 0 && (d < time.Second || d > longestRenew) {
		return exit.Usage(errors.New("--nats-renew: want a time from 1s to 1h, as in 5m"))
	}
	if err := s.Access.Ways.check(s.Access, s.NATS.CallsOut()); err != nil {
		return err
	}

	if s.Access.Authenticate && s.Demo {
		return exit.Usage(errors.New("--demo and --authenticate: the demo shows itself to whoever is on this " +
			"machine; " +
			"authenticate with a directory of your own"))
	}

	listens := []struct{ flag, at string }{{"--http", s.HTTP}}
	if s.NATS.URL == "" {
		listens = append(listens, struct{ flag, at string }{"--nats-listen", s.NATSListen})
	}

	for _, l := range listens {
		switch {
		case edge.IsLoopback(l.at):
		case !s.Access.Authenticate:
			return exit.Usage(fmt.Errorf("%s %s can be reached from other machines, and nobody is authenticated: "+
				"say --authenticate, with --tls-cert and --tls-key, or with --tls-elsewhere behind a proxy; "+
				"or listen on 127.0.0.1", l.flag, l.at))
		case s.Access.Cert == "" && !s.Access.Elsewhere:
			return exit.Usage(fmt.Errorf("%s %s can be reached from other machines, and keys would be read on the "+
				"way: say --tls-cert and --tls-key, or --tls-elsewhere if a proxy ends TLS before the ledger",
				l.flag, l.at))
		}
	}

	if s.ESDB != "" && !edge.IsLoopback(s.ESDB) {
		return exit.Usage(fmt.Errorf("--esdb-listen %s can be reached from other machines, and shows the events of "+
			"every app "+
			"to whoever comes, since its protocol knows no keys of ours: listen on 127.0.0.1", s.ESDB))
	}

	if s.Access.Cert != "" {
		_, err := newCertificate(s.Access.Cert, s.Access.Key)
		return err
	}
	return nil
}

// A certificate is one of TLS, in two files that somebody replaces before it ends.
type certificate struct {
	cert, key string

	mu      sync.Mutex
	read    time.Time // of the files, when they were changed last
	looked  time.Time
	current *tls.Certificate
}

// LoadCertificate returns the certificate of TLS that files hold.
func LoadCertificate(cert, key string) (*x509.Certificate, error) {
	c, err := newCertificate(cert, key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(c.current.Certificate[0])
}

func newCertificate(cert, key string) (*certificate, error) {
	c := &certificate{cert: cert, key: key}
	if err := c.load(); err != nil {
		return nil, exit.Usage(fmt.Errorf("--tls-cert, --tls-key: %w", err))
	}
	return c, nil
}

func (c *certificate) load() error {
	cert, err := files.ReadOwnFile(c.cert, files.MaxStampFile)
	if err != nil {
		return err
	}

	key, err := files.ReadOwnFile(c.key, files.MaxKeyFile)
	if err != nil {
		return err
	}
	defer clear(key)
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return err
	}

	c.current = &pair
	c.read = changedAt(c.cert, c.key)
	return nil
}

// changedAt returns when the newest of files was changed.
func changedAt(names ...string) (newest time.Time) {
	for _, name := range names {
		if info, err := os.Stat(name); err == nil && info.ModTime().After(newest) {
			newest = info.ModTime()
		}
	}
	return newest
}

// get returns the certificate, read again if the files have changed. While they do not
// fit together, as when one of the two is replaced already, the older one goes on.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.looked) > time.Second {
		c.looked = time.Now()
		if changedAt(c.cert, c.key).After(c.read) {
			_ = c.load()
		}
	}
	return c.current, nil
}

// config returns how TLS is spoken, nil: it is not.
func (d Access) config() (*tls.Config, error) {
	if d.Cert == "" {
		return nil, nil
	}
	c, err := newCertificate(d.Cert, d.Key)
	if err != nil {
		return nil, err
	}
	speaks := &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get}
	if speaks.ClientCAs, err = d.Ways.authorities(); speaks.ClientCAs != nil {
		speaks.ClientAuth = tls.VerifyClientCertIfGiven // who shows none shows a key
	}
	return speaks, err
}

// openAccess reads the keys, if somebody has to have one.
func (h *Server) openAccess(ctx context.Context) (err error) {
	if h.tls, err = h.Config.Access.config(); err != nil || !h.Config.Access.Authenticate {
		return err
	}

	h.keys = &auth.Keys{
		Rows: h.Dir.Rows(), Now: h.Dir.Ledger.Now, Execute: h.Dir.Ledger.Execute,
		Apps: func() []ident.AppName { return h.Logs.Logged() }, Rehearse: h.Dir.Ledger.Rehearse,
		Groups: h.appGroups, FileGroups: h.filesNameGroups,
	}
	h.trail = &trail.Trail{Rows: h.Dir.Rows(), Now: h.Dir.Ledger.Now}
	if err := h.openWays(ctx); err != nil {
		return err
	}
	if err := h.openApprovals(); err != nil {
		return err
	}
	return h.keys.Read(ctx)
}

// settleEvery is how often it is looked whether a key, or a role, is not recorded yet that
// another process knows of.
const settleEvery = time.Minute

// settleAccess records that keys were issued or ended, and which roles the files give, until
// ctx is done. A file of roles that changed takes effect with the next request, and is
// recorded a second later by the process that has the turn: where each has a file of its
// own, and they differ for a while, one of them is recorded.
func (h *Server) settleAccess(ctx context.Context) {
	t := time.NewTicker(lookEvery)
	defer t.Stop()
	var keysAt, grantsAt time.Time
	var settled *roles.File
	apps, moves := 0, 0
	for ctx.Err() == nil {
		// What is given in every app is given in a new one, and what is given in a group in an
		// app that joins it.
		if n, m := len(h.keys.Apps()), h.keys.Moves(); n != apps || m != moves {
			keysAt, grantsAt, apps, moves = time.Time{}, time.Time{}, n, m
		}
		if time.Since(keysAt) >= settleEvery {
			keysAt = time.Now()
			if err := h.keys.Settle(ctx); err != nil && ctx.Err() == nil {
				h.Log.Warn("that keys were issued or ended could not be recorded", "error", err)
			}
			if h.seen != nil {
				if err := h.seen.Tidy(ctx); err != nil && ctx.Err() == nil {
					h.Log.Warn("the groups of who does not come any more could not be removed", "error", err)
				}
			}
		}

		file := h.rolesNow()
		due := file != settled || time.Since(grantsAt) >= settleEvery
		if due && h.turns.has(workFollowUps) {
			settled, grantsAt = file, time.Now()
			if err := h.keys.SettleGrants(ctx, h.allGrants); err != nil && ctx.Err() == nil {
				h.Log.Warn("which roles the file gives could not be recorded, and is tried again", "error", err)
			}
		}
		select {
		case <-t.C:
		case <-ctx.Done():
		}
	}
}

// rolesNow returns what the file of groups says; nil: there is none.
func (h *Server) rolesNow() *roles.File {
	if h.roles == nil {
		return nil
	}
	return h.roles.get()
}

// keepAccess follows the keys, and looks after sessions, until ctx is done.
func (h *Server) keepAccess(ctx context.Context) {
	var settling sync.WaitGroup // and tidying up
	defer settling.Wait()
	settling.Go(func() { h.settleAccess(ctx) })
	settling.Go(func() { h.keepSessions(ctx) })
	settling.Go(func() {
		h.trail.Run(ctx, func(err error) {
			h.Log.Warn("who was refused or signed out could not be written down; it is tried again", "error", err)
		})
	})
	h.keys.Run(ctx, func(err error) {
		h.Log.Error("the keys cannot be read; in half a minute nobody is let in any more", "error", err)
	})
}

// greetAccess says who is let in.
func (h *Server) greetAccess(out io.Writer, listening net.Listener, setup *firstIn) {
	switch {
	case h.keys == nil:
		fmt.Fprint(out, "\n  NOBODY IS AUTHENTICATED: whoever is on this machine may do everything here.\n"+
			"  For anything but a trial: serve --authenticate (docs/security.md)\n")
	case setup != nil:
		link, place := h.setupLink(listening.Addr().String(), setup.link), ""
		if strings.Contains(link, "//LEDGER") {
			place = " (for LEDGER put the ledger's own name)"
		}
		fmt.Fprintf(out, `
  There is no administrator yet. This link makes you the first one, in a browser: it works
  once, within %d minutes, and is shown this once%s:

    %s

  Or on the command line, by a key that is one for an hour, and shown this once:

    %s

  Put it into CONSENTLEDGER_KEY, and issue one that stays:
    consentledger access key new --name "..." --role administrator --all-apps
`, linkMinutes, place, link, setup.key.Reveal())
	}
}
