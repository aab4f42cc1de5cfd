package verifier

import (
	"fmt"
	"io"

	"consentledger/api/audit"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/files"

	"github.com/spf13/cobra"
)

func newVerifyKeptProof() *cobra.Command {
	var t trust
	c := &cobra.Command{
		Use:   "kept-proof FILE",
		Short: "Check an opened proof of somebody who is erased, offline",
		Long: `Check offline every text of a proof that kept-proof open gave: its record was in the log when the
log was signed, is of the person whom the file names, and commits to the text, which only the
key in the file opens. Key and origin are what you knew before. A line says of each whether it
is so; if one is not, it ends with exit code 7.

The file names the person, and this does not print what is in it. Who decided to disclose it,
and whether the person said more, the file does not show: the log does.`,
		Example: `  consentledger verify kept-proof opened.json --key "$(cat smartkey.vkey)"`,
		Args:    cobra.ExactArgs(1),
		RunE:    func(c *cobra.Command, args []string) error { return verifyKeptProof(c, args[0], t) },
	}
	t.flags(c)
	return c
}

func verifyKeptProof(c *cobra.Command, file string, t trust) error {
	v, origin, err := t.verifier()
	if err != nil {
		return err
	}
	text, err := files.ReadPlain(c, "FILE", file, audit.MaxOpened)
	if err != nil {
		return err
	}
	opened, err := audit.ParseOpened(text)
	if err != nil {
		return exit.NotAuthentic(fmt.Errorf("%s: %w", file, err))
	}

	wrong, out := 0, c.OutOrStdout()
	parts := opened.Verify(v, origin)
	for i, p := range parts {
		if p.Wrong == nil {
			p.Wrong = t.witnessed(origin, p.Signed)
		}
		if p.Wrong != nil {
			wrong++
		}
		if err := tellPart(out, i+1, p); err != nil {
			return err
		}
	}
	if wrong > 0 {
		return exit.NotAuthentic(fmt.Errorf("%s: %d of %d texts are not shown by the log", file, wrong, len(parts)))
	}

	fmt.Fprintf(c.ErrOrStderr(), "signed by %s (%08x)%s\n", v.Name(), v.KeyHash(), t.beyond())
	if _, err := fmt.Fprintf(out, "all %d texts are of person %s of %s, in the log %s\n", len(parts), opened.Person,
		opened.App, origin); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "claimed, and not shown: that %s was decided to disclose it to %s, and that the person "+
		"said nothing else\n", opened.Disclosure, opened.To)
	if err != nil || len(opened.Lost) == 0 {
		return err
	}
	_, err = fmt.Fprintf(out, "claimed, and not shown: that the words of %d more records could not be read when the "+
		"person was erased\n", len(opened.Lost))
	return err
}

// tellPart says of one text whether it is shown.
func tellPart(out io.Writer, n int, p audit.PartVerified) error {
	if p.Wrong != nil {
		_, err := fmt.Fprintf(out, "%d  not authentic  %s of event %s: %v\n", n, p.Role, p.Event, p.Wrong)
		return err
	}
	_, err := fmt.Fprintf(out, "%d  authentic      %s of event %s: %s, recorded %s, record %d of %d\n",
		n, p.Role, p.Event, p.Kind, p.Recorded, p.Index, p.Log.Size)
	return err
}
