package main

import (
	"encoding/json"
	"fmt"
	"net/url"

	"consentledger/api/audit"
	"consentledger/cmd/internal/commandline"
	"consentledger/cmd/internal/files"
	"consentledger/cmd/internal/remote"

	"github.com/spf13/cobra"
)

func newLogTimestamp() *cobra.Command {
	var app, file string
	c := &cobra.Command{
		Use:   "timestamp",
		Short: "Fetch the newest time stamp of an app's log",
		Long: `Fetch the newest checkpoint of an app's log that a time-stamping authority stamped
(RFC 3161), and the authority's response: FILE.checkpoint and FILE.tsr. They prove
that the log had its records before that time, to whoever trusts the authority.
Verify them offline with consentledger verify timestamp, or with OpenSSL:

  openssl ts -verify -data FILE.checkpoint -in FILE.tsr -CAfile roots.pem`,
		Example: "  consentledger log timestamp --app smartkey --file stamp",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			text, err := remote.Get(c, "/log/"+url.PathEscape(app)+"/timestamp")
			if err != nil {
				return err
			}
			var stamp audit.StampAnswer
			if err := json.Unmarshal(text, &stamp); err != nil {
				return err
			}
			if err := files.WriteOut("--file", file+".checkpoint", []byte(stamp.Checkpoint)); err != nil {
				return err
			}
			if err := files.WriteOut("--file", file+".tsr", stamp.Response); err != nil {
				return err
			}
			_, err = fmt.Fprintln(c.OutOrStdout(), "stamped at", stamp.Time)
			return err
		},
	}
	commandline.AppFlag(c, &app)
	c.Flags().StringVar(&file, "file", "stamp", "the files' name, to which .checkpoint and .tsr are added")
	return c
}
