package followup

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"iter"
	"time"

	"consentledger/domain"
	"consentledger/domain/ident"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/codec/state"
	"consentledger/eventstore/memory"
)

// A checkpoint is what a Process knew as of a record. It is derived: it can be
// thrown away at any time, and then the log is read from its beginning. Before it is
// used the record is read again, and must be the same.
//
// It is kept when nothing is to be done at once, so that all that followed up to
// there is recorded. What is to be done later follows from what is remembered, and stands
// in no checkpoint, but for when to warn of what is owed. Nothing personal does: a birth date is read again from the
// record that has it, and what was said to a group too.

// memoryVersion is raised when something else is remembered of a fact, or follows
// from one, than before: a checkpoint of another version, of other rules or of
// another shape is none.
const memoryVersion = 3

var shares = state.New[share](state.Types{})

// checkpointHead is what the head of a checkpoint of this program begins with.
var checkpointHead = func() []byte {
	shape, open := shares.Shape(), bundles.Shape()
	return append(append([]byte{memoryVersion, domain.Rules}, shape[:8]...), open[:8]...)
}()

// The rows of checkpoints: one with the head, and one for every share, by the
// position and a number. All numbers are big-endian. What is open has shares of its own:
// they are read only if the rows of the [shelf] are of another record.
const (
	checkpointRows = "r/1"
	headRow        = checkpointRows + "h"
	shareRows      = checkpointRows + "s"
	openShareRows  = checkpointRows + "d"
)

// A head says what a checkpoint is of.
type head struct {
	of       mark
	doubtful uint64 // see [State]
	all      pile   // of what is remembered
	open     pile   // of what is open
}

// A pile is how many shares there are under a prefix, and their sum.
type pile struct {
	shares uint32
	sum    [32]byte
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
func (r *Process) keepSometimes(ctx context.Context) {
	every := r.Every
	if every == 0 {
		every = max(keepEvery, r.items())
	}
	if r.since >= every {
		r.keep(ctx)
	}
}

// part keeps a checkpoint at the end.
func (r *Process) part(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	r.keep(ctx)
}

// keep keeps a checkpoint, unless there is something to be done first.
func (r *Process) keep(ctx context.Context) {
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
func (r *Process) write(ctx context.Context) error {
	h, c := head{of: r.at}, eventstore.Change{}
	state, _ := r.State()
	h.doubtful = uint64(state.Doubtful)
	all := func(yield func(share, error) bool) {
		r.shares(func(s share) bool { return yield(s, nil) })
	}

	var err error
	if h.all, err = r.pile(ctx, shareRows, all, &c); err != nil {
		return err
	}
	if h.open, err = r.pile(ctx, openShareRows, r.openShares(ctx), &c); err != nil {
		return err
	}

	c.Put = []eventstore.Row{{Key: []byte(headRow), Value: h.append(bytes.Clone(checkpointHead))}, r.shelf.asOf(r.at)}
	return r.Rows.Write(ctx, c)
}

// pile writes shares, and adds to a change that they are to be there, and that older
// ones are not.
func (r *Process) pile(
	ctx context.Context, prefix string, list iter.Seq2[share, error], c *eventstore.Change,
) (p pile, err error) {
	sum := sha256.New()
	for s, err := range list {
		if err != nil {
			return p, err
		}
		text, err := shares.Append(nil, &s)
		if err != nil {
			return p, err
		}
		key := binary.BigEndian.AppendUint32(sharesOf(prefix, r.at.position), p.shares)
		if err := r.Rows.Write(ctx, eventstore.Change{Put: []eventstore.Row{{Key: key, Value: text}}}); err != nil {
			return p, err
		}
		c.Present = append(c.Present, key)
		add(sum, text)
		p.shares++
	}
	sum.Sum(p.sum[:0])

	for row, err := range r.Rows.Scan(ctx, []byte(prefix)) {
		if err != nil {
			return p, err
		}
		if !bytes.HasPrefix(row.Key, sharesOf(prefix, r.at.position)) {
			c.Delete = append(c.Delete, bytes.Clone(row.Key))
		}
	}
	return p, nil
}

// add adds a share to the sum of all.
func add(sum hash.Hash, text []byte) {
	_ = binary.Write(sum, binary.BigEndian, uint64(len(text)))
	sum.Write(text)
}

func sharesOf(prefix string, at eventstore.Position) []byte {
	return binary.BigEndian.AppendUint64([]byte(prefix), uint64(at))
}

func (h *head) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(h.of.position))
	b = append(b, h.of.id[:]...)
	b = binary.BigEndian.AppendUint64(b, h.doubtful)
	for _, p := range []pile{h.all, h.open} {
		b = binary.BigEndian.AppendUint32(b, p.shares)
		b = append(b, p.sum[:]...)
	}
	return b
}

const headLength = 8 + 16 + 8 + 2*(4+32)

// parseHead reads what append writes, and reports whether it is of this program.
func parseHead(b []byte) (h head, ok bool) {
	b, ok = bytes.CutPrefix(b, checkpointHead)
	if !ok || len(b) != headLength {
		return h, false
	}
	h.of.position = eventstore.Position(binary.BigEndian.Uint64(b))
	h.of.id = eventstore.EventID(b[8:])
	h.doubtful = binary.BigEndian.Uint64(b[24:])
	for b = b[32:]; len(b) > 0; b = b[4+32:] {
		h.all, h.open = h.open, pile{binary.BigEndian.Uint32(b), [32]byte(b[4:])}
	}
	return h, true
}

// errNone says that a checkpoint is of no use.
var errNone = errors.New("it is none of this program and log")

// resume takes up what the newest checkpoint knows. Another process may put a newer
// one in its place meanwhile.
func (r *Process) resume(ctx context.Context) error {
	r.forgetAll()
	if r.Rows == nil {
		return r.shelf.empty(ctx)
	}

	var text []byte
	var none error
	for {
		now, ok, err := r.Rows.Get(ctx, []byte(headRow))
		if err != nil {
			return err
		}
		if !ok {
			return r.shelf.empty(ctx)
		}
		if bytes.Equal(now, text) {
			r.log().Warn("the follow-up process reads the log from its beginning: its checkpoint is of no use",
				"because", none)
			return r.shelf.empty(ctx)
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
func (r *Process) forgetAll() {
	r.birthdays, r.apps, r.groups = map[ident.StreamID]birthday{}, map[ident.AppName]*app{}, map[ident.AppName]string{}
	r.waiting = timetable{}
	if r.shelf.rows = r.Rows; r.Rows == nil {
		r.shelf.rows = new(memory.Rows)
	}
}

func (r *Process) takeUp(ctx context.Context, text []byte) error {
	h, ok := parseHead(text)
	if !ok {
		return errNone
	}
	if err := r.stands(ctx, h.of); err != nil {
		return err
	}

	// Nothing is taken up before all of it is known to be as it was written.
	there, err := r.shelf.finds(ctx, h.of)
	if err != nil {
		return err
	}
	if err := r.check(ctx, shareRows, h.of, h.all); err != nil {
		return err
	}
	if !there {
		if err := r.check(ctx, openShareRows, h.of, h.open); err != nil {
			return err
		}
	}

	for s, err := range r.read(ctx, shareRows, h.of) {
		if err != nil {
			return err
		}
		if r.apps[s.app] == nil {
			if err := r.readApp(ctx, s.app, h.of.position); err != nil {
				return err
			}
		}
		if err := r.recall(ctx, s); err != nil {
			return err
		}
	}

	if !there {
		if err := r.takeOpen(ctx, h.of); err != nil {
			return err
		}
	}
	r.at, r.kept = h.of, h.of
	r.note(func(s *State) { s.Position, s.Doubtful = h.of.position, int(h.doubtful) })
	return nil
}

// stands finds out whether a record is where it was.
func (r *Process) stands(ctx context.Context, m mark) error {
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

// takeOpen makes the rows of the shelf from a checkpoint. They are of no record until all
// of them are there.
func (r *Process) takeOpen(ctx context.Context, of mark) error {
	if err := r.shelf.empty(ctx); err != nil {
		return err
	}

	r.torn = true
	for s, err := range r.read(ctx, openShareRows, of) {
		if err != nil {
			return err
		}
		if err := r.recallOpen(ctx, s); err != nil {
			return err
		}
	}
	r.torn = false
	return r.shelf.rows.Write(ctx, eventstore.Change{Put: []eventstore.Row{r.shelf.asOf(of)}})
}

// check finds out whether the shares of a checkpoint are as they were written.
func (r *Process) check(ctx context.Context, prefix string, of mark, want pile) error {
	sum, found := sha256.New(), uint32(0)
	for row, err := range r.Rows.Scan(ctx, sharesOf(prefix, of.position)) {
		if err != nil {
			return err
		}
		add(sum, row.Value)
		found++
	}
	if found != want.shares || !bytes.Equal(sum.Sum(nil), want.sum[:]) {
		return fmt.Errorf("%w: %d shares are not as they were written", errNone, found)
	}
	return nil
}

// read yields the shares of a checkpoint.
func (r *Process) read(ctx context.Context, prefix string, of mark) iter.Seq2[*share, error] {
	return func(yield func(*share, error) bool) {
		for row, err := range r.Rows.Scan(ctx, sharesOf(prefix, of.position)) {
			if err != nil {
				yield(nil, err)
				return
			}
			s, _, err := shares.Read(row.Value)
			if err != nil {
				yield(nil, fmt.Errorf("%w: %w", errNone, err))
				return
			}
			if !yield(s, nil) {
				return
			}
		}
	}
}

// readApp reads what the few streams of an app say, up to a position.
func (r *Process) readApp(ctx context.Context, name ident.AppName, until eventstore.Position) error {
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
func (r *Process) records(ctx context.Context, places []recordPlace) (list []codec.Entry, err error) {
	for _, p := range places {
		e, err := r.record(ctx, p)
		if err != nil {
			return nil, err
		}
		list = append(list, e)
	}
	return list, nil
}

func (r *Process) record(ctx context.Context, p recordPlace) (codec.Entry, error) {
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
