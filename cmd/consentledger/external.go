package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"time"

	"consentledger/api/intake"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"
	"github.com/spf13/cobra"
)

// An externalNATS is how serve reaches a NATS server that runs by itself. The
// zero externalNATS means the embedded one.
type externalNATS struct {
	url           string
	creds         string // a file with a user's JWT and seed
	ca, cert, key string // PEM files

	rights *rights // is told what the server refuses; nil: only the log is
}

func (e *externalNATS) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&e.url, "nats", "", "an external NATS server instead, as in nats://host:4222 or tls://host:4222; several with commas")
	f.StringVar(&e.creds, "nats-creds", "", "the credentials file for --nats")
	f.StringVar(&e.ca, "nats-ca", "", "the authority (PEM) that signed the certificate of --nats; default: the system's")
	f.StringVar(&e.cert, "nats-cert", "", "our certificate (PEM) for --nats, if it asks for one")
	f.StringVar(&e.key, "nats-key", "", "the key (PEM) of --nats-cert")
}

// check finds what is wrong with the flags before anything is opened.
func (e externalNATS) check() error {
	if e.url == "" && (e.creds != "" || e.ca != "" || e.cert != "" || e.key != "") {
		return usageError{errors.New("--nats-creds, --nats-ca, --nats-cert and --nats-key go with --nats URL")}
	}
	if (e.cert == "") != (e.key == "") {
		return usageError{errors.New("--nats-cert and --nats-key go together")}
	}
	for _, one := range e.urls() {
		if u, err := url.Parse(one); err != nil || u.Hostname() == "" || u.Scheme != "nats" && u.Scheme != "tls" {
			return usageError{errors.New("--nats: want nats://HOST:PORT or tls://HOST:PORT")}
		}
	}
	return errors.Join(e.checkCreds(), e.checkCA(), e.checkCert())
}

func (e externalNATS) checkCreds() error {
	if e.creds == "" {
		return nil
	}
	text, err := readOwnFile(e.creds, maxKeyFile)
	if err != nil {
		return unread("--nats-creds", err)
	}
	defer clear(text)
	_, err = nkeys.ParseDecoratedJWT(text)
	if bytes.Contains(text, []byte("BEGIN")) && err == nil {
		var pair nkeys.KeyPair
		if pair, err = nkeys.ParseDecoratedUserNKey(text); err == nil {
			pair.Wipe()
			return nil
		}
	}
	return usageError{fmt.Errorf("--nats-creds: %s holds no user JWT and seed; nsc generate creds writes such a file", e.creds)}
}

func (e externalNATS) checkCA() error {
	if e.ca == "" {
		return nil
	}
	text, err := readOwnFile(e.ca, maxStampFile)
	if err != nil {
		return unread("--nats-ca", err)
	}
	if !x509.NewCertPool().AppendCertsFromPEM(text) {
		return usageError{fmt.Errorf("--nats-ca: %s holds no certificate in PEM", e.ca)}
	}
	return nil
}

func (e externalNATS) checkCert() error {
	if e.cert == "" {
		return nil
	}
	cert, err := readOwnFile(e.cert, maxStampFile)
	if err != nil {
		return unread("--nats-cert", err)
	}
	key, err := readOwnFile(e.key, maxKeyFile)
	if err != nil {
		return unread("--nats-key", err)
	}
	defer clear(key)
	if _, err = tls.X509KeyPair(cert, key); err != nil {
		return usageError{fmt.Errorf("--nats-cert, --nats-key: %w", err)}
	}
	return nil
}

func unread(flag string, err error) error {
	named := fmt.Errorf("%s: %w", flag, err)
	if errors.Is(err, fs.ErrNotExist) {
		return notFound{named}
	}
	return named
}

// connect connects, and again whenever the connection is lost: with the same
// files, read anew. If nobody answers the connection is returned all the same,
// and is made later, see [externalNATS.await]. Its errors name the flag to look at.
func (e externalNATS) connect(ctx context.Context, name string, log *slog.Logger) (*nats.Conn, error) {
	if err := e.check(); err != nil {
		return nil, err
	}
	opts := []nats.Option{
		nats.Name(name), nats.CustomInboxPrefix(intake.InboxPrefix),
		nats.MaxReconnects(-1), nats.ReconnectWait(time.Second), nats.IgnoreAuthErrorAbort(),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil { // nil: we closed it
				log.Warn("NATS is away", "server", e.String(), "err", err)
			}
		}),
		nats.ReconnectHandler(func(nc *nats.Conn) {
			log.Info("NATS is back", "server", e.String())
			warnOfOld(nc, log)
		}),
		nats.ErrorHandler(func(nc *nats.Conn, _ *nats.Subscription, err error) {
			log.Warn("NATS", "err", err)
			if e.rights != nil {
				e.rights.note(nc, err)
			}
		}),
	}
	if e.creds != "" {
		opts = append(opts, nats.UserCredentials(e.creds))
	}
	if e.ca != "" {
		opts = append(opts, nats.RootCAs(e.ca))
	}
	if e.cert != "" {
		opts = append(opts, nats.ClientCert(e.cert, e.key))
	}
	// What is recorded and asked over HTTP needs no NATS, so the ledger starts without it.
	away := func(err error) { log.Warn("NATS is away, and is waited for", "server", e.String(), "err", err) }
	nc, err := nats.Connect(e.url, opts...)
	if err == nil {
		warnOfOld(nc, log)
		switch err := e.jetStream(ctx, nc); { // before others ask for what they may not have either
		case errors.Is(err, errUnreachable):
			away(err)
		case err != nil:
			nc.Close()
			return nil, err
		}
		return nc, nil
	}
	if err = e.explain(err); !errors.Is(err, errUnreachable) {
		return nil, err
	}
	away(err)
	opts = append(opts, nats.RetryOnFailedConnect(true), nats.ConnectHandler(func(nc *nats.Conn) {
		log.Info("NATS is there", "server", e.String())
		warnOfOld(nc, log)
	}))
	if nc, err = nats.Connect(e.url, opts...); err != nil {
		return nil, e.explain(err)
	}
	return nc, nil
}

// How often it is looked whether NATS is there, and said that it is not.
const (
	awaitEvery = 200 * time.Millisecond
	awaitSays  = 10 * time.Second
)

// await returns once a server is reached and has JetStream for us, however long that
// takes: nodes restart, and a cluster chooses its leader. What waiting does not mend, as
// a user whom the server does not know, is an error that names the flag to look at. The
// embedded server is there already.
func (e externalNATS) await(ctx context.Context, nc *nats.Conn, log *slog.Logger) error {
	if e.url == "" {
		return nil
	}
	said := time.Now()
	for {
		err := e.reached(ctx, nc)
		if !errors.Is(err, errUnreachable) {
			return err
		}

		if time.Since(said) >= awaitSays {
			log.Warn("NATS is away, and is waited for", "server", e.String(), "err", err)
			said = time.Now()
		}
		select {
		case <-time.After(awaitEvery):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// reached returns nil if a server is there and has JetStream for us.
func (e externalNATS) reached(ctx context.Context, nc *nats.Conn) error {
	if nc.IsConnected() {
		return e.jetStream(ctx, nc)
	}
	err := nc.LastError() // of the last server that was tried
	if err == nil {
		err = nats.ErrNoServers
	}
	return e.explain(err)
}

func warnOfOld(nc *nats.Conn, log *slog.Logger) {
	if err := oldServer(nc.ConnectedServerVersion()); err != nil {
		log.Warn(err.Error())
	}
}

// jetStream checks that there is one for us.
func (e externalNATS) jetStream(ctx context.Context, nc *nats.Conn) error {
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_, err = js.AccountInfo(ctx)
	switch last := nc.LastError(); {
	case err == nil:
		return nil
	case errors.Is(last, nats.ErrPermissionViolation):
		return e.permitted(last)
	case errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount):
		return fmt.Errorf("--nats-creds: the account of these credentials has no JetStream on %s: give it storage, or use an account that has", e)
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled):
		return fmt.Errorf("--nats: %s runs without JetStream: start it with JetStream (nats-server -js), or name another", e)
	}
	return fmt.Errorf("--nats: JetStream of %s: %w: %w", e, errUnreachable, err)
}

// explain says which flag to look at.
func (e externalNATS) explain(err error) error {
	op, remote := errors.AsType[*net.OpError](err)
	_, stranger := errors.AsType[x509.UnknownAuthorityError](err)
	_, other := errors.AsType[x509.HostnameError](err)
	_, invalid := errors.AsType[x509.CertificateInvalidError](err)
	switch {
	case stranger && e.ca == "":
		return fmt.Errorf("--nats-ca: name the authority that signed the certificate of %s: %w", e, err)
	case stranger || invalid:
		return fmt.Errorf("--nats-ca: %s does not vouch for the certificate of %s: %w", e.ca, e, err)
	case other:
		return fmt.Errorf("--nats: the certificate of %s is for other names: %w", e, err)
	case errors.Is(err, nats.ErrSecureConnWanted):
		return fmt.Errorf("--nats: %s does not speak TLS: leave out --nats-ca and --nats-cert and write nats://", e)
	case remote && op.Op == "remote error", errors.Is(err, nats.ErrTLS): // told, or hung up on
		return fmt.Errorf("--nats-cert, --nats-key: %s does not take our certificate, or misses one: %w", e, err)
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAuthRevoked), errors.Is(err, nats.ErrAccountAuthExpired):
		return fmt.Errorf("--nats-creds: %s does not let us in: %w", e, err)
	}
	return fmt.Errorf("--nats: %s: %w: %w", e, errUnreachable, err)
}

// permitted says where to look when something was not permitted.
func (e externalNATS) permitted(err error) error {
	if errors.Is(err, nats.ErrPermissionViolation) && e.url != "" {
		return fmt.Errorf("--nats-creds: this user of %s lacks a permission that the ledger needs: %w", e, err)
	}
	return err
}

func (e externalNATS) urls() []string {
	if e.url == "" {
		return nil
	}
	return strings.Split(e.url, ",")
}

// String returns the addresses, without a password that may stand in them.
func (e externalNATS) String() string {
	var shown []string
	for _, one := range e.urls() {
		if u, err := url.Parse(strings.TrimSpace(one)); err == nil {
			u.User = nil
			shown = append(shown, u.String())
		}
	}
	return strings.Join(shown, ",")
}
