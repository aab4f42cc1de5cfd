package verifier

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"consentledger/api/audit/witness"
	"consentledger/cmd/internal/exit"
	"consentledger/cmd/internal/server"
	"consentledger/domain/ident"
	"consentledger/projections/transparency/merkle"
	"consentledger/projections/transparency/verify"

	"golang.org/x/mod/sumdb/note"
)

// cosigned reads the newest checkpoint of a log that witnesses signed, if a
// policy asks for them, and says whether it carries what the policy asks for.
// The log is then held against it as against one that was seen before. A copy
// of a log's files has no other checkpoint than its newest.
func (v *LogToVerify) cosigned(
	ctx context.Context, source verify.Source, verifier note.Verifier, origin string,
) (*merkle.Checkpoint, error) {
	if v.policy == nil {
		return nil, nil
	}

	signed, err := v.readCosigned(ctx, source)
	if err != nil {
		return nil, err
	}
	if err := v.witnessed(origin, signed); err != nil {
		return nil, err
	}

	c, err := merkle.Open(signed, verifier, origin)
	if err != nil {
		return nil, exit.NotAuthentic(fmt.Errorf("the cosigned checkpoint: %w", err))
	}
	return &c, nil
}

func (v *LogToVerify) readCosigned(ctx context.Context, source verify.Source) ([]byte, error) {
	if v.data != "" {
		shelf, done, err := server.ShelfOf(ctx, v.data)
		if err != nil {
			return nil, err
		}
		signed, err := witness.Kept(shelf, ident.AppName(v.App))
		return signed, errors.Join(err, done())
	}

	files, err := source.Read(ctx, "cosigned", "checkpoint")
	if err != nil {
		return nil, err
	}
	if files[0] != nil {
		return files[0], nil
	}
	return files[1], nil
}

// withSeen adds a checkpoint to those that were seen before, smallest first.
func withSeen(seen []merkle.Checkpoint, c *merkle.Checkpoint) []merkle.Checkpoint {
	if c == nil || slices.Contains(seen, *c) {
		return seen
	}
	seen = append(slices.Clone(seen), *c)
	slices.SortStableFunc(seen, func(a, b merkle.Checkpoint) int { return int(a.Size - b.Size) })
	return seen
}
