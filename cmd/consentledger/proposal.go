package main

import (
	"encoding/json"
	"fmt"
	"net/url"

	"consentledger/cmd/internal/commandline"
	"consentledger/cmd/internal/output"
	"consentledger/cmd/internal/recording"
	"consentledger/cmd/internal/remote"

	"github.com/spf13/cobra"
)

func newProposal() *cobra.Command {
	c := &cobra.Command{
		Use: "proposal", Short: "What takes two persons: approve, decline or withdraw it", Args: cobra.NoArgs,
		Long: `What takes two persons. Where serve has --authenticate, a void, an erasure, an exemption,
the rejection of a request, a disclosure and access to a minor's data are proposed by one
principal and approved by another with the role approver: two keys of one holder are one.
The verbs that record these (void, subject erase, request reject, record --operator)
propose them then, and say the id of the proposal.

A proposal expires after seven days. It holds for the state that it was made for: if what
it is about has changed so that the decision would be another one, it lapses, and is to be
proposed anew.`,
	}
	c.AddCommand(newProposalList(), newProposalShow(),
		newDecide("approve", "Approve what another principal proposed; it is recorded then"),
		newDecide("decline", "Decline what another principal proposed, for a reason"),
		newDecide("withdraw", "Take back what one proposed oneself"))
	return c
}

func newProposalList() *cobra.Command {
	var app, state, known string
	c := &cobra.Command{
		Use: "list", Short: "List the newest proposals of an app", Args: cobra.NoArgs,
		Example: "  consentledger proposal list --app smartkey --state open",
		RunE: func(c *cobra.Command, _ []string) error {
			query := url.Values{}
			commandline.SetIf(query, "state", state)
			commandline.SetIf(query, "known_at", known)
			answer, err := remote.Get(c, proposalsPath(app)+"?"+query.Encode())
			if err != nil {
				return err
			}
			var said struct{ Authenticated bool }
			if err := json.Unmarshal(answer, &said); err != nil {
				return err
			}
			if !said.Authenticated {
				fmt.Fprintln(c.ErrOrStderr(),
					"Nobody is authenticated here: two names as they are given (--by, approver) count as two "+
						"persons, and nothing is proposed.")
			}
			return output.List(c, answer, "proposals", recording.ProposalColumns...)
		},
	}
	commandline.AppFlag(c, &app)
	c.Flags().StringVar(&state, "state", "",
		"only those that are open, approved, done, declined, withdrawn, lapsed or expired")
	c.Flags().StringVar(&known, "known-at", "", "as they stood at this moment (RFC 3339), by what was known then")
	output.Flag(c)
	return c
}

func newProposalShow() *cobra.Command {
	var app, known string
	c := &cobra.Command{
		Use: "show ID", Short: "Show one proposal with the exact command; that somebody looked is recorded",
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			query := url.Values{}
			commandline.SetIf(query, "known_at", known)
			return remote.ShowOne(c, proposalsPath(app)+"/"+url.PathEscape(args[0])+"?"+query.Encode(),
				append([]string{"proposed"}, recording.ProposalColumns...)...)
		},
	}
	commandline.AppFlag(c, &app)
	c.Flags().StringVar(&known, "known-at", "", "as it stood at this moment (RFC 3339), by what was known then")
	output.Flag(c)
	return c
}

func newDecide(verb, short string) *cobra.Command {
	var app, reason string
	c := &cobra.Command{
		Use: verb + " ID", Short: short, Args: cobra.ExactArgs(1),
		Example: "  consentledger proposal " + verb + " --app smartkey --reason seen 0123456789abcdef0123",
		RunE: func(c *cobra.Command, args []string) error {
			body := map[string]string{}
			if reason != "" {
				body["reason"] = reason
			}
			return remote.PostOne(c, proposalsPath(app)+"/"+url.PathEscape(args[0])+"/"+verb, body,
				recording.ProposalColumns...)
		},
	}
	commandline.AppFlag(c, &app)
	c.Flags().StringVar(&reason, "reason", "", "why, in the clear; recorded")
	if verb == "decline" {
		commandline.Require(c, "reason")
	}

	output.Flag(c)
	recording.DryRun(c)
	return c
}

func proposalsPath(app string) string { return remote.App(app) + "/proposals" }
