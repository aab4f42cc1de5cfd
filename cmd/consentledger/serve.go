package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"consentledger/api/intake"
	"consentledger/api/rest"
	"consentledger/api/wire"
	"consentledger/eventstore"
	"consentledger/projections"
	"consentledger/projections/activity"
	"consentledger/projections/consents"
	"consentledger/projections/policies"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"
)

// A serveConfig is what serve's flags say.
type serveConfig struct {
	data, http          string
	natsListen, natsURL string
	natsCreds           string
	demo                bool
}

func newServe() *cobra.Command {
	var s serveConfig
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run the ledger: NATS, store, projections and HTTP in one process",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if s.data == "" {
				s.data = "data"
				if s.demo {
					s.data = "data-demo"
				}
			}
			return serve(c.Context(), s, c.OutOrStdout())
		},
	}
	f := c.Flags()
	f.StringVar(&s.data, "data", "", "the data directory (default: data, or data-demo with --demo)")
	f.StringVar(&s.http, "http", "127.0.0.1:8080", "where HTTP listens")
	f.StringVar(&s.natsListen, "nats-listen", "127.0.0.1:4222", "where the embedded NATS server listens")
	f.StringVar(&s.natsURL, "nats", "", "an external NATS server instead, as in nats://host:4222 or tls://host:4222")
	f.StringVar(&s.natsCreds, "nats-creds", "", "the credentials file for the external NATS server")
	f.BoolVar(&s.demo, "demo", false, "with a sample app, SmartKey, its policy and simulated users")
	c.MarkFlagsMutuallyExclusive("nats", "nats-listen")
	return c
}

// A house is a running ledger.
type house struct {
	config serveConfig
	dir    *dataDir
	log    *slog.Logger
	nats   *server.Server // nil: external
	conn   *nats.Conn
	intake intake.Config

	consents *consents.View
	policies *policies.View
	activity *activity.View
	runners  []*projections.Runner
	started  string
}

// serve runs until ctx is done, then drains.
func serve(ctx context.Context, c serveConfig, out io.Writer) (err error) {
	h := &house{config: c, log: slog.New(slog.NewTextHandler(os.Stderr, nil)), started: now().String()}
	defer func() { err = errors.Join(err, h.close()) }()
	if err := h.open(ctx); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", c.http)
	if err != nil {
		return fmt.Errorf("HTTP: %w; name another address with --http", err)
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
	for _, r := range h.runners {
		crew.Go(func() {
			if err := r.Run(ctx); err != nil && ctx.Err() == nil {
				h.log.Error("a projection stopped", "error", err)
			}
		})
	}
	ready := make(chan struct{})
	must("intake", func() error { return intake.Run(ctx, h.intake, func() { close(ready) }) })
	must("HTTP", func() error { return serveHTTP(ctx, listener, h.handler()) })
	select {
	case <-ready:
		h.greet(out, listener.Addr().String())
	case <-ctx.Done():
	}
	if c.demo {
		must("demo", func() error { return simulate(ctx, h.clientURL()) })
	}
	<-ctx.Done()
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

func (h *house) open(ctx context.Context) (err error) {
	use := "live"
	if h.config.demo {
		use = "demo"
	}
	if h.dir, err = openDataDir(ctx, h.config.data, use, true); err != nil {
		return err
	}
	if h.config.demo {
		if err := prepareDemo(ctx, h.dir); err != nil {
			return err
		}
	}
	if h.config.natsURL == "" {
		if h.nats, err = startNATS(h.config.data, h.config.natsListen, h.log); err != nil {
			return err
		}
	}
	if h.conn, err = connectNATS(h.config.natsURL, h.config.natsCreds, h.nats); err != nil {
		return fmt.Errorf("NATS: %w", err)
	}
	h.intake = intake.Config{
		Conn: h.conn, Ledger: h.dir.ledger, Now: now, Log: h.log,
		Seal: h.dir.seal, Unseal: h.dir.unseal,
	}
	return h.openViews(ctx)
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

func (h *house) openViews(ctx context.Context) (err error) {
	views := filepath.Join(h.config.data, "views")
	if err := os.MkdirAll(views, 0o700); err != nil {
		return err
	}
	if h.consents, err = consents.Open(ctx, views); err != nil {
		return err
	}
	if h.policies, err = policies.Open(ctx, views); err != nil {
		return err
	}
	if h.activity, err = activity.Open(ctx, views); err != nil {
		return err
	}
	for _, p := range []projections.Projection{h.consents, h.policies, h.activity} {
		h.runners = append(h.runners, &projections.Runner{History: h.dir.ledger, Projection: p})
	}
	return nil
}

// Wait waits until every projection has applied a position.
func (h *house) Wait(ctx context.Context, min eventstore.Position) error {
	for _, r := range h.runners {
		if err := r.Wait(ctx, min); err != nil {
			return err
		}
	}
	return nil
}

func (h *house) handler() http.Handler {
	return withRejected(h.intake, rest.Handler(rest.Config{
		Ledger: h.dir.ledger, Blobs: h.dir.blobs,
		Consents: h.consents, Policies: restPolicies{h.policies}, Activity: restActivity{h.activity},
		Wait: h, Status: h.status, Ready: h.ready, Now: now, Version: version, Log: h.log,
	}))
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
	if h.dir != nil {
		err = errors.Join(err, h.dir.close())
	}
	return err
}

func serveHTTP(ctx context.Context, l net.Listener, handler http.Handler) error {
	s := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan error, 1)
	go func() {
		<-ctx.Done()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		done <- s.Shutdown(ctx)
	}()
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-done
}

func (h *house) clientURL() string {
	if h.nats != nil {
		return h.nats.ClientURL()
	}
	return h.config.natsURL
}

// greet prints what a newcomer needs next.
func (h *house) greet(out io.Writer, addr string) {
	fmt.Fprintf(out, "consentledger %s: ready\n\n  HTTP  http://%s\n  NATS  %s\n  data  %s\n", version, addr, h.clientURL(), h.config.data)
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

user-1 agreed; user-2 agreed and withdrew personalisation; user-3 refused.
Ctrl-C stops.
`, addr, h.clientURL())
}

func (h *house) status(ctx context.Context) rest.StatusReport {
	report := rest.StatusReport{Version: version, Store: "embedded", Started: h.started}
	head, err := h.dir.ledger.Head(ctx)
	if err == nil {
		report.Head = wire.FormatPosition(head)
	}
	for _, r := range h.runners {
		at, err := r.State()
		p := rest.Projection{Name: r.Projection.Name(), Position: wire.FormatPosition(at)}
		if err != nil {
			p.Error = err.Error()
		}
		report.Projections = append(report.Projections, p)
	}
	return report
}

// ready says whether the ledger can do its work, by one check a part.
func (h *house) ready(ctx context.Context) []rest.Check {
	checks := []rest.Check{{Name: "nats", OK: h.conn.IsConnected()}}
	_, err := h.dir.ledger.Head(ctx)
	checks = append(checks, result("store", err))
	for _, r := range h.runners {
		_, err := r.State()
		checks = append(checks, result("projection "+r.Projection.Name(), err))
	}
	unseen, err := intake.Unseen(ctx, h.intake)
	if err == nil && unseen > 0 {
		err = fmt.Errorf("%d rejected messages may be a withdrawal; see: consentledger rejected list", unseen)
	}
	return append(checks, result("rejected messages", err))
}

func result(name string, err error) rest.Check {
	if err != nil {
		return rest.Check{Name: name, Detail: err.Error()}
	}
	return rest.Check{Name: name, OK: true}
}
