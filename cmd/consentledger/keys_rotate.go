package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/files"
	"consentledger/cmd/internal/output"
	"consentledger/cmd/internal/remote"
	"consentledger/cmd/internal/server"
	"consentledger/eventstore/vault"

	"github.com/spf13/cobra"
)

const keysRotateHelp = `Give the vault of a running server new keys: first a new epoch, which wraps from then on.
What the older ones wrap is wrapped anew in the background, also over restarts; see keys
status. Then copy the file of the keys to where the backups are not, make a new backup, and
destroy the older epochs with --retire and that copy: a server destroys nothing unless
somebody else has the new keys.

Once they are destroyed nobody reads what is left of erased persons, on old disks and in old
backups of the vault, nor anything else in those backups.

Where several processes share the vault use keys advance and keys retire.`

func newKeysRotate() *cobra.Command {
	var cp string
	c := &cobra.Command{
		Use:   "rotate",
		Short: "Give the vault of a running server new keys",
		Long:  keysRotateHelp,
		Example: `  consentledger keys rotate
  consentledger keys show
  consentledger keys rotate --retire /mnt/safe/keys`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if cp == "" {
				return tellKeys(c, http.MethodPost, "/v1/vault/keys/rotate", nil)
			}
			sum, err := sumOf(cp)
			if err != nil {
				return err
			}
			body, err := json.Marshal(server.RetireRequest{Sum: sum})
			if err != nil {
				return err
			}
			return tellKeys(c, http.MethodPost, "/v1/vault/keys/retire", body)
		},
	}
	c.Flags().StringVar(&cp, "retire", "", "destroy the older epochs: a copy of the file of the keys as it is now, which shows that there is one")
	output.Flag(c)
	return c
}

// sumOf returns the line that a file of keys ends with. The file is read to it: of a copy
// that is damaged above, the keys could not be had.
func sumOf(name string) (string, error) {
	text, err := files.ReadOwnFile(name, files.MaxKeyFile)
	if err != nil {
		return "", server.Unread("--retire", err)
	}
	sum, err := vault.SumOfCopy(text)
	if err != nil {
		return "", exit.Usage(fmt.Errorf("--retire: %s is no whole copy of a file of keys: %w", name, err))
	}
	return sum, nil
}

func newKeysStatus() *cobra.Command {
	c := &cobra.Command{
		Use:     "show",
		Aliases: []string{"status"},
		Short:   "Show which epochs of keys wrap how much in the vault of a running server, and how far a rotation is",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return tellKeys(c, http.MethodGet, "/v1/vault/keys", nil)
		},
	}
	output.Flag(c)
	return c
}

// tellKeys asks the server and prints how the keys are, an epoch a row.
func tellKeys(c *cobra.Command, method, path string, body []byte) error {
	kind := ""
	if body != nil {
		kind = "application/json"
	}
	answer, err := remote.Call(c, method, path, kind, body)
	if err != nil {
		return err
	}
	var k server.KeysReport
	if err := json.Unmarshal(answer, &k); err != nil {
		return errors.New("the server's answer is no JSON: is it of this version?")
	}
	var rows []json.RawMessage
	for _, n := range k.Epochs {
		does := "unwraps"
		if n == k.Epoch {
			does = "wraps"
		}
		row, err := json.Marshal(map[string]any{"epoch": n, "does": does, "keys": k.Wrapped[n], "state": k.State, "sum": k.Sum, "done": k.Done, "total": k.Total, "error": k.Error})
		if err != nil {
			return err
		}
		rows = append(rows, row)
	}
	return output.Rows(c, rows, "epoch", "does", "keys", "state", "done", "total", "sum", "error")
}
