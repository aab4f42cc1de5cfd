package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"

	"consentledger/api/audit"
	"consentledger/api/audit/bundle"
	"consentledger/cmd/internal/files"
	"consentledger/cmd/internal/history"
	"consentledger/cmd/internal/remote"

	"github.com/spf13/cobra"
)

// An exported is what export's flags say.
type exported struct {
	app, file string
	ask       audit.ExportRequest
}

func newExport() *cobra.Command {
	var x exported
	c := &cobra.Command{
		Use:   "export",
		Short: "Take evidence away: records with their proofs, in a file that verifies offline",
		Long: `Write an evidence bundle: records as they were stored, the proof of each, the
policy texts and screens that they name, and a report for reading. Of an app it is
the whole log, with --from and --to a span of recording times, with --subject one
person, with the histories that are linked to theirs. Personal texts stay sealed,
and the bundle commits to them, unless --disclose opens them: those of the person,
or of everybody, or with --event and --role only some.

A text that a record names and the ledger does not have is named when the bundle is
made, in its report, and by whoever verifies it. The bundle of a span with nothing in
it says zero: what the app published before comes along and is not counted.

Who takes evidence away, and why, is recorded first; whoever opens personal texts
says it with --reason, --why and --by.

Verify it with: consentledger verify bundle FILE --key KEY`,
		Example: `  consentledger export --app smartkey --out smartkey.zip
  consentledger export --app smartkey --subject account:user-2 --disclose --reason dispute --why "the consent of March" --by "Li Na" --lang zh --out dispute.zip`,
		Args: cobra.NoArgs,
		RunE: x.run,
	}
	f := c.Flags()
	f.StringVar(&x.app, "app", "", "the app")
	f.StringVar(&x.ask.Subject, "subject", "", "only this person: account:ID, device:ID or ID")
	f.StringVar(&x.ask.From, "from", "", "only what was recorded at this time (RFC 3339) or later")
	f.StringVar(&x.ask.To, "to", "", "only what was recorded before this time")
	f.StringVar(&x.ask.Lang, "lang", "en", "the report's language: en or zh")
	f.BoolVar(&x.ask.Cosigned, "cosigned", false,
		"in the newest tree that a quorum of witnesses signed, with their signatures")
	f.StringVar(&x.file, "out", "", "the file to write")
	f.BoolVar(&x.ask.Disclose, "disclose", false, "open the personal texts")
	f.StringSliceVar(&x.ask.Events, "event", nil, "with --disclose: open only those of these records")
	f.StringSliceVar(&x.ask.Roles, "role", nil, "with --disclose: open only those in these roles, as in details")
	history.AccessorFlags(c, &x.ask.Accessor)
	c.MarkFlagRequired("app")
	c.MarkFlagRequired("out")
	return c
}

func (x *exported) run(c *cobra.Command, _ []string) error {
	file, err := files.PlaceOf("--out", x.file)
	if err != nil {
		return err
	}

	ask, err := json.Marshal(x.ask)
	if err != nil {
		return err
	}

	in, err := remote.Open(c.Context(), c, http.MethodPost, remote.App(x.app)+"/export", "application/json", ask)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(file+".part", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}

	n, err := io.Copy(out, in)
	if closed := out.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(file+".part", file)
	}
	if err != nil {
		os.Remove(file + ".part")
		return err
	}

	fmt.Fprintf(c.OutOrStdout(), "%s: %d bytes; verify it with: consentledger verify bundle %s --key KEY\n", x.file, n,
		x.file)
	return tellLacks(c, file)
}

// tellLacks names what a bundle lacks: its reader would find out, and too late.
func tellLacks(c *cobra.Command, file string) error {
	f, info, err := files.OpenPlain(file)
	if err != nil {
		return err
	}
	defer f.Close()
	m, err := bundle.ReadManifest(f, info.Size())
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	for _, hash := range m.Missing {
		fmt.Fprintf(c.ErrOrStderr(), "it lacks the text %s, which a record names and the ledger does not have\n", hash)
	}
	return nil
}
