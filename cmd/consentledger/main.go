// Command consentledger keeps the promises of a privacy policy, and proves
// them. Run "consentledger help" for its verbs; serve starts everything.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"consentledger/domain"

	"github.com/spf13/cobra"
)

// version is stamped by the linker.
var version = "development"

// The exit codes, as "help exit-codes" tells them.
const (
	exitOK          = 0
	exitError       = 1
	exitUsage       = 2
	exitNotFound    = 3
	exitConflict    = 5
	exitUnavailable = 6
	exitInterrupted = 130
)

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := newRoot()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	fmt.Fprintln(os.Stderr, "consentledger:", err)
	return exitCode(ctx, err)
}

func exitCode(ctx context.Context, err error) int {
	if p, ok := errors.AsType[*problemError](err); ok {
		return p.exitCode()
	}
	if _, ok := errors.AsType[usageError](err); ok {
		return exitUsage
	}
	if _, ok := errors.AsType[domain.Refusal](err); ok {
		return exitError
	}
	if errors.Is(err, errUnreachable) {
		return exitUnavailable
	}
	if ctx.Err() != nil {
		return exitInterrupted
	}
	return exitError
}

// A usageError is a call that cannot be understood.
type usageError struct{ error }

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "consentledger",
		Short:         "Keeps the promises of a privacy policy, and proves them",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.PersistentFlags().String("server", env("CONSENTLEDGER_SERVER", "http://127.0.0.1:8080"), "the running server's HTTP address (environment: CONSENTLEDGER_SERVER)")
	root.AddCommand(newServe(), newApp(), newPolicy(), newRecord(), newCheck(), newReplay(), newStatus(), newRejected(), newSchema(), newVersion(), exitCodesHelp())
	return root
}

func env(name, otherwise string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return otherwise
}

func newVersion() *cobra.Command {
	return &cobra.Command{Use: "version", Short: "Print the version", Args: cobra.NoArgs, Run: func(c *cobra.Command, _ []string) {
		fmt.Fprintln(c.OutOrStdout(), "consentledger", version)
	}}
}

func exitCodesHelp() *cobra.Command {
	return &cobra.Command{Use: "exit-codes", Short: "What the exit codes mean", Long: `0    done
1    failed, or refused (the message says why)
2    the call could not be understood
3    there is no such thing
5    conflict: the id was used for something else
6    the server cannot be reached or cannot answer now; ask again
130  interrupted`}
}
