// Package history reads what was recorded, from the running server or from the data directory
// of a stopped one. Who reads it, and why, the server records first.
package history

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"consentledger/api/query"
	"consentledger/api/wire"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/remote"
	"consentledger/cmd/internal/server"
	"consentledger/cmd/internal/tune"
	"consentledger/domain/ident"
	"consentledger/eventstore/ledger"

	gojson "github.com/go-json-experiment/json"
	"github.com/spf13/cobra"
)

// Replay reads from the server, or from the directory if one is named.
func Replay(c *cobra.Command, data string, r wire.ReplayRequest, do func(json.RawMessage) error) error {
	if data != "" {
		return replayDir(c, data, r, do)
	}
	return replayServer(c, r, do)
}

// replayServer asks in a body: what names a person stays out of URLs.
func replayServer(c *cobra.Command, r wire.ReplayRequest, do func(json.RawMessage) error) error {
	body, err := json.Marshal(r)
	if err != nil {
		return err
	}

	answer, err := remote.Open(c.Context(), c, http.MethodPost, "/v1/replay", "application/json", body)
	if err != nil {
		return err
	}
	defer answer.Close()
	AskWhy(c, "", r.Accessor)
	err = remote.Lines(answer, "the history", func(line []byte) error { return do(line) })
	if errors.Is(err, exit.ErrUnreachable) {
		return fmt.Errorf("%w; ask again with --after and the last position", err)
	}
	return err
}

// unrecorded says that a directory is read without a trace: whoever has it can read
// it with other programs too, and evidence is not changed by looking at it.
func unrecorded(c *cobra.Command) {
	fmt.Fprintln(c.ErrOrStderr(), "a directory is only looked at: that it is read is not recorded")
}

func replayDir(c *cobra.Command, path string, r wire.ReplayRequest, do func(json.RawMessage) error) (err error) {
	tune.GC() // every record leaves garbage, and little lives
	d, err := server.OpenDataDir(c.Context(), path, "", false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	unrecorded(c)
	selection, err := query.AskedSelection(r, d.Ledger.Now())
	if err != nil {
		return err
	}

	entries, err := d.Ledger.Select(c.Context(), selection)
	if err != nil {
		return err
	}

	for line, err := range query.Lines(c.Context(), d.Ledger, r, entries) {
		if err == nil {
			err = do(line)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Ask asks the server, or the directory if one is named.
func Ask(c *cobra.Command, data, app, path string, r any,
	in func(context.Context, *ledger.Ledger, ident.AppName) (any, error)) (answer json.RawMessage, err error) {
	name, err := ident.ParseAppName(app)
	if err != nil {
		return nil, exit.Usage(errors.New("--app: " + err.Error()))
	}
	if data == "" {
		return remote.Post(c, remote.App(app)+path, r)
	}
	d, err := server.OpenDataDir(c.Context(), data, "", false)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	unrecorded(c)
	a, err := in(c.Context(), d.Ledger, name)
	if err != nil {
		return nil, err
	}
	return gojson.Marshal(a)
}

// AccessorFlags are how somebody says who reads and why. It is recorded before
// anything is shown.
func AccessorFlags(c *cobra.Command, r *wire.Accessor) {
	f := c.Flags()
	f.StringVar(&r.Reason, "reason", "",
		"a code for why it is read, as in subject-request, dispute, authority or audit; recorded")
	f.StringVar(&r.Why, "why", "", "the same in words; recorded, sealed")
	f.StringVar(&r.By, "by", "", "who reads it; recorded, sealed")
}

// AskWhy asks for the reason that somebody did not give to the server. In a
// directory nothing is recorded.
func AskWhy(c *cobra.Command, data string, r wire.Accessor) {
	if data == "" && r.Reason == "" {
		fmt.Fprintln(c.ErrOrStderr(),
			"no reason was given, and what is read is recorded without one: say why with --reason, as in --reason "+
				"audit")
	}
}
