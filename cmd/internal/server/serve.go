// Package server is what serve runs: it opens a data directory, the stores and the NATS
// server that go with it, follows the log, answers, and drains in the end.
//
// [Run] does all of that. [New], Open and Close are for who starts only parts of it, as
// bench does. A stopped server's data directory is opened by [OpenDataDir].
package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	_ "time/tzdata" // apps name their time zones

	"consentledger/api/admission"
	"consentledger/api/approval"
	"consentledger/api/audit/witness"
	"consentledger/api/auth"
	"consentledger/api/auth/clientcert"
	"consentledger/api/auth/session"
	"consentledger/api/auth/token"
	"consentledger/api/auth/trail"
	"consentledger/api/edge"
	"consentledger/api/erasing"
	"consentledger/api/followup"
	"consentledger/api/lapse"
	"consentledger/api/live"
	"consentledger/api/nats/callout"
	"consentledger/api/nats/intake"
	"consentledger/api/nats/outbox"
	"consentledger/api/webhook"
	"consentledger/cmd/consentledger/law"
	"consentledger/cmd/internal/buildinfo"
	"consentledger/cmd/internal/demo"
	"consentledger/cmd/internal/telemetry"
	"consentledger/cmd/internal/tune"
	"consentledger/cmd/internal/views"
	"consentledger/domain/ident"
	"consentledger/eventstore/ledger"
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
)

// A Config is what serve's flags say.
type Config struct {
	Data, HTTP string
	Hosts      edge.Hosts // more names than those of http
	Access     Access
	Origin     string       // of the transparency logs
	NATSListen string       // where the embedded server listens
	NATS       ExternalNATS // instead of the embedded one
	ESDB       string       // where clients of EventStoreDB may read; empty: nowhere
	Telling    Telling
	Limits     Limits
	Demo       bool
	Files      vfs.FS // of the store; nil: the real disk
	Store      string // where the records are instead of the data directory; empty: see [Location]
	Vault      string // and where the vault is
	VaultKeys  string // the file with its keys; empty: see [addressesOf]
	KEK        string // the command that seals that file; empty: see [KEKOf]
	BackupTo   string // a file with who may read backups; empty: whom a request names
	Process    string // what this process is called, where several serve one ledger; empty: see [processName]

	Views     string // where the read models are instead of the data directory; empty: see [ViewsPlace]
	ViewsRole string // a role of PostgreSQL that may read them; empty: none

	LogFormat string // LogText or LogJSON

	Metrics   bool   // HTTP shows them
	Measures  string // where they are shown to whoever asks; empty: nowhere
	Telemetry telemetry.Config

	Witnesses    string // a file that names them; empty: there are none
	WitnessEvery time.Duration

	Authority      string // that stamps checkpoints; empty: none does
	AuthorityRoots string
	StampEvery     time.Duration

	WitnessPrivate bool // witnesses and the authority may be at addresses that are not of the internet
}

// Check refuses a configuration that cannot be, before anything is opened.
func (c Config) Check() error {
	return errors.Join(c.NATS.Check(), c.checkMany(), c.CheckAccess(), c.checkCallout(), c.checkAudit(), c.Limits.Check())
}

// A Server is a running ledger.
type Server struct {
	Config       Config
	Dir          *DataDir
	Log          *slog.Logger
	keys         *auth.Keys               // nil: nobody is authenticated
	tls          *tls.Config              // nil: it is not spoken
	approvals    *approval.Approvals      // nil: nobody is authenticated
	certificates *clientcert.Certificates // that have roles; nil: none has
	seen         *auth.Seen               // in which groups people were; nil: there is no provider
	roles        *rolesFile               // of groups, which is followed; nil: there is none
	grants       func() []auth.Grant      // what the files of roles give now; nil: there are none
	registered   registered               // apps that this process has registered
	sessions     *session.Sessions        // of browsers; nil: nobody is authenticated
	trail        *trail.Trail             // of who signed in and who was refused; nil: nobody is authenticated
	ways         auth.Ways                // in which somebody is authenticated, by keys and otherwise
	tokens       *token.Signer            // of subject tokens; nil: there are none
	natsAuth     *natsAuth                // of the embedded NATS server; nil: it lets everybody in
	callouts     *callout.Service         // of a NATS server elsewhere; nil: it asks nobody
	NATS         *server.Server           // nil: external
	Conn         *nats.Conn
	Intake       intake.Config
	rejected     *intake.Rejections

	places     *admission.Admission // of requests over HTTP
	natsPlaces *admission.Admission // and over NATS

	api       http.Handler
	asked     http.Handler // api, for who is authenticated
	may       http.Handler // what asked would refuse; nil: nothing
	operating atomic.Bool  // operators on NATS are answered
	rights    rights

	open      []views.View // all of package views; who asks one has it below
	consents  *consents.View
	Policies  *policies.View
	activity  *activity.View
	Logs      *transparency.Log
	witnesses *witness.Witnesses // nil: there are none
	stamps    *witness.Stamps    // nil: nothing is stamped
	requests  *requests.View
	views     *readmodel.Database // nil: the read models are files
	feedKey   []byte
	Runners   []*projections.Runner
	FollowUp  *followup.Process
	Outbox    *outbox.Outbox
	changes   *outbox.Outbox // of consents; nil: they are not told on NATS
	hooks     *webhook.Hooks
	erasing   *erasing.Jobs
	lapses    *lapse.Follower // consents that end by themselves
	streams   live.Streams    // by which pages hear that something was recorded
	turns     *turns
	entrance  *entrance // of HTTP; nil: it is not answered, and nothing is waited for
	process   string
	Started   string
	Reach     projections.Reach
	checking  sync.Mutex   // held while the projections are compared
	backingUp sync.Mutex   // held while a backup is made
	backedUp  atomic.Int64 // when the newest backup was made, in Unix milliseconds; zero: none since the start
	rotation  *rotation
	readings  readings
	Measured  measured

	natsLimited bool        // the embedded server takes no messages; watchRoom's
	natsFull    atomic.Bool // the disk was full when it had stopped storing
}

// followUp tells apps what was recorded until ctx is done, and finishes
// what another process may have left undone. The follow-up process asks itself whose turn it is:
// it has to know all that was recorded.
func (h *Server) followUp(ctx context.Context) error {
	if h.turns.many() {
		if _, err := h.Dir.Ledger.FinishErasures(ctx); err != nil {
			return fmt.Errorf("an erasure that was ordered could not be finished: %w", err)
		}
	}
	var jobs sync.WaitGroup
	jobs.Go(func() { h.erasing.Run(ctx) })
	jobs.Go(func() { h.erasing.DestroyProofs(ctx) })
	defer jobs.Wait()
	h.tell(ctx)
	return nil
}

// openTelemetry opens what leaves the process; nothing, if nobody wants it.
func (h *Server) openTelemetry(ctx context.Context) error {
	t, err := telemetry.Open(ctx, h.Config.Telemetry, buildinfo.Version, h.Log)
	if err != nil {
		return err
	}
	h.Measured, err = newMeasured(t)
	return err
}

// Open opens what the server is made of, and starts nothing that follows the log or
// answers. Whoever calls it closes the server, whether it fails or not.
func (h *Server) Open(ctx context.Context) error {
	tune.AddProc()
	tune.GC()
	if err := h.openDirectory(ctx); err != nil {
		return err
	}
	if err := h.openLimits(); err != nil {
		return err
	}
	if err := h.openNATS(ctx); err != nil {
		return err
	}
	if err := h.openFollowers(); err != nil {
		return err
	}

	h.openIntake()
	if err := h.openCallout(); err != nil {
		return err
	}
	if err := h.openReach(ctx); err != nil {
		return err
	}
	if err := h.openViews(ctx); err != nil {
		return err
	}
	return h.openGroups(ctx)
}

// openDirectory opens the data directory, and finishes what a process that died had
// begun in it.
func (h *Server) openDirectory(ctx context.Context) (err error) {
	use := "live"
	if h.Config.Demo {
		use = "demo"
	}

	with := DirOptions{
		files:     h.Config.Files,
		Store:     h.Config.Store,
		Vault:     h.Config.Vault,
		VaultKeys: h.Config.VaultKeys,
		KEK:       h.Config.KEK,
		measured:  h.Measured,
	}
	if h.entrance != nil {
		with.await = h.awaitParts
	}
	if h.Dir, err = OpenDataDirWith(ctx, h.Config.Data, use, true, with); err != nil {
		return err
	}
	if err := removeProbes(h.Config.Data); err != nil {
		return err
	}

	if err := errors.Join(h.openTurns(), h.openRotation(ctx), h.openAccess(ctx)); err != nil {
		return err
	}
	if _, err := h.Dir.Ledger.FinishErasures(ctx); err != nil {
		return fmt.Errorf("an erasure that was ordered could not be finished: %w", err)
	}

	if h.Config.Demo {
		past := ledger.Config{Store: h.Dir.ReadOnly, Vault: h.Dir.Vault, Blobs: h.Dir.Blobs}
		if err := errors.Join(demo.Rehearse(ctx, past, Now()),
			demo.Stage{Ledger: h.Dir.Ledger, Blobs: h.Dir.Blobs}.Prepare(ctx)); err != nil {
			return err
		}
	}
	return nil
}

// openFollowers makes what sees to it that what is due is done and told.
func (h *Server) openFollowers() error {
	shipped, err := law.Known()
	if err != nil {
		return err
	}

	h.FollowUp = &followup.Process{
		Ledger:  h.Dir.Ledger,
		Log:     h.Log,
		Shipped: shipped.Published(),
		Rows:    h.Dir.DB.Rows(),
		Traces:  h.Measured.traces,
		Turn:    h.turns.turn(workFollowUps),
	}
	h.erasing = &erasing.Jobs{Ledger: h.Dir.Ledger, Rows: h.Dir.Rows(), Log: h.Log, Busy: h.busy}
	h.erasing.Two = func(app ident.AppName) bool {
		return h.approvals != nil && h.approvals.Needs(app, "erasure.ordered")
	}
	if h.keys != nil {
		h.erasing.Still = h.roster().StillMay
	}
	h.erasing.Same = func(one, other string) bool { return h.approvals.Same(one, other) }
	h.openTelling()
	return nil
}

// openIntake makes what takes events, and keeps those that were rejected.
func (h *Server) openIntake() {
	h.Intake = intake.Config{
		Conn: h.Conn, Ledger: h.Dir.Ledger, Rehearse: h.Dir.Ledger.Rehearse, Log: h.Log,
		Seal: h.Dir.seal, Unseal: h.Dir.unseal, Again: h.again, Watch: new(intake.Watch),
		Rows: h.Dir.Rows(), Apps: func() []ident.AppName { return h.Logs.Logged() },
		Traces: h.Measured.traces, Turned: h.Measured.turned, Process: h.process,
		Sender: h.senders(auth.Record), AskedBy: h.senders(auth.Check), Reads: h.readers(), Admit: h.admitNATS,
	}
	if h.turns.many() {
		h.Intake.Turn = func(ctx context.Context, do func(context.Context) error) error {
			return h.turns.during(ctx, workIntake, do)
		}
	}
	h.rejected = &intake.Rejections{Config: h.Intake}
}

// openNATS starts the embedded server, unless there is another, and connects.
func (h *Server) openNATS(ctx context.Context) (err error) {
	if h.Config.NATS.URL != "" {
		h.Config.NATS.rights = &h.rights
		h.Conn, err = h.Config.NATS.Connect(ctx, strings.TrimSpace("consentledger "+h.process), h.Log)
		return err
	}

	if h.NATS, err = StartNATS(h.Config.Data, h.Config.NATSListen, h.Log, h.natsOptions); err != nil {
		return err
	}
	if h.natsAuth != nil {
		h.natsAuth.serve(h.NATS)
	}
	if h.Conn, err = ConnectEmbedded(h.NATS, h.ownToken()); err != nil {
		return fmt.Errorf("the embedded NATS server: %w", err)
	}
	return nil
}

// demo plays the sample app, on a connection of its own.
func (h *Server) demo(ctx context.Context) (err error) {
	const name = "smartkey app (simulated)"
	var nc *nats.Conn
	if h.NATS != nil {
		nc, err = nats.Connect(h.NATS.ClientURL(), nats.Name(name))
	} else {
		nc, err = h.Config.NATS.Connect(ctx, name, h.Log)
	}
	if err != nil {
		return err
	}
	defer nc.Close()
	return demo.Simulate(ctx, nc, h.Log, func(ctx context.Context) (bool, error) {
		list, err := h.rejected.List(ctx, 0, 1)
		return len(list) > 0, err
	})
}

// seal and unseal keep rejected messages under the app's key.
func (d *DataDir) seal(ctx context.Context, app string, plain []byte) ([]byte, error) {
	k, err := d.Vault.AppKey(ctx, app)
	if err != nil {
		return nil, err
	}
	return k.Seal([]byte("rejected"), plain), nil
}

func (d *DataDir) unseal(ctx context.Context, app string, sealed []byte) ([]byte, error) {
	k, err := d.Vault.AppKey(ctx, app)
	if err != nil {
		return nil, err
	}
	return k.Unseal([]byte("rejected"), sealed)
}

// Close closes what was opened, in the opposite order.
func (h *Server) Close() error {
	var err error
	if h.Conn != nil {
		h.Conn.Close()
	}

	if h.NATS != nil {
		h.NATS.Shutdown()
		h.NATS.WaitForShutdown()
	}

	for _, v := range h.open {
		err = errors.Join(err, v.Close())
	}
	if h.Dir != nil {
		err = errors.Join(err, h.Dir.Close())
	}
	return err
}

// ServeHTTP answers on l until ctx is done. A client that is slow with its headers, its
// body or in taking an answer is cut off; see [edge.Limit] for bodies.
func ServeHTTP(ctx context.Context, l net.Listener, handler http.Handler, log *slog.Logger) error {
	conns := &edge.Conns{Listener: l, Most: maxConnections, Within: takeWithin}
	return serveConns(ctx, conns, handler, nil, log)
}

func serveConns(
	ctx context.Context, l *edge.Conns, handler http.Handler, speaks *tls.Config, log *slog.Logger,
) error {
	s := &http.Server{
		Handler:           surviving(handler, log),
		ErrorLog:          errorLog(log),
		TLSConfig:         speaks,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    maxHeaders,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: maxStreams},
		ConnState: func(c net.Conn, state http.ConnState) {
			if state == http.StateIdle && l.Crowded() {
				c.Close() // somebody else needs it more
			}
		},
		BaseContext: func(net.Listener) context.Context { return live.WithClosing(context.Background(), ctx.Done()) },
	}
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

func (h *Server) ClientURL() string {
	if h.NATS != nil {
		return h.NATS.ClientURL()
	}
	return h.Config.NATS.String()
}

func (h *Server) scheme() string {
	if h.tls != nil {
		return "https"
	}
	return "http"
}
