// Package migrate moves a ledger to another data directory or event store, with its order
// and its proofs.
package migrate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/progress"
	"consentledger/cmd/internal/server"
	"consentledger/eventstore"
	copying "consentledger/eventstore/migration"
	"consentledger/projections/transparency"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// A Migration is one call of migrate: what its flags say, and what it has open.
type Migration struct {
	From, To       string
	FromAt, ToAt   server.Addresses
	Dry, Undo      bool
	Tell           io.Writer // of how far it is
	source, target *side
	use            string // what the source is for: live or demo
	note           server.MigrationNote
	found          survey
	obstacles      obstacles
}

// A survey is what there is in the source.
type survey struct {
	records int64
	bytes   int64
	last    eventstore.EventID
	roots   *transparency.Roots
	rows    map[string]*rowsFound // by the prefix of their kind
	files   []server.FileCopy     // that are copied
	left    []server.FileCopy     // that are not: the target has no use for them
	unknown []string              // entries of the directory
	waiting uint64                // messages in the stream of incoming events
}

type rowsFound struct{ count, bytes int64 }

// Run moves the ledger, and returns what was moved; with an error, as far as it is
// known.
func (m *Migration) Run(ctx context.Context) (report []Row, err error) {
	defer func() { err = errors.Join(err, m.target.close(), m.source.close()) }()
	note, begun, finished, err := m.readTarget()
	switch {
	case finished:
		return nil, m.already(ctx, note)
	case begun:
		m.note = note
	default:
		m.obstacles.add(err)
		m.note = server.NewMigrationNote(m.From)
	}

	if err := m.openSource(ctx, m.note.ID); err != nil {
		return nil, errors.Join(m.obstacles.err(), err)
	}
	if err := m.look(ctx); err != nil {
		return nil, errors.Join(m.obstacles.err(), err)
	}
	if m.Dry || !begun {
		m.tryTarget(ctx, begun)
	}
	m.obstacles.add(m.room())
	if err := m.obstacles.err(); err != nil || m.Dry {
		return m.report(), err
	}

	if err := m.openTarget(ctx); err != nil {
		return nil, err
	}
	if err := m.reserveSource(ctx); err != nil {
		return nil, err
	}
	if err := m.copy(ctx); err != nil {
		return nil, err
	}
	if err := m.settle(ctx); err != nil {
		return nil, err
	}
	fmt.Fprintf(m.Tell, "%s\n", m.next())
	return m.report(), nil
}

// already says that there is nothing to do, but that a vault may be opened from now on
// whose migration was killed at the very end.
func (m *Migration) already(ctx context.Context, note server.MigrationNote) (err error) {
	_, away, err := server.ReadFormat(m.From)
	if err != nil || away.ID != note.ID {
		return exit.Usage(fmt.Errorf("--to: %s is a data directory already, that of a migration from %s: "+
			"name a new one", m.To, note.Source))
	}

	if m.ToAt.Vault != "" {
		s := &side{path: m.To, at: m.ToAt}
		defer func() { err = errors.Join(err, s.close()) }()
		if err := s.openPersons(ctx, eventstore.Mark{}); err != nil {
			return err
		}
		mark, is, err := server.ReadMoveMark(ctx, s.shared)
		if err == nil && is && mark.ID == note.ID {
			err = server.Unmark(ctx, s.shared)
		}
		if err != nil {
			return err
		}
	}
	return exit.Conflict(fmt.Errorf("%s was moved to %s already: start the ledger there", m.From, m.To))
}

// reserveSource keeps processes from opening the vault that the source shares.
func (m *Migration) reserveSource(ctx context.Context) error {
	if m.source.shared == nil {
		return nil
	}
	if err := (server.MoveMark{State: server.Leaving, ID: m.note.ID, To: m.To}).Write(ctx,
		m.source.shared); err != nil {
		return err
	}
	return m.source.idle(ctx, taking) // one may have begun meanwhile
}

// copy copies everything, and verifies it.
func (m *Migration) copy(ctx context.Context) error {
	s, told := &m.found, progress.To(m.Tell)
	fmt.Fprintf(m.Tell, "copying %d records\n", s.records)
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
	fmt.Fprintf(m.Tell, "copied %d records in %s, %.0f/s\n", s.records-there, took.Round(time.Millisecond),
		float64(s.records-there)/took.Seconds())

	fmt.Fprintf(m.Tell, "copying rows and files\n")
	if _, err := copying.Rows(ctx, m.source.rows, server.Unmarked{Rows: m.target.rows}, m.isCopied,
		func(int64) {}); err != nil {
		return err
	}
	if err := copyFiles(m.From, m.To, s.files); err != nil {
		return err
	}
	if err := m.carryKeys(); err != nil {
		return err
	}
	if err := m.target.openVault(ctx); err != nil {
		return fmt.Errorf("the persons of the target: %w", err)
	}
	if m.target.shared != nil && m.target.vault == nil {
		return errors.New("the source has no vault: let its server start once")
	}
	return m.verify(ctx)
}

// verify reads back what was copied, and holds it against the source and against what
// was signed. It writes what depends on the positions that the records have now.
func (m *Migration) verify(ctx context.Context) error {
	fmt.Fprintf(m.Tell, "verifying %d records\n", m.found.records)
	keep, err := m.source.keep(ctx)
	if err != nil {
		return err
	}
	roots, err := keep.Roots(ctx)
	if err != nil {
		return err
	}
	before, last, err := m.compare(ctx, roots)
	if err != nil {
		return fmt.Errorf("the copy is not what it should be: %w", err)
	}
	if err := copying.SameRows(ctx, m.source.rows, m.target.rows, m.isCopied); err != nil {
		return fmt.Errorf("the copy is not what it should be: %w", err)
	}
	if err := m.carryLogs(ctx, roots, before); err != nil {
		return err
	}

	var c eventstore.Change
	if m.ToAt.Store != "" {
		c.Put = append(c.Put, server.MarkRow(server.SeenKey, last))
	}
	if before > 0 {
		c.Put = append(c.Put, server.BeforeRow(before))
	}
	if err := eventstore.WriteDurably(ctx, m.target.rows, c); err != nil || m.target.shared == nil {
		return err
	}
	c.Put = append(c.Put, server.MarkRow(server.ChangeKey, m.target.shared.Seen()))
	return eventstore.WriteDurably(ctx, m.target.db.Rows(), c)
}

// compare holds the records of the target against those of the source, and their trees
// against what was signed. It returns the last, and up to where positions are of the
// source: zero if the target's are the same, as those of directories and of PostgreSQL
// are. Else what clients and NATS streams remember of the source would be other places
// in the target.
func (m *Migration) compare(
	ctx context.Context, roots *transparency.Roots,
) (before eventstore.Position, last eventstore.Mark, err error) {
	told := progress.To(m.Tell)
	n, same := int64(0), true
	for p, err := range copying.Compare(ctx, m.source.store, m.target.store) {
		if err == nil {
			err = roots.Add(p.Is)
		}
		if err != nil {
			return 0, last, err
		}
		before, last = p.Was.Position, eventstore.Mark{Position: p.Is.Position, ID: p.Is.ID}
		same = same && p.Was.Position == p.Is.Position
		n++
		told(n, m.found.records)
	}
	if err := roots.Done(); err != nil {
		return 0, last, err
	}
	if n != m.found.records || last.ID != m.found.last {
		return 0, last, fmt.Errorf("it has %d records, and the source has %d", n, m.found.records)
	}
	if same {
		before = 0
	}
	return before, last, nil
}

// settle gives the source up, and makes the target a data directory. From the first of
// both on, the target alone can go on.
func (m *Migration) settle(ctx context.Context) error {
	if err := m.source.idle(ctx, 0); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err // from here on it is not interrupted
	}

	ctx = context.WithoutCancel(ctx)
	m.note.Records, m.note.Last = m.found.records, m.found.last
	if err := m.note.Write(m.To); err != nil {
		return err
	}
	if err := (server.Moved{Use: m.use, ID: m.note.ID, To: m.To}).Write(m.From); err != nil {
		return err
	}
	if err := server.WriteFormat(vfs.Default, m.To, m.use); err != nil || m.target.shared == nil {
		return err
	}
	return server.Unmark(ctx, m.target.shared)
}

// next says what is to be done now.
func (m *Migration) next() string {
	with, where := "", ""
	if m.ToAt.Store != "" {
		with = ", with --store or " + server.StoreVariable + " as you gave it here"
	}

	if m.ToAt.Vault != "" {
		with = fmt.Sprintf(", with --store and --vault as you gave them here, --vault-keys %s, and --nats;\n"+
			"other processes begin with a new directory each, and the same settings", m.ToAt.Keys)
	}

	if m.FromAt.Vault != "" {
		where = ", and what is in its database"
	}

	return fmt.Sprintf(`moved: all records give the roots that were signed
start the ledger with serve --data %s%s
%s is given up, and not changed otherwise: it still holds every person's data and the keys%s.
Keep it until the ledger goes on well, then destroy it: who is erased from now on stays in it.`, m.To, with, m.From, where)
}

// room returns an error if the disk of the target has too little room.
func (m *Migration) room() error {
	if err := server.RoomFor(m.To, m.bytes()); err != nil {
		return server.FullDisk(m.To, err)
	}
	return nil
}
