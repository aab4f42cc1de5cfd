package main

import (
	"consentledger/api/auth/session"
	"consentledger/cmd/internal/output"
	"consentledger/cmd/internal/remote"

	"github.com/spf13/cobra"
)

func newAccessSession() *cobra.Command {
	c := &cobra.Command{
		Use:   "session",
		Short: "Who is signed in by a browser",
		Args:  cobra.NoArgs,
		Long: `Who is signed in by a browser, where serve has --authenticate.

A session ends when it was not used for 30 minutes, and after 8 hours at most; one that was
begun at an identity provider after an hour. It ends at once when its key is revoked, or its
group loses its role in the file of roles. See docs/access.md.`,
	}
	c.AddCommand(newSessionList(), newSessionEnd())
	return c
}

func newSessionList() *cobra.Command {
	c := &cobra.Command{
		Use: "list", Short: "List who is signed in, by the names that records have for them", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			answer, err := remote.Get(c, "/v1/access/sessions")
			if err != nil {
				return err
			}
			return output.List(c, answer, "sessions", "principal", "way", "begun", "seen", "ends")
		},
	}
	output.Flag(c)
	return c
}

func newSessionEnd() *cobra.Command {
	c := &cobra.Command{
		Use: "end PRINCIPAL", Short: "Sign somebody out everywhere", Args: cobra.ExactArgs(1),
		Long: `Sign somebody out of every browser, in every process of the ledger, at once.

They can sign in again: who is to stay out has their key revoked (access key revoke), or
their role taken away, too.`,
		Example: "  consentledger access session end p-abcdefghijkl",
		RunE: func(c *cobra.Command, args []string) error {
			return remote.PostOne(c, "/v1/access/sessions/end", session.EndRequest{Principal: args[0]},
				"principal", "ended")
		},
	}
	output.Flag(c)
	return c
}

func newAccessMe() *cobra.Command {
	c := &cobra.Command{
		Use: "me", Short: "Say whose key is shown, and what it is for", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return remote.ShowOne(c, "/v1/access/me", "principal", "bindings", "may")
		},
	}
	output.Flag(c)
	return c
}
