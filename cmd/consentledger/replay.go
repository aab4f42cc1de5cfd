package main

import (
	"bufio"
	"errors"

	"consentledger/api/query"
	"consentledger/api/wire"
	"consentledger/cmd/internal/commandline"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/history"
	"consentledger/cmd/internal/output"

	"github.com/spf13/cobra"
)

func newReplay() *cobra.Command {
	var data string
	var check bool
	var r wire.ReplayRequest
	c := &cobra.Command{
		Use:   "replay",
		Short: "Stream history as NDJSON, oldest first",
		Long: `Stream history as NDJSON, oldest first: from the running server, or with --data
from the directory of a stopped one. Both give the same bytes.

The server records who replays, why and how many entries, before it shows any; say it
with --reason, --why and --by. These records are left out of a replay, unless --replays
or --type data.accessed asks for them. A directory is only looked at: nothing is
recorded, and it says so.

How somebody stood at any moment, as it was known at any other, tells: consentledger
state --valid-at --known-at; what changed between two: consentledger replay diff.

With --check every projection is built once more from the first record, beside
the live one and up to its position, and their tables are compared: a row for
each, and exit code 8 if one differs. Of the logs the roots are compared.`,
		Example: `  consentledger replay --app smartkey --subject user-1
  consentledger replay --data data --from 2026-03-01T00:00:00Z --to 2026-04-01T00:00:00Z --type consent.withdrawn
  consentledger replay --check --data data -o table`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if check {
				if r != (wire.ReplayRequest{}) {
					return exit.Usage(errors.New("--check compares all there is: it takes no app, person, type, time " +
						"or position"))
				}
				return history.Check(c, data)
			}
			if _, err := query.Selection(r); err != nil {
				return commandline.WrongFlag(err)
			}

			out := bufio.NewWriterSize(c.OutOrStdout(), 1<<16) // one write for each record takes longer than the record
			c.SetOut(out)
			p := output.NewPrinter(c, "position", "recorded", "at", "type", "stream", "event_id")
			err := history.Replay(c, data, r, p.Line)
			if err == nil {
				err = p.End()
			}
			return errors.Join(err, out.Flush())
		},
	}
	f := c.Flags()
	f.StringVar(&data, "data", "", "the data directory of a stopped server")
	f.StringVar(&r.App, "app", "", "only this app")
	f.StringVar(&r.Subject, "subject", "", "only this person, as in user-1 (needs --app)")
	f.StringVar(&r.Type, "type", "", "only this event type, as in consent.given, or several, separated by commas")
	f.StringVar(&r.From, "from", "", "begin with the first record of this time or later, RFC 3339")
	f.StringVar(&r.To, "to", "", "end before the first record of this time or later, RFC 3339")
	f.StringVar(&r.After, "after", "", "only what comes after this position")
	f.StringVar(&r.Before, "before", "", "only what comes before this position")
	f.BoolVar(&r.Hashes, "hashes", false, "also the hash that each record has in the log of its app")
	f.BoolVar(&r.Replays, "replays", false, "also the records of who replayed")
	history.AccessorFlags(c, &r.Accessor)
	f.BoolVar(&check, "check", false, "build every projection once more, and compare")
	output.FlagOr(c, "jsonl")
	c.AddCommand(newReplayDiff())
	return c
}
