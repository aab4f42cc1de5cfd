package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"consentledger/api/edge"
	"consentledger/cmd/internal/telemetry"

	"github.com/spf13/cobra"
)

const serveHelp = `Run the ledger: NATS, store, projections and HTTP in one process.

Traces and metrics go to an OpenTelemetry receiver once one is named by the standard
variables, as in

  OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318 consentledger serve

Without them, and without --metrics, nothing is measured and nothing is sent. What is
measured, and every variable that is read: docs/observability.md.`

func newServe() *cobra.Command {
	var s serveConfig
	var hosts []string
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run the ledger: NATS, store, projections and HTTP in one process",
		Long:  serveHelp,
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) (err error) {
			if s.hosts, err = edge.ParseHosts(hosts); err != nil {
				return usageError{fmt.Errorf("--allowed-hosts: %w", err)}
			}
			if s.data == "" {
				s.data = "data"
				if s.demo {
					s.data = "data-demo"
				}
			}
			if s.nats.url != "" && c.Flags().Changed("nats-listen") {
				return usageError{errors.New("--nats-listen is where the embedded server listens; with --nats there is none")}
			}
			if s.witnessEvery <= 0 || s.stampEvery <= 0 {
				return usageError{errors.New("--witness-every, --timestamp-every: want a time above zero, as in 1m")}
			}
			if err := errors.Join(s.nats.check(), s.checkMany(), s.checkDoors()); err != nil {
				return err
			}
			if s.telemetry, err = telemetry.Read(os.Getenv); err != nil {
				return usageError{err}
			}
			s.telemetry.Prometheus = s.telemetry.Prometheus || s.metrics || s.measures != ""
			err = serve(c.Context(), s, c.OutOrStdout())
			if errors.Is(err, errRestart) {
				return startAnew()
			}
			return err
		},
	}
	f := c.Flags()
	f.StringVar(&s.data, "data", "", "the data directory (default: data, or data-demo with --demo)")
	f.StringVar(&s.http, "http", "127.0.0.1:8080", "where HTTP listens")
	f.StringSliceVar(&hosts, "allowed-hosts", nil, "more names and addresses under which HTTP may be asked, as of a proxy (default: loopback names and those of --http)")
	f.StringVar(&s.origin, "origin", "", "the name that the apps' logs stand under, as in logs.example.com/consent; it never changes (default: a random one)")
	f.StringVar(&s.natsListen, "nats-listen", "127.0.0.1:4222", "where the embedded NATS server listens")
	f.StringVar(&s.witnesses, "witnesses", "", "a file that names C2SP witnesses to show the logs to, in the form of a tlog-policy")
	f.DurationVar(&s.witnessEvery, "witness-every", time.Minute, "how often the logs are shown to their witnesses")
	f.StringVar(&s.authority, "timestamps", "", "the URL of a time-stamping authority (RFC 3161) that stamps the logs' checkpoints")
	f.StringVar(&s.authorityRoots, "timestamp-roots", "", "the certificates that the authority's must come from, as PEM (default: those that this machine trusts)")
	f.DurationVar(&s.stampEvery, "timestamp-every", 24*time.Hour, "how often checkpoints are stamped")
	f.StringVar(&s.store, "store", "", "the event store that holds the records instead of the data directory: EventStoreDB or KurrentDB, as in "+eventStoreDB.example+
		", or PostgreSQL, as in "+postgreSQL.example+"; also by "+storeVariable+", or by a file that "+storeFileVariable+" names (default: the data directory)")
	f.StringVar(&s.vault, "vault", "", "the PostgreSQL database that holds the persons instead of the data directory, for several processes that serve one ledger, as in "+
		postgreSQL.example+"; also by "+vaultVariable+", or by a file that "+vaultFileVariable+" names (default: the data directory)")
	f.StringVar(&s.vaultKeys, "vault-keys", "", "the file with the keys of the vault, the same for all processes, which consentledger keys new makes; also by "+
		keysVariable+" (default: keys in the data directory)")
	f.StringVar(&s.views, "views", "", "the PostgreSQL database that holds the read models instead of the data directory, as in "+postgreSQL.example+
		"; also by "+viewsVariable+", or by a file that "+viewsFileVariable+" names (default: the data directory)")
	f.StringVar(&s.viewsReader, "views-reader", "", "a role of PostgreSQL, as of a dashboard, that may read the views; also by "+viewsReaderVariable+" (default: none)")
	f.BoolVar(&s.metrics, "metrics", false, "show metrics at /metrics, as Prometheus reads them")
	f.StringVar(&s.measures, "metrics-listen", "", "where metrics are shown at /metrics to whoever asks, without a key, on a network of its own (default: nowhere)")
	f.StringVar(&s.esdb, "esdb-listen", "", "where clients of EventStoreDB and KurrentDB may read the store, and write nothing (default: nowhere)")
	f.StringVar(&s.process, "process", "", "what this process is called, where several serve one ledger; also by "+processVariable+" (default: the host's name and something random)")
	doorFlags(c, &s.doors)
	natsFlags(c, &s.nats)
	f.BoolVar(&s.demo, "demo", false, "with a sample app, SmartKey, its policy and simulated users")
	return c
}

// doorFlags give a verb the flags of who is let in.
func doorFlags(c *cobra.Command, d *doors) {
	f := c.Flags()
	f.BoolVar(&d.authenticate, "authenticate", false, "let nobody in without a key (see consentledger access key); needed on every address that is not loopback")
	f.StringVar(&d.cert, "tls-cert", "", "the certificate (PEM) of HTTP and of the embedded NATS server; it is read again when it changes")
	f.StringVar(&d.key, "tls-key", "", "the key (PEM) of --tls-cert")
	f.BoolVar(&d.elsewhere, "tls-elsewhere", false, "TLS is ended before the ledger, as by a proxy, and nobody else reaches it")
}

// natsFlags give a verb the flags of an external NATS server.
func natsFlags(c *cobra.Command, e *externalNATS) {
	f := c.Flags()
	f.StringVar(&e.url, "nats", "", "an external NATS server instead, as in nats://host:4222 or tls://host:4222; several with commas")
	f.StringVar(&e.creds, "nats-creds", "", "the credentials file for --nats")
	f.StringVar(&e.ca, "nats-ca", "", "the authority (PEM) that signed the certificate of --nats; default: the system's")
	f.StringVar(&e.cert, "nats-cert", "", "our certificate (PEM) for --nats, if it asks for one")
	f.StringVar(&e.key, "nats-key", "", "the key (PEM) of --nats-cert")
}
