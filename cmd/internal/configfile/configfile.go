// Package configfile takes values of flags from a YAML file: those of serve, and which server
// verbs ask. A flag counts before the environment, that before files of secrets, and those
// before this file. No secret stands in it.
//
//	server: https://ledger.example.com
//	serve:
//	  data: /var/lib/consentledger
//	  allowed-hosts: [ledger.example.com]
//	  store-file: /run/secrets/store
package configfile

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"

	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/files"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Variable names the file, where no flag does.
const Variable = "CONSENTLEDGER_CONFIG"

// Flag gives the program the flag that names the file.
func Flag(root *cobra.Command) {
	root.PersistentFlags().String("config", "",
		"a YAML file with values of flags, see consentledger config (environment: "+Variable+")")
}

// NameOf returns the name of the file that a flag or the environment names; empty: there is none.
func NameOf(c *cobra.Command) string {
	return cmp.Or(c.Flag("config").Value.String(), os.Getenv(Variable))
}

// Notes of flags, and of verbs.
const (
	environmentNote = "environment" // variables that say the same
	secretNote      = "may-hold-a-secret"
	sectionNote     = "config-section" // of a verb
)

// ServerVariable names the address at which the verbs ask the server, where no flag does.
// Without it they ask at [ServerDefault].
const (
	ServerVariable = "CONSENTLEDGER_SERVER"
	ServerDefault  = "http://127.0.0.1:8080"
)

// FromEnvironment notes which variables say the same as a flag. They count before the file.
func FromEnvironment(f *pflag.FlagSet, name string, variables ...string) {
	_ = f.SetAnnotation(name, environmentNote, variables)
}

// MayHoldSecret notes that the value of a flag may have a password in it. The file may have it
// without one, or name a file that holds it: by a key that is the flag's name and "-file".
func MayHoldSecret(f *pflag.FlagSet, name string) {
	_ = f.SetAnnotation(name, secretNote, []string{"true"})
}

// Section notes of a verb from which section of the file it takes its flags.
func Section(c *cobra.Command, name string) { c.Annotations = map[string]string{sectionNote: name} }

// Apply gives the flags of a verb the values of the file, if one is named.
func Apply(c *cobra.Command) error {
	name := NameOf(c)
	if name == "" || within(c, "config") {
		return nil
	}
	f, err := Read(name, c.Root())
	if err != nil {
		return err
	}
	return f.Set(c)
}

// within reports whether a verb is one of a group.
func within(c *cobra.Command, group string) bool {
	for ; c != nil; c = c.Parent() {
		if c.Name() == group {
			return true
		}
	}
	return false
}

// Set gives the flags of a verb the values of the file. A flag that somebody gave, or that the
// environment says, is left alone.
func (f *File) Set(c *cobra.Command) error {
	for _, s := range f.settings {
		if s.section != "" && s.section != c.Annotations[sectionNote] {
			continue
		}
		flag := c.Flags().Lookup(s.flag)
		if flag == nil || flag.Changed || variableOf(flag) != "" {
			continue
		}
		values, err := s.read()
		if err == nil {
			err = set(flag, values)
		}
		if err != nil {
			return exit.Usage(fmt.Errorf("%s: %s: %w", s.place(), s.path(), err))
		}
	}
	return nil
}

// set gives a flag its values, as the command line does.
func set(flag *pflag.Flag, values []string) (err error) {
	if list, many := flag.Value.(pflag.SliceValue); many {
		err = list.Replace(values)
	} else {
		err = flag.Value.Set(values[0])
	}
	flag.Changed = err == nil
	return err
}

// read returns the values of a setting, of which a file of secrets holds one.
func (s setting) read() ([]string, error) {
	if !s.secretFile {
		return s.values, nil
	}
	text, err := files.ReadOwnFile(s.values[0], files.MaxKeyFile)
	if err != nil {
		return nil, err
	}
	value := strings.TrimSpace(string(text))
	if value == "" {
		return nil, fmt.Errorf("%s is empty: it holds what --%s takes", s.values[0], s.flag)
	}
	return []string{value}, nil
}

// variableOf returns the variable that says what a flag does, if it is set.
func variableOf(flag *pflag.Flag) string {
	all := flag.Annotations[environmentNote]
	if i := slices.IndexFunc(all, func(name string) bool { return os.Getenv(name) != "" }); i >= 0 {
		return all[i]
	}
	return ""
}
