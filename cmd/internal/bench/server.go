package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"consentledger/api/edge"
	"consentledger/api/nats/intake"
	"consentledger/cmd/internal/demo"
	"consentledger/cmd/internal/server"
	"consentledger/cmd/internal/views"
	"consentledger/eventstore"
	"consentledger/projections"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
)

// echoSubject is where the echo listens.
const echoSubject = "bench.echo"

// A measuredServer is a server as serve runs it, with the sample app, an echo
// beside it and a process that loads both.
type measuredServer struct {
	*server.Server
	echo    *nats.Conn
	load    *loader
	without []string // which of [Followers] do nothing

	ctx     context.Context // done when anything of the server stopped
	stop    context.CancelCauseFunc
	workers sync.WaitGroup
}

// Followers are what follows the log in a server, beside intake.
var Followers = append(views.Names(), "logs", "reactor", "outbox")

// openServer starts a server in dir, without some of its followers. The caller
// closes it.
func openServer(ctx context.Context, dir string, without ...string) (_ *measuredServer, err error) {
	h := server.New(server.Config{Data: dir, HTTP: "127.0.0.1:0", NATSListen: "127.0.0.1:0"})
	m := &measuredServer{Server: h, without: without}
	m.ctx, m.stop = context.WithCancelCause(ctx)
	defer func() {
		if err != nil {
			err = errors.Join(err, m.close())
		}
	}()
	if err := h.Open(m.ctx); err != nil {
		return nil, err
	}

	h.Runners = slices.DeleteFunc(h.Runners, func(r *projections.Runner) bool { return !m.has(r.Projection.Name()) })
	if err := (demo.Stage{Ledger: h.Dir.Ledger, Blobs: h.Dir.Blobs}).Prepare(m.ctx); err != nil {
		return nil, err
	}
	if err := m.work(); err != nil {
		return nil, err
	}
	if err := m.openEcho(); err != nil {
		return nil, err
	}

	m.load, err = startLoader(m.ctx, h.ClientURL())
	return m, err
}

func (m *measuredServer) has(follower string) bool { return !slices.Contains(m.without, follower) }

// work starts what serve starts, and waits until requests are answered.
func (m *measuredServer) work() error {
	listener, err := net.Listen("tcp", m.Config.HTTP)
	if err != nil {
		return err
	}

	must := func(what string, work func() error) {
		m.workers.Go(func() {
			if err := work(); err != nil && m.ctx.Err() == nil {
				m.stop(fmt.Errorf("%s: %w", what, err))
			}
		})
	}

	m.workers.Go(func() { m.RunViews(m.ctx, func(err error) { m.stop(err) }) })
	if m.has("logs") {
		must("transparency", func() error { return m.Logs.Run(m.ctx) })
	}
	if m.has("reactor") {
		must("reactor", func() error { return m.FollowUp.Run(m.ctx) })
	}
	if m.has("outbox") {
		must("outbox", func() error { return m.Outbox.Run(m.ctx) })
	}

	ready := make(chan struct{})
	must("intake", func() error { return intake.Run(m.ctx, m.Intake, func() { close(ready) }) })
	must("HTTP", func() error { return server.ServeHTTP(m.ctx, listener, edge.Guard(m.Handler(), edge.Hosts{}), m.Log) })
	select {
	case <-ready:
		return nil
	case <-m.ctx.Done():
		return context.Cause(m.ctx)
	}
}

// openEcho starts the echo: an endpoint of the same framework, in the same
// process, on an in-process connection like intake's.
func (m *measuredServer) openEcho() (err error) {
	if m.echo, err = server.ConnectEmbedded(m.NATS, ""); err != nil {
		return err
	}
	svc, err := micro.AddService(m.echo, micro.Config{Name: "echo", Version: "1.0.0"})
	if err != nil {
		return err
	}
	answer := micro.HandlerFunc(func(r micro.Request) { _ = r.Respond(r.Data()) })
	if err := svc.AddEndpoint("echo", answer, micro.WithEndpointSubject(echoSubject)); err != nil {
		return err
	}
	return m.echo.Flush()
}

// send gives the load process an order, and stops waiting if the server stops.
func (m *measuredServer) send(o order) (tally, error) {
	t, err := m.load.send(m.ctx, o)
	if m.ctx.Err() != nil {
		return t, context.Cause(m.ctx)
	}
	return t, err
}

// settle waits until every projection has applied everything, and returns how
// long that took.
func (m *measuredServer) settle() (time.Duration, error) {
	begun := time.Now()
	head, err := m.Dir.Ledger.Head(m.ctx)
	if err != nil {
		return 0, err
	}
	err = m.Wait(m.ctx, head)
	return time.Since(begun), err
}

// quietFor is how far apart are the looks that must find nothing new for the
// server to be at rest: what the follow-up process does takes a disk sync or two.
const quietFor = 20 * time.Millisecond

// rest waits until nothing more follows from what was recorded.
func (m *measuredServer) rest() error {
	last := eventstore.Position(0)
	for quiet := 0; quiet < 3; quiet++ {
		if _, err := m.settle(); err != nil {
			return err
		}
		head, err := m.Dir.Ledger.Head(m.ctx)
		if err != nil {
			return err
		}
		done, err := m.followed(head)
		if err != nil {
			return err
		}
		if head != last || !done {
			quiet, last = -1, head
		}
		select {
		case <-time.After(quietFor):
		case <-m.ctx.Done():
			return context.Cause(m.ctx)
		}
	}
	return nil
}

// followed reports whether the follow-up process and the outbox have seen all up to head.
func (m *measuredServer) followed(head eventstore.Position) (bool, error) {
	followed, err := m.FollowUp.State()
	if err != nil {
		return false, err
	}
	told, err := m.Outbox.State()
	return (!m.has("reactor") || followed.Position >= head) && (!m.has("outbox") || told >= head), err
}

// close ends the load, then the server in serve's order.
func (m *measuredServer) close() error {
	var err error
	if m.load != nil {
		err = m.load.close()
	}
	m.stop(nil)
	m.workers.Wait()
	if m.echo != nil {
		m.echo.Close()
	}
	return errors.Join(err, m.Server.Close())
}
