package server

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"consentledger/api/report/auditreport"
	"consentledger/cmd/internal/buildinfo"
	"consentledger/domain/deadline"
	"consentledger/domain/ident"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/ledger"
	"consentledger/projections/rebuild"
	"consentledger/projections/transparency"
	"consentledger/projections/transparency/merkle"
)

// documents makes the reports of a server.
type documents struct{ *Server }

// Audit implements [rest.Documents]. The log's root is derived again for it, from the
// records as they are counted: the log is read once.
func (p documents) Audit(
	ctx context.Context, app ident.AppName, from, to deadline.Instant,
) (auditreport.Report, error) {
	outside, signed, err := p.outside(ctx, app)
	if err != nil {
		return auditreport.Report{}, err
	}

	reading, done := p.readings.begin(ReadingAudit)
	defer done()
	log := auditedLog{Ledger: p.Dir.Ledger, store: p.Dir.Store, reading: reading, roots: rebuild.Derive(signed)}
	r, err := auditreport.Make(ctx, log, p.requests, app, from, to, outside)
	if err != nil || signed == nil {
		return r, err
	}

	rows, err := log.roots.Finish(ctx, log.store)
	if err != nil {
		return r, err
	}
	i := &r.Outside.Integrity
	if i.Derived = rows[0].Same(); !i.Derived {
		i.Fault = "the records do not give the root that was signed"
	}
	if _, err := p.Logs.Covered(); err != nil {
		i.Fault = err.Error()
	}
	return r, nil
}

// An auditedLog is a ledger whose log is read for an audit report.
type auditedLog struct {
	*ledger.Ledger
	store   eventstore.Store
	reading *longRead
	roots   *rebuild.Roots // are given every record that is read
}

// Of is [ledger.Ledger.Of]. The store is read while the records before are counted.
func (l auditedLog) Of(
	ctx context.Context, app ident.AppName, after eventstore.Position,
) iter.Seq2[codec.Entry, error] {
	return ledger.EntriesOf(app, l.derived(ahead(l.store.ReadAll(ctx, after))))
}

// derived yields records once the roots were given them.
func (l auditedLog) derived(records iter.Seq2[eventstore.Recorded, error]) iter.Seq2[eventstore.Recorded, error] {
	return func(yield func(eventstore.Recorded, error) bool) {
		for r, err := range noted(l.reading, records, recordedAt) {
			if err == nil {
				err = l.roots.Add(r)
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// Register implements [rest.Documents].
func (p documents) Register(
	ctx context.Context, app ident.AppName, name string, at deadline.Instant,
) (auditreport.Register, error) {
	return auditreport.MakeRegister(ctx, p.Dir.Ledger, p.requests, app, name, at)
}

// outside says what no history says, and what was signed; nil: nothing.
func (p documents) outside(
	ctx context.Context, app ident.AppName,
) (o auditreport.Outside, signed map[ident.AppName]merkle.Checkpoint, err error) {
	o = auditreport.Outside{Made: deadline.At(time.Now()).String(), Software: buildinfo.Version, SHA256: ownHash()}
	if n, err := p.rejected.Unseen(ctx); err == nil { // not known while NATS is away
		o.Rejected = &n
	}
	o.Integrity, signed, err = p.integrity(app)
	return o, signed, err
}

// integrity says what was signed of the log, and by whom. Whether the records give it is
// not known yet.
func (p documents) integrity(
	app ident.AppName,
) (i auditreport.Integrity, signed map[ident.AppName]merkle.Checkpoint, err error) {
	text, err := p.Logs.Checkpoint(app)
	if errors.Is(err, transparency.ErrNotThere) || errors.Is(err, transparency.ErrNotReady) {
		return auditreport.Integrity{Fault: err.Error()}, nil, nil
	}
	if err != nil {
		return i, nil, err
	}

	c, err := parseNote(text)
	if err != nil {
		return i, nil, err
	}
	i = auditreport.Integrity{Origin: c.Origin, Size: c.Size, Root: c.Root.String(), Checkpoint: string(text)}
	if i.Key, err = p.Logs.VerifierKey(app); err != nil {
		return i, nil, err
	}
	return i, map[ident.AppName]merkle.Checkpoint{app: c}, p.witnessed(app, &i)
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
