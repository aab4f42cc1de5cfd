package transparency

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"consentledger/domain"
	"consentledger/eventstore"
	"consentledger/projections/transparency/merkle"
)

// A ledger that moves to another store keeps its logs: the same keys, the same
// origin, the same trees. What was signed last is taken along, and only the position
// beside it is that of the other store.

// ReadKeep reads a directory that [OpenKeep] made, and changes nothing. It returns nil
// if there is none and the register knows of no log.
func ReadKeep(dir string, register *Register) (*Keep, error) {
	_, err := os.Stat(filepath.Join(dir, "origin"))
	if errors.Is(err, fs.ErrNotExist) && register.lostOrigin("") == nil {
		return nil, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return OpenKeep(dir, "", register)
}

// Roots derives the trees of all apps from records, and holds them against what was
// signed last.
type Roots struct {
	keep *Keep // nil: nothing was ever signed
	apps map[domain.AppName]*root
}

type root struct {
	edge   merkle.Edge
	signed *signed             // nil: nothing was
	at     eventstore.Position // of the last record that was signed
}

// Roots returns roots of no record yet. What was signed with a key that is lost cannot
// be taken along: that is a [*LostError].
func (k *Keep) Roots() (*Roots, error) {
	r := &Roots{keep: k, apps: map[domain.AppName]*root{}}
	if k == nil {
		return r, nil
	}
	if k.lost != nil {
		return nil, k.lost
	}
	apps, err := k.known()
	if err != nil {
		return nil, err
	}
	begun := k.register.all()
	for _, app := range apps {
		s, err := k.read(app)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, &LostError{app, k.file(app, ".key")}
		}
		if err != nil {
			return nil, err
		}
		if vkey := begun[app]; vkey != "" && vkey != s.vkey {
			return nil, &LostError{app, k.file(app, ".key") + " (there is another key in its place)"}
		}
		r.apps[app] = &root{signed: s}
	}
	return r, nil
}

// Add takes the record that comes next.
func (r *Roots) Add(record eventstore.Recorded) error {
	stream, err := domain.ParseStreamID(string(record.Stream))
	if err != nil {
		return fmt.Errorf("record %d: %w", record.Position, err)
	}
	a := r.apps[stream.App]
	if a == nil {
		a = new(root)
		r.apps[stream.App] = a
	}
	a.edge.Append(record.Data, func(merkle.Tile, []byte) {})
	if a.signed == nil || a.edge.Size != a.signed.Size {
		return nil
	}
	if got := a.edge.Root(); got != a.signed.Root {
		return &FaultError{stream.App, fmt.Errorf("the first %d records give the root %s, but %s was signed", a.edge.Size, got, a.signed.Root)}
	}
	a.at = record.Position
	return nil
}

// Done returns an error if fewer records were added than were signed.
func (r *Roots) Done() error {
	for _, app := range slices.Sorted(maps.Keys(r.apps)) {
		if a := r.apps[app]; a.signed != nil && a.edge.Size < a.signed.Size {
			return &FaultError{app, fmt.Errorf("there are %d records, but %d were signed", a.edge.Size, a.signed.Size)}
		}
	}
	return nil
}

// A Tree is what an app's records came to.
type Tree struct {
	App    domain.AppName
	Size   int64
	Root   merkle.Hash
	Signed int64 // how many of the records are under a signed checkpoint, whose root they give
}

// Trees returns all that were derived.
func (r *Roots) Trees() (all []Tree) {
	for _, app := range slices.Sorted(maps.Keys(r.apps)) {
		a := r.apps[app]
		t := Tree{App: app, Size: a.edge.Size, Root: a.edge.Root()}
		if a.signed != nil {
			t.Signed = a.signed.Size
		}
		all = append(all, t)
	}
	return all
}

// WriteTo writes into another directory what was signed last, as it is, with the
// positions that the records have where they were added from. The keys are not written.
func (r *Roots) WriteTo(dir string) error {
	for _, app := range slices.Sorted(maps.Keys(r.apps)) {
		a := r.apps[app]
		if a.signed == nil {
			continue
		}
		text := append([]byte(signedHeader+strconv.FormatUint(uint64(a.at), 10)+"\n\n"), a.signed.note...)
		if err := writeDurable(filepath.Join(dir, string(app)+".signed"), text); err != nil {
			return err
		}
	}
	return nil
}
