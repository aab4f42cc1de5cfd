package main

import (
	"fmt"
	"os"

	"consentledger/cmd/internal/backupfiles"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/output"
	"consentledger/cmd/internal/server"

	"filippo.io/age"
	"github.com/spf13/cobra"
)

const backupHelp = `Write a backup of a data directory: its log and its vault, of one moment, into two files.

Each file is encrypted for the recipients that you name, by age (age-encryption.org), and
nobody else reads it, this program included. Nothing is written in clear on the way. The
running server of --server makes it, and goes on meanwhile; one that authenticates makes it
for those whom serve --backup-recipients names, and for nobody else. With --data it is made of the
directory of a stopped one. A file has its name once it is whole, and none is overwritten.

Keep the two apart, and the vault's for a short time: who is erased is still in the older
ones. The keys of the vault (DATA/keys) are in neither. Keep a copy of that file elsewhere,
since without it nobody reads the vault; and when an epoch of them is destroyed, older
backups of the vault are unreadable for everybody. The runbook: docs/backup.md.`

const backupExample = `  consentledger backup new-identity operator.age
  consentledger backup --recipients-file operator.age.pub --log /backups/log --vault /backups/vault
  consentledger backup verify --log LOG --vault VAULT --identity operator.age
  consentledger restore --log LOG --vault VAULT --identity operator.age --vault-keys keys --drill --to drill`

func newBackup() *cobra.Command {
	var b backupfiles.Backup
	c := &cobra.Command{
		Use:     "backup",
		Short:   "Write an encrypted backup of the log and the vault, also while the server runs",
		Long:    backupHelp,
		Example: backupExample,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			report, err := b.Write(c)
			if err != nil {
				return err
			}
			return backupfiles.Print(c, report)
		},
	}
	f := c.Flags()
	f.StringVar(&b.Log, "log", "", "the file to write the log to; in a directory it gets a name of its time")
	f.StringVar(&b.Vault, "vault", "", "the file to write the vault to; in a directory it gets a name of its time")
	f.StringArrayVar(&b.Recipients, "recipient", nil, "who can read it, as in age1...; more than once for more")
	f.StringArrayVar(&b.RecipientFiles, "recipients-file", nil,
		"a file with recipients, one a line; more than once for more")
	f.StringVar(&b.Data, "data", "",
		"the data directory of a stopped server (default: ask the running one at --server)")
	output.Flag(c)
	c.MarkFlagRequired("log")
	c.MarkFlagRequired("vault")
	c.AddCommand(newBackupIdentity(), newBackupVerify())
	return c
}

const backupIdentityHelp = `Make an age identity: who has the file reads every backup that is made for it.

The recipient, which backup --recipient takes, is printed and written to FILE.pub. Keep FILE
where neither the server nor the backups are. A file that age-keygen makes does as well.`

func newBackupIdentity() *cobra.Command {
	return &cobra.Command{
		Use:     "new-identity FILE",
		Aliases: []string{"identity"},
		Short:   "Make an identity that reads backups, and its recipient",
		Long:    backupIdentityHelp,
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			name := args[0]
			for _, n := range []string{name, name + ".pub"} {
				if _, err := os.Lstat(n); err == nil {
					return exit.Usage(fmt.Errorf("FILE: %s is there already: name a new file", n))
				}
			}
			id, err := age.GenerateX25519Identity()
			if err != nil {
				return err
			}
			text := fmt.Sprintf("# public key: %s\n%s\n", id.Recipient(), id)
			if err := server.WritePrivate(name, text); err != nil {
				return err
			}
			if err := os.WriteFile(name+".pub", []byte(id.Recipient().String()+"\n"), 0o644); err != nil {
				return err
			}
			_, err = fmt.Fprintln(c.OutOrStdout(), id.Recipient())
			return err
		},
	}
}
