package main

import (
	"consentledger/cmd/internal/commandline"
	"consentledger/cmd/internal/output"
	"consentledger/cmd/internal/restore"
	"consentledger/cmd/internal/server"

	"github.com/spf13/cobra"
)

const restoreHelp = `Make a data directory of a backup. It may be served once everything in it is verified:
every record, the trees of all apps against what was signed, and every sealed part against
what its record commits to.

--log is the file of the log, --vault that of the vault, --identity who can read them, and
--vault-keys the file with the keys of the vault, which is in no backup. A vault that is
older than the log is taken with --older-vault: what was sealed since is lost, and nobody
comes back whom the log says to erase, then or later. Who was erased behind the end of the
log is named by --erased, with the certificate that consentledger subject certify wrote.

The ledger goes on only if nobody saw more of it than the backup has. Say with --checkpoint
what was published last, once for every app: a file, or a URL as in
https://ledger.example.com/log/shop/checkpoint. A backup that is older is refused: going on
from it would be a second history under one name. If there is no newer one, --fork with a
reason begins the logs anew under another origin. The reason is kept, and no personal data
belongs in it. The old signatures stay beside the new logs and still verify.

With --drill everything is verified, too, and the directory can be read but not served.

If restore is interrupted, nothing opens what it left: run it again and it begins anew.`

const restoreExample = `  consentledger restore --log LOG --vault VAULT --identity operator.age --vault-keys keys \
    --checkpoint https://monitor.example.com/shop/checkpoint --to data
  consentledger restore --log LOG --vault VAULT --identity operator.age --vault-keys keys --drill --to drill
  consentledger restore --log LOG --vault VAULT --identity operator.age --vault-keys keys \
    --fork "the disk died on Tuesday; the backup is of Monday" --to data`

func newRestore() *cobra.Command {
	var r restore.Restoration
	c := &cobra.Command{
		Use:     "restore",
		Short:   "Make a data directory of a backup, and verify all of it",
		Long:    restoreHelp,
		Example: restoreExample,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := r.Check(); err != nil {
				return err
			}
			r.Tell = c.ErrOrStderr()
			rows, err := r.Run(c.Context())
			if err != nil {
				return err
			}
			return output.Values(c, rows, "part", "count", "note")
		},
	}
	f := c.Flags()
	backupFlags(c, &r.Files)
	f.StringVar(&r.Keys, "vault-keys", "",
		"the file with the keys of the vault, a copy of DATA/keys; also by "+server.KeysVariable)
	f.StringVar(&r.To, "to", "", "the data directory to be made, or an empty one")
	f.StringArrayVar(&r.Checkpoints, "checkpoint", nil,
		"a checkpoint that was published last, a file or a URL; once for every app")
	f.StringVar(&r.Fork, "fork", "",
		"why there is nothing newer than this backup: the logs begin anew under another origin")
	f.StringVar(&r.Origin, "origin", "", "with --fork: the name that the new logs stand under (default: a random one)")
	f.StringArrayVar(&r.Erased, "erased", nil,
		"a certificate that somebody was erased after the log's backup, who is erased again; once for each")
	f.BoolVar(&r.Drill, "drill", false, "verify everything, and make a directory that can be read but not served")
	f.BoolVar(&r.Older, "older-vault", false, "take a vault that is older than the log: what was sealed since is lost")
	output.Flag(c)
	c.MarkFlagRequired("to")
	return c
}

// backupFlags give a verb the flags of a backup's two files, and of who can read them.
func backupFlags(c *cobra.Command, b *restore.Backup) {
	f := c.Flags()
	f.StringVar(&b.Log, "log", "", "the file of the log")
	f.StringVar(&b.Vault, "vault", "", "the file of the vault")
	f.StringArrayVar(&b.Identities, "identity", nil,
		"a file with an age identity that can read them; more than once for more")
	commandline.Require(c, "log", "vault", "identity")
}
