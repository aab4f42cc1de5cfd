package commandline

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// required is what stands before the description of a flag without which a verb is
// refused.
const required = "required: "

// finishHelp marks in the help of every verb what is required, and gives a verb that
// has no example of its own one that is made of that.
func finishHelp(c *cobra.Command) {
	eachFlag(c, func(f *pflag.Flag) {
		if IsRequired(f) && !strings.HasPrefix(f.Usage, required) {
			f.Usage = required + f.Usage
		}
	})
	for _, sub := range c.Commands() {
		finishHelp(sub)
	}
	if c.Example == "" && c.HasParent() && c.Runnable() && len(c.Commands()) == 0 {
		c.Example = "  " + Example(c)
	}
}

// eachFlag calls f with every flag of a verb, those that it has of its group among them.
func eachFlag(c *cobra.Command, f func(*pflag.Flag)) {
	c.NonInheritedFlags().VisitAll(f)
	c.InheritedFlags().VisitAll(f)
}

// IsRequired reports whether a verb is refused without a flag.
func IsRequired(f *pflag.Flag) bool {
	return slices.Equal(f.Annotations[cobra.BashCompOneRequiredFlag], []string{"true"})
}

// samples are what examples have for arguments and flags. What is not here has its own
// name in capitals.
var samples = map[string]string{
	"app": "smartkey", "subject": "user-1", "purpose": "personalisation", "purposes": "personalisation",
	"APP":             "smartkey",
	"test|production": "production", "YEAR": "2027", "SEQ": "17", "FILE": "policy.yaml", "KEYFILE": "backend.pem",
	"OLD": "sha256:OLD", "NEW": "sha256:NEW", "VERSION": "sha256:VERSION", "JOB": "7QK3WZT5", "by": "officer",
	"reason": "other", "until": "2027-03-02",
}

// Example returns a call of a verb with all that is required.
func Example(c *cobra.Command) string {
	words := strings.Fields(c.CommandPath())
	eachFlag(c, func(f *pflag.Flag) {
		if IsRequired(f) {
			words = append(words, "--"+f.Name, sampleOf(f.Name))
		}
	})
	for _, arg := range strings.Fields(c.Use)[1:] {
		if !strings.HasPrefix(arg, "[") {
			words = append(words, sampleOf(arg))
		}
	}
	return strings.Join(words, " ")
}

func sampleOf(name string) string {
	if sample, has := samples[name]; has {
		return sample
	}
	return strings.ToUpper(name)
}

// hideAliases leaves out of every help the words that a verb had before. They work, for
// scripts that have them; nobody has to learn them.
func hideAliases(root *cobra.Command) {
	usage := root.UsageFunc()
	root.SetUsageFunc(func(c *cobra.Command) error {
		before := c.Aliases
		c.Aliases = nil
		defer func() { c.Aliases = before }()
		return usage(c)
	})
}

// AlsoNamed takes a flag by a name that it had before, too.
func AlsoNamed(c *cobra.Command, before, name string) {
	c.Flags().SetNormalizeFunc(func(_ *pflag.FlagSet, given string) pflag.NormalizedName {
		if given == before {
			given = name
		}
		return pflag.NormalizedName(given)
	})
}
