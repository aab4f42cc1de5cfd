package intake

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// UnseenBucket keeps the rejected messages that may be an opt-out until somebody
// looked at them, beyond the 30 days of [RejectedStream] and whether or not
// the ledger runs meanwhile. They lie there sealed, as they do in the stream,
// under the sequence that they have in it. It has no limit of its own: when
// the server has no more room, the message stays with the incoming ones.
const UnseenBucket = "CONSENT_REJECTED_UNSEEN"

// keepUnseen keeps a rejected message until it is marked seen. Doing it twice is
// harmless.
func keepUnseen(ctx context.Context, js jetstream.JetStream, seq uint64, m *nats.Msg) error {
	header := nats.Header{}
	for _, name := range []string{headerApp, headerCode, headerPath, headerMayBeOptOut, headerSeq} {
		header[name] = m.Header[name]
	}
	subject := "$KV." + UnseenBucket + "." + strconv.FormatUint(seq, 10)
	_, err := js.PublishMsg(ctx, &nats.Msg{Subject: subject, Header: header, Data: m.Data})
	return err
}

// rest lets a message go that was marked seen.
func (r *Rejections) rest(ctx context.Context, js jetstream.JetStream, seq uint64) error {
	bucket, err := js.KeyValue(ctx, UnseenBucket)
	if err == nil {
		err = bucket.Purge(ctx, strconv.FormatUint(seq, 10))
	}
	if err != nil {
		return fmt.Errorf("rejected message %d in %s: %w", seq, UnseenBucket, err)
	}
	return nil
}

// outlived returns the messages behind a sequence that are kept and no longer
// in the stream, in order.
func (t *tally) outlived(after uint64) (seqs []uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, seq := range slices.Sorted(maps.Keys(t.kept)) {
		if seq > after && !t.optOuts[seq] {
			seqs = append(seqs, seq)
		}
	}
	return seqs
}

// all yields the messages behind a sequence, wherever they are, in order.
func (r *Rejections) all(ctx context.Context, s streams, after uint64) iter.Seq2[RejectedMessage, error] {
	return func(yield func(RejectedMessage, error) bool) {
		gone := r.tally.outlived(after)
		before := func(seq uint64) bool { // yields what is gone and stood before seq
			for ; len(gone) > 0 && gone[0] < seq; gone = gone[1:] {
				raw, err := r.one(ctx, s, gone[0])
				if !yield(r.message(gone[0], raw), err) || err != nil {
					return false
				}
			}
			return true
		}
		for raw, err := range newer(ctx, s.list, after, rejectedSubjects) {
			if err != nil {
				yield(RejectedMessage{}, err)
				return
			}
			if !before(raw.Sequence) || !yield(r.message(raw.Sequence, raw), nil) {
				return
			}
		}
		before(1<<64 - 1)
	}
}

// A filing knows which incoming messages are with the rejected already. The
// server knows it too, but only for two minutes.
type filing struct {
	mu   sync.Mutex
	at   place
	seqs map[string]uint64 // by what identifies the incoming message

	notes map[string]bool // what was filed of itself, see tellUnencoded
}

// find returns the sequence under which an incoming message was rejected.
func (f *filing) find(ctx context.Context, js jetstream.JetStream, id string) (seq uint64, has bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	list, err := js.Stream(ctx, RejectedStream)
	if err != nil {
		return 0, false, fmt.Errorf("stream %s: %w", RejectedStream, err)
	}
	if f.at.behind(list.CachedInfo()) || f.seqs == nil {
		f.seqs = map[string]uint64{}
	}

	if f.at.seq < list.CachedInfo().State.LastSeq {
		for raw, err := range newer(ctx, list, f.at.seq, rejectedSubjects) {
			if err != nil {
				return 0, false, err
			}
			f.at.seq = raw.Sequence
			f.seqs[raw.Header.Get(jetstream.MsgIDHeader)] = raw.Sequence
		}
	}

	seq, has = f.seqs[id]
	return seq, has, nil
}

// firstFree returns a sequence that neither bucket has an entry of, and none
// after it: where a new stream of rejected messages begins.
func firstFree(ctx context.Context, js jetstream.JetStream) (uint64, error) {
	free := uint64(1)
	for _, name := range []string{SeenBucket, UnseenBucket} {
		bucket, err := js.Stream(ctx, "KV_"+name)
		if err != nil {
			return 0, fmt.Errorf("bucket %s: %w", name, err)
		}
		for raw, err := range newer(ctx, bucket, 0, "$KV."+name+".*") {
			if err != nil {
				return 0, err
			}
			if seq, ours := keyOf(raw); ours && seq >= free {
				free = seq + 1
			}
		}
	}
	return free, nil
}
