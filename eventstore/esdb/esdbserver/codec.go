package esdbserver

import (
	"fmt"

	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // the codec that this one stands before
	"google.golang.org/grpc/mem"
)

// A wire is a message as it travels. Requests are taken in this form, for the
// library would answer one that cannot be decoded by itself, in its own words.
type wire []byte

// A codec leaves requests as they are, has events written by hand, and other answers
// by the usual codec.
type codec struct{ usual encoding.CodecV2 }

func newCodec() codec { return codec{usual: encoding.GetCodecV2("proto")} }

func (codec) Name() string { return "proto" }

func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	if r, ok := v.(readResp); ok {
		return r.encode(), nil
	}
	return c.usual.Marshal(v)
}

func (codec) Unmarshal(data mem.BufferSlice, v any) error {
	w, ok := v.(*wire)
	if !ok {
		return fmt.Errorf("esdbserver: a request is decoded into %T, want *wire", v)
	}
	*w = data.Materialize()
	return nil
}
