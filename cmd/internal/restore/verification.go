package restore

import (
	"context"
	"fmt"

	"consentledger/cmd/internal/exit"
	"consentledger/eventstore"
	"consentledger/projections/transparency"
)

// A Verification reads a backup to its end and writes nothing.
type Verification struct {
	Files       Backup
	Checkpoints []string
	Older       bool
}

// Run verifies both files, and that they belong together.
func (v *Verification) Run(ctx context.Context) ([]Row, error) {
	log, vault, err := v.Files.open()
	if err != nil {
		return nil, err
	}
	defer log.close()
	defer vault.close()
	if err := match(log, vault, v.Older); err != nil {
		return nil, err
	}

	kept, n := map[string][]byte{}, int64(0)
	var roots *transparency.Roots
	err = log.drain(ctx, sink{
		file: func(path string, _ bool, data []byte) error {
			keepLogFile(kept, path, data)
			return nil
		},
		begin: func() (err error) { roots, err = treesOf(ctx, kept, v.Checkpoints); return err },
		record: func(r eventstore.Recorded) error {
			n++
			if err := inOrder(r, n); err != nil {
				return exit.NotAuthentic(err)
			}
			if err := roots.Add(r); err != nil {
				return exit.NotAuthentic(err)
			}
			return nil
		},
		row: func(eventstore.Row) error { return nil },
	})
	if err != nil {
		return nil, err
	}
	if err := roots.Done(); err != nil {
		return nil, exit.NotAuthentic(log.wrong(err))
	}
	if err := roots.Behind(); err != nil {
		return nil, exit.Conflict(log.wrong(err))
	}
	if err := vault.drain(ctx, sink{row: func(eventstore.Row) error { return nil }}); err != nil {
		return nil, err
	}

	rows := []Row{{"records", n, "backup " + log.Head.ID + " of " + log.Head.Made}}
	for _, t := range roots.Trees() {
		rows = append(rows,
			Row{"log of " + string(t.App), t.Size, fmt.Sprintf("%d signed, root %s", t.Signed, t.Root)})
	}
	return append(rows,
		Row{"rows of the vault", vault.Total().Rows, "backup " + vault.Head.ID + " of " + vault.Head.Made}), nil
}
