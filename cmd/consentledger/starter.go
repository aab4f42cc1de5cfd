package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"consentledger/api/policyfile/starter"
	"consentledger/cmd/internal/files"
	"consentledger/cmd/internal/starters"

	"github.com/spf13/cobra"
)

func newPolicyNew() *cobra.Command {
	var choice starter.Choice
	c := &cobra.Command{
		Use: "new [FILE]", Short: "Write a policy to begin with, and its text beside it", Args: cobra.MaximumNArgs(1),
		Long: `Write a policy to begin with, FILE (policy.yaml), and beside it the text that people
read. Every line is explained. Both can be published as they are, to try the ledger
out; before anybody real agrees to it, change what is not true of your app. No file
that is there already is written over.`,
		Example: `  consentledger policy new --app notes --handler "Notes Ltd" --law eu
  consentledger policy new --app notes --law cn --language zh-CN privacy.yaml`,
		RunE: func(c *cobra.Command, args []string) error {
			if err := starters.Check(choice); err != nil {
				return err
			}
			file := nameOr(args, "policy.yaml")
			text := strings.TrimSuffix(filepath.Base(file), filepath.Ext(file)) + "." + choice.Language + ".txt"
			policy, words := choice.Policy(text)
			if err := files.WriteNew(files.NewFile{Name: file, Text: policy},
				files.NewFile{Name: filepath.Join(filepath.Dir(file), text), Text: words}); err != nil {
				return err
			}
			handler := choice.Handler
			if handler == "" {
				handler = choice.App
			}
			_, err := fmt.Fprintf(c.OutOrStdout(), `wrote %s, and beside it %s, the text that people read
next:
  consentledger policy lint %s
  consentledger app add %s --handler %q --jurisdiction %s --time-zone %s --locales %s
  consentledger policy publish --app %s %s
`, file, text, file, choice.App, handler, choice.Jurisdiction(), choice.TimeZone(), choice.Language, choice.App, file)
			return err
		},
	}
	starters.Flags(c, &choice)
	c.Flags().StringVar(&choice.Handler, "handler", "", "who answers for the app (default: the app's name)")
	return c
}

func newSurfaceNew() *cobra.Command {
	var choice starter.Choice
	var text, certificate string
	c := &cobra.Command{
		Use: "new [FILE]", Short: "Write a surface to begin with: the sign-up screen of the policy that policy new " +
			"writes", Args: cobra.MaximumNArgs(1),
		Long: `Write a surface to begin with, FILE (surface.yaml): the sign-up screen that fits the
policy of "policy new" with the same flags. Every line is explained, and it can be
published as it is. Without --certificate a text that says that the build is not
signed is written beside it, and its hash stands where that of the certificate will.`,
		Example: `  consentledger surface new --app notes
  consentledger surface new --app notes --law cn --language zh-CN --text privacy.zh-CN.txt --certificate release.pem`,
		RunE: func(c *cobra.Command, args []string) error {
			if err := starters.Check(choice); err != nil {
				return err
			}
			file := nameOr(args, "surface.yaml")
			if text == "" {
				text = "policy." + choice.Language + ".txt"
			}
			var unsigned []files.NewFile
			if certificate == "" {
				certificate = "unsigned.txt"
				says := files.NewFile{Name: filepath.Join(filepath.Dir(file), certificate), Text: choice.Unsigned()}
				// another screen of the build
				if there, err := files.ReadOwnFile(says.Name, files.MaxPolicyFile); err != nil ||
					string(there) != says.Text {
					unsigned = append(unsigned, says)
				}
			}
			if err := files.WriteNew(append(unsigned,
				files.NewFile{Name: file, Text: choice.Surface(text, certificate)})...); err != nil {
				return err
			}
			said := "wrote " + file
			if len(unsigned) > 0 {
				said += ", and beside it " + unsigned[0].Name + ", in place of a certificate"
			}
			_, err := fmt.Fprintf(c.OutOrStdout(), "%s\nnext:\n  consentledger surface publish --app %s %s\n", said,
				choice.App, file)
			return err
		},
	}
	starters.Flags(c, &choice)
	c.Flags().StringVar(&text, "text", "",
		"the file with the text that the screen shows or leads to, in the folder of FILE (default: "+
			"policy.LANGUAGE.txt)")
	c.Flags().StringVar(&certificate, "certificate", "",
		"the file with the certificate that the build is signed with, in the folder of FILE (default: a text that "+
			"says that it is not signed)")
	return c
}

func nameOr(args []string, otherwise string) string {
	if len(args) == 1 {
		return args[0]
	}
	return otherwise
}
