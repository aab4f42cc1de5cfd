package configfile

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// An Origin is one setting as it counts, and what says so.
type Origin struct {
	Setting string `json:"setting"`
	Value   string `json:"value"`
	Origin  string `json:"origin"` // default, a variable, or a place in a file
}

// Default is the origin of what nobody said.
const Default = "default"

// hidden stands for a value that may be a secret.
const hidden = "(not shown)"

// Origins returns every setting of a program as it counts without flags. F may be nil: no file
// was named.
func (f *File) Origins(root *cobra.Command) []Origin {
	of := map[*pflag.Flag]setting{}
	known := sectionsOf(root)
	if f != nil {
		for _, s := range f.settings {
			of[known[s.section][s.flag]] = s
		}
	}

	var all []Origin
	for _, section := range sorted(known) {
		for _, name := range sorted(known[section]) {
			flag := known[section][name]
			o := Origin{Setting: strings.TrimPrefix(section+"."+name, "."), Value: flag.DefValue, Origin: Default}
			s, said := of[flag]
			switch variable := variableOf(flag); {
			case variable != "":
				o.Value, o.Origin = os.Getenv(variable), "environment "+variable
				if file := strings.HasSuffix(variable, "_FILE"); file && holdsSecret(flag) {
					o.Origin = fmt.Sprintf("file %s, by %s", o.Value, variable)
				}
				// it holds the content
				if holdsSecret(flag) || strings.HasSuffix(name, "-file") && !strings.HasSuffix(variable, "_FILE") {
					o.Value = hidden
				}
			case said && s.secretFile:
				o.Value, o.Origin = hidden, fmt.Sprintf("file %s, by %s", s.values[0], s.place())
			case said:
				o.Value, o.Origin = strings.Join(s.values, " "), s.place()
			}
			all = append(all, o)
		}
	}
	return all
}

func sorted[T any](m map[string]T) []string { return slices.Sorted(maps.Keys(m)) }

// Template is a file to begin with: every setting with its default, as a comment.
func Template(root *cobra.Command) string {
	var b strings.Builder
	b.WriteString("# Settings of consentledger. A flag counts before the environment, that before this file.\n" +
		"# No secret stands here. Check it with: consentledger config validate FILE\n")
	known := sectionsOf(root)
	for _, section := range sorted(known) {
		indent := ""
		if section != "" {
			fmt.Fprintf(&b, "\n%s:\n", section)
			indent = "  "
		}
		for _, name := range sorted(known[section]) {
			flag := known[section][name]
			fmt.Fprintf(&b, "\n%s# %s\n", indent, strings.ReplaceAll(flag.Usage, "\n", " "))
			value := strings.TrimSuffix(strings.TrimPrefix(flag.DefValue, "["), "]")
			if _, many := flag.Value.(pflag.SliceValue); many {
				value = "[" + value + "]"
			}
			fmt.Fprintf(&b, "%s# %s: %s\n", indent, name, value)
			if holdsSecret(flag) && section != "" {
				fmt.Fprintf(&b, "%s# %s-file:  # or: a file that holds it, with its password\n", indent, name)
			}
		}
	}
	return b.String()
}
