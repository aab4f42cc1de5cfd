package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	_ "time/tzdata" // apps name their time zones

	"consentledger/api/audit/witness"
	"consentledger/api/auth"
	"consentledger/api/edge"
	"consentledger/api/intake"
	"consentledger/api/outbox"
	"consentledger/api/react"
	"consentledger/cmd/consentledger/law"
	"consentledger/cmd/internal/telemetry"
	"consentledger/domain"
	"consentledger/projections"
	"consentledger/projections/activity"
	"consentledger/projections/consents"
	"consentledger/projections/policies"
	"consentledger/projections/readmodel"
	"consentledger/projections/requests"
	"consentledger/projections/transparency"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"
)

// A serveConfig is what serve's flags say.
type serveConfig struct {
	data, http string
	hosts      edge.Hosts // more names than those of http
	doors      doors
	origin     string       // of the transparency logs
	natsListen string       // where the embedded server listens
	nats       externalNATS // instead of the embedded one
	esdb       string       // where clients of EventStoreDB may read; empty: nowhere
	demo       bool
	files      vfs.FS // of the store; nil: the real disk
	store      string // where the records are instead of the data directory; empty: see [location]
	vault      string // and where the vault is
	vaultKeys  string // the file with its keys; empty: see [addressesOf]
	process    string // what this process is called, where several serve one ledger; empty: see [processName]

	views       string // where the read models are instead of the data directory; empty: see [viewsPlace]
	viewsReader string // a role of PostgreSQL that may read them; empty: none

	metrics   bool   // HTTP shows them
	measures  string // where they are shown to whoever asks; empty: nowhere
	telemetry telemetry.Config

	witnesses    string // a file that names them; empty: there are none
	witnessEvery time.Duration

	authority      string // that stamps checkpoints; empty: none does
	authorityRoots string
	stampEvery     time.Duration
}

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
	s.doors.flags(c)
	s.nats.flags(c)
	f.BoolVar(&s.demo, "demo", false, "with a sample app, SmartKey, its policy and simulated users")
	return c
}

// A house is a running ledger.
type house struct {
	config   serveConfig
	dir      *dataDir
	log      *slog.Logger
	keys     *auth.Keys     // nil: nobody is authenticated
	tls      *tls.Config    // nil: it is not spoken
	door     *natsDoor      // of the embedded NATS server; nil: it lets everybody in
	nats     *server.Server // nil: external
	conn     *nats.Conn
	intake   intake.Config
	rejected *intake.Rejections

	api       http.Handler
	asked     http.Handler // api, for who is authenticated
	operating atomic.Bool  // operators on NATS are answered
	rights    rights

	consents  *consents.View
	policies  *policies.View
	activity  *activity.View
	logs      *transparency.Log
	witnesses *witness.Witnesses // nil: there are none
	stamps    *witness.Stamps    // nil: nothing is stamped
	requests  *requests.View
	views     *readmodel.Database // nil: the read models are files
	feedKey   []byte
	runners   []*projections.Runner
	reactor   *react.Reactor
	outbox    *outbox.Outbox
	turns     *turns
	process   string
	started   string
	reach     projections.Reach
	checking  sync.Mutex // held while the projections are compared
	readings  readings
	measured  measured

	natsLimited bool        // the embedded server takes no messages; watchRoom's
	natsFull    atomic.Bool // the disk was full when it had stopped storing
}

// openGrace is how long an opening that is interrupted may take to end.
const openGrace = 5 * time.Second

// serve runs until ctx is done, then drains.
func serve(ctx context.Context, c serveConfig, out io.Writer) (err error) {
	h := &house{config: c, log: slog.New(telemetry.Handler(slog.NewTextHandler(os.Stderr, nil))), started: now().String()}
	if err := h.openTelemetry(ctx); err != nil {
		return err
	}
	opened := make(chan error, 1)
	go func() { opened <- h.open(ctx) }()
	select {
	case err = <-opened:
	case <-ctx.Done():
		select {
		case err = <-opened:
		case <-time.After(openGrace):
			return ctx.Err() // with what is open: only the end of the process closes it
		}
	}
	defer func() {
		if err := h.measured.telemetry.Close(); err != nil { // before what it looks at is closed
			h.log.Warn("the last traces or metrics are lost", "error", err)
		}
		if closing := h.close(); !errors.Is(err, errRestart) { // then what died cannot be closed
			err = errors.Join(err, closing)
		}
	}()
	if err != nil {
		return fullDisk(c.data, err)
	}
	listener, err := net.Listen("tcp", c.http)
	if err != nil {
		return fmt.Errorf("HTTP: %w; name another address with --http", err)
	}
	var window net.Listener
	if c.esdb != "" {
		if window, err = net.Listen("tcp", c.esdb); err != nil {
			return errors.Join(fmt.Errorf("EventStoreDB's protocol: %w; name another address with --esdb-listen", err), listener.Close())
		}
	}
	var measures net.Listener
	if c.measures != "" {
		if measures, err = net.Listen("tcp", c.measures); err != nil {
			return errors.Join(fmt.Errorf("metrics: %w; name another address with --metrics-listen", err), listener.Close())
		}
	}
	if err := h.watchMeasures(); err != nil {
		return errors.Join(err, listener.Close())
	}
	ctx, stop := context.WithCancelCause(ctx)
	var crew sync.WaitGroup
	defer crew.Wait()
	defer stop(nil) // before the crew is waited for
	must := func(what string, work func() error) {
		crew.Go(func() {
			if err := work(); err != nil && ctx.Err() == nil {
				stop(fmt.Errorf("%s: %w", what, err))
			}
		})
	}
	crew.Go(func() {
		h.runViews(ctx, func(err error) { h.log.Error("a projection stopped", "error", err) })
	})
	crew.Go(func() { h.watchRoom(ctx, stop) })
	if h.dir.away != nil {
		crew.Go(func() { h.keepUp(ctx) })
	}
	for _, m := range h.dir.memories() {
		crew.Go(func() {
			m.run(ctx, func(err error) {
				h.log.Warn("what is newest on a server could not be remembered, and is tried again", "as", string(m.key), "error", err)
			})
		})
	}
	crew.Go(func() {
		for ctx.Err() == nil { // once a round has failed, the next one waits for more to write
			if err := h.dir.ledger.KeepSnapshots(ctx); err != nil {
				h.log.Warn("snapshots of histories were not written; long ones are read from the log", "error", err)
			}
		}
	})
	crew.Go(func() {
		if err := h.dir.ledger.KeepMarks(ctx); err != nil && ctx.Err() == nil {
			h.log.Error("marks in the log are set no more; questions about the past read on from the last", "error", err)
		}
	})
	crew.Go(func() { h.runLogs(ctx) })
	crew.Go(func() { h.watchClock(ctx) })
	must("checkpoints", func() error { return h.turns.during(ctx, workCheckpoints, h.showLogs) })
	crew.Go(func() {
		if err := h.reactor.Run(ctx); err != nil {
			h.log.Error("the reactor stopped", "error", err)
		}
	})
	must("follow-ups", func() error { return h.turns.during(ctx, workFollowUps, h.followUp) })
	crew.Go(func() {
		if err := h.outbox.Watch(ctx); err != nil {
			h.log.Error("the stream of the outbox is not looked at", "error", err)
		}
	})
	h.api = h.handler()
	if h.asked = h.api; h.keys != nil {
		h.asked = auth.Guard(h.api, h.keys)
		crew.Go(func() { h.keepAccess(ctx) })
	}
	guarded := edge.Guard(h.withPages(h.asked), c.hosts.Listening(c.http, listener.Addr()))
	doors := make(chan struct{}, 2)
	open := func() { doors <- struct{}{} }
	reached := sync.OnceValue(func() error { return c.nats.await(ctx, h.conn, h.log) })
	must("intake", func() error {
		if err := reached(); err != nil {
			return err
		}
		return h.config.nats.permitted(intake.Run(ctx, h.intake, open))
	})
	must("operators on NATS", func() error {
		if err := reached(); err != nil {
			return err
		}
		return h.operate(ctx, open)
	})
	must("HTTP", func() error { return serveHTTP(ctx, listener, guarded, h.tls) })
	if measures != nil {
		mux := http.NewServeMux()
		mux.Handle("GET /metrics", h.measured.page())
		must("metrics", func() error { return serveHTTP(ctx, measures, mux, nil) })
	}
	if window != nil {
		must("EventStoreDB's protocol", func() error { return serveWindow(ctx, window, h.dir.store) })
	}
	for range cap(doors) {
		select {
		case <-doors:
		case <-ctx.Done():
		}
	}
	h.awaitReading(ctx)
	crew.Go(func() { h.checkLogs(ctx) }) // it reads the whole store: nobody waits for it
	setup, err := h.setup(ctx)
	if err != nil && ctx.Err() == nil { // else why it ends is told below
		return err
	}
	if ctx.Err() == nil {
		h.greet(out, listener.Addr().String(), window)
		h.greetDoors(out, setup)
	}
	if c.demo {
		must("demo", func() error { return h.demo(ctx) })
	}
	<-ctx.Done()
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

// followUp tells on NATS what becomes of obligations until ctx is done, and finishes
// what another process may have left undone. The reactor asks itself whose turn it is:
// it has to know all that was recorded.
func (h *house) followUp(ctx context.Context) error {
	if h.turns.many() {
		if _, err := h.dir.ledger.FinishErasures(ctx); err != nil {
			return fmt.Errorf("an erasure that was ordered could not be finished: %w", err)
		}
	}
	if err := h.outbox.Run(ctx); err != nil {
		h.log.Error("the outbox stopped", "error", err)
		<-ctx.Done() // it cannot read on, and no other process can
	}
	return nil
}

// openTelemetry opens what leaves the process; nothing, if nobody wants it.
func (h *house) openTelemetry(ctx context.Context) error {
	t, err := telemetry.Open(ctx, h.config.telemetry, version, h.log)
	if err != nil {
		return err
	}
	h.measured, err = newMeasured(t)
	return err
}

func (h *house) open(ctx context.Context) (err error) {
	addProc()
	tuneGC()
	use := "live"
	if h.config.demo {
		use = "demo"
	}
	with := dirOptions{files: h.config.files, store: h.config.store, vault: h.config.vault, vaultKeys: h.config.vaultKeys, measured: h.measured}
	if h.dir, err = openDataDirWith(ctx, h.config.data, use, true, with); err != nil {
		return err
	}
	if err := removeProbes(h.config.data); err != nil {
		return err
	}
	if err := errors.Join(h.openTurns(), h.openAccess(ctx)); err != nil {
		return err
	}
	if _, err := h.dir.ledger.FinishErasures(ctx); err != nil {
		return fmt.Errorf("an erasure that was ordered could not be finished: %w", err)
	}
	if h.config.demo {
		if err := errors.Join(rehearse(ctx, h.dir, now()), prepareDemo(ctx, h.dir)); err != nil {
			return err
		}
	}
	if err := h.openNATS(ctx); err != nil {
		return err
	}
	shipped, err := law.Known()
	if err != nil {
		return err
	}
	h.reactor = &react.Reactor{
		Ledger: h.dir.ledger, Log: h.log, Shipped: shipped.Published(), Rows: h.dir.db.Rows(), Traces: h.measured.traces,
		Turn: h.turns.turn(workFollowUps),
	}
	h.outbox = &outbox.Outbox{Conn: h.conn, Ledger: h.dir.ledger, Log: h.log, Traces: h.measured.traces}
	h.intake = intake.Config{
		Conn: h.conn, Ledger: h.dir.ledger, Log: h.log,
		Seal: h.dir.seal, Unseal: h.dir.unseal, Again: h.again, Watch: new(intake.Watch),
		Rows: h.dir.rows(), Apps: func() []domain.AppName { return h.logs.Logged() },
		Traces: h.measured.traces, Turned: h.measured.turned, Process: h.process,
	}
	if h.turns.many() {
		h.intake.Turn = func(ctx context.Context, do func(context.Context) error) error {
			return h.turns.during(ctx, workIntake, do)
		}
	}
	h.rejected = &intake.Rejections{Config: h.intake}
	if err := h.openReach(ctx); err != nil {
		return err
	}
	return h.openViews(ctx)
}

// openNATS starts the embedded server, unless there is another, and connects.
func (h *house) openNATS(ctx context.Context) (err error) {
	if h.config.nats.url != "" {
		h.config.nats.rights = &h.rights
		h.conn, err = h.config.nats.connect(ctx, strings.TrimSpace("consentledger "+h.process), h.log)
		return err
	}
	if h.nats, err = startNATS(h.config.data, h.config.natsListen, h.log, h.natsOptions); err != nil {
		return err
	}
	if h.door != nil {
		h.door.serve(h.nats)
	}
	if h.conn, err = connectEmbedded(h.nats, h.ownToken()); err != nil {
		return fmt.Errorf("the embedded NATS server: %w", err)
	}
	return nil
}

// demo plays the sample app, on a connection of its own.
func (h *house) demo(ctx context.Context) (err error) {
	const name = "smartkey app (simulated)"
	var nc *nats.Conn
	if h.nats != nil {
		nc, err = nats.Connect(h.nats.ClientURL(), nats.Name(name))
	} else {
		nc, err = h.config.nats.connect(ctx, name, h.log)
	}
	if err != nil {
		return err
	}
	defer nc.Close()
	return simulate(ctx, nc, h.log, func(ctx context.Context) (bool, error) {
		list, err := h.rejected.List(ctx, 0, 1)
		return len(list) > 0, err
	})
}

// seal and unseal keep rejected messages under the app's key.
func (d *dataDir) seal(ctx context.Context, app string, plain []byte) ([]byte, error) {
	k, err := d.vault.AppKey(ctx, app)
	if err != nil {
		return nil, err
	}
	return k.Seal([]byte("rejected"), plain), nil
}

func (d *dataDir) unseal(ctx context.Context, app string, sealed []byte) ([]byte, error) {
	k, err := d.vault.AppKey(ctx, app)
	if err != nil {
		return nil, err
	}
	return k.Unseal([]byte("rejected"), sealed)
}

// close closes what was opened, in the opposite order.
func (h *house) close() error {
	var err error
	if h.conn != nil {
		h.conn.Close()
	}
	if h.nats != nil {
		h.nats.Shutdown()
		h.nats.WaitForShutdown()
	}
	if h.consents != nil {
		err = errors.Join(err, h.consents.Close())
	}
	if h.policies != nil {
		err = errors.Join(err, h.policies.Close())
	}
	if h.activity != nil {
		err = errors.Join(err, h.activity.Close())
	}
	if h.requests != nil {
		err = errors.Join(err, h.requests.Close())
	}
	if h.dir != nil {
		err = errors.Join(err, h.dir.close())
	}
	return err
}

func serveHTTP(ctx context.Context, l net.Listener, handler http.Handler, speaks *tls.Config) error {
	s := &http.Server{Handler: handler, TLSConfig: speaks, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	done := make(chan error, 1)
	go func() {
		<-ctx.Done()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		done <- s.Shutdown(ctx)
	}()
	serve := func() error { return s.Serve(l) }
	if speaks != nil {
		serve = func() error { return s.ServeTLS(l, "", "") }
	}
	if err := serve(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-done
}

func (h *house) clientURL() string {
	if h.nats != nil {
		return h.nats.ClientURL()
	}
	return h.config.nats.String()
}

func (h *house) scheme() string {
	if h.tls != nil {
		return "https"
	}
	return "http"
}

// greet prints what a newcomer needs next.
func (h *house) greet(out io.Writer, addr string, window net.Listener) {
	fmt.Fprintf(out, "consentledger %s: ready\n\n  pages %[2]s://%[3]s/ui/\n  HTTP  %[2]s://%[3]s\n  NATS  %[4]s\n", version, h.scheme(), addr, h.clientURL())
	if window != nil {
		fmt.Fprintf(out, "  ESDB  esdb://%s?tls=false  (to read)\n", window.Addr())
	}
	fmt.Fprintf(out, "  data  %s\n", h.config.data)
	if !h.config.demo {
		fmt.Fprint(out, "\nRegister an app next:  consentledger app add NAME --handler \"...\"\n")
		return
	}
	fmt.Fprintf(out, `
Try:
  curl -s http://%[1]s/v1/apps/smartkey/subjects/user-2/consents
  nats req -s %[2]s consent.v1.smartkey.check '{"subject":"user-2","purpose":"personalisation"}'
  go run ./cmd/consentledger replay --server http://%[1]s --app smartkey --subject user-2
  go run ./cmd/consentledger check --server http://%[1]s --app smartkey --subject user-1 --purpose personalisation
  go run ./cmd/consentledger report deadlines --server http://%[1]s --app smartkey

user-1 agreed; user-2 agreed and withdrew personalisation; user-3 refused. The requests and incidents
of the weeks before the first start are made up, and so are their times.
Ctrl-C stops.
`, addr, h.clientURL())
}
