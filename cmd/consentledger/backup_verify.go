package main

import (
	"consentledger/cmd/internal/output"
	"consentledger/cmd/internal/restore"

	"github.com/spf13/cobra"
)

const backupVerifyHelp = `Read both files of a backup to their ends, and write nothing.

Both have to decrypt, to be whole, and to be of one moment. Every record has to stand in its
place, and the trees of all apps have to give the roots that were signed, and those of
--checkpoint. Whether the sealed parts are what the records commit to takes the keys of the
vault: restore --drill says it.`

func newBackupVerify() *cobra.Command {
	var v restore.Verification
	c := &cobra.Command{
		Use:     "verify",
		Short:   "Read a backup to its end, and verify it against what was signed",
		Long:    backupVerifyHelp,
		Example: "  consentledger backup verify --log LOG --vault VAULT --identity operator.age",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			v.Files.Tell = c.ErrOrStderr()
			rows, err := v.Run(c.Context())
			if err != nil {
				return err
			}
			return output.Values(c, rows, "part", "count", "note")
		},
	}
	backupFlags(c, &v.Files)
	c.Flags().StringArrayVar(&v.Checkpoints, "checkpoint", nil,
		"a checkpoint that was published, a file or a URL; once for every app")
	c.Flags().BoolVar(&v.Older, "older-vault", false, "take a vault that is older than the log")
	output.Flag(c)
	return c
}
