package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

const migrateHelp = `Move the ledger of a stopped server to another data directory and, if an event store
is named, its records into that: from a directory to PostgreSQL or EventStoreDB, from
there back into a directory, or from one to the other.

Everything goes along, in its order: records with their ids, bytes and revisions, the
vault, texts, signing keys, what was signed last, rejected messages, the embedded NATS
server's streams. What is derived is made anew by the first start. The trees of all
apps are derived from what was copied, and have to give the roots that were signed:
proofs and receipts from before stay valid.

The source is locked meanwhile. Once all is verified it is given up, and nothing opens
it any more: two ledgers never go on. As long as nothing was recorded in the target,
migrate --undo takes it back. If migrate is interrupted or killed, run it again with
the same flags: it goes on.

Begin with --dry-run: it reads all of the source, and tells what would be copied and
what stands in the way. The runbook: docs/migrate.md.

A connection string may hold a password. That of the target may also come from
` + toStoreVariable + `, or from a file that ` + toStoreFileVariable + ` names, that
of the source from ` + storeVariable + ` or ` + storeFileVariable + `.`

const migrateExample = `  consentledger migrate --from data --to data-pg --to-store postgres://ledger@db.example.com/ledger --dry-run
  consentledger migrate --from data --to data-pg --to-store postgres://ledger@db.example.com/ledger
  consentledger serve --data data-pg --store postgres://ledger@db.example.com/ledger

  consentledger migrate --from data-pg --from-store postgres://ledger@db.example.com/ledger --to data-2
  consentledger migrate --undo --from data --to data-pg --to-store postgres://ledger@db.example.com/ledger`

func newMigrate() *cobra.Command {
	var m migration
	c := &cobra.Command{
		Use:     "migrate",
		Short:   "Move a ledger to another data directory or event store, with its order and its proofs",
		Long:    migrateHelp,
		Example: migrateExample,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := m.check(); err != nil {
				return err
			}
			m.tell = c.ErrOrStderr()
			if m.undo {
				return m.takeBack(c.Context())
			}
			report, err := m.run(c.Context())
			if report == nil {
				return err
			}
			return errors.Join(printMigration(c, report), err)
		},
	}
	f := c.Flags()
	f.StringVar(&m.from, "from", "", "the data directory of a stopped server")
	f.StringVar(&m.fromStore, "from-store", "", "the event store that holds its records, if the directory does not")
	f.StringVar(&m.to, "to", "", "the data directory to be made; or one whose migration was cut off, which goes on")
	f.StringVar(&m.toStore, "to-store", "", "the empty event store that shall hold the records: EventStoreDB or KurrentDB, as in "+
		eventStoreDB.example+", or PostgreSQL, as in "+postgreSQL.example+" (default: the directory)")
	f.BoolVar(&m.dry, "dry-run", false, "copy nothing: tell what would be copied, and what stands in the way")
	f.BoolVar(&m.undo, "undo", false, "take a migration back, as long as nothing was recorded in its target")
	outputFlag(c)
	c.MarkFlagRequired("from")
	c.MarkFlagRequired("to")
	c.MarkFlagsMutuallyExclusive("dry-run", "undo")
	return c
}

// check refuses directories that are one, or lie in each other.
func (m *migration) check() error {
	from, err := filepath.Abs(m.from)
	if err != nil {
		return err
	}
	to, err := filepath.Abs(m.to)
	if err != nil {
		return err
	}
	within := func(a, b string) bool {
		rel, err := filepath.Rel(a, b)
		return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
	}
	if within(from, to) || within(to, from) {
		return usageError{errors.New("--from and --to: name two directories, none of them within the other")}
	}
	if m.from, m.to = from, to; m.fromStore == "" {
		if m.fromStore, err = recordsPlace.address(""); err != nil {
			return err
		}
	}
	m.toStore, err = toRecordsPlace.address(m.toStore)
	return err
}

// A migrationRow is one part of a ledger, and what becomes of it.
type migrationRow struct {
	Part  string `json:"part"`
	Does  string `json:"does"`            // copied, anew or left
	Count int64  `json:"count,omitzero"`  // of records, rows or files
	Bytes int64  `json:"bytes,omitzero"`  // of what is copied
	Root  string `json:"root,omitzero"`   // of an app's tree
	Under int64  `json:"signed,omitzero"` // how many of its records are under a signed root
	Note  string `json:"note,omitzero"`
}

func printMigration(c *cobra.Command, rows []migrationRow) error {
	var objects []json.RawMessage
	for _, r := range rows {
		text, err := json.Marshal(r)
		if err != nil {
			return fmt.Errorf("a row does not make JSON: %w", err)
		}
		objects = append(objects, text)
	}
	return printRows(c, objects, "part", "does", "count", "bytes", "signed", "root", "note")
}
