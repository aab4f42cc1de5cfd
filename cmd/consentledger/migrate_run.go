package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"consentledger/api/intake"
	"consentledger/eventstore"
	copying "consentledger/eventstore/migration"
	"consentledger/projections/transparency"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A migration is one call of migrate: what its flags say, and what it has open.
type migration struct {
	from, fromStore string
	to, toStore     string
	dry, undo       bool
	tell            io.Writer // of how far it is

	source, target *side
	use            string // what the source is for: live or demo
	note           migrationNote
	found          survey
}

// A survey is what there is in the source.
type survey struct {
	records int64
	bytes   int64
	last    eventstore.EventID
	roots   *transparency.Roots
	rows    map[string]*rowsFound // by the prefix of their kind
	files   []fileCopy
	unknown []string // entries of the directory
	waiting uint64   // messages in the stream of incoming events
}

type rowsFound struct{ count, bytes int64 }

// run moves the ledger, and returns what was moved; with an error, as far as it is
// known.
func (m *migration) run(ctx context.Context) (report []migrationRow, err error) {
	defer func() { err = errors.Join(err, m.target.close(), m.source.close()) }()
	note, begun, finished, err := m.readTarget()
	switch {
	case err != nil:
		return nil, err
	case finished:
		return nil, m.already(note)
	case !begun:
		note = newMigrationNote(m.from)
	}
	m.note = note
	if err := m.openSource(ctx, note.id); err != nil {
		return nil, err
	}
	if err := m.look(ctx); err != nil {
		return nil, err
	}
	if err := m.room(); err != nil {
		return m.report(), err
	}
	if m.dry {
		return m.report(), m.tryTarget(ctx)
	}

	if err := m.openTarget(ctx); err != nil {
		return nil, err
	}
	if err := m.copy(ctx); err != nil {
		return nil, err
	}
	if err := m.settle(ctx); err != nil {
		return nil, err
	}
	fmt.Fprintf(m.tell, "%s\n", m.next())
	return m.report(), nil
}

// already says that there is nothing to do.
func (m *migration) already(note migrationNote) error {
	_, away, err := readFormat(m.from)
	if err == nil && away.id == note.id {
		return conflicting{fmt.Errorf("%s was moved to %s already: start the ledger there", m.from, m.to)}
	}
	return usageError{fmt.Errorf("--to: %s is a data directory already, that of a migration from %s: name a new one", m.to, note.source)}
}

// A conflicting error says that what was asked for contradicts what is there.
type conflicting struct{ error }

func (conflicting) exitCode() int { return exitConflict }

// look reads the source once, to its end, and finds all that stands in the way before
// anything is copied.
func (m *migration) look(ctx context.Context) error {
	s := &m.found
	register, err := transparency.OpenRegister(ctx, m.source.rows)
	if err != nil {
		return err
	}
	keep, err := transparency.ReadKeep(keepDir(m.from), register)
	if err != nil {
		return err
	}
	if s.roots, err = keep.Roots(); err != nil {
		return err
	}

	fmt.Fprintf(m.tell, "reading %s\n", m.from)
	for r, err := range m.source.store.ReadAll(ctx, 0) {
		if err == nil {
			err = copying.Check(r)
		}
		if err == nil {
			err = s.roots.Add(r)
		}
		if err != nil {
			return fmt.Errorf("the source, behind record %d: %w", s.records, err)
		}
		s.records, s.bytes, s.last = s.records+1, s.bytes+int64(len(r.Data)), r.ID
	}
	if err := s.roots.Done(); err != nil {
		return fmt.Errorf("the source: %w", err)
	}
	if s.records == 0 {
		return errors.New("the source holds no record: there is nothing to move, start a new ledger instead")
	}
	if err := m.lookAtRows(ctx); err != nil {
		return err
	}
	s.files, s.unknown, err = filesOf(m.from)
	return err
}

func (m *migration) lookAtRows(ctx context.Context) (err error) {
	s := &m.found
	s.rows = map[string]*rowsFound{}
	for row, err := range m.source.rows.Scan(ctx, nil) {
		if err != nil {
			return fmt.Errorf("the source: %w", err)
		}
		kind, err := kindOfRow(row.Key)
		if err != nil {
			return err
		}
		if s.rows[kind.prefix] == nil {
			s.rows[kind.prefix] = new(rowsFound)
		}
		s.rows[kind.prefix].count++
		s.rows[kind.prefix].bytes += int64(len(row.Key) + len(row.Value))
	}
	s.waiting, err = intake.Untaken(ctx, m.source.rows)
	return err
}

// tryTarget returns what stands in the way in the target, without making its directory.
func (m *migration) tryTarget(ctx context.Context) error {
	if m.toStore == "" {
		return nil
	}
	s, err := engineOf(m.toStore).open(ctx, m.toStore, eventstore.Mark{})
	if err != nil {
		return err
	}
	defer s.Close()
	_, begun, _, err := m.readTarget()
	if err != nil {
		return err
	}
	m.target = &side{path: m.to, store: s}
	return m.isOurs(ctx, begun)
}

// copy copies everything, and verifies it.
func (m *migration) copy(ctx context.Context) error {
	s, told := &m.found, progress(m.tell)
	fmt.Fprintf(m.tell, "copying %d records\n", s.records)
	began, there := time.Now(), int64(-1)
	err := copying.Records(ctx, m.source.store, m.target.store, func(n int64) {
		if there < 0 {
			began, there = time.Now(), n // what an earlier run has copied
		}
		told(n, s.records)
	})
	if err != nil {
		return err
	}
	took := time.Since(began)
	fmt.Fprintf(m.tell, "copied %d records in %s, %.0f/s\n", s.records-there, took.Round(time.Millisecond), float64(s.records-there)/took.Seconds())

	fmt.Fprintf(m.tell, "copying rows and files\n")
	if _, err := copying.Rows(ctx, m.source.rows, m.target.rows, isCopied, func(int64) {}); err != nil {
		return err
	}
	if err := copyFiles(m.from, m.to, s.files); err != nil {
		return err
	}
	return m.verify(ctx)
}

// verify reads back what was copied, and holds it against the source and against what
// was signed. It writes what depends on the positions that the records have now.
func (m *migration) verify(ctx context.Context) error {
	s, told := &m.found, progress(m.tell)
	fmt.Fprintf(m.tell, "verifying %d records\n", s.records)
	register, err := transparency.OpenRegister(ctx, m.source.rows)
	if err != nil {
		return err
	}
	keep, err := transparency.ReadKeep(keepDir(m.from), register)
	if err != nil {
		return err
	}
	roots, err := keep.Roots()
	if err != nil {
		return err
	}

	before, err := m.before(ctx)
	if err != nil {
		return err
	}
	n, last := int64(0), eventstore.Mark{}
	for p, err := range copying.Compare(ctx, m.source.store, m.target.store) {
		last = eventstore.Mark{Position: p.Is.Position, ID: p.Is.ID}
		if err == nil {
			p.Is.Position += before
			err = roots.Add(p.Is)
		}
		if err != nil {
			return fmt.Errorf("the copy is not what it should be: %w", err)
		}
		n++
		told(n, s.records)
	}
	if err := roots.Done(); err != nil {
		return fmt.Errorf("the copy is not what it should be: %w", err)
	}
	if n != s.records || last.ID != s.last {
		return fmt.Errorf("the copy is not what it should be: it has %d records, and the source has %d", n, s.records)
	}
	if err := copying.SameRows(ctx, m.source.rows, m.target.rows, isCopied); err != nil {
		return fmt.Errorf("the copy is not what it should be: %w", err)
	}
	if err := roots.WriteTo(keepDir(m.to)); err != nil {
		return err
	}

	var c eventstore.Change
	if m.toStore != "" {
		c.Put = append(c.Put, markRow(seenKey, last))
	}
	if before > 0 {
		c.Put = append(c.Put, beforeRow(before))
	}
	if err := m.target.rows.Write(ctx, c); err != nil {
		return err
	}
	return m.target.rows.Sync(ctx)
}

// before returns up to where positions are of the source: zero if the target's are the
// same, as those of directories and of PostgreSQL are. Else what clients and NATS
// streams remember of the source would be other places in the target.
func (m *migration) before(ctx context.Context) (last eventstore.Position, err error) {
	same := true
	for p, err := range copying.Compare(ctx, m.source.store, m.target.store) {
		if err != nil {
			return 0, fmt.Errorf("the copy is not what it should be: %w", err)
		}
		same = same && p.Was.Position == p.Is.Position
		last = p.Was.Position
	}
	if same {
		return 0, nil
	}
	return last, nil
}

// settle gives the source up, and makes the target a data directory. From the first of
// both on, the target alone can go on.
func (m *migration) settle(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err // from here on it is not interrupted
	}
	m.note.records, m.note.last = m.found.records, m.found.last
	if err := m.note.write(m.to); err != nil {
		return err
	}
	if err := (moved{m.use, m.note.id, m.to}).write(m.from); err != nil {
		return err
	}
	return writeFormat(vfs.Default, m.to, m.use)
}

// next says what is to be done now.
func (m *migration) next() string {
	store := ""
	if m.toStore != "" {
		store = ", with --store or " + storeVariable + " as you gave it here"
	}
	return fmt.Sprintf(`moved: all records give the roots that were signed
start the ledger with serve --data %s%s
%s is given up, and not changed otherwise: it still holds every person's data and the keys.
Keep it until the ledger goes on well, then destroy it: who is erased from now on stays in it.`, m.to, store, m.from)
}

// room returns an error if the disk of the target has too little room.
func (m *migration) room() error {
	if err := roomFor(m.to, m.bytes()); err != nil {
		return fullDisk(m.to, err)
	}
	return nil
}
