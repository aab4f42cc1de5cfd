// Package accesskeys issues keys in a stopped server's directory, and prints keys.
package accesskeys

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"consentledger/api/auth"
	"consentledger/cmd/internal/output"
	"consentledger/cmd/internal/server"
	"consentledger/domain/ident"

	"github.com/spf13/cobra"
)

// Columns are what a table shows of a key.
var Columns = []string{"id", "name", "principal", "roles", "apps", "reaches", "all_apps", "expires", "state"}

// RoleNames returns what roles there are.
func RoleNames() (names []string) {
	for _, r := range auth.Roles {
		names = append(names, string(r.Role))
	}
	return names
}

// IssueOffline issues a key in a directory that no server has open. In which logs it is
// recorded, the server finds when it starts.
func IssueOffline(c *cobra.Command, data string, in auth.NewKeyRequest) (err error) {
	wish, err := in.Wish()
	if err != nil {
		return err
	}

	d, err := server.OpenDataDir(c.Context(), data, "live", true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	keys := Offline(d)
	key, l, err := keys.Issue(c.Context(), wish, ident.Ledger)
	if err != nil {
		return err
	}

	answer, err := json.Marshal(l.Shown(key, keys.Now()))
	if err != nil {
		return err
	}
	return Print(c, answer)
}

// Offline returns the keys of a directory that no server has open.
func Offline(d *server.DataDir) *auth.Keys {
	return &auth.Keys{
		Rows: d.Rows(), Now: d.Ledger.Now, Execute: d.Ledger.Execute, Apps: func() []ident.AppName { return nil },
	}
}

// Print prints a key for a shell on standard output, and what it is for beside it.
func Print(c *cobra.Command, answer []byte) error {
	if c.Flags().Changed("output") {
		return output.One(c, answer, append([]string{"key"}, Columns...)...)
	}
	var a auth.KeyAnswer
	if err := json.Unmarshal(answer, &a); err != nil {
		return err
	}
	fmt.Fprintf(c.ErrOrStderr(), "The key %s of %s, until %s. It is shown this once: keep it as a secret.\n", a.ID,
		a.Name, a.Expires)
	_, err := fmt.Fprintln(c.OutOrStdout(), a.Key)
	return err
}

// Good returns the rows of keys that have neither ended nor been revoked.
func Good(rows []json.RawMessage) ([]json.RawMessage, error) {
	var failed error
	rows = slices.DeleteFunc(rows, func(row json.RawMessage) bool {
		var a auth.KeyAnswer
		failed = errors.Join(failed, json.Unmarshal(row, &a))
		return a.State != "good"
	})
	return rows, failed
}
