package main

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

// A moveMark is what the row says.
type moveMark struct {
	state string
	id    string // of the migration
	to    string // the directory of the target
}

// What a vault is to a migration.
const (
	arriving = "arriving" // its target
	leaving  = "leaving"  // its source
)

const moveVersion = 1

func (m moveMark) row() eventstore.Row {
	text := m.state + " " + m.id + "\n" + strconv.Quote(m.to) + "\n"
	return eventstore.Row{Key: moveKey, Value: append([]byte{moveVersion}, text...)}
}

// readMoveMark returns the row of a vault, and whether there is one.
func readMoveMark(ctx context.Context, rows eventstore.Rows) (m moveMark, is bool, err error) {
	value, is, err := rows.Get(ctx, moveKey)
	if err != nil || !is {
		return m, false, err
	}
	m, err = parseMoveMark(value)
	return m, true, err
}

func parseMoveMark(value []byte) (m moveMark, err error) {
	unknown := errors.New("the vault has a mark of a migration that this program does not know: " +
		"use the version that wrote it, or a newer one")
	if len(value) == 0 || value[0] != moveVersion {
		return m, unknown
	}
	head, to, _ := strings.Cut(string(value[1:]), "\n")
	m.state, m.id, _ = strings.Cut(head, " ")
	if m.state != arriving && m.state != leaving {
		return m, unknown
	}
	if m.to, err = strconv.Unquote(strings.TrimSuffix(to, "\n")); err != nil {
		return m, unknown
	}
	return m, nil
}

// write marks a vault. An empty one is marked before anything else is in it.
func (m moveMark) write(ctx context.Context, rows eventstore.Rows) error {
	return durably(ctx, rows, eventstore.Change{Put: []eventstore.Row{m.row()}})
}

// unmark takes the mark away: from now on processes open the vault.
func unmark(ctx context.Context, rows eventstore.Rows) error {
	return durably(ctx, rows, eventstore.Change{Delete: [][]byte{moveKey}})
}

func durably(ctx context.Context, rows eventstore.Rows, c eventstore.Change) error {
	if err := rows.Write(ctx, c); err != nil {
		return err
	}
	return rows.Sync(ctx)
}

// checkMoved returns an error if a vault is being moved, or was.
func checkMoved(ctx context.Context, rows eventstore.Rows) error {
	m, is, err := readMoveMark(ctx, rows)
	switch {
	case err != nil || !is:
		return err
	case m.state == arriving:
		return fmt.Errorf("it is the target of a migration that is not finished, with the data directory %s: "+
			"run consentledger migrate once more, with the same flags, and it goes on", m.to)
	}
	return fmt.Errorf("its persons were moved to the data directory %s, or are on their way there, "+
		"and the ledger goes on there: as long as nothing was recorded there, consentledger migrate --undo takes it back", m.to)
}

// unmarked are rows without the mark.
type unmarked struct{ eventstore.Rows }

// Scan implements [eventstore.Rows].
func (u unmarked) Scan(ctx context.Context, prefix []byte) iter.Seq2[eventstore.Row, error] {
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
