package main

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"consentledger/cmd/internal/server"
	"consentledger/eventstore/vault"
	"consentledger/projections/transparency"

	"github.com/spf13/cobra"
)

// A doctor looks at what serve would stand on, and changes nothing that is kept.
type doctor struct {
	data, http, nats string
	hosts            []string
	external         server.ExternalNATS
	access           server.Access
	clock            string

	running bool // a ledger has the directory open
	rows    []json.RawMessage
	broken  int
}

// A diagnosis is what doctor says of one thing.
type diagnosis struct {
	Check string `json:"check"`
	State string `json:"state"` // ok, broken or skipped
	Found string `json:"found"`
	Fix   string `json:"fix,omitempty"`
}

func newDoctor() *cobra.Command {
	var d doctor
	c := &cobra.Command{
		Use: "doctor", Short: "Say what would keep serve from working, and how to mend it", Args: cobra.NoArgs,
		Long: `Say what would keep serve from working, and how to mend it: the data directory, its
keys and its logs, the ports, the clock, TLS, and a NATS server. Give it those flags
of serve. A store, a vault or views elsewhere it does not look at. It changes nothing that is kept, and may be run beside a ledger: then it looks
at less, since the directory is that ledger's. The exit code is 1 if anything is broken.`,
		Example: `  consentledger doctor
  consentledger doctor --data /var/lib/consent --http 0.0.0.0:8443 --tls-cert cert.pem --tls-key key.pem --allowed-hosts consent.example.com
  consentledger doctor --nats tls://nats.example.com:4222 --nats-ca ca.pem --clock https://www.example.com/`,
		RunE: func(c *cobra.Command, _ []string) error { return d.run(c) },
	}
	f := c.Flags()
	f.StringVar(&d.data, "data", "data", "the data directory")
	f.StringVar(&d.http, "http", "127.0.0.1:8080", "where HTTP is to listen")
	f.StringVar(&d.nats, "nats-listen", "127.0.0.1:4222", "where the embedded NATS server is to listen")
	f.StringSliceVar(&d.hosts, "allowed-hosts", nil, "names under which HTTP is to be asked: the certificate must have them")
	f.StringVar(&d.clock, "clock", "", "an HTTP address whose clock is right (default: that of --server, if it answers)")
	natsFlags(c, &d.external)
	accessFlags(c, &d.access)
	outputFlag(c)
	return c
}

func (d *doctor) run(c *cobra.Command) error {
	if err := d.external.Check(); err != nil {
		return err
	}
	d.directory(c.Context())
	d.port("http", "--http", d.http)
	if d.external.URL == "" {
		d.port("nats-listen", "--nats-listen", d.nats)
	} else {
		d.natsServer(c.Context())
	}
	d.certificate()
	d.server(c)
	if err := printRows(c, d.rows, "check", "state", "found", "fix"); err != nil {
		return err
	}
	if d.broken > 0 {
		return fmt.Errorf("%d things are broken", d.broken)
	}
	return nil
}

func (d *doctor) say(check, state, found, fix string) {
	if state == "broken" {
		d.broken++
	}
	d.rows = append(d.rows, rowOf(diagnosis{check, state, found, fix}))
}

// directory looks at the data directory: first from outside, then inside as long as
// no ledger has it open.
func (d *doctor) directory(ctx context.Context) {
	info, err := os.Stat(d.data)
	switch {
	case errors.Is(err, os.ErrNotExist):
		d.parent()
		return
	case err != nil:
		d.say("directory", "broken", err.Error(), "let the user of the ledger see "+d.data+", or name another directory with --data")
		return
	case !info.IsDir():
		d.say("directory", "broken", d.data+" is no directory", "name a data directory with --data; it is made if it is not there")
		return
	}
	if err := writable(d.data); err != nil {
		d.say("directory", "broken", "it cannot be written: "+err.Error(), "give "+d.data+" to the user that runs the ledger, as in chown, with mode 0700; mount it read-write")
		return
	}
	if _, err := os.Stat(filepath.Join(d.data, "FORMAT")); errors.Is(err, os.ErrNotExist) {
		if err := server.CheckOurs(d.data); err != nil {
			d.say("directory", "broken", err.Error(), "name an empty directory, or one of a ledger, with --data")
		} else {
			d.say("directory", "ok", "it is empty and can be written: serve begins a ledger in it", "")
		}
		return
	}
	d.say("directory", "ok", "it is a ledger's and can be written", "")
	d.future()
	d.inside(ctx)
}

// parent looks where a directory would be made that is not there.
func (d *doctor) parent() {
	dir := filepath.Dir(filepath.Clean(d.data))
	for {
		if _, err := os.Stat(dir); err == nil || dir == filepath.Dir(dir) {
			break
		}
		dir = filepath.Dir(dir)
	}
	if err := writable(dir); err != nil {
		d.say("directory", "broken", d.data+" is not there and cannot be made: "+err.Error(), "make it for the user that runs the ledger, or name another with --data")
		return
	}
	d.say("directory", "ok", d.data+" is not there yet: serve makes it", "")
}

// writable reports whether a file can be made in a directory. It is gone again.
func writable(dir string) error {
	f, err := os.CreateTemp(dir, ".consentledger-doctor-*")
	if err != nil {
		if e, is := errors.AsType[*os.PathError](err); is {
			return e.Err
		}
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// clockMargin is how far a clock may be off: a grant that is further ahead is refused.
const clockMargin = 5 * time.Minute

// future looks for files that were written later than now.
func (d *doctor) future() {
	var newest time.Time
	for _, name := range []string{"store", "log", "views"} {
		files, err := os.ReadDir(filepath.Join(d.data, name))
		if err != nil {
			continue
		}
		for _, f := range files {
			if info, err := f.Info(); err == nil && info.ModTime().After(newest) {
				newest = info.ModTime()
			}
		}
	}
	if ahead := time.Until(newest); ahead > clockMargin {
		d.say("clock", "broken", fmt.Sprintf("the ledger was written %s later than it is now: this clock is slow, or was fast then", ahead.Round(time.Minute)),
			"set the clock right and keep it so (NTP), before the ledger starts: no record is earlier than the newest")
	}
}

// inside opens the directory as "replay --data" does.
func (d *doctor) inside(ctx context.Context) {
	dir, err := server.OpenDataDir(ctx, d.data, "", false)
	_, running := errors.AsType[server.InUse](err)
	switch {
	case running:
		d.running = true
		d.say("keys", "skipped", "a ledger has the directory open", "")
		d.say("log", "skipped", "a ledger has the directory open", "")
		return
	case errors.Is(err, vault.ErrWrongKeys):
		d.say("keys", "broken", "keys does not open this vault: it is another ledger's, or an older one's", "bring back the file keys that belongs to this store: from the backup of the same ledger")
		return
	case err != nil:
		d.say("store", "broken", err.Error(), "what the message says; a backup of the whole directory is the way back")
		return
	}
	defer dir.Close()
	d.say("keys", "ok", "they open the vault", "")

	err = dir.Behind(ctx)
	older, behind := errors.AsType[*transparency.OlderError](err)
	switch {
	case behind:
		d.say("log", "broken", fmt.Sprintf("the store ends at position %d, and records up to position %d of %s were signed: the store is older than its log", older.Head, older.Signed, older.App),
			"bring back the newer store; if it is lost for good: consentledger log renew --records-lost")
	case err != nil:
		d.say("log", "broken", err.Error(), "bring back the directory log from a backup of this ledger, never from an older state")
	default:
		d.say("log", "ok", "the store holds all that was signed", "")
	}
}

// port looks whether an address can be listened on.
func (d *doctor) port(check, flag, address string) {
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
	d.say(check, "broken", address+" cannot be listened on: "+err.Error(), "stop what listens there, or name another address with "+flag)
}

// natsServer connects to the NATS server that serve would use.
func (d *doctor) natsServer(ctx context.Context) {
	nc, err := d.external.Connect(ctx, "consentledger-doctor", slog.New(slog.DiscardHandler))
	if err != nil {
		flag, _, _ := strings.Cut(err.Error(), ":")
		d.say("nats", "broken", err.Error(), "look at "+flag)
		return
	}
	defer nc.Close()
	if !nc.IsConnected() {
		d.say("nats", "broken", "--nats: nobody answers at "+d.external.String(), "look at --nats")
		return
	}
	if err := server.OldServer(nc.ConnectedServerVersion()); err != nil {
		d.say("nats", "broken", err.Error(), "run a NATS server of 2.15 or later")
		return
	}
	d.say("nats", "ok", "version "+nc.ConnectedServerVersion()+", with JetStream", "")
}

// certificate looks at the files that TLS is to be spoken with.
func (d *doctor) certificate() {
	if d.access.Cert == "" && d.access.Key == "" {
		return
	}
	leaf, err := server.LoadCertificate(d.access.Cert, d.access.Key)
	if err != nil {
		d.say("tls", "broken", err.Error(), "name a certificate and the key that belongs to it, both PEM, with --tls-cert and --tls-key")
		return
	}
	names := append([]string{}, d.hosts...)
	if host, _, err := net.SplitHostPort(d.http); err == nil && host != "" && net.ParseIP(host) == nil {
		names = append(names, host)
	}
	for _, name := range names {
		if leaf.VerifyHostname(name) != nil {
			d.say("tls", "broken", "the certificate is not for "+name+", but for: "+strings.Join(namesOf(leaf), ", "), "have a certificate made for "+name+", or ask under a name that it has")
			return
		}
	}
	switch now := time.Now(); {
	case now.After(leaf.NotAfter):
		d.say("tls", "broken", "the certificate ended on "+leaf.NotAfter.Local().Format(time.DateTime), "renew it; serve reads the files again when they change")
	case now.Before(leaf.NotBefore):
		d.say("tls", "broken", "the certificate begins on "+leaf.NotBefore.Local().Format(time.DateTime), "wait, or set the clock right")
	default:
		d.say("tls", "ok", "the certificate is for "+strings.Join(namesOf(leaf), ", ")+", until "+leaf.NotAfter.Local().Format(time.DateTime), "")
	}
}

func namesOf(leaf *x509.Certificate) []string {
	names := append([]string{}, leaf.DNSNames...)
	for _, ip := range leaf.IPAddresses {
		names = append(names, ip.String())
	}
	return names
}

// server asks the running server, if there is one, and holds this clock against its
// clock, or against another's.
func (d *doctor) server(c *cobra.Command) {
	server, _ := c.Flags().GetString("server")
	at := server
	if d.clock != "" {
		at = d.clock
	}
	client := http.Client{Timeout: 5 * time.Second}
	req, err := http.NewRequestWithContext(c.Context(), http.MethodHead, strings.TrimRight(at, "/")+"/", nil)
	if err != nil {
		d.say("server", "broken", "the address is none", "want one as in http://127.0.0.1:8080")
		return
	}
	before := time.Now()
	resp, err := client.Do(req)
	if err != nil {
		d.unanswered(err, at, d.clock != "" || c.Flags().Changed("server"))
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
		d.say("clock", "broken", fmt.Sprintf("this clock and that of %s are %s apart", at, off.Abs()), "set the clock that is wrong, and keep it right (NTP): grants that are more than 5 minutes ahead are refused")
		return
	}
	d.say("clock", "ok", "as that of "+at, "")
}

// unanswered says why a server did not answer. Nobody expects one that was not named.
func (d *doctor) unanswered(err error, at string, expected bool) {
	if u, is := errors.AsType[*url.Error](err); is {
		err = u.Err
	}
	var names x509.HostnameError
	switch {
	case errors.As(err, &names):
		d.say("server", "broken", "the certificate of "+at+" is not for "+names.Host+", but for: "+strings.Join(namesOf(names.Certificate), ", "), "ask under a name that it has, with --server, or have it made for this one")
	case expected:
		d.say("server", "broken", at+" does not answer: "+err.Error(), "start it with consentledger serve, or name another with --server")
	default:
		d.say("server", "skipped", "no ledger answers at "+at, "")
	}
}
