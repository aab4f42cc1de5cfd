package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"consentledger/api/auth"
	"consentledger/domain"

	"github.com/spf13/cobra"
)

// A doors is who is let in by which door: whether anybody is authenticated, and where
// the lines are encrypted. The zero doors let in whoever is on this machine.
type doors struct {
	authenticate bool
	cert, key    string // PEM files of TLS
	elsewhere    bool   // TLS is ended by somebody before us
	ways         ways   // beside keys
}

func (d *doors) flags(c *cobra.Command) {
	f := c.Flags()
	f.BoolVar(&d.authenticate, "authenticate", false, "let nobody in without a key (see consentledger access key); needed on every address that is not loopback")
	f.StringVar(&d.cert, "tls-cert", "", "the certificate (PEM) of HTTP and of the embedded NATS server; it is read again when it changes")
	f.StringVar(&d.key, "tls-key", "", "the key (PEM) of --tls-cert")
	f.BoolVar(&d.elsewhere, "tls-elsewhere", false, "TLS is ended before the ledger, as by a proxy, and nobody else reaches it")
	d.ways.flags(f)
}

// checkDoors refuses to listen where others than this machine are without knowing who
// comes, or on a line on which keys and persons can be read.
func (s serveConfig) checkDoors() error {
	if (s.doors.cert == "") != (s.doors.key == "") {
		return usageError{errors.New("--tls-cert and --tls-key go together")}
	}
	if s.doors.cert != "" && s.doors.elsewhere {
		return usageError{errors.New("--tls-cert and --tls-elsewhere: TLS is ended here or elsewhere, say one of them")}
	}
	if err := s.doors.ways.check(s.doors); err != nil {
		return err
	}
	if s.doors.authenticate && s.demo {
		return usageError{errors.New("--demo and --authenticate: the demo shows itself to whoever is on this machine; " +
			"authenticate with a directory of your own")}
	}
	listens := []struct{ flag, at string }{{"--http", s.http}}
	if s.nats.url == "" {
		listens = append(listens, struct{ flag, at string }{"--nats-listen", s.natsListen})
	}
	for _, l := range listens {
		switch {
		case isLoopback(l.at):
		case !s.doors.authenticate:
			return usageError{fmt.Errorf("%s %s can be reached from other machines, and nobody is authenticated: "+
				"say --authenticate, with --tls-cert and --tls-key, or with --tls-elsewhere behind a proxy; "+
				"or listen on 127.0.0.1", l.flag, l.at)}
		case s.doors.cert == "" && !s.doors.elsewhere:
			return usageError{fmt.Errorf("%s %s can be reached from other machines, and keys would be read on the way: "+
				"say --tls-cert and --tls-key, or --tls-elsewhere if a proxy ends TLS before the ledger", l.flag, l.at)}
		}
	}
	if s.esdb != "" && !isLoopback(s.esdb) {
		return usageError{fmt.Errorf("--esdb-listen %s can be reached from other machines, and shows the events of every app "+
			"to whoever comes, since its protocol knows no keys of ours: listen on 127.0.0.1", s.esdb)}
	}
	if s.doors.cert != "" {
		_, err := newCertificate(s.doors.cert, s.doors.key)
		return err
	}
	return nil
}

// isLoopback reports whether an address to listen on is reached from this machine alone.
func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

// A certificate is one of TLS, in two files that somebody replaces before it ends.
type certificate struct {
	cert, key string

	mu      sync.Mutex
	read    time.Time // of the files, when they were changed last
	looked  time.Time
	current *tls.Certificate
}

func newCertificate(cert, key string) (*certificate, error) {
	c := &certificate{cert: cert, key: key}
	if err := c.load(); err != nil {
		return nil, usageError{fmt.Errorf("--tls-cert, --tls-key: %w", err)}
	}
	return c, nil
}

func (c *certificate) load() error {
	cert, err := readOwnFile(c.cert, maxStampFile)
	if err != nil {
		return err
	}
	key, err := readOwnFile(c.key, maxKeyFile)
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
func (d doors) config() (*tls.Config, error) {
	if d.cert == "" {
		return nil, nil
	}
	c, err := newCertificate(d.cert, d.key)
	if err != nil {
		return nil, err
	}
	speaks := &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get}
	if speaks.ClientCAs, err = d.ways.authorities(); speaks.ClientCAs != nil {
		speaks.ClientAuth = tls.VerifyClientCertIfGiven // who shows none shows a key
	}
	return speaks, err
}

// openAccess reads the keys, if somebody has to have one.
func (h *house) openAccess(ctx context.Context) (err error) {
	if h.tls, err = h.config.doors.config(); err != nil || !h.config.doors.authenticate {
		return err
	}
	h.keys = &auth.Keys{
		Rows: h.dir.rows(), Now: h.dir.ledger.Now, Execute: h.dir.ledger.Execute,
		Apps: func() []domain.AppName { return h.logs.Logged() },
	}
	if err := h.openWays(ctx); err != nil {
		return err
	}
	return h.keys.Read(ctx)
}

// settleEvery is how often it is looked whether an app has come of which a key is not
// recorded yet.
const settleEvery = time.Minute

// keepAccess follows the keys until ctx is done.
func (h *house) keepAccess(ctx context.Context) {
	var settling sync.WaitGroup
	defer settling.Wait()
	settling.Go(func() {
		t := time.NewTicker(settleEvery)
		defer t.Stop()
		for ctx.Err() == nil {
			if err := h.keys.Settle(ctx); err != nil && ctx.Err() == nil {
				h.log.Warn("that keys were issued or ended could not be recorded", "error", err)
			}
			select {
			case <-t.C:
			case <-ctx.Done():
			}
		}
	})
	h.keys.Run(ctx, func(err error) {
		h.log.Error("the keys cannot be read; in half a minute nobody is let in any more", "error", err)
	})
}

// setup returns the key by which the first administrator gets in; nil: there is one.
func (h *house) setup(ctx context.Context) (*auth.Key, error) {
	if h.keys == nil || h.keys.HasAdministrator() {
		return nil, nil
	}
	key, err := h.keys.Setup(ctx)
	return &key, err
}

// greetDoors says who is let in.
func (h *house) greetDoors(out io.Writer, setup *auth.Key) {
	switch {
	case h.keys == nil:
		fmt.Fprint(out, "\n  NOBODY IS AUTHENTICATED: whoever is on this machine may do everything here.\n"+
			"  For anything but a trial: serve --authenticate (docs/security.md)\n")
	case setup != nil:
		fmt.Fprintf(out, `
  There is no administrator yet. This key is one for an hour, and shown this once:

    %s

  Put it into CONSENTLEDGER_KEY, and issue one that stays:
    consentledger access key new --name "..." --role administrator --all-apps
`, setup.Reveal())
	}
}
