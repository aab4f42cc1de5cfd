package main

import (
	"errors"
	"net/url"
	"strings"
	"time"

	"consentledger/api/auth"
	"consentledger/cmd/internal/accesskeys"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/output"
	"consentledger/cmd/internal/recording"
	"consentledger/cmd/internal/remote"

	"github.com/spf13/cobra"
)

func newAccess() *cobra.Command {
	key := &cobra.Command{
		Use:   "key",
		Short: "The keys by which apps and people are let in",
		Args:  cobra.NoArgs,
		Long: `The keys by which apps and people are let in, where serve has --authenticate.

A verb shows the key that is in ` + remote.KeyVariable + `, or in the file that
` + remote.KeyFileVariable + ` or --key-file names. There is no flag for the key itself: everybody
on a machine can read command lines.

Who may do what: docs/access.md.`,
	}
	key.AddCommand(newAccessNew(), newAccessList(), newAccessRotate(), newAccessRevoke())
	c := &cobra.Command{Use: "access", Short: "Who is let in, and may do what", Args: cobra.NoArgs}
	c.AddCommand(key, newAccessSession(), newAccessMe(), newAccessPrincipal())
	return c
}

func newAccessNew() *cobra.Command {
	var in auth.NewKeyRequest
	var data string
	c := &cobra.Command{
		Use:   "new",
		Short: "Issue a key; it is shown this once",
		Args:  cobra.NoArgs,
		Long: `Issue a key for somebody. It is shown this once, on standard output: the ledger keeps a
hash of it. That it was issued is recorded in the log of each app that it is for.

A group of apps (--app group:retail) stands for the apps that are registered with it
(app add --group) at the moment that something is asked for.

With --data the key is issued in the data directory of a stopped server: so the first
administrator gets one, or somebody who lost theirs.`,
		Example: `  consentledger access key new --name "shop back end" --role app-writer --app shop --days 90
  consentledger access key new --name "ann" --role administrator --all-apps --data data`,
		RunE: func(c *cobra.Command, _ []string) error {
			if only, _ := c.Flags().GetBool(remote.DryRunFlag); only && data != "" {
				return exit.Usage(errors.New("--dry-run asks a running server, and with --data there is none: " +
					"leave one of them out"))
			}
			if data != "" {
				return accesskeys.IssueOffline(c, data, in)
			}
			answer, err := remote.Post(c, "/v1/access/keys", in)
			if err != nil {
				return err
			}
			return accesskeys.Print(c, answer)
		},
	}
	f := c.Flags()
	f.StringVar(&in.Name, "name", "", "whose key it is, for people; it stands in no log")
	f.StringSliceVar(&in.Roles, "role", nil, "what its holder may do: "+strings.Join(accesskeys.RoleNames(), ", "))
	f.StringSliceVar(&in.Apps, "app", nil, "in which apps, or in which groups of apps, as in group:retail")
	f.BoolVar(&in.AllApps, "all-apps", false, "in all apps, also in those to come")
	f.StringVar(&in.Principal, "principal", "", "the pseudonym of who has a key already and gets another")
	f.IntVar(&in.Days, "days", 90, "after how many days it ends: 366 at most, an auditor's 31")
	f.StringVar(&data, "data", "",
		"the data directory of a stopped server, in which the key is issued without asking one")
	c.MarkFlagRequired("name")
	c.MarkFlagRequired("role")
	output.FlagOr(c, "table")
	recording.DryRunOf(c, accesskeys.Columns...)
	return c
}

func newAccessList() *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use: "list", Short: "List the keys, without their secrets", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			answer, err := remote.Get(c, "/v1/access/keys")
			if err != nil {
				return err
			}
			rows, err := output.Member(answer, "keys")
			if err != nil {
				return err
			}
			if !all {
				if rows, err = accesskeys.Good(rows); err != nil {
					return err
				}
			}
			return output.Rows(c, rows, accesskeys.Columns...)
		},
	}
	c.Flags().BoolVar(&all, "all", false, "also those that have ended or were revoked")
	output.Flag(c)
	return c
}

func newAccessRotate() *cobra.Command {
	var overlap time.Duration
	c := &cobra.Command{
		Use: "rotate ID", Short: "Issue a key in the place of another, which goes on for a while",
		Args: cobra.ExactArgs(1),
		Long: `Issue a key with the same roles in the same apps for the same principal. The older one
goes on for --overlap, so that its holder can change over without being locked out.`,
		RunE: func(c *cobra.Command, args []string) error {
			if overlap < 0 || overlap%time.Hour != 0 {
				return exit.Usage(errors.New("--overlap: want whole hours, as in 24h"))
			}
			in := auth.RotateRequest{OverlapHours: int(overlap / time.Hour)}
			answer, err := remote.Post(c, "/v1/access/keys/"+url.PathEscape(args[0])+"/rotate", in)
			if err != nil {
				return err
			}
			return accesskeys.Print(c, answer)
		},
	}
	c.Flags().DurationVar(&overlap, "overlap", 24*time.Hour, "for how long the older key goes on")
	output.FlagOr(c, "table")
	recording.DryRunOf(c, accesskeys.Columns...)
	return c
}

func newAccessRevoke() *cobra.Command {
	c := &cobra.Command{
		Use: "revoke ID", Short: "End a key at once", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return remote.PostOne(c, "/v1/access/keys/"+url.PathEscape(args[0])+"/revoke", nil, accesskeys.Columns...)
		},
	}
	output.Flag(c)
	recording.DryRunOf(c, accesskeys.Columns...)
	return c
}
