package commandline

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

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
