package main

import (
	"fmt"
	"slices"
	"strings"

	"consentledger/api/rest"
	"consentledger/api/wire/parse"
	"consentledger/api/wire/schema"
	"consentledger/cmd/internal/buildinfo"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/output"
	"consentledger/cmd/internal/remote"
	"consentledger/cmd/internal/server"

	"github.com/spf13/cobra"
)

func newStatus() *cobra.Command {
	c := &cobra.Command{Use: "status", Short: "How far everything that follows the log is",
		Long: "How far everything that follows the log is. With -o json also the version, the store and its last " +
			"record.",
		Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error {
			answer, err := remote.Get(c, "/v1/status")
			if err != nil {
				return err
			}
			if output.Form(c) == "json" {
				return output.One(c, answer)
			}
			return output.List(c, answer, "projections", "name", "position", "behind", "seconds", "error")
		}}
	output.Flag(c)
	return c
}

func newSchemaAsyncAPI() *cobra.Command {
	return &cobra.Command{
		Use: "show-asyncapi", Aliases: []string{"asyncapi"},
		Short: "Print what goes over NATS, as AsyncAPI 3 describes it; a server has it at /asyncapi.json",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			text, err := rest.AsyncAPI(buildinfo.Version)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%s\n", text)
			return err
		},
	}
}

func newSchema() *cobra.Command {
	verb := &cobra.Command{Use: "schema", Short: "The event types, each with an example"}
	all := false
	list := &cobra.Command{Use: "list", Short: "List the event types, by what they are about", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			rows := parse.List()
			if all {
				for _, name := range schema.Names() {
					if !slices.ContainsFunc(rows, func(l parse.Listed) bool { return l.Type == name }) {
						rows = append(rows, parse.Listed{Type: name, Group: "shapes"})
					}
				}
			}
			return output.Values(c, rows, "group", "type", "sent_by")
		}}
	list.Flags().BoolVar(&all, "all", false,
		"also what has a JSON Schema alone: requests and answers, policies and surfaces")
	output.Flag(list)
	jsonSchema := false
	show := &cobra.Command{
		Use: "show TYPE", Short: "Show an event of one type, as one may send it now, or with --json-schema its JSON " +
			"Schema",
		Example: "  consentledger schema show consent.given | consentledger record --app smartkey -",
		Args:    cobra.ExactArgs(1), ValidArgs: schema.Names(),
		RunE: func(c *cobra.Command, args []string) error {
			if jsonSchema {
				text, has := schema.Of(args[0])
				if !has {
					return exit.NotFound(fmt.Errorf("no schema of %q; there are: %s", args[0],
						strings.Join(schema.Names(), ", ")))
				}
				_, err := fmt.Fprintf(c.OutOrStdout(), "%s\n", text)
				return err
			}
			for _, e := range parse.Examples(server.Now()) {
				if e.Type == parse.Canonical(args[0]) {
					_, err := fmt.Fprintf(c.OutOrStdout(), "%s\n", e.Event)
					return err
				}
			}
			if _, has := schema.Of(args[0]); has {
				return exit.NotFound(fmt.Errorf("%s is no event type and has no example: --json-schema shows its "+
					"schema; consentledger policy new and surface new write files to begin with", args[0]))
			}
			return exit.NotFound(fmt.Errorf("no event type %q; there are: %s", args[0],
				strings.Join(parse.Types(), ", ")))
		},
	}
	show.Flags().BoolVar(&jsonSchema, "json-schema", false,
		"the JSON Schema (2020-12) of the type, or of policy/1, surface/1, event, check, answer, receipt, ... as the "+
			"server has them under /v1/schemas/")
	verb.AddCommand(list, show, newSchemaAsyncAPI())
	return verb
}
