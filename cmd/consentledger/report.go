package main

import (
	"net/url"
	"slices"

	"consentledger/api/report"
	"consentledger/api/rest"
	"consentledger/cmd/internal/commandline"
	"consentledger/cmd/internal/output"
	"consentledger/cmd/internal/remote"
	"consentledger/cmd/internal/reports"

	"github.com/spf13/cobra"
)

func newReport() *cobra.Command {
	c := &cobra.Command{Use: "report", Short: "What is owed by when, what was promised and kept, and the registers"}
	c.AddCommand(newReportDeadlines(), newReportLate(), newReportFeed(), newReportActivity(), newReportConsents(),
		newReportWho(), newReportMinors(), newReportAudit(), newReportRegister())
	return c
}

func newReportDeadlines() *cobra.Command {
	var app string
	var q rest.DeadlineQuery
	c := &cobra.Command{
		Use:   "deadlines",
		Short: "The deadline report: every obligation, when it is due, and how it stands",
		Long: "The deadline report: every obligation, when it is due, and how it stands. As csv, xlsx and ics it is " +
			"a file of all of it;\nas json it is one object with the obligations and the summary, as jsonl the " +
			"obligations alone.",
		Example: "  consentledger report deadlines --app smartkey --state overdue,at-risk\n" +
			"  consentledger report deadlines --app smartkey --known-at 2026-03-01T00:00:00Z -o xlsx > deadlines.xlsx",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			switch f := output.Form(c); f {
			case "csv", "xlsx", "ics":
				q.Format = f
				file, err := remote.Post(c, reports.DeadlinePath(app), q)
				if err != nil {
					return err
				}
				_, err = c.OutOrStdout().Write(file)
				return err
			}
			return reports.PrintDeadlines(c, app, q)
		},
	}
	reports.DeadlineFlags(c, &app, &q)
	output.ReportFlag(c)
	return c
}

func newReportLate() *cobra.Command {
	var app string
	var q rest.LateQuery
	c := &cobra.Command{
		Use:   "late-withdrawals",
		Short: "Every yes that was answered between the two times of a late withdrawal",
		Long: "Every yes that was answered between the moment at which a person withdrew and the moment at which the " +
			"ledger heard of it.\nIt was right by what was known; whoever acted on it processed without consent. " +
			"Answers are known as far as they are logged.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return remote.PostList(c, remote.App(app)+"/reports/late-withdrawals", q,
				"answered_after_withdrawal", report.LateColumns...)
		},
	}
	f := c.Flags()
	commandline.AppFlag(c, &app)
	f.StringVar(&q.Subject, "subject", "", "only of this person, as in user-1")
	f.StringVar(&q.Person, "person", "", "only of this pseudonym, as the report has it")
	f.StringVar(&q.KnownAt, "known-at", "", "as far as was known then, RFC 3339 (default: now)")
	f.StringVar(&q.Min, "min-position", "", "wait until the answer holds at least this position")
	output.Flag(c)
	return c
}

func newReportFeed() *cobra.Command {
	var app string
	c := &cobra.Command{
		Use:   "feed",
		Short: "Where calendar programs find an app's open deadlines",
		Long: `Where calendar programs find an app's open deadlines: replies to requests and what
incidents make owed; path_of_all has what follows from withdrawals and from the policy
as well. Whoever has the address can read the feed; it names no person. Give the
calendar program the path after the address under which the server is reached, as in
https://ledger.example.com/v1/apps/... To end every address that was given out, stop
the server, remove feed.key from its data directory, and start it again.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return remote.ShowOne(c, remote.App(app)+"/reports/feed", "app", "path", "path_of_all")
		},
	}
	commandline.AppFlag(c, &app)
	output.Flag(c)
	return c
}

func newReportActivity() *cobra.Command {
	var app string
	query := url.Values{}
	c := &cobra.Command{
		Use:   "activity",
		Short: "How much was recorded, by day or hour and type, and how much of it was voided since",
		Long: "How much was recorded, by day (UTC) and type, and how much of it was voided since. Persons who are " +
			"marked as tests are\nleft out, and the table ends with how many they are. With --by hour it is by the " +
			"hour, of at most 31 days.",
		Example: "  consentledger report activity --app smartkey --from 2026-03-01 --to 2026-04-01\n" +
			"  consentledger report activity --app smartkey --by hour --from 2026-03-02 --until 2026-03-02",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := reports.EndBefore(c); err != nil {
				return err
			}
			for flag, name := range map[string]string{"from": "from", "until": "until", "by": "by",
				"min-position": "min_position"} {
				commandline.SetIf(query, name, c.Flags().Lookup(flag).Value.String())
			}
			answer, err := remote.Get(c, remote.App(app)+"/activity?"+query.Encode())
			if err != nil {
				return err
			}
			if output.Form(c) == "json" {
				return output.One(c, answer)
			}
			rows, err := output.Member(answer, "days")
			if err != nil {
				return err
			}
			columns := []string{"day", "type", "count", "voided"}
			if query.Get("by") == "hour" {
				columns = slices.Insert(columns, 1, "hour")
			}
			if err := output.Rows(c, rows, columns...); err != nil || output.Form(c) != "table" {
				return err
			}
			return output.One(c, answer, "tests", "as_of")
		},
	}
	commandline.AppFlag(c, &app)
	c.Flags().String("from", "", "the first day, included, as in 2026-03-02 (default: the beginning)")
	c.Flags().String("to", "", "the day after the last one, not included (default: tomorrow)")
	c.Flags().String("until", "", "the last day, included, instead of --to")
	c.MarkFlagsMutuallyExclusive("to", "until")
	c.Flags().String("by", "", "count by day, or by hour (default day)")
	c.Flags().String("min-position", "", "wait until the answer holds at least this position")
	output.Flag(c)
	return c
}
