package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"consentledger/api/audit"
	"consentledger/api/audit/receipt"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/files"
	"consentledger/domain"

	"github.com/spf13/cobra"
)

func newReceipt() *cobra.Command {
	var app string
	var ask audit.ReceiptRequest
	c := &cobra.Command{
		Use:   "receipt EVENT",
		Short: "The receipt of a grant, a refusal or a withdrawal, with its proof, for the person",
		Long: `Print the receipt of what a person said, a grant, a refusal or a withdrawal: a
Consent Receipt 1.1 of the Kantara Initiative, or a consent record of ISO/IEC TS
27560 in JSON-LD. It says what kind of consent was given, what it does not cover and
why, what was refused in the same act, and where the person stands with each purpose
now: after a withdrawal the receipt of the grant says withdrawn. It carries the proof
that the record is in the log and, with --disclose, the person's own words. It is
there a second after the record. Verify it offline with: consentledger verify receipt`,
		Example: "  consentledger receipt --app smartkey 01234567-89ab-cdef-0123-456789abcdef --form iso27560 > receipt.json",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			ask.Event = args[0]
			text, err := callJSON(c, http.MethodPost, "/v1/apps/"+url.PathEscape(app)+"/receipts", ask)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%s\n", text)
			return err
		},
	}
	appFlag(c, &app)
	c.Flags().StringVar(&ask.Form, "form", receipt.Kantara, "kantara or iso27560")
	c.Flags().BoolVar(&ask.Disclose, "disclose", false, "with the person's own words; say who reads them and why")
	c.Flags().BoolVar(&ask.Cosigned, "cosigned", false, "in the newest tree that a quorum of witnesses signed, with their signatures")
	readerFlags(c, &ask.Reader)
	return c
}

func newVerifyReceipt() *cobra.Command {
	var t trust
	c := &cobra.Command{
		Use:   "receipt FILE",
		Short: "Check the receipt of a consent, a refusal or a withdrawal offline",
		Long: `Check offline that the record of a receipt was in the log when the log was signed,
and that the receipt is the one that follows from the record and from the policy
that the record names: every member is derived again. What must be believed is
listed as claimed: where the person stood when the receipt was made is the ledger's
word, for the record proves itself and nothing that came later. With --policy, also that the witnesses signed that it asks
for: whoever makes the receipt says --cosigned. Ends with exit code 7 if it is not so.`,
		Example: `  consentledger verify receipt receipt.json --key "$(cat smartkey.vkey)"`,
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			v, origin, err := t.verifier()
			if err != nil {
				return err
			}
			text, err := files.ReadPlain(c, "FILE", args[0], files.MaxReceipt)
			if err != nil {
				return err
			}
			r, err := receipt.Verify(text, v, origin)
			if err != nil {
				return exit.NotAuthentic(fmt.Errorf("%s: %w", args[0], err))
			}
			if err := t.witnessed(origin, r.Signed); err != nil {
				return exit.NotAuthentic(fmt.Errorf("%s: %w", args[0], err))
			}
			fmt.Fprintf(c.OutOrStdout(), "authentic: %s, recorded %s, is record %d of %d in the log %s%s\n",
				saidIn(r), r.Recorded, r.Index, r.Checkpoint.Size, r.Checkpoint.Origin, t.beyond())
			for _, short := range r.Short {
				fmt.Fprintf(c.OutOrStdout(), "does not count for %s\n", short)
			}
			if r.State == nil {
				fmt.Fprintln(c.OutOrStdout(), "it does not say what holds now: ask the ledger")
			}
			for _, claim := range r.Claims {
				fmt.Fprintf(c.OutOrStdout(), "claimed, and not shown: %s\n", claim)
			}
			return nil
		},
	}
	t.flags(c)
	return c
}

// saidIn says what the record of a receipt is.
func saidIn(r *receipt.Verified) string {
	about := strings.Join(r.Purposes, ", ")
	if r.All {
		about = "everything"
	}
	switch {
	case r.Answer != domain.Given && about != "":
		return fmt.Sprintf("consent %s by %s: %s", r.Answer, r.ID, about)
	case r.Answer != domain.Given:
		return fmt.Sprintf("consent %s by %s, for no purpose that is known", r.Answer, r.ID)
	case about == "":
		return "consent " + r.ID + " to nothing, since it does not count"
	}
	return "consent " + r.ID + " to " + about
}
