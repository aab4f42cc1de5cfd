package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"consentledger/api/report/account"
	"consentledger/api/wire"
	"consentledger/domain"
	"consentledger/domain/deadline"
	"consentledger/projections/transparency"
	"consentledger/projections/transparency/merkle"

	"github.com/spf13/cobra"
)

// papers makes the reports of a house.
type papers struct{ *house }

// Audit implements [rest.Papers]. The log's root is derived again for it.
func (p papers) Audit(ctx context.Context, app domain.AppName, from, to deadline.Instant) (account.Report, error) {
	outside, err := p.outside(ctx, app)
	if err != nil {
		return account.Report{}, err
	}
	reading, done := p.readings.begin(readingAudit)
	defer done()
	return account.Make(ctx, notedLedger{p.dir.ledger, reading}, p.requests, app, from, to, outside)
}

// Register implements [rest.Papers].
func (p papers) Register(ctx context.Context, app domain.AppName, name string, at deadline.Instant) (account.Register, error) {
	return account.MakeRegister(ctx, p.dir.ledger, p.requests, app, name, at)
}

// outside says what no history says.
func (p papers) outside(ctx context.Context, app domain.AppName) (account.Outside, error) {
	o := account.Outside{Made: deadline.At(time.Now()).String(), Software: version, SHA256: ownHash()}
	if n, err := p.rejected.Unseen(ctx); err == nil { // not known while NATS is away
		o.Rejected = &n
	}
	var err error
	o.Integrity, err = p.integrity(ctx, app)
	return o, err
}

func (p papers) integrity(ctx context.Context, app domain.AppName) (account.Integrity, error) {
	var i account.Integrity
	text, err := p.logs.Checkpoint(app)
	if errors.Is(err, transparency.ErrNotThere) || errors.Is(err, transparency.ErrNotReady) {
		return account.Integrity{Fault: err.Error()}, nil
	}
	if err != nil {
		return i, err
	}
	body, _, _ := strings.Cut(string(text), "\n\n")
	c, err := merkle.ParseCheckpoint(body + "\n")
	if err != nil {
		return i, err
	}
	i = account.Integrity{Origin: c.Origin, Size: c.Size, Root: c.Root.String(), Checkpoint: string(text)}
	if i.Key, err = p.logs.VerifierKey(app); err != nil {
		return i, err
	}
	rows, err := p.dir.compareTrees(ctx, []domain.AppName{app}, func(domain.AppName) ([]byte, error) { return text, nil })
	if err != nil {
		return i, err
	}
	if i.Derived = rows[0].Same(); !i.Derived {
		i.Fault = "the records do not give the root that was signed"
	}
	if _, err := p.logs.Sealed(); err != nil {
		i.Fault = err.Error()
	}
	return i, p.witnessed(app, &i)
}

// witnessed says what those outside signed.
func (p papers) witnessed(app domain.AppName, i *account.Integrity) error {
	if p.witnesses == nil {
		return nil
	}
	status, err := p.witnesses.Status(app)
	if err != nil {
		return fmt.Errorf("witnesses of %s: %w", app, err)
	}
	for _, s := range status.Said {
		w := account.Witness{Name: s.Name, Size: s.Size}
		if !s.At.IsZero() {
			w.At = deadline.At(s.At).String()
		}
		i.Witnesses = append(i.Witnesses, w)
	}
	if from, to := status.Longest(time.Now()); !from.IsZero() {
		i.GapFrom, i.GapTo = deadline.At(from).String(), deadline.At(to).String()
	}
	return nil
}

// A paperForm is how a paper is written.
type paperForm struct{ account.Form }

func (f *paperForm) String() string { return string(f.Form) }
func (f *paperForm) Type() string   { return "form" }

func (f *paperForm) Set(s string) (err error) {
	if f.Form, err = account.ParseForm(s); err != nil || s == "" {
		return errors.New("want json, csv, md or html")
	}
	return nil
}

// paperFlags gives a verb the flags of papers. It returns a function that
// fetches the paper and writes it.
func paperFlags(c *cobra.Command, app *string, query url.Values) func(path string, headers ...[2]string) error {
	form, file, lang := &paperForm{account.Markdown}, "", "en"
	f := c.Flags()
	f.StringVar(app, "app", "", "the app")
	f.VarP(form, "output", "o", "how to write it: json, csv (a zip with a table for every section), md or html (to be printed)")
	f.StringVar(&lang, "lang", "en", "the language: en or zh")
	f.StringVar(&file, "out", "", "write to this file instead of standard output")
	c.MarkFlagRequired("app")
	c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"json", "csv", "md", "html"}, cobra.ShellCompDirectiveNoFileComp))
	return func(path string, headers ...[2]string) error {
		if err := checkOut("--out", file); err != nil {
			return err
		}
		query.Set("format", form.String())
		query.Set("lang", lang)
		text, err := call(c, http.MethodGet, "/v1/apps/"+url.PathEscape(*app)+path+"?"+query.Encode(), "", nil, headers...)
		if err != nil {
			return err
		}
		if file != "" {
			return writeOut("--out", file, text)
		}
		_, err = c.OutOrStdout().Write(text)
		return err
	}
}

func newReportAudit() *cobra.Command {
	var app, from, to string
	var who wire.Reader
	query := url.Values{}
	c := &cobra.Command{
		Use:   "audit",
		Short: "The audit report: what was promised, what was kept, what was not, and how do I know",
		Long: `The audit report of an app and a span: what was promised, what was kept, what was
not, and how anybody can know. It is counted from the log, whose fingerprint is
derived again for it. It holds no personal data. That it was made is recorded.`,
		Example: `  consentledger report audit --app smartkey --from 2026-01-01T00:00:00Z --to 2026-07-01T00:00:00Z -o html --lang zh --out audit.html`,
		Args:    cobra.NoArgs,
	}
	write := paperFlags(c, &app, query)
	c.Flags().StringVar(&from, "from", "", "begin with the first record of this time or later, RFC 3339 (default: the beginning)")
	c.Flags().StringVar(&to, "to", "", "end before the first record of this time or later, RFC 3339 (default: now)")
	readerFlags(c, &who)
	c.RunE = func(*cobra.Command, []string) error {
		setIf(query, "from", from)
		setIf(query, "to", to)
		err := waiting(c, readingAudit, func() error { return write("/reports/audit", who.Headers()...) })
		if err == nil {
			askWhy(c, "", who)
		}
		return err
	}
	return c
}

func setIf(query url.Values, name, value string) {
	if value != "" {
		query.Set(name, value)
	}
}

func newReportRegister() *cobra.Command {
	var app, at string
	query := url.Values{}
	c := &cobra.Command{
		Use:       "register processing|recipients|assessments|retention",
		Short:     "A register that the law asks for, as of a moment",
		Example:   "  consentledger report register processing --app smartkey -o html --out processing.html",
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: account.Registers,
	}
	write := paperFlags(c, &app, query)
	c.Flags().StringVar(&at, "at", "", "how it stood then, RFC 3339 (default: now)")
	c.RunE = func(_ *cobra.Command, args []string) error {
		setIf(query, "at", at)
		return write("/registers/" + args[0])
	}
	return c
}
