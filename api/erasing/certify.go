package erasing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"

	"consentledger/api/audit/erasure"
	"consentledger/domain"
	"consentledger/domain/ident"
	"consentledger/domain/refusal"
	"consentledger/eventstore"
	"consentledger/eventstore/codec"
	"consentledger/eventstore/vault"
	"consentledger/projections/transparency/merkle"
)

// Logs prove what is in an app's log.
type Logs interface {
	Find(ctx context.Context, app ident.AppName, id eventstore.EventID) (int64, error)
	Proof(ctx context.Context, app ident.AppName, index int64) (merkle.Proof, error)
}

// Streams read one person's records.
type Streams interface {
	Stream(ctx context.Context, stream ident.StreamID) iter.Seq2[codec.Entry, error]
}

// Certify writes the certificate of a job: of everybody whom it erased, as far as it is.
// Who had been erased before it has a certificate of their own.
func (j *Jobs) Certify(
	ctx context.Context, app ident.AppName, id string, logs Logs, streams Streams, w io.Writer,
) error {
	job, err := j.need(ctx, app, id)
	if err != nil {
		return err
	}

	if job.State == Draft || job.State == Running {
		return refusal.Refusal{Code: refusal.TooEarly,
			Text: "the job has not ended: its certificate is of all whom it erased"}
	}

	_, begun, err := j.begun(ctx, job)
	if err != nil {
		return err
	}
	if len(begun) > 0 {
		return refusal.Refusal{Code: refusal.TooEarly,
			Text: "whom the job erased last is still being counted: ask again in a moment"}
	}

	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	n, kept, err := j.count(ctx, job)
	if err != nil {
		return err
	}
	if err := out.Encode(erasure.NewBatch(string(app), id, n, kept)); err != nil {
		return err
	}

	for name, err := range j.erased(ctx, job) {
		if err != nil {
			return err
		}
		c, err := certificate(ctx, app, name, logs, streams)
		if err != nil {
			return fmt.Errorf("person %s: %w", name, err)
		}
		if err := out.Encode(c); err != nil {
			return err
		}
	}
	return nil
}

// certificate proves that one person was erased.
func certificate(
	ctx context.Context, app ident.AppName, name vault.Pseudonym, logs Logs, streams Streams,
) (c erasure.Certificate, err error) {
	var ordered, erased eventstore.EventID
	for e, err := range streams.Stream(ctx, ident.SubjectStream(app, name.String())) {
		if err != nil {
			return c, err
		}
		switch e.Event.(type) {
		case domain.ErasureOrdered:
			ordered = e.ID
		case domain.SubjectErased:
			erased = e.ID
		}
	}
	if ordered == (eventstore.EventID{}) || erased == (eventstore.EventID{}) {
		return c, errors.New("the history does not say that they were erased")
	}

	prove := func(id eventstore.EventID) ([]byte, error) {
		index, err := logs.Find(ctx, app, id)
		if err != nil {
			return nil, err
		}
		p, err := logs.Proof(ctx, app, index)
		return p.Format(), err
	}
	first, err := prove(ordered)
	if err != nil {
		return c, err
	}
	second, err := prove(erased)
	return erasure.New(first, second), err
}

// count returns how many persons a job erased, and whether a proof was kept of one of them.
// Histories are read up to the first of whom one was.
func (j *Jobs) count(ctx context.Context, job Job) (n int64, kept bool, err error) {
	for name, err := range j.erased(ctx, job) {
		if err != nil {
			return 0, false, err
		}
		n++
		if kept {
			continue
		}
		s, err := j.Ledger.Subject(ctx, ident.SubjectStream(job.App, name.String()))
		if err != nil {
			return 0, false, err
		}
		_, kept = s.Proof()
	}
	return n, kept, nil
}
