package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"consentledger/api/rest"
	"consentledger/cmd/internal/erasures"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/output"
	"consentledger/cmd/internal/recording"
	"consentledger/cmd/internal/remote"

	"github.com/spf13/cobra"
)

const erasureHelp = `Erase many persons, in the background.

Whom to erase is said by a file of ids, a line each (--file); or it is everybody of an app,
as when it ends (--everybody); or whose account was closed before a day (--closed-before).
The server goes on by itself, after a restart too, and leaves room for others meanwhile.
Who may not be erased, as under a legal hold, is passed over and named with the reason.

One person: subject erase. What is erased, and what is not: docs/erasure.md.`

func newErasure() *cobra.Command {
	c := &cobra.Command{Use: "erasure", Short: "Erase many persons, in the background", Long: erasureHelp,
		Args: cobra.NoArgs}
	c.PersistentFlags().String("app", "", "whose persons they are")
	c.MarkPersistentFlagRequired("app")
	c.AddCommand(newErasureBegin(), newErasureList(), newErasureShow(), newErasureStart(), newErasureCancel(),
		newErasureCertify())
	return c
}

func newErasureBegin() *cobra.Command {
	var in rest.NewErasure
	var file string
	var everybody, wait bool
	c := &cobra.Command{
		Use: "begin", Short: "Begin to erase many; it cannot be undone", Args: cobra.NoArgs,
		Example: `  consentledger erasure begin --app shop --file ids.txt --reason inactive --by officer --by second
  consentledger erasure begin --app shop --everybody --reason service-ended --by officer --by second --wait
  consentledger erasure begin --app shop --closed-before 2026-01-31T00:00:00Z --reason retention-ended --by officer --by second`,
		RunE: func(c *cobra.Command, _ []string) error {
			switch {
			case file != "" && !everybody && in.ClosedBefore == "":
				in.Of = "ids"
			case everybody && file == "" && in.ClosedBefore == "":
				in.Of = "everybody"
			case in.ClosedBefore != "" && file == "" && !everybody:
				in.Of = "closed"
			default:
				return exit.Usage(errors.New("say whom, by one of --file, --everybody and --closed-before"))
			}
			answer, err := erasures.Begin(c, in, file)
			if err != nil {
				return err
			}
			erasures.TellApprover(c, answer)
			if wait {
				return erasures.Await(c, answer)
			}
			return output.One(c, answer, erasures.Columns...)
		},
	}
	f := c.Flags()
	f.StringVar(&file, "file", "", "a file of ids, a line each, as in user-1 or device:abc; -: standard input")
	f.BoolVar(&everybody, "everybody", false, "everybody of the app")
	f.StringVar(&in.ClosedBefore, "closed-before", "",
		"whose account was closed before this moment, as in 2026-01-31T00:00:00Z")
	f.StringVar(&in.Reason, "reason", "", "a code, as in service-ended; kept in the clear")
	f.StringSliceVar(&in.By, "by", nil,
		"a principal who orders it; twice; kept in the clear; none where people are authenticated: another principal "+
			"starts the job")
	f.StringVar(&in.Evidence, "evidence", "", "sha256:... of the decision")
	f.StringVar(&in.ID, "id", "", "names the job, so that beginning it again is the same one (default: random)")
	f.BoolVar(&wait, "wait", false, "wait until it has ended, and tell how far it is")
	c.MarkFlagRequired("reason")
	output.Flag(c)
	recording.DryRunOf(c, erasures.Columns...)
	return c
}

func newErasureList() *cobra.Command {
	c := &cobra.Command{
		Use: "list", Short: "List erasures of many, the newest first", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			answer, err := erasures.Ask(c, http.MethodGet, nil)
			if err != nil {
				return err
			}
			rows, err := output.Member(answer, "jobs")
			if err != nil {
				return err
			}
			if err := erasures.Describe(c, rows); err != nil {
				return err
			}
			return output.Rows(c, rows, erasures.Columns...)
		},
	}
	output.Flag(c)
	return c
}

func newErasureShow() *cobra.Command {
	var wait bool
	c := &cobra.Command{
		Use: "show JOB", Short: "Show how far one is, and who may not be erased", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			answer, err := erasures.Ask(c, http.MethodGet, nil, args[0])
			if err != nil {
				return err
			}
			if wait {
				return erasures.Await(c, answer)
			}
			if err := output.One(c, answer, erasures.Columns...); err != nil || output.Form(c) != "table" {
				return err
			}
			kept, err := output.Member(answer, "kept_persons")
			if err != nil || len(kept) == 0 {
				return nil
			}
			fmt.Fprintln(c.OutOrStdout(), "\nWho may not be erased:")
			return output.Rows(c, kept, "person", "code", "why")
		},
	}
	c.Flags().BoolVar(&wait, "wait", false, "wait until it has ended, and tell how far it is")
	output.Flag(c)
	return c
}

func newErasureStart() *cobra.Command {
	var digest string
	c := &cobra.Command{
		Use: "start JOB", Short: "Approve one that another principal began, and start it", Args: cobra.ExactArgs(1),
		Long: `Approve a job that another principal began, and start it.

You approve the job whose digest you name: erasure show tells it, and whoever began the job
was told the same one. If another list was handed over since, nothing is erased.`,
		Example: "  consentledger erasure start --app shop 7Q3F... --digest sha256:...",
		RunE: func(c *cobra.Command, args []string) error {
			path, err := erasures.Path(c, args[0], "start")
			if err != nil {
				return err
			}
			if digest != "" {
				path += "?digest=" + url.QueryEscape(digest)
			}
			return remote.PostOne(c, path, nil, erasures.Columns...)
		},
	}
	c.Flags().StringVar(&digest, "digest", "",
		"what you approve, as erasure show tells it; needed where people are authenticated")
	output.Flag(c)
	recording.DryRunOf(c, erasures.Columns...)
	return c
}

func newErasureCancel() *cobra.Command {
	c := &cobra.Command{
		Use: "cancel JOB", Short: "End one; who was erased stays erased", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			answer, err := erasures.Ask(c, http.MethodPost, nil, args[0], "cancel")
			if err != nil {
				return err
			}
			return output.One(c, answer, erasures.Columns...)
		},
	}
	output.Flag(c)
	recording.DryRunOf(c, erasures.Columns...)
	return c
}

func newErasureCertify() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use: "certify JOB", Short: "Write the certificate of everybody whom one erased, which verifies offline",
		Args: cobra.ExactArgs(1),
		Long: `Write the certificate of everybody whom a job erased: a line of JSON that says of what it
is, and for each person a line with the two records and the proofs that both were in the log.
Whoever has the log's key verifies it offline: consentledger verify erasure FILE --key KEY`,
		Example: "  consentledger erasure certify --app shop 7Q3F... --file erased.jsonl",
		RunE: func(c *cobra.Command, args []string) error {
			if err := erasures.CheckNew(file); err != nil {
				return err
			}
			path, err := erasures.Path(c, args[0], "certificate")
			if err != nil {
				return err
			}
			r, err := remote.Open(c.Context(), c, http.MethodGet, path, "", nil)
			if err != nil {
				return err
			}
			defer r.Close()
			if file == "" {
				return erasures.CopyWhole(c.OutOrStdout(), r)
			}
			return erasures.WriteNew(file, r)
		},
	}
	c.Flags().StringVar(&file, "file", "", "write the certificate to this new file")
	return c
}
