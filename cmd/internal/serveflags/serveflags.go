// Package serveflags has the flags of serve, each group by itself: other verbs that open the same places
// have some of them.
package serveflags

import (
	"errors"
	"fmt"
	"os"

	"consentledger/api/edge"
	"consentledger/cmd/internal/configfile"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/natscontext"
	"consentledger/cmd/internal/server"
	"consentledger/cmd/internal/telemetry"

	"github.com/spf13/cobra"
)

// Check completes what the flags of serve say, and refuses what contradicts itself.
func Check(c *cobra.Command, s *server.Config, hosts []string) (err error) {
	if s.Hosts, err = edge.ParseHosts(hosts); err != nil {
		return exit.Usage(fmt.Errorf("--allowed-hosts: %w", err))
	}

	if s.Data == "" {
		s.Data = "data"
		if s.Demo {
			s.Data = "data-demo"
		}
	}

	if err := s.NATS.Resolve(); err != nil {
		return err
	}
	if s.NATS.URL != "" && c.Flags().Changed("nats-listen") {
		return exit.Usage(errors.New("--nats-listen is where the embedded server listens; with --nats there is none"))
	}
	if s.LogFormat != server.LogText && s.LogFormat != server.LogJSON {
		return exit.Usage(errors.New("--log-format: want text or json"))
	}
	if s.WitnessEvery <= 0 || s.StampEvery <= 0 {
		return exit.Usage(errors.New("--witness-every, --timestamp-every: want a time above zero, as in 1m"))
	}
	if err := s.Check(); err != nil {
		return err
	}
	if s.Telemetry, err = telemetry.Read(os.Getenv); err != nil {
		return exit.Usage(err)
	}

	s.Telemetry.Prometheus = s.Telemetry.Prometheus || s.Metrics || s.Measures != ""
	return nil
}

// Places give a verb the flags of where parts of a ledger are that are not in its data
// directory.
func Places(c *cobra.Command, store, vault, keys, views *string) {
	f := c.Flags()
	f.StringVar(store, "store", "",
		"the event store that holds the records instead of the data directory: EventStoreDB or KurrentDB, as in "+
			server.EventStoreDB.Example+
			", or PostgreSQL, as in "+server.PostgreSQL.Example+"; also by "+server.StoreVariable+
			", or by a file that "+server.StoreFileVariable+" names (default: the data directory)")
	f.StringVar(vault, "vault", "",
		"the PostgreSQL database that holds the persons instead of the data directory, for several processes that "+
			"serve one ledger, as in "+
			server.PostgreSQL.Example+"; also by "+server.VaultVariable+", or by a file that "+
			server.VaultFileVariable+" names (default: the data directory)")
	f.StringVar(keys, "vault-keys", "",
		"the file with the keys of the vault, the same for all processes, which consentledger keys new makes; also by "+
			server.KeysVariable+" (default: keys in the data directory)")
	f.StringVar(views, "views", "",
		"the PostgreSQL database that holds the read models instead of the data directory, as in "+
			server.PostgreSQL.Example+
			"; also by "+server.ViewsVariable+", or by a file that "+server.ViewsFileVariable+
			" names (default: the data directory)")
	configfile.FromEnvironment(f, "store", server.StoreVariable, server.StoreFileVariable)
	configfile.FromEnvironment(f, "vault", server.VaultVariable, server.VaultFileVariable)
	configfile.FromEnvironment(f, "views", server.ViewsVariable, server.ViewsFileVariable)
	configfile.FromEnvironment(f, "vault-keys", server.KeysVariable)
	for _, name := range []string{"store", "vault", "views"} {
		configfile.MayHoldSecret(f, name)
	}
}

// Access give a verb the flags of who is let in.
func Access(c *cobra.Command, d *server.Access) {
	f := c.Flags()
	f.BoolVar(&d.Authenticate, "authenticate", false,
		"let nobody in without a key (see consentledger access key); needed on every address that is not loopback")
	f.StringVar(&d.Cert, "tls-cert", "",
		"the certificate (PEM) of HTTP and of the embedded NATS server; it is read again when it changes")
	f.StringVar(&d.Key, "tls-key", "", "the key (PEM) of --tls-cert")
	f.BoolVar(&d.Elsewhere, "tls-elsewhere", false,
		"TLS is ended before the ledger, as by a proxy, and nobody else reaches it")
	f.DurationVar(&d.NATSRenew, "nats-renew", 0,
		"how long a connection to NATS lasts that --nats-callout let in, or a token at the embedded server; then its "+
			"client connects anew by itself, and is looked at anew (default: 5m)")
	wayFlags(c, &d.Ways)
}

// wayFlags give a verb the flags of how somebody is authenticated, beside keys.
func wayFlags(c *cobra.Command, w *server.Ways) {
	f := c.Flags()
	f.StringVar(&w.Issuer, "oidc-issuer", "",
		"let in who has a token of this identity provider, as in https://id.example.com/realms/main, exactly as its "+
			"tokens name it")
	f.StringVar(&w.Audience, "oidc-audience", "", "for whom its tokens have to be, as in consentledger")
	f.StringVar(&w.Groups, "oidc-roles", "",
		"the file (YAML) that says which of its groups have which roles in which apps; see docs/access.md")
	f.StringVar(&w.Client, "oidc-client-id", "",
		"let people sign in at the identity provider in their browser, as this client; register "+
			"ADDRESS/ui/sign-in/callback there")
	f.StringVar(&w.ClientSecret, "oidc-client-secret-file", "",
		"a file with the client's secret (default: it has none)")
	f.StringSliceVar(&w.Scopes, "oidc-scopes", nil,
		"what a sign-in asks the provider for beside openid, as in groups (default: nothing)")
	f.StringVar(&w.ClientCA, "tls-client-ca", "",
		"let in who has a certificate of these authorities (PEM), over HTTP, the embedded NATS server and "+
			"--nats-callout")
	f.StringVar(&w.Certificates, "tls-client-roles", "",
		"the file (YAML) that says which certificates have which roles in which apps; it may be that of --oidc-roles")
	f.StringArrayVar(&w.Origins, "allow-origin", nil,
		"let pages of an origin record and ask by subject tokens in an app, as in shop=https://shop.example.com; may "+
			"stand several times")
	f.StringArrayVar(&w.TwoPersons, "two-persons", nil,
		"types of operators' events that take two principals in an app, beside those that always do, as in "+
			"shop=hold.released,recipient.added; may stand several times")
	f.Float64Var(&w.Rate, "rate", 0,
		"how many requests a second each principal may send over HTTP; who sends more is told to wait (default: as "+
			"many as they like)")
	f.IntVar(&w.Burst, "burst", 0, "how many of them at once (default: ten times --rate, and one at least)")
}

// Limits give a verb the flags of how much is taken at once.
func Limits(c *cobra.Command, l *server.Limits) {
	f := c.Flags()
	f.StringVar(&l.Memory, "memory-ceiling", "",
		"the memory above which nothing new is taken but questions about one person, as in 2GiB (default: three "+
			"quarters of what there is, at least 1GiB)")
	f.IntVar(&l.Connections, "max-connections", 0,
		"how many connections of HTTP there are at once; one more is closed (default: 4096)")
	f.StringToIntVar(&l.AtOnce, "at-once", nil,
		"how many requests are worked on at once, by their class, as in record=64,heavy=4,nats-record=1024 (default: "+
			"see docs/limits.md)")
	f.Lookup("at-once").DefValue = "" // an empty map, which the help would call a second default
}

// NATS give a verb the flags of an external NATS server.
func NATS(c *cobra.Command, e *server.ExternalNATS) {
	f := c.Flags()
	f.StringVar(&e.URL, "nats", "",
		"an external NATS server instead, as in nats://host:4222 or tls://host:4222; several with commas")
	f.StringVar(&e.Context, "nats-context", "",
		"an external NATS server as a context of the nats tool says it: its name, or its file if there is a slash "+
			"in it; also by "+server.ContextVariable+
			" (default: none; the one that nats context select chose is not taken unasked)")
	f.StringVar(&e.Creds, "nats-creds", "", "the credentials file for --nats")
	f.StringVar(&e.CA, "nats-ca", "",
		"the authority (PEM) that signed the certificate of --nats; default: the system's")
	f.StringVar(&e.Cert, "nats-cert", "", "our certificate (PEM) for --nats, if it asks for one")
	f.StringVar(&e.Key, "nats-key", "", "the key (PEM) of --nats-cert")
	f.StringVar(&e.Nkey, "nats-nkey", "",
		"the file with the seed (SU...) of the ledger's user at --nats; also by "+server.NkeyVariable+
			" (default: none)")
	f.StringVar(&e.Callout, "nats-callout", "",
		"answer the auth callout of --nats, so that it lets in who the ledger lets in: the file with the seed "+
			"(SA...) of the account key that its auth_callout names as issuer; also by "+server.CalloutVariable+
			" (default: none)")
	f.StringVar(&e.CalloutXKey, "nats-callout-xkey", "",
		"the file with the seed (SX...) of the curve key that its auth_callout names as xkey: what it asks is "+
			"encrypted; also by "+server.XKeyVariable+" (default: none)")
	c.RegisterFlagCompletionFunc("nats-context", contexts)
	configfile.FromEnvironment(f, "nats-context", server.ContextVariable)
	configfile.FromEnvironment(f, "nats-nkey", server.NkeyVariable)
	configfile.FromEnvironment(f, "nats-callout", server.CalloutVariable)
	configfile.FromEnvironment(f, "nats-callout-xkey", server.XKeyVariable)
}

// contexts are what completes the name of a context.
func contexts(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return natscontext.Names(), cobra.ShellCompDirectiveNoFileComp
}

// Telling give a verb the flags of what apps are told.
func Telling(c *cobra.Command, t *server.Telling) {
	f := c.Flags()
	f.BoolVar(&t.Consents, "tell-consents", false,
		"tell on NATS which consents are given, refused or withdrawn, expire or become stale, with the ids that "+
			"the apps sent; it begins where it is turned on first, and goes on there when it was off")
	f.BoolVar(&t.Private, "webhook-allow-private", false,
		"let webhooks go to private and loopback addresses, and without TLS: for receivers on a network of one's own")
}

// KEK gives a verb the flag of what wraps the vault's keys.
func KEK(c *cobra.Command, command *string) {
	c.Flags().StringVar(command, "kek-command", "",
		"a program that seals and unseals the file of the keys, as by a KMS; also by "+server.KEKVariable+
			" (default: the file is open)")
	configfile.FromEnvironment(c.Flags(), "kek-command", server.KEKVariable)
}
