package main

import (
	"errors"
	"fmt"
	"net/url"

	"consentledger/cmd/internal/commandline"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/files"
	"consentledger/cmd/internal/output"
	"consentledger/cmd/internal/remote"
	"consentledger/cmd/internal/reports"
	"consentledger/cmd/internal/server"
	"consentledger/domain/ident"

	"github.com/spf13/cobra"
)

func newLog() *cobra.Command {
	c := &cobra.Command{Use: "log",
		Short: "An app's transparency log: its key, its proofs, and what to do when it is lost"}
	c.AddCommand(newLogKey(), newLogProof(), newLogRotate(), newLogKeys(), newLogRetire(), newLogRenew(),
		newLogPublish(), newLogWitnesses(), newLogTimestamp())
	return c
}

func newLogKey() *cobra.Command {
	var data, app string
	c := &cobra.Command{
		Use:     "show-key",
		Aliases: []string{"key"},
		Short:   "Print the key that an app's log is verified with",
		Long: `Print the key that an app's log is verified with, from the data directory. Give
it to those who verify, by a way that is not the log's own server: a key that
comes with what it proves, proves nothing. Its name is the log's origin.`,
		Example: "  consentledger log show-key --data data --app smartkey",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			name, err := ident.ParseAppName(app)
			if err != nil {
				return exit.Usage(fmt.Errorf("--app: %w", err))
			}
			key, err := server.VerifierKeyOf(c.Context(), data, name)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(c.OutOrStdout(), key)
			return err
		},
	}
	c.Flags().StringVar(&data, "data", "data", "the data directory; its server may be running")
	commandline.AppFlag(c, &app)
	return c
}

func newLogProof() *cobra.Command {
	var app, event, file string
	var cosigned bool
	index := int64(-1)
	c := &cobra.Command{
		Use:     "fetch-proof",
		Aliases: []string{"proof"},
		Short:   "Fetch the proof that a record is in its app's log",
		Long: `Fetch the proof that a record is in its app's log, a c2sp.org/tlog-proof@v1 with
the record in it. It is there a second after the record. Verify it offline, now
or in ten years, with: consentledger verify proof`,
		Example: "  consentledger log fetch-proof --app smartkey --event 01234567-89ab-cdef-0123-456789abcdef > proof",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			query := url.Values{}
			switch {
			case (event == "") == (index < 0):
				return exit.Usage(errors.New("want --event or --index, one of them"))
			case event != "":
				query.Set("event", event)
			default:
				query.Set("index", fmt.Sprint(index))
			}
			if cosigned {
				query.Set("cosigned", "1")
			}
			proof, err := remote.Get(c, "/log/"+url.PathEscape(app)+"/proof?"+query.Encode())
			if err != nil {
				return err
			}
			if file != "" {
				return files.WriteOut("--file", file, proof)
			}
			_, err = c.OutOrStdout().Write(proof)
			return err
		},
	}
	f := c.Flags()
	commandline.AppFlag(c, &app)
	f.StringVar(&event, "event", "", "the event id of a receipt")
	f.Int64Var(&index, "index", -1, "the record's place in the log, from 0")
	f.StringVar(&file, "file", "", "write the proof to this file")
	f.BoolVar(&cosigned, "cosigned", false,
		"in the newest tree that a quorum of witnesses signed, with their signatures")
	return c
}

func newLogWitnesses() *cobra.Command {
	var app string
	c := &cobra.Command{
		Use:     "show-witnesses",
		Aliases: []string{"witnesses"},
		Short:   "How far the witnesses of an app's log are, and how long it went without them",
		Long: `Print up to which record a quorum of witnesses has signed an app's log, what each
of them said last, and the longest time that the log went without a quorum, by the
witnesses' clocks: for that long, at the most, a history could have been shown to
nobody else. The server must have been told its witnesses: serve --witnesses FILE.`,
		Example: "  consentledger log show-witnesses --app smartkey",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			text, err := remote.Get(c, "/log/"+url.PathEscape(app)+"/witnesses")
			if err != nil {
				return err
			}
			return reports.PrintWitnesses(c, text)
		},
	}
	commandline.AppFlag(c, &app)
	output.Flag(c)
	return c
}
