package followup

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"time"

	"consentledger/domain"
	"consentledger/domain/ident"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/codec/state"
)

// A checkpoint is what a Reactor knew as of a record. It is derived: it can be
// thrown away at any time, and then the log is read from its beginning. Before it is
// used the record is read again, and must be the same.
//
// It is kept when nothing is to be done at once, so that all that followed up to
// there is recorded. What is to be done later follows from what is owed, and stands
// in no checkpoint. Nothing personal does: a birth date is read again from the
// record that has it, and what was said to a group too.

// memoryVersion is raised when something else is remembered of a fact, or follows
// from one, than before: a checkpoint of another version, of other rules or of
// another shape is none.
const memoryVersion = 2

var shares = state.New[share](state.Types{})

// checkpointHead is what the head of a checkpoint of this program begins with.
var checkpointHead = func() []byte {
	shape := shares.Shape()
	return append([]byte{memoryVersion, domain.Rules}, shape[:8]...)
}()

// The rows of checkpoints: one with the head, and one for every share, by the
// position and a number. All numbers are big-endian.
const (
	checkpointRows = "r/1"
	headRow        = checkpointRows + "h"
	shareRows      = checkpointRows + "s"
)

// A head says what a checkpoint is of.
type head struct {
	of       mark
	shares   uint32
	doubtful uint64   // see [State]
	sum      [32]byte // of the shares
}

// A mark is a record, and where it stands.
type mark struct {
	position eventstore.Position
	id       eventstore.EventID
}

// keepEvery is how many records come between two checkpoints at least. There are as
// many as the newest has items, if that is more: so all of them together take no
// longer to write than the log is long.
const keepEvery = 50_000

// keepSometimes keeps a checkpoint if enough came since the last. One that cannot be
// kept, as on a full disk, is kept later: nothing waits for it.
func (r *Reactor) keepSometimes(ctx context.Context) {
	every := r.Every
	if every == 0 {
		every = max(keepEvery, r.items())
	}
	if r.since >= every {
		r.keep(ctx)
	}
}

// part keeps a checkpoint at the end.
func (r *Reactor) part(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	r.keep(ctx)
}

// keep keeps a checkpoint, unless there is something to be done first.
func (r *Reactor) keep(ctx context.Context) {
	if due, waits := r.waiting.next(); r.Rows == nil || r.torn || r.at == r.kept || waits && due == 0 {
		return
	}
	if err := r.write(ctx); err != nil && !errors.Is(err, eventstore.ErrCondition) {
		r.log().Warn("no checkpoint of the follow-up process was kept", "err", err)
		return
	}
	r.kept, r.since = r.at, 0
}

// write writes the shares, then the head, and takes away what was there before with
// it: should another process have done so meanwhile, its checkpoint stands.
func (r *Reactor) write(ctx context.Context) error {
	h, c := head{of: r.at}, eventstore.Change{}
	state, _ := r.State()
	h.doubtful = uint64(state.Doubtful)
	sum := sha256.New()
	for s := range r.shares {
		text, err := shares.Append(nil, &s)
		if err != nil {
			return err
		}
		key := h.shareKey()
		if err := r.Rows.Write(ctx, eventstore.Change{Put: []eventstore.Row{{Key: key, Value: text}}}); err != nil {
			return err
		}
		c.Present = append(c.Present, key)
		add(sum, text)
		h.shares++
	}

	sum.Sum(h.sum[:0])
	c.Put = []eventstore.Row{{Key: []byte(headRow), Value: h.append(bytes.Clone(checkpointHead))}}
	for row, err := range r.Rows.Scan(ctx, []byte(shareRows)) {
		if err != nil {
			return err
		}
		if !bytes.HasPrefix(row.Key, sharesOf(h.of.position)) {
			c.Delete = append(c.Delete, bytes.Clone(row.Key))
		}
	}
	return r.Rows.Write(ctx, c)
}

// add adds a share to the sum of all.
func add(sum hash.Hash, text []byte) {
	_ = binary.Write(sum, binary.BigEndian, uint64(len(text)))
	sum.Write(text)
}

// shareKey returns the key of the share that comes next.
func (h *head) shareKey() []byte {
	return binary.BigEndian.AppendUint32(sharesOf(h.of.position), h.shares)
}

func sharesOf(at eventstore.Position) []byte {
	return binary.BigEndian.AppendUint64([]byte(shareRows), uint64(at))
}

func (h *head) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(h.of.position))
	b = append(b, h.of.id[:]...)
	b = binary.BigEndian.AppendUint32(b, h.shares)
	b = binary.BigEndian.AppendUint64(b, h.doubtful)
	return append(b, h.sum[:]...)
}

const headLength = 8 + 16 + 4 + 8 + 32

// parseHead reads what append writes, and reports whether it is of this program.
func parseHead(b []byte) (h head, ok bool) {
	b, ok = bytes.CutPrefix(b, checkpointHead)
	if !ok || len(b) != headLength {
		return h, false
	}
	h.of.position = eventstore.Position(binary.BigEndian.Uint64(b))
	h.of.id = eventstore.EventID(b[8:])
	h.shares, h.doubtful = binary.BigEndian.Uint32(b[24:]), binary.BigEndian.Uint64(b[28:])
	copy(h.sum[:], b[36:])
	return h, true
}

// errNone says that a checkpoint is of no use.
var errNone = errors.New("it is none of this program and log")

// resume takes up what the newest checkpoint knows. Another process may put a newer
// one in its place meanwhile.
func (r *Reactor) resume(ctx context.Context) error {
	r.forgetAll()
	if r.Rows == nil {
		return nil
	}

	var text []byte
	var none error
	for {
		now, ok, err := r.Rows.Get(ctx, []byte(headRow))
		if err != nil || !ok {
			return err
		}
		if bytes.Equal(now, text) {
			r.log().Warn("the follow-up process reads the log from its beginning: its checkpoint is of no use",
				"because", none)
			return nil
		}
		text = now
		if err = r.takeUp(ctx, text); !errors.Is(err, errNone) {
			return err
		}
		none = err
		r.forgetAll()
	}
}

// forgetAll begins anew.
func (r *Reactor) forgetAll() {
	r.birthdays, r.apps, r.groups = map[ident.StreamID]birthday{}, map[ident.AppName]*app{}, map[ident.AppName]string{}
	r.waiting = timetable{}
}

func (r *Reactor) takeUp(ctx context.Context, text []byte) error {
	h, ok := parseHead(text)
	if !ok {
		return errNone
	}
	if err := r.stands(ctx, h.of); err != nil {
		return err
	}

	all, err := r.read(ctx, h)
	if err != nil {
		return err
	}

	for _, s := range all {
		if r.apps[s.app] == nil {
			if err := r.readApp(ctx, s.app, h.of.position); err != nil {
				return err
			}
		}
		if err := r.recall(ctx, s); err != nil {
			return err
		}
	}

	for _, a := range r.apps {
		for _, open := range a.streams {
			for _, o := range open {
				r.watch(a, o)
			}
		}
	}

	r.at, r.kept = h.of, h.of
	r.note(func(s *State) { s.Position, s.Doubtful = h.of.position, int(h.doubtful) })
	return nil
}

// stands finds out whether a record is where it was.
func (r *Reactor) stands(ctx context.Context, m mark) error {
	last, err := r.Ledger.Head(ctx)
	if err != nil {
		return err
	}
	if last < m.position {
		return fmt.Errorf("%w: it is of record %d, and the log ends at %d", errNone, m.position, last)
	}

	for entries, err := range r.Ledger.Follow(ctx, m.position-1) {
		if err != nil {
			return err
		}
		if entries[0].Position != m.position || entries[0].ID != m.id {
			return fmt.Errorf("%w: record %d is another one", errNone, m.position)
		}
		return nil
	}
	return ctx.Err()
}

// read reads all shares of a checkpoint.
func (r *Reactor) read(ctx context.Context, h head) (all []*share, err error) {
	sum := sha256.New()
	for row, err := range r.Rows.Scan(ctx, sharesOf(h.of.position)) {
		if err != nil {
			return nil, err
		}
		add(sum, row.Value)
		s, _, err := shares.Read(row.Value)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errNone, err)
		}
		all = append(all, s)
	}

	if uint32(len(all)) != h.shares || !bytes.Equal(sum.Sum(nil), h.sum[:]) {
		return nil, fmt.Errorf("%w: %d shares are not as they were written", errNone, len(all))
	}
	return all, nil
}

// readApp reads what the few streams of an app say, up to a position.
func (r *Reactor) readApp(ctx context.Context, name ident.AppName, until eventstore.Position) error {
	r.app(name)
	for _, own := range []ident.StreamID{ident.ServiceStream(name), ident.CalendarStream(name),
		ident.PolicyStream(name)} {
		for e, err := range r.Ledger.Stream(ctx, own) {
			if err != nil {
				return err
			}
			if e.Position > until {
				break
			}
			r.learnApp(e)
		}
	}
	return nil
}

// A recordPlace says where a record lies.
type recordPlace struct {
	stream   ident.StreamID
	position eventstore.Position
	id       eventstore.EventID
}

func placeIn(e codec.Entry) recordPlace { return recordPlace{e.Stream, e.Position, e.ID} }

func placesIn(list []codec.Entry) (places []recordPlace) {
	for _, e := range list {
		places = append(places, placeIn(e))
	}
	return places
}

// records reads records again.
func (r *Reactor) records(ctx context.Context, places []recordPlace) (list []codec.Entry, err error) {
	for _, p := range places {
		e, err := r.record(ctx, p)
		if err != nil {
			return nil, err
		}
		list = append(list, e)
	}
	return list, nil
}

func (r *Reactor) record(ctx context.Context, p recordPlace) (codec.Entry, error) {
	for e, err := range r.Ledger.Stream(ctx, p.stream) {
		if err != nil {
			return codec.Entry{}, err
		}
		if e.Position == p.position && e.ID == p.id {
			return e, nil
		}
	}
	return codec.Entry{}, fmt.Errorf("%w: record %d is another one", errNone, p.position)
}
