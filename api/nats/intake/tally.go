package intake

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// A tally knows which rejected messages may be an opt-out, and which were marked
// seen. It reads each message and each mark once and is brought up to date by
// what is new, so that asking often costs little. It is kept nowhere: a new
// process reads everything again.
type tally struct {
	mu      sync.Mutex
	list    place
	marks   place
	unseen  place
	optOuts map[uint64]bool   // the messages in the stream that may be an opt-out
	why     map[uint64]string // the marks, by message
	kept    map[uint64]uint64 // the sequence in [UnseenBucket], by message
}

// The streams that a tally reads.
type streams struct{ list, marks, unseen jetstream.Stream }

// A place is how far a stream was read.
type place struct {
	created time.Time // of the stream: another one of that name is read anew
	deleted int       // from its midst: then it is read anew, too
	seq     uint64
}

// behind brings p to the stream as it is now. It reports whether what was read
// no longer holds.
func (p *place) behind(info *jetstream.StreamInfo) bool {
	if p.created.Equal(info.Created) && p.deleted == info.State.NumDeleted && p.seq <= info.State.LastSeq {
		return false
	}
	*p = place{created: info.Created, deleted: info.State.NumDeleted}
	return true
}

// update reads what is new in the streams. If it fails, what it read is kept.
func (t *tally) update(ctx context.Context, s streams) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.list.behind(s.list.CachedInfo()) {
		t.optOuts = map[uint64]bool{}
	}
	if t.marks.behind(s.marks.CachedInfo()) {
		t.why = map[uint64]string{}
	}
	if t.unseen.behind(s.unseen.CachedInfo()) {
		t.kept = map[uint64]uint64{}
	}

	err := t.list.read(ctx, s.list, rejectedSubjects, func(raw *jetstream.RawStreamMsg) {
		if flagged(raw) {
			t.optOuts[raw.Sequence] = true
		}
	})
	if err != nil {
		return err
	}
	if err := t.marks.read(ctx, s.marks, "$KV."+SeenBucket+".*", t.mark); err != nil {
		return err
	}
	if err := t.unseen.read(ctx, s.unseen, "$KV."+UnseenBucket+".*", t.keep); err != nil {
		return err
	}

	for seq := range t.optOuts { // those that are over 30 days old are gone; what nobody saw is kept
		if seq < s.list.CachedInfo().State.FirstSeq {
			delete(t.optOuts, seq)
		}
	}
	return nil
}

// read takes each message that is new.
func (p *place) read(
	ctx context.Context, s jetstream.Stream, subject string, take func(*jetstream.RawStreamMsg),
) error {
	if p.seq >= s.CachedInfo().State.LastSeq {
		return nil
	}
	for raw, err := range newer(ctx, s, p.seq, subject) {
		if err != nil {
			return err
		}
		p.seq = raw.Sequence
		take(raw)
	}
	return nil
}

// mark takes an entry of the bucket. One without a value takes the mark away.
func (t *tally) mark(raw *jetstream.RawStreamMsg) {
	seq, ours := keyOf(raw)
	if !ours {
		return
	}
	if delete(t.why, seq); len(raw.Data) > 0 {
		t.why[seq] = string(raw.Data)
	}
}

// keep takes an entry of the bucket of what is unseen. One without a value says
// that the message may rest.
func (t *tally) keep(raw *jetstream.RawStreamMsg) {
	seq, ours := keyOf(raw)
	if !ours {
		return
	}
	if delete(t.kept, seq); len(raw.Data) > 0 {
		t.kept[seq] = raw.Sequence
	}
}

// keyOf returns the rejected message that an entry of a bucket is about.
func keyOf(raw *jetstream.RawStreamMsg) (seq uint64, ours bool) {
	key := raw.Subject[strings.LastIndexByte(raw.Subject, '.')+1:]
	seq, err := strconv.ParseUint(key, 10, 64)
	return seq, err == nil
}

func (t *tally) place(seq uint64) (inUnseen uint64, kept bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	inUnseen, kept = t.kept[seq]
	return inUnseen, kept
}

func (t *tally) seen(seq uint64) (why string, seen bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	why, seen = t.why[seq]
	return why, seen
}

// Unseen returns how many rejected messages may be an opt-out and were not marked
// seen, however old. Health is red until it is zero. It asks the server three
// times, and once more for each message and mark that is new since it was
// asked last.
func (r *Rejections) Unseen(ctx context.Context) (int, error) {
	if _, err := r.open(ctx); err != nil {
		return 0, err
	}

	n, done := r.tally.count()
	for _, seq := range done {
		js, err := jetstream.New(r.Conn)
		if err == nil {
			err = r.rest(ctx, js, seq)
		}
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// count returns how many are unseen, and which are kept though they were seen:
// whoever marked them died before he could let them go.
func (t *tally) count() (unseen int, done []uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for seq := range t.optOuts {
		if _, seen := t.why[seq]; !seen {
			unseen++
		}
	}

	for seq := range t.kept {
		if _, seen := t.why[seq]; seen {
			done = append(done, seq)
		} else if !t.optOuts[seq] {
			unseen++
		}
	}
	return unseen, done
}

// What is no longer unseen: what somebody looked at, and what is gone. In order.
type noLonger struct{ seen, gone []uint64 }

// compare compares what is unseen with what is known to be so. Found are those
// that are not known.
func (t *tally) compare(known map[uint64]bool) (lost noLonger, found []uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	is := func(seq uint64) bool { _, kept := t.kept[seq]; return kept || t.optOuts[seq] }
	for _, seq := range slices.Sorted(maps.Keys(known)) {
		if _, seen := t.why[seq]; seen {
			lost.seen = append(lost.seen, seq)
		} else if !is(seq) {
			lost.gone = append(lost.gone, seq)
		}
	}

	for _, all := range []iter.Seq[uint64]{maps.Keys(t.optOuts), maps.Keys(t.kept)} {
		for seq := range all {
			if _, seen := t.why[seq]; !seen && !known[seq] {
				found = append(found, seq)
			}
		}
	}
	return lost, found
}

// newer yields the messages of a stream behind a sequence.
func newer(
	ctx context.Context, s jetstream.Stream, after uint64, subject string,
) iter.Seq2[*jetstream.RawStreamMsg, error] {
	return func(yield func(*jetstream.RawStreamMsg, error) bool) {
		for {
			raw, err := s.GetMsg(ctx, after+1, jetstream.WithGetMsgSubject(subject))
			if errors.Is(err, jetstream.ErrMsgNotFound) {
				return
			}
			if err != nil {
				yield(nil, fmt.Errorf("stream %s behind %d: %w", s.CachedInfo().Config.Name, after, err))
				return
			}
			if !yield(raw, nil) {
				return
			}
			after = raw.Sequence
		}
	}
}
