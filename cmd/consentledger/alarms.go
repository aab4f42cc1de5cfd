package main

import (
	"encoding/json"
	"fmt"

	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/output"
	"consentledger/cmd/internal/remote"

	"github.com/spf13/cobra"
)

func newAlarms() *cobra.Command {
	c := &cobra.Command{
		Use:   "alarms",
		Short: "What somebody must look at; exit code 9 if there is anything",
		Long: `What somebody must look at, although the ledger can answer: messages that could not
be taken and may be a withdrawal, and messages that NATS lost (rejected mark-seen, or
rejected retry, ends the alarm), streams that are not as they must be, an outbox that
cannot tell, a disk that is nearly full. The exit code is 9 if there
is an alarm, so that a cron job notices. /readyz stays green: it says whether the
ledger can answer.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			body, err := remote.Get(c, "/v1/alarms")
			if err != nil {
				return err
			}
			var list struct{ Alarms []json.RawMessage }
			if err := json.Unmarshal(body, &list); err != nil {
				return err
			}
			p := output.NewPrinter(c, "name", "app", "count", "since", "detail", "see")
			for _, row := range list.Alarms {
				if err := p.Row(row); err != nil {
					return err
				}
			}
			if err := p.End(); err != nil || len(list.Alarms) == 0 {
				return err
			}
			return exit.Alarm(fmt.Errorf("%d alarms: somebody must look", len(list.Alarms)))
		},
	}
	output.Flag(c)
	return c
}
