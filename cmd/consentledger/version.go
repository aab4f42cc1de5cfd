package main

import (
	"fmt"

	"consentledger/cmd/internal/buildinfo"

	"github.com/spf13/cobra"
)

// version and commit are stamped by the linker, as "make build" does it.
var version, commit string

func init() { buildinfo.Stamp(version, commit) }

func newVersion() *cobra.Command {
	return &cobra.Command{Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(c.OutOrStdout(), "consentledger", buildinfo.Version)
			return err
		}}
}
