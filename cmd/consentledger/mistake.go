package main

import (
	"consentledger/api/rest"
	"consentledger/cmd/internal/commandline"
	"consentledger/cmd/internal/lawfulnessview"
	"consentledger/cmd/internal/output"
	"consentledger/cmd/internal/recording"
	"consentledger/cmd/internal/remote"

	"github.com/spf13/cobra"
)

func newVoid() *cobra.Command {
	c := &cobra.Command{
		Use: "void", Short: "Void what was recorded by mistake",
		Long: `Void what was recorded by mistake. It takes two persons and the document that shows
the mistake. A grant that is voided counts for nothing; an opt-out that is voided restores
nothing, and the person is asked again. See void preview for whom it would touch.

Where serve has --authenticate the two are principals: who runs this proposes the void, and
another one approves it (proposal approve). Elsewhere --by names the two.`,
	}
	c.AddCommand(newVoidPreview(),
		mistake{kind: "record.voided", void: true, short: "Void records of one person, by their event ids",
			example: "  consentledger void records --app smartkey --subject user-1 --reason recorded-by-mistake " +
				"--evidence report.pdf --by ann --by bo 01234567-89ab-8def-8123-456789abcdef"}.command(),
		mistake{kind: "build.voided", void: true, build: true,
			short: "Void every answer that a build of the app recorded in a span",
			example: "  consentledger void build --app smartkey --build 5.2.1+1203 --from 2026-03-01T00:00:00Z --to " +
				"2026-03-02T00:00:00Z --reason box-was-ticked-before --evidence report.pdf --by ann --by bo"}.command())
	return c
}

func newDispute() *cobra.Command {
	c := &cobra.Command{
		Use: "dispute", Short: "Record that somebody says that records are wrong",
		Long: "Record that somebody says that records are wrong. What is disputed counts as before, and is\nshown as " +
			"disputed; void records, void build undo what was a mistake.",
	}
	c.AddCommand(
		mistake{kind: "record.disputed", short: "Dispute records of one person, by their event ids",
			example: "  consentledger dispute records --app smartkey --subject user-1 --reason never-agreed " +
				"01234567-89ab-8def-8123-456789abcdef"}.command(),
		mistake{kind: "build.disputed", build: true,
			short: "Dispute every answer that a build of the app recorded in a span",
			example: "  consentledger dispute build --app smartkey --build 5.2.1+1203 --from 2026-03-01T00:00:00Z " +
				"--to 2026-03-02T00:00:00Z --reason box-was-ticked-before"}.command())
	return c
}

// A mistake is a verb that says that something was recorded wrongly: records of
// a person, or what a build recorded.
type mistake struct {
	kind, short, example string
	void, build          bool
}

func (m mistake) command() *cobra.Command {
	var t recording.Event
	var subject, build, from, to, reason, evidence string
	var by []string
	c := &cobra.Command{Use: "records ID...", Short: m.short, Long: m.short + ".\n\nRecords " + m.kind + ".",
		Example: m.example, Args: cobra.MinimumNArgs(1)}
	c.RunE = func(c *cobra.Command, ids []string) error {
		data := map[string]any{"reason": reason}
		if m.build {
			data["build"], data["from"], data["to"] = build, from, to
		} else {
			data["records"] = ids
		}
		if m.void && len(by) > 0 {
			data["by"] = by
		}
		if err := recording.Evidence(data, evidence); err != nil {
			return err
		}
		return t.Record(c, m.kind, subject, data)
	}
	t.Flags(c)
	f := c.Flags()
	if m.build {
		c.Use, c.Args = "build", cobra.NoArgs
		f.StringVar(&build, "build", "", "the build of the app that recorded wrongly")
		f.StringVar(&from, "from", "", "since when, included, RFC 3339, by the ledger's time")
		f.StringVar(&to, "to", "", "until when, not included")
		commandline.Require(c, "build", "from", "to")
	} else {
		f.StringVar(&subject, "subject", "", "the person whose records they are, as in user-1 or device:abc")
		commandline.Require(c, "subject")
	}

	f.StringVar(&reason, "reason", "", "what was wrong, a code as in recorded-by-mistake")
	f.StringVar(&evidence, "evidence", "", "the document that shows it: its file, or its hash")
	commandline.Require(c, "reason")
	if m.void {
		f.StringSliceVar(&by, "by", nil,
			"where nobody is authenticated: a principal who orders it; twice; kept in the clear")
		commandline.Require(c, "evidence")
	}
	return c
}

func newVoidPreview() *cobra.Command {
	var app string
	var b rest.VoidPreview
	c := &cobra.Command{
		Use: "preview", Short: "Show the records and persons that a void would be about, and where they would stand; " +
			"nothing is recorded", Args: cobra.NoArgs,
		Long: `Show the records and persons that a void would be about, and where they would stand;
nothing is recorded. The table has three parts: how much it is, how many persons
would stand otherwise with which purpose, and the persons by their pseudonyms. If
there are more than --limit, ask again with --cursor and what "next" says.
To void, see void records and void build.`,
		Example: `  consentledger void preview --app smartkey --build 5.2.1+1203 --from 2026-03-01T00:00:00Z --to 2026-03-02T00:00:00Z
  consentledger void preview --app smartkey --records 01234567-89ab-8def-8123-456789abcdef`,
		RunE: func(c *cobra.Command, _ []string) error {
			answer, err := remote.Post(c, remote.App(app)+"/voids/preview", b)
			if err != nil {
				return err
			}
			return lawfulnessview.PrintPreview(c, answer)
		},
	}
	commandline.AppFlag(c, &app)
	f := c.Flags()
	f.StringVar(&b.Build, "build", "", "the build of the app that recorded wrongly")
	f.StringVar(&b.From, "from", "", "since when, included, RFC 3339, by the ledger's time")
	f.StringVar(&b.To, "to", "", "until when, not included")
	f.StringSliceVar(&b.Records, "records", nil, "event ids, instead of a build")
	f.IntVar(&b.Limit, "limit", 100, "how many persons to name, at most 1000")
	f.StringVar(&b.Cursor, "cursor", "", "the persons after those of the page before: what its next says")
	output.Flag(c)
	return c
}
