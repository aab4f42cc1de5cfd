package esdb_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"consentledger/eventstore"
	"consentledger/eventstore/esdb"
	"consentledger/eventstore/esdb/esdbserver"
)

// somebody is another client of the database, who may do everything.
type somebody struct {
	streams.StreamsClient
	t testing.TB
}

func anybody(t testing.TB, s *esdbserver.Server) somebody {
	t.Helper()
	return anybodyBy(t, s.Addr(), tcp)
}

// anybodyBy is anybody whose connections are made by dial.
func anybodyBy(t testing.TB, host string, dial func(context.Context, string) (net.Conn, error)) somebody {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+host, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithContextDialer(dial))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return somebody{streams.NewStreamsClient(conn), t}
}

func named(stream string) *shared.StreamIdentifier {
	return &shared.StreamIdentifier{StreamName: []byte(stream)}
}

// append appends an event without any expectation.
func (c somebody) append(stream, typ, data string) {
	c.t.Helper()
	call, err := c.Append(c.t.Context())
	if err == nil {
		err = call.Send(&streams.AppendReq{Content: &streams.AppendReq_Options_{Options: &streams.AppendReq_Options{
			StreamIdentifier: named(stream), ExpectedStreamRevision: &streams.AppendReq_Options_Any{Any: &shared.Empty{}},
		}}})
	}
	if err == nil {
		err = call.Send(&streams.AppendReq{Content: &streams.AppendReq_ProposedMessage_{ProposedMessage: &streams.AppendReq_ProposedMessage{
			Id:       &shared.UUID{Value: &shared.UUID_String_{String_: "5f1b3f0e-0000-4000-8000-" + fmt.Sprintf("%012d", ids.Add(1))}},
			Metadata: map[string]string{"type": typ, "content-type": "application/json"}, Data: []byte(data),
		}}})
	}
	if err == nil {
		_, err = call.CloseAndRecv()
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

var ids atomic.Int64

func (c somebody) delete(stream string) {
	c.t.Helper()
	o := &streams.DeleteReq_Options{StreamIdentifier: named(stream), ExpectedStreamRevision: &streams.DeleteReq_Options_Any{Any: &shared.Empty{}}}
	if _, err := c.Delete(c.t.Context(), &streams.DeleteReq{Options: o}); err != nil {
		c.t.Fatal(err)
	}
}

func (c somebody) tombstone(stream string) {
	c.t.Helper()
	o := &streams.TombstoneReq_Options{StreamIdentifier: named(stream), ExpectedStreamRevision: &streams.TombstoneReq_Options_Any{Any: &shared.Empty{}}}
	if _, err := c.Tombstone(c.t.Context(), &streams.TombstoneReq{Options: o}); err != nil {
		c.t.Fatal(err)
	}
}

// drain reads and returns the first error.
func drain[T any](seq func(func(T, error) bool)) (n int, bad error) {
	for _, err := range seq {
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// TestHistoryThatWasChangedIsTold has somebody change what is stored, and looks
// where each reader notices.
func TestHistoryThatWasChangedIsTold(t *testing.T) {
	readStream := func(t *testing.T, s *esdb.Store) error {
		_, err := drain(s.ReadStream(t.Context(), "a", 0))
		return err
	}
	readAll := func(t *testing.T, s *esdb.Store) error {
		_, err := drain(s.ReadAll(t.Context(), 0))
		return err
	}
	follow := func(t *testing.T, s *esdb.Store) error {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := drain(s.Follow(ctx, 0))
		return err
	}
	appends := func(t *testing.T, s *esdb.Store) error {
		_, err := s.Append(t.Context(), "a", 3, record(4, "four"))
		return err
	}
	deleted := func(t *testing.T, s *esdb.Store) error {
		_, err := s.Append(t.Context(), "a", 0, record(4, "four"))
		return err
	}
	for _, tt := range []struct {
		name   string
		change func(*esdbserver.Server, somebody)
		notice func(*testing.T, *esdb.Store) error
		says   string
	}{
		{"tombstone, read", func(_ *esdbserver.Server, c somebody) { c.tombstone("ledger.a") }, readStream, "deleted for good"},
		{"tombstone, read all", func(_ *esdbserver.Server, c somebody) { c.tombstone("ledger.a") }, readAll, "deleted for good"},
		{"tombstone, follow", func(_ *esdbserver.Server, c somebody) { c.tombstone("ledger.a") }, follow, "deleted for good"},
		{"tombstone, append", func(_ *esdbserver.Server, c somebody) { c.tombstone("ledger.a") }, appends, "deleted for good"},
		{"deletion, read all", func(_ *esdbserver.Server, c somebody) { c.delete("ledger.a") }, readAll, "$tb"},
		{"deletion, follow", func(_ *esdbserver.Server, c somebody) { c.delete("ledger.a") }, follow, "$tb"},
		{"deletion, append as to a new stream", func(_ *esdbserver.Server, c somebody) { c.delete("ledger.a") }, deleted, "cannot be read there"},
		{"truncation, read", func(_ *esdbserver.Server, c somebody) { c.append("$$ledger.a", "$metadata", `{"$tb":2}`) }, readStream, "has no record 1"},
		{"limit of count, read", func(_ *esdbserver.Server, c somebody) { c.append("$$ledger.a", "$metadata", `{"$maxCount":1}`) }, readStream, "has no record 1"},
		{"limit of count, follow", func(_ *esdbserver.Server, c somebody) { c.append("$$ledger.a", "$metadata", `{"$maxCount":9}`) }, follow, "$maxCount"},
		{"limit of age, read all", func(_ *esdbserver.Server, c somebody) { c.append("$$ledger.a", "$metadata", `{"$maxAge":9}`) }, readAll, "$maxAge"},
		{"an event of somebody else, read", func(_ *esdbserver.Server, c somebody) { c.append("ledger.a", "x", `{}`) }, readStream, "not written by a ledger"},
		{"an event of somebody else, follow", func(_ *esdbserver.Server, c somebody) { c.append("ledger.zz", "x", `{}`) }, follow, "not written by a ledger"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			leavesNothing(t)
			server := serve(t, esdbserver.Options{})
			var told atomic.Int64
			s := open(t, addressOf(server), esdb.Options{OnFault: func(error) { told.Add(1) }})
			mustAppend(t, s, "a", 0, record(1, "one"), record(2, "two"))
			mustAppend(t, s, "a", 2, record(3, "three"))
			mustAppend(t, s, "b", 0, record(5, "five"))
			if err := s.Fault(); err != nil {
				t.Fatal(err)
			}
			tt.change(server, anybody(t, server))

			err := tt.notice(t, s)
			if err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, want what says %q", err, tt.says)
			}
			if _, is := errors.AsType[*esdb.FaultError](s.Fault()); !is || told.Load() != 1 {
				t.Errorf("the store holds %v, and told it %d times", s.Fault(), told.Load())
			}
			if _, err := s.Append(t.Context(), "c", 0, record(6, "six")); err == nil {
				t.Error("it takes appends all the same")
			}
			if got := read(t, s, "b"); len(got) != 1 {
				t.Errorf("another stream has %d records", len(got))
			}
		})
	}
}

// TestBarriersOutliveAWriter has somebody write where barriers are asked for.
func TestBarriersOutliveAWriter(t *testing.T) {
	leavesNothing(t)
	server := serve(t, esdbserver.Options{})
	s := open(t, addressOf(server), esdb.Options{})
	for range 3 {
		if err := s.Barrier(t.Context()); err != nil {
			t.Fatal(err)
		}
		anybody(t, server).append("ledger~", "x", "{}")
	}
	if err := s.Barrier(t.Context()); err != nil || s.Fault() != nil {
		t.Error(err, s.Fault())
	}
}

// TestARestoredBackupIsTold puts an old copy of the database in place while a
// store is open, and before one is opened.
func TestARestoredBackupIsTold(t *testing.T) {
	leavesNothing(t)
	server := serve(t, esdbserver.Options{})
	s := open(t, addressOf(server), esdb.Options{})
	mustAppend(t, s, "a", 0, record(1, "one"))
	backup := server.Backup()
	last := mustAppend(t, s, "a", 1, record(2, "two"))
	seen := s.Seen()
	if seen.Position != last {
		t.Fatalf("seen up to %d, appended up to %d", seen.Position, last)
	}

	ended := make(chan error, 1)
	began := make(chan struct{})
	go func() {
		n := 0
		for batch, err := range s.Follow(t.Context(), 0) {
			if err != nil {
				ended <- err
				return
			}
			if n += len(batch); n == 2 {
				close(began)
			}
		}
	}()
	<-began
	server.Restore(backup)
	if err := s.Barrier(t.Context()); err != nil {
		t.Fatal(err)
	}
	fresh := open(t, addressOf(server), esdb.Options{Seen: seen})
	if err := fresh.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]*esdb.Store{"open": s, "opened later": fresh} {
		if err := s.Fault(); err == nil || !strings.Contains(err.Error(), "not there any more") {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := s.Append(t.Context(), "a", 1, record(3, "three")); err == nil {
			t.Errorf("%s: it takes appends", name)
		}
		if got := read(t, s, "a"); len(got) != 1 {
			t.Errorf("%s: reads %d records", name, len(got))
		}
	}
	if _, is := errors.AsType[*esdb.FaultError](<-ended); !is {
		t.Error("whoever followed was not told")
	}
	other := open(t, addressOf(server), esdb.Options{})
	for _, err := range other.Follow(t.Context(), last) {
		if err == nil || !strings.Contains(err.Error(), "old copy") {
			t.Errorf("whoever follows from behind the end is told %v", err)
		}
		break
	}
}

// TestAnEventThatVanishedIsTold lets a killed leader, alone, show what nobody else
// has, and come back without it.
func TestAnEventThatVanishedIsTold(t *testing.T) {
	leavesNothing(t)
	server := serve(t, esdbserver.Options{})
	s := open(t, addressOf(server), esdb.Options{})
	mustAppend(t, s, "a", 0, record(1, "one"))
	read := make(chan eventstore.Recorded, 8)
	go func() {
		for batch, err := range s.Follow(t.Context(), 0) {
			if err != nil {
				return
			}
			for _, r := range batch {
				read <- r
			}
		}
	}()
	<-read

	server.LoseQuorum()
	server.SetFaults(esdbserver.Faults{Wait: 10 * time.Millisecond})
	short, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := s.Append(short, "a", 1, record(2, "two")); err == nil {
		t.Fatal("it was acknowledged without a quorum")
	}
	server.RestartAlone()
	select {
	case r := <-read:
		t.Errorf("told of %s, which nobody else has", r.Data)
	case <-time.After(300 * time.Millisecond):
	}
	server.SetFaults(esdbserver.Faults{})
	server.RegainQuorum(false)
	if r := <-read; r.Revision != 2 || string(r.Data) != "two" {
		t.Errorf("read %+v, want what the append went on to store", r)
	}
	if err := s.Fault(); err != nil {
		t.Error(err)
	}
}

// TestAScavengedPlaceIsTold takes the event away that a follower heard last.
func TestAScavengedPlaceIsTold(t *testing.T) {
	leavesNothing(t)
	server := serve(t, esdbserver.Options{})
	s := open(t, addressOf(server), esdb.Options{})
	mustAppend(t, s, "a", 0, record(1, "one"))
	mustAppend(t, s, "b", 0, record(2, "two"))
	told := make(chan error, 1)
	heard := make(chan struct{})
	go func() {
		n := 0
		for batch, err := range s.Follow(t.Context(), 0) {
			if err != nil {
				told <- err
				return
			}
			if n += len(batch); n == 2 {
				close(heard)
			}
		}
	}()
	<-heard
	server.Scavenge(func(stream string, _ int64) bool { return stream == "ledger.b" })
	for range 600 { // it may not have subscribed yet when they end
		server.EndSubscriptions(esdbserver.TheTruth)
		select {
		case err := <-told:
			if _, is := errors.AsType[*esdb.FaultError](err); !is {
				t.Error(err)
			}
			return
		case <-time.After(100 * time.Millisecond):
		}
	}
	t.Error("the follower went on from a place that is gone")
}

// TestAPlaceThatIsScavengedWhileItSubscribesIsTold takes the event that a follower
// heard last away at the moment when the follower, which has just found it where it
// was, subscribes behind it: the node leaves out the next one instead, and says nothing.
func TestAPlaceThatIsScavengedWhileItSubscribesIsTold(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			leavesNothing(t)
			server := serve(t, k.server)
			s, other := open(t, addressOf(server), k.store), open(t, addressOf(server), esdb.Options{})
			mustAppend(t, other, "a", 0, record(1, "one"))
			last := mustAppend(t, other, "b", 0, record(2, "two"))

			var happened atomic.Bool
			server.SetFaults(esdbserver.Faults{Subscribing: func() {
				if happened.Swap(true) {
					return
				}
				mustAppend(t, other, "c", 0, record(3, "three"))
				mustAppend(t, other, "d", 0, record(4, "four"))
				server.Scavenge(func(stream string, _ int64) bool { return stream == "ledger.b" })
			}})
			ctx, cancel := within(t, time.Minute)
			defer cancel()
			for batch, err := range s.Follow(ctx, last) {
				if _, is := errors.AsType[*esdb.FaultError](err); !is {
					t.Errorf("it went on: %+v, %v", batch, err)
				}
				break
			}
			if !happened.Load() || s.Fault() == nil {
				t.Errorf("scavenged: %t; the store holds %v", happened.Load(), s.Fault())
			}
		})
	}
}
