package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"consentledger/cmd/internal/output"
	"consentledger/cmd/internal/remote"
	"consentledger/cmd/internal/server"
	"consentledger/cmd/internal/vaultkeys"

	"github.com/spf13/cobra"
)

const keysRotateHelp = `Give the vault of a running server new keys: first a new epoch, which wraps from then on.
What the older ones wrap is wrapped anew in the background, also over restarts; see keys
status. Then copy the file of the keys to where the backups are not, make a new backup, and
destroy the older epochs with --retire and that copy: a server destroys nothing unless
somebody else has the new keys.

Once they are destroyed nobody reads what is left of erased persons, on old disks and in old
backups of the vault, nor anything else in those backups.

Where several processes share the vault each has a copy of the file. There begin an epoch
with keys advance, give the file to all of them, and then rotate, at any of them: it has the
newest epoch wrap, and is refused while one of them does not have it; keys show says which.
In the end keys retire destroys the older epochs.`

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
			path, in := "/v1/vault/keys/rotate", any(nil)
			if cp != "" {
				sum, err := vaultkeys.SumOfCopy(cp)
				if err != nil {
					return err
				}
				path, in = "/v1/vault/keys/retire", server.RetireRequest{Sum: sum}
			}
			answer, err := remote.Post(c, path, in)
			if err != nil {
				return err
			}
			return printKeys(c, answer)
		},
	}
	c.Flags().StringVar(&cp, "retire", "",
		"destroy the older epochs: a copy of the file of the keys as it is now, which shows that there is one")
	output.Flag(c)
	return c
}

func newKeysStatus() *cobra.Command {
	c := &cobra.Command{
		Use:     "show",
		Aliases: []string{"status"},
		Short:   "Show which epochs of keys wrap how much in the vault of a running server, and how far a rotation is",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			answer, err := remote.Get(c, "/v1/vault/keys")
			if err != nil {
				return err
			}
			return printKeys(c, answer)
		},
	}
	output.Flag(c)
	return c
}

// printKeys prints how the keys are, an epoch a row.
func printKeys(c *cobra.Command, answer []byte) error {
	var k server.KeysReport
	if err := json.Unmarshal(answer, &k); err != nil {
		return errors.New("the server's answer is no JSON: is it of this version?")
	}

	var rows []map[string]any
	for _, n := range k.Epochs {
		does := "unwraps"
		if n == k.Epoch {
			does = "wraps"
		}
		if n > k.Epoch {
			does = "waits"
		}
		row := map[string]any{
			"epoch": n, "does": does, "keys": k.Wrapped[n], "state": k.State, "sum": k.Sum, "done": k.Done,
			"total": k.Total, "error": k.Error,
		}
		if len(k.Processes) > 0 {
			row["processes"] = whoHas(k.Processes, n)
		}
		rows = append(rows, row)
	}

	columns := []string{"epoch", "does", "keys", "state", "done", "total"}
	if len(k.Processes) > 0 {
		columns = append(columns, "processes")
	}
	return output.Values(c, rows, append(columns, "sum", "error")...)
}

// whoHas says how many of the processes that share a vault have an epoch, and which do not.
func whoHas(processes []server.KeysOf, epoch uint32) string {
	var lack []string
	for _, of := range processes {
		if !slices.Contains(of.Epochs, epoch) {
			lack = append(lack, of.Process)
		}
	}
	text := fmt.Sprintf("%d of %d", len(processes)-len(lack), len(processes))
	if len(lack) > 0 {
		text += ", not " + strings.Join(lack, ", ")
	}
	return text
}
