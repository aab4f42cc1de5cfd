package server

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"

	"consentledger/eventstore"
)

// A vault that several processes share has no FORMAT file that could keep them from
// opening it: each has a directory of its own, and begins with an empty one. So a row
// does, for as long as the vault is the target of a migration that is not finished, or
// the source of one, be it finished or not. Nobody but migrate opens it then.
var moveKey = []byte("m/1")

// A MoveMark is what the row says.
type MoveMark struct {
	State string
	ID    string // of the migration
	To    string // the directory of the target
}

// What a vault is to a migration.
const (
	Arriving = "arriving" // its target
	Leaving  = "leaving"  // its source
)

const moveVersion = 1

func (m MoveMark) Row() eventstore.Row {
	text := m.State + " " + m.ID + "\n" + strconv.Quote(m.To) + "\n"
	return eventstore.Row{Key: moveKey, Value: append([]byte{moveVersion}, text...)}
}

// ReadMoveMark returns the row of a vault, and whether there is one.
func ReadMoveMark(ctx context.Context, rows eventstore.Rows) (m MoveMark, is bool, err error) {
	value, is, err := rows.Get(ctx, moveKey)
	if err != nil || !is {
		return m, false, err
	}
	m, err = ParseMoveMark(value)
	return m, true, err
}

func ParseMoveMark(value []byte) (m MoveMark, err error) {
	unknown := errors.New("the vault has a mark of a migration that this program does not know: " +
		"use the version that wrote it, or a newer one")
	if len(value) == 0 || value[0] != moveVersion {
		return m, unknown
	}

	head, to, _ := strings.Cut(string(value[1:]), "\n")
	m.State, m.ID, _ = strings.Cut(head, " ")
	if m.State != Arriving && m.State != Leaving {
		return m, unknown
	}
	if m.To, err = strconv.Unquote(strings.TrimSuffix(to, "\n")); err != nil {
		return m, unknown
	}
	return m, nil
}

// Write marks a vault. An empty one is marked before anything else is in it.
func (m MoveMark) Write(ctx context.Context, rows eventstore.Rows) error {
	return eventstore.WriteDurably(ctx, rows, eventstore.Change{Put: []eventstore.Row{m.Row()}})
}

// Unmark takes the mark away: from now on processes open the vault.
func Unmark(ctx context.Context, rows eventstore.Rows) error {
	return eventstore.WriteDurably(ctx, rows, eventstore.Change{Delete: [][]byte{moveKey}})
}

// CheckMoved returns an error if a vault is being moved, or was.
func CheckMoved(ctx context.Context, rows eventstore.Rows) error {
	m, is, err := ReadMoveMark(ctx, rows)
	switch {
	case err != nil || !is:
		return err
	case m.State == Arriving:
		return fmt.Errorf("it is the target of a migration that is not finished, with the data directory %s: "+
			"run consentledger migrate once more, with the same flags, and it goes on", m.To)
	}
	return fmt.Errorf("its persons were moved to the data directory %s, or are on their way there, "+
		"and the ledger goes on there: as long as nothing was recorded there, consentledger migrate --undo takes it "+
		"back", m.To)
}

// Unmarked are rows without the mark.
type Unmarked struct{ eventstore.Rows }

// Scan implements [eventstore.Rows].
func (u Unmarked) Scan(ctx context.Context, prefix []byte) iter.Seq2[eventstore.Row, error] {
	return func(yield func(eventstore.Row, error) bool) {
		for row, err := range u.Rows.Scan(ctx, prefix) {
			if err == nil && string(row.Key) == string(moveKey) {
				continue
			}
			if !yield(row, err) {
				return
			}
		}
	}
}
