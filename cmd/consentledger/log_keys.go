package main

import (
	"encoding/json"
	"errors"
	"net/url"
	"time"

	"consentledger/cmd/internal/commandline"
	"consentledger/cmd/internal/output"
	"consentledger/cmd/internal/remote"
	"consentledger/cmd/internal/server"

	"github.com/spf13/cobra"
)

const logRotateHelp = `Have another key sign the log of an app of a running server beside the one that does.

From then on every checkpoint carries the signatures of both, under the same origin, the
newest one at once: who knows only one of the keys verifies it. The log itself goes on.

Give the next key, which is printed, to everybody who verifies, and to the witnesses; make
a new backup; and when all of them have it, destroy the older key with log retire-key. What
that one signed still verifies with it: nobody should throw its verifier key away.

This is for a key that nobody else has. One that was stolen signs what the thief likes for
as long as anybody verifies with it: then see log renew.`

func newLogRotate() *cobra.Command {
	return logKeysVerb(&cobra.Command{
		Use:   "rotate-key",
		Short: "Have another key sign an app's log beside the one that does",
		Long:  logRotateHelp,
		Example: `  consentledger log rotate-key --app smartkey
  consentledger log show-keys --app smartkey
  consentledger log retire-key --app smartkey`,
	}, "/begin")
}

func newLogKeys() *cobra.Command {
	return logKeysVerb(&cobra.Command{
		Use:   "show-keys",
		Short: "Show the keys that an app's log is verified with, and those of before",
		Long: `Show the keys that the log of an app of a running server is verified with: the one that
signs, the next one while both do, and those that signed before. They are no secrets.`,
		Example: "  consentledger log show-keys --app smartkey",
	}, "")
}

func newLogRetire() *cobra.Command {
	return logKeysVerb(&cobra.Command{
		Use:   "retire-key",
		Short: "Destroy the older one of the two keys that sign an app's log",
		Long: `Destroy the older one of the two keys that sign the log of an app of a running server:
the next checkpoint carries the signature of the other one alone. It is refused while the
newest checkpoint, or the newest one that witnesses signed, lacks that.

Who verifies with the older key alone verifies nothing newer from then on. What it has
signed still verifies with it: checkpoints, proofs, receipts and bundles.`,
		Example: "  consentledger log retire-key --app smartkey",
	}, "/finish")
}

// logKeysVerb has a verb send a request about the keys of an app's log, and print them.
func logKeysVerb(c *cobra.Command, does string) *cobra.Command {
	var app string
	c.Args = cobra.NoArgs
	c.RunE = func(c *cobra.Command, _ []string) error {
		path := "/v1/apps/" + url.PathEscape(app) + "/log/keys" + does
		ask := func() ([]byte, error) { return remote.Get(c, path) }
		if does != "" {
			ask = func() ([]byte, error) { return remote.Post(c, path, nil) }
		}
		answer, err := ask()
		if err != nil {
			return err
		}
		return printLogKeys(c, answer)
	}
	commandline.AppFlag(c, &app)
	output.Flag(c)
	return c
}

// printLogKeys prints the keys of a log, one a row, the oldest first.
func printLogKeys(c *cobra.Command, answer []byte) error {
	var k server.LogKeysReport
	if err := json.Unmarshal(answer, &k); err != nil {
		return errors.New("the server's answer is no JSON: is it of this version?")
	}

	var rows []map[string]any
	for _, f := range k.Former {
		rows = append(rows, map[string]any{"key": f.Key, "state": "retired", "at": f.Retired.Format(time.RFC3339)})
	}
	rows = append(rows, map[string]any{"key": k.Key, "state": "signs"})
	if k.Next != "" {
		state := "signs too"
		if !k.Signed {
			state = "will sign"
		}
		rows = append(rows, map[string]any{"key": k.Next, "state": state, "at": k.Since.Format(time.RFC3339)})
	}
	return output.Values(c, rows, "state", "at", "key")
}
