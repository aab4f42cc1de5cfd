package main

import (
	"encoding/json"
	"errors"

	"consentledger/api/wire"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/output"
	"consentledger/cmd/internal/remote"
	"consentledger/cmd/internal/server"
	"consentledger/domain"

	gojson "github.com/go-json-experiment/json"
	"github.com/spf13/cobra"
)

func newState() *cobra.Command {
	var data, app string
	var r wire.StateRequest
	c := &cobra.Command{
		Use:     "state",
		Short:   "Fold one person's history: where they stand with every purpose, and why",
		Long:    "Fold one person's history: where they stand with every purpose, why, and the events that prove it;\nfrom the running server, or with --data from the directory of a stopped one. Both give the same bytes.",
		Example: "  consentledger state --app smartkey --subject user-2 --known-at 2026-03-01T00:00:00Z",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			answer, err := state(c, data, app, r)
			if err != nil {
				return err
			}
			return output.List(c, answer, "purposes", "purpose", "allowed", "status", "why", "since", "until", "events", "sequences")
		},
	}
	f := c.Flags()
	f.StringVar(&data, "data", "", "the data directory of a stopped server")
	f.StringVar(&app, "app", "", "the app")
	f.StringVar(&r.Subject, "subject", "", "the person, as in user-1 or device:abc")
	f.StringVar(&r.Action, "action", "", "collect, use, provide, publish or export (default: use)")
	f.StringVar(&r.ValidAt, "valid-at", "", "where they stood then, RFC 3339 (default: --known-at, or else now)")
	f.StringVar(&r.KnownAt, "known-at", "", "as far as was known then, RFC 3339 (default: now)")
	for _, name := range []string{"app", "subject"} {
		c.MarkFlagRequired(name)
	}
	output.Flag(c)
	return c
}

// state asks the server, or the directory if one is named.
func state(c *cobra.Command, data, app string, r wire.StateRequest) (json.RawMessage, error) {
	name, err := domain.ParseAppName(app)
	if err != nil {
		return nil, exit.Usage(errors.New("--app: " + err.Error()))
	}
	if err := wire.CheckState(r); err != nil {
		return nil, wrongFlag(err)
	}
	if data != "" {
		return stateDir(c, data, name, r)
	}
	return remote.Post(c, remote.App(app)+"/subjects/state", r)
}

func stateDir(c *cobra.Command, path string, app domain.AppName, r wire.StateRequest) (answer json.RawMessage, err error) {
	d, err := server.OpenDataDir(c.Context(), path, "", false)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	a, err := wire.StateOf(c.Context(), d.Ledger, app, r, d.Ledger.Now())
	if err != nil {
		return nil, err
	}
	return gojson.Marshal(a)
}
