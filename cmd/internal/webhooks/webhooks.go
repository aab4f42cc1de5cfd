// Package webhooks asks a running server about webhooks.
package webhooks

import (
	"encoding/json"
	"fmt"
	"net/url"

	"consentledger/api/rest"
	"consentledger/cmd/internal/output"
	"consentledger/cmd/internal/remote"

	"github.com/spf13/cobra"
)

// Columns are what a table shows of a webhook.
var Columns = []string{"id", "url", "state", "why", "since", "position", "failures", "last", "types"}

// Path returns the path of an app's webhooks, and what follows it.
func Path(c *cobra.Command, parts ...string) (string, error) {
	app, err := c.Flags().GetString("app")
	if err != nil {
		return "", err
	}
	path := remote.App(app) + "/webhooks"
	for _, part := range parts {
		path += "/" + url.PathEscape(part)
	}
	return path, nil
}

// Post asks the server to do something with webhooks.
func Post(c *cobra.Command, in any, parts ...string) ([]byte, error) {
	path, err := Path(c, parts...)
	if err != nil {
		return nil, err
	}
	if in == nil {
		return remote.Post(c, path, nil)
	}
	return remote.Post(c, path, in)
}

// PrintSecret prints a secret for a shell on standard output, and what it is for beside it.
func PrintSecret(c *cobra.Command, answer []byte) error {
	if c.Flags().Changed("output") {
		return output.One(c, answer, append([]string{"secret"}, Columns...)...)
	}
	var a rest.WebhookAnswer
	if err := json.Unmarshal(answer, &a); err != nil {
		return err
	}
	fmt.Fprintf(c.ErrOrStderr(),
		"The secret of webhook %s. It is shown this once: give it to the receiver as a secret.\n", a.ID)
	_, err := fmt.Fprintln(c.OutOrStdout(), a.Secret)
	return err
}
