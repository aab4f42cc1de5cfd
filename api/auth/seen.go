package auth

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"consentledger/eventstore"

	"github.com/go-json-experiment/json"
)

// seenRows hold, by a principal of an identity provider, in which groups they were when
// they came last.
const seenRows = "access-seen/1/"

// How long a row is kept of who does not come any more: longer than a proposal may wait.
// So that it stays of who comes, it is written anew after a day. And how long a process goes
// by what it knows of a row, which another one may have written meanwhile.
const (
	seenStays  = 62 * 24 * time.Hour
	seenEvery  = 24 * time.Hour
	seenTrusts = time.Minute
)

// Seen is in which groups principals of an identity provider were by the newest token of
// theirs that any process has seen: groups that have roles here. Its methods may be called
// concurrently.
type Seen struct {
	Rows eventstore.Rows
	Now  func() time.Time

	mu    sync.Mutex
	known map[string]looked
}

// A seenRow is what a row says.
type seenRow struct {
	Version int      `json:"v"`
	Groups  []string `json:"groups"`
	Issued  int64    `json:"issued"` // when the token was, in seconds
	Written int64    `json:"at"`
}

// A looked is a row as a process knows it.
type looked struct {
	seenRow
	at time.Time // when it was read
}

// Note takes note of the groups that a token names, which was issued at a moment. An older
// token says nothing new, and of whoever never had a role nothing is kept.
func (s *Seen) Note(ctx context.Context, principal string, groups []string, issued time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	groups = slices.Compact(slices.Sorted(slices.Values(groups)))
	now, at := s.Now(), issued.Unix()
	was, known := s.known[principal]
	if known && now.Sub(was.at) < seenTrusts && slices.Equal(was.Groups, groups) {
		return nil
	}

	row, has, err := s.read(ctx, principal)
	if err != nil {
		return err
	}
	fresh := now.Sub(time.Unix(row.Written, 0)) < seenEvery
	switch {
	case !has && len(groups) == 0:
		return nil
	case !has, at >= row.Issued && !(fresh && slices.Equal(row.Groups, groups)):
		row = seenRow{Version: rowsVersion, Groups: groups, Issued: at, Written: now.Unix()}
		change := eventstore.Change{Put: []eventstore.Row{rowTo(seenRows+principal, row)}}
		if err := eventstore.WriteDurably(ctx, s.Rows, change); err != nil {
			return fmt.Errorf("the groups that were seen: %w", err)
		}
	}

	if s.known == nil {
		s.known = map[string]looked{}
	}
	s.known[principal] = looked{row, now}
	return nil
}

// Groups returns the groups of a principal as they were seen last; none: nothing is known.
func (s *Seen) Groups(ctx context.Context, principal string) ([]string, error) {
	row, _, err := s.read(ctx, principal)
	return row.Groups, err
}

func (s *Seen) read(ctx context.Context, principal string) (row seenRow, has bool, err error) {
	text, has, err := s.Rows.Get(ctx, []byte(seenRows+principal))
	if err != nil || !has {
		return row, false, err
	}
	if err := json.Unmarshal(text, &row); err != nil || row.Version != rowsVersion {
		return row, false, fmt.Errorf("the groups that were seen: %w", errRow)
	}
	return row, true, nil
}

// Tidy removes the rows of who has not come for long.
func (s *Seen) Tidy(ctx context.Context) error {
	var old [][]byte
	for row, err := range s.Rows.Scan(ctx, []byte(seenRows)) {
		if err != nil {
			return err
		}
		var is seenRow
		if err := json.Unmarshal(row.Value, &is); err != nil || is.Version != rowsVersion {
			return fmt.Errorf("the groups that were seen: %w", errRow)
		}
		if s.Now().Sub(time.Unix(is.Written, 0)) > seenStays {
			old = append(old, row.Key)
		}
	}
	if len(old) == 0 {
		return nil
	}
	return s.Rows.Write(ctx, eventstore.Change{Delete: old})
}
