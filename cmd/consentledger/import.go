package main

import (
	"fmt"
	"strings"

	"consentledger/api/imports"
	"consentledger/cmd/internal/commandline"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/importer"

	"github.com/spf13/cobra"
)

func newImport() *cobra.Command {
	var in importer.Import
	c := &cobra.Command{
		Use: "import FILE", Short: "Bring consents that are kept elsewhere: CSV or NDJSON, by a mapping of columns",
		Args: cobra.ExactArgs(1),
		Long: `Bring consents that are kept elsewhere: CSV or NDJSON, by a mapping of its columns
(docs/import.md). First the whole file is read; what is wrong with a row is printed as
a line of JSON, with the row's number and what would be right, and nothing is sent
while a row is wrong. With --dry-run that is all.

Then each person's oldest answer comes first. Running it again records nothing twice,
so what was interrupted is simply run again. What is imported is marked as imported;
its evidence is never stronger than that.`,
		Example: `  consentledger import show-preset fides > mapping.yaml                         # begin with what is there, and say what your purposes are
  consentledger import --app shop --mapping mapping.yaml --dry-run consents.csv
  consentledger import --app shop --mapping mapping.yaml consents.csv`,
		RunE: func(c *cobra.Command, args []string) error { return in.Run(c, args[0]) },
	}
	commandline.AppFlag(c, &in.App)
	f := c.Flags()
	f.StringVar(&in.Mapping, "mapping", "", "the file that says what the columns are")
	f.BoolVar(&in.DryRun, "dry-run", false, "say what is wrong with which row, and send nothing")
	f.BoolVar(&in.Offline, "offline", false, "with --dry-run: do not ask the server what the app's policies declare")
	f.BoolVar(&in.SkipBad, "skip-bad", false, "import the other rows where some are wrong")
	f.StringVar(&in.Without, "without", "",
		"a file with the ids of persons who are left out, one a line: your list of erased persons")
	f.StringVar(&in.FilteredBy, "filtered-by", "",
		"who says that no erased person is in the file, as in operator:ann; needed once anybody was erased from "+
			"the app")
	c.MarkFlagRequired("mapping")
	c.AddCommand(newImportPreset())
	return c
}

func newImportPreset() *cobra.Command {
	names := strings.Join(imports.Presets(), ", ")
	return &cobra.Command{
		Use: "show-preset NAME", Aliases: []string{"preset"}, Short: "Print a mapping to begin with: " + names,
		Args: cobra.ExactArgs(1), ValidArgs: imports.Presets(),
		Example: "  consentledger import show-preset fides > mapping.yaml",
		RunE: func(c *cobra.Command, args []string) error {
			text, has := imports.Preset(args[0])
			if !has {
				return exit.NotFound(fmt.Errorf("no preset of that name; there are: %s", names))
			}
			_, err := c.OutOrStdout().Write(text)
			return err
		},
	}
}
