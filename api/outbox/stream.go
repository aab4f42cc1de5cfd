package outbox

import (
	"context"
	"errors"
	"fmt"

	"consentledger/api/wire"
	"consentledger/eventstore"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// config is the stream, where no administrator made it otherwise. No message
// grows too old: the last one is always there.
var config = jetstream.StreamConfig{
	Name: Stream, Description: "what became of obligations", Subjects: []string{subjects},
	Storage: jetstream.FileStorage, Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardOld,
	MaxMsgs: 1_000_000, DenyDelete: true, DenyPurge: true,
	PersistMode: jetstream.AsyncPersistMode,
}

// last returns the number of the stream's last message and the position that
// it tells of; zero if nothing was told. It makes the stream if there is none.
func last(ctx context.Context, js jetstream.JetStream) (uint64, eventstore.Position, error) {
	s, err := js.Stream(ctx, Stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		s, err = js.CreateStream(ctx, config)
	}
	if err != nil {
		return 0, 0, fmt.Errorf("stream %s: %w", Stream, err)
	}
	info := s.CachedInfo()
	c := info.Config
	if len(c.Subjects) != 1 || c.Subjects[0] != subjects || c.Retention != jetstream.LimitsPolicy || c.Discard != jetstream.DiscardOld || c.MaxAge != 0 {
		return 0, 0, fmt.Errorf("stream %s is not the ledger's: want subject %s, retention limits, discard old and no age", Stream, subjects)
	}
	seq := info.State.LastSeq
	if seq == 0 {
		return 0, 0, nil
	}
	m, err := s.GetMsg(ctx, seq)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return 0, 0, fmt.Errorf("stream %s has lost its last message, which says how far was told; delete the stream, and everything is told again with the same ids", Stream)
	}
	if err != nil {
		return 0, 0, fmt.Errorf("stream %s: message %d: %w", Stream, seq, err)
	}
	at, err := wire.ParsePosition(m.Header.Get(positionHeader))
	if err != nil {
		return 0, 0, fmt.Errorf("stream %s: message %d says no position: somebody else published it; only the ledger may publish on %s", Stream, seq, subjects)
	}
	return seq, at, nil
}

// permitted returns err, with what the server did not permit, if there is any.
func permitted(nc *nats.Conn, err error) error {
	if last := nc.LastError(); errors.Is(last, nats.ErrPermissionViolation) && !errors.Is(err, errSecond) {
		return errors.Join(last, err)
	}
	return err
}
