// Package backupfiles writes the two files of a backup, of a running server or of a directory,
// as the flags of the verb name them. A file has its name once it is whole.
package backupfiles

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/files"
	"consentledger/cmd/internal/progress"
	"consentledger/cmd/internal/server"
	"consentledger/eventstore/backup"

	"filippo.io/age"
	"github.com/spf13/cobra"
)

// A Backup is one backup that somebody asks for.
type Backup struct {
	Log, Vault     string   // the files, or directories in which they get names of their time
	Data           string   // the directory of a stopped server; empty: the running one makes it
	Recipients     []string // who can read it
	RecipientFiles []string // files with more of them
}

// Write writes both files, and gives them their names once both are whole.
func (b *Backup) Write(c *cobra.Command) (_ *server.BackupReport, err error) {
	to, lines, err := readRecipients(b.Recipients, b.RecipientFiles)
	if err != nil {
		return nil, err
	}
	at := time.Now().UTC().Format("20060102T150405.000Z")
	parts := map[backup.Kind]*partFile{}
	defer func() {
		for _, p := range parts {
			err = errors.Join(err, p.giveUp())
		}
	}()
	names := map[backup.Kind]string{}
	for kind, name := range map[backup.Kind]string{backup.Log: b.Log, backup.Vault: b.Vault} {
		if names[kind], err = outPlace("--"+string(kind), name, at+"."+string(kind)+".age"); err != nil {
			return nil, err
		}
	}
	if names[backup.Log] == names[backup.Vault] {
		return nil, exit.Usage(errors.New("--log and --vault name one file: name two, and keep them apart"))
	}
	open := func(kind backup.Kind) (io.Writer, error) {
		p, err := newPart(names[kind])
		parts[kind] = p
		return io.MultiWriter(p, progress.Bytes(c.ErrOrStderr(), string(kind), 0)), err
	}

	var report *server.BackupReport
	if b.Data != "" {
		report, err = server.BackupStopped(c.Context(), b.Data, to, open)
	} else {
		report, err = askBackup(c, lines, open)
	}
	if err != nil {
		return nil, err
	}
	for _, kind := range []backup.Kind{backup.Vault, backup.Log} { // who sees the log's finds the vault's
		if err := parts[kind].finish(names[kind]); err != nil {
			return nil, err
		}
	}
	report.Log.Name, report.Vault.Name = names[backup.Log], names[backup.Vault]
	return report, nil
}

// outPlace returns where a file goes that a flag names. A directory is no file: in it the
// file has another name.
func outPlace(flag, name, inDir string) (string, error) {
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		name = filepath.Join(name, inDir)
	}
	if err := files.CheckOut(flag, name); err != nil {
		return "", err
	}
	if _, err := os.Lstat(name); err == nil {
		return "", exit.Usage(fmt.Errorf("%s: %s is there already, and no backup is overwritten: name a new file", flag,
			name))
	}
	return name, nil
}

// readRecipients returns those that flags name, and their lines.
//
// Without any the server says who reads its backups, if it was told.
func readRecipients(list, from []string) (to []age.Recipient, lines string, err error) {
	var all strings.Builder
	for n, r := range list {
		all.WriteString(r + "\n")
		if _, err := age.ParseRecipients(strings.NewReader(r)); err != nil { // it may be a secret key
			return nil, "", exit.Usage(fmt.Errorf("--recipient: number %d is none: want one as in age1..., "+
				"which consentledger backup new-identity and age-keygen print", n+1))
		}
	}

	for _, name := range from {
		text, err := files.ReadOwnFile(name, files.MaxKeyFile)
		if err != nil {
			return nil, "", files.Unread("--recipients-file", err)
		}
		if _, err := age.ParseRecipients(strings.NewReader(string(text))); err != nil {
			return nil, "", exit.Usage(fmt.Errorf("--recipients-file: %s: %w; want one recipient a line, as "+
				"consentledger backup new-identity prints it", name, err))
		}
		all.WriteString(string(text) + "\n")
	}

	if all.Len() == 0 {
		return nil, "", nil
	}

	to, err = age.ParseRecipients(strings.NewReader(all.String()))
	return to, all.String(), err
}
