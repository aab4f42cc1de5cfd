package main

import (
	"fmt"
	"net/url"

	"consentledger/api/policyfile"
	"consentledger/cmd/internal/commandline"
	"consentledger/cmd/internal/files"
	"consentledger/cmd/internal/output"
	"consentledger/cmd/internal/publication"
	"consentledger/cmd/internal/recording"
	"consentledger/cmd/internal/remote"

	"github.com/spf13/cobra"
)

func newPolicy() *cobra.Command {
	policy := &cobra.Command{Use: "policy", Short: "Write, lint, publish and show policies"}
	policy.AddCommand(newPolicyNew(), newPolicyLint(), newPolicyPublish(), newPolicyList(), newPolicyShow(),
		newPolicyDiff(), newPolicyTrack())
	return policy
}

func newPolicyLint() *cobra.Command {
	c := &cobra.Command{Use: "lint FILE", Short: "Say what is wrong with a policy file, and what it leaves out",
		Args: cobra.ExactArgs(1), RunE: func(c *cobra.Command, args []string) error {
			file, err := files.ReadInput(c, "FILE", args[0], files.MaxPolicyFile)
			if err != nil {
				return err
			}
			failed := 0
			var rows []finding
			for _, f := range policyfile.Lint(file, publication.Beside(args[0])) {
				rows = append(rows, finding{publication.Place(args[0], f), f.Line, f.Column, f.Severity.String(),
					f.Code,
					f.Message})
				if f.Severity == policyfile.SeverityError {
					failed++
				}
			}
			if err := output.Values(c, rows, "place", "severity", "code", "message"); err != nil {
				return err
			}
			if len(rows) == 0 {
				fmt.Fprintf(c.ErrOrStderr(), "%s: nothing is wrong, and nothing is missing\n", args[0])
			}
			if failed > 0 {
				return fmt.Errorf("%s has errors: %d", args[0], failed)
			}
			return nil
		}}
	output.Flag(c)
	return c
}

// A finding is a row of lint's answer.
type finding struct {
	Place    string `json:"place"`
	Line     int    `json:"line"`
	Column   int    `json:"column"`
	Severity string `json:"severity"`
	Code     string `json:"code"`
	Message  string `json:"message"`
}

func newPolicyPublish() *cobra.Command {
	var app string
	var p publication.Publication
	c := &cobra.Command{Use: "publish FILE", Short: "Publish a version of a policy",
		Long: `Publish a version of a policy. A version is named by the hash of its document and is
published once: the same file again is no news, and asking for another date or for
another declaration is refused, and so is going back to a version that another one
replaced. Notes say what will not last, as when a version that was published
before takes over later.`,
		Args: cobra.ExactArgs(1), RunE: func(c *cobra.Command, args []string) error {
			file, err := files.ReadInput(c, "FILE", args[0], files.MaxPolicyFile)
			if err != nil {
				return err
			}
			read, err := publication.Read(args[0], file, publication.Beside(args[0]))
			if err != nil {
				return err
			}
			read.Effective, read.Material, read.Stale = p.Effective, p.Material, p.Stale
			return remote.PostNoted(c, remote.App(app)+"/policies", read,
				"policy", "version", "effective", "in_force", "material")
		}}
	output.Flag(c)
	commandline.AppFlag(c, &app)
	c.Flags().StringVar(&p.Effective, "effective", "", "when it binds, RFC 3339 (default: at once)")
	c.Flags().StringSliceVar(&p.Material, "material", nil, "the kinds of material change it makes, as in MAT-1")
	c.Flags().StringSliceVar(&p.Stale, "stale", nil, "the purposes whose earlier consents must be asked for again")
	recording.DryRun(c)
	return c
}

func newPolicyList() *cobra.Command {
	var app, known string
	c := &cobra.Command{Use: "list", Short: "List an app's policy versions", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			query := url.Values{}
			commandline.SetIf(query, "known_at", known)
			return remote.ShowList(c, remote.App(app)+"/policies?"+query.Encode(), "policies",
				"policy", "version", "effective", "in_force", "material")
		}}
	commandline.AppFlag(c, &app)
	c.Flags().StringVar(&known, "known-at", "", "only what was known at this moment (RFC 3339)")
	output.Flag(c)
	return c
}

func newPolicyShow() *cobra.Command {
	var app string
	c := &cobra.Command{Use: "show VERSION", Short: "Show one version, whole as JSON", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return remote.ShowOne(c, remote.App(app)+"/policies/"+url.PathEscape(args[0]),
				"policy", "version", "effective", "in_force", "material", "stale")
		}}
	output.FlagOr(c, "json")
	commandline.AppFlag(c, &app)
	return c
}
