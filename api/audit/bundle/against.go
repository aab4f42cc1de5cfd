package bundle

import (
	"errors"
	"fmt"
	"slices"

	"consentledger/projections/transparency/merkle"
)

// Against holds a verified bundle against the log that it is from, and against
// what the verifier asked for: it fails on another selection and on every
// record that was left out. Linked histories that the bundle includes are part
// of what was asked; those that it leaves out it names. The log's tiles are
// believed in nothing: they must give the bundle's own root.
func (o *Opened) Against(read Tiles, asked Selection) error {
	has := o.Manifest.Selection
	if asked.Linked = has.Linked; asked.Subject == "" && len(has.Linked) > 0 || asked.App != has.App ||
		asked.Subject != has.Subject || asked.From != has.From || asked.To != has.To {
		asked.Linked = nil
		return fmt.Errorf("the bundle is of %s, and what was asked for is %s", has, asked)
	}

	var edge merkle.Edge
	c := newChooser(asked)
	next, index, all := 0, int64(-1), newTally()
	for record, err := range entries(read, o.Checkpoint.Size) {
		if index++; err != nil {
			return err
		}
		edge.Append(record, func(merkle.Tile, []byte) {})
		s, err := parse(record)
		if err != nil {
			return fmt.Errorf("record %d of the log %w", index, err)
		}
		wanted := c.wants(s)
		all.add(s, wanted)
		in := next < len(o.Indexes) && o.Indexes[next] == index
		if in {
			next++
		}
		if wanted != in {
			return fmt.Errorf("record %d of the log, %s in %s, was left out", index, s.Type, s.Stream)
		}
	}

	if index+1 != o.Checkpoint.Size || edge.Root() != o.Checkpoint.Root {
		return errors.New("this log is another one, or has another history: it does not give the bundle's root")
	}

	for s := range all.streams() {
		if o.last[s.Stream] != s.LastRevision {
			return fmt.Errorf("%s: it says that %s ends at revision %d, the log has %d", streamsFile, s.Stream,
				o.last[s.Stream], s.LastRevision)
		}
	}

	if !slices.Equal(o.Manifest.Gaps, all.gaps()) {
		return fmt.Errorf("%s: the gaps in producers' numbers are not those of the log", ManifestFile)
	}
	return nil
}
