package main

import (
	"errors"
	"fmt"
	"slices"

	"consentledger/cmd/internal/commandline"
	"consentledger/cmd/internal/configfile"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/files"
	"consentledger/cmd/internal/output"
	"consentledger/cmd/internal/remote"
	"consentledger/cmd/internal/server"

	"github.com/spf13/cobra"
)

func newConfig() *cobra.Command {
	c := &cobra.Command{
		Use: "config", Short: "A file with the settings of serve, and of which server verbs ask",
		Long: `A YAML file with the settings of serve, and of which server verbs ask. --config or
` + configfile.Variable + ` names it. A flag counts before the environment, that before files of
secrets, and those before this file:

  server: https://ledger.example.com
  serve:
    data: /var/lib/consentledger
    allowed-hosts: [ledger.example.com]
    store-file: /run/secrets/store

A setting has the name of its flag. No secret stands in the file: an address that has a
password is in a file of its own, which store-file, vault-file or views-file names.`,
	}
	c.AddCommand(newConfigInit(), newConfigValidate(), newConfigShow())
	return c
}

// configurable returns a program of the verbs that take settings from the file, its verb serve,
// and what checks that one's flags.
func configurable() (root, serve *cobra.Command, check func(*cobra.Command) error) {
	root = &cobra.Command{Use: "consentledger"}
	remote.Flags(root)
	configfile.Flag(root)
	serve, check = serveVerb()
	root.AddCommand(serve)
	commandline.Finish(root)
	return root, serve, check
}

func newConfigInit() *cobra.Command {
	return &cobra.Command{
		Use: "init [FILE]", Short: "Write a file to begin with: every setting with its default, as a comment",
		Args:    cobra.MaximumNArgs(1),
		Example: "  consentledger config init /etc/consentledger.yaml",
		RunE: func(c *cobra.Command, args []string) error {
			root, _, _ := configurable()
			name := nameOr(args, "consentledger.yaml")
			if err := files.WriteNew(files.NewFile{Name: name, Text: configfile.Template(root)}); err != nil {
				return err
			}
			_, err := fmt.Fprintf(c.OutOrStdout(),
				"wrote %[1]s\nnext:\n  consentledger config validate %[1]s\n  consentledger serve --config "+
					"%[1]s\n", name)
			return err
		},
	}
}

func newConfigValidate() *cobra.Command {
	return &cobra.Command{
		Use: "validate [FILE]", Short: "Say what is wrong with a file, and at which line", Args: cobra.MaximumNArgs(1),
		Long: `Say what is wrong with a file, and at which line: a setting that there is not, a value
that its flag would refuse, a secret, settings of serve that contradict each other. Files of
keys and certificates are read, and no server is asked: that is what doctor does. Without
FILE it is the one that --config or ` + configfile.Variable + ` names.`,
		Example: "  consentledger config validate /etc/consentledger.yaml",
		RunE: func(c *cobra.Command, args []string) error {
			name := nameOr(args, configfile.NameOf(c))
			if name == "" {
				return exit.Usage(errors.New("name a FILE, here or with --config or " + configfile.Variable))
			}
			root, serve, check := configurable()
			file, err := configfile.Read(name, root)
			if err != nil {
				return err
			}
			if err := errors.Join(file.Set(root), file.Set(serve)); err != nil {
				return err
			}
			if err := check(serve); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%s is in order: %d settings\n", name, file.Settings())
			return err
		},
	}
}

func newConfigShow() *cobra.Command {
	var origin, all bool
	c := &cobra.Command{
		Use: "show", Short: "Show the settings as they count, and with --origin what says so", Args: cobra.NoArgs,
		Long: `Show the settings as they count, from the environment, the file and defaults; a flag of
serve counts before all of them. What may hold a secret is not shown.`,
		Example: "  consentledger config show --origin --config /etc/consentledger.yaml",
		RunE: func(c *cobra.Command, _ []string) (err error) {
			root, _, _ := configurable()
			var file *configfile.File
			if name := configfile.NameOf(c); name != "" {
				if file, err = configfile.Read(name, root); err != nil {
					return err
				}
			}
			var rows []configfile.Origin
			for _, o := range natsFrom(file.Origins(root)) {
				if all || o.Origin != configfile.Default {
					rows = append(rows, o)
				}
			}
			columns := []string{"setting", "value", "origin"}
			if !origin {
				columns = columns[:2]
			}
			return output.Values(c, rows, columns...)
		},
	}
	c.Flags().BoolVar(&origin, "origin", false, "say of each setting where its value comes from")
	c.Flags().BoolVar(&all, "all", false, "also those that have their defaults")
	output.Flag(c)
	return c
}

// natsFrom says which address a context of the nats tool gives, if one is named.
func natsFrom(rows []configfile.Origin) []configfile.Origin {
	at := func(setting string) int {
		return slices.IndexFunc(rows, func(o configfile.Origin) bool { return o.Setting == setting })
	}
	context, address := at("serve.nats-context"), at("serve.nats")
	if context < 0 || address < 0 || rows[context].Value == "" {
		return rows
	}

	nats := server.ExternalNATS{Context: rows[context].Value}
	if err := nats.Resolve(); err != nil {
		return rows // config validate says what is wrong
	}
	rows[address].Value, rows[address].Origin = nats.String(), nats.From()
	return rows
}
