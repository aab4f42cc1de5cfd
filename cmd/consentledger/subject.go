package main

import (
	"fmt"
	"net/http"
	"net/url"

	"consentledger/api/rest"

	"github.com/spf13/cobra"
)

func newSubject() *cobra.Command {
	c := &cobra.Command{Use: "subject", Short: "A person as a whole: erase them"}
	c.AddCommand(newSubjectErase())
	return c
}

func newSubjectErase() *cobra.Command {
	var app string
	var e rest.Erasure
	c := &cobra.Command{
		Use:   "erase",
		Short: "Erase a person; it cannot be undone",
		Long: `Erase a person: the key of their personal texts, the texts, and the outside ids
that lead to them. What was recorded stays, says nothing about anybody any more, and
verifies as before; so do receipts and bundles that were handed out. Two persons
order it. A legal hold stands above it. Who comes back is somebody new.`,
		Example: "  consentledger subject erase --app smartkey --subject user-2 --reason subject-request --by officer --by second",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			answer, err := callJSON(c, http.MethodPost, "/v1/apps/"+url.PathEscape(app)+"/subjects/erase", e)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(c.OutOrStdout(), string(answer))
			return err
		},
	}
	appFlag(c, &app)
	f := c.Flags()
	f.StringVar(&e.Subject, "subject", "", "the person, as in user-1 or device:abc")
	f.StringVar(&e.Reason, "reason", "", "a code, as in subject-request; kept in the clear")
	f.StringSliceVar(&e.By, "by", nil, "a principal who orders it; twice; kept in the clear")
	f.StringVar(&e.Evidence, "evidence", "", "sha256:... of the request or the decision")
	f.StringVar(&e.ID, "id", "", "names the order, so that asking again is the same one (default: random)")
	for _, name := range []string{"subject", "reason", "by"} {
		c.MarkFlagRequired(name)
	}
	return c
}
