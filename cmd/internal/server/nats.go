package server

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"consentledger/api/nats/intake"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// StartNATS starts the embedded server, JetStream synced on every message, on
// the given address.
func StartNATS(dir, addr string, log *slog.Logger, with func(*server.Options)) (*server.Server, error) {
	host, portText, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("--nats-listen %q: want HOST:PORT", addr)
	}

	port, err := strconv.Atoi(portText)
	if err != nil {
		return nil, fmt.Errorf("--nats-listen %q: want a port number", addr)
	}
	if port == 0 {
		port = server.RANDOM_PORT
	}

	options := &server.Options{
		ServerName: "consentledger", Host: host, Port: port, NoSigs: true,
		JetStream: true, StoreDir: filepath.Join(dir, "nats"), SyncAlways: true,
		JetStreamMaxMemory: 64 << 20, JetStreamMaxStore: 10 << 30,
		DisableJetStreamBanner: true, MaxPayload: 1 << 20,
	}
	if with != nil {
		with(options)
	}

	s, err := server.NewServer(options)
	if err != nil {
		return nil, err
	}

	var fatal atomic.Pointer[string]
	s.SetLoggerV2(natsLog{log, &fatal}, false, false, false)
	s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		s.Shutdown()
		if why := fatal.Load(); why != nil {
			return nil, fmt.Errorf("the embedded NATS server cannot start: %s", *why)
		}
		return nil, fmt.Errorf("the embedded NATS server cannot listen on %s; is the port in use? name another with "+
			"--nats-listen", addr)
	}
	return s, nil
}

// ConnectEmbedded connects to the embedded server without touching the
// network.
func ConnectEmbedded(s *server.Server, token string) (*nats.Conn, error) {
	options := []nats.Option{
		nats.Name("consentledger"), nats.CustomInboxPrefix(intake.InboxPrefix), nats.InProcessServer(s),
		nats.MaxReconnects(-1), nats.ReconnectWait(time.Second),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			if !errors.Is(err, nats.ErrPermissionViolation) { // which the server logs
				slog.Warn("NATS", "err", err)
			}
		}),
	}
	if token != "" {
		options = append(options, nats.Token(token))
	}
	return nats.Connect("", options...)
}

// natsLog hands the embedded server's log to ours, but for what is a sender's. Fatalf does
// not exit: the caller sees that the server does not become ready.
type natsLog struct {
	log   *slog.Logger
	fatal *atomic.Pointer[string] // what it said last
}

func (l natsLog) Noticef(f string, v ...any) {}
func (l natsLog) Warnf(f string, v ...any) {
	if !strings.HasPrefix(f, "Healthcheck failed") { // we ask four times a second, and tell it ourselves
		l.log.Warn(natsLine(f, v...))
	}
}
func (l natsLog) Fatalf(f string, v ...any) {
	text := fmt.Sprintf(f, v...)
	l.fatal.Store(&text)
	l.log.Error("nats server: " + text)
}
func (l natsLog) Errorf(f string, v ...any) { l.log.Error(natsLine(f, v...)) }
func (l natsLog) Debugf(f string, v ...any) {}
func (l natsLog) Tracef(f string, v ...any) {}

// natsLine is a line of the NATS server. What it says of itself is told whole: files, streams
// and subjects hold nothing of persons.
func natsLine(f string, v ...any) string {
	line := fmt.Sprintf(f, v...)
	if natsOf.MatchString(line) {
		line = withoutSender(line)
	}
	return "nats server: " + line
}
