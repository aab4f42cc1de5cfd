package session

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"consentledger/api/auth"
	"consentledger/domain/deadline"
	"consentledger/eventstore"

	"github.com/go-json-experiment/json"
)

// LinkLasts is how long the link for the first administrator may be used.
const LinkLasts = 15 * time.Minute

// A BadLink says why a link signs nobody in.
type BadLink string

func (b BadLink) Error() string { return "this link signs nobody in (" + string(b) + ")" }

const (
	UnknownLink BadLink = "unknown" // there never was one, or it is long over
	UsedLink    BadLink = "used"
	OldLink     BadLink = "old" // its time is over, or there is an administrator by now
)

// A link is the row of a link.
type link struct {
	Version int              `json:"v"`
	At      deadline.Instant `json:"at"`  // when it was made
	Key     string           `json:"key"` // the id of the key of the first hour, which it stands for
}

// Link makes a link for who has the key of the first hour, and returns its secret. It
// signs somebody in once, and no longer than the key is good.
func (s *Sessions) Link(ctx context.Context, key auth.Key) (secret string, err error) {
	secret = strings.ToLower(rand.Text() + rand.Text())
	row := rowOf(usedKey(linkRows, secret), link{rowsVersion, s.Now(), key.ID})
	return secret, s.write(ctx, eventstore.Change{Put: []eventstore.Row{row}})
}

// Look returns the error that using a link would return. It changes nothing: mail programs
// and chats open links by themselves, before anybody has clicked.
func (s *Sessions) Look(ctx context.Context, secret string) error {
	_, err := s.link(ctx, secret)
	return err
}

func (s *Sessions) link(ctx context.Context, secret string) (l link, err error) {
	value, has, err := s.Rows.Get(ctx, usedKey(linkRows, secret))
	if err != nil || !has {
		return l, errors.Join(s.away(err), unless(has, UnknownLink))
	}
	if err := json.Unmarshal(value, &l); err != nil || l.Version != rowsVersion {
		return l, fmt.Errorf("sessions: %w", errRow)
	}

	_, used, err := s.Rows.Get(ctx, usedKey(usedRows, secret))
	if err != nil {
		return l, s.away(err)
	}
	if used {
		return l, UsedLink
	}
	if s.Now() >= l.At+deadline.Instant(LinkLasts.Milliseconds()) || s.Keys.HasAdministrator() {
		return l, OldLink
	}

	if _, err := s.Keys.Holder(l.Key); errors.Is(err, auth.ErrAway) {
		return l, err
	} else if err != nil {
		return l, OldLink
	}
	return l, nil
}

func unless(is bool, err error) error {
	if is {
		return nil
	}
	return err
}

// BeginByLink begins a session for who has the link of the first administrator. Of several
// who use it at once one is let in.
func (s *Sessions) BeginByLink(ctx context.Context, secret string) (id string, err error) {
	l, err := s.link(ctx, secret)
	if bad := BadLink(""); errors.As(err, &bad) {
		s.refused(WrongLink)
	}
	if err != nil {
		return "", err
	}
	p, err := s.Keys.Holder(l.Key)
	if err != nil {
		return "", OldLink
	}

	used := usedRow(usedRows, secret, s.Now())
	id, err = s.begin(ctx, stored{Way: BySetup, Principal: p.Pseudonym, Key: l.Key}, eventstore.Change{
		Present: [][]byte{usedKey(linkRows, secret)},
		Absent:  [][]byte{used.Key},
		Put:     []eventstore.Row{used},
	})
	if errors.Is(err, eventstore.ErrCondition) {
		s.refused(WrongLink)
		return "", UsedLink
	}
	return id, err
}
