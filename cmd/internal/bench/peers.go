package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"consentledger/eventstore/postgres/pgserver"
)

// A peer is what people would use instead of a ledger, for the one thing that it
// does as well: an event is kept, and survives a crash, before it is
// acknowledged.
type peer interface {
	name() string
	slice(ctx context.Context, clients int, long time.Duration) (Slice, error)
	close() error
}

// Postgres is a PostgreSQL server with a table of events, loaded by its own
// pgbench: synchronous commit, one INSERT a transaction, a unique id.
type Postgres struct{ server *pgserver.Server }

// OpenPostgres makes a server below dir, by the programs in bin. It listens on a
// socket in dir only.
func OpenPostgres(ctx context.Context, bin, dir string) (_ *Postgres, err error) {
	server, err := pgserver.Make(ctx, bin, dir, "max_connections = 300", "shared_buffers = 256MB")
	if err != nil {
		return nil, err
	}
	p := &Postgres{server}
	if err := p.prepare(ctx); err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

// prepare makes the table, and what pgbench reads.
func (p *Postgres) prepare(ctx context.Context) error {
	if _, err := p.server.SQL(ctx, "postgres", eventTable); err != nil {
		return err
	}
	return os.WriteFile(p.script(), []byte(insertEvent), 0o644)
}

const eventTable = `CREATE TABLE events (
	position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	id uuid NOT NULL UNIQUE, stream text NOT NULL, type text NOT NULL,
	recorded timestamptz NOT NULL DEFAULT now(), data jsonb NOT NULL);
CREATE INDEX ON events (stream, position)`

const insertEvent = `\set person random(1, 10000)
INSERT INTO events (id, stream, type, data) VALUES (gen_random_uuid(), 'subject-bench-' || :person, 'consent.given',
	'{"act":"agree-popup","locale":"en","purposes":["personalisation"],"details":{"device":"Pixel 7","ip":"203.0.113.9","screen":"welcome"},"source":"smartkey/android"}');
`

func (p *Postgres) script() string { return filepath.Join(p.server.Dir(), "insert.sql") }

func (p *Postgres) name() string { return "PostgreSQL, a table of events" }

func (p *Postgres) slice(ctx context.Context, clients int, long time.Duration) (Slice, error) {
	seconds := max(1, int(long.Seconds()))
	text, err := p.server.Run(ctx, "pgbench", "-n", "-M", "prepared", "-h", p.server.Dir(), "-U", "bench", "-c",
		strconv.Itoa(clients), "-j", "2",
		"-T", strconv.Itoa(seconds), "-f", p.script(), "postgres")
	if err != nil {
		return Slice{}, err
	}
	if strings.Contains(text, "transactions actually processed: 0\n") {
		return Slice{Took: time.Duration(seconds) * time.Second}, nil
	}

	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, "tps = "); ok {
			rate, err := strconv.ParseFloat(strings.Fields(value)[0], 64)
			return Slice{Done: int(rate * float64(seconds)), Took: time.Duration(seconds) * time.Second}, err
		}
	}
	return Slice{}, fmt.Errorf("pgbench said no rate: %.500s", text)
}

func (p *Postgres) close() error {
	return p.server.Stop(context.Background(), false)
}

// JetStream is a NATS server in this process, whose stream has one replica and
// is synced after every message.
type JetStream struct {
	server *server.Server
	conns  []*nats.Conn
}

// OpenJetStream makes a server below dir.
func OpenJetStream(ctx context.Context, dir string) (_ *JetStream, err error) {
	s, err := startNATS(dir, true)
	if err != nil {
		return nil, err
	}

	j := &JetStream{server: s}
	defer func() {
		if err != nil {
			err = errors.Join(err, j.close())
		}
	}()
	for range 64 {
		nc, err := nats.Connect(s.ClientURL())
		if err != nil {
			return nil, err
		}
		j.conns = append(j.conns, nc)
	}

	js, err := jetstream.New(j.conns[0])
	if err != nil {
		return nil, err
	}

	_, err = js.CreateStream(ctx,
		jetstream.StreamConfig{Name: "EVENTS", Subjects: []string{"events.>"}, Storage: jetstream.FileStorage,
			Replicas: 1})
	return j, err
}

// startNATS starts a NATS server in this process; it may sync every message.
func startNATS(dir string, sync bool) (*server.Server, error) {
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: dir,
		SyncAlways: sync, NoSigs: true, NoLog: true})
	if err != nil {
		return nil, err
	}
	go s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		s.Shutdown()
		return nil, errors.New("the NATS server of the bench is not ready after 10 s")
	}
	return s, nil
}

func (j *JetStream) name() string { return "JetStream, one replica, sync_interval always" }

func (j *JetStream) slice(ctx context.Context, clients int, long time.Duration) (Slice, error) {
	streams, crowd := make(chan jetstream.JetStream, clients), NewCrowd(Uniform)
	for i := range clients {
		js, err := jetstream.New(j.conns[i%len(j.conns)])
		if err != nil {
			return Slice{}, err
		}
		streams <- js
	}

	return drive(ctx, clients, long, 0, func(ctx context.Context) error {
		js := <-streams
		defer func() { streams <- js }()
		_, err := js.Publish(ctx, "events.smartkey", crowd.Event())
		return err
	})
}

func (j *JetStream) close() error {
	for _, nc := range j.conns {
		nc.Close()
	}
	j.server.Shutdown()
	j.server.WaitForShutdown()
	return nil
}
