package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"consentledger/api/audit"
	"consentledger/api/audit/witness"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/files"
	"consentledger/cmd/internal/server"
	"consentledger/projections/transparency/merkle"

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
			text, err := call(c, http.MethodGet, "/log/"+url.PathEscape(app)+"/timestamp", "", nil)
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
	appFlag(c, &app)
	c.Flags().StringVar(&file, "file", "stamp", "the files' name, to which .checkpoint and .tsr are added")
	return c
}

func newVerifyTimestamp() *cobra.Command {
	var t trust
	var roots string
	c := &cobra.Command{
		Use:   "timestamp FILE",
		Short: "Check offline when a checkpoint was stamped",
		Long: `Check offline that a log signed FILE.checkpoint, and that an authority which comes
from --roots stamped it: FILE.tsr (RFC 3161). Prints the time. Ends with exit code 7
if either is not so.`,
		Example: `  consentledger verify timestamp stamp --key smartkey.vkey --roots roots.pem`,
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return verifyTimestamp(c, args[0], t, roots)
		},
	}
	t.flags(c)
	c.Flags().StringVar(&roots, "roots", "", "the certificates that the authority's must come from, as PEM (default: those that this machine trusts)")
	return c
}

func verifyTimestamp(c *cobra.Command, file string, t trust, rootsFile string) error {
	v, origin, err := t.verifier()
	if err != nil {
		return err
	}
	roots, err := server.RootsOf(rootsFile, files.ReadPlainFile)
	if err != nil {
		return exit.Usage(fmt.Errorf("--roots: %w", err))
	}
	signed, err := files.ReadPlainFile(file+".checkpoint", files.MaxStampFile)
	if err != nil {
		return files.OrNotFound(err)
	}
	response, err := files.ReadPlainFile(file+".tsr", files.MaxStampFile)
	if err != nil {
		return files.OrNotFound(err)
	}
	cp, err := merkle.Open(signed, v, origin)
	if err == nil {
		err = t.witnessed(origin, signed)
	}
	if err != nil {
		return exit.NotAuthentic(fmt.Errorf("%s.checkpoint: %w", file, err))
	}
	at, err := witness.VerifyStamp(c.Context(), signed, response, roots)
	if err != nil {
		return exit.NotAuthentic(fmt.Errorf("%s.tsr: %w", file, err))
	}
	_, err = fmt.Fprintf(c.OutOrStdout(), "authentic: the log %s had its first %d records, root %s, at %s\n", cp.Origin, cp.Size, cp.Root, at.Format(time.RFC3339))
	return err
}
