package server

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"consentledger/api/report/auditreport"
	"consentledger/cmd/internal/buildinfo"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/projections/transparency"
	"consentledger/projections/transparency/merkle"
)

// documents makes the reports of a server.
type documents struct{ *Server }

// Audit implements [rest.Documents]. The log's root is derived again for it.
func (p documents) Audit(
	ctx context.Context, app ident.AppName, from, to deadline.Instant,
) (auditreport.Report, error) {
	outside, err := p.outside(ctx, app)
	if err != nil {
		return auditreport.Report{}, err
	}
	reading, done := p.readings.begin(ReadingAudit)
	defer done()
	return auditreport.Make(ctx, notedLedger{p.Dir.Ledger, reading}, p.requests, app, from, to, outside)
}

// Register implements [rest.Documents].
func (p documents) Register(
	ctx context.Context, app ident.AppName, name string, at deadline.Instant,
) (auditreport.Register, error) {
	return auditreport.MakeRegister(ctx, p.Dir.Ledger, p.requests, app, name, at)
}

// outside says what no history says.
func (p documents) outside(ctx context.Context, app ident.AppName) (auditreport.Outside, error) {
	o := auditreport.Outside{Made: deadline.At(time.Now()).String(), Software: buildinfo.Version, SHA256: ownHash()}
	if n, err := p.rejected.Unseen(ctx); err == nil { // not known while NATS is away
		o.Rejected = &n
	}
	var err error
	o.Integrity, err = p.integrity(ctx, app)
	return o, err
}

func (p documents) integrity(ctx context.Context, app ident.AppName) (auditreport.Integrity, error) {
	var i auditreport.Integrity
	text, err := p.Logs.Checkpoint(app)
	if errors.Is(err, transparency.ErrNotThere) || errors.Is(err, transparency.ErrNotReady) {
		return auditreport.Integrity{Fault: err.Error()}, nil
	}
	if err != nil {
		return i, err
	}

	body, _, _ := strings.Cut(string(text), "\n\n")
	c, err := merkle.ParseCheckpoint(body + "\n")
	if err != nil {
		return i, err
	}

	i = auditreport.Integrity{Origin: c.Origin, Size: c.Size, Root: c.Root.String(), Checkpoint: string(text)}
	if i.Key, err = p.Logs.VerifierKey(app); err != nil {
		return i, err
	}

	rows, err := p.Dir.compareTrees(ctx, []ident.AppName{app},
		func(ident.AppName) ([]byte, error) { return text, nil })
	if err != nil {
		return i, err
	}
	if i.Derived = rows[0].Same(); !i.Derived {
		i.Fault = "the records do not give the root that was signed"
	}
	if _, err := p.Logs.Covered(); err != nil {
		i.Fault = err.Error()
	}
	return i, p.witnessed(app, &i)
}

// witnessed says what those outside signed.
func (p documents) witnessed(app ident.AppName, i *auditreport.Integrity) error {
	if p.witnesses == nil {
		return nil
	}

	status, err := p.witnesses.Status(app)
	if err != nil {
		return fmt.Errorf("witnesses of %s: %w", app, err)
	}

	for _, s := range status.Said {
		w := auditreport.Witness{Name: s.Name, Size: s.Size}
		if !s.At.IsZero() {
			w.At = deadline.At(s.At).String()
		}
		i.Witnesses = append(i.Witnesses, w)
	}

	if from, to := status.Longest(time.Now()); !from.IsZero() {
		i.GapFrom, i.GapTo = deadline.At(from).String(), deadline.At(to).String()
	}
	return nil
}
