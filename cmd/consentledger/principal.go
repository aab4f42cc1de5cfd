package main

import (
	"net/http"
	"net/url"

	"consentledger/cmd/internal/output"
	"consentledger/cmd/internal/recording"
	"consentledger/cmd/internal/remote"

	"github.com/spf13/cobra"
)

// newAccessPrincipal returns the verbs about who a pseudonym is.
func newAccessPrincipal() *cobra.Command {
	c := &cobra.Command{
		Use: "principal", Short: "Who the pseudonyms in records are", Args: cobra.NoArgs,
		Long: `Who the pseudonyms in records are. Records name who recorded, proposed or approved by a
pseudonym (p-...). Its name stands beside the keys alone, and can be erased there.`,
	}
	c.AddCommand(
		principalVerb("show", "", http.MethodGet, "Show whose a pseudonym is; that somebody asked is recorded"),
		principalVerb("erase", "/erase", http.MethodPost,
			"Erase the name of a principal whose keys have all ended; the records stay"))
	return c
}

func principalVerb(verb, path, method, short string) *cobra.Command {
	c := &cobra.Command{
		Use: verb + " PSEUDONYM", Short: short, Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			answer, err := remote.Call(c, method, "/v1/access/principals/"+url.PathEscape(args[0])+path, "", nil)
			if err != nil {
				return err
			}
			return output.One(c, answer, "principal", "names")
		},
	}
	output.Flag(c)
	if method != http.MethodGet {
		recording.DryRunOf(c, "principal", "names")
	}
	return c
}
