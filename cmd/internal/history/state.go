package history

import (
	"encoding/json"
	"errors"

	"consentledger/api/query"
	"consentledger/api/wire"
	"consentledger/cmd/internal/commandline"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/remote"
	"consentledger/cmd/internal/server"
	"consentledger/domain/ident"

	gojson "github.com/go-json-experiment/json"
	"github.com/spf13/cobra"
)

// State returns where a person stands: it asks the server, or the directory if one is named.
func State(c *cobra.Command, data, app string, r wire.StateRequest) (json.RawMessage, error) {
	name, err := ident.ParseAppName(app)
	if err != nil {
		return nil, exit.Usage(errors.New("--app: " + err.Error()))
	}
	if err := query.CheckState(r); err != nil {
		return nil, commandline.WrongFlag(err)
	}
	if data != "" {
		return stateDir(c, data, name, r)
	}
	return remote.Post(c, remote.App(app)+"/subjects/state", r)
}

func stateDir(
	c *cobra.Command, path string, app ident.AppName, r wire.StateRequest,
) (answer json.RawMessage, err error) {
	d, err := server.OpenDataDir(c.Context(), path, "", false)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	a, err := query.State(c.Context(), d.Ledger, app, r, d.Ledger.Now())
	if err != nil {
		return nil, err
	}
	return gojson.Marshal(a)
}
