package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"consentledger/eventstore"
	"consentledger/projections/transparency"

	"github.com/spf13/cobra"
)

const backupVerifyHelp = `Read both files of a backup to their ends, and write nothing.

Both have to decrypt, to be whole, and to be of one moment. Every record has to stand in its
place, and the trees of all apps have to give the roots that were signed, and those of
--checkpoint. Whether the sealed parts are what the records commit to takes the keys of the
vault: restore --drill says it.`

func newBackupVerify() *cobra.Command {
	var v backupVerifying
	c := &cobra.Command{
		Use:     "verify",
		Short:   "Read a backup to its end, and verify it against what was signed",
		Long:    backupVerifyHelp,
		Example: "  consentledger backup verify --log LOG --vault VAULT --identity operator.age",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			rows, err := v.run(c.Context())
			if err != nil {
				return err
			}
			var objects []json.RawMessage
			for _, r := range rows {
				text, err := json.Marshal(r)
				if err != nil {
					return err
				}
				objects = append(objects, text)
			}
			return printRows(c, objects, "part", "count", "note")
		},
	}
	v.files.flags(c)
	c.Flags().StringArrayVar(&v.checkpoints, "checkpoint", nil, "a checkpoint that was published, a file or a URL; once for every app")
	c.Flags().BoolVar(&v.older, "older-vault", false, "take a vault that is older than the log")
	outputFlag(c)
	return c
}

// A backupVerifying is one call of backup verify.
type backupVerifying struct {
	files       backupNames
	checkpoints []string
	older       bool
}

func (v *backupVerifying) run(ctx context.Context) ([]restoredRow, error) {
	log, vault, err := v.files.open()
	if err != nil {
		return nil, err
	}
	defer log.close()
	defer vault.close()
	if err := match(log, vault, v.older); err != nil {
		return nil, err
	}

	kept, n := map[string][]byte{}, int64(0)
	var roots *transparency.Roots
	err = log.drain(ctx, sink{
		file: func(path string, more bool, data []byte) error {
			if !more {
				log.lastPath = path
			}
			if name, is := strings.CutPrefix(log.lastPath, "log/"); is && !strings.Contains(name, "/") {
				kept[name] = append(kept[name], data...)
			}
			return checkBackupPath(log.lastPath)
		},
		begin: func() (err error) { roots, err = treesOf(ctx, kept, v.checkpoints); return err },
		record: func(r eventstore.Recorded) error {
			n++
			if err := inOrder(r, n); err != nil {
				return notAuthentic{err}
			}
			if err := roots.Add(r); err != nil {
				return notAuthentic{err}
			}
			return nil
		},
		row: func(eventstore.Row) error { return nil },
	})
	if err != nil {
		return nil, err
	}
	if err := roots.Done(); err != nil {
		return nil, notAuthentic{log.wrong(err)}
	}
	if err := roots.Behind(); err != nil {
		return nil, conflicting{log.wrong(err)}
	}
	if err := vault.drain(ctx, sink{row: func(eventstore.Row) error { return nil }}); err != nil {
		return nil, err
	}

	rows := []restoredRow{{"records", n, "backup " + log.Head.ID + " of " + log.Head.Made}}
	for _, t := range roots.Trees() {
		rows = append(rows, restoredRow{"log of " + string(t.App), t.Size, fmt.Sprintf("%d signed, root %s", t.Signed, t.Root)})
	}
	return append(rows, restoredRow{"rows of the vault", vault.Total().Rows, "backup " + vault.Head.ID + " of " + vault.Head.Made}), nil
}
