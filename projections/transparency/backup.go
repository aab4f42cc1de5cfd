package transparency

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"consentledger/domain/ident"
	"consentledger/projections/transparency/merkle"
)

// A backup has what a [Keep] has in files. It may be older than what was published, and
// whoever restores it says which checkpoint was the last that anybody saw.

// RootsOf returns roots of no record yet, from the files of a directory that [OpenKeep]
// made, by their names in it.
func RootsOf(files map[string][]byte) (*Roots, error) {
	k := &Keep{origin: strings.TrimSuffix(string(files["origin"]), "\n")}
	if len(files) == 0 {
		return k.none(), nil
	}
	if err := checkOrigin(k.origin); err != nil {
		return nil, err
	}

	r := k.none()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		base, is := strings.CutSuffix(name, ".signed")
		if !is || path.Dir(name) != "." {
			continue
		}
		app, err := ident.ParseAppName(base)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		skey, has := files[base+".key"]
		if !has {
			return nil, &LostError{app, base + ".key"}
		}
		a := &root{skeys: []string{strings.TrimSuffix(string(skey), "\n")}}
		if next, overlaps := files[base+keyEnds[1]]; overlaps {
			a.skeys = append(a.skeys, strings.TrimSuffix(string(next), "\n"))
		}
		if a.signed, err = newSigned(a.skeys...); err != nil {
			return nil, fmt.Errorf("%s.key is not the signing key of a note", base) // and no byte of it
		}
		if err := a.signed.parse(string(files[name]), k.Origin(app)); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		r.apps[app] = a
	}
	return r, nil
}

func (k *Keep) none() *Roots { return &Roots{keep: k, apps: map[ident.AppName]*root{}} }

// Published takes a checkpoint that somebody saw, before any record is added: the records
// have to give its root, and there should be as many, see [Roots.Behind]. It returns the
// app whose log it is of.
func (r *Roots) Published(text []byte) (ident.AppName, error) {
	text = append(bytes.TrimRight(text, " \r\n"), '\n') // of who saved it with an empty line more
	origin, _, _ := strings.Cut(string(text), "\n")
	for app, a := range r.apps {
		if a.signed == nil || r.keep.Origin(app) != origin {
			continue
		}
		c, _, err := a.signed.openNote(text, origin)
		if err != nil {
			return app, fmt.Errorf("the checkpoint of %s: %w", app, err)
		}
		a.published = append(a.published, c)
		return app, nil
	}

	return "", fmt.Errorf("the checkpoint is of the log %.200q, and the backup has no such log: "+
		"it was made of another ledger, or before that log was begun", origin)
}

// judge holds the tree as it is now against what was published of that size.
func (a *root) judge(app ident.AppName) error {
	for _, c := range a.published {
		if got := a.edge.Root(); c.Size == a.edge.Size && got != c.Root {
			return &FaultError{app, fmt.Errorf("the first %d records give the root %s, but a checkpoint was "+
				"published that says %s: "+
				"these are two histories under one name", c.Size, got, c.Root)}
		}
	}
	return nil
}

// A BehindError says that records end before what was published.
type BehindError struct {
	App             ident.AppName
	Size, Published int64
}

func (e *BehindError) Error() string {
	return fmt.Sprintf("app %s: there are %d records, and a checkpoint of %d was published: this is older than what "+
		"others have seen, "+
		"and going on from it under the same name would be a second history", e.App, e.Size, e.Published)
}

// Behind returns a [*BehindError] if fewer records were added than were published: that
// of the first app by name, of the largest checkpoint.
func (r *Roots) Behind() error {
	for _, app := range slices.Sorted(maps.Keys(r.apps)) {
		a := r.apps[app]
		if len(a.published) == 0 {
			continue
		}
		last := slices.MaxFunc(a.published, func(x, y merkle.Checkpoint) int { return cmp.Compare(x.Size, y.Size) })
		if last.Size > a.edge.Size {
			return &BehindError{app, a.edge.Size, last.Size}
		}
	}
	return nil
}

// Unpublished returns the apps that have signed records and of which nobody said what
// was published.
func (r *Roots) Unpublished() (apps []ident.AppName) {
	for _, app := range r.signed() {
		if a := r.apps[app]; a.signed.Size > 0 && len(a.published) == 0 {
			apps = append(apps, app)
		}
	}
	return apps
}

// Fork gives up the logs of a ledger that was restored from before what was published,
// and begins others under a new origin; see [OpenKeep] for an empty one. The old keys and
// what was signed with them are moved beside the directory, Fork says where, and the
// register keeps why: no personal data. What was published still verifies, and nothing
// is ever signed again under its name.
func Fork(ctx context.Context, c Config, origin, why string) (kept string, err error) {
	if c.Keep.shared != nil {
		return "", errors.New("the logs of several processes do not fork: bring back a backup of the rows they share")
	}
	if c.Keep.lost != nil {
		return "", c.Keep.lost
	}
	return c.renew(ctx, origin, why)
}

// renew sets aside the logs, makes room for others, and keeps why.
func (c Config) renew(ctx context.Context, origin, why string) (kept string, err error) {
	k := c.Keep
	if origin != "" {
		if err := checkOrigin(origin); err != nil {
			return "", err
		}
		if k.register.knows(origin) || origin == k.origin {
			return "", fmt.Errorf("logs stood under the origin %s before: another needs another", origin)
		}
	}
	if kept, err = setAside(k.dir, c.Dir); err != nil {
		return "", err
	}
	if _, err := OpenKeep(k.dir, origin, nil); err != nil { // the register would call it lost
		return "", err
	}

	for _, app := range slices.Sorted(maps.Keys(k.register.all())) {
		if err := k.register.add(ctx, app, endedWord+fmt.Sprintf("%q", why)); err != nil {
			return "", err
		}
	}
	return kept, nil
}
