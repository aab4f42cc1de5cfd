package migrate

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"consentledger/api/nats/intake"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/server"
	"consentledger/eventstore"
	copying "consentledger/eventstore/migration"
	"consentledger/eventstore/vault"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// TakeBack gives the source back what the migration took: as long as the target has
// recorded nothing, both hold the same. The target is unfinished then, and a new
// migrate goes on with it.
func (m *Migration) TakeBack(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, m.target.close(), m.source.close()) }()
	note, begun, _, err := m.readTarget()
	if err == nil && !begun {
		err = exit.NotFound(fmt.Errorf("--to: %s is not the target of a migration", m.To))
	}
	if err != nil {
		return err
	}
	m.note = note
	if err := m.openSource(ctx, note.ID); err != nil {
		return err
	}
	_, away, err := server.ReadFormat(m.From)
	if err != nil {
		return err
	}
	if away.ID == "" && m.source.shared != nil { // it may have been reserved
		if _, reserved, err := server.ReadMoveMark(ctx, m.source.shared); err != nil || reserved {
			if err == nil {
				err = server.Unmark(ctx, m.source.shared)
			}
			if err == nil {
				fmt.Fprintf(m.Tell, "%s was not moved yet, and processes serve it again\n", m.From)
			}
			return err
		}
	}
	if away.ID == "" {
		return exit.Conflict(fmt.Errorf("%s was not moved: there is nothing to take back", m.From))
	}
	if err := m.openAgain(ctx); err != nil {
		return err
	}
	if err := m.unchanged(ctx, note); err != nil {
		return err
	}

	// The target first: at no moment can both be opened.
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := m.exchange(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	fmt.Fprintf(m.Tell, "taken back: start the ledger with serve --data %s\n%s is the target of an unfinished "+
		"migration now\n", m.From, m.To)
	return nil
}

// openAgain opens the target as it was left.
func (m *Migration) openAgain(ctx context.Context) (err error) {
	s := &side{path: m.To, at: m.ToAt}
	m.target = s
	if s.lock, err = server.LockDir(m.To); err != nil {
		return err
	}
	if err := server.RecordsPlace.Check(m.To, s.at.Store, false); err != nil {
		return fmt.Errorf("--to-store: %w", err)
	}
	if err := server.VaultPlace.Check(m.To, s.at.Vault, false); err != nil {
		return fmt.Errorf("--to-vault: %w", err)
	}
	if err := s.open(ctx, s.seen(ctx)); err != nil {
		return err
	}
	return s.idle(ctx, taking)
}

// exchange closes the target and opens the source.
func (m *Migration) exchange(ctx context.Context) error {
	if m.target.shared != nil {
		if err := (server.MoveMark{State: server.Arriving, ID: m.note.ID, To: m.To}).Write(ctx,
			m.target.shared); err != nil {
			return err
		}
	}
	if err := server.RemoveDurably(m.To, "FORMAT"); err != nil {
		return err
	}
	if err := server.WriteFormat(vfs.Default, m.From, m.use); err != nil || m.source.shared == nil {
		return err
	}
	return server.Unmark(ctx, m.source.shared)
}

// unchanged returns an error if the target has recorded anything, or keeps anything,
// that the source has not.
func (m *Migration) unchanged(ctx context.Context, note server.MigrationNote) (err error) {
	if m.found.waiting, err = intake.Untaken(ctx, m.source.rows); err != nil {
		return err
	}

	n, last := int64(0), eventstore.EventID{}
	for r, err := range m.target.store.ReadAll(ctx, 0) {
		if err != nil {
			return fmt.Errorf("the target: %w", err)
		}
		n, last = n+1, r.ID
	}

	if n != note.Records || last != note.Last {
		return exit.Conflict(fmt.Errorf("the target holds %d records, and %d were moved: the ledger has gone on "+
			"there, and %s would lose it. "+
			"Migrate the target into a new directory instead", n, note.Records, m.From))
	}

	var unread error
	kept := func(key []byte) bool {
		switch {
		case !m.isCopied(key):
			return false
		case bytes.HasPrefix(key, []byte("l/")): // several processes keep no register of logs
			return m.source.shared == nil || m.target.shared != nil
		case vault.IsAppKey(key): // one that the migration made, to seal what was in files
			_, has, err := m.source.rows.Get(ctx, key)
			unread = errors.Join(unread, err)
			return has
		}
		return true
	}

	err = copying.SameRows(ctx, m.source.rows, m.target.rows, kept)
	if unread != nil {
		return fmt.Errorf("rows of the source: %w", unread)
	}
	if err != nil {
		return exit.Conflict(fmt.Errorf("the ledger has gone on in the target, and %s would lose it: %w. Migrate the "+
			"target into a new directory instead", m.From, err))
	}
	return m.sameKeys(ctx)
}

// sameKeys returns an error if the target has another key of subject tokens or of
// calendar feeds than the source: somebody ended there what the key had opened, and
// with the source's it would be open again. One that the target alone has opens nothing
// in the source.
func (m *Migration) sameKeys(ctx context.Context) error {
	for _, s := range []*side{m.source, m.target} {
		if s.shared == nil {
			continue // they are in files
		}
		if err := s.openVault(ctx); err != nil {
			return err
		}
	}

	for _, kind := range []struct {
		of   func(*side, context.Context) ([]byte, error)
		what string
	}{
		{(*side).tokenKey, "the key of subject tokens"},
		{(*side).feedKey, "the key of the calendar feeds"},
	} {
		was, err := kind.of(m.source, ctx)
		if err != nil {
			return fmt.Errorf("the source: %s: %w", kind.what, err)
		}
		is, err := kind.of(m.target, ctx)
		if err != nil {
			return fmt.Errorf("the target: %s: %w", kind.what, err)
		}
		if was != nil && !bytes.Equal(was, is) {
			return exit.Conflict(fmt.Errorf("%s was made anew in the target, and what was ended by that would be "+
				"open again with the one of %s. "+
				"Migrate the target into a new directory instead", kind.what, m.From))
		}
	}
	return nil
}
