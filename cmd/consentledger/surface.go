package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"consentledger/api/picture"
	"consentledger/api/policyfile"
	"consentledger/cmd/internal/commandline"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/files"
	"consentledger/cmd/internal/output"
	"consentledger/cmd/internal/policies"
	"consentledger/cmd/internal/publication"
	"consentledger/cmd/internal/recording"
	"consentledger/cmd/internal/remote"
	"consentledger/cmd/internal/signing"

	"github.com/spf13/cobra"
)

func newSurface() *cobra.Command {
	surface := &cobra.Command{Use: "surface", Short: "Write, publish and show what screens of the app show"}
	surface.AddCommand(newSurfaceNew(), newSurfacePublish(), newSurfaceAddPicture(), newSurfaceList(),
		newSurfaceShow())
	return surface
}

var surfaceColumns = []string{"id", "build", "screen", "policy", "version", "publisher", "signer"}

func newSurfacePublish() *cobra.Command {
	var app string
	var key signing.Key
	c := &cobra.Command{Use: "publish FILE", Short: "Publish a surface: JSON or YAML of the schema surface/1",
		Args: cobra.ExactArgs(1), RunE: func(c *cobra.Command, args []string) error {
			file, err := files.ReadInput(c, "FILE", args[0], files.MaxPolicyFile)
			if err != nil {
				return err
			}
			surface, err := policyfile.Surface(args[0], file, publication.Beside(args[0]))
			if err != nil {
				return exit.Usage(err)
			}
			for _, b := range surface.Pictures {
				if _, err := picture.Of(b); err != nil {
					return exit.Usage(fmt.Errorf("%s: %w", args[0], err))
				}
			}
			if !surface.HasVersion() {
				if surface, err = aboutVersionInForce(c, app, surface); err != nil {
					return err
				}
			}
			body := surface.JSON
			headers, err := key.Headers(body)
			if err != nil {
				return err
			}
			answer, err := remote.Call(c, http.MethodPost, remote.App(app)+"/surfaces", "application/json", body,
				headers...)
			if err != nil {
				return err
			}
			for _, b := range surface.Pictures {
				if _, err := keepPicture(c, app, b); err != nil {
					return fmt.Errorf("the surface is published, and its picture is not kept: publish it again: %w", err)
				}
			}
			return output.Noted(c, answer, surfaceColumns...)
		}}
	c.Long = "Publish a surface: JSON or YAML of the schema surface/1. A file without a version means that of its " +
		"policy which is in\nforce now; it may name the files of texts, of pictures and of the certificate " +
		"instead of their hashes\n(docs/policy.md). Pictures are kept by the ledger.\n\nWhoever publishes it may record no consent to it: signed, by --sign,\nthat is " +
		"held by the key; unsigned, by the principal, and nobody is authenticated yet."
	commandline.AppFlag(c, &app)
	key.Flags(c)
	output.Flag(c)
	recording.DryRun(c)
	return c
}

func newSurfaceAddPicture() *cobra.Command {
	var app string
	c := &cobra.Command{Use: "add-picture FILE", Short: "Keep the picture of a screen that is published already",
		Long: "Keep the picture of a screen (PNG, JPEG or WebP) whose hash a published surface names. What a\n" +
			"program wrote into it beside the pixels (EXIF) is kept with it: take it out before you publish the hash.",
		Example: "  consentledger surface add-picture --app smartkey welcome.png",
		Args:    cobra.ExactArgs(1), RunE: func(c *cobra.Command, args []string) error {
			b, err := files.ReadInput(c, "FILE", args[0], picture.MaxSize)
			if err != nil {
				return err
			}
			answer, err := keepPicture(c, app, b)
			if err != nil {
				return err
			}
			return output.One(c, answer, "hash", "type", "width", "height", "bytes", "surfaces")
		}}
	commandline.AppFlag(c, &app)
	output.Flag(c)
	recording.DryRunOf(c, "hash", "type", "width", "height", "bytes", "surfaces")
	return c
}

// keepPicture sends the picture of a screen.
func keepPicture(c *cobra.Command, app string, b []byte) ([]byte, error) {
	is, err := picture.Of(b)
	if err != nil {
		return nil, exit.Usage(fmt.Errorf("FILE: %w", err))
	}
	return remote.Call(c, http.MethodPost, remote.App(app)+"/pictures", is.Type, b)
}

// aboutVersionInForce returns a surface about the version of its policy that is in
// force, which the server knows.
func aboutVersionInForce(c *cobra.Command, app string, surface policyfile.SurfaceFile) (policyfile.SurfaceFile, error) {
	versions, err := policies.Versions(c, app)
	if err != nil {
		return surface, err
	}
	for _, p := range versions {
		if p.InForce && p.Policy == surface.Policy {
			return surface.WithVersion(p.Version)
		}
	}
	return surface, exit.NotFound(fmt.Errorf("no version of the policy %q is in force: publish it first, or name the "+
		"version in the file; see consentledger policy list", surface.Policy))
}

func newSurfaceList() *cobra.Command {
	var app string
	c := &cobra.Command{Use: "list", Short: "List an app's surfaces", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return remote.ShowList(c, remote.App(app)+"/surfaces", "surfaces", surfaceColumns...)
		}}
	commandline.AppFlag(c, &app)
	output.Flag(c)
	return c
}

func newSurfaceShow() *cobra.Command {
	var app string
	c := &cobra.Command{Use: "show ID", Short: "Show one surface, whole as JSON", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return remote.ShowOne(c, remote.App(app)+"/surfaces/"+url.PathEscape(args[0]), surfaceColumns...)
		}}
	commandline.AppFlag(c, &app)
	output.FlagOr(c, "json")
	return c
}

func newPrompt() *cobra.Command {
	var app string
	body := map[string]string{}
	var subject, locale string
	c := &cobra.Command{
		Use: "prompt", Short: "What must we ask this person, or show to them, now?", Args: cobra.NoArgs,
		Example: "  consentledger prompt --app smartkey --subject user-2 --locale en",
		RunE: func(c *cobra.Command, _ []string) error {
			body["subject"], body["locale"] = subject, locale
			answer, err := remote.Post(c, remote.App(app)+"/subjects/prompt", body)
			if err != nil {
				return err
			}
			return output.List(c, answer, "items", "purpose", "reason", "separate", "explicit", "not_before", "policy",
				"version")
		},
	}
	commandline.AppFlag(c, &app)
	c.Flags().StringVar(&subject, "subject", "", "the person, as in user-1 or device:abc")
	c.Flags().StringVar(&locale, "locale", "en", "the language of the texts")
	c.MarkFlagRequired("subject")
	output.Flag(c)
	return c
}

func newPolicyDiff() *cobra.Command {
	var app, file string
	c := &cobra.Command{
		Use: "diff OLD NEW|FILE", Short: "Compare two versions, or a file with the version in force",
		Args: cobra.MaximumNArgs(2),
		Long: "Compare two versions by their hashes, or a policy file with the version in force: what differs,\n" +
			"which kinds of material change that is, which consents grow stale, and how many people they are of.\n" +
			"FILE may be - for standard input.",
		Example: `  consentledger policy diff --app smartkey policy2.yaml
  consentledger policy diff --app smartkey sha256:OLD sha256:NEW`,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 1 && file == "" && !strings.HasPrefix(args[0], "sha256:") {
				args, file = nil, args[0]
			}
			body, err := diffBody(c, args, file)
			if err != nil {
				return err
			}
			answer, err := remote.Post(c, remote.App(app)+"/policies/diff", body)
			if err != nil {
				return err
			}
			if output.Form(c) != "table" {
				return output.One(c, answer, "material", "stale", "rights_reduced")
			}
			rows, err := output.Member(answer, "differences")
			if err != nil {
				return err
			}
			if err := output.Rows(c, rows, "section", "name", "old", "new", "material", "reduces"); err != nil {
				return err
			}
			return output.One(c, answer, "material", "stale", "scopes", "rights_reduced", "touched")
		},
	}
	commandline.AppFlag(c, &app)
	c.Flags().StringVar(&file, "file", "", "a policy file: the same as the argument FILE")
	c.Flags().MarkHidden("file")
	output.Flag(c)
	return c
}

func diffBody(c *cobra.Command, args []string, file string) (any, error) {
	if file == "" && len(args) != 2 || file != "" && len(args) > 0 {
		return nil, exit.Usage(errors.New("name two versions by their hashes, or one policy file, and not both"))
	}
	if file == "" {
		return map[string]string{"old": args[0], "new": args[1]}, nil
	}

	what := "FILE"
	if c.Flags().Changed("file") {
		what = "--file"
	}

	text, err := files.ReadInput(c, what, file, files.MaxPolicyFile)
	if err != nil {
		return nil, err
	}

	p, err := publication.Read(file, text, publication.Beside(file))
	return map[string]json.RawMessage{"document": p.Document}, err
}
