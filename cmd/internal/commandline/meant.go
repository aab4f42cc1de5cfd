package commandline

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Meant says which flags of a command may be meant by one that it does not have, and how
// it is called if it takes arguments. It is empty, or ends with "; ".
func Meant(c *cobra.Command, err error) string {
	unknown, is := errors.AsType[*pflag.NotExistError](err)
	if !is {
		return ""
	}

	said, hint := unknown.GetSpecifiedName(), ""
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden && len(said) > 2 && (strings.HasPrefix(f.Name, said) || strings.HasPrefix(said, f.Name)) {
			hint += "there is --" + f.Name + "; "
		}
	})
	if strings.Contains(c.Use, " ") {
		hint += "it is called as " + c.UseLine() + "; "
	}
	return hint
}
