package main

import (
	"errors"
	"time"

	"consentledger/cmd/internal/configfile"
	"consentledger/cmd/internal/serveflags"
	"consentledger/cmd/internal/server"

	"github.com/spf13/cobra"
)

const serveHelp = `Run the ledger: NATS, store, projections and HTTP in one process.

Traces and metrics go to an OpenTelemetry receiver once one is named by the standard
variables, as in

  OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318 consentledger serve

Without them, and without --metrics, nothing is measured and nothing is sent. What is
measured, and every variable that is read: docs/observability.md.`

func newServe() *cobra.Command {
	c, _ := serveVerb()
	return c
}

// serveVerb returns the verb, and what checks its flags before anything is done.
func serveVerb() (_ *cobra.Command, check func(*cobra.Command) error) {
	var s server.Config
	var hosts []string
	check = func(c *cobra.Command) error { return serveflags.Check(c, &s, hosts) }
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run the ledger: NATS, store, projections and HTTP in one process",
		Long:  serveHelp,
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := check(c); err != nil {
				return err
			}
			err := server.Run(c.Context(), s, c.OutOrStdout())
			if errors.Is(err, server.ErrRestart) {
				return server.StartAnew()
			}
			return err
		},
	}
	configfile.Section(c, "serve")
	f := c.Flags()
	f.StringVar(&s.Data, "data", "", "the data directory (default: data, or data-demo with --demo)")
	f.StringVar(&s.HTTP, "http", "127.0.0.1:8080", "where HTTP listens")
	f.StringSliceVar(&hosts, "allowed-hosts", nil,
		"more names and addresses under which HTTP may be asked, as of a proxy (default: loopback names and those of "+
			"--http)")
	f.StringVar(&s.Origin, "origin", "",
		"the name that the apps' logs stand under, as in logs.example.com/consent; it never changes (default: a "+
			"random one)")
	f.StringVar(&s.NATSListen, "nats-listen", "127.0.0.1:4222", "where the embedded NATS server listens")
	f.StringVar(&s.Witnesses, "witnesses", "",
		"a file that names C2SP witnesses to show the logs to, in the form of a tlog-policy")
	f.DurationVar(&s.WitnessEvery, "witness-every", time.Minute, "how often the logs are shown to their witnesses")
	f.BoolVar(&s.WitnessPrivate, "witness-allow-private", false,
		"let witnesses and the time-stamping authority be at private and loopback addresses, and behind a proxy there")
	f.StringVar(&s.Authority, "timestamps", "",
		"the URL of a time-stamping authority (RFC 3161) that stamps the logs' checkpoints")
	f.StringVar(&s.AuthorityRoots, "timestamp-roots", "",
		"the certificates that the authority's must come from, as PEM (default: those that this machine trusts)")
	f.DurationVar(&s.StampEvery, "timestamp-every", 24*time.Hour, "how often checkpoints are stamped")
	serveflags.Places(c, &s.Store, &s.Vault, &s.VaultKeys, &s.Views)
	f.StringVar(&s.ViewsRole, "views-reader", "",
		"a role of PostgreSQL, as of a dashboard, that may read the views; also by "+server.ViewsRoleVariable+
			" (default: none)")
	f.BoolVar(&s.Metrics, "metrics", false, "show metrics at /metrics, as Prometheus reads them")
	f.StringVar(&s.Measures, "metrics-listen", "",
		"where metrics are shown at /metrics to whoever asks, without a key, on a network of its own (default: "+
			"nowhere)")
	f.StringVar(&s.ESDB, "esdb-listen", "",
		"where clients of EventStoreDB and KurrentDB may read the store, and write nothing (default: nowhere)")
	f.StringVar(&s.LogFormat, "log-format", server.LogText,
		"what a line of the log on standard error is: text, or json, an object each")
	f.StringVar(&s.Process, "process", "",
		"what this process is called, where several serve one ledger; also by "+server.ProcessVariable+
			" (default: the host's name and something random)")
	serveflags.KEK(c, &s.KEK)
	f.StringVar(&s.BackupTo, "backup-recipients", "",
		"a file with who may read backups that are made over HTTP, an age recipient a line; needed with "+
			"--authenticate (default: whom the request names)")
	serveflags.Limits(c, &s.Limits)
	serveflags.Access(c, &s.Access)
	serveflags.NATS(c, &s.NATS)
	serveflags.Telling(c, &s.Telling)
	f.BoolVar(&s.Demo, "demo", false, "with a sample app, SmartKey, its policy and simulated users")
	configfile.FromEnvironment(f, "views-reader", server.ViewsRoleVariable)
	configfile.FromEnvironment(f, "process", server.ProcessVariable)
	return c, check
}
