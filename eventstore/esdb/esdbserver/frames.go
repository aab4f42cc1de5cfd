package esdbserver

import (
	"bytes"
	"context"
	"strconv"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc"
)

// frames writes what a reader is told, as it wants to be told.
type frames struct {
	history history
	stream  grpc.ServerStream
	resolve bool // links are followed
	text    bool // ids are sent as text, not as two numbers
}

func (f frames) ctx() context.Context { return f.stream.Context() }

func (f frames) now() int64 { return ticks(time.Now()) }

func (f frames) send(r *streams.ReadResp) error { return f.stream.SendMsg(r) }

// event sends an event; of a link that is followed, also what it points at, if
// that can be read.
func (f frames) event(r *record) error {
	if !f.resolve || r.typ != linkType {
		return f.stream.SendMsg(readResp{found: r, text: f.text})
	}
	target, err := f.target(r)
	if err != nil {
		return err
	}
	return f.stream.SendMsg(readResp{found: target, link: r, text: f.text})
}

// linkType is the type of an event that points at another: REVISION@STREAM.
const linkType = "$>"

func (f frames) target(link *record) (*record, error) {
	number, name, ok := bytes.Cut(link.data, []byte("@"))
	if !ok {
		return nil, nil
	}

	revision, err := strconv.ParseInt(string(number), 10, 64)
	if err != nil {
		return nil, nil
	}

	st, err := f.history.state(f.ctx(), string(name), 0)
	if err != nil || st.tombstone != nil || !st.readable() {
		return nil, err
	}

	found, err := f.history.between(f.ctx(), string(name), revision, revision)
	if err != nil || len(found) == 0 || !st.limits.shows(found[0], st.last, f.now()) {
		return nil, err
	}
	return found[0], nil
}

func (f frames) id(id uuid) *shared.UUID {
	if f.text {
		return &shared.UUID{Value: &shared.UUID_String_{String_: id.String()}}
	}
	most, least := id.halves()
	return &shared.UUID{Value: &shared.UUID_Structured_{Structured: &shared.UUID_Structured{
		MostSignificantBits: most, LeastSignificantBits: least,
	}}}
}

func (f frames) notFound(name string) error {
	return f.send(&streams.ReadResp{Content: &streams.ReadResp_StreamNotFound_{StreamNotFound: &streams.ReadResp_StreamNotFound{
		StreamIdentifier: &shared.StreamIdentifier{StreamName: []byte(name)},
	}}})
}

func (f frames) confirm() error {
	return f.send(&streams.ReadResp{Content: &streams.ReadResp_Confirmation{
		Confirmation: &streams.ReadResp_SubscriptionConfirmation{SubscriptionId: newUUID().String()},
	}})
}

func (f frames) caughtUp() error {
	return f.send(&streams.ReadResp{Content: &streams.ReadResp_CaughtUp_{CaughtUp: &streams.ReadResp_CaughtUp{}}})
}

func (f frames) checkpoint(commit, prepare int64) error {
	return f.send(&streams.ReadResp{Content: &streams.ReadResp_Checkpoint_{
		Checkpoint: &streams.ReadResp_Checkpoint{CommitPosition: uint64(commit), PreparePosition: uint64(prepare)},
	}})
}
