package erasing

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"

	"consentledger/domain/content"
	"consentledger/domain/ident"
	"consentledger/domain/refusal"

	"github.com/go-json-experiment/json"
)

// errChanged refuses to start a job that is not what was approved.
var errChanged = refusal.Refusal{Code: refusal.ProposalOutdated, Path: "digest",
	Text: "the job is not the one of this digest: what was handed over has changed since, or the digest is another " +
		"job's; look at the job again, and approve the digest that it shows now"}

// A header is what a digest says of a job beside its parts.
type header struct {
	App          ident.AppName `json:"app"`
	ID           string        `json:"id"`
	Of           string        `json:"of"`
	ClosedBefore int64         `json:"closed_before"`
	Reason       string        `json:"reason"`
	Evidence     string        `json:"evidence"`
	Proposer     string        `json:"proposer"`
}

// Digest returns the SHA-256 of what a job is to do: the job itself, of whom it is, the
// reason, the evidence, who ordered it first, and each part as it is stored, with the
// persons and with how many ids led to nobody. Pseudonyms are random, so that nobody finds
// ids by a digest. It does not say who may not be erased: that is decided for each person
// when the order is recorded, so that a legal hold that comes in between counts.
func (j *Jobs) Digest(ctx context.Context, job Job) (h content.Hash, err error) {
	head, err := json.Marshal(header{
		App: job.App, ID: job.ID, Of: job.Of, ClosedBefore: int64(job.ClosedBefore), Reason: job.Reason,
		Evidence: job.Evidence.String(), Proposer: job.By[0],
	}, json.Deterministic(true))
	if err != nil {
		return h, fmt.Errorf("job %s: %w", job.ID, err)
	}

	sum := sha256.New()
	add(sum, head)
	for n := 1; n <= job.Parts; n++ {
		part, has, err := j.Rows.Get(ctx, partKey(job.App, job.ID, n))
		if err == nil && !has {
			err = fmt.Errorf("part %d of job %s was handed over, and is no more", n, job.ID)
		}
		if err != nil {
			return h, err
		}
		add(sum, part)
	}
	sum.Sum(h[:0])
	return h, nil
}

// add adds a text behind its length, so that no two lists of texts have one digest.
func add(sum hash.Hash, text []byte) {
	sum.Write(binary.BigEndian.AppendUint64(nil, uint64(len(text))))
	sum.Write(text)
}
