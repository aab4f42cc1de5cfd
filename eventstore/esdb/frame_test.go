package esdb

import (
	"bytes"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/protobuf/proto"
)

func answerOf(id *shared.UUID, link *streams.ReadResp_ReadEvent_RecordedEvent) *streams.ReadResp {
	return &streams.ReadResp{Content: &streams.ReadResp_Event{Event: &streams.ReadResp_ReadEvent{
		Event: &streams.ReadResp_ReadEvent_RecordedEvent{
			Id: id, StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte("ledger.a")}, StreamRevision: 1 << 40,
			PreparePosition: 6, CommitPosition: 7, Metadata: map[string]string{"type": "test.v1", "created": "5", "content-type": "application/json"},
			CustomMetadata: []byte(`{"id":"x"}`), Data: bytes.Repeat([]byte("d"), 300),
		},
		Link:     link,
		Position: &streams.ReadResp_ReadEvent_CommitPosition{CommitPosition: 7},
	}}}
}

// answers are what the generated encoder makes of answers of every kind.
func answers(t testing.TB) (all [][]byte) {
	text := &shared.UUID{Value: &shared.UUID_String_{String_: "01234567-89AB-cdef-0123-456789abcdef"}}
	numbers := uuid([16]byte{0xff, 2, 3, 4, 5, 6, 7, 8, 9, 15: 16})
	for _, m := range []*streams.ReadResp{
		answerOf(text, nil),
		answerOf(numbers, nil),
		answerOf(numbers, &streams.ReadResp_ReadEvent_RecordedEvent{Id: text, CommitPosition: 9, Data: []byte("of the link")}),
		{},
		{Content: &streams.ReadResp_Event{Event: &streams.ReadResp_ReadEvent{}}},
		{Content: &streams.ReadResp_Confirmation{Confirmation: &streams.ReadResp_SubscriptionConfirmation{SubscriptionId: "s"}}},
		{Content: &streams.ReadResp_Checkpoint_{Checkpoint: &streams.ReadResp_Checkpoint{CommitPosition: 3, PreparePosition: 2}}},
		{Content: &streams.ReadResp_StreamNotFound_{StreamNotFound: &streams.ReadResp_StreamNotFound{StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte("a")}}}},
		{Content: &streams.ReadResp_FirstStreamPosition{FirstStreamPosition: 4}},
		{Content: &streams.ReadResp_CaughtUp_{CaughtUp: &streams.ReadResp_CaughtUp{}}},
	} {
		b, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b)
	}
	return all
}

// same reports whether an event is the one that the generated decoder finds.
func (e *raw) same(want *streams.ReadResp_ReadEvent_RecordedEvent) bool {
	id, err := parseUUID(want.GetId())
	return err == nil && e.id == id && string(e.stream) == string(want.GetStreamIdentifier().GetStreamName()) && e.revision == want.GetStreamRevision() &&
		uint64(e.at) == want.GetCommitPosition() && string(e.typ) == want.GetMetadata()["type"] &&
		bytes.Equal(e.note, want.GetCustomMetadata()) && bytes.Equal(e.data, want.GetData())
}

func TestAFrameIsReadAsTheGeneratedDecoderReadsIt(t *testing.T) {
	for i, b := range answers(t) {
		want := new(streams.ReadResp)
		if err := proto.Unmarshal(b, want); err != nil {
			t.Fatal(err)
		}
		e, is, err := frame(b).event()
		if err != nil || is != (want.GetEvent().GetEvent() != nil) || is && !e.same(want.GetEvent().GetEvent()) {
			t.Errorf("answer %d is read as %+v, %t, %v", i, e, is, err)
		}
		for cut := range b {
			e, is, err := frame(b[:cut]).event()
			if err == nil && is && e.same(want.GetEvent().GetEvent()) {
				t.Errorf("the first %d of %d bytes of answer %d are read as the whole", cut, len(b), i)
			}
		}
	}
}

// FuzzFrame looks that nothing makes it panic, and that where the generated decoder
// finds nothing there is no event.
func FuzzFrame(f *testing.F) {
	for _, b := range answers(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		_, is, err := frame(b).event()
		want := new(streams.ReadResp)
		if proto.Unmarshal(b, want) != nil {
			return // it also looks whether texts are UTF-8
		}
		if is && err == nil && want.GetContent() == nil {
			t.Errorf("there is no event in %x", b)
		}
	})
}
