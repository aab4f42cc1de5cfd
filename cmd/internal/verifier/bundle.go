package verifier

import (
	"errors"
	"fmt"
	"io"

	"consentledger/api/audit/bundle"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/files"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/projections/transparency/merkle"

	"github.com/spf13/cobra"
)

// A bundleToVerify is what verify bundle's flags say.
type bundleToVerify struct {
	trust
	against, app      string
	subject, from, to string
}

func newVerifyBundle() *cobra.Command {
	var v bundleToVerify
	c := &cobra.Command{
		Use:   "bundle FILE",
		Short: "Check an evidence bundle offline",
		Long: `Check an evidence bundle offline: every byte of the container, every file, the signed checkpoint, every
record's proof, every personal text that it shows, every text and picture that a
record names, and that its manifest and its report say what the records give. What nobody can
derive is listed as claimed.

With --policy, also that the witnesses signed that it asks for: whoever makes the
bundle says --cosigned.

With --against, a log's URL or directory, also that no record was left out of what
you asked for: everything, or what --subject, --from and --to say, as they were
said to whoever made the bundle. A person is named by their pseudonym, or by
account:ID if the bundle shows the text that binds the one to the other.
Ends with exit code 7 and what is wrong first.`,
		Example: `  consentledger verify bundle smartkey.zip --key "$(cat smartkey.vkey)"
  consentledger verify bundle dispute.zip --key smartkey.vkey --against http://127.0.0.1:8080/log/smartkey --subject account:user-2`,
		Args: cobra.ExactArgs(1),
		RunE: v.run,
	}
	f := c.Flags()
	v.flags(c)
	f.StringVar(&v.against, "against", "",
		"the log that it must be complete against: its URL, a published copy, or the data directory of a stopped "+
			"server with --app")
	f.StringVar(&v.app, "app", "", "the app whose log it is, of a data directory")
	f.StringVar(&v.subject, "subject", "", "you asked for this person: a pseudonym, or account:ID")
	f.StringVar(&v.from, "from", "", "you asked for what was recorded at this time (RFC 3339) or later")
	f.StringVar(&v.to, "to", "", "you asked for what was recorded before this time")
	return c
}

func (v *bundleToVerify) run(c *cobra.Command, args []string) error {
	verifier, origin, err := v.verifier()
	if err != nil {
		return err
	}
	if v.against == "" && v.subject+v.from+v.to != "" {
		return exit.Usage(errors.New("--subject, --from and --to say what you asked for, which is held against the " +
			"log: name it with --against"))
	}
	f, info, err := files.OpenPlain(args[0])
	if err != nil {
		return files.NamedBy("FILE", files.OrNotFound(err))
	}
	defer f.Close()

	b, err := bundle.Verify(f, info.Size(), verifier, origin)
	if err != nil {
		return exit.NotAuthentic(fmt.Errorf("%s: %w", args[0], err))
	}
	if err := v.witnessed(origin, b.Signed); err != nil {
		return exit.NotAuthentic(fmt.Errorf("%s: %w", args[0], err))
	}
	tellBundle(c.OutOrStdout(), b, v.beyond())
	if v.against == "" {
		return nil
	}
	asked, err := v.asked(b)
	if err != nil {
		return err
	}
	if err := compare(c, b, LogToVerify{App: v.app}, v.against, asked); err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.OutOrStdout(), "complete: the log has no other record of %s\n", b.Manifest.Selection)
	return err
}

// asked returns what the verifier asked for.
func (v *bundleToVerify) asked(b *bundle.Opened) (bundle.Selection, error) {
	s := bundle.Selection{App: b.Manifest.Selection.App, Subject: v.subject}
	if p, known := b.Pseudonym(v.subject); known {
		s.Subject = p
	} else if _, err := ident.ParsePersonKey(v.subject); err == nil && v.subject != "" {
		if p, known := b.Pseudonym("account:" + v.subject); known {
			s.Subject = p
		}
	}

	for _, t := range []struct {
		flag, text string
		to         *deadline.Instant
	}{{"--from", v.from, &s.From}, {"--to", v.to, &s.To}} {
		var err error
		if t.text == "" {
			continue
		}
		if *t.to, err = deadline.ParseInstant(t.text); err != nil {
			return s, exit.Usage(fmt.Errorf("%s: %w", t.flag, err))
		}
	}
	return s, nil
}

// tellBundle says what a bundle that verified is.
func tellBundle(out io.Writer, b *bundle.Opened, beyond string) {
	m := b.Manifest
	fmt.Fprintf(out, "authentic: %d records of %s, %d personal texts shown, in a tree of %d records, root %s, signed "+
		"as %s%s\n",
		b.Selected, m.Selection, b.Parts, b.Checkpoint.Size, b.Checkpoint.Root, b.Checkpoint.Origin, beyond)
	if beside := len(b.Indexes) - b.Selected; beside > 0 {
		fmt.Fprintf(out, "beside them: %d records that come along so that they can be understood, which the app "+
			"published before or which say whose a request is\n", beside)
	}

	for _, s := range b.Screens {
		if s.There {
			tellPicture(out, s)
		}
	}

	for _, s := range m.Linked {
		fmt.Fprintf(out, "linked, and not in here: %s\n", s)
	}

	for _, claim := range b.Claims {
		fmt.Fprintf(out, "claimed, and not shown: %s\n", claim)
	}
}

// tellPicture says which picture is of which record.
func tellPicture(out io.Writer, s bundle.Screen) {
	what := "no picture that is known here"
	if s.Is.Type != "" {
		what = fmt.Sprintf("%s, %d x %d", s.Is.Type, s.Is.Width, s.Is.Height)
	}
	fmt.Fprintf(out, "picture %s (%s): %s", s.Hash, what, bundle.Shown(s.String()))

	for i, record := range s.Shown {
		between := ", "
		if i == 0 {
			between = "; shown or answered in record "
		}
		fmt.Fprintf(out, "%s%d", between, record)
	}
	if s.More > 0 {
		fmt.Fprintf(out, " and %d more", s.More)
	}
	fmt.Fprintln(out)
}

// compare holds a bundle against a log.
func compare(c *cobra.Command, b *bundle.Opened, v LogToVerify, at string, asked bundle.Selection) (err error) {
	source, at, err := v.Source(c, at)
	defer func() { err = errors.Join(err, v.Close()) }()
	if err != nil {
		return err
	}

	var broken error
	err = b.Against(func(t merkle.Tile) ([]byte, error) {
		files, err := source.Read(c.Context(), merkle.Path(t))
		if err != nil {
			broken = err
			return nil, err
		}
		return files[0], nil
	}, asked)
	switch {
	case broken != nil:
		return fmt.Errorf("%s: %w", at, broken)
	case err != nil:
		return exit.NotAuthentic(fmt.Errorf("%s: %w", at, err))
	}
	return nil
}
