package main

import (
	"errors"

	"consentledger/cmd/internal/migrate"
	"consentledger/cmd/internal/output"
	"consentledger/cmd/internal/server"

	"github.com/spf13/cobra"
)

const migrateHelp = `Move the ledger of a stopped server to another data directory and, if an event store
is named, its records into that: from a directory to PostgreSQL or EventStoreDB, from
there back into a directory, or from one to the other.

With --to-vault its persons go to PostgreSQL as well, and several processes may serve
it: texts, the keys and checkpoints of the logs, and what witnesses signed are in that
database then, and the keys of the vault in the file --to-vault-keys, which every
process needs. A ledger that several processes serve moves back with --from-vault, once
all of them are stopped; --from is the directory of any of them.

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
all that stands in the way. The runbook: docs/migrate.md.

A connection string may hold a password. That of the target may also come from
` + migrate.ToStoreVariable + `, or from a file that ` + migrate.ToStoreFileVariable + ` names, that
of the source from ` + server.StoreVariable + ` or ` + server.StoreFileVariable + `. In the same way
` + migrate.ToVaultVariable + ` and ` + server.VaultVariable + `, with _FILE or without, say where persons are,
and ` + migrate.ToKeysVariable + ` and ` + server.KeysVariable + ` where their keys are.`

const migrateExample = `  consentledger migrate --from data --to data-pg --to-store postgres://ledger@db.example.com/ledger --dry-run
  consentledger migrate --from data --to data-pg --to-store postgres://ledger@db.example.com/ledger
  consentledger serve --data data-pg --store postgres://ledger@db.example.com/ledger

  consentledger migrate --from data --to data-1 --to-store postgres://ledger@db.example.com/ledger \
    --to-vault postgres://ledger@db.example.com/ledger --to-vault-keys /run/secrets/keys

  consentledger migrate --from data-pg --from-store postgres://ledger@db.example.com/ledger --to data-2
  consentledger migrate --undo --from data --to data-pg --to-store postgres://ledger@db.example.com/ledger`

func newMigrate() *cobra.Command {
	var m migrate.Migration
	c := &cobra.Command{
		Use:     "migrate",
		Short:   "Move a ledger to another directory or event store, with its order and proofs",
		Long:    migrateHelp,
		Example: migrateExample,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := m.Check(); err != nil {
				return err
			}
			m.Tell = c.ErrOrStderr()
			if m.Undo {
				return m.TakeBack(c.Context())
			}
			report, err := m.Run(c.Context())
			if report == nil {
				return err
			}
			return errors.Join(output.Values(c, report, "part", "does", "count", "bytes", "signed", "root", "note"),
				err)
		},
	}
	f := c.Flags()
	f.StringVar(&m.From, "from", "", "the data directory of a stopped server")
	f.StringVar(&m.FromAt.Store, "from-store", "", "the event store that holds its records, if the directory does not")
	f.StringVar(&m.FromAt.Vault, "from-vault", "",
		"the PostgreSQL database that holds its persons, if the directory does not")
	f.StringVar(&m.FromAt.Keys, "from-vault-keys", "", "the file with the keys of that vault")
	f.StringVar(&m.To, "to", "", "the data directory to be made; or one whose migration was cut off, which goes on")
	f.StringVar(&m.ToAt.Store, "to-store", "",
		"the empty event store that shall hold the records: EventStoreDB or KurrentDB, as in "+
			server.EventStoreDB.Example+", or PostgreSQL, as in "+server.PostgreSQL.Example+" (default: the directory)")
	f.StringVar(&m.ToAt.Vault, "to-vault", "",
		"the empty PostgreSQL database that shall hold the persons, for several processes that serve the ledger, "+
			"as in "+
			server.PostgreSQL.Example+" (default: the directory)")
	f.StringVar(&m.ToAt.Keys, "to-vault-keys", "",
		"the file, or the directory for a file keys, into which the keys of the vault are copied, for their owner "+
			"alone")
	f.BoolVar(&m.Dry, "dry-run", false, "copy nothing: tell what would be copied, and what stands in the way")
	f.BoolVar(&m.Undo, "undo", false, "take a migration back, as long as nothing was recorded in its target")
	output.Flag(c)
	c.MarkFlagRequired("from")
	c.MarkFlagRequired("to")
	c.MarkFlagsMutuallyExclusive("dry-run", "undo")
	return c
}
