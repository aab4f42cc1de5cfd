// Package doctor looks at what serve would stand on, and says of each thing whether it is in
// order and, if it is broken, how to mend it. It changes nothing that is kept.
package doctor

import (
	"context"

	"consentledger/cmd/internal/server"
)

// A Doctor is told what serve would be told, and looks at it.
type Doctor struct {
	Data       string
	Dir        server.DirOptions // where records and persons are, if not in Data
	Views      string            // where the read models are, if not in Data
	HTTP       string
	NATSListen string
	Hosts      []string // under which HTTP is to be asked: the certificate must have them
	NATS       server.ExternalNATS
	Access     server.Access

	Server   string // the address of the running server
	Expected bool   // somebody named it, so it has to answer
	Clock    string // an HTTP address whose clock is right; empty: that of Server

	running bool // a ledger has the directory open
	said    []Diagnosis
}

// A Diagnosis is what is said of one thing.
type Diagnosis struct {
	Check string `json:"check"`
	State string `json:"state"` // ok, broken or skipped
	Found string `json:"found"`
	Fix   string `json:"fix,omitempty"`
}

// Broken reports whether the thing keeps serve from working.
func (x Diagnosis) Broken() bool { return x.State == "broken" }

// Look looks at everything.
func (d *Doctor) Look(ctx context.Context) ([]Diagnosis, error) {
	if err := d.NATS.Resolve(); err != nil {
		return nil, err
	}
	if err := d.NATS.Check(); err != nil {
		return nil, err
	}
	d.directory(ctx, d.elsewhere(ctx))
	d.port("http", "--http", d.HTTP)
	if d.NATS.URL == "" {
		d.port("nats-listen", "--nats-listen", d.NATSListen)
	} else {
		d.natsServer(ctx)
	}
	d.certificate()
	d.server(ctx)
	return d.said, nil
}

func (d *Doctor) say(check, state, found, fix string) {
	d.said = append(d.said, Diagnosis{check, state, found, fix})
}
