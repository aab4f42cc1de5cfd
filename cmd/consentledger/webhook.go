package main

import (
	"errors"
	"time"

	"consentledger/api/rest"
	"consentledger/cmd/internal/commandline"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/output"
	"consentledger/cmd/internal/recording"
	"consentledger/cmd/internal/remote"
	"consentledger/cmd/internal/webhooks"

	"github.com/spf13/cobra"
)

const webhookHelp = `Where an app is told by HTTP what becomes of consents.

Each event is a CloudEvent, signed by the convention of Standard Webhooks: a receiver in
any language checks it with a library of that name and the secret that add prints.
Events come in the order of the log, each at least once; what is not taken is sent again
with growing pauses. A webhook that fails 30 times in a row is paused, and is an alarm.

What is sent, and how a receiver looks in Go and Node: docs/webhooks.md.`

func newWebhook() *cobra.Command {
	c := &cobra.Command{
		Use: "webhook", Short: "Where an app is told by HTTP what becomes of consents", Long: webhookHelp,
		Args: cobra.NoArgs,
	}
	c.PersistentFlags().String("app", "", "whose webhook it is")
	c.MarkPersistentFlagRequired("app")
	c.AddCommand(newWebhookAdd(), newWebhookList(), newWebhookRotate(), newWebhookReplay(), newWebhookRemove(),
		webhookVerb("pause", "Send nothing until it is resumed"),
		webhookVerb("resume", "Go on where it stopped"))
	return c
}

func newWebhookAdd() *cobra.Command {
	var in rest.NewWebhook
	c := &cobra.Command{
		Use: "add URL", Short: "Add a webhook; its secret is printed this once", Args: cobra.ExactArgs(1),
		Example: `  consentledger webhook add --app shop https://shop.example.com/consents
  consentledger webhook add --app shop https://shop.example.com/due --type obligation.overdue`,
		RunE: func(c *cobra.Command, args []string) error {
			in.URL = args[0]
			answer, err := webhooks.Post(c, in)
			if err != nil {
				return err
			}
			return webhooks.PrintSecret(c, answer)
		},
	}
	c.Flags().StringSliceVar(&in.Types, "type", nil,
		"what it is sent, as in consent.withdrawn or obligation.overdue (default: all of consents)")
	c.Flags().StringVar(&in.From, "after", "",
		"only what comes after this position; 0: the beginning of the log (default: what is recorded from now on)")
	commandline.AlsoNamed(c, "from", "after")
	output.FlagOr(c, "table")
	recording.DryRunOf(c, webhooks.Columns...)
	return c
}

func newWebhookList() *cobra.Command {
	c := &cobra.Command{
		Use: "list", Short: "List an app's webhooks, and how they do", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			path, err := webhooks.Path(c)
			if err != nil {
				return err
			}
			return remote.ShowList(c, path, "webhooks", webhooks.Columns...)
		},
	}
	output.Flag(c)
	return c
}

func newWebhookRotate() *cobra.Command {
	var overlap time.Duration
	c := &cobra.Command{
		Use: "rotate ID", Short: "Make another secret, printed this once; the older one signs as well for a while",
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if overlap < 0 || overlap%time.Hour != 0 {
				return exit.Usage(errors.New("--overlap: want whole hours, as in 24h; 0 ends the older secret at once"))
			}
			answer, err := webhooks.Post(c, rest.WebhookRotation{OverlapHours: int(overlap / time.Hour)}, args[0],
				"rotate")
			if err != nil {
				return err
			}
			return webhooks.PrintSecret(c, answer)
		},
	}
	c.Flags().DurationVar(&overlap, "overlap", 24*time.Hour, "for how long the older secret signs as well")
	output.FlagOr(c, "table")
	recording.DryRunOf(c, webhooks.Columns...)
	return c
}

func newWebhookReplay() *cobra.Command {
	var in rest.WebhookReplay
	c := &cobra.Command{
		Use: "replay ID", Short: "Send again what was recorded after a position", Args: cobra.ExactArgs(1),
		Long: `Send again what was recorded after a position, in order and with the same ids. Every event
names its position; --after 0 sends everything.`,
		RunE: func(c *cobra.Command, args []string) error {
			answer, err := webhooks.Post(c, in, args[0], "replay")
			if err != nil {
				return err
			}
			return output.One(c, answer, webhooks.Columns...)
		},
	}
	c.Flags().StringVar(&in.From, "after", "", "only what comes after this position; 0: the beginning of the log")
	c.MarkFlagRequired("after")
	commandline.AlsoNamed(c, "from", "after")
	output.Flag(c)
	recording.DryRunOf(c, webhooks.Columns...)
	return c
}

func newWebhookRemove() *cobra.Command {
	c := &cobra.Command{
		Use: "remove ID", Short: "Remove a webhook and its secrets", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			answer, err := webhooks.Post(c, nil, args[0], "remove")
			if err != nil {
				return err
			}
			return output.One(c, answer, "removed")
		},
	}
	output.Flag(c)
	recording.DryRunOf(c, "removed")
	return c
}

// webhookVerb returns a verb that does something with one webhook.
func webhookVerb(name, short string) *cobra.Command {
	c := &cobra.Command{
		Use: name + " ID", Short: short, Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			answer, err := webhooks.Post(c, nil, args[0], name)
			if err != nil {
				return err
			}
			return output.One(c, answer, webhooks.Columns...)
		},
	}
	output.Flag(c)
	recording.DryRunOf(c, webhooks.Columns...)
	return c
}
