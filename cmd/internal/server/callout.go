package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"consentledger/api/nats/callout"
	"consentledger/api/nats/intake"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/files"
	"consentledger/cmd/internal/telemetry"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
	"go.opentelemetry.io/otel/metric"
)

// The variables that name files of secrets for a NATS server elsewhere, where no flag does.
const (
	NkeyVariable    = "CONSENTLEDGER_NATS_NKEY_FILE"
	CalloutVariable = "CONSENTLEDGER_NATS_CALLOUT_FILE"
	XKeyVariable    = "CONSENTLEDGER_NATS_CALLOUT_XKEY_FILE"
)

// nkeyFile, seedFile and xkeyFile return the files that flags or the environment name;
// empty: none is named.
func (e ExternalNATS) nkeyFile() string { return cmp.Or(e.Nkey, os.Getenv(NkeyVariable)) }
func (e ExternalNATS) seedFile() string { return cmp.Or(e.Callout, os.Getenv(CalloutVariable)) }
func (e ExternalNATS) xkeyFile() string { return cmp.Or(e.CalloutXKey, os.Getenv(XKeyVariable)) }

// CallsOut reports whether the server asks the ledger whom to let in.
func (e ExternalNATS) CallsOut() bool { return e.seedFile() != "" }

// CheckNkey finds what is wrong with the seed of the ledger's own user.
func (e ExternalNATS) CheckNkey() error {
	name := e.nkeyFile()
	if name == "" {
		return nil
	}
	if e.Creds != "" {
		return exit.Usage(errors.New("--nats-nkey and --nats-creds: the ledger is one user, say one of them"))
	}
	text, err := files.ReadOwnFile(name, files.MaxKeyFile)
	if err != nil {
		return files.Unread("--nats-nkey", err)
	}
	defer clear(text)
	pair, err := nkeys.ParseDecoratedNKey(text)
	if err == nil {
		defer pair.Wipe()
		var public string
		if public, err = pair.PublicKey(); err == nil && nkeys.IsValidPublicUserKey(public) {
			return nil
		}
	}
	return exit.Usage(fmt.Errorf("--nats-nkey: %s holds no seed of a user (SU...), as nats auth nkey gen user "+
		"prints it",
		name))
}

// CalloutKeys returns the keys that servers are answered with.
func (e ExternalNATS) CalloutKeys() (k callout.Keys, err error) {
	if !e.CallsOut() {
		if e.xkeyFile() != "" {
			return k, exit.Usage(errors.New("--nats-callout-xkey goes with --nats-callout"))
		}
		return k, nil
	}
	err = readSeed("--nats-callout", e.seedFile(), func(text []byte) (err error) {
		k, err = callout.ParseSeed(text)
		return err
	})
	if err != nil || e.xkeyFile() == "" {
		return k, err
	}
	err = readSeed("--nats-callout-xkey", e.xkeyFile(), func(text []byte) (err error) {
		k, err = k.WithCurve(text)
		return err
	})
	return k, err
}

// readSeed lets take read the file that a flag names, and forgets it.
func readSeed(flag, name string, take func([]byte) error) error {
	text, err := files.ReadOwnFile(name, files.MaxKeyFile)
	if err != nil {
		return files.Unread(flag, err)
	}
	defer clear(text)
	if err := take(text); err != nil {
		return exit.Usage(fmt.Errorf("%s: %s: %w", flag, name, err))
	}
	return nil
}

// checkCallout refuses to answer where nobody is authenticated.
func (c Config) checkCallout() error {
	switch {
	case !c.NATS.CallsOut():
		return nil
	case c.NATS.URL == "":
		return exit.Usage(fmt.Errorf("--nats-callout, %s: it answers a NATS server elsewhere: name that with --nats; "+
			"the embedded one needs none", CalloutVariable))
	case !c.Access.Authenticate:
		return exit.Usage(errors.New("--nats-callout: nobody is authenticated without --authenticate: say that, too"))
	}
	return nil
}

// DialCheck connects to one server of NATS with a password alone, to see how it takes
// that; see [callout.Service.Check].
func (e ExternalNATS) DialCheck(address, password string) (*nats.Conn, error) {
	opts := []nats.Option{
		nats.Name("consentledger check"), nats.Token(password), nats.NoReconnect(), nats.Timeout(10 * time.Second),
		nats.CustomInboxPrefix(intake.InboxPrefix + ".check"),
	}
	return nats.Connect(address, append(opts, e.tlsOptions()...)...)
}

// openCallout makes what answers servers that ask whom to let in; nil: none does.
func (h *Server) openCallout() error {
	if !h.Config.NATS.CallsOut() {
		return nil
	}
	keys, err := h.Config.NATS.CalloutKeys()
	if err != nil {
		return err
	}
	trusted, err := h.Config.Access.Ways.authorities()
	if err != nil {
		return err
	}
	h.callouts = callout.New(callout.Config{
		Conn: h.Conn, Keys: keys, Renew: h.Config.Access.natsRenew(), Ways: h.ways, Trusted: trusted, Now: time.Now,
		Log: h.Log, Count: h.Measured.asked,
	})
	return nil
}

// countCallouts counts what servers ask.
func (m *measured) countCallouts(t *telemetry.Telemetry) error {
	questions, err := telemetry.Callouts.Int64Counter(t.Meter)
	if err != nil {
		return err
	}

	// All are there from the beginning, so that a rate sees the first.
	ctx, outcomes := context.Background(), map[callout.Outcome]metric.MeasurementOption{}
	for _, o := range callout.Outcomes {
		outcomes[o] = telemetry.Callouts.Of(string(o))
		questions.Add(ctx, 0, outcomes[o])
	}
	m.asked = func(o callout.Outcome) { questions.Add(ctx, 1, outcomes[o]) }
	return nil
}

// How often it is looked anew whether servers ask as they should.
const calloutChecks = time.Minute

// answerCallouts answers servers that ask whom to let in, until ctx is done. A server that
// cannot take the answers when the ledger starts ends it: whoever changed that knows it
// then. Later that is said in the log, and by health.
func (h *Server) answerCallouts(ctx context.Context, ready func()) error {
	if err := h.locateCallout(ctx); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	listens := make(chan struct{})
	var wrong error
	var checking sync.WaitGroup
	checking.Go(func() {
		defer stop() // with what is wrong; or ctx is done
		select {
		case <-listens:
		case <-ctx.Done():
			return
		}
		if wrong = h.checkCallouts(ctx); wrong != nil {
			return
		}
		ready()
		h.watchCallouts(ctx)
	})

	err := h.callouts.Run(ctx, func() { close(listens) })
	stop()
	checking.Wait()
	return errors.Join(err, wrong)
}

// locateCallout finds in which account the ledger is itself.
func (h *Server) locateCallout(ctx context.Context) error {
	for {
		err := h.callouts.Locate(ctx)
		if err == nil || ctx.Err() != nil || errors.Is(err, nats.ErrPermissionViolation) {
			return h.Config.NATS.permitted(err)
		}
		h.Log.Warn("auth callout waits for NATS", "error", err)
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// checkCallouts looks at every server once. Who cannot be asked now is asked later.
func (h *Server) checkCallouts(ctx context.Context) error {
	checked, err := h.callouts.Check(ctx, h.Config.NATS.DialCheck)
	if _, is := errors.AsType[*callout.Misconfigured](err); is {
		return fmt.Errorf("--nats-callout: %w", err)
	}
	if err != nil && ctx.Err() == nil {
		h.Log.Warn("whether NATS servers ask as they should cannot be seen now", "error", err)
	}
	if err == nil {
		h.Log.Info("NATS servers ask the ledger whom to let in", "servers", checked, "issuer", h.callouts.Keys.Issuer)
	}
	return nil
}

// watchCallouts looks at the servers again and again: one may come back with another
// configuration.
func (h *Server) watchCallouts(ctx context.Context) {
	t := time.NewTicker(calloutChecks)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		_, err := h.callouts.Check(ctx, h.Config.NATS.DialCheck)
		if err != nil && !errors.Is(err, callout.ErrNoneTried) && ctx.Err() == nil { // of which /readyz tells
			h.Log.Error("a NATS server does not ask as it should", "error", err)
		}
	}
}
