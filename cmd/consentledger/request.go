package main

import (
	"strings"

	"consentledger/cmd/internal/files"
	"consentledger/cmd/internal/recording"
	"consentledger/cmd/internal/steps"
	"consentledger/domain/catalog"
	"consentledger/domain/request"

	"github.com/spf13/cobra"
)

func newRequest() *cobra.Command {
	c := &cobra.Command{Use: "request", Short: "What persons ask for, and what became of it"}
	c.AddCommand(newRequestOpen(), requestListCommand(), requestShowCommand(), requestRevealCommand())
	c.AddCommand(steps.Verbs(catalog.Request)...)
	return c
}

func newRequestOpen() *cobra.Command {
	var t recording.Event
	var subject, types, channel, purposes, policy, document, guardian string
	var authenticated bool
	c := &cobra.Command{
		Use:   "open",
		Short: "Take in a request of a person, a guardian, a relative or an authority",
		Long: `Take in a request. One message may ask for several things: every type opens its
clocks, and the earliest due date binds. A request to withdraw takes the consent
back at once. The receipt says the request's id.`,
		Example: `  consentledger request open --app smartkey --subject user-1 --types complaint,withdraw --channel email --text 'Stop this.'`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			data := map[string]any{"types": strings.Split(types, ","), "channel": channel}
			if purposes != "" {
				data["purposes"] = strings.Split(purposes, ",")
			}
			if policy != "" {
				data["policy"] = policy
			}
			if guardian != "" {
				data["guardian"] = guardian
			}
			if authenticated {
				data["authenticated"] = true
			}
			words, err := recording.Words(c, "text")
			if err != nil {
				return err
			}
			if words != "" {
				data["text"] = words
			}
			if document != "" {
				if data["document"], err = files.HashOf(document); err != nil {
					return files.NamedBy("--document", err)
				}
			}
			return t.Record(c, "request.received", subject, data, "request")
		},
	}
	t.Flags(c)
	f := c.Flags()
	f.StringVar(&subject, "subject", "",
		"who asks, as in user-1 or device:abc; left out: nobody that we know, as an authority")
	f.StringVar(&types, "types", "", "what is asked for, with commas: "+typeNames())
	f.StringVar(&channel, "channel", "", "how it came, as in email")
	f.StringVar(&purposes, "purposes", "", "of what is withdrawn, restricted or refused, with commas (default: all)")
	f.StringVar(&policy, "policy", "", "which policy's promises bind (default: the app's first)")
	f.String("text", "", "the person's words: sealed; - reads them from standard input")
	f.StringVar(&document, "document", "", "a letter: its file, or its hash")
	f.StringVar(&guardian, "guardian", "", "which verified guardian asks for the person, as in parent-1")
	f.BoolVar(&authenticated, "authenticated", false, "whoever asks was logged in: their identity is known")
	c.MarkFlagRequired("types")
	c.MarkFlagRequired("channel")
	return c
}

func typeNames() string {
	var names []string
	for _, t := range request.Types() {
		names = append(names, t.String())
	}
	return strings.Join(names, ", ")
}
