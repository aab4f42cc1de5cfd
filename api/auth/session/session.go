// Package session keeps who is signed in by a browser.
//
// A session is an opaque random id, which its browser alone has, in a cookie. Its row lies
// beside the keys, where every process of a ledger sees it, under the hash of the id: who
// reads the rows is not signed in by them. A row says who signed in and how, and not what
// they may do: that is looked up each time, by the key that was shown or by the groups of
// the identity provider. So a key that is revoked, or a role that is taken away in the file
// of roles, ends what a session may do at once.
//
// Of who signed in at an identity provider the groups are asked for again every [Recheck],
// if it gave a refresh token; if not, the session lasts no longer than its ID token.
//
// A session ends when it was not used for [Idle], at the latest after [Longest] or
// [LongestProvider], when somebody signs out, and when all of a principal's are ended
// ([Sessions.EndAll]). The latter changes a mark of the principal that each session was
// begun under, so that it also ends what another process begins at that moment.
//
// Nothing is remembered between requests: what one process ends, every other one sees with
// the next request. It costs two reads of rows for each page.
//
// A session lets a browser use the pages alone, see [auth.SignedIn]. Nothing else in the
// ledger looks at the cookie.
package session

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"consentledger/api/auth"
	"consentledger/api/auth/limit"
	"consentledger/api/auth/provider"
	"consentledger/api/auth/trail"
	"consentledger/domain/deadline"
	"consentledger/eventstore"
)

// How long a session lasts: without being used, and at the latest. One that was begun at an
// identity provider does not last longer than an hour.
const (
	Idle            = 30 * time.Minute
	Longest         = 8 * time.Hour
	LongestProvider = time.Hour
)

// A Way is how somebody signed in.
type Way string

const (
	ByKey      Way = "key"
	ByProvider Way = "provider"
	BySetup    Way = "setup" // by the link of the first administrator
)

// Ways are all of them.
var Ways = []Way{ByKey, ByProvider, BySetup}

// An Ended says why a session lets nobody in any more.
type Ended string

func (e Ended) Error() string { return "this session has ended (" + string(e) + "): sign in again" }

const (
	None     Ended = "none"    // there is no such session, or it was ended
	WasIdle  Ended = "idle"    // it was not used for long
	WasLong  Ended = "expired" // it lasted as long as one may
	LostRole Ended = "role"    // its key has ended, or its groups have no role any more
)

// A Session is one that lets somebody in.
type Session struct {
	Principal auth.Principal
	Way       Way
	Begun     deadline.Instant
	Ends      deadline.Instant // at the latest
	Setup     bool             // of the first administrator, who has no key of their own yet

	id string
}

// A Config is what Sessions stand on.
type Config struct {
	Rows   eventstore.Rows
	Now    func() deadline.Instant
	Keys   *auth.Keys
	SignIn *provider.SignIn // nil: nobody signs in by a provider
	Secure bool             // browsers reach the ledger by https; if not, on this machine alone
	Shared bool             // all browsers may have one address, as behind a proxy
	Count  Counter
	Trail  *trail.Trail // keeps who signed in and out, and who was refused; nil: nothing is kept
}

// A Counter is told what happens. Nil members are told nothing.
type Counter struct {
	SignedIn  func(Way)
	SignedOut func(How)
	Refused   func(Why)
}

// A How is how sessions were ended by somebody.
type How string

const (
	Here            How = "here"          // by who is signed in, this one
	Everywhere      How = "everywhere"    // by who is signed in, all of theirs
	ByAdministrator How = "administrator" // all of somebody's
)

// Hows are all of them.
var Hows = []How{Here, Everywhere, ByAdministrator}

// Sessions are those of a ledger. Their methods may be called concurrently.
type Sessions struct {
	Config
	each, all *limit.Limit // of attempts to sign in: of one address, of all
}

// New returns the sessions of a ledger.
func New(c Config) *Sessions {
	now := func() time.Time { return c.Now().Time() }
	return &Sessions{
		Config: c,
		each:   limit.New(1.0/3, 20, now, nil),
		all:    limit.New(5, 100, now, nil),
	}
}

// Begin begins a session for who has shown a key, and returns its id. It is another one
// each time, whatever the browser showed before: an id that somebody planted there is
// worth nothing.
func (s *Sessions) Begin(ctx context.Context, key string) (id string, err error) {
	p, err := s.Keys.Authenticate(key)
	if errors.Is(err, auth.ErrAway) {
		s.refused(NotAvailable)
		return "", err
	}
	if err != nil {
		s.refused(WrongKey)
		return "", err
	}
	return s.begin(ctx, stored{Way: ByKey, Principal: p.Pseudonym, Key: p.Key}, eventstore.Change{})
}

// BeginAs begins a session for who came back from the provider. The state of a sign-in
// begins one session: also a provider that takes a code twice begins no other.
func (s *Sessions) BeginAs(ctx context.Context, who provider.Identity, state string) (id string, err error) {
	used := usedRow(stateRows, state, s.Now())
	row := stored{Way: ByProvider, Principal: who.Pseudonym, Issuer: who.Issuer, Groups: who.Groups}
	if who.Refresh == "" { // nobody can ask again: it lasts as long as what the provider said
		row.Ends = s.Now() + deadline.Instant(min(LongestProvider, s.SignIn.Left(who.Principal)).Milliseconds())
	}
	id, err = s.beginRenewed(ctx, row, who.Refresh,
		eventstore.Change{Absent: [][]byte{used.Key}, Put: []eventstore.Row{used}})
	if errors.Is(err, eventstore.ErrCondition) {
		s.refused(WrongState)
		return "", provider.UsedCode
	}
	return id, err
}

// begin writes a session, in one change with what else c has.
func (s *Sessions) begin(ctx context.Context, row stored, c eventstore.Change) (id string, err error) {
	return s.beginRenewed(ctx, row, "", c)
}

// beginRenewed is begin, of a session about whose groups the provider is asked again with
// a refresh token; empty: it gave none.
func (s *Sessions) beginRenewed(
	ctx context.Context, row stored, refresh string, c eventstore.Change,
) (id string, err error) {
	mark, err := s.mark(ctx, row.Principal)
	if err != nil {
		return "", err
	}
	id, now := strings.ToLower(rand.Text()+rand.Text()), s.Now()
	row.Version, row.Mark, row.Begun = rowsVersion, mark, now
	row.Ends = cmp.Or(row.Ends, now+lasts(row.Way))
	if refresh != "" {
		sealed, err := seal(id, refresh)
		if err != nil {
			return "", err
		}
		c.Put = append(c.Put, rowOf(renewalKey(hashOf(id)), renewal{rowsVersion, now, row.Groups, sealed}))
	}

	c.Put = append(c.Put, rowOf(isKey(hashOf(id)), row), rowOf(seenKey(hashOf(id)), moment{rowsVersion, now}))
	if err := s.write(ctx, c); err != nil {
		return "", err
	}

	// Nobody has the id yet: without a trace of it there is no sign-in.
	if s.Trail != nil {
		in := trail.Event{Kind: trail.SignedIn, Principal: row.Principal, Way: string(row.Way)}
		if err := s.Trail.Append(ctx, in); err != nil {
			return "", errors.Join(s.away(err), s.remove(ctx, hashOf(id)))
		}
	}
	s.signedIn(row.Way)
	return id, nil
}

func lasts(w Way) deadline.Instant {
	longest := Longest
	if w == ByProvider {
		longest = LongestProvider
	}
	return deadline.Instant(longest.Milliseconds())
}

// Find returns the session of an id, and notes that it was used now. The error is an
// [Ended], or wraps [auth.ErrAway].
func (s *Sessions) Find(ctx context.Context, id string) (Session, error) {
	return s.find(ctx, id, true)
}

// find is Find. A session that is only looked at is as idle as before.
func (s *Sessions) find(ctx context.Context, id string, used bool) (Session, error) {
	if len(id) != idSize || strings.Trim(id, idLetters) != "" {
		return Session{}, None
	}
	of, err := s.read(ctx, hashOf(id))
	if err != nil {
		return Session{}, err
	}
	row, seen := of.is, of.seen.At
	mark, err := s.mark(ctx, row.Principal)
	if err != nil {
		return Session{}, err
	}

	now := s.Now()
	switch {
	case row.Mark != mark:
		return Session{}, None
	case now >= row.Ends:
		return Session{}, WasLong
	case now >= seen+deadline.Instant(Idle.Milliseconds()):
		return Session{}, WasIdle
	}
	if row.Groups, err = s.renewed(ctx, id, of); err != nil {
		return Session{}, err
	}
	p, err := s.principal(row)
	if errors.Is(err, auth.ErrAway) {
		return Session{}, err
	}
	if err != nil {
		return Session{}, LostRole
	}
	if used {
		if err := s.touch(ctx, hashOf(id), seen, now); err != nil {
			return Session{}, err
		}
	}
	return Session{
		Principal: p, Way: row.Way, Begun: row.Begun, Ends: row.Ends, id: id,
		Setup: row.Key != "" && s.Keys.IsSetup(row.Key),
	}, nil
}

// principal returns who signed in, with what they may do now.
func (s *Sessions) principal(row stored) (auth.Principal, error) {
	if row.Way != ByProvider {
		return s.Keys.Holder(row.Key)
	}
	if s.SignIn == nil || s.SignIn.Issuer != row.Issuer {
		return auth.Principal{}, LostRole
	}
	p, err := s.SignIn.Member(row.Principal, row.Groups)
	p.Bindings = s.Keys.Reach(p.Bindings)
	return p, err
}

// seenEvery is how often it is written down that a session is used.
const seenEvery = time.Minute

// touch writes down that a session was used, if it was not lately. A session that somebody
// ends meanwhile stays ended: its row has to be there.
func (s *Sessions) touch(ctx context.Context, hash string, seen, now deadline.Instant) error {
	if now-seen < deadline.Instant(seenEvery.Milliseconds()) {
		return nil
	}
	err := s.Rows.Write(ctx, eventstore.Change{
		Present: [][]byte{isKey(hash)},
		Put:     []eventstore.Row{rowOf(seenKey(hash), moment{rowsVersion, now})},
	})
	if errors.Is(err, eventstore.ErrCondition) {
		return None
	}
	return s.away(err)
}

// End ends a session, because who is signed in says so.
func (s *Sessions) End(ctx context.Context, one Session) error {
	if err := s.drop(ctx, one.id); err != nil {
		return err
	}
	s.signedOut(ctx, one.Principal.Pseudonym, Here)
	return nil
}

// EndEverywhere ends all sessions of who is signed in, because they say so.
func (s *Sessions) EndEverywhere(ctx context.Context, one Session) error {
	refresh := s.refreshOf(ctx, one.id)
	if _, err := s.EndAll(ctx, one.Principal.Pseudonym, Everywhere); err != nil {
		return err
	}
	s.revoke(ctx, refresh)
	return nil
}

// Replace ends a session in whose place its browser has another one.
func (s *Sessions) Replace(ctx context.Context, id string) error {
	if len(id) != idSize {
		return nil
	}
	return s.drop(ctx, id)
}

// EndAll ends all sessions of a principal, in every process. Other sessions of theirs may
// begin afterwards: who is to stay out loses their key or their role, too. Their refresh
// tokens are gone with the rows; the provider cannot be told, since each is sealed under an id
// that its browser alone has.
func (s *Sessions) EndAll(ctx context.Context, principal string, how How) (ended int, err error) {
	if principal == "" || len(principal) > 64 ||
		strings.Trim(principal, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return 0, errPrincipal
	}

	// The mark is what ends them. Removing the rows only tidies up.
	mark := rowOf(markKey(principal), marked{rowsVersion, rand.Text(), s.Now()})
	if err := s.write(ctx, eventstore.Change{Put: []eventstore.Row{mark}}); err != nil {
		return 0, err
	}
	for hash, row := range s.rows(ctx, &err) {
		if row.is.Principal == principal {
			ended++
			if err := s.remove(ctx, hash); err != nil {
				return ended, err
			}
		}
	}
	if err != nil {
		return ended, err
	}
	s.signedOut(ctx, principal, how)
	return ended, nil
}

var errPrincipal = errors.New("name a principal as records do, as in p-abcdefghijkl: access session list shows who " +
	"is signed in")

// A Listed is what an administrator is told of a session.
type Listed struct {
	Principal string
	Way       Way
	Begun     deadline.Instant
	Seen      deadline.Instant // when it was used, to about a minute
	Ends      deadline.Instant // at the latest
}

// List returns the sessions that let somebody in, the newest first.
func (s *Sessions) List(ctx context.Context) (list []Listed, err error) {
	now := s.Now()
	for _, row := range s.rows(ctx, &err) {
		if !row.ended(now) {
			list = append(list, Listed{row.is.Principal, row.is.Way, row.is.Begun, row.seen.At, row.is.Ends})
		}
	}
	slices.SortFunc(list, func(a, b Listed) int {
		if a.Begun != b.Begun {
			return int(max(-1, min(1, b.Begun-a.Begun)))
		}
		return strings.Compare(a.Principal, b.Principal)
	})
	return list, err
}

// tidyEvery is how often rows are removed of what has ended.
const tidyEvery = 10 * time.Minute

// Run removes rows of what has ended, now and then until ctx is done. It calls failed with
// the error of a round that failed: the next one tries again.
func (s *Sessions) Run(ctx context.Context, failed func(error)) {
	t := time.NewTicker(tidyEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		if err := s.Tidy(ctx); err != nil && ctx.Err() == nil {
			failed(err)
		}
	}
}

// hashOf is what is kept of an id, of a state and of the secret of a link. They have 128
// random bits and more: nobody guesses one however fast each try is.
func hashOf(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// away says that the rows cannot be read or written.
func (s *Sessions) away(err error) error {
	if err == nil || errors.Is(err, eventstore.ErrCondition) {
		return err
	}
	return fmt.Errorf("sessions: %w: %w", auth.ErrAway, err)
}

func (s *Sessions) signedIn(w Way) {
	if s.Count.SignedIn != nil {
		s.Count.SignedIn(w)
	}
}

func (s *Sessions) signedOut(ctx context.Context, principal string, h How) {
	e := trail.Event{Kind: trail.SignedOut, Principal: principal, Why: string(h)}
	if h == ByAdministrator {
		e.By = auth.Recorder(ctx)
	}
	s.Trail.Note(e)
	if s.Count.SignedOut != nil {
		s.Count.SignedOut(h)
	}
}
