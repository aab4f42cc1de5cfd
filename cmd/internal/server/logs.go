package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"iter"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"consentledger/api/audit/witness"
	"consentledger/api/outgoing"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/files"
	"consentledger/eventstore"
	"consentledger/eventstore/ledger"
	"consentledger/projections/transparency"
)

// checkpointPace is how long the logs rest after a checkpoint that covers all: it
// bounds how many are signed, and is most of how far they are behind.
const checkpointPace = 200 * time.Millisecond

// KeepDir is where a data directory has the logs' signing keys.
func KeepDir(data string) string { return filepath.Join(data, "log") }

// TileDir is where a data directory has the logs' tiles, an app a directory.
func TileDir(data string) string { return filepath.Join(data, "views", "transparency") }

// CosignedDir is where a data directory has what witnesses signed.
func CosignedDir(data string) string { return filepath.Join(data, "log", "witness") }

// StampDir is where a data directory has what time-stamping authorities signed.
func StampDir(data string) string { return filepath.Join(data, "log", "timestamp") }

// checkAudit refuses files that do not say who signs and stamps checkpoints.
func (c Config) checkAudit() error {
	_, witnesses := c.witnessPolicy()
	_, roots := c.stampRoots()
	return errors.Join(witnesses, roots)
}

// witnessPolicy reads whom the logs are shown to. Without a file it is nobody.
func (c Config) witnessPolicy() (policy witness.Policy, err error) {
	if c.Witnesses == "" {
		return policy, nil
	}
	if policy, err = PolicyOf(c.Witnesses, files.ReadOwnFile); err != nil {
		return policy, exit.Usage(fmt.Errorf("--witnesses: %w", err))
	}
	if !slices.ContainsFunc(policy.Witnesses, func(w witness.Witness) bool { return w.URL != "" }) {
		return policy, exit.Usage(fmt.Errorf("--witnesses: %s names no witness with an address, as in: witness north "+
			"KEY https://north.example.org/", c.Witnesses))
	}
	return policy, nil
}

// stampRoots reads the certificates of who stamps checkpoints, if anybody does.
func (c Config) stampRoots() (*x509.CertPool, error) {
	if c.Authority == "" {
		return nil, nil
	}
	roots, err := RootsOf(c.AuthorityRoots, files.ReadOwnFile)
	if err != nil {
		return nil, exit.Usage(fmt.Errorf("--timestamp-roots: %w", err))
	}
	return roots, nil
}

func (h *Server) openWitnesses() error {
	policy, err := h.Config.witnessPolicy()
	if err != nil || h.Config.Witnesses == "" {
		return err
	}
	h.witnesses = &witness.Witnesses{
		Client: h.auditClient(),
		Logs:   h.Logs,
		Policy: policy,
		Shelf:  h.shelf(CosignedDir(h.Config.Data)),
		Every:  h.Config.WitnessEvery,
		Now:    time.Now,
		Log:    h.Log,
	}
	return nil
}

func (h *Server) openStamps() error {
	roots, err := h.Config.stampRoots()
	if err != nil || h.Config.Authority == "" {
		return err
	}
	h.stamps = &witness.Stamps{
		Client: h.auditClient(),
		Logs:   h.Logs,
		URL:    h.Config.Authority,
		Roots:  roots,
		Shelf:  h.shelf(StampDir(h.Config.Data)),
		Every:  h.Config.StampEvery,
		Log:    h.Log,
	}
	return nil
}

// errPrivateWitness says that a name leads to an address that no witness is asked at.
var errPrivateWitness = errors.New("its name leads to an address that is not of the internet; serve " +
	"--witness-allow-private allows it")

// auditClient returns what witnesses and the time-stamping authority are asked with. Their
// addresses may come from a file that somebody else wrote: they lead into no network of one's
// own unless that is allowed. A proxy of the environment counts as the address that it has.
func (h *Server) auditClient() *http.Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	dialer := &net.Dialer{Timeout: 30 * time.Second}
	if !h.Config.WitnessPrivate {
		dialer.Control = outgoing.PublicAlone(errPrivateWitness)
	}
	t.DialContext = dialer.DialContext
	t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	return &http.Client{Transport: t, Timeout: time.Minute}
}

// shelf is where what others say of the logs is kept: a directory, or what all
// processes share.
func (h *Server) shelf(dir string) witness.Shelf {
	if h.Dir.shared != nil {
		return witness.RowShelf{Rows: h.Dir.shared}
	}
	return witness.Dir(dir)
}

// showLogs shows the logs to witnesses and to who stamps them, until ctx is done.
func (h *Server) showLogs(ctx context.Context) error {
	var both sync.WaitGroup
	both.Go(func() { h.runWitnesses(ctx) })
	both.Go(func() { h.runStamps(ctx) })
	both.Wait()
	<-ctx.Done() // the turn is that of signing, too
	return nil
}

// runStamps has the checkpoints stamped, if there is an authority.
func (h *Server) runStamps(ctx context.Context) {
	if h.stamps == nil {
		return
	}
	if err := h.stamps.Run(ctx); err != nil {
		h.Log.Error("checkpoints are stamped no more", "error", err)
	}
}

// runWitnesses shows the logs to their witnesses, if they have any.
func (h *Server) runWitnesses(ctx context.Context) {
	if h.witnesses == nil {
		return
	}
	if err := h.witnesses.Run(ctx); err != nil {
		h.Log.Error("the witnesses are asked no more", "error", err)
	}
}

// LogConfig returns what the logs of a data directory stand on.
func (d *DataDir) LogConfig(ctx context.Context, origin string) (transparency.Config, error) {
	if d.shared != nil {
		keep, err := openSharedKeep(ctx, d.shared, d.Vault, origin)
		return transparency.Config{Records: d.Store, Keep: keep, Dir: TileDir(d.path)}, err
	}
	register, err := transparency.OpenRegister(ctx, d.Rows())
	if err != nil {
		return transparency.Config{}, err
	}
	keep, err := transparency.OpenKeep(KeepDir(d.path), origin, register)
	return transparency.Config{Records: d.Store, Keep: keep, Dir: TileDir(d.path)}, err
}

// fed is the store, but that whoever follows it is told of what the ledger has read.
type fed struct {
	eventstore.Store
	ledger *ledger.Ledger
}

func (f fed) Follow(ctx context.Context, after eventstore.Position) iter.Seq2[[]eventstore.Recorded, error] {
	return f.ledger.FollowRecords(ctx, after)
}

func (h *Server) OpenLogs(ctx context.Context) error {
	c, err := h.Dir.LogConfig(ctx, h.Config.Origin)
	if err != nil {
		return err
	}
	c.Records = fed{h.Dir.Store, h.Dir.Ledger}
	c.Pace, c.Log, c.Halt, c.Turn = checkpointPace, h.Log, h.Dir.ReadOnly.halt, h.turns.turn(workCheckpoints)
	if h.Logs, err = transparency.Open(ctx, c); err != nil {
		return err
	}
	if err := h.openStamps(); err != nil {
		return err
	}
	return h.openWitnesses()
}

func (h *Server) runLogs(ctx context.Context) {
	if err := h.Logs.Run(ctx); err != nil && ctx.Err() == nil {
		h.Log.Error("the transparency logs stopped", "error", err)
	}
}

// checkLogs checks the whole of what was there at the start, behind everything
// else.
func (h *Server) checkLogs(ctx context.Context) {
	n, err := h.Logs.Check(ctx)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		h.Log.Error("the transparency logs could not be checked", "error", err)
	case n > 0:
		h.Log.Info("the transparency logs were checked from their first record", "records", n)
	}
}
