package main

import (
	"fmt"
	"net/url"

	"consentledger/cmd/internal/commandline"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/output"
	"consentledger/cmd/internal/reports"

	"github.com/spf13/cobra"
)

// overTimeFlags are members of the query of answers over time.
var overTimeFlags = []struct{ name, usage string }{
	{"by", "answers over time by purpose, version, screen, language or build"},
	{"purpose", "with --by: only answers that name it, or everything"},
	{"version", "with --by: only answers to this version of a policy, sha256:..."},
	{"screen", "with --by: only answers on this screen"},
	{"language", "with --by: only answers to a text in this language"},
	{"build", "with --by: only answers that this build of the app collected"},
	{"from", "with --by: the first day, as in 2026-03-02 (default: 29 days before the last one)"},
	{"until", "with --by: the last day, included, instead of --to"},
}

func newReportConsents() *cobra.Command {
	var app string
	var opposed bool
	var day string
	query := url.Values{}
	over := map[string]*string{}
	c := &cobra.Command{
		Use:   "consents",
		Short: "How many people stand where with each purpose, and how many answers were voided",
		Long: "How many people stand where with each purpose. Persons who are marked as tests are left out, and the " +
			"table ends with how\nmany they are and how many answers were voided. They stand there now: a consent " +
			"that ran out or grew stale since the person's\nlast event counts as expired or stale. Whether somebody " +
			"may, and what somebody must be asked, check and prompt tell.\nBelow it stands how many people said yes " +
			"themselves where a machine's signal, such as gpc, says no; --opposed lists who they are.\n" +
			"--by is what people answered over time instead, day by day, or week by week of more than 92 days.",
		Example: "  consentledger report consents --app smartkey\n" +
			"  consentledger report consents --app smartkey --opposed -o csv\n" +
			"  consentledger report consents --app smartkey --by build --purpose marketing --from 2026-03-01",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			commandline.SetIf(query, "min_position", c.Flags().Lookup("min-position").Value.String())
			if err := reports.EndBefore(c); err != nil {
				return err
			}
			for _, f := range overTimeFlags {
				if c.Flags().Changed(f.name) && *over["by"] == "" {
					return exit.Usage(fmt.Errorf("--%s: is for answers over time: say --by as well", f.name))
				}
				commandline.SetIf(query, f.name, *over[f.name])
			}
			if *over["by"] != "" {
				return reports.PrintOverTime(c, app, query)
			}
			commandline.SetIf(query, "day", day)
			if opposed {
				return reports.PrintOpposed(c, app, query)
			}
			return reports.PrintConsents(c, app, query)
		},
	}
	commandline.AppFlag(c, &app)
	c.Flags().BoolVar(&opposed, "opposed", false, "list the people who said yes where a machine's signal says no")
	for _, f := range overTimeFlags {
		over[f.name] = c.Flags().String(f.name, "", f.usage)
	}
	c.Flags().String("to", "", "with --by: the day after the last one, not included (default: tomorrow, in UTC)")
	c.MarkFlagsMutuallyExclusive("to", "until")
	c.MarkFlagsMutuallyExclusive("opposed", "by")
	c.Flags().StringVar(&day, "day", "", "where people stood at the end of this day in UTC, as in 2026-03-02, by what "+
		"was known then (default: now)")
	c.MarkFlagsMutuallyExclusive("day", "by", "opposed")
	c.Flags().String("min-position", "", "wait until the answer holds at least this position")
	output.Flag(c)
	return c
}
