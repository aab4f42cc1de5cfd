package main

import (
	"encoding/json"
	"fmt"
	"net/url"

	"consentledger/api/wire"
	"consentledger/cmd/internal/commandline"
	"consentledger/cmd/internal/history"
	"consentledger/cmd/internal/output"
	"consentledger/cmd/internal/remote"

	"github.com/spf13/cobra"
)

func newRejected() *cobra.Command {
	rejected := &cobra.Command{Use: "rejected", Short: "Messages that could not be taken, kept sealed for 30 days"}
	rejected.AddCommand(newRejectedList(), newRejectedShow(), newRejectedRetry(), newRejectedSeen())
	return rejected
}

func newRejectedList() *cobra.Command {
	var day string
	c := &cobra.Command{Use: "list", Short: "List them, with the reasons", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			query := url.Values{}
			commandline.SetIf(query, "day", day)
			p := output.NewPrinter(c, "seq", "app", "at", "code", "path", "may_be_no", "seen", "why")
			for {
				body, err := remote.Get(c, "/v1/rejected?"+query.Encode())
				if err != nil {
					return err
				}
				var page struct {
					Rejected []json.RawMessage
					Next     string
				}
				if err := json.Unmarshal(body, &page); err != nil {
					return err
				}
				for _, row := range page.Rejected {
					if err := p.Row(row); err != nil {
						return err
					}
				}
				if page.Next == "" {
					return p.End()
				}
				query.Set("after", page.Next)
			}
		}}
	c.Flags().StringVar(&day, "day", "", "only those that were rejected on this day in UTC, as in 2026-03-02, as far "+
		"as they are kept")
	output.Flag(c)
	return c
}

func newRejectedShow() *cobra.Command {
	var raw bool
	var app string
	var accessor wire.Accessor
	c := &cobra.Command{
		Use: "show SEQ", Short: "Show one with what was sent, which may be personal: who reads it and why is recorded",
		Args:    cobra.ExactArgs(1),
		Example: `  consentledger rejected show 17 --reason incident --why "an app sends what we refuse" --by "Li Na"`,
		RunE: func(c *cobra.Command, args []string) error {
			query := url.Values{}
			commandline.SetIf(query, "app", app)
			body, err := remote.Get(c, rejectedPath(args[0], "?"+query.Encode()), accessor.Headers()...)
			if err != nil {
				return err
			}
			if !raw {
				return output.One(c, body, "seq", "app", "at", "code", "path", "text", "subject", "seen", "why")
			}
			var m struct{ Data []byte }
			if err := json.Unmarshal(body, &m); err != nil {
				return err
			}
			_, err = c.OutOrStdout().Write(m.Data)
			return err
		},
	}
	history.AccessorFlags(c, &accessor)
	c.Flags().StringVar(&app, "app", "",
		"of a message that was sent to no registered app: for which app it is read; the access is recorded with it")
	c.Flags().BoolVar(&raw, "raw", false, "print the bytes that were sent, and nothing else")
	output.FlagOr(c, "json")
	return c
}

func newRejectedRetry() *cobra.Command {
	return &cobra.Command{Use: "retry SEQ", Short: "Send one to the ledger again, unchanged", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			body, err := remote.Post(c, rejectedPath(args[0], "/retry"), nil)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(c.OutOrStdout(), string(body))
			return err
		}}
}

func newRejectedSeen() *cobra.Command {
	var why string
	c := &cobra.Command{Use: "mark-seen SEQ", Aliases: []string{"seen"},
		Short: "Say that somebody looked at one, and why it may rest", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			_, err := remote.Post(c, rejectedPath(args[0], "/seen"), map[string]string{"why": why})
			return err
		}}
	c.Flags().StringVar(&why, "why", "", "why it may rest; kept in the clear, so no personal data")
	c.MarkFlagRequired("why")
	return c
}

func rejectedPath(seq, verb string) string { return "/v1/rejected/" + url.PathEscape(seq) + verb }
