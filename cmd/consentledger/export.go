package main

import (
	"consentledger/cmd/internal/evidence"
	"consentledger/cmd/internal/history"

	"github.com/spf13/cobra"
)

func newExport() *cobra.Command {
	var x evidence.Export
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
		RunE: func(c *cobra.Command, _ []string) error { return x.Write(c) },
	}
	f := c.Flags()
	f.StringVar(&x.App, "app", "", "the app")
	f.StringVar(&x.Ask.Subject, "subject", "", "only this person: account:ID, device:ID or ID")
	f.StringVar(&x.Ask.From, "from", "", "only what was recorded at this time (RFC 3339) or later")
	f.StringVar(&x.Ask.To, "to", "", "only what was recorded before this time")
	f.StringVar(&x.Ask.Lang, "lang", "en", "the report's language: en or zh")
	f.BoolVar(&x.Ask.Cosigned, "cosigned", false,
		"in the newest tree that a quorum of witnesses signed, with their signatures")
	f.StringVar(&x.File, "out", "", "the file to write")
	f.BoolVar(&x.Ask.Disclose, "disclose", false, "open the personal texts")
	f.StringSliceVar(&x.Ask.Events, "event", nil, "with --disclose: open only those of these records")
	f.StringSliceVar(&x.Ask.Roles, "role", nil, "with --disclose: open only those in these roles, as in details")
	history.AccessorFlags(c, &x.Ask.Accessor)
	c.MarkFlagRequired("app")
	c.MarkFlagRequired("out")
	return c
}
