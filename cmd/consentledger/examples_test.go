package main

import (
	"strings"
	"testing"

	"consentledger/cmd/internal/commandline"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// The help of every verb has an example that can be understood, and says which flags
// are required.
func TestEveryVerbHasAnExampleAndSaysWhatIsRequired(t *testing.T) {
	t.Parallel()
	verbs, flags := 0, 0
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			walk(sub)
		}
		if c.Hidden || !c.Runnable() || len(c.Commands()) > 0 {
			return
		}
		verbs++
		if !strings.Contains(c.Example, c.CommandPath()) {
			t.Errorf("%s has no example of itself: %q", c.CommandPath(), c.Example)
		}
		if example := commandline.Example(c); c.Example == "  "+example {
			understood(t, newRoot(), strings.Fields(example)[1:])
		}
		help := c.UsageString()
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if commandline.IsRequired(f) {
				flags++
				if !strings.Contains(help, "required: "+strings.TrimPrefix(f.Usage, "required: ")) {
					t.Errorf("the help of %s does not say that --%s is required", c.CommandPath(), f.Name)
				}
			}
		})
	}
	walk(newRoot())
	if verbs < 100 || flags < 100 {
		t.Errorf("%d verbs with %d required flags", verbs, flags)
	}
}
