package doctor

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"consentledger/api/nats/callout"
	"consentledger/cmd/internal/server"

	"github.com/nats-io/nats.go"
)

// port looks whether an address can be listened on.
func (d *Doctor) port(check, flag, address string) {
	l, err := net.Listen("tcp", address)
	if err == nil {
		err = l.Close()
	}
	if err == nil {
		d.say(check, "ok", address+" is free", "")
		return
	}

	if d.running {
		d.say(check, "ok", address+" is taken, as by the ledger that has the directory open", "")
		return
	}
	if e, is := errors.AsType[*net.OpError](err); is {
		err = e.Err
	}

	d.say(check, "broken", address+" cannot be listened on: "+err.Error(),
		"stop what listens there, or name another address with "+flag)
}

// natsServer connects to the NATS server that serve would use.
func (d *Doctor) natsServer(ctx context.Context) {
	nc, err := d.NATS.Connect(ctx, "consentledger-doctor", slog.New(slog.DiscardHandler))
	if err != nil {
		flag, _, _ := strings.Cut(err.Error(), ":")
		d.say("nats", "broken", err.Error(), "look at "+flag)
		return
	}
	defer nc.Close()
	if !nc.IsConnected() {
		d.say("nats", "broken", "--nats: nobody answers at "+d.NATS.String(), "look at --nats")
		return
	}
	if err := server.OldServer(nc.ConnectedServerVersion()); err != nil {
		d.say("nats", "broken", err.Error(), "run a NATS server of 2.15 or later")
		return
	}

	found := "version " + nc.ConnectedServerVersion() + ", with JetStream"
	if from := d.NATS.From(); from != "" {
		found += ", at " + d.NATS.String() + " (" + from + ")"
	}
	d.say("nats", "ok", found, "")
	if d.NATS.CallsOut() {
		d.authCallout(ctx, nc)
	}
}

// authCallout looks whether the servers of NATS ask the ledger whom to let in.
func (d *Doctor) authCallout(ctx context.Context, nc *nats.Conn) {
	keys, err := d.NATS.CalloutKeys()
	if err != nil {
		d.say("auth-callout", "broken", err.Error(), "look at --nats-callout")
		return
	}
	service := callout.New(callout.Config{Conn: nc, Keys: keys, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err := service.Locate(ctx); err != nil {
		d.say("auth-callout", "broken", err.Error(), "let the ledger's user publish to "+callout.UserInfo+
			" and hear its own inboxes; docs/access.md has its permissions")
		return
	}
	checked, err := service.Check(ctx, d.NATS.DialCheck)
	if wrong, is := errors.AsType[*callout.Misconfigured](err); is {
		d.say("auth-callout", "broken", "the NATS server "+wrong.Server+" does not let in whom the ledger lets in",
			wrong.Says)
		return
	}
	if errors.Is(err, callout.ErrNoneTried) {
		d.say("auth-callout", "broken", err.Error(), "look whether they answer, and run consentledger doctor again")
		return
	}
	if err != nil {
		d.say("auth-callout", "broken", err.Error(), "look at the permissions of the ledger's user; "+
			"docs/access.md has them")
		return
	}

	with := ""
	if keys.XKey != "" {
		with = ", encrypted for " + keys.XKey
	}
	d.say("auth-callout", "ok", fmt.Sprintf("asked for by %d servers, of the issuer %s%s", checked, keys.Issuer,
		with), "")
}

// certificate looks at the files that TLS is to be spoken with.
func (d *Doctor) certificate() {
	if d.Access.Cert == "" && d.Access.Key == "" {
		return
	}

	leaf, err := server.LoadCertificate(d.Access.Cert, d.Access.Key)
	if err != nil {
		d.say("tls", "broken", err.Error(),
			"name a certificate and the key that belongs to it, both PEM, with --tls-cert and --tls-key")
		return
	}

	names := append([]string{}, d.Hosts...)
	if host, _, err := net.SplitHostPort(d.HTTP); err == nil && host != "" && net.ParseIP(host) == nil {
		names = append(names, host)
	}

	for _, name := range names {
		if leaf.VerifyHostname(name) != nil {
			d.say("tls", "broken", "the certificate is not for "+name+", but for: "+strings.Join(namesOf(leaf), ", "),
				"have a certificate made for "+name+", or ask under a name that it has")
			return
		}
	}

	switch now := time.Now(); {
	case now.After(leaf.NotAfter):
		d.say("tls", "broken", "the certificate ended on "+leaf.NotAfter.Local().Format(time.DateTime),
			"renew it; serve reads the files again when they change")
	case now.Before(leaf.NotBefore):
		d.say("tls", "broken", "the certificate begins on "+leaf.NotBefore.Local().Format(time.DateTime),
			"wait, or set the clock right")
	default:
		d.say("tls", "ok", "the certificate is for "+strings.Join(namesOf(leaf),
			", ")+", until "+leaf.NotAfter.Local().Format(time.DateTime), "")
	}
}

// server asks the running server, if there is one, and holds this clock against its
// clock, or against another's.
func (d *Doctor) server(ctx context.Context) {
	at := d.Server
	if d.Clock != "" {
		at = d.Clock
	}
	client := http.Client{Timeout: 5 * time.Second}
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, strings.TrimRight(at, "/")+"/", nil)
	if err != nil {
		d.say("server", "broken", "the address is none", "want one as in http://127.0.0.1:8080")
		return
	}
	before := time.Now()
	resp, err := client.Do(req)
	if err != nil {
		d.unanswered(err, at, d.Clock != "" || d.Expected)
		return
	}
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	d.say("server", "ok", at+" answers", "")

	date, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		d.say("clock", "skipped", at+" does not say what time it is", "")
		return
	}
	off := before.Sub(date).Round(time.Second)
	if off.Abs() > clockMargin {
		d.say("clock", "broken", fmt.Sprintf("this clock and that of %s are %s apart", at, off.Abs()),
			"set the clock that is wrong, and keep it right (NTP): grants that are more than 5 minutes ahead are "+
				"refused")
		return
	}
	d.say("clock", "ok", "as that of "+at, "")
}

// unanswered says why a server did not answer. Nobody expects one that was not named.
func (d *Doctor) unanswered(err error, at string, expected bool) {
	if u, is := errors.AsType[*url.Error](err); is {
		err = u.Err
	}
	var names x509.HostnameError
	switch {
	case errors.As(err, &names):
		d.say("server", "broken", "the certificate of "+at+" is not for "+names.Host+", but for: "+
			strings.Join(namesOf(names.Certificate), ", "), "ask under a name that it has, with --server, or have "+
			"it made for this one")
	case expected:
		d.say("server", "broken", at+" does not answer: "+err.Error(),
			"start it with consentledger serve, or name another with --server")
	default:
		d.say("server", "skipped", "no ledger answers at "+at, "")
	}
}

func namesOf(leaf *x509.Certificate) []string {
	names := append([]string{}, leaf.DNSNames...)
	for _, ip := range leaf.IPAddresses {
		names = append(names, ip.String())
	}
	return names
}
