package main

import (
	"cmp"
	"crypto/rand"
	"fmt"

	"consentledger/api/approval"
	"consentledger/api/rest"
	"consentledger/api/wire"
	"consentledger/cmd/internal/commandline"
	"consentledger/cmd/internal/output"
	"consentledger/cmd/internal/personview"
	"consentledger/cmd/internal/recording"
	"consentledger/cmd/internal/remote"

	"github.com/spf13/cobra"
)

func newSubject() *cobra.Command {
	c := &cobra.Command{Use: "subject",
		Short: "A person as a whole: devices and accounts, their end, what is known of them"}
	c.AddCommand(newSubjectShow(), newSubjectErase(), newSubjectCertificate())
	for _, v := range subjectVerbs {
		c.AddCommand(v.command())
	}
	return c
}

// A subjectVerb records one event about a person as a whole.
type subjectVerb struct {
	use, kind, short, long, example string

	other, proof bool // what is asked for; a proof takes the place of a reason
}

var subjectVerbs = []subjectVerb{
	{
		use: "link", kind: "subject.linked", short: "Link two ids of one person, as a device and an account",
		other: true, proof: true,
		long: `Link two ids of one person: a device before login, and the account. An opt-out
crosses at once in both directions, also before and after the link was made, and over
every further link: whoever is linked to the other id is the same person too. A grant
crosses only when the person confirms it: record a consent.given that names it in
"confirms". End the link at a logout, or the next account of the device is one more.`,
		example: "  consentledger subject link --app smartkey --subject user-1 --other device:tablet-1 --proof login",
	},
	{
		use: "unlink", kind: "subject.unlinked", short: "End a link, as when the person logs out of a device",
		other: true,
		long: "End a link. What had crossed until then stays; nothing crosses any more, and who is\nlinked to the " +
			"device next gets nothing of what this person chose.",
		example: "  consentledger subject unlink --app smartkey --subject user-1 --other device:tablet-1 --reason " +
			"logout",
	},
	{
		use: "reassign", kind: "subject.reassigned", short: "Record that an outside id is somebody else's from now on",
		long: "Record that an outside id is somebody else's from now on, as a recycled phone number's\naccount. " +
			"The history under it ends; who comes with the id was never asked. It cannot\nbe undone.",
		example: "  consentledger subject reassign --app smartkey --subject user-1 --reason number-reassigned",
	},
	{
		use: "close", kind: "subject.closed", short: "Record that a person's account was deleted",
		long: "Record that a person's account was deleted. Every consent of theirs ends; who registers\nanew is a " +
			"new person. It cannot be undone, and erases nothing: see subject erase.",
		example: "  consentledger subject close --app smartkey --subject user-1 --reason account-deleted",
	},
	{
		use: "mark-test", kind: "subject.test", short: "Record that this is no person but a test",
		long: "Record that this is no person but a test: every report leaves them out, before and after,\nand " +
			"says how many it left out. A mark that was a mistake is voided: see void records.",
		example: "  consentledger subject mark-test --app smartkey --subject probe-1 --reason load-test",
	},
}

func (v subjectVerb) command() *cobra.Command {
	var t recording.Event
	var subject, other, word, evidence string
	member, says := "reason", "why, a code as in logout"
	if v.proof {
		member, says = "proof", "how it is known, a code as in login"
	}

	c := &cobra.Command{
		Use: v.use, Short: v.short, Long: v.long + "\n\nRecords " + v.kind + ".", Example: v.example,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			data := map[string]any{member: word}
			if v.other {
				data["other"] = other
			}
			if err := recording.Evidence(data, evidence); err != nil {
				return err
			}
			return t.Record(c, v.kind, subject, data)
		},
	}
	t.Flags(c)
	f := c.Flags()
	f.StringVar(&subject, "subject", "", "the person, as in user-1 or device:abc")
	f.StringVar(&word, member, "", says)
	if v.other {
		f.StringVar(&other, "other", "", "the person's other id, as in device:tablet-1")
		c.MarkFlagRequired("other")
	}

	if v.proof {
		f.StringVar(&evidence, "evidence", "", "a document that shows it: its file, or its hash")
	}

	c.MarkFlagRequired("subject")
	c.MarkFlagRequired(member)
	return c
}

func newSubjectShow() *cobra.Command {
	var app, subject string
	c := &cobra.Command{
		Use: "show", Short: "Show where a person stands with every purpose, and everything recorded about them",
		Long: `Show where a person stands with every purpose, and everything recorded about them,
oldest first. What is sealed is named and not shown. As csv and jsonl only what is
recorded is printed. If another person's id is nearly this one (account:Ada and
account:ada), that is shown before all else: they are two persons until you link them.`,
		Example: "  consentledger subject show --app smartkey --subject user-1",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			subjects := remote.App(app) + "/subjects/"
			answer, err := remote.Post(c, subjects+"state", wire.StateRequest{Subject: subject})
			if err != nil {
				return err
			}
			purposes, err := output.Member(answer, "purposes")
			if err != nil {
				return err
			}
			entries, err := personview.History(c, subjects+"history", subject)
			if err != nil {
				return err
			}
			near, err := personview.NearMisses(answer)
			if err != nil {
				return err
			}
			return personview.Print(c, app, purposes, near, entries)
		},
	}
	commandline.AppFlag(c, &app)
	c.Flags().StringVar(&subject, "subject", "", "the person, as in user-1 or device:abc")
	c.MarkFlagRequired("subject")
	output.Flag(c)
	return c
}

func newSubjectErase() *cobra.Command {
	var app string
	var e rest.Erasure
	c := &cobra.Command{
		Use:   "erase",
		Short: "Erase a person; it cannot be undone",
		Long: `Erase a person: the key of their personal texts, the texts, and the outside ids
that lead to them. What was recorded stays, says nothing about anybody any more, and
verifies as before; so do receipts and bundles that were handed out. Two persons
order it: where serve has --authenticate, who runs this proposes it and another principal
approves it (proposal approve); elsewhere --by names the two. A legal hold stands above it.
Who comes back is somebody new.

When it returns, no table on disk holds a byte of theirs. Old write-ahead logs may,
sealed, until the ledger starts again, and backups for as long as they are kept.`,
		Example: "  consentledger subject erase --app smartkey --subject user-2 --reason subject-request --by " +
			"officer --by second",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			answer, err := remote.Post(c, remote.App(app)+"/subjects/erase", e)
			if err != nil {
				order := approval.Erasure{ID: cmp.Or(e.ID, rand.Text()), Subject: e.Subject, Reason: e.Reason,
					Evidence: e.Evidence}
				return recording.Propose(c, app, "erasure", order, err)
			}
			_, err = fmt.Fprintln(c.OutOrStdout(), string(answer))
			return err
		},
	}
	commandline.AppFlag(c, &app)
	f := c.Flags()
	f.StringVar(&e.Subject, "subject", "", "the person, as in user-1 or device:abc")
	f.StringVar(&e.Reason, "reason", "", "a code, as in subject-request; kept in the clear")
	f.StringSliceVar(&e.By, "by", nil,
		"where nobody is authenticated: a principal who orders it; twice; kept in the clear")
	f.StringVar(&e.Evidence, "evidence", "", "sha256:... of the request or the decision")
	f.StringVar(&e.ID, "id", "", "names the order, so that asking again is the same one (default: random)")
	commandline.Require(c, "subject", "reason")
	recording.DryRun(c)
	return c
}
