package backupfiles

import (
	"fmt"

	"consentledger/cmd/internal/output"
	"consentledger/cmd/internal/server"
	"consentledger/eventstore/backup"

	"github.com/spf13/cobra"
)

// Print prints a row a file, and tells what is in neither.
func Print(c *cobra.Command, report *server.BackupReport) error {
	var rows []map[string]any
	for _, f := range []struct {
		kind backup.Kind
		file server.WrittenFile
	}{{backup.Log, report.Log}, {backup.Vault, report.Vault}} {
		rows = append(rows, map[string]any{
			"kind": f.kind, "file": f.file.Name, "bytes": f.file.Bytes, "sha256": f.file.Sum,
			"records": f.file.Holds.Records,
			"rows":    f.file.Holds.Rows, "position": report.Position, "id": report.ID,
		})
	}

	if n := report.Unlooked; n > 0 {
		fmt.Fprintf(c.ErrOrStderr(),
			"%d rejected messages that may be an opt-out are in no backup, and nobody has looked at them: see "+
				"consentledger rejected list\n", n)
	}
	return output.Values(c, rows, "kind", "file", "bytes", "records", "rows", "position", "id")
}
