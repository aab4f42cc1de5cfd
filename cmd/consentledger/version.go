package main

import (
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is stamped by the linker, or else what the build knows of itself.
var version string

func init() {
	if version == "" {
		version = builtVersion(debug.ReadBuildInfo())
	}
}

// builtVersion returns the module's version, or else the revision that was
// built, marked if it was changed.
func builtVersion(info *debug.BuildInfo, ok bool) string {
	if !ok {
		return "development"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	revision, changed := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision" && len(s.Value) >= 12:
			revision = s.Value[:12]
		case s.Key == "vcs.modified" && s.Value == "true":
			changed = "-dirty"
		}
	}
	if revision == "" {
		return "development"
	}
	return revision + changed
}

func newVersion() *cobra.Command {
	return &cobra.Command{Use: "version", Short: "Print the version", Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error {
		_, err := fmt.Fprintln(c.OutOrStdout(), "consentledger", version)
		return err
	}}
}
