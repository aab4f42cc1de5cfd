package esdbserver

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// A writer appends to one stream of a node.
type writer struct {
	streams.StreamsClient
	t    testing.TB
	name string
}

func (w writer) append(ctx context.Context, expected expectation, ids ...uuid) (*streams.AppendResp, metadata.MD, error) {
	w.t.Helper()
	call, err := w.Append(ctx)
	if err != nil {
		return nil, nil, err
	}
	options := &streams.AppendReq_Options{StreamIdentifier: identifier(w.name)}
	switch expected {
	case expectAny:
		options.ExpectedStreamRevision = &streams.AppendReq_Options_Any{Any: &shared.Empty{}}
	case expectNone:
		options.ExpectedStreamRevision = &streams.AppendReq_Options_NoStream{NoStream: &shared.Empty{}}
	default:
		options.ExpectedStreamRevision = &streams.AppendReq_Options_Revision{Revision: uint64(expected)}
	}
	_ = call.Send(&streams.AppendReq{Content: &streams.AppendReq_Options_{Options: options}})
	for _, id := range ids {
		_ = call.Send(&streams.AppendReq{Content: &streams.AppendReq_ProposedMessage_{ProposedMessage: &streams.AppendReq_ProposedMessage{
			Id:       frames{text: true}.id(id),
			Metadata: map[string]string{"type": "t", "content-type": jsonContent},
			Data:     []byte("{}"),
		}}})
	}
	reply, err := call.CloseAndRecv()
	return reply, call.Trailer(), err
}

// must appends one event and returns its position.
func (w writer) must(expected expectation, id uuid) uint64 {
	w.t.Helper()
	reply, _, err := w.append(w.t.Context(), expected, id)
	if err != nil || reply.GetSuccess() == nil {
		w.t.Fatalf("append to %s: %v, %v", w.name, reply, err)
	}
	return reply.GetSuccess().GetPosition().GetCommitPosition()
}

// ids returns the ids of the stream's readable events.
func (w writer) ids(ctx context.Context) ([]string, error) {
	w.t.Helper()
	o := readOptions()
	o.StreamOption = &streams.ReadReq_Options_Stream{Stream: &streams.ReadReq_Options_StreamOptions{
		StreamIdentifier: identifier(w.name), RevisionOption: &streams.ReadReq_Options_StreamOptions_Start{Start: &shared.Empty{}},
	}}
	o.CountOption = &streams.ReadReq_Options_Count{Count: 1000}
	read, err := w.Read(ctx, &streams.ReadReq{Options: o})
	if err != nil {
		return nil, err
	}
	var ids []string
	for {
		frame, err := read.Recv()
		if err != nil {
			if status.Code(err) == codes.Unknown { // io.EOF
				return ids, nil
			}
			return ids, err
		}
		if e := frame.GetEvent(); e != nil {
			ids = append(ids, e.GetEvent().GetId().GetString_())
		}
	}
}

func (w writer) holds(ctx context.Context, want ...uuid) {
	w.t.Helper()
	got, err := w.ids(ctx)
	if err != nil {
		w.t.Fatal(err)
	}
	if len(got) != len(want) {
		w.t.Fatalf("%s holds %v, want %v", w.name, got, want)
	}
	for i := range want {
		if got[i] != want[i].String() {
			w.t.Errorf("%s@%d is %s, want %s", w.name, i, got[i], want[i])
		}
	}
}

func readOptions() *streams.ReadReq_Options {
	return &streams.ReadReq_Options{
		FilterOption: &streams.ReadReq_Options_NoFilter{NoFilter: &shared.Empty{}},
		UuidOption:   &streams.ReadReq_Options_UUIDOption{Content: &streams.ReadReq_Options_UUIDOption_String_{String_: &shared.Empty{}}},
	}
}

// subscribeAll subscribes to the log from a position, or from its start.
func subscribeAll(t testing.TB, ctx context.Context, c streams.StreamsClient, position uint64) streams.Streams_ReadClient {
	t.Helper()
	o := readOptions()
	all := &streams.ReadReq_Options_AllOptions{AllOption: &streams.ReadReq_Options_AllOptions_Start{Start: &shared.Empty{}}}
	if position != 0 {
		all.AllOption = &streams.ReadReq_Options_AllOptions_Position{Position: &streams.ReadReq_Options_Position{
			CommitPosition: position, PreparePosition: position,
		}}
	}
	o.StreamOption = &streams.ReadReq_Options_All{All: all}
	o.CountOption = &streams.ReadReq_Options_Subscription{Subscription: &streams.ReadReq_Options_SubscriptionOptions{}}
	read, err := c.Read(ctx, &streams.ReadReq{Options: o})
	if err != nil {
		t.Fatal(err)
	}
	return read
}

// nextEvent returns the id of the next event of a subscription.
func nextEvent(t testing.TB, read streams.Streams_ReadClient) string {
	t.Helper()
	for {
		frame, err := read.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if e := frame.GetEvent().GetEvent(); e != nil {
			return e.GetId().GetString_()
		}
	}
}

func leaderOnly(ctx context.Context) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "requires-leader", "true")
}

func wantCode(t testing.TB, err error, want codes.Code, text string) {
	t.Helper()
	if s := status.Convert(err); s.Code() != want || text != "" && s.Message() != text {
		t.Errorf("%v, want %v %q", err, want, text)
	}
}

var a, b, c = uuid{1}, uuid{2}, uuid{3}

func TestAFateDecidesWhatIsWrittenAndWhatIsSaid(t *testing.T) {
	for _, x := range []struct {
		name string
		fate Fate
		code codes.Code
		text string
	}{
		{"commit timeout, written", Fate{Say: CommitTimeout}, codes.Aborted, "Operation timed out: Commit phase timeout."},
		{"commit timeout, not written", Fate{Lost: true, Say: CommitTimeout}, codes.Aborted, ""},
		{"forwarding timeout", Fate{Lost: true, Say: ForwardingTimeout}, codes.Aborted, "Operation timed out: Forwarding timeout"},
		{"cancelled", Fate{Say: Cancelled}, codes.Aborted, ""},
		{"exhausted", Fate{Say: Exhausted}, codes.ResourceExhausted, ""},
		{"shutting down", Fate{Say: ShuttingDown}, codes.Internal, ""},
		{"reset, written", Fate{Say: ConnectionReset}, codes.Unavailable, ""},
		{"reset, not written", Fate{Lost: true, Say: ConnectionReset}, codes.Unavailable, ""},
	} {
		t.Run(x.name, func(t *testing.T) {
			s := start(t, New(Options{}))
			w := writer{client(t, s.Addr()), t, "s"}
			s.SetFaults(Faults{Append: func(Write) *Fate { return &x.fate }})
			_, _, err := w.append(t.Context(), expectNone, a)
			wantCode(t, err, x.code, x.text)

			s.SetFaults(Faults{})
			present, err := w.ids(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if written := len(present) == 1; written == x.fate.Lost {
				t.Errorf("the stream holds %v", present)
			}
			w.must(expectNone, a) // the same again settles it
			w.holds(t.Context(), a)
		})
	}
}

func TestWithoutAQuorumAnAppendIsInvisibleAndInTheWay(t *testing.T) {
	for _, kept := range []bool{true, false} {
		s := start(t, New(Options{}))
		w := writer{client(t, s.Addr()), t, "s"}
		s.LoseQuorum()
		_, _, err := w.append(t.Context(), expectNone, a)
		wantCode(t, err, codes.Aborted, "Operation timed out: Commit phase timeout.")
		w.holds(t.Context())

		reply, _, err := w.append(t.Context(), expectNone, b)
		if err != nil || reply.GetWrongExpectedVersion().GetCurrentRevision() != 0 || reply.GetWrongExpectedVersion() == nil {
			t.Errorf("a second writer got %v, %v", reply, err)
		}
		_, _, err = w.append(t.Context(), 0) // a question
		wantCode(t, err, codes.Aborted, "")

		s.RegainQuorum(kept)
		if kept {
			w.holds(t.Context(), a)
		} else {
			w.holds(t.Context())
			w.must(expectNone, b)
			w.holds(t.Context(), b)
		}
	}
}

func TestAnEventIsSeenAndThenReplaced(t *testing.T) {
	s := start(t, New(Options{}))
	w := writer{client(t, s.Addr()), t, "s"}
	w.must(expectNone, a)
	s.LoseQuorum()
	_, _, err := w.append(t.Context(), 0, b)
	wantCode(t, err, codes.Aborted, "")
	s.RestartAlone()

	w.StreamsClient = client(t, s.Addr())
	w.holds(t.Context(), a, b)
	_, err = w.ids(leaderOnly(t.Context()))
	wantCode(t, err, codes.Unavailable, "Server Is Not Ready")
	var seen uint64
	read := subscribeAll(t, t.Context(), w, 0)
	for {
		frame, err := read.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if e := frame.GetEvent().GetEvent(); e.GetId().GetString_() == b.String() {
			seen = e.GetCommitPosition()
			break
		}
	}

	s.RegainQuorum(false)
	w.holds(leaderOnly(t.Context()), a)
	if at := w.must(0, c); at <= seen {
		t.Errorf("the event in its place is at %d, the vanished one was at %d", at, seen)
	}
	w.must(1, uuid{4})

	// Resumed from the vanished event, a subscription skips the one in its place.
	if got := nextEvent(t, subscribeAll(t, t.Context(), w, seen)); got != (uuid{4}).String() {
		t.Errorf("the first event is %s", got)
	}
}

func TestAfterAScavengeAResumedSubscriptionSkips(t *testing.T) {
	s := start(t, New(Options{}))
	w := writer{client(t, s.Addr()), t, "s"}
	w.must(expectNone, a)
	at := w.must(0, b)
	w.must(1, c)
	w.must(2, uuid{4})
	s.Scavenge(func(stream string, revision int64) bool { return stream == "s" && revision == 1 })
	if got := nextEvent(t, subscribeAll(t, t.Context(), w, at)); got != (uuid{4}).String() {
		t.Errorf("the first event is %s", got)
	}
	w.holds(t.Context(), a, c, uuid{4})
}

func TestAFollowerSendsOnOrNamesTheLeader(t *testing.T) {
	nodes := NewCluster(3, Options{})
	for _, n := range nodes {
		start(t, n)
	}
	w := writer{client(t, nodes[1].Addr()), t, "s"}
	w.must(expectNone, a)
	w.holds(t.Context(), a)

	_, trailer, err := w.append(leaderOnly(t.Context()), 0, b)
	wantCode(t, err, codes.NotFound, "Leader info available")
	_, port, _ := net.SplitHostPort(nodes[0].Addr())
	if got := trailer.Get("leader-endpoint-port"); len(got) != 1 || got[0] != port {
		t.Errorf("the leader's port is said to be %v, it is %s", got, port)
	}
	_, err = w.ids(leaderOnly(t.Context()))
	wantCode(t, err, codes.NotFound, "")

	nodes[0].Exit()
	_, _, err = w.append(t.Context(), 0, b)
	wantCode(t, err, codes.Aborted, "Operation timed out: Forwarding timeout")
	nodes[1].Elect()
	w.must(0, b)
}

func TestADeposedLeaderAnswersReadsAndNoQuestions(t *testing.T) {
	nodes := NewCluster(3, Options{})
	for _, n := range nodes {
		start(t, n)
	}
	old, young := writer{client(t, nodes[0].Addr()), t, "s"}, writer{client(t, nodes[1].Addr()), t, "s"}
	old.must(expectNone, a)

	nodes[0].SetFaults(Faults{Lagging: true, Deposed: true})
	nodes[0].Sleep()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, _, err := old.append(ctx, 0, b)
	wantCode(t, err, codes.DeadlineExceeded, "")
	nodes[1].Become(Leader)
	young.must(0, c)

	nodes[0].Wake()
	old.holds(leaderOnly(t.Context()), a)
	_, _, err = old.append(leaderOnly(t.Context()), 0)
	wantCode(t, err, codes.Aborted, "Operation timed out: Request canceled by server")
	young.holds(leaderOnly(t.Context()), a, c)
}

func TestASubscriptionFallsSilentAndEnds(t *testing.T) {
	for say, want := range map[Saying]codes.Code{TheTruth: codes.Aborted, ShuttingDown: codes.Internal} {
		s := start(t, New(Options{}))
		w := writer{client(t, s.Addr()), t, "s"}
		w.must(expectNone, a)
		read := subscribeAll(t, t.Context(), w, 0)
		for nextEvent(t, read) != a.String() {
		}
		s.SetFaults(Faults{Silent: true})
		w.must(0, b)
		frames := make(chan error, 1)
		go func() {
			for {
				frame, err := read.Recv()
				if err != nil || frame.GetEvent() != nil {
					frames <- err
					return
				}
			}
		}()
		select {
		case err := <-frames:
			t.Errorf("a silent subscription spoke: %v", err)
		case <-time.After(50 * time.Millisecond):
		}
		s.EndSubscriptions(say)
		wantCode(t, <-frames, want, "")
	}
}

func TestARestoredBackupHoldsLess(t *testing.T) {
	s := start(t, New(Options{}))
	w := writer{client(t, s.Addr()), t, "s"}
	w.must(expectNone, a)
	backup := s.Backup()
	at := w.must(0, b)
	s.Restore(backup)
	w.StreamsClient = client(t, s.Addr())
	w.holds(t.Context(), a)
	if again := w.must(0, c); again != at {
		t.Errorf("the next event is at %d, the lost one was at %d", again, at)
	}
}

func TestANodeExitsAndComesBack(t *testing.T) {
	s := start(t, New(Options{}))
	w := writer{client(t, s.Addr()), t, "s"}
	w.must(expectNone, a)
	s.FillDisk()
	_, _, err := w.append(t.Context(), 0, b)
	wantCode(t, err, codes.Aborted, "")
	for range 6000 {
		if _, err := w.ids(t.Context()); status.Code(err) == codes.Unavailable {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	_, err = w.ids(t.Context())
	wantCode(t, err, codes.Unavailable, "")

	again := start(t, s.Again())
	w.StreamsClient = client(t, again.Addr())
	w.holds(t.Context(), a)
	w.must(expectNone, a) // an exact expectation outlives the restart
	w.must(expectAny, a)  // what was known by heart does not
	w.holds(t.Context(), a, a)
}

func TestRightsAreJudgedAtTheNextCall(t *testing.T) {
	user := User{Name: "ledger", Password: "p", Rights: Rights{Append: true, ReadStream: true, ReadAll: true}}
	s := start(t, New(Options{Users: []User{user}}))
	w := writer{client(t, s.Addr()), t, "s"}
	_, trailer, err := w.append(t.Context(), expectNone, a)
	wantCode(t, err, codes.PermissionDenied, "Access Denied")
	if got := trailer.Get("exception"); len(got) != 1 || got[0] != "access-denied" {
		t.Errorf("exception is %v", got)
	}
	wrong := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Basic bGVkZ2VyOng=")
	_, _, err = w.append(wrong, expectNone, a)
	wantCode(t, err, codes.Unauthenticated, "Unauthenticated")

	right := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Basic bGVkZ2VyOnA=")
	if _, _, err := w.append(right, expectNone, a); err != nil {
		t.Fatal(err)
	}
	read := subscribeAll(t, right, w, 0)
	for nextEvent(t, read) != a.String() {
	}
	_, err = w.Delete(right, &streams.DeleteReq{Options: &streams.DeleteReq_Options{
		StreamIdentifier: identifier("s"), ExpectedStreamRevision: &streams.DeleteReq_Options_Any{Any: &shared.Empty{}},
	}})
	wantCode(t, err, codes.PermissionDenied, "Access Denied")

	user.Rights = Rights{Append: true}
	s.SetUser(user)
	if _, _, err := w.append(right, 0, b); err != nil {
		t.Fatal(err)
	}
	if got := nextEvent(t, read); got != b.String() { // what is open is not cut
		t.Errorf("the subscription gave %s", got)
	}
	_, err = w.ids(right)
	wantCode(t, err, codes.PermissionDenied, "Access Denied")
}

func TestGossipKeepsTheLastStateOfTheDead(t *testing.T) {
	nodes := NewCluster(3, Options{})
	for _, n := range nodes {
		start(t, n)
	}
	nodes[0].Exit()
	reply, err := gossip.NewGossipClient(dial(t, nodes[1].Addr())).Read(t.Context(), &shared.Empty{})
	if err != nil {
		t.Fatal(err)
	}
	if m := reply.GetMembers()[0]; m.GetState() != Leader || m.GetIsAlive() {
		t.Errorf("the dead leader is %v, alive %v", m.GetState(), m.GetIsAlive())
	}
}
