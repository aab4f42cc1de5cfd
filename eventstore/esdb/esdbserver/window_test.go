package esdbserver

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc/codes"

	"consentledger/eventstore"
	"consentledger/eventstore/memory"
)

// put appends n records to a stream of a store and returns their names, as in
// "s@0".
func put(t testing.TB, store eventstore.Store, stream eventstore.Stream, after eventstore.Revision, n int) []string {
	t.Helper()
	var names []string
	for i := range n {
		revision := after + eventstore.Revision(i)
		r := eventstore.Record{ID: eventstore.EventID(newUUID()), Type: "thing.done.v1", Data: []byte(`{"recorded":1767225600001}`)}
		if _, err := store.Append(t.Context(), stream, revision, r); err != nil {
			t.Fatal(err)
		}
		names = append(names, fmt.Sprintf("%s@%d", stream, revision))
	}
	return names
}

// names reads events until the call ends.
func names(t testing.TB, c streams.StreamsClient, o *streams.ReadReq_Options) []string {
	t.Helper()
	read, err := c.Read(t.Context(), &streams.ReadReq{Options: o})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for {
		frame, err := read.Recv()
		if errors.Is(err, io.EOF) {
			return names
		}
		if err != nil {
			t.Fatal(err)
		}
		if e := frame.GetEvent().GetEvent(); e != nil {
			names = append(names, nameOf(e))
		}
	}
}

func nameOf(e *streams.ReadResp_ReadEvent_RecordedEvent) string {
	return fmt.Sprintf("%s@%d", e.GetStreamIdentifier().GetStreamName(), e.GetStreamRevision())
}

func TestAWindowShowsTheStoreBothWays(t *testing.T) {
	store := &memory.Store{}
	want := append(put(t, store, "s-1", 0, 70), put(t, store, "r-1", 0, 900)...)
	want = append(want, put(t, store, "s-1", 70, 3)...)
	c := client(t, start(t, New(Options{Store: store})).Addr())

	all := func(direction streams.ReadReq_Options_ReadDirection, count uint64) *streams.ReadReq_Options {
		o := readOptions()
		option := &streams.ReadReq_Options_AllOptions{AllOption: &streams.ReadReq_Options_AllOptions_Start{Start: &shared.Empty{}}}
		if direction == streams.ReadReq_Options_Backwards {
			option.AllOption = &streams.ReadReq_Options_AllOptions_End{End: &shared.Empty{}}
		}
		o.StreamOption = &streams.ReadReq_Options_All{All: option}
		o.ReadDirection, o.CountOption = direction, &streams.ReadReq_Options_Count{Count: count}
		return o
	}
	if got := names(t, c, all(streams.ReadReq_Options_Forwards, 1<<53-1)); !slices.Equal(got, want) {
		t.Errorf("forwards: %d events, want %d: %v", len(got), len(want), got)
	}
	backwards := slices.Clone(want)
	slices.Reverse(backwards)
	for _, count := range []uint64{1, 10, 1 << 53} {
		got := names(t, c, all(streams.ReadReq_Options_Backwards, count))
		if want := backwards[:min(count, uint64(len(backwards)))]; !slices.Equal(got, want) {
			t.Errorf("backwards, %d: %d events, want %d: %v", count, len(got), len(want), got)
		}
	}

	one := readOptions()
	one.StreamOption = &streams.ReadReq_Options_Stream{Stream: &streams.ReadReq_Options_StreamOptions{
		StreamIdentifier: identifier("s-1"), RevisionOption: &streams.ReadReq_Options_StreamOptions_Revision{Revision: 68},
	}}
	one.CountOption = &streams.ReadReq_Options_Count{Count: 100}
	if got := names(t, c, one); !slices.Equal(got, []string{"s-1@68", "s-1@69", "s-1@70", "s-1@71", "s-1@72"}) {
		t.Errorf("the stream from 68 on: %v", got)
	}
	one.ReadDirection = streams.ReadReq_Options_Backwards
	if got := names(t, c, one); len(got) != 69 || got[0] != "s-1@68" || got[68] != "s-1@0" {
		t.Errorf("the stream back from 68: %v", got)
	}
	one.GetStream().StreamIdentifier = identifier("nobody")
	if got := names(t, c, one); len(got) != 0 {
		t.Errorf("a stream that is not there: %v", got)
	}
}

func TestAWindowIsResumedFromEveryEventAndCheckpoint(t *testing.T) {
	store := &memory.Store{}
	for i := range eventstore.Revision(20) {
		put(t, store, "f-1", i, 1)
		put(t, store, "o-1", i, 1)
	}
	c := client(t, start(t, New(Options{Store: store})).Addr())
	o := readOptions()
	o.CountOption = &streams.ReadReq_Options_Subscription{Subscription: &streams.ReadReq_Options_SubscriptionOptions{}}
	o.FilterOption = &streams.ReadReq_Options_Filter{Filter: &streams.ReadReq_Options_FilterOptions{
		Filter: &streams.ReadReq_Options_FilterOptions_StreamIdentifier{
			StreamIdentifier: &streams.ReadReq_Options_FilterOptions_Expression{Prefix: []string{"f-"}},
		},
		Window:                       &streams.ReadReq_Options_FilterOptions_Max{Max: 3},
		CheckpointIntervalMultiplier: 1,
	}}
	from := func(commit, prepare uint64) streams.Streams_ReadClient {
		o.StreamOption = &streams.ReadReq_Options_All{All: &streams.ReadReq_Options_AllOptions{
			AllOption: &streams.ReadReq_Options_AllOptions_Position{Position: &streams.ReadReq_Options_Position{CommitPosition: commit, PreparePosition: prepare}},
		}}
		read, err := c.Read(t.Context(), &streams.ReadReq{Options: o})
		if err != nil {
			t.Fatal(err)
		}
		return read
	}

	type place struct{ commit, prepare uint64 }
	next := map[place]string{} // what comes behind each
	var places []place
	read := from(0, 0)
	for seen := 0; ; {
		frame, err := read.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if p := frame.GetCheckpoint(); p != nil {
			places = append(places, place{p.GetCommitPosition(), p.GetPreparePosition()})
		}
		if e := frame.GetEvent().GetEvent(); e != nil {
			for _, p := range places {
				next[p] = nameOf(e)
			}
			places = []place{{e.GetCommitPosition(), e.GetPreparePosition()}}
			if seen++; seen == 20 {
				break
			}
		}
	}
	for p, want := range next {
		read := from(p.commit, p.prepare)
		for {
			frame, err := read.Recv()
			if err != nil {
				t.Fatal(err)
			}
			if e := frame.GetEvent().GetEvent(); e != nil {
				if nameOf(e) != want {
					t.Errorf("behind %v comes %s, want %s", p, nameOf(e), want)
				}
				break
			}
		}
	}

	// What is written later comes too, to those who wait for it.
	live := from(uint64(0), 0)
	for range 20 {
		nextEvent(t, live)
	}
	put(t, store, "f-1", 20, 1)
	nextEvent(t, live)
}

func TestAWindowTakesNoWrites(t *testing.T) {
	c := client(t, start(t, New(Options{Store: &memory.Store{}})).Addr())
	w := writer{c, t, "s"}
	for _, expected := range []expectation{expectNone, expectAny} {
		_, trailer, err := w.append(t.Context(), expected, a)
		wantCode(t, err, codes.PermissionDenied, "Access Denied")
		if got := trailer.Get("exception"); !slices.Equal(got, []string{"access-denied"}) {
			t.Errorf("exception is %v", got)
		}
	}
	_, err := c.Delete(t.Context(), &streams.DeleteReq{Options: &streams.DeleteReq_Options{
		StreamIdentifier: identifier("s"), ExpectedStreamRevision: &streams.DeleteReq_Options_Any{Any: &shared.Empty{}},
	}})
	wantCode(t, err, codes.PermissionDenied, "Access Denied")
	_, err = c.Tombstone(t.Context(), &streams.TombstoneReq{Options: &streams.TombstoneReq_Options{
		StreamIdentifier: identifier("s"), ExpectedStreamRevision: &streams.TombstoneReq_Options_Any{Any: &shared.Empty{}},
	}})
	wantCode(t, err, codes.PermissionDenied, "Access Denied")

	batch, err := c.BatchAppend(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := batch.Send(&streams.BatchAppendReq{
		CorrelationId: frames{text: true}.id(a), IsFinal: true,
		Options: &streams.BatchAppendReq_Options{StreamIdentifier: identifier("s"), ExpectedStreamPosition: &streams.BatchAppendReq_Options_StreamPosition{}},
	}); err != nil {
		t.Fatal(err)
	}
	reply, err := batch.Recv()
	if err != nil || reply.GetError().GetCode() != int32(codes.PermissionDenied) {
		t.Errorf("a batch got %v, %v", reply, err)
	}
}
