package transparency

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"consentledger/domain/ident"
	"consentledger/eventstore"
	"consentledger/projections/transparency/merkle"
)

// A ledger that moves to another store keeps its logs: the same keys, the same
// origin, the same trees. What was signed last is taken along, and only the position
// beside it is that of the other store. One process has all of it in a directory, see
// [Keep], and several have it in rows, see [Shared]: what was in the one may be in the
// other afterwards.

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

// ReadShared reads rows that [OpenShared] or [Roots.Share] wrote, and changes nothing.
// It returns nil if they have no log.
func ReadShared(ctx context.Context, s Shared) (*Keep, error) {
	_, ok, err := (&shared{Shared: s}).get(ctx, []byte(originRow))
	if err != nil || !ok {
		return nil, err
	}
	return OpenShared(ctx, s, "")
}

// Roots derives the trees of all apps from records, and holds them against what was
// signed last.
type Roots struct {
	keep *Keep // nil: nothing was ever signed
	apps map[ident.AppName]*root
}

type root struct {
	edge   merkle.Edge
	signed *signed             // nil: nothing was
	skeys  []string            // what it was signed with: the current key, and while they overlap the next
	lines  []string            // of its changes of keys, as the rows of a [Shared] have them
	at     eventstore.Position // of the last record that was signed

	published []merkle.Checkpoint // that somebody saw, see [Roots.Published]
}

// Roots returns roots of no record yet. What was signed with a key that is lost cannot
// be taken along: that is a [*LostError].
func (k *Keep) Roots(ctx context.Context) (*Roots, error) {
	r := &Roots{keep: k, apps: map[ident.AppName]*root{}}
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
		s, skeys, err := k.kept(ctx, app)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, &LostError{app, k.file(app, ".key")}
		}
		if err != nil {
			return nil, err
		}
		if vkey := begun[app]; vkey != "" && vkey != s.vkey() {
			return nil, &LostError{app, k.file(app, ".key") + " (there is another key in its place)"}
		}
		r.apps[app] = &root{signed: s, skeys: skeys, lines: k.keyLines(app)}
	}
	return r, nil
}

// kept returns what was signed last of an app, and with which keys.
func (k *Keep) kept(ctx context.Context, app ident.AppName) (s *signed, skeys []string, err error) {
	if k.shared == nil {
		if skeys, err = k.signingKeys(app); err != nil {
			return nil, nil, err
		}
		s, err = k.read(app)
		return s, skeys, err
	}

	if s, err = k.openShared(ctx, app); err != nil {
		return nil, nil, err
	}
	skeys, err = k.unsealKeys(ctx, app)
	return s, skeys, err
}

// Add takes the record that comes next.
func (r *Roots) Add(record eventstore.Recorded) error {
	stream, err := ident.ParseStreamID(string(record.Stream))
	if err != nil {
		return fmt.Errorf("record %d: %w", record.Position, err)
	}

	a := r.apps[stream.App]
	if a == nil {
		a = new(root)
		r.apps[stream.App] = a
	}

	a.edge.Append(record.Data, func(merkle.Tile, []byte) {})
	if err := a.judge(stream.App); err != nil {
		return err
	}
	if a.signed == nil || a.edge.Size != a.signed.Size {
		return nil
	}

	if got := a.edge.Root(); got != a.signed.Root {
		return &FaultError{stream.App,
			fmt.Errorf("the first %d records give the root %s, but %s was signed", a.edge.Size, got, a.signed.Root)}
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
	App    ident.AppName
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

// WriteTo writes into the directory of another [Keep] what the logs stand on: origin,
// keys, and what was signed last, as it is, with the positions that the records have
// where they were added from. Before is added to each, see [eventstore.Moved]. The
// register gets what it does not know.
func (r *Roots) WriteTo(dir string, register *Register, before eventstore.Position) error {
	if r.keep == nil {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := writeDurable(filepath.Join(dir, "origin"), []byte(r.keep.origin+"\n")); err != nil {
		return err
	}

	for _, app := range r.signed() {
		a := r.apps[app]
		name := filepath.Join(dir, string(app))
		if err := writeDurable(name+".signed", a.text(before)); err != nil {
			return err
		}
		for i, skey := range a.skeys {
			if err := writeDurable(name+keyEnds[i], []byte(skey+"\n")); err != nil {
				return err
			}
		}
		if err := register.carry(app, a.signed.vkey(), a.lines); err != nil {
			return err
		}
	}
	return nil
}

// Share writes the same into rows, for several processes that serve the logs from now
// on. All of it is there on return, or nothing. Rows that have an origin have logs of
// their own, and are refused by an error that wraps [eventstore.ErrCondition].
func (r *Roots) Share(ctx context.Context, to Shared, before eventstore.Position) error {
	if r.keep == nil {
		return nil
	}
	origin := []byte(originRow)
	c := eventstore.Change{
		Absent: [][]byte{origin},
		Put:    []eventstore.Row{{Key: origin, Value: versionedRow([]byte(r.keep.origin))}, newsOf()},
	}

	for _, app := range r.signed() {
		a := r.apps[app]
		for i, skey := range a.skeys {
			sealed, err := to.Seal(ctx, string(app), []byte(skey))
			if err != nil {
				return fmt.Errorf("app %s: the signing key: %w", app, err)
			}
			row := []byte([]string{keyRows, nextKeyRows}[i] + string(app))
			c.Put = append(c.Put, eventstore.Row{Key: row, Value: versionedRow(sealed)})
		}
		for i, line := range a.lines {
			c.Put = append(c.Put, eventstore.Row{Key: changeRowKey(app, i+1), Value: versionedRow([]byte(line))})
		}
		c.Put = append(c.Put,
			eventstore.Row{Key: signedRowKey(app, a.signed.Size), Value: versionedRow(a.text(before))})
	}
	return (&shared{Shared: to}).write(ctx, c)
}

// signed returns the apps of which anything was signed.
func (r *Roots) signed() (apps []ident.AppName) {
	for _, app := range slices.Sorted(maps.Keys(r.apps)) {
		if r.apps[app].signed != nil {
			apps = append(apps, app)
		}
	}
	return apps
}

// text is what is kept of what was signed last.
func (a *root) text(before eventstore.Position) []byte {
	at := a.at
	if at > 0 {
		at += before
	}
	return signedText(at, a.signed.note)
}
