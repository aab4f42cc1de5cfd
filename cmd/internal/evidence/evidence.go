// Package evidence takes an evidence bundle from the running server into a file, and names what
// the bundle lacks: its reader would find out, and too late.
package evidence

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"

	"consentledger/api/audit"
	"consentledger/api/audit/bundle"
	"consentledger/cmd/internal/files"
	"consentledger/cmd/internal/progress"
	"consentledger/cmd/internal/remote"

	"github.com/spf13/cobra"
)

// An Export says of which app a bundle is, what is in it, and where it is written.
type Export struct {
	App, File string
	Ask       audit.ExportRequest
}

// Write asks for the bundle and writes it. The file has its name once it is whole.
func (x Export) Write(c *cobra.Command) error {
	file, err := files.PlaceOf("--out", x.File)
	if err != nil {
		return err
	}

	ask, err := json.Marshal(x.Ask)
	if err != nil {
		return err
	}

	in, err := remote.Open(c.Context(), c, http.MethodPost, remote.App(x.App)+"/export", "application/json", ask)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(file+".part", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}

	n, err := io.Copy(out, io.TeeReader(in, progress.Bytes(c.ErrOrStderr(), "bundle", 0)))
	if closed := out.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(file+".part", file)
	}
	if err != nil {
		os.Remove(file + ".part")
		return err
	}

	fmt.Fprintf(c.OutOrStdout(), "%s: %d bytes; verify it with: consentledger verify bundle %s --key KEY\n", x.File, n,
		x.File)
	return tellLacks(c, file)
}

// tellLacks names what a bundle lacks: its reader would find out, and too late.
func tellLacks(c *cobra.Command, file string) error {
	f, info, err := files.OpenPlain(file)
	if err != nil {
		return err
	}
	defer f.Close()
	m, err := bundle.ReadManifest(f, info.Size())
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	for _, hash := range m.Missing {
		fmt.Fprintf(c.ErrOrStderr(), "it lacks the text %s, which a record names and the ledger does not have\n", hash)
	}
	return nil
}
