package main

import (
	"net/url"

	"consentledger/cmd/internal/commandline"
	"consentledger/cmd/internal/output"
	"consentledger/cmd/internal/policies"
	"consentledger/cmd/internal/remote"

	"github.com/spf13/cobra"
)

func newPolicyTrack() *cobra.Command {
	var app string
	query := url.Values{}
	c := &cobra.Command{
		Use: "track [VERSION]", Aliases: []string{"progress"},
		Short: "After a change: how many people agreed to a version, refused, or said nothing yet, and were asked",
		Args:  cobra.MaximumNArgs(1),
		Long: `After a change: where people stand with each purpose of a version (default: the one in
force; the app's first policy) that rests on consent. Everybody who ever said anything
about the purpose is counted once, and those who were asked again in one more column:

  agreed          to this version
  older           to an older version, and that holds still: what changed does not touch it
  waiting         to an older version that covers less: they are silent so far, or
                  refused what was added and keep what they had
  asked           of those waiting: they were shown a notice of this version or a newer
                  one, or asked for consent to the purpose while one was in force, since
                  they first spoke of it
  refused         or withdrew, since the version binds
  refused_before  or withdrew, before that
  other           their consent ran out, or what they said does not say enough`,
		Example: "  consentledger policy track --app smartkey",
		RunE: func(c *cobra.Command, args []string) error {
			version := ""
			if len(args) == 1 {
				version = args[0]
			}
			version, err := policies.InForceUnless(c, app, version)
			if err != nil {
				return err
			}
			commandline.SetIf(query, "day", c.Flags().Lookup("day").Value.String())
			commandline.SetIf(query, "min_position", c.Flags().Lookup("min-position").Value.String())
			answer, err := remote.Get(c,
				remote.App(app)+"/policies/"+url.PathEscape(version)+"/progress?"+query.Encode())
			if err != nil {
				return err
			}
			if output.Form(c) == "json" {
				return output.One(c, answer)
			}
			return output.List(c, answer, "progress", "purpose", "agreed", "older", "waiting", "asked",
				"refused", "refused_before", "other")
		},
	}
	commandline.AppFlag(c, &app)
	c.Flags().String("day", "", "at the end of this day in UTC, as in 2026-03-02, by what was known then (default: now)")
	c.Flags().String("min-position", "", "wait until the answer holds at least this position")
	output.Flag(c)
	return c
}
