// Package commandline is what all verbs have in common, whatever they do: how their help and
// their examples read, which calls are refused, and flags that many of them have.
package commandline

import (
	"fmt"
	"slices"

	"consentledger/cmd/internal/exit"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Finish makes a program of its verbs: all of them refuse the same calls, and their help
// reads alike.
func Finish(root *cobra.Command) {
	hideAliases(root)
	strict(root)
	finishHelp(root)
	decimal(root)
	root.PersistentPreRunE = func(c *cobra.Command, _ []string) error { return emptyFlag(c) }
}

// WhenBegun calls f before a verb does its work: what fails before that is a
// call that cannot be understood.
func WhenBegun(c *cobra.Command, f func()) {
	if do := c.RunE; do != nil {
		c.RunE = func(c *cobra.Command, args []string) error {
			f()
			return do(c, args)
		}
	}
	for _, sub := range c.Commands() {
		WhenBegun(sub, f)
	}
}

// MayBeEmpty is the note of a flag that is emptied by giving it without a value.
const MayBeEmpty = "may-be-empty"

// emptyFlag refuses a flag that is given and empty: a shell's variable that was
// never set. Without it a verb would speak of everybody.
func emptyFlag(c *cobra.Command) (err error) {
	c.Flags().Visit(func(f *pflag.Flag) {
		list, many := f.Value.(pflag.SliceValue)
		none := many && (len(list.GetSlice()) == 0 || slices.Contains(list.GetSlice(), ""))
		if _, may := f.Annotations[MayBeEmpty]; may {
			return
		}
		if err == nil && (none || !many && f.Value.String() == "") {
			err = exit.Usage(fmt.Errorf("--%s is empty: give it a value, or leave it out", f.Name))
		}
	})
	return err
}
