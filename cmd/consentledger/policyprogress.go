package main

import (
	"encoding/json"
	"fmt"
	"net/url"

	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/output"
	"consentledger/cmd/internal/remote"

	"github.com/spf13/cobra"
)

func newPolicyTrack() *cobra.Command {
	var app string
	query := url.Values{}
	c := &cobra.Command{
		Use: "track [VERSION]", Aliases: []string{"progress"}, Short: "After a change: how many people agreed to a version, refused, or said nothing yet", Args: cobra.MaximumNArgs(1),
		Long: `After a change: where people stand with each purpose of a version (default: the one in
force; the app's first policy) that rests on consent. Everybody who ever said anything
about the purpose is counted once:

  agreed          to this version
  older           to an older version, and that holds still: what changed does not touch it
  waiting         to an older version that covers less: they are silent so far, or
                  refused what was added and keep what they had
  refused         or withdrew, since the version binds
  refused_before  or withdrew, before that
  other           their consent ran out, or what they said does not say enough`,
		Example: "  consentledger policy track --app smartkey",
		RunE: func(c *cobra.Command, args []string) error {
			version := ""
			if len(args) == 1 {
				version = args[0]
			}
			version, err := versionOr(c, app, version)
			if err != nil {
				return err
			}
			setIf(query, "min_position", c.Flags().Lookup("min-position").Value.String())
			answer, err := remote.Get(c, remote.App(app)+"/policies/"+url.PathEscape(version)+"/progress?"+query.Encode())
			if err != nil {
				return err
			}
			if output.Form(c) == "json" {
				return output.One(c, answer)
			}
			return output.List(c, answer, "progress", "purpose", "agreed", "older", "waiting", "refused", "refused_before", "other")
		},
	}
	appFlag(c, &app)
	c.Flags().String("min-position", "", "wait until the answer holds at least this position")
	output.Flag(c)
	return c
}

// versionOr returns a version, or the one of the app's first policy that is in force.
func versionOr(c *cobra.Command, app, version string) (string, error) {
	if version != "" {
		return version, nil
	}
	versions, err := versionsOf(c, app)
	if err != nil {
		return "", err
	}
	for _, v := range versions {
		if v.InForce {
			return v.Version, nil
		}
	}
	return "", exit.NotFound(fmt.Errorf("no version of a policy of this app is in force; see consentledger policy list"))
}

// A knownVersion is a version as policy list has it.
type knownVersion struct {
	Policy  string `json:"policy"`
	Version string `json:"version"`
	InForce bool   `json:"in_force"`
}

// versionsOf asks which versions there are.
func versionsOf(c *cobra.Command, app string) ([]knownVersion, error) {
	answer, err := remote.Get(c, remote.App(app)+"/policies")
	if err != nil {
		return nil, err
	}
	var known struct {
		Policies []knownVersion `json:"policies"`
	}
	err = json.Unmarshal(answer, &known)
	return known.Policies, err
}
