package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"consentledger/cmd/internal/exit"
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
` + toStoreVariable + `, or from a file that ` + toStoreFileVariable + ` names, that
of the source from ` + server.StoreVariable + ` or ` + server.StoreFileVariable + `. In the same way
` + toVaultVariable + ` and ` + server.VaultVariable + `, with _FILE or without, say where persons are,
and ` + toKeysVariable + ` and ` + server.KeysVariable + ` where their keys are.`

const migrateExample = `  consentledger migrate --from data --to data-pg --to-store postgres://ledger@db.example.com/ledger --dry-run
  consentledger migrate --from data --to data-pg --to-store postgres://ledger@db.example.com/ledger
  consentledger serve --data data-pg --store postgres://ledger@db.example.com/ledger

  consentledger migrate --from data --to data-1 --to-store postgres://ledger@db.example.com/ledger \
    --to-vault postgres://ledger@db.example.com/ledger --to-vault-keys /run/secrets/keys

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
	f.StringVar(&m.fromAt.Store, "from-store", "", "the event store that holds its records, if the directory does not")
	f.StringVar(&m.fromAt.Vault, "from-vault", "", "the PostgreSQL database that holds its persons, if the directory does not")
	f.StringVar(&m.fromAt.Keys, "from-vault-keys", "", "the file with the keys of that vault")
	f.StringVar(&m.to, "to", "", "the data directory to be made; or one whose migration was cut off, which goes on")
	f.StringVar(&m.toAt.Store, "to-store", "", "the empty event store that shall hold the records: EventStoreDB or KurrentDB, as in "+
		server.EventStoreDB.Example+", or PostgreSQL, as in "+server.PostgreSQL.Example+" (default: the directory)")
	f.StringVar(&m.toAt.Vault, "to-vault", "", "the empty PostgreSQL database that shall hold the persons, for several processes that serve the ledger, as in "+
		server.PostgreSQL.Example+" (default: the directory)")
	f.StringVar(&m.toAt.Keys, "to-vault-keys", "", "the file, or the directory for a file keys, into which the keys of the vault are copied, for their owner alone")
	f.BoolVar(&m.dry, "dry-run", false, "copy nothing: tell what would be copied, and what stands in the way")
	f.BoolVar(&m.undo, "undo", false, "take a migration back, as long as nothing was recorded in its target")
	outputFlag(c)
	c.MarkFlagRequired("from")
	c.MarkFlagRequired("to")
	c.MarkFlagsMutuallyExclusive("dry-run", "undo")
	return c
}

// within reports whether a path is a directory, or lies in it.
func within(dir, path string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
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
	if within(from, to) || within(to, from) {
		return exit.Usage(errors.New("--from and --to: name two directories, none of them within the other"))
	}
	m.from, m.to = from, to
	return errors.Join(m.checkFrom(), m.checkTo())
}

// checkFrom finds out where the source has its parts.
func (m *migration) checkFrom() (err error) {
	at := &m.fromAt
	if at.Store, err = fromRecordsPlace.Address(at.Store); err != nil {
		return err
	}
	if at.Vault, err = fromVaultPlace.Address(at.Vault); err != nil {
		return err
	}
	if at.Keys == "" {
		at.Keys = os.Getenv(server.KeysVariable)
	}
	return nil
}

// checkTo finds out where the target has its parts, and refuses half of what several
// processes need.
func (m *migration) checkTo() (err error) {
	at := &m.toAt
	if at.Store, err = toRecordsPlace.Address(at.Store); err != nil {
		return err
	}
	if at.Vault, err = toVaultPlace.Address(at.Vault); err != nil {
		return err
	}
	if at.Keys == "" {
		at.Keys = os.Getenv(toKeysVariable)
	}
	switch {
	case at.Vault == "" && at.Keys != "":
		return exit.Usage(errors.New("--to-vault-keys is where the keys of a shared vault go: name it with --to-vault, or leave the keys in the directory"))
	case at.Vault == "":
		return nil
	case at.Store == "":
		return exit.Usage(errors.New("--to-vault shares persons with other processes, and the records would be in the directory of one: " +
			"name the event store that all of them will use, with --to-store"))
	case at.Keys == "":
		return exit.Usage(errors.New("--to-vault shares persons with other processes, and all of them need the same keys: " +
			"say with --to-vault-keys into which file they are copied"))
	}
	if _, err := toVaultPlace.Engine(at.Vault); err != nil {
		return err
	}
	if at.Keys, err = filepath.Abs(at.Keys); err != nil {
		return err
	}
	if info, err := os.Stat(at.Keys); err == nil && info.IsDir() {
		at.Keys = filepath.Join(at.Keys, "keys")
	}
	if within(m.from, at.Keys) || within(m.to, at.Keys) {
		return exit.Usage(errors.New("--to-vault-keys: name a file outside of --from and --to: it outlives both, and every process needs it"))
	}
	return nil
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
