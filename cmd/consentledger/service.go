package main

import (
	"strings"

	"consentledger/cmd/internal/recording"

	"github.com/spf13/cobra"
)

func newService() *cobra.Command {
	c := &cobra.Command{
		Use: "service", Short: "The end of an app's service: decide, notify, cease, delete",
		Long: `The end of an app's service. The policy says how long before it persons are told;
the end is refused before that.`,
	}
	c.AddCommand(
		newServiceStep("decide", "Record that the service will end, and when", "cessation.decided",
			flag{"effective", "the first day without it, as in 2027-03-01", true},
			flag{"too-late", `"yes": it ends on that day although the notice that is promised cannot run any more`,
				false}),
		newServiceStep("notify", "Record that persons were told that it ends", "cessation.notified",
			flag{"channel", "by which channel, as in push", true},
			flag{"how", "one by one, or by announcement: a public text", true},
			flag{"persons", "how many were told", false}),
		newServiceStep("stop-collecting", "Record that nothing is collected any more", "collection.stopped"),
		newServiceStep("cease", "Record that the service is over: nothing is processed any more", "service.ceased",
			flag{"reason", "why, by a code", true}),
		newServiceStep("delete", "Record that after the end the data were deleted or made anonymous",
			"cessation.deleted", flag{"method", "how: a public text", true}),
	)
	return c
}

// A flag is a member of what a step says.
type flag struct {
	name, usage string
	required    bool
}

func newServiceStep(use, short, kind string, flags ...flag) *cobra.Command {
	var t recording.Event
	c := &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs}
	t.Flags(c)
	for _, f := range flags {
		c.Flags().String(f.name, "", f.usage)
		if f.required {
			c.MarkFlagRequired(f.name)
		}
	}

	c.RunE = func(c *cobra.Command, _ []string) error {
		data := map[string]any{}
		if kind != "service.ceased" && kind != "cessation.notified" {
			data["service"] = t.App
		}
		for _, f := range flags {
			if v, _ := c.Flags().GetString(f.name); v != "" {
				data[strings.ReplaceAll(f.name, "-", "_")] = v
			}
		}
		return t.Record(c, kind, "", data)
	}
	return c
}
