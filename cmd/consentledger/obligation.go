package main

import (
	"consentledger/cmd/internal/recording"

	"github.com/spf13/cobra"
)

func newObligation() *cobra.Command {
	c := &cobra.Command{Use: "obligation", Short: "What is owed by a date"}
	c.AddCommand(obligationListCommand(), obligationShowCommand(), newObligationMeet(), newObligationVoid())
	return c
}

func newObligationMeet() *cobra.Command {
	var t recording.Event
	var evidence string
	c := &cobra.Command{
		Use: "meet STREAM OBLIGATION", Aliases: []string{"met"}, Short: "Record that what was owed was done",
		Long: `Record that what was owed was done. It counts from when it is recorded, unless a
document shows that it was done before: name it with --evidence.`,
		Example: "  consentledger obligation meet --app smartkey obligation-smartkey-0123456789abcdef " +
			"stop.crm.own.stop",
		Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			data := map[string]any{"stream": args[0], "obligation": args[1]}
			if err := recording.Evidence(data, evidence); err != nil {
				return err
			}
			return t.Record(c, "obligation.met", "", data)
		},
	}
	t.Flags(c)
	c.Flags().StringVar(&evidence, "evidence", "", "a document that shows it: its file, or its hash")
	return c
}

func newObligationVoid() *cobra.Command {
	var t recording.Event
	var reason string
	c := &cobra.Command{
		Use: "void STREAM OBLIGATION", Aliases: []string{"voided"},
		Short: "Record that nothing is owed any more, though nothing was done",
		Args:  cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			return t.Record(c, "obligation.voided", "",
				map[string]any{"stream": args[0], "obligation": args[1], "reason": reason})
		},
	}
	t.Flags(c)
	c.Flags().StringVar(&reason, "reason", "", "why, by a code")
	c.MarkFlagRequired("reason")
	return c
}
