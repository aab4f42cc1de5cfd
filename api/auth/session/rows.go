package session

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"consentledger/domain/deadline"
	"consentledger/eventstore"

	"github.com/go-json-experiment/json"
)

// The rows of sessions. Of each session there are two: what it is, which is never changed,
// and when it was used last. One that the provider is asked about again has two more: see
// [renewal].
const (
	rootRow     = "access-sessions/1/"
	sessionRows = rootRow + "session/" // and the hash of the id, and /claim, /is, /renewal or /seen
	markRows    = rootRow + "mark/"    // and a principal: under which mark their sessions are begun
	stateRows   = rootRow + "state/"   // and the hash of a state: a sign-in was finished
	linkRows    = rootRow + "link/"    // and the hash of its secret: a link for the first administrator
	usedRows    = rootRow + "used/"    // and the same: it was used
	rowsVersion = 1
)

// An id has 52 letters, of 260 random bits.
const (
	idSize    = 52
	idLetters = "abcdefghijklmnopqrstuvwxyz234567"
)

// A stored is the row of what a session is.
type stored struct {
	Version   int              `json:"v"`
	Principal string           `json:"principal"`
	Way       Way              `json:"way"`
	Key       string           `json:"key,omitempty"`    // the id of the key that was shown
	Issuer    string           `json:"issuer,omitempty"` // of the provider
	Groups    []string         `json:"groups,omitempty"` // that it told, those that had a role
	Mark      string           `json:"mark,omitempty"`
	Begun     deadline.Instant `json:"begun"`
	Ends      deadline.Instant `json:"ends"`
}

// A moment is the row of when something was.
type moment struct {
	Version int              `json:"v"`
	At      deadline.Instant `json:"at"`
}

// A marked is the row of the mark of a principal.
type marked struct {
	Version int              `json:"v"`
	Mark    string           `json:"mark"`
	At      deadline.Instant `json:"at"`
}

func isKey(hash string) []byte           { return []byte(sessionRows + hash + "/is") }
func seenKey(hash string) []byte         { return []byte(sessionRows + hash + "/seen") }
func markKey(principal string) []byte    { return []byte(markRows + principal) }
func usedKey(rows, secret string) []byte { return []byte(rows + hashOf(secret)) }

// usedRow says that a secret was used.
func usedRow(rows, secret string, at deadline.Instant) eventstore.Row {
	return rowOf(usedKey(rows, secret), moment{rowsVersion, at})
}

func rowOf(key []byte, value any) eventstore.Row {
	b, err := json.Marshal(value, json.Deterministic(true))
	if err != nil {
		panic("session: a row does not make JSON: " + err.Error())
	}
	return eventstore.Row{Key: key, Value: b}
}

var errRow = errors.New("a row is not as this program writes it: use the version that wrote it, or a newer one")

// write makes a change durably.
func (s *Sessions) write(ctx context.Context, c eventstore.Change) error {
	return s.away(eventstore.WriteDurably(ctx, s.Rows, c))
}

func (s *Sessions) remove(ctx context.Context, hash string) error {
	return s.write(ctx, eventstore.Change{Delete: keysOf(hash)})
}

// A pair are the two rows of a session, and those of its renewal, if it has some.
type pair struct {
	is      stored
	seen    moment
	renewal renewal
	claim   moment // somebody asks the provider
}

// ended reports whether it let nobody in any more, by its times.
func (p pair) ended(now deadline.Instant) bool {
	return now >= p.is.Ends || now >= p.seen.At+deadline.Instant(Idle.Milliseconds())
}

// read returns the rows of one session.
func (s *Sessions) read(ctx context.Context, hash string) (of pair, err error) {
	found := false
	for _, row := range s.scan(ctx, sessionRows+hash+"/", &err) {
		of, found = row, true
	}
	if err == nil && !found {
		err = None
	}
	return of, err
}

// rows yields all sessions by their hashes. An error ends it.
func (s *Sessions) rows(ctx context.Context, failed *error) iter.Seq2[string, pair] {
	return s.scan(ctx, sessionRows, failed)
}

// scan yields the sessions whose rows begin with a prefix. Of one that is written or
// removed at this moment there may be one row: it is none.
func (s *Sessions) scan(ctx context.Context, prefix string, failed *error) iter.Seq2[string, pair] {
	return func(yield func(string, pair) bool) {
		var hash string
		var one pair
		for row, err := range s.Rows.Scan(ctx, []byte(prefix)) {
			if err != nil {
				*failed = s.away(err)
				return
			}
			of, kind, _ := strings.Cut(strings.TrimPrefix(string(row.Key), sessionRows), "/")
			if of != hash { // another session begins
				hash, one = of, pair{}
			}
			if !one.take(kind, row.Value) {
				*failed = fmt.Errorf("sessions: %w", errRow)
				return
			}
			if kind == "seen" && one.is.Version != 0 && !yield(hash, one) { // which comes last
				return
			}
		}
	}
}

// take reads one of the rows. It reports whether it is as this program writes it.
func (p *pair) take(kind string, value []byte) bool {
	switch kind {
	case "claim":
		return json.Unmarshal(value, &p.claim) == nil && p.claim.Version == rowsVersion
	case "is":
		return json.Unmarshal(value, &p.is) == nil && p.is.Version == rowsVersion
	case "renewal":
		return json.Unmarshal(value, &p.renewal) == nil && p.renewal.Version == rowsVersion
	case "seen":
		return json.Unmarshal(value, &p.seen) == nil && p.seen.Version == rowsVersion
	}
	return true // of a newer program, which this one need not know
}

// mark returns the mark under which a principal's sessions are begun; empty: they never
// were ended all at once.
func (s *Sessions) mark(ctx context.Context, principal string) (string, error) {
	value, has, err := s.Rows.Get(ctx, markKey(principal))
	if err != nil || !has {
		return "", s.away(err)
	}
	var m marked
	if err := json.Unmarshal(value, &m); err != nil || m.Version != rowsVersion {
		return "", fmt.Errorf("sessions: %w", errRow)
	}
	return m.Mark, nil
}

// Tidy removes the rows of sessions that have ended, and of states and links that are
// long over.
func (s *Sessions) Tidy(ctx context.Context) (err error) {
	now := s.Now()
	var over [][]byte
	for hash, row := range s.rows(ctx, &err) {
		if row.ended(now) {
			over = append(over, keysOf(hash)...)
		}
	}
	if err != nil {
		return err
	}

	day := deadline.Instant((24 * time.Hour).Milliseconds())
	for _, rows := range []string{stateRows, linkRows, usedRows} {
		for row, err := range s.Rows.Scan(ctx, []byte(rows)) {
			if err != nil {
				return s.away(err)
			}
			var m moment // a link has its time under the same name
			if err := json.Unmarshal(row.Value, &m); err != nil {
				return fmt.Errorf("sessions: %w", errRow)
			}
			if now >= m.At+day {
				over = append(over, row.Key)
			}
		}
	}

	if len(over) == 0 {
		return nil
	}
	return s.away(s.Rows.Write(ctx, eventstore.Change{Delete: over}))
}
