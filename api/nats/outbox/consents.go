package outbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"consentledger/api/nats/intake"
	"consentledger/api/nats/subject"
	"consentledger/domain"
	"consentledger/domain/ident"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"

	"github.com/nats-io/nats.go/jetstream"
)

// changesStay is how long a message that names a person stays in the stream. What the
// server keeps cannot be sealed for whoever is to read it, so it goes by itself.
const changesStay = 7 * 24 * time.Hour

// changes is the stream of what persons said. Other than that of obligations it lets
// single messages go: those of a person who is erased.
var changes = jetstream.StreamConfig{
	Name: ChangesStream, Description: "what persons said of their consents", Subjects: []string{consentSubjects},
	Storage: jetstream.FileStorage, Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardOld,
	MaxMsgs: 1_000_000, MaxAge: changesStay,
	PersistMode: jetstream.AsyncPersistMode,
}

func (t Topic) stream() string {
	if t == Consents {
		return ChangesStream
	}
	return Stream
}

// config returns the stream as the outbox wants it.
func (o *Outbox) config() jetstream.StreamConfig {
	switch {
	case o.Topic == Consents:
		return changes
	case o.Apart:
		return apart
	}
	return config
}

// apart is the stream of obligations beside that of consents.
var apart = func() jetstream.StreamConfig {
	c := config
	c.Subjects = []string{obligationSubjects}
	return c
}()

// divide makes the stream of obligations leave consents to their own stream, where both
// are told: a subject belongs to one stream.
func (o *Outbox) divide(ctx context.Context, js jetstream.JetStream) error {
	if o.Topic != Consents && !o.Apart {
		return nil
	}

	s, err := js.Stream(ctx, Stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("stream %s: %w", Stream, err)
	}

	have := s.CachedInfo().Config
	if !slices.Equal(have.Subjects, config.Subjects) {
		return nil
	}

	have.Subjects = apart.Subjects
	if _, err := js.UpdateStream(ctx, have); err != nil {
		return fmt.Errorf("stream %s must listen to %s alone, so that consents have a stream of their own: %w",
			Stream, obligationSubjects, err)
	}
	return nil
}

// mend holds the stream to its settings. A stream of obligations that was divided once
// stays so: nothing else is told on what it left.
func (o *Outbox) mend(ctx context.Context, js jetstream.JetStream) error {
	want := o.config()
	if o.Topic == Obligations && !o.Apart {
		s, err := js.Stream(ctx, want.Name)
		if err == nil && slices.Equal(s.CachedInfo().Config.Subjects, apart.Subjects) {
			want = apart
		}
	}
	return intake.Mend(ctx, o.log(), js, want)
}

// changesKey is the row that says since when consents are told, and how far they were
// told at least.
var changesKey = []byte("outbox/1/consents")

// A changesRow is the value of that row.
type changesRow struct {
	V     int                 `json:"v"`
	Since eventstore.Position `json:"since"`
	Told  eventstore.Position `json:"told"`
}

// begun returns the row. The first time it is made: what was recorded before that is told
// to nobody.
func (o *Outbox) begun(ctx context.Context) (row changesRow, err error) {
	value, ok, err := o.Rows.Get(ctx, changesKey)
	if err == nil && !ok {
		head, err := o.Ledger.Head(ctx)
		if err != nil {
			return changesRow{}, err
		}
		first := o.row(changesRow{V: 1, Since: head, Told: head})
		begun := eventstore.Change{Absent: [][]byte{changesKey}, Put: []eventstore.Row{first}}
		err = eventstore.WriteDurably(ctx, o.Rows, begun)
		if err != nil && !errors.Is(err, eventstore.ErrCondition) {
			return changesRow{}, fmt.Errorf("since when consents are told: %w", err)
		}
		value, _, err = o.Rows.Get(ctx, changesKey)
		if err != nil {
			return changesRow{}, fmt.Errorf("since when consents are told: %w", err)
		}
	}
	if err != nil {
		return changesRow{}, fmt.Errorf("since when consents are told: %w", err)
	}
	if err := json.Unmarshal(value, &row); err != nil || row.V != 1 {
		return changesRow{}, fmt.Errorf("row %s is not of version 1: use the version of the program that wrote it, "+
			"or a newer one", changesKey)
	}
	return row, nil
}

func (o *Outbox) row(r changesRow) eventstore.Row {
	value, err := json.Marshal(r)
	if err != nil {
		panic("outbox: three numbers do not make JSON: " + err.Error())
	}
	return eventstore.Row{Key: changesKey, Value: value}
}

// lastConsent returns how far was told of consents: as far as the last message that is
// there says, or as the row says if that is farther. A stream that is new, or was made
// anew, is told everything since consents are told.
func (o *Outbox) lastConsent(ctx context.Context, s jetstream.Stream, seq uint64) (place, error) {
	row, err := o.begun(ctx)
	if err != nil {
		return place{}, err
	}
	o.kept = row
	o.mark, o.marked = 0, time.Now()
	if seq == 0 {
		return place{at: row.Since}, nil
	}

	told := place{at: max(row.Since, row.Told)}
	m, err := s.GetLastMsgForSubject(ctx, consentSubjects)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return told, nil
	}
	if err != nil {
		return place{}, fmt.Errorf("stream %s: its last message: %w", ChangesStream, err)
	}
	by, err := placeOf(ChangesStream, m)
	if err != nil {
		return place{}, err
	}
	if by.at < told.at {
		return told, nil
	}
	return by, nil
}

// batches cuts entries behind each erasure: before anything behind it is told, the
// messages of that person are gone.
func (t Topic) batches(entries []codec.Entry) iter.Seq[[]codec.Entry] {
	return func(yield func([]codec.Entry) bool) {
		if t == Consents {
			for i := 0; i < len(entries); i++ {
				if _, erased := entries[i].Event.(domain.SubjectErased); erased {
					if !yield(entries[:i+1]) {
						return
					}
					entries, i = entries[i+1:], -1
				}
			}
		}
		if len(entries) > 0 {
			yield(entries)
		}
	}
}

// settle does what is to be done once everything up to an entry is told: it forgets who
// was erased, and notes how far was told.
func (o *Outbox) settle(ctx context.Context, js jetstream.JetStream, e codec.Entry) error {
	if o.Topic != Consents {
		return nil
	}
	if _, erased := e.Event.(domain.SubjectErased); erased {
		if err := forget(ctx, js, e.Stream.App, e.Stream.ID); err != nil {
			return err
		}
	}
	return o.noteTold(ctx, e.Position)
}

// markEvery is how long what was told is left to the server before the row says so. The
// server does not sync what it acknowledges: what it forgot in a crash is told again.
const markEvery = 10 * time.Minute

// noteTold writes in the row how far was told when it was written before.
func (o *Outbox) noteTold(ctx context.Context, at eventstore.Position) error {
	if o.mark == 0 {
		o.mark = at
	}
	if time.Since(o.marked) < markEvery {
		return nil
	}
	next := o.kept
	next.Told = max(next.Told, o.mark)
	if err := o.Rows.Write(ctx, eventstore.Change{Put: []eventstore.Row{o.row(next)}}); err != nil {
		return fmt.Errorf("how far consents are told: %w", err)
	}
	o.kept, o.mark, o.marked = next, at, time.Now()
	return nil
}

// forget takes the messages of a person out of the stream, and overwrites them. It reads
// the headers of what the stream has of the app, which is a week at most.
func forget(ctx context.Context, js jetstream.JetStream, app ident.AppName, pseudonym string) error {
	s, err := js.Stream(ctx, ChangesStream)
	if err != nil {
		return fmt.Errorf("stream %s: %w", ChangesStream, err)
	}
	c, err := s.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{
		FilterSubjects: []string{subject.Of(string(app), "out.consent.>")}, HeadersOnly: true,
	})
	if err != nil {
		return fmt.Errorf("stream %s: %w", ChangesStream, err)
	}

	for left := c.CachedInfo().NumPending; left > 0; {
		batch, err := c.Fetch(int(min(left, 1000)), jetstream.FetchMaxWait(answerTime))
		if err != nil {
			return fmt.Errorf("stream %s: %w", ChangesStream, err)
		}
		n := uint64(0)
		for m := range batch.Messages() {
			n++
			if m.Headers().Get(pseudonymHeader) != pseudonym {
				continue
			}
			meta, err := m.Metadata()
			if err == nil {
				err = s.SecureDeleteMsg(ctx, meta.Sequence.Stream)
			}
			if err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
				return fmt.Errorf("stream %s: a message of a person who was erased: %w", ChangesStream, err)
			}
		}
		if err := batch.Error(); err != nil {
			return fmt.Errorf("stream %s: %w", ChangesStream, err)
		}
		if n == 0 {
			return fmt.Errorf("stream %s: its messages do not come, so those of a person who was erased are still "+
				"there", ChangesStream)
		}
		left -= min(n, left)
	}
	return nil
}
