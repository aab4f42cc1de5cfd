package server

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"consentledger/api/nats/intake"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/files"
	"consentledger/cmd/internal/natscontext"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"
)

// An ExternalNATS is how serve reaches a NATS server that runs by itself. The
// zero externalNATS means the embedded one.
type ExternalNATS struct {
	URL           string
	Creds         string // a file with a user's JWT and seed
	Nkey          string // a file with a user's seed, instead
	CA, Cert, Key string // PEM files

	Context string // of the nats tool, by its name or its file, which says all of the above

	Callout     string // a file with the seed of the account key that auth callout is answered with
	CalloutXKey string // a file with the seed of the curve key that it is encrypted with

	context natscontext.Context // that of Context, once [ExternalNATS.Resolve] read it

	rights *rights // is told what the server refuses; nil: only the log is
}

// ContextVariable names a context of the nats tool, where no flag does.
const ContextVariable = "CONSENTLEDGER_NATS_CONTEXT"

// Resolve reads the context that is named, and takes from it what else the flags say.
func (e *ExternalNATS) Resolve() error {
	name := cmp.Or(e.Context, os.Getenv(ContextVariable))
	if name == "" || e.context.Path != "" {
		return nil
	}
	if e.URL != "" || e.Creds != "" || e.nkeyFile() != "" || e.CA != "" || e.Cert != "" || e.Key != "" {
		return exit.Usage(errors.New("--nats-context says how NATS is reached, and who the ledger is there: " +
			"leave out --nats, --nats-creds, --nats-nkey, --nats-ca, --nats-cert and --nats-key"))
	}

	c, err := natscontext.Read(name)
	if err != nil {
		return exit.Usage(fmt.Errorf("--nats-context: %w", err))
	}
	e.Context, e.context = name, c
	e.URL, e.Creds, e.Nkey, e.CA, e.Cert, e.Key = c.URL, c.Creds, c.Nkey, c.CA, c.Cert, c.Key
	if err := e.Check(); err != nil {
		return exit.Usage(fmt.Errorf("--nats-context: %s: %w", c.Path, err))
	}
	return nil
}

// From says which context of the nats tool all of it was taken from; empty: from none.
func (e ExternalNATS) From() string {
	if e.context.Path == "" {
		return ""
	}
	return fmt.Sprintf("context %s, %s", e.Context, e.context.Path)
}

// Check finds what is wrong with the flags before anything is opened.
func (e ExternalNATS) Check() error {
	if e.URL == "" && (e.Creds != "" || e.Nkey != "" || e.CA != "" || e.Cert != "" || e.Key != "") {
		return exit.Usage(errors.New("--nats-creds, --nats-nkey, --nats-ca, --nats-cert and --nats-key go with " +
			"--nats URL"))
	}
	if (e.Cert == "") != (e.Key == "") {
		return exit.Usage(errors.New("--nats-cert and --nats-key go together"))
	}
	for _, one := range e.urls() {
		if u, err := url.Parse(one); err != nil || u.Hostname() == "" || u.Scheme != "nats" && u.Scheme != "tls" {
			return exit.Usage(errors.New("--nats: want nats://HOST:PORT or tls://HOST:PORT"))
		}
	}
	_, err := e.CalloutKeys()
	return errors.Join(e.CheckCreds(), e.CheckNkey(), e.CheckCA(), e.CheckCert(), err)
}

func (e ExternalNATS) CheckCreds() error {
	if e.Creds == "" {
		return nil
	}

	text, err := files.ReadOwnFile(e.Creds, files.MaxKeyFile)
	if err != nil {
		return files.Unread("--nats-creds", err)
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

	return exit.Usage(fmt.Errorf("--nats-creds: %s holds no user JWT and seed; nsc generate creds writes such a file",
		e.Creds))
}

func (e ExternalNATS) CheckCA() error {
	if e.CA == "" {
		return nil
	}
	text, err := files.ReadOwnFile(e.CA, files.MaxStampFile)
	if err != nil {
		return files.Unread("--nats-ca", err)
	}
	if !x509.NewCertPool().AppendCertsFromPEM(text) {
		return exit.Usage(fmt.Errorf("--nats-ca: %s holds no certificate in PEM", e.CA))
	}
	return nil
}

func (e ExternalNATS) CheckCert() error {
	if e.Cert == "" {
		return nil
	}

	cert, err := files.ReadOwnFile(e.Cert, files.MaxStampFile)
	if err != nil {
		return files.Unread("--nats-cert", err)
	}

	key, err := files.ReadOwnFile(e.Key, files.MaxKeyFile)
	if err != nil {
		return files.Unread("--nats-key", err)
	}
	defer clear(key)
	if _, err = tls.X509KeyPair(cert, key); err != nil {
		return exit.Usage(fmt.Errorf("--nats-cert, --nats-key: %w", err))
	}
	return nil
}

// Connect connects, and again whenever the connection is lost: with the same
// files, read anew. If nobody answers the connection is returned all the same,
// and is made later, see [ExternalNATS.Await]. Its errors name the flag to look at.
func (e ExternalNATS) Connect(ctx context.Context, name string, log *slog.Logger) (*nats.Conn, error) {
	if err := e.Check(); err != nil {
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
	if e.Creds != "" {
		opts = append(opts, nats.UserCredentials(e.Creds))
	}
	if name := e.nkeyFile(); name != "" {
		seed, err := nats.NkeyOptionFromSeed(name)
		if err != nil {
			return nil, files.Unread("--nats-nkey", err)
		}
		opts = append(opts, seed)
	}
	opts = append(opts, e.contextOptions()...)
	opts = append(opts, e.tlsOptions()...)

	// What is recorded and asked over HTTP needs no NATS, so the ledger starts without it.
	nc, err := nats.Connect(e.URL, opts...)
	if err == nil {
		warnOfOld(nc, log)
		err := e.jetStream(ctx, nc) // before others ask for what they may not have either
		if err != nil && !errors.Is(err, exit.ErrUnreachable) {
			nc.Close()
			return nil, err
		}
		return nc, nil
	}
	if err = e.explain(err); !errors.Is(err, exit.ErrUnreachable) {
		return nil, err
	}

	opts = append(opts, nats.RetryOnFailedConnect(true),
		nats.ConnectHandler(func(nc *nats.Conn) { warnOfOld(nc, log) }))
	if nc, err = nats.Connect(e.URL, opts...); err != nil {
		return nil, e.explain(err)
	}
	return nc, nil
}

// contextOptions are who the ledger is where a context says that by itself.
func (e ExternalNATS) contextOptions() (opts []nats.Option) {
	c := e.context
	if c.User != "" {
		opts = append(opts, nats.UserInfo(c.User, c.Password))
	}
	if c.JWT != "" {
		opts = append(opts, nats.UserJWTAndSeed(c.JWT, c.Seed))
	}
	if c.Token != "" {
		opts = append(opts, nats.Token(c.Token))
	}
	return opts
}

// tlsOptions are how TLS is spoken with a server.
func (e ExternalNATS) tlsOptions() (opts []nats.Option) {
	if e.CA != "" {
		opts = append(opts, nats.RootCAs(e.CA))
	}
	if e.Cert != "" {
		opts = append(opts, nats.ClientCert(e.Cert, e.Key))
	}
	if e.context.TLSFirst {
		opts = append(opts, nats.TLSHandshakeFirst())
	}
	return opts
}

// Await returns once a server is reached and has JetStream for us, however long that
// takes: nodes restart, and a cluster chooses its leader. What waiting does not mend, as
// a user whom the server does not know, is an error that names the flag to look at. The
// embedded server is there already.
func (e ExternalNATS) Await(ctx context.Context, nc *nats.Conn, log *slog.Logger) error {
	if e.URL == "" {
		return nil
	}
	reached := func(ctx context.Context) error { return e.Reached(ctx, nc) }
	p := part{name: "nats", where: e.String(), ask: reached}
	return p.await(ctx, log, func(error) {}) // /readyz asks by itself
}

// Reached returns nil if a server is there and has JetStream for us.
func (e ExternalNATS) Reached(ctx context.Context, nc *nats.Conn) error {
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
	if err := OldServer(nc.ConnectedServerVersion()); err != nil {
		log.Warn(err.Error())
	}
}

// jetStream checks that there is one for us.
func (e ExternalNATS) jetStream(ctx context.Context, nc *nats.Conn) error {
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
		return fmt.Errorf("%s: the account of these credentials has no JetStream on %s: give it storage, "+
			"or use an account that has", e.flag("creds"), e)
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled):
		return fmt.Errorf("%s: %s runs without JetStream: start it with JetStream (nats-server -js), or name "+
			"another", e.flag("url"), e)
	}
	return fmt.Errorf("%s: JetStream of %s: %w: %w", e.flag("url"), e, exit.ErrUnreachable, err)
}

// explain says which flag to look at.
func (e ExternalNATS) explain(err error) error {
	op, remote := errors.AsType[*net.OpError](err)
	_, stranger := errors.AsType[x509.UnknownAuthorityError](err)
	_, other := errors.AsType[x509.HostnameError](err)
	_, invalid := errors.AsType[x509.CertificateInvalidError](err)
	switch {
	case stranger && e.CA == "":
		return fmt.Errorf("%s: name the authority that signed the certificate of %s: %w", e.flag("ca"), e, err)
	case stranger || invalid:
		return fmt.Errorf("%s: %s does not vouch for the certificate of %s: %w", e.flag("ca"), e.CA, e, err)
	case other:
		return fmt.Errorf("%s: the certificate of %s is for other names: %w", e.flag("url"), e, err)
	case errors.Is(err, nats.ErrNkeysNotSupported):
		return fmt.Errorf("%s: %s knows no user by an nkey: put the ledger's into its users: %w",
			e.flag("nkey"), e, err)
	case errors.Is(err, nats.ErrSecureConnWanted):
		return fmt.Errorf("%s: %s does not speak TLS: leave out --nats-ca and --nats-cert and write nats://",
			e.flag("url"), e)
	case remote && op.Op == "remote error", errors.Is(err, nats.ErrTLS): // told, or hung up on
		return fmt.Errorf("%s: %s does not take our certificate, or misses one: %w", e.flag("cert"), e, err)
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired),
		errors.Is(err, nats.ErrAuthRevoked), errors.Is(err, nats.ErrAccountAuthExpired):
		if e.CallsOut() {
			return fmt.Errorf("%s: %s does not let us in: the ledger's own user has to stand in its users, and in "+
				"auth_users of its auth_callout: %w", e.userFlag(), e, err)
		}
		return fmt.Errorf("%s: %s does not let us in: %w", e.userFlag(), e, err)
	}
	return fmt.Errorf("%s: %s: %w: %w", e.flag("url"), e, exit.ErrUnreachable, err)
}

// flag is what says something of how the server is reached, by its name in a context: a
// flag, or the context.
func (e ExternalNATS) flag(name string) string {
	switch {
	case e.From() != "":
		return "--nats-context, " + name
	case name == "url":
		return "--nats"
	case name == "cert":
		return "--nats-cert, --nats-key"
	}
	return "--nats-" + name
}

// userFlag is the flag that says which user of the server the ledger is, or those that
// could: none of them was given.
func (e ExternalNATS) userFlag() string {
	switch {
	case e.From() != "":
		return "--nats-context"
	case e.nkeyFile() != "":
		return "--nats-nkey"
	case e.Creds != "":
		return "--nats-creds"
	}
	return "--nats-nkey or --nats-creds"
}

// permitted says where to look when something was not permitted.
func (e ExternalNATS) permitted(err error) error {
	if errors.Is(err, nats.ErrPermissionViolation) && e.URL != "" {
		return fmt.Errorf("%s: this user of %s lacks a permission that the ledger needs: %w", e.userFlag(), e, err)
	}
	return err
}

func (e ExternalNATS) urls() []string {
	if e.URL == "" {
		return nil
	}
	return strings.Split(e.URL, ",")
}

// String returns the addresses, without a password that may stand in them.
func (e ExternalNATS) String() string {
	var shown []string
	for _, one := range e.urls() {
		if u, err := url.Parse(strings.TrimSpace(one)); err == nil {
			u.User = nil
			shown = append(shown, u.String())
		}
	}
	return strings.Join(shown, ",")
}
