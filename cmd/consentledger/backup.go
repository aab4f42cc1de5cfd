package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/files"
	"consentledger/cmd/internal/output"
	"consentledger/cmd/internal/remote"
	"consentledger/cmd/internal/server"
	"consentledger/eventstore/backup"
	"consentledger/eventstore/wholefile"

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
	var b backing
	c := &cobra.Command{
		Use:     "backup",
		Short:   "Write an encrypted backup of the log and the vault, also while the server runs",
		Long:    backupHelp,
		Example: backupExample,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			report, err := b.run(c)
			if err != nil {
				return err
			}
			return printBackup(c, report)
		},
	}
	f := c.Flags()
	f.StringVar(&b.log, "log", "", "the file to write the log to; in a directory it gets a name of its time")
	f.StringVar(&b.vault, "vault", "", "the file to write the vault to; in a directory it gets a name of its time")
	f.StringArrayVar(&b.recipients, "recipient", nil, "who can read it, as in age1...; more than once for more")
	f.StringArrayVar(&b.files, "recipients-file", nil, "a file with recipients, one a line; more than once for more")
	f.StringVar(&b.data, "data", "", "the data directory of a stopped server (default: ask the running one at --server)")
	output.Flag(c)
	c.MarkFlagRequired("log")
	c.MarkFlagRequired("vault")
	c.AddCommand(newBackupIdentity(), newBackupVerify())
	return c
}

// A backing is one call of backup.
type backing struct {
	log, vault, data  string
	recipients, files []string
}

// run writes both files, and gives them their names once both are whole.
func (b *backing) run(c *cobra.Command) (_ *server.BackupReport, err error) {
	to, lines, err := readRecipients(b.recipients, b.files)
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
	for kind, name := range map[backup.Kind]string{backup.Log: b.log, backup.Vault: b.vault} {
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
		return p, err
	}

	var report *server.BackupReport
	if b.data != "" {
		report, err = server.BackupStopped(c.Context(), b.data, to, open)
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
		return "", exit.Usage(fmt.Errorf("%s: %s is there already, and no backup is overwritten: name a new file", flag, name))
	}
	return name, nil
}

// A partFile is a file that is being written: it has its name once it is whole.
type partFile struct {
	*os.File
	kept bool
}

func newPart(name string) (*partFile, error) {
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".part-*") // for its owner alone
	if err != nil {
		return nil, err
	}
	return &partFile{File: f}, nil
}

// finish makes the file durable, and gives it its name unless somebody else has it.
func (p *partFile) finish(name string) error {
	if err := errors.Join(p.Sync(), p.Close()); err != nil {
		return err
	}
	if _, err := os.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(fmt.Errorf("%s was made by somebody else meanwhile", name), err)
	}
	if err := os.Rename(p.Name(), name); err != nil {
		return err
	}
	p.kept = true
	return wholefile.SyncDir(filepath.Dir(name))
}

// giveUp removes what has no name.
func (p *partFile) giveUp() error {
	if p == nil || p.kept {
		return nil
	}
	p.Close()
	return os.Remove(p.Name())
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
			return nil, "", server.Unread("--recipients-file", err)
		}
		if _, err := age.ParseRecipients(strings.NewReader(string(text))); err != nil {
			return nil, "", exit.Usage(fmt.Errorf("--recipients-file: %s: %w; want one recipient a line, as consentledger backup new-identity prints it", name, err))
		}
		all.WriteString(string(text) + "\n")
	}
	if all.Len() == 0 {
		return nil, "", nil
	}
	to, err = age.ParseRecipients(strings.NewReader(all.String()))
	return to, all.String(), err
}

// askBackup has the running server make the backup.
func askBackup(c *cobra.Command, lines string, open func(backup.Kind) (io.Writer, error)) (*server.BackupReport, error) {
	body, err := json.Marshal(server.BackupRequest{Recipients: lines})
	if err != nil {
		return nil, err
	}
	resp, err := remote.Send(c.Context(), c, http.MethodPost, "/v1/backup", "application/json", body)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
		if err != nil {
			return nil, err
		}
		return nil, exit.ProblemOf(resp.StatusCode, text)
	}
	_, params, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil || params["boundary"] == "" {
		return nil, errors.New("the server's answer is not a backup: is it of this version?")
	}
	report, err := readBackup(multipart.NewReader(resp.Body, params["boundary"]), open)
	if err != nil {
		return nil, fmt.Errorf("the server did not finish the backup, and nothing is kept of it: %w", err)
	}
	return report, nil
}

// readBackup reads both files and what the server says that it sent.
func readBackup(r *multipart.Reader, open func(backup.Kind) (io.Writer, error)) (*server.BackupReport, error) {
	got := map[backup.Kind]server.WrittenFile{}
	for _, kind := range []backup.Kind{backup.Log, backup.Vault} {
		p, err := nextPart(r, string(kind))
		if err != nil {
			return nil, err
		}
		w, err := open(kind)
		if err != nil {
			return nil, err
		}
		out := server.NewCounting(w)
		if _, err := io.Copy(out, p); err != nil {
			return nil, err
		}
		got[kind] = out.Written(backup.Total{})
	}

	p, err := nextPart(r, "report")
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(p, files.MaxOwnFile))
	if err != nil {
		return nil, err
	}
	report := new(server.BackupReport)
	if err := json.Unmarshal(text, report); err != nil {
		return nil, errors.New("what it says of them is no JSON")
	}
	if report.Log.Sum != got[backup.Log].Sum || report.Vault.Sum != got[backup.Vault].Sum {
		return nil, errors.New("what arrived is not what was sent")
	}
	return report, nil
}

func nextPart(r *multipart.Reader, name string) (*multipart.Part, error) {
	p, err := r.NextRawPart()
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err == nil && p.FormName() != name {
		err = fmt.Errorf("it sent %.20q, want %q", p.FormName(), name)
	}
	return p, err
}

// printBackup prints a row a file, and tells what is in neither.
func printBackup(c *cobra.Command, report *server.BackupReport) error {
	var rows []json.RawMessage
	for _, f := range []struct {
		kind backup.Kind
		file server.WrittenFile
	}{{backup.Log, report.Log}, {backup.Vault, report.Vault}} {
		row, err := json.Marshal(map[string]any{
			"kind": f.kind, "file": f.file.Name, "bytes": f.file.Bytes, "sha256": f.file.Sum, "records": f.file.Holds.Records,
			"rows": f.file.Holds.Rows, "position": report.Position, "id": report.ID,
		})
		if err != nil {
			return err
		}
		rows = append(rows, row)
	}
	if n := report.Unlooked; n > 0 {
		fmt.Fprintf(c.ErrOrStderr(), "%d rejected messages that may be an opt-out are in no backup, and nobody has looked at them: see consentledger rejected list\n", n)
	}
	return output.Rows(c, rows, "kind", "file", "bytes", "records", "rows", "position", "id")
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
