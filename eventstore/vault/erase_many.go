package vault

import (
	"context"
	"fmt"
	"iter"

	"consentledger/eventstore"
)

// few is up to how many persons the tables are written anew where their rows lay; for more
// it is faster to write all of an app once.
const few = 64

// Purge has the tables written anew without the rows of persons who were deleted. It costs
// nearly as much for one person as for many, so whoever erases many does it once for all.
func (v *Vault) Purge(ctx context.Context, app string, gone ...Pseudonym) error {
	var prefixes [][]byte
	for _, kind := range []string{entryRows, partRows, foldRows, linkRows, detachRows, ownRows, proofRows, keptRows} {
		if len(gone) > few {
			prefixes = append(prefixes, rowKey(kind, app))
			continue
		}
		for _, p := range gone {
			prefixes = append(prefixes, rowKey(kind, app, p[:]))
		}
	}

	if len(prefixes) == 0 {
		return nil
	}
	if err := v.rows.Purge(ctx, prefixes...); err != nil {
		return fmt.Errorf("vault: the rows of app %q that were deleted: %w", app, err)
	}
	return nil
}

// Everybody yields the pseudonyms of an app's persons that follow one, in their order; of
// the zero pseudonym, all. Who comes meanwhile may be left out.
func (v *Vault) Everybody(ctx context.Context, app string, after Pseudonym) iter.Seq2[Pseudonym, error] {
	return v.named(ctx, entryRows, app, after)
}

// named yields whose rows of a kind an app has, that follow one.
func (v *Vault) named(
	ctx context.Context, kind, app string, after Pseudonym,
) iter.Seq2[Pseudonym, error] {
	return func(yield func(Pseudonym, error) bool) {
		if err := checkApp(app); err != nil {
			yield(Pseudonym{}, err)
			return
		}
		prefix := rowKey(kind, app)
		for row, err := range v.rows.Scan(ctx, prefix) {
			name, err := pseudonymIn(row, prefix, err)
			if err == nil && string(name[:]) <= string(after[:]) && after != (Pseudonym{}) {
				continue
			}
			if !yield(name, err) || err != nil {
				return
			}
		}
	}
}

// pseudonymIn returns whose row it is.
func pseudonymIn(row eventstore.Row, prefix []byte, err error) (p Pseudonym, _ error) {
	if err != nil {
		return p, err
	}
	if len(row.Key) != len(prefix)+len(p) {
		return p, fmt.Errorf("vault: the key of a row of a person has %d bytes", len(row.Key))
	}
	copy(p[:], row.Key[len(prefix):])
	return p, nil
}
