// Package starters has the flags that choose a template of a policy or a surface.
package starters

import (
	"fmt"
	"strings"

	"consentledger/api/policyfile/starter"
	"consentledger/cmd/internal/commandline"
	"consentledger/cmd/internal/exit"
	"consentledger/domain/ident"

	"github.com/spf13/cobra"
)

// Flags gives a verb the flags that choose a template.
func Flags(c *cobra.Command, choice *starter.Choice) {
	commandline.AppFlag(c, &choice.App)
	c.Flags().StringVar(&choice.Law, "law", "eu", "whose law: "+strings.Join(starter.Laws, " or "))
	c.Flags().StringVar(&choice.Language, "language", "en",
		"the language of the texts and of the explanations: "+strings.Join(starter.Languages, " or "))
	c.RegisterFlagCompletionFunc("law", cobra.FixedCompletions(starter.Laws, cobra.ShellCompDirectiveNoFileComp))
	c.RegisterFlagCompletionFunc("language",
		cobra.FixedCompletions(starter.Languages, cobra.ShellCompDirectiveNoFileComp))
}

// Check refuses what no template is for.
func Check(choice starter.Choice) error {
	if _, err := ident.ParseAppName(choice.App); err != nil {
		return exit.Usage(fmt.Errorf("--app: %w", err))
	}
	if err := choice.Check(); err != nil {
		return exit.Usage(err)
	}
	return nil
}
