package session

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"consentledger/api/auth"
	"consentledger/domain/deadline"
	"consentledger/eventstore"
)

// Recheck is how often the provider is asked again for the groups of who signed in there,
// where it gave a refresh token to ask with. If it cannot be asked, what it said last
// holds for RecheckStays, and then nobody can tell.
const (
	Recheck      = 5 * time.Minute
	RecheckStays = 15 * time.Minute
)

// claimStays is how long a process may take to ask. One that took longer has died with
// the refresh token in its hands, and nobody can tell whether that was used.
const claimStays = time.Minute

// A renewal is the row of what the provider is asked again with, and what it said last.
// The refresh token is sealed under the id of the session, which its browser alone has:
// who reads the rows cannot use it.
type renewal struct {
	Version int              `json:"v"`
	At      deadline.Instant `json:"at"`
	Groups  []string         `json:"groups"`
	Sealed  []byte           `json:"sealed"`
}

func renewalKey(hash string) []byte { return []byte(sessionRows + hash + "/renewal") }
func claimKey(hash string) []byte   { return []byte(sessionRows + hash + "/claim") }

// keysOf returns the keys of all rows of a session.
func keysOf(hash string) [][]byte {
	return [][]byte{claimKey(hash), isKey(hash), renewalKey(hash), seenKey(hash)}
}

// renewed returns the groups of a session's principal: those of a renewal that is new
// enough, or those that the provider says now. The error is an [Ended], or wraps
// [auth.ErrAway].
func (s *Sessions) renewed(ctx context.Context, id string, of pair) ([]string, error) {
	if of.renewal.Version == 0 || s.SignIn == nil {
		return of.is.Groups, nil
	}
	now, last := s.Now(), of.renewal
	if now < last.At+deadline.Instant(Recheck.Milliseconds()) {
		return last.Groups, nil
	}

	// One asks: a provider may take a refresh token once.
	hash := hashOf(id)
	err := s.Rows.Write(ctx, eventstore.Change{
		Present: [][]byte{isKey(hash)}, Absent: [][]byte{claimKey(hash)},
		Put: []eventstore.Row{rowOf(claimKey(hash), moment{rowsVersion, now})},
	})
	if errors.Is(err, eventstore.ErrCondition) {
		return s.claimed(ctx, hash, of)
	}
	if err != nil {
		return nil, s.away(err)
	}
	return s.ask(context.WithoutCancel(ctx), id, of) // whoever waits may go away: what was begun is finished
}

// claimed returns the groups of a session about which somebody else asks at this moment.
func (s *Sessions) claimed(ctx context.Context, hash string, of pair) ([]string, error) {
	if since := of.claim.At; since != 0 && s.Now() >= since+deadline.Instant(claimStays.Milliseconds()) {
		return nil, errors.Join(LostRole, s.remove(ctx, hash))
	}
	return of.renewal.Groups, nil
}

// ask asks the provider, and writes down what it says.
func (s *Sessions) ask(ctx context.Context, id string, of pair) ([]string, error) {
	hash, now := hashOf(id), s.Now()
	token, err := unseal(id, of.renewal.Sealed)
	if err != nil {
		return nil, errors.Join(LostRole, s.remove(ctx, hash))
	}
	who, err := s.SignIn.Renew(ctx, token, of.is.Principal)
	if errors.Is(err, auth.ErrAway) {
		if err := s.write(ctx, eventstore.Change{Delete: [][]byte{claimKey(hash)}}); err != nil {
			return nil, err
		}
		if now >= of.renewal.At+deadline.Instant(RecheckStays.Milliseconds()) {
			return nil, err
		}
		return of.renewal.Groups, nil
	}
	if err != nil { // the provider says no, or that somebody has no role any more
		return nil, errors.Join(LostRole, s.remove(ctx, hash))
	}

	sealed, err := seal(id, who.Refresh)
	if err != nil {
		return nil, err
	}
	row := rowOf(renewalKey(hash), renewal{rowsVersion, now, who.Groups, sealed})
	err = s.write(ctx, eventstore.Change{
		Present: [][]byte{isKey(hash)}, Put: []eventstore.Row{row}, Delete: [][]byte{claimKey(hash)},
	})
	if errors.Is(err, eventstore.ErrCondition) { // somebody ended it meanwhile
		s.revoke(ctx, who.Refresh)
		return nil, None
	}
	return who.Groups, err
}

// sealing returns what seals the refresh token of the session of an id.
func sealing(id string) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, []byte(id), nil, "consentledger refresh token", 32)
	if err != nil {
		return nil, fmt.Errorf("a refresh token is not sealed: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("a refresh token is not sealed: %w", err)
	}
	return cipher.NewGCM(block)
}

func seal(id, token string) ([]byte, error) {
	with, err := sealing(id)
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, with.NonceSize())
	rand.Read(nonce)
	return with.Seal(nonce, nonce, []byte(token), nil), nil
}

func unseal(id string, sealed []byte) (string, error) {
	with, err := sealing(id)
	if err != nil || len(sealed) < with.NonceSize() {
		return "", errors.Join(err, errRow)
	}
	token, err := with.Open(nil, sealed[:with.NonceSize()], sealed[with.NonceSize():], nil)
	return string(token), err
}

// drop ends the session of an id, and has the provider take back its refresh token.
func (s *Sessions) drop(ctx context.Context, id string) error {
	refresh := s.refreshOf(ctx, id)
	if err := s.remove(ctx, hashOf(id)); err != nil {
		return err
	}
	s.revoke(ctx, refresh)
	return nil
}

// refreshOf returns the refresh token of the session of an id; empty: it has none, or nobody
// can tell.
func (s *Sessions) refreshOf(ctx context.Context, id string) string {
	of, err := s.read(ctx, hashOf(id))
	if err != nil || of.renewal.Version == 0 {
		return ""
	}
	token, err := unseal(id, of.renewal.Sealed)
	if err != nil {
		return ""
	}
	return token
}

// revoke has the provider take back the refresh token of a session that has ended; empty: it
// has none. Whoever ended it may go away meanwhile.
func (s *Sessions) revoke(ctx context.Context, refresh string) {
	if refresh != "" && s.SignIn != nil {
		s.SignIn.Revoke(context.WithoutCancel(ctx), refresh)
	}
}
