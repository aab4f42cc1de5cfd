package main

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"consentledger/cmd/internal/commandline"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/output"
	"consentledger/cmd/internal/recording"
	"consentledger/cmd/internal/remote"

	"github.com/spf13/cobra"
)

func newApp() *cobra.Command {
	var known string
	list := &cobra.Command{Use: "list", Short: "List the apps", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			query := url.Values{}
			commandline.SetIf(query, "known_at", known)
			return remote.ShowList(c, "/v1/apps?"+query.Encode(), "apps", "app", "policies")
		}}
	show := &cobra.Command{Use: "show APP", Short: "Show one app", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return remote.ShowOne(c, remote.App(args[0]), appColumns...)
		}}
	list.Flags().StringVar(&known, "known-at", "", "only what was known at this moment (RFC 3339)")
	output.Flag(list)
	output.Flag(show)
	app := &cobra.Command{Use: "app", Short: "Register apps: who may record"}
	app.AddCommand(newAppAdd(), newAppEnvironment(), list, show)
	return app
}

// appColumns are what is shown of an app.
var appColumns = []string{"app", "handler", "group", "environment", "jurisdiction", "time_zone", "locales"}

func newAppAdd() *cobra.Command {
	c := &cobra.Command{
		Use: "add APP", Short: "Register an app, or change what is named about it", Args: cobra.ExactArgs(1),
		Long: `Register an app, or change what is known about it. What no flag names stays as it
is; a new app takes the values that the flags show. The environment of an app that
is known changes by "app move" alone: which consents count depends on it.`,
		Example: `  consentledger app add shop --handler "Shop GmbH" --jurisdiction DE --time-zone Europe/Berlin --locales de,en --environment production
  consentledger app add shop --group shops      # nothing else changes
  consentledger app add shop --group ""         # in no group any more`,
	}
	f := c.Flags()
	f.String("handler", "", "who answers for the app (the personal information handler)")
	f.String("group", "", "the apps of one handler that answer requests together")
	_ = f.SetAnnotation("group", commandline.MayBeEmpty, nil) // which leaves the group
	f.String("environment", "test", "of a new app: test or production")
	f.String("jurisdiction", "CN", "whose law applies: a country's two letters, or EU")
	f.String("time-zone", "Asia/Shanghai", "where its days begin and end")
	f.String("binary-escapes", "exact",
		"raw: its senders of CloudEvents in binary mode escape nothing in ce- headers: the SDKs for Go and "+
			"JavaScript; exact: that for .NET")
	locales := f.StringSlice("locales", []string{"en"}, "the languages it shows texts in")
	output.Flag(c)

	c.RunE = func(c *cobra.Command, args []string) error {
		known, err := appKnown(c, args[0])
		if err != nil {
			return err
		}

		// Of a known app only what a flag names is said.
		in := map[string]any{}
		for _, name := range []string{"handler", "group", "environment", "jurisdiction", "time-zone",
			"binary-escapes"} {
			if !known || f.Changed(name) {
				in[strings.ReplaceAll(name, "-", "_")] = f.Lookup(name).Value.String()
			}
		}
		if !known || f.Changed("locales") {
			in["locales"] = *locales
		}

		answer, err := remote.Put(c, remote.App(args[0]), in)
		if err != nil {
			return err
		}
		return output.Noted(c, answer, appColumns...)
	}
	recording.DryRun(c)
	return c
}

// appKnown reports whether an app is registered.
func appKnown(c *cobra.Command, app string) (bool, error) {
	_, err := remote.Get(c, remote.App(app))
	if p, is := errors.AsType[*exit.ProblemError](err); is && p.Status == http.StatusNotFound {
		return false, nil
	}
	return err == nil, err
}

func newAppEnvironment() *cobra.Command {
	c := &cobra.Command{
		Use: "move APP test|production", Aliases: []string{"environment"}, Short: "Move an app to another environment",
		Args: cobra.ExactArgs(2), ValidArgs: []string{"test", "production"},
		Long: `Move an app to another environment. In production a consent to a text that does
not bind does not count, in a test app it does. What is recorded already keeps its
worth: the move holds for what is recorded from now on.`,
	}
	output.Flag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		in := map[string]string{"environment": args[1]}
		return remote.PostNoted(c, remote.App(args[0])+"/environment", in, appColumns...)
	}
	recording.DryRun(c)
	return c
}
