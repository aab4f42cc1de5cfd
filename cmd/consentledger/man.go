package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"consentledger/cmd/internal/buildinfo"
	"consentledger/cmd/internal/files"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
	"github.com/spf13/pflag"
)

func newMan() *cobra.Command {
	return &cobra.Command{
		Use: "man DIR", Short: "Write the manual pages of all verbs into a directory", Args: cobra.ExactArgs(1),
		Long: `Write the manual pages of all verbs into a directory, one a verb, in section 1 as man reads
them. If SOURCE_DATE_EPOCH is set, the pages have that date, and are the same every time.`,
		Example: "  consentledger man /usr/local/share/man/man1",
		RunE: func(c *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return files.NamedBy("DIR", err)
			}
			root := newRoot()
			forMan(root)
			header := &doc.GenManHeader{Section: "1", Source: "consentledger " + buildinfo.Version,
				Manual: "Consent ledger"}
			if err := doc.GenManTree(root, header, args[0]); err != nil {
				return files.NamedBy("DIR", err)
			}
			pages, err := filepath.Glob(filepath.Join(args[0], "consentledger*.1"))
			if err == nil {
				_, err = fmt.Fprintf(c.OutOrStdout(), "wrote %d pages into %s; look at one: man -l %s\n", len(pages),
					args[0], filepath.Join(args[0], "consentledger.1"))
			}
			return err
		},
	}
}

// forMan writes the texts of a verb, and of those below it, as the generator of manual pages reads
// them: as Markdown, in which our indented lines are examples and nothing else is marked up. The
// generator does not sign the pages.
func forMan(c *cobra.Command) {
	c.DisableAutoGenTag = true
	c.Short, c.Long = markdown(c.Short), markdown(c.Long)
	for _, flags := range []*pflag.FlagSet{c.NonInheritedFlags(), c.InheritedFlags()} {
		flags.VisitAll(func(f *pflag.Flag) {
			if !strings.Contains(f.Usage, `\`) { // else it was written so for another verb
				f.Usage = markdown(f.Usage)
			}
		})
	}
	for _, sub := range c.Commands() {
		forMan(sub)
	}
}

var marks = strings.NewReplacer("<", `\<`, "*", `\*`)

func markdown(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, "  ") {
			lines[i] = "    " + line
		} else {
			lines[i] = marks.Replace(line)
		}
	}
	return strings.Join(lines, "\n")
}
