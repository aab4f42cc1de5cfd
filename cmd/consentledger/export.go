package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"consentledger/api/audit"
	"consentledger/api/audit/bundle"
	"consentledger/projections/transparency/merkle"

	"github.com/spf13/cobra"
)

// An exported is what export's flags say.
type exported struct {
	app, subject, from, to, lang, file string
	disclose                           bool
}

func newExport() *cobra.Command {
	var x exported
	c := &cobra.Command{
		Use:   "export",
		Short: "Take evidence away: records with their proofs, in a file that verifies offline",
		Long: `Write an evidence bundle: records as they were stored, the proof of each, the
policy texts and screens that they name, and a report for reading. Of an app it is
the whole log, with --from and --to a span of recording times, with --subject one
person. Personal texts stay sealed, and the bundle commits to them, unless
--disclose opens them: those of the person, or of everybody.

Verify it with: consentledger verify bundle FILE --key KEY`,
		Example: `  consentledger export --app smartkey --out smartkey.zip
  consentledger export --app smartkey --subject account:user-2 --disclose --lang zh --out dispute.zip`,
		Args: cobra.NoArgs,
		RunE: x.run,
	}
	f := c.Flags()
	f.StringVar(&x.app, "app", "", "the app")
	f.StringVar(&x.subject, "subject", "", "only this person: account:ID, device:ID or ID")
	f.StringVar(&x.from, "from", "", "only what was recorded at this time (RFC 3339) or later")
	f.StringVar(&x.to, "to", "", "only what was recorded before this time")
	f.StringVar(&x.lang, "lang", "en", "the report's language: en or zh")
	f.StringVar(&x.file, "out", "", "the file to write")
	f.BoolVar(&x.disclose, "disclose", false, "open the personal texts")
	c.MarkFlagRequired("app")
	c.MarkFlagRequired("out")
	return c
}

func (x *exported) run(c *cobra.Command, _ []string) error {
	ask, err := json.Marshal(map[string]any{"subject": x.subject, "from": x.from, "to": x.to, "disclose": x.disclose, "lang": x.lang})
	if err != nil {
		return err
	}
	in, err := open(c.Context(), c, http.MethodPost, "/v1/apps/"+url.PathEscape(x.app)+"/export", "application/json", ask)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(x.file+".part", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	n, err := io.Copy(out, in)
	if closed := out.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(x.file+".part", x.file)
	}
	if err != nil {
		os.Remove(x.file + ".part")
		return err
	}
	_, err = fmt.Fprintf(c.OutOrStdout(), "%s: %d bytes; verify it with: consentledger verify bundle %s --key KEY\n", x.file, n, x.file)
	return err
}

func newVerifyBundle() *cobra.Command {
	var key, origin, against, app string
	c := &cobra.Command{
		Use:   "bundle FILE",
		Short: "Check an evidence bundle offline",
		Long: `Check an evidence bundle offline: every file, the signed checkpoint, every
record's proof and every personal text that it shows. With --against, a log's URL
or directory, also that no record was left out of what the bundle says it has.
Ends with exit code 7 and what is wrong first.`,
		Example: `  consentledger verify bundle smartkey.zip --key "$(cat smartkey.vkey)"
  consentledger verify bundle dispute.zip --key smartkey.vkey --against http://127.0.0.1:8080/log/smartkey`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			v, origin, err := verifierOf(key, origin)
			if err != nil {
				return err
			}
			f, err := os.Open(args[0])
			if err != nil {
				return err
			}
			defer f.Close()
			info, err := f.Stat()
			if err != nil {
				return err
			}
			b, err := bundle.Verify(f, info.Size(), v, origin)
			if err != nil {
				return notAuthentic{fmt.Errorf("%s: %w", args[0], err)}
			}
			tellBundle(c.OutOrStdout(), b)
			if against == "" {
				return nil
			}
			if err := compare(c, b, logToVerify{app: app}, against); err != nil {
				return err
			}
			_, err = fmt.Fprintln(c.OutOrStdout(), "complete: the log has no other record of what was selected")
			return err
		},
	}
	f := c.Flags()
	f.StringVar(&key, "key", "", "the log's verifier key, or a file that holds it")
	f.StringVar(&origin, "origin", "", "the log's origin (default: the key's name)")
	f.StringVar(&against, "against", "", "the log that it must be complete against: its URL, its directory, or a data directory with --app")
	f.StringVar(&app, "app", "", "the app whose log it is, of a data directory")
	c.MarkFlagRequired("key")
	return c
}

// tellBundle says what a bundle that verified is.
func tellBundle(out io.Writer, b *bundle.Opened) {
	m := b.Manifest
	about := "the log of " + string(m.Selection.App)
	if m.Selection.Subject != "" {
		about = "person " + m.Selection.Subject + " in " + about
	}
	fmt.Fprintf(out, "authentic: %d records of %s, %d personal texts shown, in a tree of %d records, root %s, signed as %s\n",
		len(b.Indexes), about, b.Parts, b.Checkpoint.Size, b.Checkpoint.Root, b.Checkpoint.Origin)
	for _, s := range m.Linked {
		fmt.Fprintf(out, "linked, and not in here: %s\n", s)
	}
}

// compare holds a bundle against a log.
func compare(c *cobra.Command, b *bundle.Opened, v logToVerify, at string) error {
	source, at, err := v.source(c, at)
	if err != nil {
		return err
	}
	var broken error
	err = b.Against(func(t merkle.Tile) ([]byte, error) {
		files, err := source.Read(c.Context(), merkle.Path(t))
		if err != nil {
			broken = err
			return nil, err
		}
		return files[0], nil
	})
	switch {
	case broken != nil:
		return fmt.Errorf("%s: %w", at, broken)
	case err != nil:
		return notAuthentic{fmt.Errorf("%s: %w", at, err)}
	}
	return nil
}

// exporter makes bundles of what this house keeps.
func (h *house) exporter() *audit.Exporter {
	return &audit.Exporter{
		Logs: h.logs, Ledger: h.dir.ledger, Blobs: h.dir.blobs, Now: time.Now, Log: h.log,
		Software: bundle.Software{Version: version, SHA256: ownHash()},
	}
}

// ownHash returns the SHA-256 of this program's file; empty if it cannot be
// read.
func ownHash() string {
	name, err := os.Executable()
	if err != nil {
		return ""
	}
	f, err := os.Open(filepath.Clean(name))
	if err != nil {
		return ""
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return ""
	}
	return hex.EncodeToString(h.Sum(nil))
}
