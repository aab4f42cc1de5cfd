package intake

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// A tally knows which rejected messages may be a no, and which were marked
// seen. It reads each message and each mark once and is brought up to date by
// what is new, so that asking often costs little. It is kept nowhere: a new
// process reads everything again.
type tally struct {
	mu    sync.Mutex
	list  place
	marks place
	noes  map[uint64]bool   // the messages that may be a no
	why   map[uint64]string // the marks, by message
}

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

// update reads what is new in both streams. If it fails, what it read is kept.
func (t *tally) update(ctx context.Context, list, marks jetstream.Stream) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.list.behind(list.CachedInfo()) {
		t.noes = map[uint64]bool{}
	}
	if t.marks.behind(marks.CachedInfo()) {
		t.why = map[uint64]string{}
	}
	if t.list.seq < list.CachedInfo().State.LastSeq {
		for raw, err := range newer(ctx, list, t.list.seq, rejectedSubjects) {
			if err != nil {
				return err
			}
			if t.list.seq = raw.Sequence; flagged(raw) {
				t.noes[raw.Sequence] = true
			}
		}
	}
	if t.marks.seq < marks.CachedInfo().State.LastSeq {
		for raw, err := range newer(ctx, marks, t.marks.seq, "$KV."+SeenBucket+".*") {
			if err != nil {
				return err
			}
			t.marks.seq = raw.Sequence
			t.mark(raw)
		}
	}
	for seq := range t.noes { // those that are over 30 days old are gone
		if seq < list.CachedInfo().State.FirstSeq {
			delete(t.noes, seq)
		}
	}
	return nil
}

// mark takes an entry of the bucket. One without a value takes the mark away.
func (t *tally) mark(raw *jetstream.RawStreamMsg) {
	_, key, _ := strings.Cut(raw.Subject, SeenBucket+".")
	seq, err := strconv.ParseUint(key, 10, 64)
	if err != nil {
		return // not written by us
	}
	if delete(t.why, seq); len(raw.Data) > 0 {
		t.why[seq] = string(raw.Data)
	}
}

func (t *tally) seen(seq uint64) (why string, seen bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	why, seen = t.why[seq]
	return why, seen
}

// Unseen returns how many rejected messages may be a no and were not marked
// seen. Health is red until it is zero. It asks the server twice, and once
// more for each message and mark that is new since it was asked last.
func (r *Rejections) Unseen(ctx context.Context) (int, error) {
	if _, err := r.open(ctx); err != nil {
		return 0, err
	}
	t := &r.tally
	t.mu.Lock()
	defer t.mu.Unlock()
	n := 0
	for seq := range t.noes {
		if _, seen := t.why[seq]; !seen {
			n++
		}
	}
	return n, nil
}

// newer yields the messages of a stream behind a sequence.
func newer(ctx context.Context, s jetstream.Stream, after uint64, subject string) iter.Seq2[*jetstream.RawStreamMsg, error] {
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
