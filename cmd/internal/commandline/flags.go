package commandline

import (
	"errors"
	"net/url"

	"consentledger/cmd/internal/exit"
	"consentledger/domain/refusal"

	"github.com/spf13/cobra"
)

// AppFlag gives a verb the flag --app, which it requires.
func AppFlag(c *cobra.Command, app *string) {
	c.Flags().StringVar(app, "app", "", "the app")
	c.MarkFlagRequired("app")
}

// Require refuses a verb without these flags.
func Require(c *cobra.Command, flags ...string) {
	for _, name := range flags {
		c.MarkFlagRequired(name)
	}
}

// WrongFlag turns a refusal that names a member into one that names a flag.
func WrongFlag(err error) error {
	if r, ok := errors.AsType[refusal.Refusal](err); ok {
		return exit.Usage(errors.New("--" + r.Text))
	}
	return err
}

// SetIf sets a parameter of a query, if there is a value.
func SetIf(query url.Values, name, value string) {
	if value != "" {
		query.Set(name, value)
	}
}
