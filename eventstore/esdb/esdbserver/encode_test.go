package esdbserver

import (
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/protobuf/proto"
)

func TestAnEventIsWrittenAsTheGeneralEncoderWritesIt(t *testing.T) {
	r := &record{
		position: 300, stream: "s", revision: 7, id: uuid{1, 2, 15: 3}, typ: "t", json: true,
		custom: []byte("{}"), data: make([]byte, 70_000), created: 17,
	}
	bare := &record{stream: "s-2", typ: "u"}
	for _, x := range []struct{ found, link *record }{{r, nil}, {bare, nil}, {r, bare}, {nil, r}} {
		for _, text := range []bool{true, false} {
			var m streams.ReadResp
			if err := proto.Unmarshal(appendReadResp(nil, x.found, x.link, text), &m); err != nil {
				t.Fatal(err)
			}
			want := &streams.ReadResp{Content: &streams.ReadResp_Event{Event: &streams.ReadResp_ReadEvent{
				Event: recorded(x.found, text), Link: recorded(x.link, text),
			}}}
			at := x.link
			if at == nil {
				at = x.found
			}
			want.GetEvent().Position = &streams.ReadResp_ReadEvent_CommitPosition{CommitPosition: uint64(at.position)}
			if !proto.Equal(&m, want) {
				t.Errorf("%v instead of %v", &m, want)
			}
		}
	}
}

func recorded(r *record, text bool) *streams.ReadResp_ReadEvent_RecordedEvent {
	if r == nil {
		return nil
	}
	content, created := "application/octet-stream", "0"
	if r.json {
		content, created = "application/json", "17"
	}
	return &streams.ReadResp_ReadEvent_RecordedEvent{
		Id: frames{text: text}.id(r.id), StreamIdentifier: identifier(r.stream), StreamRevision: uint64(r.revision),
		PreparePosition: uint64(r.position), CommitPosition: uint64(r.position),
		Metadata:       map[string]string{"type": r.typ, "created": created, "content-type": content},
		CustomMetadata: r.custom, Data: r.data,
	}
}
