package esdb

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"net"
	"strings"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc/metadata"

	"consentledger/eventstore"
)

// DialWith has connections made by f.
func (a *Address) DialWith(f func(ctx context.Context, host string) (net.Conn, error)) { a.dialer = f }

// Hosts returns the nodes that the connection string names.
func (a *Address) Hosts() []string { return a.hosts }

// TLS returns what connections are secured with, nil if they are not.
func (a *Address) TLS() *tls.Config { return a.tls }

// Authorization returns what calls are signed with, "" if they are not.
func (a *Address) Authorization() string {
	if a.user == "" {
		return ""
	}
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(a.user+":"+a.password))
}

// Leads reports why a node does not lead, nil if it acknowledges an append of no
// events.
func (s *Store) Leads(ctx context.Context, host string) error {
	l, err := s.address.dial(ctx, host)
	if l != nil {
		defer l.close()
	}
	if err != nil {
		return err
	}
	return s.question(ctx, l)
}

// Look looks for the leader once, and gives each node so long.
func (s *Store) Look(each time.Duration) (host string, err error) {
	l, err := s.look(each)
	if err != nil {
		return "", err
	}
	defer s.end(l)
	return l.host, nil
}

// Leader returns the node that calls go to, and its version.
func (s *Store) Leader(ctx context.Context) (host, version string, err error) {
	l, err := s.link(ctx)
	if err != nil {
		return "", "", err
	}
	return l.host, l.version, nil
}

// Members returns the nodes that the leader knows to be alive, as they call
// themselves.
func (s *Store) Members(ctx context.Context) ([]string, error) {
	l, err := s.link(ctx)
	if err != nil {
		return nil, err
	}
	return l.members(ctx)
}

// Metadata makes somebody limit a stream of ours, or returns why they may not.
func (s *Store) Metadata(ctx context.Context, stream eventstore.Stream, data string) error {
	l, err := s.link(ctx)
	if err != nil {
		return err
	}
	var trailer metadata.MD
	e := event{id: eventstore.EventID(nameID(space, []byte(s.prefix+string(stream)+data))), data: []byte(data),
		meta: map[string]string{"type": "$metadata", "content-type": "application/json"}}
	answer, err := appendOnce(ctx, l, &trailer, expecting(append([]byte("$$"), s.nameOf(stream)...), 0), []event{e})
	if err != nil {
		return readRefusal(err, trailer)
	}
	if !readAnswer(answer).stored {
		return errors.New("it has metadata already")
	}
	return nil
}

// Foreign returns how many events of others the database holds, at most so many,
// and how many of them are of the server's own streams.
func (s *Store) Foreign(ctx context.Context, most int) (all, system int, err error) {
	l, err := s.link(ctx)
	if err != nil {
		return 0, 0, err
	}
	o := &streams.ReadReq_Options{
		StreamOption: &streams.ReadReq_Options_All{All: &streams.ReadReq_Options_AllOptions{}},
		FilterOption: &streams.ReadReq_Options_NoFilter{NoFilter: &shared.Empty{}},
		CountOption:  &streams.ReadReq_Options_Count{Count: uint64(most)},
	}
	from(o, 0)
	events, err := l.read(ctx, o)
	for _, e := range events {
		if strings.HasPrefix(string(e.stream), "$") {
			system++
		}
	}
	return len(events), system, err
}
