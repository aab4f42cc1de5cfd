package outbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"consentledger/api/nats/intake"
	"consentledger/api/wire"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// config is the stream, where no administrator made it otherwise, see [intake.Mend].
// No message grows too old: the last one is always there.
var config = jetstream.StreamConfig{
	Name: Stream, Description: "what became of obligations", Subjects: []string{subjects},
	Storage: jetstream.FileStorage, Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardOld,
	MaxMsgs: 1_000_000, DenyDelete: true, DenyPurge: true,
	PersistMode: jetstream.AsyncPersistMode,
}

// create makes the stream: with three replicas in a cluster that has room for them. A
// stream of several replicas stores every message when it comes.
func create(ctx context.Context, js jetstream.JetStream, config jetstream.StreamConfig) (jetstream.Stream, error) {
	if js.Conn().ConnectedClusterName() != "" {
		safe := config
		safe.Replicas, safe.PersistMode = 3, jetstream.DefaultPersistMode
		s, err := js.CreateStream(ctx, safe)
		if _, refused := errors.AsType[*jetstream.APIError](err); err == nil || !refused {
			return s, err
		}
	}
	s, err := js.CreateStream(ctx, config)
	if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) { // another process made it meanwhile
		return js.Stream(ctx, config.Name)
	}
	return s, err
}

// last returns the number of the stream's last message and the position that
// it tells of; zero if nothing was told. It makes the stream if there is none.
func (o *Outbox) last(ctx context.Context, js jetstream.JetStream) (uint64, place, error) {
	name := o.Topic.stream()
	if err := o.divide(ctx, js); err != nil {
		return 0, place{}, err
	}
	s, err := js.Stream(ctx, name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		s, err = create(ctx, js, o.config())
	}
	if err != nil {
		return 0, place{}, fmt.Errorf("stream %s: %w", name, err)
	}
	if err := o.mend(ctx, js); err != nil {
		return 0, place{}, err
	}

	info := s.CachedInfo()
	seq := info.State.LastSeq
	if o.Topic == Consents {
		told, err := o.lastConsent(ctx, s, seq)
		return seq, told, err
	}
	if seq == 0 {
		return 0, place{}, nil
	}
	m, err := s.GetMsg(ctx, seq)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return 0, place{}, fmt.Errorf("stream %s has lost its last message, which says how far was told; delete the "+
			"stream, and everything is told again with the same ids", name)
	}
	if err != nil {
		return 0, place{}, fmt.Errorf("stream %s: message %d: %w", name, seq, err)
	}
	told, err := placeOf(name, m)
	return seq, told, err
}

// placeOf returns what a message says of how far was told.
func placeOf(stream string, m *jetstream.RawStreamMsg) (told place, err error) {
	told.at, err = wire.ParsePosition(m.Header.Get(positionHeader))
	if err != nil {
		return place{}, fmt.Errorf("stream %s: message %d says no position: somebody else published it; only the "+
			"ledger may publish on %s", stream, m.Sequence, subjects)
	}
	if part := m.Header.Get(partHeader); part != "" {
		if told.parts, err = strconv.Atoi(part); err != nil || told.parts < 1 {
			return place{}, fmt.Errorf("stream %s: message %d says %s %q, which is no number from 1: somebody else "+
				"published it; only the ledger may publish on %s", stream, m.Sequence, partHeader, part, subjects)
		}
	}

	// What somebody else wrote there without an id is held to its position alone.
	var event struct {
		ID string `json:"id"`
	}
	if json.Unmarshal(m.Data, &event) == nil {
		told.id = event.ID
	}
	return told, nil
}

// Watch looks at the stream again and again until ctx is done, while [Outbox.Run]
// publishes: somebody may change it at any time. What could lose a message is put
// right; what cannot be is in [Outbox.State]. A stream that is gone is made anew, and
// all is told again.
func (o *Outbox) Watch(ctx context.Context) error {
	js, err := jetstream.New(o.Conn)
	if err != nil {
		return fmt.Errorf("outbox: %w", err)
	}

	tick := time.NewTicker(intake.LookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if o.Conn.IsConnected() { // else health says so already
			o.look(ctx, js)
		}
	}
}

// look compares the settings once.
func (o *Outbox) look(ctx context.Context, js jetstream.JetStream) {
	short, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	err := o.mend(short, js)
	if ctx.Err() != nil {
		return
	}

	o.mu.Lock()
	defer o.mu.Unlock()
	o.settings = nil
	if err != nil {
		o.settings = permitted(o.Conn, err)
	}
	if errors.Is(err, jetstream.ErrStreamNotFound) && o.reopen != nil {
		o.reopen()
	}
}

// permitted returns err, with what the server did not permit, if there is any.
func permitted(nc *nats.Conn, err error) error {
	if last := nc.LastError(); errors.Is(last, nats.ErrPermissionViolation) && !errors.Is(err, errSecond) {
		return errors.Join(last, err)
	}
	return err
}
