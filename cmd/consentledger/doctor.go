package main

import (
	"fmt"

	"consentledger/api/edge"
	"consentledger/cmd/internal/configfile"
	"consentledger/cmd/internal/doctor"
	"consentledger/cmd/internal/output"
	"consentledger/cmd/internal/serveflags"

	"github.com/spf13/cobra"
)

func newDoctor() *cobra.Command {
	var d doctor.Doctor
	c := &cobra.Command{
		Use: "doctor", Short: "Say what would keep serve from working, and how to mend it", Args: cobra.NoArgs,
		Long: `Say what would keep serve from working, and how to mend it: the data directory, its
keys and its logs, the servers that hold records, persons or read models elsewhere, the
ports, the clock, TLS, and a NATS server. Give it those flags of serve. It changes
nothing that is kept, and may be run beside a ledger: then it looks at less, since the
directory is that ledger's. The exit code is 1 if anything is broken.`,
		Example: `  consentledger doctor
  consentledger doctor --data /var/lib/consent --http 0.0.0.0:8443 --tls-cert cert.pem --tls-key key.pem --allowed-hosts consent.example.com
  consentledger doctor --store postgres://ledger@db.example.com/ledger --views postgres://ledger@db.example.com/ledger
  consentledger doctor --nats tls://nats.example.com:4222 --nats-ca ca.pem --clock https://www.example.com/`,
		RunE: func(c *cobra.Command, _ []string) error { return diagnose(c, d) },
	}
	configfile.Section(c, "serve")
	f := c.Flags()
	f.StringVar(&d.Data, "data", "data", "the data directory")
	f.StringVar(&d.HTTP, "http", "127.0.0.1:8080", "where HTTP is to listen")
	f.StringVar(&d.NATSListen, "nats-listen", "127.0.0.1:4222", "where the embedded NATS server is to listen")
	f.StringSliceVar(&d.Hosts, "allowed-hosts", nil,
		"names under which HTTP is to be asked: the certificate must have them")
	f.StringVar(&d.Clock, "clock", "",
		"an HTTP address whose clock is right (default: that of --server, if it answers)")
	serveflags.Places(c, &d.Dir.Store, &d.Dir.Vault, &d.Dir.VaultKeys, &d.Views)
	serveflags.KEK(c, &d.Dir.KEK)
	serveflags.NATS(c, &d.NATS)
	serveflags.Access(c, &d.Access)
	output.Flag(c)
	return c
}

func diagnose(c *cobra.Command, d doctor.Doctor) (err error) {
	if d.Server, err = c.Flags().GetString("server"); err != nil {
		return err
	}
	d.Expected = c.Flags().Changed("server")
	if server, ok := ownServer(c, d.HTTP); ok && !d.Expected && d.Server == configfile.ServerDefault {
		d.Server = server
	}
	said, err := d.Look(c.Context())
	if err != nil {
		return err
	}

	broken := 0
	for _, x := range said {
		if x.Broken() {
			broken++
		}
	}
	if err := output.Values(c, said, "check", "state", "found", "fix"); err != nil {
		return err
	}
	if broken > 0 {
		return fmt.Errorf("%d things are broken", broken)
	}
	return nil
}

// ownServer returns the address of the ledger that the settings are of, where nobody named
// another one and it listens on this machine without TLS: with it the address has to be one
// of the certificate's names, which only --server can say.
func ownServer(c *cobra.Command, http string) (string, bool) {
	cert, err := c.Flags().GetString("tls-cert")
	return "http://" + http, err == nil && cert == "" && edge.IsLoopback(http)
}
