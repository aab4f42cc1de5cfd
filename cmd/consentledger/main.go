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

	"consentledger/cmd/internal/bench"
	"consentledger/cmd/internal/commandline"
	"consentledger/cmd/internal/completion"
	"consentledger/cmd/internal/configfile"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/remote"
	"consentledger/cmd/internal/terminal"
	"consentledger/cmd/internal/verifier"

	"github.com/spf13/cobra"
)

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	root := newRoot()
	completion.Names(root) // here, once: Cobra keeps for ever what completes a flag, and its verb with it
	root.SetArgs(args)
	if terminal.IsTerminal(os.Stdout) {
		root.SetOut(&terminal.EscapingWriter{W: os.Stdout})
	}

	root.SetErr(&terminal.EscapingWriter{W: os.Stderr}) // which people read, wherever it leads
	began := false
	commandline.WhenBegun(root, func() { began = true })
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exit.CodeOK
	}
	if !began {
		err = exit.Usage(err)
	}

	code := exit.Code(ctx, err)
	if code == exit.CodeInterrupted {
		err = errors.New("interrupted")
	}

	fmt.Fprintln(os.Stderr, "consentledger:", terminal.Escaped(err.Error()))
	return code
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "consentledger",
		Short: "Keeps the promises of a privacy policy, and proves them",
		Long: `Keeps the promises of a privacy policy, and proves them.

The first time: consentledger serve --demo runs it with a sample app and simulated users,
consentledger serve runs your own, and both say what comes next. What a verb takes and an
example of it: consentledger VERB --help. If something does not work: consentledger doctor.`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return exit.Usage(fmt.Errorf("%w; %ssee %s --help", err, commandline.Meant(c, err), c.CommandPath()))
	})
	remote.Flags(root)
	configfile.Flag(root)
	addGrouped(root, appTeams, newRecord(), newCheck(), newPrompt(), newState(), newSurface(), newSigner(), newSchema(),
		newImport(), newWebhook(), newCall())
	addGrouped(root, privacyOfficers, newPolicy(), newRequest(), newObligation(), newIncident(), newService(),
		newCalendar(), newDeadline(),
		newReport(), newSubject(), newErasure(), newHold(), newKeptProof(), newReceipt(), newVoid(), newDispute(),
		newProposal())
	addGrouped(root, auditors, newReplay(), newLawful(), newExport(), newLog(), newSIEM(), verifier.New())
	addGrouped(root, operators, newServe(), newConfig(), newApp(), newAccess(), newDoctor(), newStatus(), newAlarms(),
		newRejected(), newHealthcheck(),
		newKeys(), newBackup(), newRestore(), newMigrate(), bench.New(), newMan())
	root.AddCommand(bench.NewLoad(), bench.NewEsdbServer(), newVersion(), exitCodesHelp())
	commandline.Finish(root)
	return root
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
