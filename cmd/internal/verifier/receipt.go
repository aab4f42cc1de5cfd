package verifier

import (
	"fmt"
	"strings"

	"consentledger/api/audit/receipt"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/files"
	"consentledger/domain"

	"github.com/spf13/cobra"
)

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
