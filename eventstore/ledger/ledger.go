// Package ledger is the store as everything above it sees it: persons, apps
// and policies, not bytes. One request moves one stream by one append, but for a
// link: it is recorded in the other person's history first, then in one's own.
//
// For 30 days a tombstone refuses what is older than the erasure of who had an
// outside id, and a row of theirs what is older than the end of who was not
// erased. After that nothing that comes late joins a history that began later,
// and an import must say by whose list of erased persons it was filtered, see
// [domain.Subject.Predates]. But for an opt-out: it begins a history, or joins that of
// whoever has the id now, as of the moment in which it comes. The ledger cannot
// tell an opt-out of the earlier person that comes late, or twice, from one of the
// next person whose clock is slow; and an opt-out that is refused would not stand in
// the way of the grant that was said before it and comes after it. So somebody
// who was erased may have a history again that holds this one opt-out: it says that
// nothing may be done, leads to nothing that was erased, and is erased like any
// other. Who wants none of it stops sending before they erase.
//
// Every accepted request is answered by a fact that is on disk. Nearly always it
// is one of its own; a machine's signal that says nothing new (see
// [policy.Signals]), a link that is open already, and what is published already leave
// none. The receipt of the first two is that of the fact that said it, so nothing acknowledged can be lost, and
// asking again gives the same receipt for as long as that fact is no mistake.
//
// # Erasing in two stages
//
// Where a law asks for proof of consent (see [domain.KeptProof]), the write that deletes a
// person puts a proof in their place, sealed under a key of its own. It is the least that
// shows to somebody who has the log that this person agreed, refused or withdrew: what ties
// the stream to the outside id by which they were known, and what they themselves said with
// each answer, each with the key of its commitment. Purposes, versions and times stand in
// the records, in the clear. Nothing else of the person is kept: no birth date, no request,
// no access, and not their data key, so that the keyed hashes of requests stay noise.
//
// The proof is made of what is there when the rows are deleted: whoever finishes an erasure
// that broke off makes the same one. It is opened by [Ledger.OpenProof] alone, by a record
// of two who decided it. [Ledger.DestroyDue] destroys it when its last day is over: like an
// erasure it is noted, recorded, done, and recorded as done, so that a process that dies in
// between is finished by another.
package ledger

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"sync/atomic"
	"time"

	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/domain/refusal"
	"consentledger/eventstore"
	"consentledger/eventstore/blobs"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/tracing"
	"consentledger/eventstore/vault"
)

// A Request is one app's wish to record something. The same (app, source,
// person, ID) is the same wish, however often it arrives.
type Request struct {
	App    ident.AppName
	Person ident.PersonKey // zero for what is not about a person
	Stream ident.StreamID  // of what is said about a stream by its id, see [Ledger.ExecuteOn]; else zero
	Other  ident.PersonKey // of a link, or the guardian; zero: nobody
	Proof  ProofOf         // of what is decided on a proof, see [Ledger.DecideOnProof]; else zero
	Source string          // who sent it, in the sender's words
	ID     string          // the sender's name for it; never empty
	Body   []byte          // what is asked, canonical: the same ID with another Body is a conflict

	At       deadline.Instant // when it happened, as the source says; zero: it does not say
	Sequence uint64           // the source's own number; zero: none
	Unread   Unread           // of an opt-out: what of it was not understood, and stood in nobody's way

	Raw    Name // what Source and ID are if the app's senders escape nothing; zero: the same
	Former Name // what they were to earlier programs; zero: the same

	Actor      string // person, guardian, operator, system or authority
	RecordedBy string // the authenticated principal, or unauthenticated
	OnBehalfOf string
	FromApp    bool // it came to an endpoint for apps

	// Traceparent says in which trace the event was made, in the form of W3C Trace
	// Context, or is a text that says nothing; empty: the event has none. It is not
	// recorded, and two requests that differ in it alone are the same.
	Traceparent string

	// ApprovedBy is another authenticated principal than RecordedBy, who approved the whole
	// of which this is a part, as an erasure of many; see [Ledger.AskTwo]. Empty: nobody did.
	// It is never what a sender says.
	ApprovedBy string

	Signed  *Signature // nil: not signed
	Group   []byte     // what other apps are to be told too, see [GroupRole]; nil: nothing
	Command domain.Command

	overtaken bool // an opt-out from before the person's history began

	approved *approval     // nil: nobody approved it
	sealed   []codec.Plain // what is sealed beside it, of a request about the app
}

// A Name is how a sender names an event.
type Name struct{ Source, ID string }

// Unread is what of an opt-out was not understood. The opt-out is taken without
// it.
type Unread struct {
	Names  string // of its members, with commas; in the clear. Empty: all was understood
	Claims []byte // what they said, kept sealed
}

// times returns the time that the request's facts carry, and what was claimed
// if it is another; see [domain.Clamp].
func (r Request) times(recorded deadline.Instant) (at, claimed deadline.Instant) {
	if r.overtaken {
		return recorded, r.At
	}
	return domain.Clamp(r.Command, r.At, recorded)
}

// A Signature is a signer's over what was sent, as it was sent.
type Signature struct {
	Signer    string
	Signature [64]byte
	Original  []byte
}

// A Receipt says where the answer to a request stands. It is the same for
// ever, however often the request is made.
type Receipt struct {
	Event    eventstore.EventID // the first of the facts
	Position eventstore.Position
	Stream   ident.StreamID // of a request, an incident or obligations; else zero
	Unknown  string         // names in an opt-out that no policy declares, with commas; it holds for the others

	// Near are the near misses of the person's outside id, with commas: each its
	// kind and in what it differs, with spaces. They are as they are when the
	// answer is given: see [Ledger.Near].
	Near string

	NotUnderstood string // of an opt-out, see [Unread]

	Person ident.PersonKey // whom the request was taken to be about; zero: nobody
	ID     string          // what it was taken to be called

	Counts Counting // of a consent
	// of a consent that does not count for all it names, as in
	// "face=separate-consent-missing,ads=opt-out-stands"
	Short   string
	Rests   string // of an opt-out: what goes on, and what it rests on, as in "tax=legal-duty"
	Repeats bool   // nothing new, as of a machine's signal or a link: the receipt is of the record that said it
}

// Counting says whether a consent counts for all that it names.
type Counting uint8

const (
	NotSaid Counting = iota // it is no consent, or from before facts said so
	CountsForAll
	CountsPartly // [Receipt.Short] says for what not, and why
	CountsNot
)

func (c Counting) String() string { return [...]string{"", "yes", "partly", "no"}[c] }

// A Ledger decides requests and remembers the answers. Its methods may be
// called concurrently.
type Ledger struct {
	store  eventstore.Store
	joint  eventstore.Joint // the store, if the vault lies in its database; else nil
	vault  *vault.Vault
	append vault.Append // to store, with what vault keeps
	blobs  *blobs.Blobs // nil: nobody looks whether what is published is kept
	now    func() deadline.Instant

	newest atomic.Int64 // the newest Recorded that was given out
	seed   maphash.Seed
	locks  [1 << 14]atomic.Pointer[chan struct{}] // one person's requests take turns, see lock

	folds *folds
	feed  *feed
	fresh freshness
	due   due
	known knownAt

	needsTwo func(app ident.AppName, kind string) bool // nil: nothing does; see AskTwo
	stillMay func(ctx context.Context, app ident.AppName, by [2]string) error

	rehearses bool // nothing that it records is kept, see [Ledger.Rehearse]

	traces *tracing.Traces
	meter  *Meter
}

// A Config is what a Ledger stands on.
type Config struct {
	Store eventstore.Store
	Vault *vault.Vault
	Rows  eventstore.Rows // beside the store, where marks in the log are kept; nil: they are made anew by every process
	Now   func() deadline.Instant

	// Shared says that other processes write to Store too, or ledgers of this one.
	// Vault's rows are theirs too then.
	Shared bool

	Blobs *blobs.Blobs // where the documents and texts of policies are kept; nil: nobody looks whether they are

	// Memory is about how many bytes of folds to keep in memory, an eighth of them
	// of obligations; zero: 128 MB.
	Memory int

	Traces *tracing.Traces // nil: nothing is traced
	Meter  *Meter          // nil: nothing is measured
}

// Open returns a ledger kept in c.Store.
func Open(ctx context.Context, c Config) (*Ledger, error) {
	if c.Memory == 0 {
		c.Memory = defaultMemory
	}

	l := &Ledger{store: c.Store, vault: c.Vault, joint: c.Vault.Joint(c.Store), append: c.Vault.Appending(c.Store),
		blobs: c.Blobs, now: c.Now, seed: maphash.MakeSeed()}
	l.known.rows, l.traces, l.meter = c.Rows, c.Traces, c.Meter
	head, err := c.Store.Head(ctx)
	if err != nil {
		return nil, err
	}

	l.folds = newFolds(c.Memory, c.Store, head)
	l.folds.shared = c.Shared
	l.folds.last.Aged = l.due.age
	l.feed = l.folds.feed
	l.feed.hears = func(recorded deadline.Instant) { l.newer(recorded) } // what comes next is recorded after it
	l.fresh = freshness{shared: c.Shared, store: c.Store, feed: l.feed}
	l.feed.traces = c.Traces
	if head == 0 {
		return l, nil
	}

	for r, err := range c.Store.ReadAll(ctx, head-1) {
		if err != nil {
			return nil, err
		}
		e, err := codec.Decode(r)
		if err != nil {
			return nil, err
		}
		l.newest.Store(int64(e.Recorded))
	}
	return l, nil
}

// tries bounds how often Execute reads again after losing a race.
const tries = 5

// Execute decides req and appends what was decided. Asked twice, it answers
// twice and appends once. A refusal is a [refusal.Refusal]; after any other
// error the outcome is unknown and the caller asks again.
func (l *Ledger) Execute(ctx context.Context, req Request) (Receipt, error) {
	if err := l.fresh.now(ctx); err != nil {
		return Receipt{}, err
	}

	req, err := l.asMeant(ctx, req)
	if err != nil {
		return Receipt{}, err
	}

	receipt, err := l.execute(ctx, req)
	if isUnsigned(err) && domain.IsOptOut(req.Command) && req.Signed != nil {
		receipt, err = l.execute(ctx, req.unsigned())
	}
	if isUnpromised(err) && domain.IsOptOut(req.Command) && req.policy() != "" {
		receipt, err = l.execute(ctx, req.anyPolicy())
	}
	if err == nil {
		receipt.Person, receipt.ID = req.Person, req.ID
	}
	return receipt, err
}

// asMeant returns the request by the name that its app's senders give it.
func (l *Ledger) asMeant(ctx context.Context, req Request) (Request, error) {
	if req.Raw == (Name{}) {
		return req, nil
	}
	ref, err := l.reference(ctx, req.App)
	if err == nil && ref.Service.App.Escapes == domain.RawEscapes {
		req.Source, req.ID = req.Raw.Source, req.Raw.ID
	}
	return req, err
}

func (l *Ledger) execute(ctx context.Context, req Request) (Receipt, error) {
	if req.Stream != (ident.StreamID{}) {
		return l.ExecuteOn(ctx, req.Stream, req)
	}
	return l.race(ctx, req.App, func() (Receipt, error) { return l.try(ctx, req) })
}

// race calls try again as long as somebody else wrote first.
func (l *Ledger) race(ctx context.Context, app ident.AppName, try func() (Receipt, error)) (Receipt, error) {
	for range tries {
		receipt, err := try()
		if _, lost := errors.AsType[*eventstore.ConflictError](err); !lost {
			return receipt, err
		}
		if err := l.fresh.now(ctx); err != nil {
			return Receipt{}, err
		}
	}
	return Receipt{}, fmt.Errorf("app %s: lost %d races on one stream", app, tries)
}

// A key names requests and facts, and commits to personal parts: the data key
// of a person, or of the app for streams that belong to no person.
type key interface {
	codec.Committer
	RequestID(source, id string) [16]byte
	Digest(body []byte) [16]byte
	Source(source string) [8]byte
	EventID(request [16]byte, index int) eventstore.EventID
}

func (l *Ledger) try(ctx context.Context, req Request) (Receipt, error) {
	if stream, own := appStream(req); own {
		return l.executeApp(ctx, req, stream)
	}
	if _, asks := req.Command.(domain.OpenRequest); asks {
		return l.openRequest(ctx, req)
	}
	return l.executePerson(ctx, req)
}

// appStream returns the stream of an app that a request is recorded in, if it is
// not about a person. What opens a stream says no id: see [caseStream].
func appStream(req Request) (ident.StreamID, bool) {
	switch cmd := req.Command.(type) {
	case domain.RegisterApp:
		return ident.ServiceStream(req.App), true
	case domain.PublishPolicy:
		return ident.PolicyStream(req.App), true
	case domain.PublishSurface:
		return ident.SurfaceStream(req.App), true
	case domain.PublishCalendar:
		return ident.CalendarStream(req.App), true
	case domain.TakeStep:
		return ident.IncidentStream(req.App, ""), true
	case domain.OpenRequest:
		return ident.RequestStream(req.App, ""), req.Person == (ident.PersonKey{})
	case domain.Say:
		if _, policy := cmd.Event.(domain.PolicyEffective); policy {
			return ident.PolicyStream(req.App), true
		}
		return ident.ServiceStream(req.App), req.Person == (ident.PersonKey{})
	}
	return ident.StreamID{}, false
}

// executeApp executes what is not about a person, under the app's key.
func (l *Ledger) executeApp(ctx context.Context, req Request, stream ident.StreamID) (Receipt, error) {
	ref, err := l.lookUp(ctx, req)
	if err != nil {
		return Receipt{}, err
	}
	k, err := l.vault.AppKey(ctx, string(req.App))
	if err != nil {
		return Receipt{}, err
	}
	if isCase(stream.Noun) {
		stream = caseStream(stream.Noun, req, k)
	}
	return l.settle(ctx, resolved{Request: req, ref: ref, stream: stream, key: k})
}

// commit is the end of every request: the answer given before, or a decision
// and its facts. What the vault keeps of them comes with the append, or before
// it: an orphan there is harmless, a record whose part is missing is not. The
// append is the commit point.
func (l *Ledger) commit(ctx context.Context, r resolved, f *fold, extra []codec.Plain,
	decide func(deadline.Instant) ([]domain.Event, error)) (Receipt, error) {
	req, stream, k := r.Request, r.stream, r.key
	id, digest := k.RequestID(req.Source, req.ID), k.Digest(req.Body)

	// Whoever sends a request again gets the answer that they missed.
	before, answered, err := l.answer(ctx, stream, f, id)
	if err != nil {
		return Receipt{}, err
	}
	if answered && before.digest != digest {
		return Receipt{}, refusal.Refusal{Code: refusal.IDReused,
			Text: "this source has used this id for something else; give every event an id of its own"}
	}
	if answered {
		return before.receipt, nil
	}
	if before, ok, err := l.formerly(ctx, r, f, digest); ok || err != nil {
		return before, err
	}

	// No fact is an answer, too: nothing has changed.
	a, err := l.adds(ctx, r, f, extra, decide)
	if err != nil || a == nil {
		return Receipt{Position: f.position}, err
	}

	receipts, err := l.appendAll(ctx, r.key, stream, f, []*addition{a})
	if err != nil {
		return Receipt{}, err
	}
	return receipts[0], nil
}

// An addition is what a request adds to its stream: it is decided, and not appended yet.
type addition struct {
	ctx     context.Context // of the request, which has its trace
	app     ident.AppName
	first   codec.Entry // of the facts
	records []eventstore.Record
	parts   []part
	next    *fold // of the stream, with these records; its position is not known yet
}

// adds returns what a request adds to its stream, as far as that is folded; nil: nothing. The
// time at which it is recorded is given out before the decision: what another history says
// meanwhile, as an opt-out on a device that is linked, is then recorded no earlier.
func (l *Ledger) adds(ctx context.Context, r resolved, f *fold, extra []codec.Plain,
	decide func(deadline.Instant) ([]domain.Event, error)) (*addition, error) {
	req, k := r.Request, r.key
	recorded := l.stamp(f.recorded)
	events, err := l.decided(ctx, recorded, decide)
	if err != nil || len(events) == 0 {
		return nil, err
	}

	at, claimed := req.times(recorded)
	env := codec.Envelope{
		Stream: r.stream, At: at, Recorded: recorded, Claimed: claimed,
		Actor: req.Actor, RecordedBy: req.RecordedBy, OnBehalfOf: req.OnBehalfOf,
		Request: codec.Request{ID: k.RequestID(req.Source, req.ID), Digest: k.Digest(req.Body),
			Source: k.Source(req.Source), Sequence: req.Sequence},
		NotUnderstood: req.Unread.Names,
	}
	said := facts(env, k, events)
	if r.stream.Noun == ident.SubjectNoun {
		said = l.owing(said, f.subject, r.ref)
	}

	a := &addition{ctx: ctx, app: req.App}
	if a.records, a.parts, err = l.encode(ctx, said, k, extra); err != nil {
		return nil, err
	}
	a.first = said[0]
	a.next, err = grown(r.stream, a.records, f)
	return a, err
}

// appendAll appends what requests add to one stream behind a fold, in their order and by
// one write, and returns their receipts.
func (l *Ledger) appendAll(
	ctx context.Context, k key, stream ident.StreamID, behind *fold, all []*addition,
) ([]Receipt, error) {
	var parts []part
	for _, a := range all {
		parts = append(parts, a.parts...)
	}

	p, _ := k.(*vault.Person)
	draft, err := l.draft(ctx, all[0].app, p, parts)
	if err != nil {
		return nil, err
	}
	newest := all[len(all)-1].next
	if err := l.beside(&draft, p, stream, behind, newest); err != nil {
		return nil, err
	}
	last, err := l.write(ctx, draft, eventstore.Stream(stream.String()), behind.revision, all)
	if err != nil {
		l.folds.forget(stream) // who knows what is there now
		return nil, err
	}

	receipts := make([]Receipt, len(all))
	for i, a := range all {
		at := last
		if i+1 < len(all) {
			if at, err = l.placeOf(ctx, stream, a.next.revision); err != nil {
				l.folds.forget(stream)
				return nil, err // they are there, and whoever asks again gets the receipts
			}
		}
		a.next.position = at
		receipts[i] = receiptOf(a.first.Envelope, at, a.first.Event)
		l.folds.put(stream, a.next, at)
	}
	l.due.add(stream, newest, interval(newest.revision))
	return receipts, nil
}

// formerly returns the answer that an earlier program gave to a request, which
// knew it by another name. An opt-out is recorded once more: that is harmless, and
// to take one for another is not.
func (l *Ledger) formerly(ctx context.Context, r resolved, f *fold, digest [16]byte) (Receipt, bool, error) {
	if r.Former == (Name{}) || domain.TakesAway(r.Command) {
		return Receipt{}, false, nil
	}
	before, ok, err := l.answer(ctx, r.stream, f, r.key.RequestID(r.Former.Source, r.Former.ID))
	if err != nil || !ok || before.digest != digest {
		return Receipt{}, false, err
	}
	return before.receipt, true, nil
}

// grown returns the fold with what is about to be appended, so that the next request of
// the stream need not read it. Only its position is not known yet. It folds what
// everybody will read of the records: nothing personal, and events that all share who
// said the same.
func grown(stream ident.StreamID, records []eventstore.Record, f *fold) (*fold, error) {
	next, own := f.next()
	for i, r := range records {
		e, err := codec.Decode(eventstore.Recorded{
			Record: r, Stream: eventstore.Stream(stream.String()), Revision: f.revision + eventstore.Revision(i) + 1,
		})
		if err != nil {
			return nil, err // nothing is appended that nobody could read
		}
		next.add(e, own)
	}
	return next, nil
}

// Now returns the time at which everything that was recorded counts: now, but
// never before the newest Recorded that was given out. Within a stream these
// run ahead of the clock when requests come fast, and the clock may be set
// back; an opt-out must not wait for either.
func (l *Ledger) Now() deadline.Instant { return max(l.now(), deadline.Instant(l.newest.Load())) }

// stamp returns a time to record at: now, but never before the newest that was
// given out, and later than the stream's last record, so that within a stream
// the order of times is the order of records.
func (l *Ledger) stamp(last deadline.Instant) deadline.Instant {
	return l.newer(l.next(last))
}

// next is the time that stamp would give out.
func (l *Ledger) next(last deadline.Instant) deadline.Instant { return max(l.Now(), last+1) }

// newer returns a time, or the newest that was given out if that is later, and gives
// it out.
func (l *Ledger) newer(t deadline.Instant) deadline.Instant {
	for {
		newest := deadline.Instant(l.newest.Load())
		t = max(t, newest)
		if l.newest.CompareAndSwap(int64(newest), int64(t)) {
			return t
		}
	}
}

// lockPatience is how long a request waits for the others of its stream whose caller
// gave no deadline. While a part of the ledger is away each of them may take long, and
// nobody waits for all of them.
const lockPatience = 30 * time.Second

var errOthers = errors.New("other requests about the same wait for a part of the ledger that does not answer")

// lock has the requests of a stream take turns. A request waits for its turn no longer
// than its caller does.
func (l *Ledger) lock(ctx context.Context, stream ident.StreamID) (unlock func(), err error) {
	at := &l.locks[maphash.String(l.seed, stream.ID)%uint64(len(l.locks))]
	m := at.Load()
	if m == nil {
		fresh := make(chan struct{}, 1)
		at.CompareAndSwap(nil, &fresh) // another request may have been faster
		m = at.Load()
	}
	unlock = func() { <-*m }
	select {
	case *m <- struct{}{}:
		return unlock, nil
	default:
	}

	if _, has := ctx.Deadline(); !has {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, lockPatience, errOthers)
		defer cancel()
	}
	select {
	case *m <- struct{}{}:
		return unlock, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}
