package verifier

import (
	"fmt"
	"time"

	"consentledger/api/audit/witness"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/files"
	"consentledger/cmd/internal/server"
	"consentledger/projections/transparency/merkle"

	"github.com/spf13/cobra"
)

func newVerifyTimestamp() *cobra.Command {
	var t trust
	var roots string
	c := &cobra.Command{
		Use:   "timestamp FILE",
		Short: "Check offline when a checkpoint was stamped",
		Long: `Check offline that a log signed FILE.checkpoint, and that an authority which comes
from --roots stamped it: FILE.tsr (RFC 3161). Prints the time. Ends with exit code 7
if either is not so.`,
		Example: `  consentledger verify timestamp stamp --key smartkey.vkey --roots roots.pem`,
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return verifyTimestamp(c, args[0], t, roots)
		},
	}
	t.flags(c)
	c.Flags().StringVar(&roots, "roots", "",
		"the certificates that the authority's must come from, as PEM (default: those that this machine trusts)")
	return c
}

func verifyTimestamp(c *cobra.Command, file string, t trust, rootsFile string) error {
	v, origin, err := t.verifier()
	if err != nil {
		return err
	}

	roots, err := server.RootsOf(rootsFile, files.ReadPlainFile)
	if err != nil {
		return exit.Usage(fmt.Errorf("--roots: %w", err))
	}

	signed, err := files.ReadPlainFile(file+".checkpoint", files.MaxStampFile)
	if err != nil {
		return files.OrNotFound(err)
	}

	response, err := files.ReadPlainFile(file+".tsr", files.MaxStampFile)
	if err != nil {
		return files.OrNotFound(err)
	}

	cp, err := merkle.Open(signed, v, origin)
	if err == nil {
		err = t.witnessed(origin, signed)
	}
	if err != nil {
		return exit.NotAuthentic(fmt.Errorf("%s.checkpoint: %w", file, err))
	}

	at, err := witness.VerifyStamp(c.Context(), signed, response, roots)
	if err != nil {
		return exit.NotAuthentic(fmt.Errorf("%s.tsr: %w", file, err))
	}

	_, err = fmt.Fprintf(c.OutOrStdout(), "authentic: the log %s had its first %d records, root %s, at %s\n", cp.Origin,
		cp.Size, cp.Root, at.Format(time.RFC3339))
	return err
}
