// Command consentledger keeps the promises of a privacy policy, and proves
// them. Run "consentledger help" for its verbs; serve starts everything.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"consentledger/api/wire"
	"consentledger/cmd/internal/bench"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/terminal"
	"consentledger/cmd/internal/verifier"
	"consentledger/domain"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	root := newRoot()
	root.SetArgs(args)
	if terminal.IsTerminal(os.Stdout) {
		root.SetOut(&terminal.EscapingWriter{W: os.Stdout})
	}
	root.SetErr(&terminal.EscapingWriter{W: os.Stderr}) // which people read, wherever it leads
	began := false
	whenBegun(root, func() { began = true })
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exit.CodeOK
	}
	if !began {
		err = exit.Usage(err)
	}
	code := exitCode(ctx, err)
	if code == exit.CodeInterrupted {
		err = errors.New("interrupted")
	}
	fmt.Fprintln(os.Stderr, "consentledger:", terminal.Escaped(err.Error()))
	return code
}

// whenBegun calls f before a verb does its work: what fails before that is a
// call that cannot be understood.
func whenBegun(c *cobra.Command, f func()) {
	if do := c.RunE; do != nil {
		c.RunE = func(c *cobra.Command, args []string) error {
			f()
			return do(c, args)
		}
	}
	for _, sub := range c.Commands() {
		whenBegun(sub, f)
	}
}

func exitCode(ctx context.Context, err error) int {
	if ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.Cause(ctx))) {
		return exit.CodeInterrupted
	}
	if coded, ok := errors.AsType[interface {
		error
		ExitCode() int
	}](err); ok {
		return coded.ExitCode()
	}
	if r, ok := errors.AsType[domain.Refusal](err); ok {
		return (&exit.ProblemError{Status: wire.ProblemOf(r).Status}).ExitCode()
	}
	if errors.Is(err, exit.ErrUnreachable) {
		return exit.CodeUnavailable
	}
	return exit.CodeError
}

// A notAllowed is the answer no to "may we?", for shells.
type notAllowed struct{ reason string }

func (e notAllowed) Error() string { return "not allowed: " + e.reason }
func (e notAllowed) ExitCode() int { return exit.CodeNotAllowed }

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "consentledger",
		Short:         "Keeps the promises of a privacy policy, and proves them",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return exit.Usage(err) })
	root.PersistentFlags().String("server", env("CONSENTLEDGER_SERVER", "http://127.0.0.1:8080"), "the running server's HTTP address (environment: CONSENTLEDGER_SERVER)")
	root.PersistentFlags().String("key-file", "", "a file with the key to show to the server (environment: "+accessKeyVariable+", "+accessKeyFileVariable+")")
	addGrouped(root, appTeams, newRecord(), newCheck(), newPrompt(), newState(), newSurface(), newSigner(), newSchema(), newImport(), newWebhook())
	addGrouped(root, privacyOfficers, newPolicy(), newRequest(), newObligation(), newIncident(), newService(), newCalendar(), newDeadline(),
		newReport(), newSubject(), newErasure(), newHold(), newReceipt(), newVoid(), newDispute())
	addGrouped(root, auditors, newReplay(), newLawful(), newExport(), newLog(), verifier.New())
	addGrouped(root, operators, newServe(), newApp(), newAccess(), newDoctor(), newStatus(), newAlarms(), newRejected(), newHealthcheck(),
		newKeys(), newBackup(), newRestore(), newMigrate(), bench.New())
	root.AddCommand(bench.NewLoad(), bench.NewEsdbServer(), newVersion(), exitCodesHelp())
	hideAliases(root)
	strict(root)
	finishHelp(root)
	completeNames(root)
	decimal(root)
	root.PersistentPreRunE = func(c *cobra.Command, _ []string) error { return emptyFlag(c) }
	return root
}

// mayBeEmpty is the note of a flag that is emptied by giving it without a value.
const mayBeEmpty = "may-be-empty"

// emptyFlag refuses a flag that is given and empty: a shell's variable that was
// never set. Without it a verb would speak of everybody.
func emptyFlag(c *cobra.Command) (err error) {
	c.Flags().Visit(func(f *pflag.Flag) {
		list, many := f.Value.(pflag.SliceValue)
		none := many && (len(list.GetSlice()) == 0 || slices.Contains(list.GetSlice(), ""))
		if _, may := f.Annotations[mayBeEmpty]; may {
			return
		}
		if err == nil && (none || !many && f.Value.String() == "") {
			err = exit.Usage(fmt.Errorf("--%s is empty: give it a value, or leave it out", f.Name))
		}
	})
	return err
}

func env(name, otherwise string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return otherwise
}

// A decimalFlag is a flag with a number, which is written as everybody writes it:
// package pflag reads 010 as eight, and 1_0 and 0xa as ten.
type decimalFlag struct{ pflag.Value }

func (d decimalFlag) Set(text string) error {
	if n, err := strconv.ParseInt(text, 10, 64); err != nil || strconv.FormatInt(n, 10) != text {
		return errors.New("want a number as in 17, without a plus sign or zeros before it")
	}
	return d.Value.Set(text)
}

// decimal makes every number that is a flag of c, or of a command below it, a
// [decimalFlag].
func decimal(c *cobra.Command) {
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if kind := f.Value.Type(); kind == "int" || kind == "int64" {
			f.Value = decimalFlag{f.Value}
		}
	})
	for _, sub := range c.Commands() {
		decimal(sub)
	}
}

// strict lets no command that only has others below it be called by itself, or
// with the name of one that it does not have.
func strict(c *cobra.Command) {
	var names []string
	for _, sub := range c.Commands() {
		strict(sub)
		names = append(names, sub.Name())
	}
	if len(names) == 0 || !c.HasParent() || c.Runnable() {
		return
	}
	c.Args = func(_ *cobra.Command, args []string) error {
		if len(args) == 0 {
			return fmt.Errorf("%s wants one of: %s", c.Name(), strings.Join(names, ", "))
		}
		return fmt.Errorf("%s has no %q; it has: %s", c.Name(), args[0], strings.Join(names, ", "))
	}
	c.RunE = func(*cobra.Command, []string) error { return nil } // Args refuses every call
}

func exitCodesHelp() *cobra.Command {
	return &cobra.Command{Use: "exit-codes", Short: "What the exit codes mean", Long: `0    done
1    failed, or refused (the message says why)
2    the call could not be understood
3    there is no such thing
4    check: not allowed (and unknown is 6, never 0)
5    conflict: the id was used for something else
6    the server cannot be reached or cannot answer now; ask again
7    verify: not authentic; what was verified is not what was signed
8    replay --check, replay diff: there is a difference
9    alarms: there is something that somebody must look at
130  interrupted`}
}
