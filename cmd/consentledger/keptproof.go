package main

import (
	"cmp"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"consentledger/api/approval"
	"consentledger/api/audit"
	"consentledger/api/rest"
	"consentledger/cmd/internal/commandline"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/files"
	"consentledger/cmd/internal/output"
	"consentledger/cmd/internal/recording"
	"consentledger/cmd/internal/remote"
	"consentledger/domain/refusal"

	"github.com/spf13/cobra"
)

const keptProofHelp = `The proof of consent that a law asks to keep of persons who are erased.

While a duty keeps proof (hold declare-duty --keeps proof), whoever is erased is gone, but for
a proof that they agreed, refused or withdrew, sealed under a key of its own. It answers
nothing. Two principals may decide to disclose it (disclose), and for seven days one of the
two opens it then (open). After its last day it is destroyed; two may order that before
(destroy). What is kept, and what becomes of it: docs/erasure.md.`

var keptProofColumns = []string{"person", "state", "duty", "law", "reason", "until", "destroyed_at"}

func newKeptProof() *cobra.Command {
	c := &cobra.Command{Use: "kept-proof", Short: "Proofs of consent that are kept of persons who are erased",
		Long: keptProofHelp, Args: cobra.NoArgs}
	c.AddCommand(newKeptProofList(), newKeptProofShow(),
		newKeptProofDecide(approval.Disclose, "Decide to disclose a proof"),
		newKeptProofOpen(),
		newKeptProofDecide(approval.Destroy, "Destroy a proof before its last day; it cannot be undone"))
	return c
}

func keptProofsPath(app string) string { return remote.App(app) + "/proofs" }

func newKeptProofList() *cobra.Command {
	var app string
	c := &cobra.Command{
		Use: "list", Short: "List the proofs that are kept, by pseudonym", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var all []json.RawMessage
			query := url.Values{"limit": {"1000"}}
			for {
				answer, err := remote.Get(c, keptProofsPath(app)+"?"+query.Encode())
				if err != nil {
					return err
				}
				var page struct {
					Proofs []json.RawMessage
					Next   string
				}
				if err := json.Unmarshal(answer, &page); err != nil {
					return err
				}
				all = append(all, page.Proofs...)
				if page.Next == "" {
					return output.Rows(c, all, keptProofColumns...)
				}
				query.Set("after", page.Next)
			}
		},
	}
	commandline.AppFlag(c, &app)
	output.Flag(c)
	return c
}

func newKeptProofShow() *cobra.Command {
	var app string
	c := &cobra.Command{
		Use: "show PERSON", Short: "Show what became of one proof, by the pseudonym of the person",
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return remote.ShowOne(c, keptProofsPath(app)+"/"+url.PathEscape(args[0]),
				append(keptProofColumns, "erasure", "destruction", "destroyed", "disclosures")...)
		},
	}
	commandline.AppFlag(c, &app)
	output.Flag(c)
	return c
}

func newKeptProofDecide(do, short string) *cobra.Command {
	var app string
	var d rest.ProofDecision
	c := &cobra.Command{
		Use: do, Short: short, Args: cobra.NoArgs,
		Long: short + `.

Two persons decide it: where serve has --authenticate, who runs this proposes it and another
principal approves it (proposal approve); elsewhere --by names the two. Say whose proof it is
by the id under which the app knew the person, or by the pseudonym. Whether there is one under
an id is told nobody before two have decided.`,
		Example: "  consentledger kept-proof " + do + " --app smartkey --person 0123456789abcdef0123456789abcdef " +
			"--reason claim" + map[string]string{approval.Disclose: " --to court"}[do] + " --by officer --by second",
		RunE: func(c *cobra.Command, _ []string) error {
			if (d.Subject == "") == (d.Person == "") {
				return exit.Usage(errors.New("say whose proof it is, with --subject or --person"))
			}
			d.ID = cmp.Or(d.ID, rand.Text())
			answer, err := remote.Post(c, keptProofsPath(app)+"/"+do, d)
			if err != nil {
				wish := approval.Proof{ID: d.ID, Do: do, Subject: d.Subject, Person: d.Person, Reason: d.Reason,
					To:       d.To,
					Evidence: d.Evidence}
				return recording.Propose(c, app, "proof", wish, err)
			}
			_, err = fmt.Fprintln(c.OutOrStdout(), string(answer))
			return err
		},
	}
	commandline.AppFlag(c, &app)
	f := c.Flags()
	f.StringVar(&d.Subject, "subject", "", "the person, as the app knew them, as in user-1 or device:abc")
	f.StringVar(&d.Person, "person", "", "instead: the pseudonym, which is in the certificate and in their receipts")
	f.StringVar(&d.Reason, "reason", "", "a code, as in claim; kept in the clear")
	if do == approval.Disclose {
		f.StringVar(&d.To, "to", "", "who is shown it, a code, as in court; kept in the clear")
		commandline.Require(c, "to")
	}
	f.StringSliceVar(&d.By, "by", nil,
		"where nobody is authenticated: a principal who decides it; twice; kept in the clear")
	f.StringVar(&d.Evidence, "evidence", "", "sha256:... of the request or the decision")
	f.StringVar(&d.ID, "id", "", "names the decision, so that asking again is the same one (default: random)")
	commandline.Require(c, "reason")
	return c
}

// openWait is for how long it is waited until the log has a decision: it is signed a moment
// after.
const openWait = 10 * time.Second

// isNotThere reports whether the log does not have the decision yet.
func isNotThere(err error) bool {
	p, is := errors.AsType[*exit.ProblemError](err)
	return is && p.Status == http.StatusNotFound && p.Code != string(refusal.NoProof)
}

func newKeptProofOpen() *cobra.Command {
	var app, file string
	var ask audit.OpenProof
	c := &cobra.Command{
		Use: "open", Short: "Open a proof that two decided to disclose; that somebody looked is recorded",
		Args: cobra.NoArgs,
		Long: `Open the proof of somebody who is erased, within seven days from the decision to disclose it, as
one of the two who decided. What comes out names the person: the id by which the app knew
them, and what they said with their answers. Each text comes with the key of the record's
commitment, and with the proof that the record is in the log, which verify proof checks.`,
		Example: "  consentledger kept-proof open --app smartkey --disclosure 01234567-89ab-cdef-0123-456789abcdef " +
			"--why \"the court asks in case 7\" --file opened.json",
		RunE: func(c *cobra.Command, _ []string) error {
			if err := files.CheckOut("--file", file); err != nil {
				return err
			}
			answer, err := remote.Post(c, keptProofsPath(app)+"/open", ask)
			for until := time.Now().Add(openWait); isNotThere(err) && time.Now().Before(until); {
				select {
				case <-time.After(200 * time.Millisecond):
				case <-c.Context().Done():
					return c.Context().Err()
				}
				answer, err = remote.Post(c, keptProofsPath(app)+"/open", ask)
			}
			if err != nil {
				return err
			}
			if file != "" {
				return files.WriteOut("--file", file, append(answer, '\n'))
			}
			_, err = fmt.Fprintln(c.OutOrStdout(), string(answer))
			return err
		},
	}
	commandline.AppFlag(c, &app)
	c.Flags().StringVar(&ask.Disclosure, "disclosure", "",
		"the event id that kept-proof disclose printed, or of the proposal's record")
	c.Flags().StringVar(&ask.Why, "why", "", "for what it is opened, in words; sealed")
	c.Flags().StringVar(&file, "file", "", "write it to this file")
	commandline.Require(c, "disclosure", "why")
	return c
}
