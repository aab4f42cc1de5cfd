package main

import (
	"net/url"

	"consentledger/api/report/auditreport"
	"consentledger/api/wire"
	"consentledger/cmd/internal/commandline"
	"consentledger/cmd/internal/history"
	"consentledger/cmd/internal/remote"
	"consentledger/cmd/internal/reports"
	"consentledger/cmd/internal/server"

	"github.com/spf13/cobra"
)

func newReportAudit() *cobra.Command {
	var app, from, to string
	var who wire.Accessor
	query := url.Values{}
	c := &cobra.Command{
		Use:   "audit",
		Short: "The audit report: what was promised, what was kept, what was not, and how do I know",
		Long: `The audit report of an app and a span: what was promised, what was kept, what was
not, and how anybody can know. It is counted from the log, whose fingerprint is
derived again for it. It holds no personal data. That it was made is recorded.`,
		Example: `  consentledger report audit --app smartkey --from 2026-01-01T00:00:00Z --to 2026-07-01T00:00:00Z -o html --lang zh --out audit.html`,
		Args:    cobra.NoArgs,
	}
	write := reports.DocumentFlags(c, &app, query)
	c.Flags().StringVar(&from, "from", "",
		"begin with the first record of this time or later, RFC 3339 (default: the beginning)")
	c.Flags().StringVar(&to, "to", "", "end before the first record of this time or later, RFC 3339 (default: now)")
	history.AccessorFlags(c, &who)
	c.RunE = func(*cobra.Command, []string) error {
		commandline.SetIf(query, "from", from)
		commandline.SetIf(query, "to", to)
		err := remote.Waiting(c, server.ReadingAudit, func() error { return write("/reports/audit", who.Headers()...) })
		if err == nil {
			history.AskWhy(c, "", who)
		}
		return err
	}
	return c
}

func newReportRegister() *cobra.Command {
	var app, at string
	query := url.Values{}
	c := &cobra.Command{
		Use:       "register processing|recipients|assessments|retention",
		Short:     "A register that the law asks for, as of a moment",
		Example:   "  consentledger report register processing --app smartkey -o html --out processing.html",
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: auditreport.Registers,
	}
	write := reports.DocumentFlags(c, &app, query)
	c.Flags().StringVar(&at, "at", "", "how it stood then, RFC 3339 (default: now)")
	c.RunE = func(_ *cobra.Command, args []string) error {
		commandline.SetIf(query, "at", at)
		return write("/registers/" + args[0])
	}
	return c
}
