package remote

import (
	"net/http"
	"strings"

	"github.com/spf13/cobra"
)

// DryRunFlag is the flag by which a verb that records is asked what it would record.
const DryRunFlag = "dry-run"

// asksFirst marks verbs whose flag the server answers: others have one that sends nothing.
const asksFirst = "asks the server what would be recorded"

// AsksFirst says of a verb with [DryRunFlag] that the server is to answer it.
func AsksFirst(c *cobra.Command) {
	if c.Annotations == nil {
		c.Annotations = map[string]string{}
	}
	c.Annotations[asksFirst] = "true"
}

// A Foretold is what a command would do. It ends a verb as an error does, so that nothing
// that comes after the answer takes it for one.
type Foretold struct{ Answer []byte }

func (*Foretold) Error() string { return "nothing was recorded: only what would be was asked for" }

// asksOnly reports whether a verb is to be told what a request would do.
func asksOnly(c *cobra.Command, method string) bool {
	only, err := c.Flags().GetBool(DryRunFlag)
	return err == nil && only && method != http.MethodGet && c.Annotations[asksFirst] != ""
}

// foretelling returns the path at which the server says what a request would do.
func foretelling(path string) string {
	if strings.Contains(path, "?") {
		return path + "&dry_run"
	}
	return path + "?dry_run"
}
